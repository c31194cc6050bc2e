//! The ids of a request: ours, which all attempts share, and the relay's own.

use crate::net::{HeaderValue, Headers};

/// The ids of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Ours, the same over all attempts: `X-Request-ID` and `Idempotency-Key`.
    pub request: String,
    /// The relay's own, of the last attempt.
    pub relay: Option<String>,
}

impl Ids {
    /// The ids of a request that has not left yet.
    pub fn new(request: String) -> Self {
        Self { request, relay: None }
    }

    /// Our id as a header; ids are made of printable ASCII, checked where a prefix is read.
    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.request).expect("request ids are printable ASCII")
    }

    /// The relay's own id in a reply's headers, under the names that vendors and relays use.
    pub(super) fn of_relay(headers: &Headers) -> Option<String> {
        const NAMES: [&str; 4] = ["request-id", "x-request-id", "x-litellm-call-id", "x-oneapi-request-id"];
        NAMES.iter().find_map(|name| headers.text(name)).map(str::to_owned)
    }
}
