//! Takes the times of making a connection from inside the pool, for the request that caused it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::http::Extensions;
use hyper_util::client::legacy::connect::{Connection, HttpInfo, dns};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout};
use tower_http::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::ConnectionTimes;
use super::detour::{Route, Stop};
use super::follow::Led;

tokio::task_local! {
    /// The request that is being sent by this task: a pool connects within the task that needs the connection.
    static CURRENT: Arc<Probe>;
}

/// How far a request has come, for the one who sends it and may lose patience.
#[derive(Debug, Clone, Default)]
pub struct Journey(pub(super) Arc<Probe>);

impl Journey {
    /// Whether the request still waits for a connection that is being made for it, so that nothing of it has left.
    pub fn is_connecting(&self) -> bool {
        self.0.connecting.load(Ordering::Relaxed)
    }
}

/// What became of one request's connection, written by the pool, read by the sender. Zero means absent.
#[derive(Debug, Default)]
pub(super) struct Probe {
    dns_ns: AtomicU64,
    connect_ns: AtomicU64,
    tls_ns: AtomicU64,
    connecting: AtomicBool,
}

impl Probe {
    /// Runs a request with this probe in place.
    pub(super) async fn watch<F: Future>(self: &Arc<Self>, request: F) -> F::Output {
        CURRENT.scope(Arc::clone(self), request).await
    }

    /// What was measured; the connector's time includes the look-up, which is taken out again.
    pub(super) fn times(&self) -> ConnectionTimes {
        let read = |cell: &AtomicU64| match cell.load(Ordering::Relaxed) {
            0 => None,
            ns => Some(Duration::from_nanos(ns)),
        };
        let dns = read(&self.dns_ns);
        let connect = read(&self.connect_ns).map(|whole| whole.saturating_sub(dns.unwrap_or_default()));
        ConnectionTimes { dns, connect, tls: read(&self.tls_ns), sent: None }
    }

    /// Notes how long the look-up and connecting took together.
    pub(super) fn connected(&self, passed: Duration) {
        store(&self.connect_ns, passed);
    }

    /// Notes how long the TLS handshake took.
    pub(super) fn secured(&self, passed: Duration) {
        store(&self.tls_ns, passed);
    }
}

/// Polls the making of a connection within its request. The pool finishes on a task of its own what another connection,
/// which was given back in the meantime, has overtaken: from there on the request no longer waits for it.
pub(super) async fn connect<F: Future>(probe: Option<&Arc<Probe>>, connecting: F) -> F::Output {
    let Some(probe) = probe else { return connecting.await };
    let mut connecting = std::pin::pin!(connecting);
    std::future::poll_fn(|context| {
        let awaited = CURRENT.try_with(|current| Arc::ptr_eq(current, probe)).unwrap_or(false);
        let polled = connecting.as_mut().poll(context);
        probe.connecting.store(awaited && polled.is_pending(), Ordering::Relaxed);
        polled
    })
    .await
}

/// Stores a time that has passed; never zero, which would read as absent.
fn store(cell: &AtomicU64, passed: Duration) {
    cell.store(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
}

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("no address found for {host}")]
pub(super) struct LookupError {
    /// The name that was looked up.
    pub(super) host: String,
    source: std::io::Error,
}

/// The system's resolver, timed, behind the detours of the command line.
#[derive(Debug, Clone)]
pub(super) struct TimedResolver {
    route: Arc<Route>,
}

impl TimedResolver {
    /// A resolver that follows a route.
    pub(super) fn new(route: Route) -> Self {
        Self { route: Arc::new(route) }
    }
}

impl TimedResolver {
    /// The addresses that a name leads to.
    fn look_up(&self, name: &str) -> impl Future<Output = Result<Vec<SocketAddr>, LookupError>> + use<> {
        let probe = CURRENT.try_with(Arc::clone).ok();
        let Stop { host, port, addresses } = self.route.stop(name);
        async move {
            if !addresses.is_empty() {
                return Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect());
            }
            let start = Instant::now();
            let found = tokio::net::lookup_host((host.as_str(), port)).await.map(Iterator::collect);
            if let Some(probe) = probe {
                store(&probe.dns_ns, start.elapsed());
            }
            found.map_err(|source| LookupError { host, source })
        }
    }
}

impl Resolve for TimedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.look_up(name.as_str());
        Box::pin(async move { Ok(Box::new(found.await?.into_iter()) as Addrs) })
    }
}

impl Service<dns::Name> for TimedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookupError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let found = self.look_up(name.as_str());
        Box::pin(async move { Ok(found.await?.into_iter()) })
    }
}

/// Wraps a pool's connector: times each connection for the request that waits for it, limits its time, and learns where it
/// led.
#[derive(Debug, Clone)]
pub(super) struct TimedConnector {
    pub(super) limit: Duration,
    pub(super) led: Option<Led>,
}

impl<S> Layer<S> for TimedConnector {
    type Service = TimedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedService { inner, limit: self.limit, led: self.led.clone() }
    }
}

/// The connector with its clock.
#[derive(Debug, Clone)]
pub(super) struct TimedService<S> {
    inner: S,
    limit: Duration,
    led: Option<Led>,
}

impl<S, R> Service<R> for TimedService<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: Connection + Send,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let probe = CURRENT.try_with(Arc::clone).ok();
        let start = Instant::now();
        let (connecting, led) = (timeout(self.limit, self.inner.call(target)), self.led.clone());
        Box::pin(async move {
            let connection =
                connect(probe.as_ref(), connecting).await.map_err(io::Error::from)?.map_err(Into::into)?;
            if let Some(probe) = probe {
                store(&probe.connect_ns, start.elapsed());
            }
            if let Some(led) = led {
                let mut extras = Extensions::new();
                connection.connected().get_extras(&mut extras);
                extras.get::<HttpInfo>().into_iter().for_each(|info| led.went(info.remote_addr().ip()));
            }
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;

    use super::*;

    /// A connector that never gets there.
    struct Nowhere;

    impl Service<()> for Nowhere {
        type Response = TokioIo<tokio::net::TcpStream>;
        type Error = io::Error;
        type Future = std::future::Pending<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_the_connection_that_is_made_for_it_until_another_overtakes_that() {
        let journey = Journey::default();
        assert!(!journey.is_connecting());
        let mut connecting = None;
        let waited = journey.0.watch(async {
            let made = connecting
                .insert(TimedConnector { limit: Duration::from_secs(5), led: None }.layer(Nowhere).call(()));
            timeout(Duration::from_secs(1), made).await
        });
        assert!(waited.await.is_err() && journey.is_connecting());
        let rest = timeout(Duration::from_secs(1), connecting.unwrap()).await;
        assert!(rest.is_err() && !journey.is_connecting());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_too_long_is_given_up() {
        let limit = Duration::from_secs(5);
        let began = Instant::now();
        let error = TimedConnector { limit, led: None }.layer(Nowhere).call(()).await.unwrap_err();
        assert_eq!(began.elapsed(), limit);
        assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::TimedOut);
    }
}
