//! The pooled HTTP client over reqwest that every subcommand shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect;

use crate::units::Span;

use super::probe::{Probe, TimedConnector, TimedResolver};
use super::{Error, Method, Reply, Request, Transport, Url};

/// How long an unused connection is kept. Node's servers close theirs after 5 s, and a client that keeps one longer
/// than its server races with that close.
const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// Which HTTP version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    #[default]
    Negotiated,
    /// HTTP/1.1 only.
    One,
    /// HTTP/2 only, without negotiation on a plain connection.
    Two,
}

/// Which proxy is used.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// The environment's (`HTTPS_PROXY`, `NO_PROXY`), but never for loopback.
    #[default]
    Environment,
    /// This one, for everything.
    Through(Url),
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The system's roots (`SSL_CERT_FILE` is read too).
    #[default]
    System,
    /// These PEM certificates only.
    Only(Vec<u8>),
    /// Anybody's: nothing is verified.
    Anyone,
}

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The limit for name look-up, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The HTTP version.
    pub version: HttpVersion,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// The roots of trust.
    pub trust: Trust,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            version: HttpVersion::default(),
            proxy: ProxyChoice::default(),
            trust: Trust::default(),
        }
    }
}

/// A pool of keep-alive connections.
#[derive(Debug, Clone)]
pub struct Pool {
    client: reqwest::Client,
    connect_timeout: Duration,
    opened: Arc<AtomicU64>,
}

impl Pool {
    /// A pool for requests to `target`: an environment's proxy is left out when that is this machine.
    pub fn new(connection: &Connection, target: &Url) -> Result<Self, Error> {
        let connector = TimedConnector::default();
        let opened = Arc::clone(&connector.opened);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connection.connect_timeout)
            .pool_idle_timeout(IDLE_LIMIT)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .redirect(redirect::Policy::none())
            .referer(false)
            // The retry loop is ours alone; the library's own would send a request again unseen.
            .retry(reqwest::retry::never())
            .dns_resolver(Arc::new(TimedResolver))
            .connector_layer(connector);
        builder = match connection.version {
            HttpVersion::Negotiated => builder,
            HttpVersion::One => builder.http1_only(),
            HttpVersion::Two => builder.http2_prior_knowledge(),
        };
        builder = match &connection.proxy {
            ProxyChoice::Environment if is_loopback(target) => builder.no_proxy(),
            ProxyChoice::Environment => builder,
            ProxyChoice::Through(proxy) => builder.proxy(set_up(reqwest::Proxy::all(proxy.clone()))?),
        };
        builder = match &connection.trust {
            Trust::System => builder,
            Trust::Only(pem) => builder.tls_certs_only(set_up(reqwest::Certificate::from_pem_bundle(pem))?),
            Trust::Anyone => builder.tls_danger_accept_invalid_certs(true),
        };
        Ok(Self { client: set_up(builder.build())?, connect_timeout: connection.connect_timeout, opened })
    }

    /// Connections opened so far.
    pub fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Transport for Pool {
    async fn send(&self, request: Request) -> Result<Reply, Error> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut outgoing = reqwest::Request::new(method, request.url);
        *outgoing.headers_mut() = request.headers;
        if request.method == Method::Post {
            *outgoing.body_mut() = Some(request.body.into());
        }
        let probe = Arc::new(Probe::default());
        let response = probe
            .watch(self.client.execute(outgoing))
            .await
            .map_err(|error| Error::of_request(&error, self.connect_timeout))?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            version: version_name(response.version()),
            connection: probe.times(),
            body: Body(Source::Wire(response)),
        })
    }
}

/// The body of a reply, read chunk by chunk.
#[derive(Debug)]
pub struct Body(Source);

#[derive(Debug)]
enum Source {
    Wire(reqwest::Response),
    #[cfg(test)]
    Script(super::script::Steps),
}

impl Body {
    /// The next chunk as it arrived, or `None` at the clean end of the body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match &mut self.0 {
            Source::Wire(response) => response.chunk().await.map_err(|error| Error::of_body(&error)),
            #[cfg(test)]
            Source::Script(steps) => steps.next().await,
        }
    }

    /// A body that plays a script.
    #[cfg(test)]
    pub(super) fn scripted(steps: super::script::Steps) -> Self {
        Self(Source::Script(steps))
    }
}

/// Whether an address is this machine by its name or number.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn set_up<T>(result: Result<T, reqwest::Error>) -> Result<T, Error> {
    result.map_err(|error| Error::of_request(&error, Span::default().0))
}

fn version_name(version: reqwest::Version) -> &'static str {
    match version {
        reqwest::Version::HTTP_10 => "HTTP/1.0",
        reqwest::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}
