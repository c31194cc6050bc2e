//! Compression of request bodies: which of them are worth it, and which relays take them.
//!
//! A [`Compressor`] packs bodies by fixed [`CompressRules`] and remembers which endpoints take them. Before an attempt it is
//! asked for a [`Trial`]; what the relay made of the attempt is told to that trial.

mod coding;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use url::Position;

use super::Url;

pub use self::coding::Coding;

/// Whether request bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// They are not.
    Off,
    /// They are, by gzip, where the relay turns out to take it.
    Auto,
    /// They are, whatever the relay makes of it.
    Always(Coding),
}

impl Compress {
    /// The names on the command line.
    pub const NAMES: [&str; 4] = ["off", "auto", Coding::Gzip.name(), Coding::Zstd.name()];
}

/// A word that is none of [`Compress::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no way to compress: write off, auto, gzip or zstd")]
pub struct UnknownCompress(String);

impl FromStr for Compress {
    type Err = UnknownCompress;

    fn from_str(text: &str) -> Result<Self, UnknownCompress> {
        Ok(match text {
            "off" => Self::Off,
            "auto" => Self::Auto,
            "gzip" => Self::Always(Coding::Gzip),
            "zstd" => Self::Always(Coding::Zstd),
            _ => return Err(UnknownCompress(text.to_owned())),
        })
    }
}

impl fmt::Display for Compress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Always(coding) => coding.name(),
        })
    }
}

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressRules {
    /// By what.
    pub coding: Coding,
    /// How hard; by the size of the body where nothing says so.
    pub level: Option<u32>,
    /// Bodies of fewer bytes leave as they are.
    pub least: u64,
    /// What is done about relays that do not take it.
    pub refusals: Refusals,
}

/// What is done about relays that do not take compressed bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// Each endpoint is tried once, and remembered.
    Learn,
    /// Nothing: the refusal is the outcome.
    Keep,
}

impl CompressRules {
    /// Bodies of fewer bytes leave as they are unless something else is said: below a packet or so nothing is gained.
    pub const LEAST: u64 = 1024;

    /// The rules for what is asked for; `None` where nothing is to be compressed.
    pub const fn of(compress: Compress) -> Option<Self> {
        let (coding, refusals) = match compress {
            Compress::Off => return None,
            Compress::Auto => (Coding::Gzip, Refusals::Learn),
            Compress::Always(coding) => (coding, Refusals::Keep),
        };
        Some(Self { coding, level: None, least: Self::LEAST, refusals })
    }
}

/// What an endpoint makes of compressed bodies, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// One request is on its way to find out.
    Trying,
    Takes,
    Refuses,
}

/// Packs bodies, and remembers which endpoints take them.
#[derive(Debug)]
pub struct Compressor {
    rules: CompressRules,
    /// By address without its query. An endpoint that is not there has not been tried.
    endpoints: Mutex<HashMap<String, Standing>>,
}

impl Compressor {
    /// A compressor that knows no endpoint yet.
    pub fn new(rules: CompressRules) -> Self {
        Self { rules, endpoints: Mutex::default() }
    }

    /// The body as it leaves compressed; `None` where that is not worth it.
    pub fn pack(&self, body: &[u8]) -> Option<Bytes> {
        if (body.len() as u64) < self.rules.least || coding::is_mostly_media(body) {
            return None;
        }
        let packed = self.rules.coding.encode(body, self.rules.level);
        (packed.len() < body.len()).then(|| packed.into())
    }

    /// Asks to send a compressed body to an address; `None` where it must leave as it is.
    ///
    /// Where endpoints are learned, one request at a time finds out, and the others leave as they are meanwhile.
    pub fn ask(&self, url: &Url) -> Option<Trial<'_>> {
        if self.rules.refusals == Refusals::Keep {
            return Some(Trial { compressor: self, endpoint: None, is_canary: false });
        }
        let endpoint = &url[..Position::AfterPath];
        let is_canary = self.with(|endpoints| match endpoints.get(endpoint) {
            None => {
                endpoints.insert(endpoint.to_owned(), Standing::Trying);
                Some(true)
            }
            Some(Standing::Takes) => Some(false),
            Some(Standing::Trying | Standing::Refuses) => None,
        })?;
        Some(Trial { compressor: self, endpoint: Some(endpoint.to_owned()), is_canary })
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<String, Standing>) -> R) -> R {
        // Each change is a single insertion, so a panicking holder leaves nothing half done.
        act(&mut self.endpoints.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The leave to send one compressed body. Dropped without a word, it has shown nothing.
#[derive(Debug)]
pub struct Trial<'a> {
    compressor: &'a Compressor,
    /// The endpoint it is to tell about; `None` where nothing is learned, or where all has been told.
    endpoint: Option<String>,
    /// Whether nothing is known of the endpoint but what this one finds out.
    is_canary: bool,
}

impl Trial<'_> {
    /// What the body is compressed by.
    pub fn coding(&self) -> Coding {
        self.compressor.rules.coding
    }

    /// Whether a status may mean that the relay does not take compressed bodies.
    ///
    /// Relays answer 400, 415, 422 or 500 to bytes that they take for broken JSON. One that has taken such a body before
    /// may fail with 422 and 500 for other reasons.
    pub fn may_be_refused(&self, status: Option<u16>) -> bool {
        self.endpoint.is_some()
            && match status {
                Some(400 | 415) => true,
                Some(422 | 500) => self.is_canary,
                _ => false,
            }
    }

    /// The relay has taken the body.
    pub fn took(self) {
        self.tell(Standing::Takes);
    }

    /// The relay refused the body, and took the same one as it was.
    pub fn refused(self) {
        self.tell(Standing::Refuses);
    }

    fn tell(mut self, standing: Standing) {
        if let Some(endpoint) = self.endpoint.take() {
            self.compressor.with(|endpoints| endpoints.insert(endpoint, standing));
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let (true, Some(endpoint)) = (self.is_canary, self.endpoint.take()) {
            // The next one finds out.
            self.compressor.with(|endpoints| endpoints.remove(&endpoint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learning() -> Compressor {
        Compressor::new(CompressRules::of(Compress::Auto).unwrap())
    }

    fn url(path: &str) -> Url {
        Url::parse("http://relay.example").unwrap().join(path).unwrap()
    }

    #[test]
    fn one_request_finds_out_while_the_others_leave_as_they_are() {
        let compressor = learning();
        let canary = compressor.ask(&url("/v1/messages")).unwrap();
        assert!(compressor.ask(&url("/v1/messages?tenant=a")).is_none());
        assert!(compressor.ask(&url("/v1/chat/completions")).is_some());
        canary.took();
        assert!(
            compressor.ask(&url("/v1/messages")).is_some() && compressor.ask(&url("/v1/messages")).is_some()
        );
    }

    #[test]
    fn an_endpoint_that_refuses_is_not_asked_again() {
        let compressor = learning();
        compressor.ask(&url("/a")).unwrap().refused();
        assert!(compressor.ask(&url("/a")).is_none());
        compressor.ask(&url("/b")).unwrap().took();
        compressor.ask(&url("/b")).unwrap().refused();
        assert!(compressor.ask(&url("/b")).is_none());
    }

    #[test]
    fn a_trial_that_shows_nothing_leaves_the_next_one_to_find_out() {
        let compressor = learning();
        drop(compressor.ask(&url("/a")).unwrap());
        let canary = compressor.ask(&url("/a")).unwrap();
        assert!([400, 415, 422, 500].iter().all(|status| canary.may_be_refused(Some(*status))));
        assert!([200, 401, 413, 429, 503].iter().all(|status| !canary.may_be_refused(Some(*status))));
        assert!(!canary.may_be_refused(None));
        canary.took();
        let later = compressor.ask(&url("/a")).unwrap();
        assert!(later.may_be_refused(Some(415)) && !later.may_be_refused(Some(500)));
        drop(later);
        assert!(compressor.ask(&url("/a")).is_some_and(|trial| !trial.is_canary));
    }

    #[test]
    fn what_is_always_compressed_learns_nothing() {
        let compressor = Compressor::new(CompressRules::of(Compress::Always(Coding::Zstd)).unwrap());
        let trial = compressor.ask(&url("/a")).unwrap();
        assert!(!trial.may_be_refused(Some(415)));
        trial.refused();
        assert!(compressor.ask(&url("/a")).is_some());
    }

    #[test]
    fn small_bodies_and_media_leave_as_they_are() {
        let compressor = learning();
        assert_eq!(compressor.pack(&[b' '; 1023]), None);
        assert!(compressor.pack(&[b' '; 1024]).is_some_and(|packed| packed.len() < 100));
        let mut random = fastrand::Rng::with_seed(7);
        let image: String = (0..40_000).map(|_| random.alphanumeric()).collect();
        assert_eq!(
            compressor.pack(format!(r#"{{"text":"what is this?","data":"{image}"}}"#).as_bytes()),
            None
        );
        let noise: Vec<u8> = (0..4000).map(|_| random.u8(..)).collect();
        assert_eq!(compressor.pack(&noise), None);
    }

    #[test]
    fn the_names_are_those_of_the_command_line() {
        for name in Compress::NAMES {
            assert_eq!(name.parse::<Compress>().unwrap().to_string(), name);
        }
        assert!("brotli".parse::<Compress>().unwrap_err().to_string().contains("gzip or zstd"));
    }
}
