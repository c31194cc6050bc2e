//! Access tokens: JWTs (RFC 9068) signed with ES256 by a key that is made anew for each server.

use std::time::Duration;
use std::time::SystemTime;

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::UnparsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

/// The key's name.
const KEY_ID: &str = "mock-1";
/// Whom the tokens are for.
const AUDIENCE: &str = "mock-relay";

/// Signs and verifies.
#[derive(Debug)]
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        Self(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .expect("the system gives random numbers"),
        )
    }

    /// A token for a client that allows this for so long.
    pub(super) fn sign(&self, client: &str, scope: &str, life: Duration) -> String {
        let now = since_1970();
        let claims = json!({
            "aud": AUDIENCE,
            "sub": client,
            "client_id": client,
            "scope": scope,
            "iat": now.as_secs_f64(),
            "exp": (now + life).as_secs_f64(),
            "jti": Uuid::new_v4().to_string(),
        });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let head = json!({ "typ": "at+jwt", "alg": "ES256", "kid": KEY_ID });
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.expect("the system gives random numbers");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The scope of a token that is its own and has not ended.
    pub(super) fn verify(&self, token: &str) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let ends = claims["exp"].as_f64().filter(|ends| *ends > since_1970().as_secs_f64());
        ends.filter(|_| claims["aud"] == AUDIENCE)?;
        Some(claims["scope"].as_str()?.to_owned())
    }

    /// The public key as a JWK (RFC 7518, section 6.2).
    pub(super) fn public_key(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point: aws_lc_rs::encoding::EcPublicKeyUncompressedBin<'_> =
            self.0.public_key().as_be_bytes().expect("it was made a moment ago");
        let (x, y) = point.as_ref()[1..].split_at(32);
        json!({
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_tokens_that_have_not_ended_and_are_whole_are_good() {
        let signer = Signer::new();
        let token = signer.sign("baton", "prompts models", Duration::from_secs(60));
        assert_eq!(signer.verify(&token).as_deref(), Some("prompts models"));
        assert_eq!(Signer::new().verify(&token), None);
        assert_eq!(signer.verify(&signer.sign("baton", "prompts", Duration::ZERO)), None);
        let (head, rest) = token.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(
            String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap())
                .unwrap()
                .replace("prompts", "everything"),
        );
        assert_eq!(signer.verify(&format!("{head}.{other}.{signature}")), None);
        for text in ["", "a", "a.b", "a.b.c"] {
            assert_eq!(signer.verify(text), None, "{text}");
        }
    }

    #[test]
    fn another_library_verifies_its_tokens_by_its_published_key() {
        let signer = Signer::new();
        let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.public_key()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&key).unwrap();
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        let token = signer.sign("baton", "prompts", Duration::from_secs(60));
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap().claims;
        assert_eq!(claims["scope"], "prompts");
    }
}
