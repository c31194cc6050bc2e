//! Signed requests: whether a signature is there, is good, is of now and comes for the first time.
//!
//! It is written from the descriptions of the schemes and shares no code with the part that signs.

mod kong;
mod sigv4;
mod simple;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

use crate::net::{SchemeName, SigningKey};
use crate::units::Secret;

/// How far the time of a signature may be from the relay's.
const WINDOW: Duration = Duration::from_secs(300);

/// How long a signature is remembered: as long as another like it could pass the window.
const MEMORY: Duration = Duration::from_secs(600);

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureFault {
    /// A part is not there, or not as the scheme has it.
    #[error("The request is not signed as it must be: {0}")]
    Missing(&'static str),
    /// The key is not known.
    #[error("The signing key is unknown.")]
    Key,
    /// It is for another region than the relay's.
    #[error("The signature is for another region than {0}.")]
    Region(String),
    /// The body is another one than was signed.
    #[error("The body does not have the digest that was signed.")]
    Body,
    /// It is too old or of the future.
    #[error("The time of the signature is not within 300 seconds of the relay's.")]
    Stale,
    /// It was not made by the key over this request.
    #[error("The signature does not match the request.")]
    Mismatch,
    /// It came before.
    #[error("The signature has been used before.")]
    Replayed,
}

/// What a request says of its own signature.
struct Claim<'a> {
    id: &'a str,
    /// The region that it was made for, where the scheme has one.
    region: Option<&'a str>,
    at: SystemTime,
    /// What must have been signed.
    text: String,
    /// Signatures, of which one must be good.
    signatures: Vec<Vec<u8>>,
    /// Whether the body has the digest that was signed.
    body_is_whole: bool,
    /// What stands before the secret, and by what the key is then derived, step by step.
    derivation: (&'static str, Vec<&'a str>),
}

/// The signatures that a relay takes.
#[derive(Debug)]
pub struct Signatures {
    scheme: SchemeName,
    keys: Vec<SigningKey>,
    /// The only region that is taken, where there is one.
    region: Option<String>,
    ahead: Duration,
    /// Signatures that came, with the moments until which they are remembered.
    seen: Mutex<HashMap<Vec<u8>, SystemTime>>,
}

impl Signatures {
    /// Takes those of one scheme by these keys.
    pub fn new(scheme: SchemeName, keys: Vec<SigningKey>) -> Self {
        Self { scheme, keys, region: None, ahead: Duration::ZERO, seen: Mutex::default() }
    }

    /// Takes those alone that are for this region.
    #[must_use]
    pub fn for_region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// The same by a clock that is so far ahead.
    #[must_use]
    pub fn ahead_by(self, ahead: Duration) -> Self {
        Self { ahead, ..self }
    }

    /// The time that replies tell, where it is not this machine's.
    pub(crate) fn date(&self) -> Option<HeaderValue> {
        if self.ahead.is_zero() {
            return None;
        }
        HeaderValue::try_from(httpdate::fmt_http_date(self.now())).ok()
    }

    /// Holds a request, with its body as it came, against its signature.
    pub(crate) fn check(&self, head: &Parts, body: &[u8]) -> Result<(), SignatureFault> {
        let claim = match self.scheme {
            SchemeName::Simple => simple::read(head, body),
            SchemeName::Kong => kong::read(head, body),
            SchemeName::SigV4 => sigv4::read(head, body),
        }?;
        let now = self.now();
        let apart = now.duration_since(claim.at).unwrap_or_else(|behind| behind.duration());
        let known: Vec<_> = self.keys.iter().filter(|key| key.id.as_str() == claim.id).collect();
        if known.is_empty() {
            Err(SignatureFault::Key)
        } else if let Some(wanted) = &self.region
            && claim.region != Some(wanted)
        {
            Err(SignatureFault::Region(wanted.clone()))
        } else if !claim.body_is_whole {
            Err(SignatureFault::Body)
        } else if apart > WINDOW {
            Err(SignatureFault::Stale)
        } else if !known.iter().any(|key| claim.is_signed_by(&key.secret)) {
            Err(SignatureFault::Mismatch)
        } else {
            self.remember(&claim.text, now)
        }
    }

    /// What was signed has a nonce in it, so that honest requests differ from one another.
    fn remember(&self, text: &str, now: SystemTime) -> Result<(), SignatureFault> {
        let key = Sha256::digest(text).to_vec();
        // Each change leaves the map whole, so a panicking holder has broken nothing.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&key).is_some_and(|until| *until > now) {
            return Err(SignatureFault::Replayed);
        }
        if seen.len() == seen.capacity() {
            // Before it grows, so that looking through all costs each request little.
            seen.retain(|_, until| *until > now);
        }
        seen.insert(key, now + MEMORY);
        Ok(())
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + self.ahead
    }
}

impl Claim<'_> {
    fn is_signed_by(&self, secret: &Secret) -> bool {
        let (prefix, steps) = &self.derivation;
        let first = format!("{prefix}{}", secret.expose()).into_bytes();
        let key = steps.iter().fold(first, |key, step| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes()).as_ref().to_vec()
        });
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        // Compared in constant time.
        self.signatures.iter().any(|signature| hmac::verify(&key, self.text.as_bytes(), signature).is_ok())
    }
}

/// A header that must be there once.
fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureFault> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    value.filter(|_| values.next().is_none()).ok_or(SignatureFault::Missing(name))
}

/// The host that was asked, as the client names it in its version of HTTP.
fn host(head: &Parts) -> Result<&str, SignatureFault> {
    match head.uri.authority() {
        Some(authority) => Ok(authority.as_str()),
        None => header(&head.headers, "host"),
    }
}

/// Bytes out of hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn has_digest(body: &[u8], hex: &str) -> bool {
    from_hex(hex).is_some_and(|given| given == Sha256::digest(body).as_slice())
}
