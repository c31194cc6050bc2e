//! Flags over environment over profile, resolved once into [`Settings`] that the rest of the program trusts.
//!
//! [`resolve`] takes what was typed ([`Given`]), the [`Environment`] and the configuration file that these name. It
//! decides the dialect, the relay's base address, the model, the headers, the policy's defaults, and the one credential
//! with the origin that it belongs to. [`inventory()`] shows the same decisions, each with its [`Source`].

mod credential;
mod document;
mod environment;
mod file;
mod headers;
mod inventory;
mod oauth;
mod owned;
mod places;
mod price;
mod private;
mod profile;
mod service;
mod sign;
pub mod sync;
mod target;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::client::Station;
use crate::client::cache::CacheUse;
use crate::net::route::{Endpoint, Strategy};
use crate::net::{Compress, Credential, HeaderMap, Keeper, RateScope, TokenRates, Url};
use crate::outcome::TokenTimes;
use crate::units::{Rate, Size, Span};
use crate::wire::Dialect;

use self::credential::Chosen;
use self::file::File;
use self::profile::Profile;

pub use self::credential::key_variables;
pub use self::environment::Environment;
pub use self::file::{Place, place, profiles};
pub use self::inventory::{Inventory, Setting, inventory};
pub use self::oauth::{keeper, token_folder};
pub use self::owned::{FileLock, PrivateFile};
pub use self::price::Prices;
pub use self::private::{read_private, refuse_exposed};
pub use self::sign::{SignDefaults, SignPlace};
pub use self::sync::{News, Update, Upkeep};
pub use self::target::parse as base_address;

/// What was typed on the command line, as far as it names the relay and how to speak to it.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Each `--url`, unparsed.
    pub urls: Vec<String>,
    /// The address of an embedded relay, which wins over everything and is given no credential.
    pub embedded: Option<Url>,
    /// `--api`.
    pub api: Option<Dialect>,
    /// `--model`.
    pub model: Option<String>,
    /// Each `--header`, unparsed.
    pub headers: Vec<String>,
    /// `--forwarded-for`.
    pub forwarded_for: Option<IpAddr>,
    /// Where an explicit key comes from.
    pub key: Option<KeySource>,
    /// Each `--require-scope`.
    pub require_scope: Vec<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// A key that the command line points at without holding it.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `--key-file`.
    File(PathBuf),
    /// `--key-command`, run by the shell.
    Command(String),
}

/// What decided a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// The profile of this name.
    Profile(String),
    /// This version of the synced configuration of the profile of this name.
    Synced(String, u64),
    /// The configuration file, outside any profile.
    File,
    /// Nothing: it is as it was built in.
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => out.write_str(name),
            Self::Variable(name) => out.write_str(name),
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::Synced(_, version) => write!(out, "synced version {version}"),
            Self::File => out.write_str("file"),
            Self::Default => out.write_str("default"),
        }
    }
}

/// What a profile sets of the policy; a flag wins, and what neither names is as it was built in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// As `--attempts`.
    pub attempts: Option<u32>,
    /// As `--backoff-base`.
    pub backoff_base: Option<Span>,
    /// As `--backoff-max`.
    pub backoff_max: Option<Span>,
    /// As `--max-wait`.
    pub max_wait: Option<Span>,
    /// As `--connect-timeout`.
    pub connect_timeout: Option<Span>,
    /// As `--first-byte-timeout`.
    pub first_byte_timeout: Option<Span>,
    /// As `--first-token-timeout`.
    pub first_token_timeout: Option<Span>,
    /// As `--idle-timeout`.
    pub idle_timeout: Option<Span>,
    /// As `--stall-timeout`.
    pub stall_timeout: Option<Span>,
    /// As `--timeout`.
    pub timeout: Option<Span>,
    /// As `--rate`.
    pub rate: Option<Rate>,
    /// As `--burst`.
    pub burst: Option<u32>,
    /// As `--rate-scope`.
    pub rate_scope: Option<RateScope>,
    /// As `--token-rate`.
    pub token_rate: Option<TokenRates>,
    /// As `--cache`.
    pub cache: Option<CacheUse>,
    /// As `--cache-ttl`.
    pub cache_ttl: Option<Span>,
    /// As `--cache-size`.
    pub cache_size: Option<Size>,
    /// As `--compress`.
    pub compress: Option<Compress>,
    /// As `--compress-level`.
    pub compress_level: Option<u32>,
    /// As `--compress-above`.
    pub compress_above: Option<Size>,
}

/// Everything that a request needs besides its prompt.
#[derive(Debug)]
pub struct Settings {
    /// The form of requests and answers.
    pub dialect: Dialect,
    /// The relay's base address; the first, where it has several.
    pub base: Url,
    /// All endpoints of the relay, with the credential of each.
    pub stations: Vec<Station>,
    /// The profile that names them, where one does.
    pub profile: Option<String>,
    /// How the profile has one of several chosen.
    pub strategy: Option<Strategy>,
    /// The model, where one is named.
    pub model: Option<String>,
    /// The user's own headers.
    pub headers: HeaderMap,
    /// The one credential, where there is one for this relay.
    pub credential: Option<Credential>,
    /// Where the credential came from, or why none is sent, as a clause to follow "the key …".
    pub credential_story: String,
    /// What the profile sets of the policy.
    pub policy: PolicyDefaults,
    /// What the profile says of signatures, for each endpoint.
    pub signs: Vec<SignDefaults>,
    /// What models cost.
    pub prices: Prices,
    /// What keeps a run in step with the synced configuration, where its endpoints and limits come from one.
    pub upkeep: Option<Upkeep>,
    /// What the user should know about how this was resolved.
    pub notices: Vec<String>,
}

impl Settings {
    /// What keeps the tokens, where some are sent: one for each login, which the endpoints that use it share.
    pub fn keepers(&self) -> Vec<&Arc<Keeper>> {
        let mut keepers: Vec<&Arc<Keeper>> = Vec::new();
        for keeper in self.stations.iter().filter_map(|station| station.credential.as_ref()?.keeper()) {
            if !keepers.iter().any(|known| Arc::ptr_eq(known, keeper)) {
                keepers.push(keeper);
            }
        }
        keepers
    }

    /// How long tokens have taken in this process so far.
    pub fn token_times(&self) -> TokenTimes {
        self.keepers().into_iter().map(|keeper| keeper.times()).sum()
    }
}

/// Settings that cannot be used, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, naming the flag, variable or file.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Where values are looked for, the strongest first.
#[derive(Debug, Clone, Copy)]
struct Sources<'a> {
    given: &'a Given,
    environment: &'a Environment,
    profile: Option<&'a Profile>,
}

/// Where a relay's endpoints are.
#[derive(Debug)]
pub struct Endpoints {
    /// The profile that names them, where one does.
    pub profile: Option<String>,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
}

/// The endpoints that requests would go to. No key is read and no command is run for it.
///
/// # Errors
///
/// That there are none, or that something about them cannot be read.
pub fn endpoints(given: &Given, environment: &Environment) -> Result<Endpoints, Error> {
    let file = File::read(given, environment)?;
    let profile = file.choose(given, environment)?.map(|(profile, _)| profile);
    let mut from = Sources { given, environment, profile };
    let synced = Upkeep::peek(from)?;
    from.profile = synced.as_ref().or(from.profile);
    let (dialect, _) = target::dialect(from)?;
    let bases = target::bases(from, dialect)?;
    let profile = bases.first().and_then(|base| base.profile()).map(str::to_owned);
    Ok(Endpoints { profile, endpoints: bases.iter().map(target::Base::endpoint).collect() })
}

/// Where runs keep what they learn of a profile's endpoints; none where not even a home is known.
pub fn learned_file(profile: &str, environment: &Environment) -> Option<PrivateFile> {
    environment.state_file("route", profile).map(PrivateFile::at)
}

/// Where the processes of this machine keep the pace that they share towards a relay; none where not even a home is known.
pub fn rate_file(relay: &str, environment: &Environment) -> Option<PathBuf> {
    let hash = Sha256::digest(relay.as_bytes());
    let name = hash.iter().take(8).fold("relay-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    environment.state_file("rate", &name)
}

/// Resolves flags over environment over the profile that they, or else the file, choose.
pub fn resolve(given: &Given, environment: &Environment) -> Result<Settings, Error> {
    resolve_over(given, environment, File::read(given, environment)?)
}

fn resolve_over(given: &Given, environment: &Environment, file: File) -> Result<Settings, Error> {
    let mut from =
        Sources { given, environment, profile: file.choose(given, environment)?.map(|(profile, _)| profile) };
    let mut notices = Vec::new();
    let (upkeep, synced) = Upkeep::begin(from, &mut notices)?.unzip();
    from.profile = synced.as_ref().or(from.profile);
    let (dialect, _) = target::dialect(from)?;
    let bases = target::bases(from, dialect)?;
    let base = bases.first().expect("there is at least one");
    let model = target::model(from, dialect).map(|(model, _)| model.to_owned());
    notices.extend(target::overruled(from, base));
    let mut made = Vec::new();
    let Resolved { headers, stations, signs, notices: more } = stations(from, (dialect, &bases), &mut made)?;
    notices.extend(more);
    notices.sort();
    notices.dedup();
    let chosen = made.first().expect("something is chosen for the first");
    let (credential, credential_story) = (chosen.credential.clone(), chosen.story.clone());
    let (profile, own) = (from.profile, base.profile().map(str::to_owned));
    Ok(Settings {
        dialect,
        model,
        headers,
        credential,
        credential_story,
        policy: profile.map(|profile| profile.policy).unwrap_or_default(),
        signs,
        base: base.url.clone(),
        stations,
        profile: own,
        strategy: profile.and_then(|profile| profile.strategy),
        upkeep: upkeep.map(|upkeep| upkeep.having_made(made)),
        prices: file.prices,
        notices,
    })
}

/// What goes where.
struct Resolved {
    /// To all of them.
    headers: HeaderMap,
    stations: Vec<Station>,
    /// What the profile says of signatures, for each.
    signs: Vec<SignDefaults>,
    notices: Vec<String>,
}

/// What goes to each of these addresses; what was read for one of them, or before, is not read again.
fn stations(
    from: Sources<'_>,
    (dialect, bases): (Dialect, &[target::Base]),
    made: &mut Vec<Chosen>,
) -> Result<Resolved, Error> {
    let first = target::bindings(from, dialect, bases.first().expect("there is at least one"))?;
    let headers = headers::collect(from, &first)?;
    let (mut stations, mut signs, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    for base in bases {
        let bound = target::bindings(from, dialect, base)?;
        headers::refuse_other(from, (&headers, &first), &bound)?;
        let mut there = credential::choose_beside(from, made, (&bound, &headers))?;
        notices.append(&mut there.notices);
        notices.extend(sign::withheld(from, &bound));
        stations.push(base.station(there.credential.clone()));
        signs.push(sign::defaults(from, &bound));
        made.push(there);
    }
    Ok(Resolved { headers, stations, signs, notices })
}
