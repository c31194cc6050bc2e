//! `baton check --self`: gathers what this machine and this installation are like.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::check::own::{Facts, Key};
use crate::check::{SharedLogin, share_login};
use crate::cli::options::TargetOptions;
use crate::config::{self, Environment, Inventory, Setting};
use crate::net::{Url, environment_proxy};
use crate::wire::Dialect;

/// Looks at everything; only the relay's name is asked of the network, and a token server of its own on loopback.
pub(super) fn facts(target: &TargetOptions, model: Option<&str>) -> Facts {
    let environment = Environment::of_process();
    let given = target.given(None, model);
    let inventory = config::inventory(&given, &environment);
    let url = inventory.as_ref().ok().and_then(|inventory| value_of(inventory, "url"));
    let url = url.and_then(|url| Url::parse(&url).ok());
    Facts {
        descriptors: rlimit::getrlimit(rlimit::Resource::NOFILE).ok(),
        ports: std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok(),
        name: url.as_ref().and_then(look_up),
        proxy: url.as_ref().and_then(environment_proxy),
        now: SystemTime::now(),
        configuration: match &inventory {
            Ok(inventory) => Ok(read(inventory)),
            Err(error) => Err(error.to_string()),
        },
        login: login(config::token_folder(&given, &environment)),
        key: inventory.as_ref().map_or(Key::NoRelay, |inventory| key(inventory, &environment)),
    }
}

/// What becomes of a login that is stored where tokens are, or in the first folder on the way there that exists.
fn login(folder: Option<PathBuf>) -> Result<SharedLogin, String> {
    let folder = folder.ok_or("neither XDG_STATE_HOME nor HOME says where tokens would be stored")?;
    let there = folder.ancestors().find(|folder| folder.is_dir()).ok_or("no folder to store tokens in")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(share_login(there))
}

fn setting<'a>(inventory: &'a Inventory, name: &str) -> Option<&'a Setting> {
    inventory.settings.iter().find(|setting| setting.name == name)
}

fn value_of(inventory: &Inventory, name: &str) -> Option<String> {
    setting(inventory, name)?.value.clone()
}

/// The host's addresses, as the system finds them.
fn look_up(url: &Url) -> Option<(String, Result<Vec<IpAddr>, String>, std::time::Duration)> {
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
    let dialect = value_of(inventory, "api").and_then(|name| name.parse().ok()).unwrap_or(Dialect::Messages);
    let others = config::key_variables(dialect)
        .filter(|name| environment.value(name).is_some() && !source.contains(name));
    Key::From(source.clone(), others.map(str::to_owned).collect())
}
