//! Which relay, in which dialect, with which model, and which of the environment's keys belong to it.

use crate::net::{Origin, Url};
use crate::wire::Dialect;

use super::{Environment, Error, Given};

/// A base address and the place that named it.
pub(super) struct Base {
    pub(super) url: Url,
    pub(super) source: &'static str,
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

pub(super) fn dialect(given: &Given, environment: &Environment) -> Result<Dialect, Error> {
    if let Some(dialect) = given.api {
        return Ok(dialect);
    }
    match environment.value("BATON_API") {
        None => Ok(Dialect::Messages),
        Some(name) => name.parse().map_err(|error| Error::new(format!("BATON_API: {error}"))),
    }
}

pub(super) fn base(given: &Given, environment: &Environment, dialect: Dialect) -> Result<Base, Error> {
    if let Some(url) = &given.embedded {
        return Ok(Base { url: url.clone(), source: "--mock" });
    }
    if let Some(text) = &given.url {
        return Ok(Base { url: parse(text, "--url")?, source: "--url" });
    }
    let variable = vendor(dialect).map(|vendor| vendor.base);
    for name in ["BATON_URL"].into_iter().chain(variable) {
        if let Some(text) = environment.value(name) {
            return Ok(Base { url: parse(text, name)?, source: name });
        }
    }
    let variable = variable.map(|name| format!(" or {name}")).unwrap_or_default();
    Err(Error::new("no relay is named").hint(format!(
        "give one with --url https://…, set BATON_URL{variable}, or try the embedded relay with --mock"
    )))
}

/// A base address: http or https, with a host, without anything secret in it.
fn parse(text: &str, source: &str) -> Result<Url, Error> {
    let shown = text.split('@').next_back().unwrap_or(text);
    let url = Url::parse(text).map_err(|problem| match problem {
        url::ParseError::RelativeUrlWithoutBase => {
            Error::new(format!("{source}: '{shown}' is not a whole address"))
                .hint(format!("write it with its scheme, as in https://{}", shown.trim_start_matches('/')))
        }
        other => Error::new(format!("{source}: '{shown}' is not an address: {other}")),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let hint = match url.host() {
            None => format!("write it with its scheme, as in https://{shown}"),
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

pub(super) fn model(given: &Given, environment: &Environment, dialect: Dialect) -> Option<String> {
    let variable = vendor(dialect).and_then(|vendor| vendor.model);
    let named = ["BATON_MODEL"].into_iter().chain(variable).find_map(|name| environment.value(name));
    given.model.clone().or_else(|| named.map(str::to_owned))
}

/// To which origins the environment's values belong, seen from the relay that was chosen.
pub(super) struct Bindings {
    pub(super) dialect: Dialect,
    /// The relay's origin.
    pub(super) origin: Origin,
    /// Whether the relay is the embedded one, which is given nothing.
    pub(super) embedded: bool,
    /// The origin that `BATON_KEY` belongs to, where that is another one, with the variable that says so.
    pub(super) own_elsewhere: Option<(Origin, &'static str)>,
    /// The same for the vendor's variables.
    pub(super) vendor_elsewhere: Option<(Origin, &'static str)>,
}

/// Where the environment names a base address, its keys belong to that origin alone; where it names none, to the
/// address of the command line.
pub(super) fn bindings(environment: &Environment, dialect: Dialect, base: &Base) -> Result<Bindings, Error> {
    let origin = Origin::of(&base.url);
    let named = |name: &'static str| match environment.value(name) {
        Some(text) => Ok(Some((Origin::of(&parse(text, name)?), name))),
        None => Ok(None),
    };
    let own = named("BATON_URL")?;
    let vendors = match vendor(dialect) {
        Some(vendor) => named(vendor.base)?,
        None => None,
    };
    let elsewhere = |bound: Option<(Origin, &'static str)>| bound.filter(|(bound, _)| *bound != origin);
    Ok(Bindings {
        dialect,
        embedded: base.source == "--mock",
        own_elsewhere: elsewhere(own.clone().or_else(|| vendors.clone())),
        vendor_elsewhere: elsewhere(vendors.or(own)),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(url: Option<&str>, variables: &[(&str, &str)]) -> Result<(String, &'static str), Error> {
        let given = Given { url: url.map(str::to_owned), ..Given::default() };
        let environment = Environment::of(variables);
        let dialect = dialect(&given, &environment)?;
        base(&given, &environment, dialect).map(|base| (base.url.to_string(), base.source))
    }

    #[test]
    fn a_flag_wins_over_our_variable_and_ours_over_the_vendors() {
        let both = [("BATON_URL", "http://ours"), ("ANTHROPIC_BASE_URL", "http://theirs")];
        assert_eq!(base_of(Some("http://flag"), &both).unwrap(), ("http://flag/".to_owned(), "--url"));
        assert_eq!(base_of(None, &both).unwrap().1, "BATON_URL");
        assert_eq!(base_of(None, &both[1..]).unwrap().1, "ANTHROPIC_BASE_URL");
        let chat =
            [("BATON_API", "chat"), ("OPENAI_BASE_URL", "http://o/v1"), ("ANTHROPIC_BASE_URL", "http://a")];
        assert_eq!(base_of(None, &chat).unwrap().1, "OPENAI_BASE_URL");
    }

    #[test]
    fn without_a_relay_the_hint_names_every_way_to_give_one() {
        let hint = base_of(None, &[]).unwrap_err().hint.unwrap();
        for way in ["--url", "BATON_URL", "ANTHROPIC_BASE_URL", "--mock"] {
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
        ] {
            let error = base_of(Some(bad), &[]).unwrap_err();
            assert!(error.message.starts_with("--url"), "{bad}: {}", error.message);
            assert!(!format!("{error:?}").contains("planted"), "{bad}");
        }
        assert!(base_of(None, &[("BATON_URL", "nonsense")]).unwrap_err().message.starts_with("BATON_URL"));
    }
}
