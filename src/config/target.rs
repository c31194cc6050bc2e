//! Which relay, in which dialect, with which model, and which of the environment's keys belong to it.

use std::ops::RangeInclusive;

use crate::client::Station;
use crate::net::route::Endpoint;
use crate::net::{Credential, Origin, Url};
use crate::wire::Dialect;

use super::places::Place;
use super::profile::Taken;
use super::{Error, Source, Sources};

/// A base address and the place that named it.
pub(super) struct Base {
    pub(super) url: Url,
    pub(super) source: Source,
    /// Its place among others, where the profile says more than its address.
    own: Option<Endpoint>,
}

impl Base {
    fn new(url: Url, source: Source) -> Self {
        Self { url, source, own: None }
    }

    /// The endpoint there, with what goes to it.
    pub(super) fn station(&self, credential: Option<Credential>) -> Station {
        Station { endpoint: self.endpoint(), credential, signer: None }
    }

    /// The profile that names it, where one does.
    pub(super) fn profile(&self) -> Option<&str> {
        match &self.source {
            Source::Profile(name) | Source::Synced(name, _) => Some(name),
            _ => None,
        }
    }

    /// The endpoint there.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.own.clone().unwrap_or_else(|| Endpoint::at(self.url.clone()))
    }
}

/// The variables of one vendor.
pub(super) struct Vendor {
    pub(super) base: &'static str,
    /// Keys with the header each goes into, the stronger one first.
    pub(super) keys: &'static [(&'static str, KeyHeader)],
    model: Option<&'static str>,
    pub(super) custom_headers: Option<&'static str>,
    /// Variables that are sent as headers of their own.
    pub(super) fields: &'static [(&'static str, &'static str)],
}

/// The two ways in which a key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyHeader {
    /// `x-api-key: KEY`.
    ApiKey,
    /// `authorization: Bearer KEY`.
    Bearer,
}

const ANTHROPIC: Vendor = Vendor {
    base: "ANTHROPIC_BASE_URL",
    keys: &[("ANTHROPIC_AUTH_TOKEN", KeyHeader::Bearer), ("ANTHROPIC_API_KEY", KeyHeader::ApiKey)],
    model: Some("ANTHROPIC_MODEL"),
    custom_headers: Some("ANTHROPIC_CUSTOM_HEADERS"),
    fields: &[],
};

const OPENAI: Vendor = Vendor {
    base: "OPENAI_BASE_URL",
    keys: &[("OPENAI_API_KEY", KeyHeader::Bearer)],
    model: None,
    custom_headers: None,
    fields: &[("OPENAI_ORG_ID", "openai-organization"), ("OPENAI_PROJECT_ID", "openai-project")],
};

/// The vendor whose variables a dialect reads; raw requests read only our own.
pub(super) fn vendor(dialect: Dialect) -> Option<&'static Vendor> {
    match dialect {
        Dialect::Messages | Dialect::Complete => Some(&ANTHROPIC),
        Dialect::Chat | Dialect::Responses => Some(&OPENAI),
        Dialect::Raw => None,
    }
}

/// The header that a dialect's vendor takes its key in.
pub(super) fn key_header(dialect: Dialect) -> KeyHeader {
    match dialect {
        Dialect::Messages | Dialect::Complete => KeyHeader::ApiKey,
        Dialect::Chat | Dialect::Responses | Dialect::Raw => KeyHeader::Bearer,
    }
}

pub(super) fn dialect(from: Sources<'_>) -> Result<(Dialect, Source), Error> {
    if let Some(dialect) = from.given.api {
        return Ok((dialect, Source::Flag("--api")));
    }
    if let Some(name) = from.environment.value("BATON_API") {
        let dialect = name.parse().map_err(|error| Error::new(format!("BATON_API: {error}")))?;
        return Ok((dialect, Source::Variable("BATON_API".to_owned())));
    }
    let own = from.profile.and_then(|profile| Some((profile.api?, Source::Profile(profile.name.clone()))));
    Ok(own.unwrap_or((Dialect::Messages, Source::Default)))
}

/// The base addresses, at least one.
pub(super) fn bases(from: Sources<'_>, dialect: Dialect) -> Result<Vec<Base>, Error> {
    let bases = named_bases(from, dialect)?;
    if !bases.is_empty() {
        return Ok(bases);
    }
    Err({
        let variable = vendor(dialect).map(|vendor| format!(" or {}", vendor.base)).unwrap_or_default();
        Error::new("no relay is named").hint(format!(
            "give one with --url https://…, set BATON_URL{variable}, choose a profile that has one with --profile, \
             or try the embedded relay with --mock"
        ))
    })
}

/// The base addresses that the strongest source names, if any names one.
pub(super) fn named_bases(from: Sources<'_>, dialect: Dialect) -> Result<Vec<Base>, Error> {
    let bases = bases_elsewhere(from, dialect)?;
    let Some(profile) = from.profile.filter(|_| bases.is_empty()) else { return Ok(bases) };
    let own = |place: &Place| Base {
        url: place.endpoint.url.clone(),
        source: match profile.synced {
            Some(Taken { version, endpoints: true, .. }) => Source::Synced(profile.name.clone(), version),
            _ => Source::Profile(profile.name.clone()),
        },
        own: Some(place.endpoint.clone()),
    };
    Ok(profile.places.iter().map(own).collect())
}

/// The base addresses that a flag or a variable names, which win over a profile's.
pub(super) fn bases_elsewhere(from: Sources<'_>, dialect: Dialect) -> Result<Vec<Base>, Error> {
    if let Some(url) = &from.given.embedded {
        return Ok(vec![Base::new(url.clone(), Source::Flag("--mock"))]);
    }
    if !from.given.urls.is_empty() {
        return from.given.urls.iter().map(|text| described(text)).collect();
    }
    let variable = vendor(dialect).map(|vendor| vendor.base);
    for name in ["BATON_URL"].into_iter().chain(variable) {
        if let Some(text) = from.environment.value(name) {
            return Ok(vec![Base::new(parse(text, name)?, Source::Variable(name.to_owned()))]);
        }
    }
    Ok(Vec::new())
}

/// What may stand behind the `#` of an address, which is never sent.
const SAID: &str =
    "behind it stand zone, region, weight, priority or drain, as in https://a.relay.example#zone=a&weight=2";

/// An address of the command line, with what is said of its place behind a `#`.
fn described(text: &str) -> Result<Base, Error> {
    let (address, said) = text.split_once('#').map_or((text, None), |(address, said)| (address, Some(said)));
    let url = parse(address, "--url")?;
    let mut endpoint = Endpoint::at(url.clone());
    for pair in said.iter().flat_map(|said| said.split('&')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let shown = pair.escape_debug();
        let refused = |why: &str| Error::new(format!("--url: '#{shown}': {why}")).hint(SAID);
        let name = || match value {
            "" => Err(refused("it names nothing")),
            _ if value.chars().any(char::is_control) => Err(refused("a name has no control characters")),
            _ => Ok(Some(value.to_owned())),
        };
        let number = |bounds: RangeInclusive<u32>| {
            let wanted = format!("it is a whole number from {} to {}", bounds.start(), bounds.end());
            value.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| refused(&wanted))
        };
        match key {
            "zone" => endpoint.zone = name()?,
            "region" => endpoint.region = name()?,
            "weight" => endpoint.weight = number(Endpoint::WEIGHTS)?,
            "priority" => endpoint.priority = number(Endpoint::PRIORITIES)?,
            "drain" if matches!(value, "" | "true") => endpoint.drain = true,
            _ => return Err(refused("nothing of that name is said of an endpoint")),
        }
    }
    Ok(Base { url, source: Source::Flag("--url"), own: Some(endpoint) })
}

/// What to say where a variable takes the place of the profile's address: nobody typed it, so it may surprise.
pub(super) fn overruled(from: Sources<'_>, base: &Base) -> Option<String> {
    let profile = from.profile?;
    let url = &profile.places.first()?.endpoint.url;
    if profile.place_at(&base.url).is_some() {
        return None;
    }
    let Source::Variable(name) = &base.source else { return None };
    Some(format!("{name} wins over the url of profile {}: {} is used, not {url}", profile.name, base.url))
}

/// How the address would be written; one on this machine seldom speaks TLS.
fn with_scheme(shown: &str) -> String {
    let scheme = if shown.starts_with("127.") || shown.starts_with("localhost") { "http" } else { "https" };
    if shown.contains(char::is_whitespace) {
        return "write it as in https://relay.example".to_owned();
    }
    format!("write it with its scheme, as in {scheme}://{shown}")
}

/// A base address: http or https, with a host, without anything secret in it; `source` is what named it.
///
/// # Errors
///
/// What is wrong with it, and how it would be written.
pub fn parse(text: &str, source: &str) -> Result<Url, Error> {
    let shown = text.split('@').next_back().unwrap_or(text);
    let url = Url::parse(text).map_err(|problem| match problem {
        url::ParseError::RelativeUrlWithoutBase => {
            Error::new(format!("{source}: '{shown}' is not a whole address"))
                .hint(with_scheme(shown.trim_start_matches('/')))
        }
        other => Error::new(format!("{source}: '{shown}' is not an address: {other}")),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let hint = match url.host() {
            None => with_scheme(shown),
            Some(_) => "baton speaks http and https".to_owned(),
        };
        return Err(Error::new(format!("{source}: '{shown}' has the scheme '{}'", url.scheme())).hint(hint));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = format!("{source}: the address holds a user name or password");
        return Err(Error::new(message)
            .hint("a secret is never an argument: use --key-file, --key-command or the environment"));
    }
    if url.fragment().is_some() {
        return Err(Error::new(format!("{source}: '{shown}' has a fragment (#…), which is never sent")));
    }
    Ok(url)
}

pub(super) fn model(from: Sources<'_>, dialect: Dialect) -> Option<(&str, Source)> {
    if let Some(model) = &from.given.model {
        return Some((model, Source::Flag("--model")));
    }
    let variable = vendor(dialect).and_then(|vendor| vendor.model);
    for name in ["BATON_MODEL"].into_iter().chain(variable) {
        if let Some(model) = from.environment.value(name) {
            return Some((model, Source::Variable(name.to_owned())));
        }
    }
    from.profile.and_then(|profile| Some((profile.model.as_deref()?, Source::Profile(profile.name.clone()))))
}

/// To which origins the environment's values belong, seen from the relay that was chosen.
pub(super) struct Bindings {
    pub(super) dialect: Dialect,
    /// The relay's base address.
    pub(super) url: Url,
    /// The relay's origin.
    pub(super) origin: Origin,
    /// Whether the relay is the embedded one, which is given nothing.
    pub(super) embedded: bool,
    /// Why `BATON_KEY` is not for this relay, where it is not.
    pub(super) own_withheld: Option<Withheld>,
    /// The same for the vendor's variables.
    pub(super) vendor_withheld: Option<Withheld>,
}

/// Why the environment's values are not for the relay that was chosen.
#[derive(Debug, Clone)]
pub(super) enum Withheld {
    /// The environment binds them to another origin, by this variable.
    Elsewhere(Origin, &'static str),
    /// The environment names no address, and the relay is a profile's.
    OfProfile(String),
}

/// Where the environment names a base address, its keys belong to that origin alone; where it names none, to the
/// address of the command line, and never to one that only a profile names.
pub(super) fn bindings(from: Sources<'_>, dialect: Dialect, base: &Base) -> Result<Bindings, Error> {
    let origin = Origin::of(&base.url);
    let named = |name: &'static str| match from.environment.value(name) {
        Some(text) => Ok(Some((Origin::of(&parse(text, name)?), name))),
        None => Ok(None),
    };
    let own = named("BATON_URL")?;
    let vendors = match vendor(dialect) {
        Some(vendor) => named(vendor.base)?,
        None => None,
    };
    let withheld = |bound: Option<(Origin, &'static str)>| match (bound, &base.source) {
        (Some((bound, _)), _) if bound == origin => None,
        (Some((bound, variable)), _) => Some(Withheld::Elsewhere(bound, variable)),
        (None, Source::Profile(name) | Source::Synced(name, _)) => Some(Withheld::OfProfile(name.clone())),
        (None, _) => None,
    };
    Ok(Bindings {
        dialect,
        url: base.url.clone(),
        embedded: from.given.embedded.is_some(),
        own_withheld: withheld(own.clone().or_else(|| vendors.clone())),
        vendor_withheld: withheld(vendors.or(own)),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Given};

    fn base_of(url: Option<&str>, variables: &[(&str, &str)]) -> Result<(String, String), Error> {
        let given = Given { urls: url.into_iter().map(str::to_owned).collect(), ..Given::default() };
        let environment = Environment::of(variables);
        let from = Sources { given: &given, environment: &environment, profile: None };
        let (dialect, _) = dialect(from)?;
        bases(from, dialect).map(|bases| (bases[0].url.to_string(), bases[0].source.to_string()))
    }

    #[test]
    fn a_flag_wins_over_our_variable_and_ours_over_the_vendors() {
        let both = [("BATON_URL", "http://ours"), ("ANTHROPIC_BASE_URL", "http://theirs")];
        assert_eq!(
            base_of(Some("http://flag"), &both).unwrap(),
            ("http://flag/".to_owned(), "--url".to_owned())
        );
        assert_eq!(base_of(None, &both).unwrap().1, "BATON_URL");
        assert_eq!(base_of(None, &both[1..]).unwrap().1, "ANTHROPIC_BASE_URL");
        let chat =
            [("BATON_API", "chat"), ("OPENAI_BASE_URL", "http://o/v1"), ("ANTHROPIC_BASE_URL", "http://a")];
        assert_eq!(base_of(None, &chat).unwrap().1, "OPENAI_BASE_URL");
    }

    #[test]
    fn a_flag_says_the_place_of_an_endpoint_behind_its_address() {
        let text = "https://a.example/v1#zone=a&region=eu&weight=3&priority=2&drain";
        let base = described(text).unwrap();
        assert_eq!(base.url.as_str(), "https://a.example/v1");
        let Endpoint { url, zone, region, weight, priority, drain } = base.endpoint();
        assert_eq!((url, weight, priority, drain), (base.url, 3, 2, true));
        assert_eq!((zone.as_deref(), region.as_deref()), (Some("a"), Some("eu")));
        assert_eq!(described("https://b.example").unwrap().endpoint().weight, 1);
    }

    #[test]
    fn without_a_relay_the_hint_names_every_way_to_give_one() {
        let hint = base_of(None, &[]).unwrap_err().hint.unwrap();
        for way in ["--url", "BATON_URL", "ANTHROPIC_BASE_URL", "--profile", "--mock"] {
            assert!(hint.contains(way), "{way}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused_by_name_and_without_their_secrets() {
        for bad in [
            "relay.example",
            "localhost:8080",
            "ftp://relay",
            "http://",
            "http://u:sk-planted@relay",
            "http://r/#x",
            "http://r/#weight=0",
            "http://r/#weight=many",
            "http://r/#zone=",
            "http://r/#drain=perhaps",
        ] {
            let error = base_of(Some(bad), &[]).unwrap_err();
            assert!(error.message.starts_with("--url"), "{bad}: {}", error.message);
            assert!(!format!("{error:?}").contains("planted"), "{bad}");
        }
        assert!(base_of(None, &[("BATON_URL", "nonsense")]).unwrap_err().message.starts_with("BATON_URL"));
    }
}
