//! The credential policy: exactly one credential header, and never to an origin that it does not belong to.

use std::fmt;

use crate::units::MASK;

use super::{HeaderMap, HeaderName, HeaderValue, Url};

/// Scheme, host and port: what a credential is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(url::Origin);

impl Origin {
    /// The origin of an address.
    pub fn of(url: &Url) -> Self {
        Self(url.origin())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.ascii_serialization())
    }
}

/// A credential header with the origin it belongs to and the place it came from.
#[derive(Debug, Clone)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
    origin: Origin,
    source: String,
}

impl Credential {
    /// A credential whose value is marked sensitive, so that no library prints it.
    pub fn new(name: HeaderName, mut value: HeaderValue, origin: Origin, source: impl Into<String>) -> Self {
        value.set_sensitive(true);
        Self { name, value, origin, source: source.into() }
    }

    /// Puts the credential on a request to its own origin, in place of any other; elsewhere it adds nothing.
    pub fn apply(&self, url: &Url, headers: &mut HeaderMap) {
        if Origin::of(url) == self.origin {
            headers.insert(self.name.clone(), self.value.clone());
        }
    }

    /// The header's name.
    pub fn header(&self) -> &HeaderName {
        &self.name
    }

    /// Where the credential came from, as a user would name it: `ANTHROPIC_API_KEY`, `--key-file`.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Whether a header's value is to be hidden wherever a request is shown.
pub fn is_secret_header(name: &HeaderName) -> bool {
    // The one header with such a word that is public by purpose.
    name != "idempotency-key" && names_a_secret(name.as_str())
}

/// Whether a name, in lower case, speaks of a secret.
fn names_a_secret(name: &str) -> bool {
    const MARKS: [&str; 8] =
        ["auth", "key", "token", "secret", "cookie", "credential", "password", "signature"];
    MARKS.iter().any(|mark| name.contains(mark))
}

/// An address as it may be shown and saved: values of its query that are secrets by their names are masked.
pub fn shown_url(url: &Url) -> String {
    let secret = |name: &str| names_a_secret(&name.to_ascii_lowercase());
    if !url.query_pairs().any(|(name, _)| secret(&name)) {
        return url.to_string();
    }
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = url.query().unwrap_or_default().split('&').map(mask).collect();
    let mut shown = url.clone();
    shown.set_query(Some(&query.join("&")));
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(origin: &str) -> Credential {
        let name = HeaderName::from_static("x-api-key");
        let origin = Origin::of(&Url::parse(origin).unwrap());
        Credential::new(name, HeaderValue::from_static("sk-planted"), origin, "BATON_KEY")
    }

    fn sent_to(credential: &Credential, url: &str) -> bool {
        let mut headers = HeaderMap::new();
        credential.apply(&Url::parse(url).unwrap(), &mut headers);
        headers.contains_key("x-api-key")
    }

    #[test]
    fn a_credential_goes_to_its_own_origin_and_to_no_other() {
        let credential = credential("https://relay.example/v1");
        assert!(sent_to(&credential, "https://relay.example/other/v1/messages"));
        assert!(sent_to(&credential, "https://relay.example:443/v1/messages"));
        assert!(!sent_to(&credential, "https://relay.example:8443/v1/messages"));
        assert!(!sent_to(&credential, "http://relay.example/v1/messages"));
        assert!(!sent_to(&credential, "https://relay.example.evil.example/v1/messages"));
    }

    #[test]
    fn a_credential_never_prints_its_value() {
        assert!(!format!("{:?}", credential("https://relay.example")).contains("planted"));
    }

    #[test]
    fn a_shown_address_keeps_everything_but_the_secrets_of_its_query() {
        let shown = |url: &str| shown_url(&Url::parse(url).unwrap());
        assert_eq!(shown("http://r/v1?tenant=a&b"), "http://r/v1?tenant=a&b");
        assert_eq!(shown("http://r/v1?a=1&Api_Key=planted&z=%20"), "http://r/v1?a=1&Api_Key=***&z=%20");
    }

    #[test]
    fn headers_that_carry_secrets_are_known_by_their_names() {
        for name in ["authorization", "x-api-key", "api-key", "x-litellm-api-key", "cookie", "x-goog-api-key"]
        {
            assert!(is_secret_header(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["content-type", "anthropic-version", "x-request-id", "idempotency-key"] {
            assert!(!is_secret_header(&HeaderName::from_static(name)), "{name}");
        }
    }
}
