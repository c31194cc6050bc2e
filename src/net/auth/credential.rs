//! One credential header and the origin that it belongs to; a token is put on as it is at that moment.

use std::fmt;
use std::sync::Arc;

use crate::net::{HeaderMap, HeaderName, HeaderValue, RequestHeaders, Url};

use super::{AuthError, Keeper, ServiceToken};

/// Scheme, host and port: what a credential is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(url::Origin);

impl Origin {
    /// The origin of an address.
    pub fn of(url: &Url) -> Self {
        Self(url.origin())
    }

    /// Whether an address is of this origin.
    fn holds(&self, url: &Url) -> bool {
        match &self.0 {
            url::Origin::Tuple(scheme, host, port) => {
                scheme == url.scheme()
                    && url.host().is_some_and(|own| own == *host)
                    && url.port_or_known_default() == Some(*port)
            }
            url::Origin::Opaque(_) => false,
        }
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
    proof: Proof,
    origin: Origin,
    source: String,
}

/// What the header says.
#[derive(Debug, Clone)]
enum Proof {
    /// Always this.
    Fixed(HeaderValue),
    /// The token of the moment.
    Token(Arc<Keeper>),
    /// A token that is signed here.
    Signed(Arc<ServiceToken>),
}

impl Credential {
    /// A credential whose value is marked sensitive, so that no library prints it.
    pub fn new(name: HeaderName, mut value: HeaderValue, origin: Origin, source: impl Into<String>) -> Self {
        value.set_sensitive(true);
        Self { name, proof: Proof::Fixed(value), origin, source: source.into() }
    }

    /// A credential that is a token, and changes as the keeper renews it.
    pub fn token(keeper: Arc<Keeper>, origin: Origin, source: impl Into<String>) -> Self {
        let (name, proof) = (HeaderName::from_static("authorization"), Proof::Token(keeper));
        Self { name, proof, origin, source: source.into() }
    }

    /// A credential that is a token of this client's own, signed anew before it ends.
    pub fn signed(signer: ServiceToken, origin: Origin, source: impl Into<String>) -> Self {
        let (name, proof) = (HeaderName::from_static("authorization"), Proof::Signed(Arc::new(signer)));
        Self { name, proof, origin, source: source.into() }
    }

    /// The same credential for another origin that its owner names, too.
    #[must_use]
    pub fn at(&self, origin: Origin) -> Self {
        Self { origin, ..self.clone() }
    }

    /// Puts the credential on a request to its own origin, in place of any other; elsewhere it adds nothing.
    pub fn apply(&self, url: &Url, headers: &mut RequestHeaders) {
        if self.origin.holds(url) {
            headers.insert(self.name.clone(), self.value());
        }
    }

    /// Puts in its place what stays the same while tokens come and go, to tell requests of different clients apart.
    pub fn identify(&self, url: &Url, headers: &mut HeaderMap) {
        let client = match &self.proof {
            Proof::Fixed(value) => {
                if self.origin.holds(url) {
                    headers.insert(self.name.clone(), value.clone());
                }
                return;
            }
            Proof::Token(keeper) => keeper.authority().client(),
            Proof::Signed(signer) => signer.client(),
        };
        // An escaped text is printable, so that there always is one.
        let value = HeaderValue::try_from(client.escape_default().to_string()).ok();
        headers.extend(value.filter(|_| self.origin.holds(url)).map(|value| (self.name.clone(), value)));
    }

    /// Makes sure that it is in force for a request to this address.
    ///
    /// # Errors
    ///
    /// That there is no token, and why.
    pub async fn ready(&self, url: &Url) -> Result<(), AuthError> {
        match &self.proof {
            Proof::Token(keeper) if self.origin.holds(url) => keeper.ready().await,
            _ => Ok(()),
        }
    }

    /// The keeper of the token, where it is one.
    pub fn keeper(&self) -> Option<&Arc<Keeper>> {
        match &self.proof {
            Proof::Fixed(_) | Proof::Signed(_) => None,
            Proof::Token(keeper) => Some(keeper),
        }
    }

    /// The number of the token that is in force, where it is one.
    pub fn generation(&self) -> Option<u64> {
        self.keeper().map(|keeper| keeper.header().map_or(0, |(_, generation)| generation))
    }

    /// The header's name.
    pub fn header(&self) -> &HeaderName {
        &self.name
    }

    /// Where the credential came from, as a user would name it: `ANTHROPIC_API_KEY`, `--key-file`.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn value(&self) -> HeaderValue {
        let before_any = || {
            let mut value = HeaderValue::from_static("Bearer (no token yet)");
            value.set_sensitive(true);
            value
        };
        match &self.proof {
            Proof::Fixed(value) => value.clone(),
            Proof::Signed(signer) => signer.header(),
            Proof::Token(keeper) => keeper.header().map_or_else(before_any, |(value, _)| value),
        }
    }
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
        let mut headers = RequestHeaders::default();
        credential.apply(&Url::parse(url).unwrap(), &mut headers);
        headers.contains(&HeaderName::from_static("x-api-key"))
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
}
