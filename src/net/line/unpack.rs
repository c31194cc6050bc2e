//! Undoes a body's `content-encoding`, where it has one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use hyper::{Request, Response};
use tower_http::decompression::{Decompression, DecompressionBody};
use tower_service::Service;

use super::super::{HeaderMap, HeaderValue};
use super::body::LineBody;

/// What can be undone.
const ACCEPTED: HeaderValue = HeaderValue::from_static("zstd,gzip,deflate,br");

/// A body that is undone while it is read.
pub(in super::super) type Unpacked = DecompressionBody<LineBody>;

/// Says what can be undone, unless the request says itself what it wants.
pub(super) fn accept_packed(headers: &mut HeaderMap) {
    headers.entry(ACCEPT_ENCODING).or_insert(ACCEPTED);
}

/// Whether a body is packed.
pub(in super::super) fn is_packed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_ENCODING)
}

/// A reply with its body undone, as far as its encoding is known.
pub(in super::super) async fn unpack(reply: Response<LineBody>) -> Response<Unpacked> {
    let Ok(reply) = Decompression::new(Once(Some(reply))).call(Request::new(())).await;
    reply
}

/// Answers one request with a reply that is there already: the library undoes what a service answers.
struct Once(Option<Response<LineBody>>);

impl Service<Request<()>> for Once {
    type Response = Response<LineBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<LineBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().expect("it is called once")))
    }
}
