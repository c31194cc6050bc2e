//! Plain HTTP straight to the server: the pool that reqwest stands on, without the layers that only its other roads need.
//!
//! For each request reqwest parses the address twice more for redirects, copies the headers twice for repetitions and the
//! connector three times; here a request costs a third less. TLS, proxies and Unix sockets go through
//! reqwest, beside which that cost is small.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_http::BoxError;
use tower_http::decompression::{Decompression, DecompressionBody};
use tower_layer::Layer;
use tower_service::Service;

use super::connection::{Connection, HttpVersion, Reuse};
use super::lane::{IDLE_LIMIT, KEEPALIVE};
use super::probe::{TimedConnector, TimedResolver, TimedService};
use super::{Method, Request};

/// A pool of plain connections.
pub(super) type Direct = Decompression<Client<TimedService<HttpConnector<TimedResolver>>, Full<Bytes>>>;

/// The body of a reply that came this way.
pub(super) type DirectBody = DecompressionBody<Incoming>;

/// A pool of plain connections to servers that the resolver finds.
pub(super) fn pool(connection: &Connection, (resolver, timed): (TimedResolver, TimedConnector)) -> Direct {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    // Shared out among a name's addresses, so that one that swallows everything leaves time for the next.
    connector.set_connect_timeout(Some(connection.connect_timeout));
    let mut builder = Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_LIMIT);
    if connection.reuse == Reuse::Never {
        builder.pool_max_idle_per_host(0);
    }
    builder.http2_only(connection.version == HttpVersion::Two);
    Decompression::new(builder.build(timed.layer(connector)))
}

/// Sends a request and waits for the head of its reply.
pub(super) async fn send(pool: &Direct, request: Request) -> Result<Response<DirectBody>, BoxError> {
    let mut outgoing = hyper::Request::new(Full::new(request.body));
    *outgoing.method_mut() = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    *outgoing.uri_mut() = Uri::try_from(request.url.as_str())?;
    *outgoing.headers_mut() = request.headers;
    Ok(pool.clone().call(outgoing).await?)
}
