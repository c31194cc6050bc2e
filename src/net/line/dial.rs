//! Makes connections, and takes the times of each part: the name look-up, TCP, TLS.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tower_http::BoxError;
use tower_service::Service;

use super::super::connection::Connection;
use super::super::follow::Led;
use super::super::lane::KEEPALIVE;
use super::super::probe::{Probe, TimedResolver, connect};
use super::super::{Error, Url};
use super::secure;
use super::stream::{Channel, Stream};

/// Makes connections to one place.
pub(super) struct Dialer {
    tcp: HttpConnector<TimedResolver>,
    /// In place of TCP.
    unix_socket: Option<Arc<Path>>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    limit: std::time::Duration,
    led: Option<Led>,
}

/// No connection could be made; told to everybody who has waited for it.
#[derive(Debug, Clone)]
pub(in super::super) struct DialError(Arc<dyn StdError + Send + Sync>);

impl fmt::Display for DialError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("no connection")
    }
}

impl StdError for DialError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

impl Dialer {
    /// What makes connections to `target`.
    pub(super) fn new(
        connection: &Connection,
        target: &Url,
        (resolver, led): (TimedResolver, Option<Led>),
    ) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // Shared out among a name's addresses, so that one that swallows everything leaves time for the next.
        tcp.set_connect_timeout(Some(connection.connect_timeout));
        let tls = match target.scheme() {
            "https" => Some((secure::connector(connection)?, server_name(target)?)),
            _ => None,
        };
        let unix_socket = connection.unix_socket.as_deref().map(Arc::from);
        Ok(Self { tcp, unix_socket, tls, limit: connection.connect_timeout, led })
    }

    /// Whether connections are encrypted.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a connection for a request, which is told how long each part took.
    pub(super) async fn dial(&self, address: &Uri, probe: &Arc<Probe>) -> Result<Stream, DialError> {
        self.in_time(self.make(address, probe), probe).await
    }

    /// Waits for the making of a connection, for as long as that may take.
    pub(super) async fn in_time<T>(
        &self,
        making: impl Future<Output = Result<T, BoxError>>,
        probe: &Arc<Probe>,
    ) -> Result<T, DialError> {
        let made = probe.watch(connect(Some(probe), timeout(self.limit, making))).await;
        let made = made.map_err(|_| io::Error::from(io::ErrorKind::TimedOut).into()).flatten();
        made.map_err(|error: BoxError| DialError(error.into()))
    }

    /// The same without a limit.
    pub(super) async fn make(&self, address: &Uri, probe: &Probe) -> Result<Stream, BoxError> {
        let start = Instant::now();
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            let socket = tokio::net::UnixStream::connect(path).await?;
            probe.connected(start.elapsed());
            return self.secured(socket, probe).await;
        }
        let socket: TokioIo<TcpStream> = self.tcp.clone().call(address.clone()).await?;
        let socket = socket.into_inner();
        probe.connected(start.elapsed());
        if let (Some(led), Ok(peer)) = (&self.led, socket.peer_addr()) {
            led.went(peer.ip());
        }
        self.secured(socket, probe).await
    }

    /// The connection in TLS, where the address asks for that.
    async fn secured(&self, socket: impl Channel + 'static, probe: &Probe) -> Result<Stream, BoxError> {
        let Some((connector, name)) = &self.tls else { return Ok(Stream::new(socket, false)) };
        let start = Instant::now();
        let stream = connector.connect(name.clone(), socket).await?;
        probe.secured(start.elapsed());
        let speaks_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Stream::new(stream, speaks_two))
    }
}

/// The name that a certificate must be for.
fn server_name(target: &Url) -> Result<ServerName<'static>, Error> {
    let name = match target.host() {
        Some(url::Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
        Some(url::Host::Ipv4(address)) => Some(ServerName::IpAddress(address.into())),
        Some(url::Host::Ipv6(address)) => Some(ServerName::IpAddress(address.into())),
        None => None,
    };
    name.ok_or_else(|| Error::Setup(format!("{target}: no certificate can be for this host")))
}
