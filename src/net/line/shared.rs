//! HTTP/2: connections that carry several requests at once, another one where the server takes no more on those there are.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http_body_util::Full;
use hyper::Response;
use hyper::Uri;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::yield_now;
use tokio::time::Instant;
use tower_http::BoxError;

use super::super::lane::IDLE_LIMIT;
use super::super::probe::{Probe, connect};
use super::count::Counts;
use super::dial::{DialError, Dialer};
use super::home::Home;
use super::link::Link;
use super::stream::Stream;

/// A request as it goes to a connection.
pub(super) type Outgoing = hyper::Request<Full<Bytes>>;

/// What comes of making a connection, for all who wait for it.
type Making = BoxFuture<'static, Result<(), DialError>>;

/// Connections to one place that may carry several requests each.
pub(super) struct Trunks {
    rack: Arc<Rack>,
    dialer: Arc<Dialer>,
    counts: Arc<Counts>,
    /// Where a connection goes whose server speaks HTTP/1.1 only.
    home: Arc<Home>,
}

/// What there is of them.
#[derive(Default)]
struct Rack(Mutex<State>);

#[derive(Default)]
struct State {
    open: Vec<Arc<Trunk>>,
    /// One that is being made; everybody who has none waits for it, and it is given up with the last of them: a later
    /// request must not be told that the time of those before it is over.
    making: Option<WeakShared<Making>>,
    /// Whether the server has said that it speaks HTTP/1.1 only.
    speaks_one: bool,
}

/// One connection.
struct Trunk {
    sender: http2::SendRequest<Full<Bytes>>,
    /// Requests that it carries.
    streams: AtomicU64,
    /// How many its server takes at once.
    most: Arc<AtomicU64>,
    /// When it last carried one; nothing before that.
    used: Mutex<Option<Instant>>,
}

/// A request's place on a connection, until its answer is read.
pub(super) struct Seat {
    trunk: Arc<Trunk>,
    /// Whether the connection has carried nothing before.
    pub(super) is_first: bool,
}

impl Trunk {
    /// A place for another request, unless it is closed, full, or has been idle for so long that its server may close it.
    fn seat(self: &Arc<Self>, counts: &Counts) -> Option<Seat> {
        let streams = self.streams.load(Ordering::Relaxed);
        if streams > 0 && streams >= self.most.load(Ordering::Relaxed) {
            return None;
        }
        counts.carries(self.streams.fetch_add(1, Ordering::Relaxed) + 1);
        let is_first = self.used().replace(Instant::now()).is_none();
        Some(Seat { trunk: Arc::clone(self), is_first })
    }

    fn is_usable(&self) -> bool {
        let is_idle = self.streams.load(Ordering::Relaxed) == 0;
        let is_stale = is_idle && self.used().is_some_and(|used| used.elapsed() >= IDLE_LIMIT);
        !self.sender.is_closed() && !is_stale
    }

    fn used(&self) -> MutexGuard<'_, Option<Instant>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.trunk.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.trunk.used() = Some(Instant::now());
        }
    }
}

impl Seat {
    /// Sends a request and waits for the head of its reply.
    pub(super) async fn send(&self, request: Outgoing) -> Result<Response<Incoming>, TrySendError<Outgoing>> {
        self.trunk.sender.clone().try_send_request(request).await
    }
}

impl Rack {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trunks {
    /// None yet.
    pub(super) fn new(dialer: Arc<Dialer>, home: Arc<Home>, counts: Arc<Counts>) -> Self {
        Self { rack: Arc::default(), dialer, counts, home }
    }

    /// A place on a connection that there is, or on one that is made; none where the server speaks HTTP/1.1 only.
    pub(super) async fn seat(&self, address: &Uri, probe: &Arc<Probe>) -> Result<Option<Seat>, DialError> {
        loop {
            let making = {
                let mut state = self.rack.state();
                if state.speaks_one {
                    return Ok(None);
                }
                state.open.retain(|trunk| trunk.is_usable());
                if let Some(seat) = state.open.iter().find_map(|trunk| trunk.seat(&self.counts)) {
                    return Ok(Some(seat));
                }
                let under_way = state.making.as_ref().and_then(WeakShared::upgrade);
                under_way.unwrap_or_else(|| {
                    let making = self.make(address.clone(), Arc::clone(probe));
                    state.making = making.downgrade();
                    making
                })
            };
            // Who waits for a connection is connecting, whoever is told its times.
            probe.watch(connect(Some(probe), making)).await?;
        }
    }

    /// A place on a connection of its own.
    pub(super) async fn seat_alone(
        &self,
        address: &Uri,
        probe: &Arc<Probe>,
    ) -> Result<Option<Seat>, DialError> {
        let made = made((&self.dialer, &self.home, &self.counts), address, probe);
        let made = self.dialer.in_time(made, probe).await?;
        self.rack.state().speaks_one |= made.is_none();
        Ok(made.and_then(|trunk| trunk.seat(&self.counts)))
    }

    fn make(&self, address: Uri, probe: Arc<Probe>) -> Shared<Making> {
        let Self { rack, dialer, counts, home } = self;
        let (rack, dialer, counts, home) =
            (Arc::clone(rack), Arc::clone(dialer), Arc::clone(counts), Arc::clone(home));
        let made = async move {
            let made = dialer.in_time(made((&dialer, &home, &counts), &address, &probe), &probe).await;
            let mut state = rack.state();
            state.making = None;
            match made? {
                Some(trunk) => state.open.push(trunk),
                None => state.speaks_one = true,
            }
            Ok(())
        };
        made.boxed().shared()
    }
}

/// A connection over HTTP/2; where its server speaks HTTP/1.1 only it goes to those that do.
async fn made(
    (dialer, home, counts): (&Dialer, &Home, &Arc<Counts>),
    address: &Uri,
    probe: &Probe,
) -> Result<Option<Arc<Trunk>>, BoxError> {
    let stream = dialer.make(address, probe).await?;
    if !stream.speaks_two && dialer.is_secure() {
        home.keep(Link::new(stream, counts));
        return Ok(None);
    }
    trunk(stream, counts).await.map(Some)
}

/// Speaks HTTP/2 over a stream, on a task of its own, once the server has said how many requests it takes at once: whatever
/// exceeds that would wait in this process, unseen.
async fn trunk(stream: Stream, counts: &Arc<Counts>) -> Result<Arc<Trunk>, BoxError> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // None until it has.
    builder.timer(TokioTimer::new()).initial_max_send_streams(0);
    let heard = stream.heard();
    let (sender, mut driver) = builder.handshake(TokioIo::new(stream)).await?;
    let open = counts.open();
    let takes = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
    // The library reads in a task of its own, which wakes nobody here; its settings are the first that a server sends.
    heard.notified().await;
    while driver.current_max_send_streams() == 0 {
        if let Some(ended) = (&mut driver).now_or_never() {
            let why = ended.err().and_then(|error| error.source().map(ToString::to_string));
            let why = why.unwrap_or_else(|| "it has closed the connection".to_owned());
            return Err(io::Error::other(format!("the other side does not speak HTTP/2: {why}")).into());
        }
        yield_now().await;
    }
    let most = Arc::new(AtomicU64::new(takes(driver.current_max_send_streams())));
    let told = Arc::clone(&most);
    tokio::spawn(async move {
        // Why it ended is told to the requests on it.
        let _ = poll_fn(|context| {
            let polled = Pin::new(&mut driver).poll(context);
            told.store(takes(driver.current_max_send_streams()), Ordering::Relaxed);
            polled
        })
        .await;
        drop(open);
    });
    Ok(Arc::new(Trunk { sender, streams: AtomicU64::new(0), most, used: Mutex::default() }))
}
