//! A key that signs, the name that the relay finds it by, and what of it is the same for many signatures.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use aws_lc_rs::hmac::{HMAC_SHA256, Tag};

use crate::units::Secret;

use super::KeyName;

/// A key with its name.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// What the relay finds the key by.
    pub id: KeyName,
    /// What only the two of them know.
    pub secret: Secret,
}

/// A key made ready.
#[derive(Debug)]
pub(super) struct Armed {
    pub(super) id: KeyName,
    secret: Secret,
    key: hmac::Key,
    /// The last that was derived from it, and for what: one serves for a day.
    derived: Mutex<Option<(String, Arc<hmac::Key>)>>,
}

impl Armed {
    /// The signature of a text.
    pub(super) fn sign(&self, text: &str) -> Tag {
        hmac::sign(&self.key, text.as_bytes())
    }

    /// The key of AWS's for a place, as in `20150830/eu-west-1/bedrock/aws4_request`.
    pub(super) fn derived(&self, place: &str) -> Arc<hmac::Key> {
        // What is kept is whole at any time, so that a panicking holder has broken nothing.
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = derived.as_ref().filter(|(known, _)| known == place) {
            return Arc::clone(key);
        }
        let first = hmac::Key::new(HMAC_SHA256, format!("AWS4{}", self.secret.expose()).as_bytes());
        let step = |key: hmac::Key, part: &str| {
            hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        };
        let key = Arc::new(place.split('/').fold(first, step));
        *derived = Some((place.to_owned(), Arc::clone(&key)));
        key
    }

    /// The key of a name, in tests.
    #[cfg(test)]
    pub(super) fn of(id: &str, secret: &str) -> Self {
        SigningKey::of(id, secret).into()
    }
}

impl From<SigningKey> for Armed {
    fn from(SigningKey { id, secret }: SigningKey) -> Self {
        let key = hmac::Key::new(HMAC_SHA256, secret.expose().as_bytes());
        Self { id, secret, key, derived: Mutex::default() }
    }
}

impl SigningKey {
    #[cfg(test)]
    pub(super) fn of(id: &str, secret: &str) -> Self {
        Self { id: id.parse().unwrap(), secret: Secret::new(secret) }
    }
}
