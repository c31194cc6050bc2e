//! The pool of connections to one place, over reqwest, or over what that stands on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONNECTION, HOST};
use reqwest::redirect;
use tower_http::BoxError;

use crate::outcome::Connections;
use crate::units::Span;

use super::connection::{ClientCertificate, Connection, HttpVersion, Phases, ProxyChoice, Reuse, Trust};
use super::detour::Route;
use super::follow::{Followed, Led};
use super::line::{Arrived, Line, ReplyHead, is_packed, unpack};
use super::pool::{Body, Source, environment_proxy, is_loopback};
use super::probe::{TimedConnector, TimedResolver};
use super::{ConnectionTimes, Error, HeaderMap, HeaderValue, Method, Reply, Request, Url};

/// How long an unused connection is kept. Node's servers close theirs after 5 s, and a client that keeps one longer
/// than its server races with that close.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(4);
/// How long a connection may be silent before the system asks whether its other end is still there.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connections to one place.
#[derive(Debug)]
pub(super) struct Lane {
    road: Road,
    connect_timeout: Duration,
    /// Headers of the connection rather than of the request, sent where the request has none of the name.
    headers: HeaderMap,
    /// Whether the port of the address is left out, so that the resolver's holds.
    strips_port: bool,
    unix_socket: Option<Arc<Path>>,
    /// The proxy between, for the words of a failure.
    via: Option<String>,
    /// The name that it is found by, where its addresses may change under it.
    led: Option<Led>,
}

/// How connections are made and kept.
#[derive(Debug)]
enum Road {
    /// Straight to the server, over connections of our own: plain HTTP, and all that is timed part by part.
    Line(Box<Line>),
    /// Everything else.
    Library(reqwest::Client),
}

impl Lane {
    /// A pool for requests to `target`: an environment's proxy is left out when that is this machine.
    pub(super) fn new(connection: &Connection, target: &Url) -> Result<Self, Error> {
        let route = connection.route(target).map_err(|error| Error::Setup(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.extend(route.stripped_of.clone().map(|host| (HOST, host)));
        if connection.reuse == Reuse::Never && connection.version != HttpVersion::Two {
            // The side that closes keeps the port for minutes, and this side's are the ones that run out.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let strips_port = route.stripped_of.is_some();
        let via = via(connection, target);
        let led = followed(connection, (target, &route), via.as_deref()).map(Followed::led);
        let resolver = TimedResolver::new(route);
        let road = if is_direct(connection, target) {
            Road::Line(Box::new(Line::new(connection, target, (resolver, led.clone()))?))
        } else {
            let connector = connector(connection, led.clone());
            let client = builder(connection, target, resolver)?.connector_layer(connector).build();
            Road::Library(client.map_err(|error| match connection.identity {
                Some(_) => Error::of_identity(&error),
                None => set_up_error(&error),
            })?)
        };
        Ok(Self {
            road,
            connect_timeout: connection.connect_timeout,
            headers,
            strips_port,
            unix_socket: connection.unix_socket.as_deref().map(Arc::from),
            via,
            led,
        })
    }

    /// Whether the addresses that it leads to may change.
    pub(super) fn is_followed(&self) -> bool {
        self.led.is_some()
    }

    /// Whether its connections lead to where its name leads, as far as that is known.
    pub(super) fn is_current(&self) -> bool {
        self.led.as_ref().is_none_or(Led::is_current)
    }

    /// What became of its connections since this was last asked, where they are our own.
    pub(super) fn take_lines(&self) -> Option<Connections> {
        match &self.road {
            Road::Line(line) => Some(line.take_lines()),
            Road::Library(_) => None,
        }
    }

    /// Sends a request there.
    pub(super) async fn send(&self, mut request: Request) -> Result<Reply, Error> {
        if self.strips_port {
            // Refused only by addresses that have no port to strip.
            let _ = Arc::make_mut(&mut request.url).set_port(None);
        }
        for (name, value) in &self.headers {
            if !request.headers.contains(name) {
                request.headers.insert(name.clone(), value.clone());
            }
        }
        let outcome = match &self.road {
            Road::Line(line) => over_line(line, &request).await,
            // Kept out of the future of every request, which is moved about.
            Road::Library(client) => Box::pin(over_library(client, request)).await,
        };
        outcome.map_err(|error| self.name_way(Error::of_request(&*error, self.connect_timeout)))
    }

    /// The system's words for a socket or a proxy that does not answer do not name it.
    fn name_way(&self, error: Error) -> Error {
        match (error, &self.unix_socket) {
            (Error::Connect { detail, via, answered }, Some(path)) => {
                Error::Connect { detail: format!("{}: {detail}", path.display()), via, answered }
            }
            (Error::Connect { detail, answered, .. }, None) => {
                Error::Connect { detail, via: self.via.clone(), answered }
            }
            (error, _) => error,
        }
    }
}

/// The name whose addresses are followed, where connections that are kept go straight to it.
fn followed(connection: &Connection, (target, route): (&Url, &Route), via: Option<&str>) -> Option<Followed> {
    let is_kept = connection.reuse == Reuse::KeepAlive && connection.unix_socket.is_none();
    let name = target.domain().filter(|_| is_kept && via.is_none())?;
    // What a flag says holds for good.
    (!route.turns(name)).then(|| connection.names.follow(name))
}

/// What times connections, and learns where they led.
pub(super) fn connector(connection: &Connection, led: Option<Led>) -> TimedConnector {
    TimedConnector { limit: connection.connect_timeout, led }
}

/// Whether requests need nothing of what only the library can do; what is encrypted is the library's unless its parts are
/// timed.
fn is_direct(connection: &Connection, target: &Url) -> bool {
    let is_ours = target.scheme() == "http" || connection.phases == Phases::Apart;
    let passes_no_proxy = connection.unix_socket.is_some()
        || matches!(connection.proxy, ProxyChoice::Environment) && {
            !connection.detours.is_empty() || environment_proxy(target).is_none()
        };
    is_ours && passes_no_proxy
}

/// The library's client with all that it is not to do by itself switched off.
pub(super) fn builder(
    connection: &Connection,
    target: &Url,
    resolver: TimedResolver,
) -> Result<reqwest::ClientBuilder, Error> {
    let builder = reqwest::Client::builder()
        .connect_timeout(connection.connect_timeout)
        .pool_idle_timeout(IDLE_LIMIT)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .redirect(redirect::Policy::none())
        .referer(false)
        // The retry loop is ours alone; the library's own would send a request again unseen.
        .retry(reqwest::retry::never());
    let builder = routed(builder, connection, target)?.dns_resolver(Arc::new(resolver));
    secured(spoken(builder, connection), connection)
}

/// Sends a request over connections of our own and waits for the head of its reply.
async fn over_line(line: &Line, request: &Request) -> Result<Reply, BoxError> {
    let Arrived { head, body, sent } = line.send(request).await?;
    let ReplyHead { status, version, headers } = head;
    let connection = ConnectionTimes { sent, ..request.journey.0.times() };
    let (headers, source) = if is_packed(&headers) {
        let (headers, body) = Box::pin(unpack(&headers, body)).await;
        (headers, Source::Unpacked(Box::new(body)))
    } else {
        (headers, Source::Line(body))
    };
    Ok(Reply { status, headers, version, connection, body: Body(source) })
}

/// Sends a request through the library and waits for the head of its reply.
async fn over_library(client: &reqwest::Client, request: Request) -> Result<Reply, BoxError> {
    let probe = Arc::clone(&request.journey.0);
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
    };
    let mut outgoing = reqwest::Request::new(method, Arc::unwrap_or_clone(request.url));
    *outgoing.headers_mut() = request.headers.to_map();
    if request.method == Method::Post {
        *outgoing.body_mut() = Some(request.body.into());
    }
    let arrived = probe.watch(client.execute(outgoing)).await?;
    let (head, body) = hyper::Response::from(arrived).into_parts();
    Ok(Reply {
        status: head.status.as_u16(),
        headers: head.headers.into(),
        version: version_name(head.version),
        connection: probe.times(),
        body: Body(Source::Library(body)),
    })
}

/// Where connections go: through a proxy, to a Unix socket, or straight.
fn routed(
    builder: reqwest::ClientBuilder,
    connection: &Connection,
    target: &Url,
) -> Result<reqwest::ClientBuilder, Error> {
    if let Some(path) = &connection.unix_socket {
        #[cfg(unix)]
        return Ok(builder.no_proxy().unix_socket(path.as_path()));
        #[cfg(not(unix))]
        return Err(Error::Setup(format!("{}: this system has no Unix sockets", path.display())));
    }
    Ok(match &connection.proxy {
        // Told where to connect, the client connects there itself.
        ProxyChoice::Environment if is_loopback(target) || !connection.detours.is_empty() => {
            builder.no_proxy()
        }
        ProxyChoice::Environment => builder,
        ProxyChoice::Through(proxy) => builder.proxy(set_up(reqwest::Proxy::all(proxy.clone()))?),
    })
}

/// The HTTP version, and whether connections are kept.
fn spoken(builder: reqwest::ClientBuilder, connection: &Connection) -> reqwest::ClientBuilder {
    let builder = match connection.reuse {
        Reuse::KeepAlive => builder,
        Reuse::Never => builder.pool_max_idle_per_host(0),
    };
    match connection.version {
        HttpVersion::Negotiated => builder,
        HttpVersion::One => builder.http1_only(),
        HttpVersion::Two => builder.http2_prior_knowledge(),
    }
}

/// Whom the client trusts, and what it shows of itself.
fn secured(
    builder: reqwest::ClientBuilder,
    connection: &Connection,
) -> Result<reqwest::ClientBuilder, Error> {
    let builder = match &connection.trust {
        Trust::System => builder,
        Trust::Only(pem) => builder.tls_certs_only(set_up(reqwest::Certificate::from_pem_bundle(pem))?),
        Trust::Anyone => builder.tls_danger_accept_invalid_certs(true),
    };
    match &connection.identity {
        None => Ok(builder),
        Some(ClientCertificate(pem)) => {
            let identity = reqwest::Identity::from_pem(pem).map_err(|error| Error::of_identity(&error))?;
            Ok(builder.identity(identity))
        }
    }
}

/// The proxy that requests to `target` go through.
fn via(connection: &Connection, target: &Url) -> Option<String> {
    if let ProxyChoice::Through(proxy) = &connection.proxy {
        return Some(proxy.to_string());
    }
    let bypassed = connection.unix_socket.is_some() || !connection.detours.is_empty();
    environment_proxy(target).filter(|_| !bypassed).map(|name| format!("of {name}"))
}

fn set_up<T>(result: Result<T, reqwest::Error>) -> Result<T, Error> {
    result.map_err(|error| set_up_error(&error))
}

fn set_up_error(error: &reqwest::Error) -> Error {
    Error::of_request(error, Span::default().0)
}

fn version_name(version: reqwest::Version) -> &'static str {
    match version {
        reqwest::Version::HTTP_10 => "HTTP/1.0",
        reqwest::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_no_proxy_and_is_plain_or_timed_by_parts_goes_the_direct_way() {
        let direct =
            |target: &str, connection: &Connection| is_direct(connection, &Url::parse(target).unwrap());
        let plain = Connection::default();
        assert!(direct("http://127.0.0.1:8080/v1/messages", &plain));
        assert!(!direct("https://127.0.0.1/v1/messages", &plain));
        let apart = Connection { phases: Phases::Apart, ..plain.clone() };
        assert!(direct("https://127.0.0.1/v1/messages", &apart));
        let proxy = ProxyChoice::Through(Url::parse("http://127.0.0.1:3128").unwrap());
        assert!(!direct("http://127.0.0.1:8080", &Connection { proxy, ..apart }));
        let unix_socket = Some("/run/relay".into());
        assert!(direct("http://127.0.0.1:8080", &Connection { unix_socket, ..plain }));
    }
}
