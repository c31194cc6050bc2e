//! The ids of a request: ours, which all attempts share, and the relay's own.

use crate::net::{HeaderMap, HeaderName, HeaderValue};

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
    pub(super) fn of_relay(headers: &HeaderMap) -> Option<String> {
        // Made into names once, for they are looked for in every reply.
        static NAMES: [HeaderName; 4] = [
            HeaderName::from_static("request-id"),
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-litellm-call-id"),
            HeaderName::from_static("x-oneapi-request-id"),
        ];
        let value = NAMES.iter().find_map(|name| headers.get(name))?;
        value.to_str().ok().map(str::to_owned)
    }
}
