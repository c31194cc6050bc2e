//! A profile: one relay with its key, its headers and the policy it is to be treated with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::net::route::{Endpoint, Strategy};
use crate::net::{
    CompressRules, HeaderMap, HeaderName, HeaderValue, Origin, SchemeName, Url, is_secret_header,
};
use crate::units::Span;
use crate::wire::Dialect;

use super::document::{Entry, Section};
use super::headers::{CREDENTIAL_HEADERS, field};
use super::oauth::OAuth;
use super::places::{Place, Surroundings, read_places};
use super::service::Service;
use super::sync::{Limits, Subscription, Synced};
use super::{Error, PolicyDefaults, SignDefaults};

/// What a `[profile.NAME]` table says.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) api: Option<Dialect>,
    pub(super) model: Option<String>,
    /// The relay's endpoints, the first of which is asked first.
    pub(super) places: Vec<Place>,
    /// How one of several is chosen.
    pub(super) strategy: Option<Strategy>,
    pub(super) key: Option<Arc<ProfileKey>>,
    /// All headers but a credential, which is the key.
    pub(super) headers: HeaderMap,
    pub(super) policy: PolicyDefaults,
    pub(super) sign: SignDefaults,
    /// The place of a header that is a secret, where there is one.
    pub(super) secret: Option<String>,
    /// What is kept in step with other regions.
    pub(super) subscription: Option<Subscription>,
    /// What of it is a synced file's.
    pub(super) synced: Option<Taken>,
}

/// What a profile has taken from a synced file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) version: u64,
    /// Whether its endpoints.
    pub(super) endpoints: bool,
    /// Whether its rate of requests.
    pub(super) rate: bool,
    /// Whether its rate of tokens.
    pub(super) token_rate: bool,
}

impl Taken {
    /// Whether it is what decides the limit of this name.
    pub(super) fn has(self, limit: &str) -> bool {
        match limit {
            "rate" | "burst" => self.rate,
            "token-rate" => self.token_rate,
            _ => false,
        }
    }
}

/// Where a profile's key comes from.
#[derive(Debug, Clone)]
pub(super) enum ProfileKey {
    /// `key-file`, seen from the folder of the configuration file.
    File(PathBuf),
    /// `key-command`, run only when the key is sent.
    Command(String),
    /// `key-env`, the name of a variable.
    Variable(String),
    /// A credential among the headers.
    Header(HeaderName, HeaderValue),
    /// `oauth`, a token that is renewed.
    Token(Arc<OAuth>),
    /// `service-token`, a token that is signed here.
    Service(Arc<Service>),
}

impl ProfileKey {
    /// Whether both are the same place, and not only two that say the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Command(one), Self::Command(other)) | (Self::Variable(one), Self::Variable(other)) => {
                one == other
            }
            (Self::Header(name, value), Self::Header(other, text)) => name == other && value == text,
            (Self::Token(one), Self::Token(other)) => Arc::ptr_eq(one, other),
            (Self::Service(one), Self::Service(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The key of the profile that says so.
    pub(super) fn setting(&self) -> String {
        match self {
            Self::File(path) => format!("key-file {}", path.display()),
            Self::Command(_) => "key-command".to_owned(),
            Self::Variable(name) => format!("key-env {name}"),
            Self::Header(name, _) => format!("headers.{name}"),
            Self::Token(oauth) => format!("oauth {}", oauth.grant()),
            Self::Service(service) => service.setting(),
        }
    }
}

/// Folders that paths in a file are seen from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folders<'a> {
    /// The configuration file's own.
    pub(super) own: &'a Path,
    /// The user's, for `~/`.
    pub(super) home: Option<&'a Path>,
}

impl Profile {
    /// Reads `[profile.NAME]`.
    pub(super) fn read(entry: &Entry<'_>, folders: Folders<'_>) -> Result<Self, Error> {
        let section = entry.section()?;
        let mut known = vec![
            "api",
            "model",
            "url",
            "endpoint",
            "strategy",
            "key-file",
            "key-command",
            "key-env",
            "headers",
            "oauth",
        ];
        known.extend(["service-token", "attempts", "rate", "burst", "rate-scope", "token-rate", "cache"]);
        known.extend(["cache-ttl", "cache-size", "compress", "compress-level", "compress-above"]);
        known.extend(PolicyDefaults::TIMES);
        known.extend(Subscription::KEYS);
        known.extend(SignDefaults::KEYS);
        section.only(&known)?;
        let text = |key| section.entry(key).map(|entry| entry.text()).transpose();
        let sign = SignDefaults::read(&section, folders)?;
        let mut profile = Self {
            name: entry.key.to_owned(),
            api: read_api(&section)?,
            model: text("model")?.map(str::to_owned),
            places: read_places(&section, Surroundings { folders, scheme: sign.scheme })?,
            strategy: section.entry("strategy").map(|entry| entry.parsed()).transpose()?,
            policy: PolicyDefaults::read(&section)?,
            sign,
            subscription: Subscription::read(&section)?,
            ..Self::default()
        };
        if let Some(headers) = section.entry("headers") {
            profile.read_headers(&headers.section()?)?;
        }
        let keys = ["key-file", "key-command", "key-env"];
        for entry in keys.into_iter().filter_map(|key| section.entry(key)) {
            let key = read_key((&entry, entry.key), folders)?;
            profile.take_key(&entry, key)?;
        }
        if let Some(entry) = section.entry("oauth") {
            let oauth = OAuth::read(&profile.name, &entry, folders)?;
            profile.take_key(&entry, ProfileKey::Token(Arc::new(oauth)))?;
        }
        if let Some(entry) = section.entry("service-token") {
            let service = Service::read(&entry, folders)?;
            profile.take_key(&entry, ProfileKey::Service(Arc::new(service)))?;
        }
        let has_key = profile.key.is_some() || profile.secret.is_some() || profile.sign.key_file.is_some();
        // A synced file brings the addresses, on hosts that stand here.
        if profile.places.is_empty() && profile.subscription.is_none() && has_key {
            let error = section.refuse("has a key and no url");
            return Err(error.hint("a key is bound to its relay and sent nowhere else: name the url with it"));
        }
        if let (Some(SchemeName::SigV4), Some(key)) = (profile.sign.scheme, &profile.key) {
            let error = section.refuse(&format!("has sign = \"sigv4\" beside {}", key.setting()));
            return Err(error.hint("such a signature is the credential: leave one of them out"));
        }
        Ok(profile)
    }

    /// Whether what belongs to the profile's relay may be sent to this origin.
    pub(super) fn owns(&self, origin: &Origin) -> bool {
        self.places.iter().any(|place| Origin::of(&place.endpoint.url) == *origin)
    }

    /// The profile with the endpoints and limits of a synced file in place of its own, as far as the file names any. An
    /// endpoint that the profile names, too, keeps the key that it has there.
    pub(super) fn with(&self, synced: &Synced) -> Self {
        let mut profile = self.clone();
        if !synced.endpoints.is_empty() {
            let place = |endpoint: Endpoint| match self.place_at(&endpoint.url) {
                Some(own) => Place { endpoint, ..own.clone() },
                None => Place::bare(endpoint),
            };
            profile.places = synced.endpoints.iter().map(|synced| place(synced.endpoint())).collect();
        }
        let Limits { rate, burst, token_rate } = synced.limits;
        profile.synced = Some(Taken {
            version: synced.version,
            endpoints: !synced.endpoints.is_empty(),
            rate: rate.is_some(),
            token_rate: token_rate.is_some(),
        });
        if rate.is_some() {
            (profile.policy.rate, profile.policy.burst) = (rate, burst);
        }
        profile.policy.token_rate = token_rate.or(profile.policy.token_rate);
        profile
    }

    /// Whether what it says of its relay is meant for this origin: where it names no address, for any.
    pub(super) fn is_for(&self, origin: &Origin) -> bool {
        (self.places.is_empty() && self.subscription.is_none()) || self.owns(origin)
    }

    /// The endpoint at this address.
    pub(super) fn place_at(&self, url: &Url) -> Option<&Place> {
        self.places.iter().find(|place| place.endpoint.url == *url)
    }

    /// The key that goes to this address, with the profile that has it: the endpoint's own, or else the profile's.
    pub(super) fn key_at(&self, url: &Url) -> Option<(&str, &ProfileKey)> {
        let own = self.place_at(url).and_then(|place| {
            let lender = place.lender.as_ref().map_or(&self.name, |lender| &lender.profile);
            Some((lender.as_str(), place.key.as_deref()?))
        });
        own.or_else(|| Some((self.name.as_str(), self.key.as_deref()?)))
    }

    fn read_headers(&mut self, section: &Section<'_>) -> Result<(), Error> {
        for entry in section.entries() {
            let (name, value) = field(entry.key, entry.text()?, &entry.place())?;
            if is_secret_header(&name) {
                self.secret.get_or_insert_with(|| entry.place());
            }
            if CREDENTIAL_HEADERS.contains(&name.as_str()) {
                self.take_key(&entry, ProfileKey::Header(name, value))?;
            } else if self.headers.insert(name, value).is_some() {
                return Err(entry.refuse("the same header stands here twice"));
            }
        }
        Ok(())
    }

    /// Takes a key; a second one is refused.
    fn take_key(&mut self, entry: &Entry<'_>, key: ProfileKey) -> Result<(), Error> {
        if let Some(first) = &self.key {
            let first = first.setting();
            let error = entry.refuse(format_args!("a second key, beside {first}"));
            return Err(error.hint("exactly one credential is sent: leave one of them out"));
        }
        self.key = Some(Arc::new(key));
        Ok(())
    }
}

fn read_api(section: &Section<'_>) -> Result<Option<Dialect>, Error> {
    let Some(entry) = section.entry("api") else { return Ok(None) };
    entry.text()?.parse().map(Some).map_err(|error: crate::wire::UnknownDialect| entry.refuse(error))
}

/// Reads where a secret comes from; `like` says by which of a key's three ways.
pub(super) fn read_key((entry, like): (&Entry<'_>, &str), folders: Folders<'_>) -> Result<ProfileKey, Error> {
    let text = entry.text()?;
    Ok(match like {
        "key-command" => ProfileKey::Command(text.to_owned()),
        "key-env" if is_variable(text) => ProfileKey::Variable(text.to_owned()),
        // What stands there may be the key itself, written into the wrong place.
        "key-env" => {
            let hint = format!(
                "{} names the environment variable that holds the key, as in \"RELAY_KEY\"",
                entry.key
            );
            return Err(entry.refuse("this is not the name of a variable").hint(hint));
        }
        _ => ProfileKey::File(folders.resolve(entry)?),
    })
}

impl Folders<'_> {
    /// A path as it is seen from these folders.
    pub(super) fn resolve(&self, entry: &Entry<'_>) -> Result<PathBuf, Error> {
        let text = entry.text()?;
        Ok(match (text.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => return Err(entry.refuse("'~' cannot be resolved: HOME is not set")),
            (None, _) => self.own.join(text),
        })
    }
}

fn is_variable(text: &str) -> bool {
    let word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word && !text.starts_with(|first: char| first.is_ascii_digit())
}

impl PolicyDefaults {
    /// The keys that hold a time.
    pub(super) const TIMES: [&str; 9] = [
        "backoff-base",
        "backoff-max",
        "max-wait",
        "connect-timeout",
        "first-byte-timeout",
        "first-token-timeout",
        "idle-timeout",
        "stall-timeout",
        "timeout",
    ];

    fn read(section: &Section<'_>) -> Result<Self, Error> {
        let mut policy = Self::default();
        if let Some(entry) = section.entry("attempts") {
            policy.attempts = Some(entry.number(1..=100)?);
        }
        policy.rate = section.entry("rate").map(|entry| entry.parsed()).transpose()?;
        policy.token_rate = section.entry("token-rate").map(|entry| entry.parsed()).transpose()?;
        policy.cache = section.entry("cache").map(|entry| entry.parsed()).transpose()?;
        policy.cache_ttl = section.entry("cache-ttl").map(|entry| entry.time()).transpose()?;
        policy.cache_size = section.entry("cache-size").map(|entry| entry.parsed()).transpose()?;
        policy.read_compression(section)?;
        if let Some(entry) = section.entry("burst") {
            policy.burst = Some(entry.number(1..=1_000_000)?);
            if policy.rate.is_none() {
                return Err(entry.refuse("a burst without a rate").hint("rate = \"60/m\" sets one"));
            }
        }
        if let Some(entry) = section.entry("rate-scope") {
            policy.rate_scope = Some(entry.parsed()?);
            if policy.rate.is_none() {
                let error = entry.refuse("a scope without a rate, and tokens are not shared");
                return Err(error.hint("rate = \"60/m\" sets one"));
            }
        }
        for (key, slot) in Self::TIMES.into_iter().zip(policy.times_mut()) {
            *slot = section.entry(key).map(|entry| entry.time()).transpose()?;
        }
        Ok(policy)
    }

    fn read_compression(&mut self, section: &Section<'_>) -> Result<(), Error> {
        self.compress = section.entry("compress").map(|entry| entry.parsed()).transpose()?;
        self.compress_above = section.entry("compress-above").map(|entry| entry.parsed()).transpose()?;
        if let Some(entry) = section.entry("compress-level") {
            let rules = self.compress.and_then(CompressRules::of);
            let Some(rules) = rules else {
                return Err(entry
                    .refuse("a level where nothing is compressed")
                    .hint("compress = \"auto\" asks for it"));
            };
            self.compress_level = Some(entry.number(1..=rules.coding.hardest())?);
        }
        Ok(())
    }

    /// The times, in the order of [`Self::TIMES`].
    fn times_mut(&mut self) -> [&mut Option<Span>; 9] {
        [
            &mut self.backoff_base,
            &mut self.backoff_max,
            &mut self.max_wait,
            &mut self.connect_timeout,
            &mut self.first_byte_timeout,
            &mut self.first_token_timeout,
            &mut self.idle_timeout,
            &mut self.stall_timeout,
            &mut self.timeout,
        ]
    }

    /// The times, in the order of [`Self::TIMES`].
    pub(super) fn times(mut self) -> [Option<Span>; 9] {
        self.times_mut().map(|time| *time)
    }
}
