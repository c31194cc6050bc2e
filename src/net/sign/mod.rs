//! Signs requests with a shared key by HMAC-SHA256, in the scheme that the relay, or the gateway before it, verifies.
//!
//! A [`Signer`] dresses a request last, over exactly the bytes that leave: each attempt has a time, a nonce and a signature of
//! its own. A relay whose clock differs refuses them; [`Signer::follow`] then makes the signer tell the relay's time. While keys
//! are changed a relay may know the other of two; [`Signer::turn`] then makes that one sign.

mod clock;
mod keys;
mod kong;
mod names;
mod sigv4;
mod simple;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use url::Position;
use uuid::Uuid;

use crate::units::Secret;

use super::{HeaderName, HeaderValue, Request, Url};

use self::clock::RelayClock;
use self::keys::Armed;

pub use self::keys::SigningKey;
pub use self::names::{BadName, KeyName, KeyNames, ScopeName};

/// How requests are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Signature` over method, host, path, time, nonce and body.
    Simple,
    /// Kong's `hmac-auth`, a variant of draft-cavage-http-signatures.
    Kong,
    /// AWS Signature Version 4, which takes the place of a credential.
    SigV4(Scope),
}

/// Where a signature of AWS's is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// As in `eu-west-1`.
    pub region: ScopeName,
    /// As in `bedrock`.
    pub service: ScopeName,
    /// What goes beside a temporary key.
    pub session: Option<Secret>,
}

/// The names of the schemes, without what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeName {
    /// See [`Scheme::Simple`].
    Simple,
    /// See [`Scheme::Kong`].
    Kong,
    /// See [`Scheme::SigV4`].
    SigV4,
}

impl SchemeName {
    /// The fewest bytes of a key: `simple` is this program's own and takes none that can be guessed.
    pub const fn shortest_key(self) -> usize {
        match self {
            Self::Simple => 16,
            Self::Kong | Self::SigV4 => 1,
        }
    }

    /// Whether each key has a name of its own: in Kong a name is that of one key, and an `AccessKeyId` of AWS's, too.
    pub const fn names_each_key(self) -> bool {
        match self {
            Self::Simple => false,
            Self::Kong | Self::SigV4 => true,
        }
    }
}

impl fmt::Display for SchemeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Simple => "simple",
            Self::Kong => "kong",
            Self::SigV4 => "sigv4",
        })
    }
}

/// A word that names no scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no way to sign: write simple, kong or sigv4")]
pub struct UnknownScheme(String);

impl FromStr for SchemeName {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        Ok(match text {
            "simple" => Self::Simple,
            "kong" => Self::Kong,
            "sigv4" => Self::SigV4,
            _ => return Err(UnknownScheme(text.to_owned())),
        })
    }
}

/// Signs requests.
#[derive(Debug)]
pub struct Signer {
    scheme: Scheme,
    /// The one in force, then the one that it replaces while keys are changed.
    keys: Vec<Armed>,
    /// The place of the key that signs, where one does at a time.
    turn: AtomicUsize,
    clock: RelayClock,
}

/// The key that has signed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedBy(usize);

impl Signer {
    /// A signer that trusts this machine's clock until it learns better.
    ///
    /// # Panics
    ///
    /// Without a key.
    pub fn new(scheme: Scheme, keys: Vec<SigningKey>) -> Self {
        assert!(!keys.is_empty(), "somebody who signs has a key");
        let keys = keys.into_iter().map(Armed::from).collect();
        Self { scheme, keys, turn: AtomicUsize::new(0), clock: RelayClock::default() }
    }

    /// Signs a request as it stands now, and tells by which key; nothing of it may change after that.
    pub fn sign(&self, request: &mut Request) -> SignedBy {
        let moment = Moment { at: self.clock.time(SystemTime::now()), nonce: Uuid::new_v4() };
        let by = self.turn.load(Ordering::Relaxed);
        let key = &self.keys[by];
        match &self.scheme {
            Scheme::Simple => simple::sign(&self.keys, request, moment),
            Scheme::Kong => kong::sign(key, request, moment),
            Scheme::SigV4(scope) => sigv4::sign((key, scope), request, moment),
        }
        SignedBy(by)
    }

    /// One that signs as this one does, under the same name, by a key that no relay knows.
    #[must_use]
    pub fn impostor(&self) -> Self {
        let secret = Secret::new(Uuid::new_v4().to_string());
        Self::new(self.scheme.clone(), vec![SigningKey { id: self.keys[0].id.clone(), secret }])
    }

    /// Follows the clock of a relay that refused a request, whose date was so many seconds ahead of this machine's clock;
    /// whether another signature may be taken.
    pub fn follow(&self, ahead: i64) -> bool {
        self.clock.follow(ahead)
    }

    /// Lets the other key sign, after a relay has refused one whose date was so many seconds ahead of this machine's clock,
    /// if it told one; whether another signature may be taken. A clock that differs is reason enough for the refusal.
    pub fn turn(&self, SignedBy(by): SignedBy, ahead: Option<i64>) -> bool {
        let other = 1 - by.min(1);
        let is_known = self.scheme != Scheme::Simple && other < self.keys.len();
        if !is_known || ahead.is_some_and(|ahead| self.clock.differs(ahead)) {
            return false;
        }
        self.turn.store(other, Ordering::Relaxed);
        true
    }
}

/// What makes a signature one of its own.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: SystemTime,
    nonce: Uuid,
}

impl Moment {
    /// Seconds since 1970.
    fn seconds(self) -> u64 {
        self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// 128 bits at random, but for the six that say so, in hexadecimal digits.
    fn nonce(self) -> String {
        self.nonce.simple().to_string()
    }
}

/// Host and port as the `Host` header has them.
fn host(request: &Request) -> &str {
    match request.headers.get(&HeaderName::from_static("host")).and_then(|host| host.to_str().ok()) {
        Some(own) => own,
        None => &request.url[Position::BeforeHost..Position::AfterPort],
    }
}

/// Path and query as the first line of the request has them.
fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

/// The pairs of a query, in order.
fn sorted_query(url: &Url) -> Vec<&str> {
    let mut pairs: Vec<_> =
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    pairs
}

fn sha256(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes)
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Sets a header that anybody may see.
fn set(request: &mut Request, name: &'static str, value: &str) {
    request.headers.insert(HeaderName::from_static(name), printable(value));
}

/// Sets a header that no library and no output may show.
fn set_secret(request: &mut Request, name: &'static str, value: &str) {
    let mut value = printable(value);
    value.set_sensitive(true);
    request.headers.insert(HeaderName::from_static(name), value);
}

fn printable(value: &str) -> HeaderValue {
    HeaderValue::from_str(value)
        .expect("names of keys are checked where they are read, all else is made of printable ASCII")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::{Journey, Method, RequestHeaders};

    pub(super) fn request(url: &str) -> Request {
        let url = Url::parse(url).unwrap();
        let (headers, body, journey) = (RequestHeaders::default(), "{\"a\":1}".into(), Journey::default());
        Request { method: Method::Post, url: url.into(), headers, body, journey }
    }

    pub(super) fn moment() -> Moment {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        Moment { at, nonce: Uuid::from_u128(7) }
    }

    #[test]
    fn each_signature_is_one_of_its_own_and_is_shown_by_nothing() {
        let scope = Scope {
            region: "eu-west-1".parse().unwrap(),
            service: "bedrock".parse().unwrap(),
            session: None,
        };
        for (scheme, header) in [
            (Scheme::Simple, "x-signature"),
            (Scheme::Kong, "authorization"),
            (Scheme::SigV4(scope), "authorization"),
        ] {
            let signer = Signer::new(scheme, vec![SigningKey::of("reader", "planted-planted-planted")]);
            let mut first = request("http://relay.example/v1/messages");
            let mut second = first.clone();
            signer.sign(&mut first);
            signer.sign(&mut second);
            assert_ne!(first.headers[header], second.headers[header]);
            assert!(first.headers[header].is_sensitive());
            assert!(!format!("{signer:?}{first:?}").contains("planted"));
        }
    }

    #[test]
    fn of_two_keys_the_other_signs_once_one_is_refused_for_itself() {
        let keys = || {
            vec![
                SigningKey::of("new", "the-new-key-0123456789"),
                SigningKey::of("old", "the-old-key-0123456789"),
            ]
        };
        let signer = Signer::new(Scheme::Kong, keys());
        let attempt = || {
            let mut request = request("http://relay.example/v1");
            (signer.sign(&mut request), request.headers["authorization"].to_str().unwrap().to_owned())
        };
        let (by, header) = attempt();
        assert!(header.contains("\"new\""), "{header}");
        assert!(!signer.turn(by, Some(600)), "the clock is the reason");
        assert!(signer.turn(by, Some(3)) && attempt().1.contains("\"old\""));
        assert!(
            signer.turn(by, None) && attempt().1.contains("\"old\""),
            "the refusal of another that left before"
        );
        assert!(signer.turn(attempt().0, None) && attempt().1.contains("\"new\""));
        assert!(!Signer::new(Scheme::Simple, keys()).turn(by, None), "both have signed");
        assert!(!Signer::new(Scheme::Kong, keys()[..1].to_vec()).turn(by, None));
    }

    #[test]
    fn a_host_is_named_as_its_header_names_it() {
        assert_eq!(host(&request("http://relay.example/v1")), "relay.example");
        assert_eq!(host(&request("http://relay.example:8080/v1?b&a")), "relay.example:8080");
        assert_eq!(host(&request("http://[::1]:8080/v1")), "[::1]:8080");
        assert_eq!(target(&request("http://relay.example/v1?b&a#c").url), "/v1?b&a");
        let mut own = request("http://relay.example/v1");
        own.headers.insert(HeaderName::from_static("host"), HeaderValue::from_static("other.example"));
        assert_eq!(host(&own), "other.example");
    }
}
