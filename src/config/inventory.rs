//! Every setting with its value and what decided it, for people who wonder.

use std::path::PathBuf;

use crate::client::{Policy, Timeouts};
use crate::net::route::Endpoint;
use crate::net::{Connection, HeaderName, is_secret_header};
use crate::units::{MASK, Money, Span};

use super::credential::Pick;
use super::file::{File, place};
use super::places::Place;
use super::price::Price;
use super::profile::Profile;
use super::target::Bindings;
use super::{
    Environment, Error, Given, PolicyDefaults, Source, Sources, Upkeep, credential, headers, sign, sync,
    target,
};

/// All settings.
#[derive(Debug)]
pub struct Inventory {
    /// The configuration file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// The settings, in the order of the documentation.
    pub settings: Vec<Setting>,
}

/// One setting; a secret's value is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as the configuration file has it.
    pub name: String,
    /// Its value as text, if it has one.
    pub value: Option<String>,
    /// What decided it.
    pub source: Source,
    /// More about the source, such as the command that prints a key; may be empty.
    pub detail: String,
}

impl Setting {
    pub(super) fn new(name: impl Into<String>, value: impl Into<Option<String>>, source: Source) -> Self {
        Self { name: name.into(), value: value.into(), source, detail: String::new() }
    }

    fn unset(name: &str) -> Self {
        Self::new(name, None, Source::Default)
    }
}

/// Lists every setting as `send` would find it. No key is read and no command is run for it.
pub fn inventory(given: &Given, environment: &Environment) -> Result<Inventory, Error> {
    let file = File::read(given, environment)?;
    let (profile, chosen_by) = file.choose(given, environment)?.unzip();
    let mut from = Sources { given, environment, profile };
    let synced = Upkeep::peek(from)?;
    from.profile = synced.as_ref().or(profile);
    let mut settings = Vec::new();
    if let Some(place) = place(given, environment) {
        let shown = file.path.as_ref().map(|path| path.display().to_string());
        settings.push(Setting::new("config", shown, place.source));
    }
    settings.push(match (profile, chosen_by) {
        (Some(profile), Some(source)) => Setting::new("profile", profile.name.clone(), source),
        _ => Setting::unset("profile"),
    });
    add_target(&mut settings, from)?;
    add_policy(&mut settings, from.profile);
    let sign = profile.map(|profile| profile.sign.clone()).unwrap_or_default();
    settings.extend(sign::settings(&sign, profile.map(|profile| profile.name.as_str())));
    if let Some(profile) = profile {
        settings.extend(sync::settings(profile, environment));
    }
    for (model, price) in file.prices.iter() {
        add_price(&mut settings, model, price);
    }
    Ok(Inventory { file: file.path, settings })
}

fn add_target(settings: &mut Vec<Setting>, from: Sources<'_>) -> Result<(), Error> {
    let (dialect, source) = target::dialect(from)?;
    settings.push(Setting::new("api", dialect.name().to_owned(), source));
    settings.push(match target::model(from, dialect) {
        Some((model, source)) => Setting::new("model", model.to_owned(), source),
        None => Setting::unset("model"),
    });
    let bases = target::named_bases(from, dialect)?;
    let Some((base, others)) = bases.split_first() else {
        // Without a relay there is nothing that a key or a header could belong to.
        settings.extend([Setting::unset("url"), Setting::unset("key")]);
        return Ok(());
    };
    let bound = target::bindings(from, dialect, base)?;
    settings.push(Setting::new("url", base.url.to_string(), base.source.clone()));
    for endpoint in bases.iter().filter(|_| !others.is_empty()) {
        settings.push(of_endpoint(from, endpoint));
    }
    let strategy = from.profile.and_then(|profile| Some((profile.strategy?, profile.name.clone())));
    settings.extend(
        strategy
            .map(|(strategy, name)| Setting::new("strategy", strategy.to_string(), Source::Profile(name))),
    );
    let sent = headers::collect(from, &bound)?;
    let picked = credential::pick(from, &bound, &sent)?;
    settings.push(match picked.pick.origin() {
        Some((mut source, detail)) => {
            // Such a header may as well have come from a variable of the vendor's.
            if let (Pick::Header(name), true) = (picked.pick, from.given.headers.is_empty()) {
                source = of_variable(&HeaderName::from_static(name), &bound);
            }
            Setting { detail, ..Setting::new("key", MASK.to_owned(), source) }
        }
        None => Setting { detail: picked.notices.join("; "), ..Setting::unset("key") },
    });
    add_headers(settings, from, &bound)
}

/// One of several endpoints, with what is said of it.
fn of_endpoint(from: Sources<'_>, base: &target::Base) -> Setting {
    let Endpoint { zone, region, weight, priority, .. } = base.endpoint();
    let own = from.profile.and_then(|profile| profile.place_at(&base.url)).map(Place::own_settings);
    let parts = [
        zone.map(|zone| format!("zone {zone}")),
        region.map(|region| format!("region {region}")),
        (weight != 1).then(|| format!("weight {weight}")),
        (priority != 0).then(|| format!("priority {priority}")),
    ];
    let parts = parts.into_iter().flatten().chain(own.into_iter().flatten());
    let detail = parts.collect::<Vec<_>>().join(", ");
    Setting { detail, ..Setting::new("endpoint", base.url.to_string(), base.source.clone()) }
}

fn add_headers(settings: &mut Vec<Setting>, from: Sources<'_>, bound: &Bindings) -> Result<(), Error> {
    for (name, value) in &headers::collect(from, bound)? {
        let own = headers::of_profile(from, bound).find(|own| *own == (name, value));
        let source = match (own, from.profile) {
            (Some(_), Some(profile)) => Source::Profile(profile.name.clone()),
            _ => of_variable(name, bound),
        };
        let shown = if value.is_sensitive() || is_secret_header(name) {
            MASK.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        settings.push(Setting::new(format!("headers.{name}"), shown, source));
    }
    Ok(())
}

/// A header that neither a flag nor the profile gives is a variable's.
fn of_variable(name: &HeaderName, bound: &Bindings) -> Source {
    headers::variable(name, bound).map_or(Source::Default, |name| Source::Variable(name.to_owned()))
}

fn add_policy(settings: &mut Vec<Setting>, profile: Option<&Profile>) {
    let built_in = built_in();
    let policy = profile.map(|profile| profile.policy).unwrap_or_default();
    let source = |is_set: bool| match profile.filter(|_| is_set) {
        Some(profile) => Source::Profile(profile.name.clone()),
        None => Source::Default,
    };
    let attempts = policy.attempts.unwrap_or(Policy::default().attempts).to_string();
    let attempts = Setting::new("attempts", attempts, source(policy.attempts.is_some()));
    settings.push(Setting { detail: "but bench makes 1".to_owned(), ..attempts });
    for ((name, own), default) in PolicyDefaults::TIMES.into_iter().zip(policy.times()).zip(built_in.times())
    {
        let time = own.or(default).map(|time| time.to_string());
        let mut setting = Setting::new(name, time, source(own.is_some()));
        if name == "first-byte-timeout"
            && own.is_none()
            && let Some(whole) = Timeouts::default().first_byte_whole
        {
            setting.detail = format!("for streams; {} for whole answers", Span(whole));
        }
        settings.push(setting);
    }
    let limits = [
        ("rate", policy.rate.map(|rate| rate.to_string())),
        ("burst", policy.burst.map(|burst| burst.to_string())),
        ("rate-scope", policy.rate_scope.map(|scope| scope.to_string())),
        ("token-rate", policy.token_rate.map(|rates| rates.to_string())),
        ("cache", policy.cache.map(|cache| cache.to_string())),
        ("cache-ttl", policy.cache_ttl.map(|time| time.to_string())),
        ("cache-size", policy.cache_size.map(|size| size.to_string())),
    ];
    let compression = [
        ("compress", policy.compress.map(|compress| compress.to_string())),
        ("compress-level", policy.compress_level.map(|level| level.to_string())),
        ("compress-above", policy.compress_above.map(|size| size.to_string())),
    ];
    for (name, value) in compression {
        let decided = source(value.is_some());
        settings.push(Setting::new(name, value, decided));
    }
    for (name, value) in limits {
        let decided = match profile.map(|profile| (profile.synced, &profile.name)) {
            Some((Some(taken), profile)) if value.is_some() && taken.has(name) => {
                Source::Synced(profile.clone(), taken.version)
            }
            _ => source(value.is_some()),
        };
        let detail = if value.is_some() { "but not in bench" } else { "" };
        settings.push(Setting { detail: detail.to_owned(), ..Setting::new(name, value, decided) });
    }
}

/// The policy that is built in, as the rooms that carry it out have it.
fn built_in() -> PolicyDefaults {
    let (policy, timeouts) = (Policy::default(), Timeouts::default());
    PolicyDefaults {
        attempts: Some(policy.attempts),
        backoff_base: Some(Span(policy.backoff_base)),
        backoff_max: Some(Span(policy.backoff_max)),
        max_wait: Some(Span(policy.max_wait)),
        connect_timeout: Some(Span(Connection::default().connect_timeout)),
        first_byte_timeout: timeouts.first_byte_stream.map(Span),
        first_token_timeout: timeouts.first_token.map(Span),
        idle_timeout: timeouts.idle.map(Span),
        stall_timeout: timeouts.stall.map(Span),
        timeout: timeouts.total.map(Span),
        ..PolicyDefaults::default()
    }
}

fn add_price(settings: &mut Vec<Setting>, model: &str, price: &Price) {
    let mut add = |kind: &str, amount: Option<Money>| {
        if let Some(amount) = amount {
            settings.push(Setting::new(
                format!("price.\"{model}\".{kind}"),
                format!("{} USD", amount.dollars()),
                Source::File,
            ));
        }
    };
    add("input", Some(price.input));
    add("output", Some(price.output));
    add("cache-read", price.cache_read);
    add("cache-write", price.cache_write);
}
