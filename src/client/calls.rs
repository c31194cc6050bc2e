//! What all calls of one kind have in common, made once: the address they go to and the headers they carry.

use std::sync::Arc;

use bytes::Bytes;

use crate::net::{HeaderMap, HeaderName, HeaderValue, Method, RequestHeaders, SharedHeaders, Url};
use crate::wire::{Dialect, Shape, WireError, encode, encode_body};

use super::address::join;
use super::call::{Call, Content};
use super::payload::Payload;

/// The headers that carry the id of a request, in the order in which they leave.
const ID_NAMES: [&str; 2] = ["x-request-id", "idempotency-key"];

/// Makes calls of one dialect to one address.
#[derive(Debug, Clone)]
pub struct Calls {
    dialect: Dialect,
    url: Arc<Url>,
    stream: bool,
    outfit: Arc<Outfit>,
}

/// The headers of a call before it has an id.
#[derive(Debug, Clone)]
pub(super) struct Outfit {
    /// The dialect's headers and the user's own.
    pub(super) shared: Arc<SharedHeaders>,
    /// The names under which a request has its id beside them; not those of a user's own.
    ids: Vec<HeaderName>,
    /// The user's own id, where there is one.
    pub(super) own_id: Option<String>,
}

impl Calls {
    /// Calls to `base` in a dialect, whose answers are asked for as streams or whole.
    pub fn to(base: &Url, dialect: Dialect, stream: bool) -> Self {
        let (url, headers) = (join(base, dialect), dialect_headers(dialect, stream));
        Self { dialect, url: url.into(), stream, outfit: Outfit::new(headers, Method::Post).into() }
    }

    /// Adds the user's own headers; each replaces what the dialect would have sent under that name.
    #[must_use]
    pub fn with_headers(self, own: &HeaderMap) -> Self {
        Self { outfit: self.outfit.with(own, Method::Post), ..self }
    }

    /// Encodes what one of them says.
    pub fn call(&self, content: &Content) -> Result<Call, WireError> {
        let Self { dialect, stream, .. } = *self;
        let encoded = |stream_usage| {
            let shape = Shape { stream, stream_usage };
            Ok(Bytes::from(match content {
                Content::Prompt(prompt) => encode(dialect, prompt, shape),
                Content::Body(body) => encode_body(dialect, body, shape)?,
            }))
        };
        let body = encoded(true)?;
        let may_ask_for_usage = stream && dialect == Dialect::Chat;
        let plain = may_ask_for_usage.then(|| encoded(false)).transpose()?;
        let body_without_usage = plain.filter(|plain| *plain != body).map(Payload::new);
        let (url, outfit) = (Arc::clone(&self.url), Arc::clone(&self.outfit));
        let mut call = Call::plain((dialect, Method::Post), (url, outfit), stream);
        (call.body, call.body_without_usage) = (Payload::new(body), body_without_usage);
        Ok(call)
    }
}

impl Outfit {
    pub(super) fn new(headers: HeaderMap, method: Method) -> Self {
        // Asking again for what is only fetched needs no key against doing it twice.
        let names = match method {
            Method::Get => &ID_NAMES[..1],
            Method::Post => &ID_NAMES[..],
        };
        // A user's own id is kept: somebody else may be waiting for it in a log.
        let names = names.iter().filter(|name| !headers.contains_key(**name));
        let ids: Vec<_> = names.map(|name| HeaderName::from_static(name)).collect();
        let own_id = headers.get(ID_NAMES[0]).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { shared: Arc::new(headers.into()), ids, own_id }
    }

    /// The same with the user's own headers in place of those of the same name.
    pub(super) fn with(&self, own: &HeaderMap, method: Method) -> Arc<Self> {
        let mut headers = self.shared.map().clone();
        for name in own.keys() {
            headers.remove(name);
        }
        for (name, value) in own {
            headers.append(name.clone(), value.clone());
        }
        Self::new(headers, method).into()
    }

    /// The headers of a request with this id.
    pub(super) fn of_request(&self, id: &HeaderValue) -> RequestHeaders {
        let mut headers = RequestHeaders::sharing(Arc::clone(&self.shared));
        for name in &self.ids {
            headers.insert(name.clone(), id.clone());
        }
        headers
    }
}

pub(super) fn dialect_headers(dialect: Dialect, stream: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(concat!("baton/", env!("CARGO_PKG_VERSION"))));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if stream {
        headers.insert("accept", HeaderValue::from_static("text/event-stream"));
        // A compressed stream is held back until a block of it is full.
        headers.insert("accept-encoding", HeaderValue::from_static("identity"));
    } else {
        headers.insert("accept", HeaderValue::from_static("application/json"));
        headers.insert("accept-encoding", HeaderValue::from_static("gzip, deflate, br, zstd"));
    }
    for (name, value) in dialect.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}
