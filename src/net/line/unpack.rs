//! Undoes a body's `content-encoding`, where it has one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use hyper::header::CONTENT_ENCODING;
use hyper::{Request, Response};
use tower_http::decompression::{Decompression, DecompressionBody};
use tower_service::Service;

use super::super::{HeaderValue, Headers};
use super::body::LineBody;

/// What can be undone, said where the request does not say itself what it wants.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("zstd,gzip,deflate,br");

/// A body that is undone while it is read.
pub(in super::super) type Unpacked = DecompressionBody<LineBody>;

/// Whether a body is packed.
pub(in super::super) fn is_packed(headers: &Headers) -> bool {
    headers.text(CONTENT_ENCODING.as_str()).is_some()
}

/// A reply's headers and its body undone, as far as its encoding is known.
pub(in super::super) async fn unpack(headers: &Headers, body: LineBody) -> (Headers, Unpacked) {
    let mut reply = Response::new(body);
    *reply.headers_mut() = headers.to_map();
    let Ok(reply) = Decompression::new(Once(Some(reply))).call(Request::new(())).await;
    let (head, body) = reply.into_parts();
    (head.headers.into(), body)
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
