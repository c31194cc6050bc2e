//! The key of a client that signs its tokens itself, and the rules for them: JWTs with HS256, RS256 or ES256 of at most an hour.

use std::time::Duration;
use std::time::SystemTime;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED;
use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Whom the tokens are for.
const AUDIENCE: &str = "mock-relay";
/// The longest that one may live.
const LONGEST: Duration = Duration::from_secs(3600);
/// How much a client's clock may be ahead.
const SKEW: Duration = Duration::from_secs(60);

/// A key that verifies such tokens.
#[derive(Debug, Clone)]
pub struct ServiceKey(Verifier);

#[derive(Debug, Clone)]
enum Verifier {
    Hs256(Box<hmac::Key>),
    Rs256(ParsedPublicKey),
    Es256(ParsedPublicKey),
}

impl ServiceKey {
    /// Reads a public key in PEM form, or else takes the text as the secret of HS256.
    ///
    /// # Errors
    ///
    /// What is wrong with the key.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let Some(rest) = text.strip_prefix("-----BEGIN PUBLIC KEY-----") else {
            return match text.len() {
                _ if text.starts_with("-----BEGIN") => Err("it is no public key (BEGIN PUBLIC KEY)"),
                0..32 => Err("a secret has at least 32 bytes (RFC 7518, section 3.2)"),
                _ => Ok(Self(Verifier::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))))),
            };
        };
        let body = rest.split("-----END").next().unwrap_or_default();
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| "it is no PEM: its text is not base64")?;
        let rsa = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map(Verifier::Rs256);
        let verifier =
            rsa.or_else(|_| ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der).map(Verifier::Es256));
        verifier.map(Self).map_err(|_| "it is neither an RSA key of 2048 bits or more nor a P-256 key")
    }

    /// Whether it signs as well as it verifies, so that it must be kept.
    pub const fn is_secret(&self) -> bool {
        matches!(self.0, Verifier::Hs256(_))
    }

    /// Whether a token was signed by it a moment ago, for this relay, for no longer than an hour.
    pub(crate) fn admits(&self, token: &str) -> bool {
        self.claims(token).is_some_and(|claims| is_in_force(&claims))
    }

    /// The claims of a token that it signed.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let name = match &self.0 {
            Verifier::Hs256(key) => {
                hmac::verify(key, signed.as_bytes(), &signature).ok()?;
                "HS256"
            }
            Verifier::Rs256(key) => {
                key.verify_sig(signed.as_bytes(), &signature).ok()?;
                "RS256"
            }
            Verifier::Es256(key) => {
                key.verify_sig(signed.as_bytes(), &signature).ok()?;
                "ES256"
            }
        };
        // What a token says of its own algorithm decides nothing, and has to be true.
        json(head).filter(|head| head["alg"] == name)?;
        json(claims)
    }
}

fn is_in_force(claims: &Value) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let (Some(since), Some(until)) = (claims["iat"].as_f64(), claims["exp"].as_f64()) else { return false };
    let has_issuer = claims["iss"].as_str().is_some_and(|issuer| !issuer.is_empty());
    has_issuer
        && claims["aud"] == AUDIENCE
        && since <= now + SKEW.as_secs_f64()
        && until > now
        && until - since <= LONGEST.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use rcgen::{KeyPair, PKCS_RSA_SHA256};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn claims(since: i64, until: i64) -> Value {
        let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
        json!({ "iss": "ci", "aud": AUDIENCE, "iat": now + since, "exp": now + until })
    }

    fn signed(claims: &Value) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
    }

    #[test]
    fn what_another_library_signs_is_verified_by_the_key_of_its_kind_alone() {
        let (ec, rsa) = (KeyPair::generate().unwrap(), KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());
        let keys = [
            (Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes()), SECRET.to_owned()),
            (
                Algorithm::RS256,
                EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap(),
                rsa.public_key_pem(),
            ),
            (
                Algorithm::ES256,
                EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes()).unwrap(),
                ec.public_key_pem(),
            ),
        ];
        for (row, (algorithm, signing, _)) in keys.iter().enumerate() {
            let token = encode(&Header::new(*algorithm), &claims(0, 60), signing).unwrap();
            for (column, (.., verifying)) in keys.iter().enumerate() {
                let admits = ServiceKey::read(verifying).unwrap().admits(&token);
                assert_eq!(admits, row == column, "{algorithm:?} by the key of {:?}", keys[column].0);
            }
        }
    }

    #[test]
    fn only_what_was_just_signed_for_this_relay_and_for_an_hour_at_most_is_admitted() {
        let key = ServiceKey::read(SECRET).unwrap();
        let admits = |claims: &Value| key.admits(&signed(claims));
        assert!(admits(&claims(0, 3600)) && admits(&claims(50, 60)));
        assert!(!admits(&claims(0, 3601)) && !admits(&claims(-60, -1)) && !admits(&claims(90, 120)));
        for (name, value) in [("aud", json!("another")), ("iss", json!("")), ("exp", Value::Null)] {
            let mut claims = claims(0, 60);
            claims[name] = value;
            assert!(!admits(&claims), "{name}");
        }
        let token = signed(&claims(0, 60));
        let changed = token.replacen('.', ".e", 1);
        assert!(key.admits(&token) && !key.admits(&changed) && !key.admits("") && !key.admits("a.b.c"));
        // A header that claims no algorithm does not make the signature matter less.
        let (_, rest) = token.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert!(!key.admits(&format!("{none}.{rest}")));
    }

    #[test]
    fn a_text_that_is_no_such_key_is_refused() {
        for text in ["short", "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----"] {
            assert!(ServiceKey::read(text).is_err(), "{text}");
        }
        let other = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----";
        assert!(ServiceKey::read(other).is_err());
    }
}
