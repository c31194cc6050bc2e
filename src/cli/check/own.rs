//! `baton check --self`: gathers what this machine and this installation are like.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::SystemTime;

use tokio::time::Instant;

use crate::check::own::{Facts, Key};
use crate::cli::options::TargetOptions;
use crate::config::{self, Environment, Inventory, Setting};
use crate::net::{Url, shown_url};

/// The variables that may hold a key for a relay.
const KEYS: [&str; 4] = ["BATON_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"];

/// Looks at everything; only the relay's name is asked of the network.
pub(super) fn facts(target: &TargetOptions, model: Option<&str>) -> Facts {
    let environment = Environment::of_process();
    let inventory = config::inventory(&target.given(None, model), &environment);
    let url = inventory.as_ref().ok().and_then(|inventory| value_of(inventory, "url"));
    Facts {
        descriptors: rlimit::getrlimit(rlimit::Resource::NOFILE).ok(),
        ports: std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok(),
        name: url.as_deref().and_then(look_up),
        proxies: proxies(),
        now: SystemTime::now(),
        configuration: match &inventory {
            Ok(inventory) => Ok(read(inventory)),
            Err(error) => Err(error.to_string()),
        },
        key: inventory.as_ref().map_or(Key::NoRelay, |inventory| key(inventory, &environment)),
    }
}

fn setting<'a>(inventory: &'a Inventory, name: &str) -> Option<&'a Setting> {
    inventory.settings.iter().find(|setting| setting.name == name)
}

fn value_of(inventory: &Inventory, name: &str) -> Option<String> {
    setting(inventory, name)?.value.clone()
}

/// The host's addresses, as the system finds them.
fn look_up(url: &str) -> Option<(String, Result<Vec<IpAddr>, String>, std::time::Duration)> {
    let url = Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
    let began = Instant::now();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port).to_socket_addrs().map_err(|error| error.to_string());
    let mut addresses = found.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>());
    if let Ok(addresses) = &mut addresses {
        addresses.dedup();
    }
    Some((host, addresses, began.elapsed()))
}

/// The variables that name a proxy; one that is in the way of reading is shown without its value.
fn proxies() -> Vec<String> {
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
    let all = names.into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()]);
    let set = all.filter_map(|name| {
        let value = std::env::var(&name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{name} is {}", without_password(&value)))
    });
    let mut lines: Vec<String> = set.collect();
    let spared = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    if !lines.is_empty() && !spared.is_empty() {
        lines.push(format!("NO_PROXY is {spared}"));
    }
    lines
}

/// A proxy's address without who may use it.
fn without_password(proxy: &str) -> String {
    let Ok(mut url) = Url::parse(proxy) else { return "(no address)".to_owned() };
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return "(no address)".to_owned();
    }
    shown_url(&url)
}

fn read(inventory: &Inventory) -> String {
    let file = inventory.file.as_ref().map(|path| path.display().to_string());
    let profile = value_of(inventory, "profile").map(|name| format!(", profile {name}")).unwrap_or_default();
    file.map_or_else(|| "there is no file".to_owned(), |file| format!("{file}{profile}"))
}

fn key(inventory: &Inventory, environment: &Environment) -> Key {
    if value_of(inventory, "url").is_none() {
        return Key::NoRelay;
    }
    let Some(setting) = setting(inventory, "key") else { return Key::Absent(String::new()) };
    if setting.value.is_none() {
        return Key::Absent(setting.detail.clone());
    }
    let source = match (setting.source.to_string(), setting.detail.as_str()) {
        (source, "") => source,
        (source, detail) => format!("{source}, {detail}"),
    };
    let others = KEYS.into_iter().filter(|name| environment.value(name).is_some() && !source.contains(name));
    Key::From(source.clone(), others.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_not_shown() {
        assert_eq!(without_password("http://me:secret@proxy:8080"), "http://proxy:8080/");
        assert_eq!(without_password("me:secret"), "(no address)");
    }
}
