//! The user's own headers, from `--header`, the variables that vendors' tools read, and the profile.

use crate::net::{HeaderMap, HeaderName, HeaderValue, is_secret_header};

use super::target::{Bindings, vendor};
use super::{Environment, Error, Sources};

/// Headers that carry a credential: at most one of them is ever sent.
pub(super) const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Headers that are the HTTP library's to set.
const RESERVED: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "content-encoding"];

/// The header in which proxies say whom they forward for; only `--forwarded-for` or a header of the user's own sends it.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// All headers of the user's own; under one name a flag wins over a variable, and a variable over the profile.
pub(super) fn collect(from: Sources<'_>, bound: &Bindings) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for line in &from.given.headers {
        let (name, value) = parse(line, "--header")?;
        headers.append(name, value);
    }
    if let Some(address) = from.given.forwarded_for {
        let value = HeaderValue::from_str(&address.to_string()).expect("an address is ASCII");
        if headers.insert(FORWARDED_FOR, value).is_some() {
            let message = format!("--forwarded-for and --header both give {FORWARDED_FOR}");
            return Err(Error::new(message).hint("leave one of them out"));
        }
    }
    add_variables(&mut headers, from.environment, bound)?;
    for (name, value) in of_profile(from, bound) {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    checked(headers)
}

/// The profile's headers, as far as they may be sent: one that names a relay keeps them for that relay.
pub(super) fn of_profile<'a>(
    from: Sources<'a>,
    bound: &Bindings,
) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
    let profile = from.profile.filter(|profile| profile.is_for(&bound.origin));
    profile.into_iter().flat_map(|profile| &profile.headers)
}

/// Refuses an endpoint that would be sent other headers than the first one: what is bound to one goes to no other.
pub(super) fn refuse_other(
    from: Sources<'_>,
    (headers, first): (&HeaderMap, &Bindings),
    other: &Bindings,
) -> Result<(), Error> {
    if collect(from, other)? == *headers {
        return Ok(());
    }
    let message = format!("{} and {} would be sent different headers", first.origin, other.origin);
    Err(Error::new(message)
        .hint("give the headers of both with --header, or name both endpoints in one profile"))
}

/// The variable that a header which is not the profile's came from.
pub(super) fn variable(name: &HeaderName, bound: &Bindings) -> Option<&'static str> {
    let vendor = vendor(bound.dialect)?;
    let field = vendor.fields.iter().find(|(_, field)| *field == name.as_str());
    field.map(|(variable, _)| *variable).or(vendor.custom_headers)
}

/// Adds what the vendor's variables hold, where it may be sent.
fn add_variables(headers: &mut HeaderMap, environment: &Environment, bound: &Bindings) -> Result<(), Error> {
    let vendor = vendor(bound.dialect).filter(|_| !bound.embedded && bound.vendor_withheld.is_none());
    let Some(vendor) = vendor else { return Ok(()) };
    for (variable, name) in vendor.fields {
        if let Some(text) = environment.value(variable)
            && !headers.contains_key(*name)
        {
            headers.insert(HeaderName::from_static(name), value_of(text, name, variable)?);
        }
    }
    if let Some((variable, text)) =
        vendor.custom_headers.and_then(|name| Some((name, environment.value(name)?)))
    {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = parse(line, variable)?;
            headers.entry(name).or_insert(value);
        }
    }
    Ok(())
}

/// Refuses two credentials at once.
fn checked(headers: HeaderMap) -> Result<HeaderMap, Error> {
    let sent: usize = CREDENTIAL_HEADERS.iter().map(|name| headers.get_all(*name).iter().count()).sum();
    if sent < 2 {
        return Ok(headers);
    }
    let names: Vec<_> =
        CREDENTIAL_HEADERS.iter().filter(|name| headers.contains_key(**name)).copied().collect();
    let message = format!("--header gives more than one credential ({})", names.join(", "));
    Err(Error::new(message).hint("relays refuse requests with two credentials: leave all but one out"))
}

/// `Name: value`; the value appears in no message, because it may be a secret.
fn parse(line: &str, source: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let Some((name, value)) = line.split_once(':') else {
        let message = format!("{source}: a header is written 'Name: value', and one has no colon");
        return Err(Error::new(message).hint("quote the whole header, as in --header 'x-tenant: blue'"));
    };
    field(name, value, source)
}

/// A header's name and value; a value whose name says that it is a secret is marked as one.
pub(super) fn field(name: &str, value: &str, source: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let shown = name.trim();
    let name: HeaderName = shown.parse().map_err(|_| {
        Error::new(format!("{source}: '{}' is not a header name", shown.escape_debug()))
            .hint("a name has letters, digits and hyphens, as in x-team")
    })?;
    if RESERVED.contains(&name.as_str()) {
        return Err(Error::new(format!("{source}: '{name}' is set by baton itself and cannot be given"))
            .hint("leave it out"));
    }
    let value = value_of(value.trim(), name.as_str(), source)?;
    Ok((name, value))
}

fn value_of(text: &str, name: &str, source: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(format!("{source}: the value of '{name}' holds a line break or another control character"))
    })?;
    let secret = HeaderName::try_from(name).is_ok_and(|name| is_secret_header(&name));
    value.set_sensitive(secret);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, Settings, resolve};

    fn settings(headers: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let headers = headers.iter().map(|line| (*line).to_owned()).collect();
        let given = Given { urls: vec!["https://relay.example".to_owned()], headers, ..Given::default() };
        resolve(&given, &Environment::of(variables))
    }

    #[test]
    fn malformed_headers_are_refused_without_showing_their_values() {
        for bad in [
            "no colon sk-planted",
            "bad name: sk-planted",
            ": sk-planted",
            "x-a: sk-planted\nx-b: 1",
            "host: sk-planted",
        ] {
            let error = settings(&[bad], &[]).unwrap_err();
            assert!(error.message.starts_with("--header"), "{}", error.message);
            assert!(!format!("{error:?}").contains("planted"), "{}", error.message);
        }
    }

    #[test]
    fn an_address_that_is_forwarded_for_is_sent_only_where_it_is_given_and_once() {
        let given = |headers: &[&str], address: Option<&str>| Given {
            urls: vec!["https://relay.example".to_owned()],
            headers: headers.iter().map(|line| (*line).to_owned()).collect(),
            forwarded_for: address.map(|address| address.parse().unwrap()),
            ..Given::default()
        };
        let custom = Environment::of(&[("ANTHROPIC_CUSTOM_HEADERS", "X-Forwarded-For: 10.0.0.1")]);
        let of = |given, environment| resolve(&given, environment).map(|settings| settings.headers);
        let none = Environment::of(&[]);
        assert!(of(given(&[], None), &none).unwrap().is_empty());
        for environment in [&none, &custom] {
            let headers = of(given(&[], Some("2001:db8::7")), environment).unwrap();
            let sent: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
            assert_eq!(sent, ["2001:db8::7"]);
        }
        let error = of(given(&["x-forwarded-for: 10.0.0.1"], Some("10.0.0.2")), &none).unwrap_err();
        assert!(error.message.contains("--forwarded-for and --header"), "{}", error.message);
    }

    #[test]
    fn two_credentials_at_once_are_refused() {
        let error = settings(&["authorization: Bearer a", "x-api-key: b"], &[]).unwrap_err();
        assert!(error.message.contains("authorization, x-api-key"), "{}", error.message);
    }

    #[test]
    fn custom_headers_of_the_environment_go_only_where_its_key_goes() {
        let custom = ("ANTHROPIC_CUSTOM_HEADERS", "x-tenant: blue\n\nx-other: 1");
        assert_eq!(settings(&["x-tenant: red"], &[custom]).unwrap().headers["x-tenant"], "red");
        assert_eq!(settings(&[], &[custom]).unwrap().headers["x-other"], "1");
        let elsewhere = ("ANTHROPIC_BASE_URL", "https://other.example");
        assert!(settings(&[], &[custom, elsewhere]).unwrap().headers.is_empty());
    }
}
