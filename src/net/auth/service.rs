//! A token that the client signs itself, for relays that know its key: a JWT (RFC 7519) of a short life, made anew before it ends.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use crate::net::HeaderValue;
use crate::units::Secret;

use super::token::Margins;

/// The shortest secret of HS256, as RFC 7518, section 3.2 demands.
const SHORTEST_SECRET: usize = 32;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

/// What a token says, and by which key.
#[derive(Debug, Clone)]
pub struct ServiceClaims {
    /// How it is signed.
    pub signature: Signature,
    /// The name of the key, where the relay has several (`kid`).
    pub key_id: Option<String>,
    /// Who signs (`iss`).
    pub issuer: String,
    /// For whom it speaks (`sub`).
    pub subject: Option<String>,
    /// Who is to take it (`aud`).
    pub audience: Option<String>,
    /// How long each is good, up to an hour.
    pub lifetime: Duration,
}

/// Why a key or a claim cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The secret of HS256 is too short.
    #[error("the secret has {0} bytes, and HS256 wants at least 32 (RFC 7518, section 3.2)")]
    Short(usize),
    /// The key is not of the algorithm's kind, too short, or not readable.
    #[error("it holds no {wanted}: {problem}")]
    Key {
        /// What the algorithm signs with.
        wanted: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Signs tokens and keeps the last one while it is good.
pub struct ServiceToken {
    claims: ServiceClaims,
    key: EncodingKey,
    held: Mutex<Held>,
}

struct Held {
    header: HeaderValue,
    /// When it was made, by both clocks: the one stands still while the machine sleeps, and a person may set the other.
    made: (Instant, SystemTime),
    /// How long it serves.
    good: Duration,
}

impl Signature {
    /// All of them, as a configuration file names them.
    pub const NAMES: [&str; 3] = ["HS256", "RS256", "ES256"];

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    /// What it signs with.
    const fn wants(self) -> &'static str {
        match self {
            Self::Hs256 => "secret",
            Self::Rs256 => "RSA key of at least 2048 bits in PEM form",
            Self::Es256 => "P-256 key in PKCS #8 PEM form",
        }
    }

    fn key(self, text: &Secret) -> Result<EncodingKey, ServiceError> {
        let bytes = text.expose().as_bytes();
        let key = match self {
            Self::Hs256 if bytes.len() < SHORTEST_SECRET => return Err(ServiceError::Short(bytes.len())),
            Self::Hs256 => Ok(EncodingKey::from_secret(bytes)),
            Self::Rs256 => EncodingKey::from_rsa_pem(bytes),
            Self::Es256 => EncodingKey::from_ec_pem(bytes),
        };
        key.map_err(|error| ServiceError::Key { wanted: self.wants(), problem: error.to_string() })
    }

    const fn algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

impl ServiceToken {
    /// The longest life of such a token: whoever steals it has that long.
    pub const LONGEST: Duration = Duration::from_secs(3600);

    /// A signer with this key: the secret itself for HS256, else a private key in PEM form. It signs once at once, so that a
    /// key of no use is known before anything is sent.
    ///
    /// # Errors
    ///
    /// What is wrong with the key.
    pub fn new(claims: ServiceClaims, key: &Secret) -> Result<Self, ServiceError> {
        let claims = ServiceClaims { lifetime: claims.lifetime.min(Self::LONGEST), ..claims };
        let key = claims.signature.key(key)?;
        let held = Mutex::new(sign(&claims, &key)?);
        Ok(Self { claims, key, held })
    }

    /// The header with a token that is good.
    pub(super) fn header(&self) -> HeaderValue {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // It has signed with this key before; should it fail, the old token still has a part of its life.
        if !held.serves()
            && let Ok(new) = sign(&self.claims, &self.key)
        {
            *held = new;
        }
        held.header.clone()
    }

    /// Who signs for whom, which stays the same while tokens and keys come and go.
    pub(super) fn client(&self) -> String {
        let ServiceClaims { issuer, subject, audience, .. } = &self.claims;
        format!("{:?}", (issuer, subject, audience))
    }
}

impl Held {
    fn serves(&self) -> bool {
        let (instant, moment) = self.made;
        instant.elapsed() < self.good
            // A clock that was set back makes it one from the future.
            && SystemTime::now().duration_since(moment).is_ok_and(|age| age < self.good)
    }
}

fn sign(claims: &ServiceClaims, key: &EncodingKey) -> Result<Held, ServiceError> {
    let (instant, moment) = (Instant::now(), SystemTime::now());
    let now = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut said = Map::new();
    said.insert("iss".to_owned(), claims.issuer.clone().into());
    let optional = [("sub", &claims.subject), ("aud", &claims.audience)];
    said.extend(
        optional.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))),
    );
    said.insert("iat".to_owned(), now.as_secs().into());
    said.insert("exp".to_owned(), (now + claims.lifetime).as_secs().into());
    // Relays that remember what they have seen tell two of the same second apart by it.
    said.insert("jti".to_owned(), Uuid::new_v4().to_string().into());
    let header = Header { kid: claims.key_id.clone(), ..Header::new(claims.signature.algorithm()) };
    let wanted = claims.signature.wants();
    let failed = |problem: String| ServiceError::Key { wanted, problem };
    let token = encode(&header, &Value::Object(said), key).map_err(|error| failed(error.to_string()))?;
    let mut header =
        HeaderValue::try_from(format!("Bearer {token}")).expect("base64 and full stops are printable");
    header.set_sensitive(true);
    let good = claims.lifetime.saturating_sub(Margins::of(claims.lifetime, fastrand::f64()).early);
    Ok(Held { header, made: (instant, moment), good })
}

impl std::fmt::Debug for ServiceToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ServiceToken").field("claims", &self.claims).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(signature: Signature, seconds: u64) -> ServiceClaims {
        ServiceClaims {
            signature,
            key_id: Some("k1".to_owned()),
            issuer: "baton-ci".to_owned(),
            subject: None,
            audience: Some("relay".to_owned()),
            lifetime: Duration::from_secs(seconds),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_made_anew_before_it_ends_and_not_for_each_request() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let signer = ServiceToken::new(claims(Signature::Hs256, 600), &secret).unwrap();
        let first = signer.header();
        tokio::time::advance(Duration::from_secs(500)).await;
        assert_eq!(signer.header(), first);
        tokio::time::advance(Duration::from_secs(70)).await;
        assert_ne!(signer.header(), first);
        assert!(signer.header().is_sensitive());
    }

    #[test]
    fn keys_of_no_use_are_refused_by_their_kind_and_never_shown() {
        let refused = |signature, key: &str| {
            let error = ServiceToken::new(claims(signature, 600), &Secret::new(key)).unwrap_err();
            assert!(!error.to_string().contains("planted"), "{error}");
            error
        };
        assert_eq!(refused(Signature::Hs256, "planted"), ServiceError::Short(7));
        for signature in [Signature::Rs256, Signature::Es256] {
            assert!(matches!(refused(signature, "planted"), ServiceError::Key { .. }));
        }
        let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(refused(Signature::Rs256, &ec), ServiceError::Key { .. }));
        assert!(ServiceToken::new(claims(Signature::Es256, 600), &Secret::new(ec)).is_ok());
    }

    #[test]
    fn no_token_lives_longer_than_an_hour() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let signer = ServiceToken::new(claims(Signature::Hs256, 86_400), &secret).unwrap();
        let header = signer.header();
        let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let left = super::super::token::jwt_lifetime(token, SystemTime::now()).unwrap();
        assert!(left <= ServiceToken::LONGEST, "{left:?}");
    }
}
