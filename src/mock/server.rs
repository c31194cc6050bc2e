//! The relay's threads: one that accepts and hands connections round, and those that serve them.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream as StdStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::mock::duplicates::Duplicates;
use crate::mock::log;
use crate::mock::metronome::Metronome;
use crate::mock::oauth::OAuth;
use crate::mock::once::Once;
use crate::mock::rate::Gate;
use crate::mock::respond;
use crate::mock::slots::Slots;
use crate::mock::spec::Spec;
use crate::mock::stats;
use crate::mock::stats::Counters;
use crate::mock::stats::Meter;
use crate::mock::stats::Stats;
use crate::mock::words::Filler;
use crate::units::Clock;

/// How many connections may wait to be accepted: a whole load test may knock at the same moment.
const BACKLOG: u32 = 4096;

/// How many streams one HTTP/2 connection may carry; the relay limits requests by its slots instead.
const STREAMS: u32 = 100_000;

/// How long a refresh token that was replaced serves once more, where nothing else is said.
const GRACE: Duration = Duration::from_secs(5);

/// Where and how the relay runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How it answers.
    pub spec: Spec,
    /// The file that gets one JSON line a request.
    pub log: Option<PathBuf>,
    /// How many threads serve; 0 means one a core.
    pub threads: usize,
}

impl Default for Options {
    /// A free port of the loopback interface, the default answers, no log, one thread a core.
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, spec: Spec::default(), log: None, threads: 0 }
    }
}

/// Why the relay could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process listens there.
    #[error("the address {address} is in use")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be opened or written.
    #[error("--log {}: it cannot be written", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread of the relay")]
    Thread(#[source] io::Error),
}

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) spec: Spec,
    /// When the relay began, from which standstills count.
    pub(crate) epoch: Instant,
    pub(crate) slots: Slots,
    /// The limit on the rate of requests.
    pub(crate) gate: Option<Gate>,
    /// What is refused because it was asked for before.
    pub(crate) duplicates: Option<Duplicates>,
    /// The authorization server, whose tokens prompts need.
    pub(crate) oauth: Option<OAuth>,
    /// What fills pieces that are larger than a word.
    pub(crate) filler: Filler,
    pub(crate) counters: Counters,
    pub(crate) once: Mutex<Once>,
    pub(crate) clock: Clock,
    pub(crate) metronome: Metronome,
    /// The number of the next request.
    pub(crate) numbers: AtomicU64,
    /// What makes the ids of this relay differ from another's.
    pub(crate) nonce: u32,
    /// The meter of each serving thread.
    meters: Vec<Arc<Meter>>,
}

impl Shared {
    /// A picture of all counters.
    pub(crate) fn stats(&self) -> Stats {
        let (events, lateness_ms) = stats::merge(self.meters.iter().map(AsRef::as_ref));
        let counted = self.counters.lock().clone();
        let in_flight = self.metronome.served();
        Stats { in_flight, queued: self.slots.queued(), events, lateness_ms, ..counted }
    }
}

/// What one serving thread has.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) log: Option<log::Sender>,
}

/// A relay that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping it stops the thread that accepts, and with it all others.
    running: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    log: Option<(PathBuf, log::Thread)>,
}

impl Relay {
    /// Starts the relay; it listens when this returns. May be called inside or outside of async code.
    pub fn start(options: Options) -> Result<Self, Error> {
        let Options { listen, spec, log: log_path, threads } = options;
        let count = match threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let (sender, log) = match log_path {
            None => (None, None),
            Some(path) => match log::start(&path) {
                Ok((sender, thread)) => (Some(sender), Some((path, thread))),
                Err(source) => return Err(Error::Log { path, source }),
            },
        };
        let shared = Arc::new(Shared {
            slots: Slots::new(spec.slots),
            gate: spec.rate.map(|rate| Gate::new(rate, spec.burst)),
            duplicates: spec.duplicate_window.map(Duplicates::new),
            oauth: spec
                .token_life
                .map(|life| OAuth::new(life, spec.token_grace.unwrap_or(GRACE), spec.token_fault)),
            filler: Filler::new(spec.chunk),
            spec,
            epoch: Instant::now(),
            counters: Counters::default(),
            once: Mutex::default(),
            clock: Clock::set(),
            metronome: Metronome::default(),
            numbers: AtomicU64::new(1),
            nonce: fastrand::u32(..),
            meters: (0..count).map(|_| Arc::new(Meter::new())).collect(),
        });
        // From here on, dropping `relay` on an error stops and joins what was started.
        let mut relay =
            Self { address: listen, shared: Arc::clone(&shared), running: None, threads: Vec::new(), log };
        let (mut queues, mut beats) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (number, meter) in shared.meters.iter().enumerate() {
            let (queue, connections) = mpsc::unbounded_channel();
            let (beat, meter) = (Arc::new(Notify::new()), Arc::clone(meter));
            beats.push(Arc::clone(&beat));
            let seat = Seat { shared: Arc::clone(&shared), meter, log: sender.clone(), beat };
            relay.spawn(format!("mock-{number}"), move || serve(seat, connections))?;
            queues.push(queue);
        }
        drop(sender);
        let metronome = Arc::clone(&shared);
        relay.spawn("mock-beat".into(), move || metronome.metronome.run(&beats))?;
        let (running, stopped) = oneshot::channel();
        let (report, reported) = std_mpsc::sync_channel(1);
        relay.running = Some(running);
        relay.spawn("mock-accept".into(), move || {
            accept(Acceptor { listen, shared, queues, report }, stopped);
        })?;
        relay.address = reported.recv().map_err(|lost| Error::Thread(io::Error::other(lost)))??;
        Ok(relay)
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name(name).spawn(run).map_err(Error::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// The address it listens at.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients on this machine use, without a trailing slash.
    pub fn base_url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Stops its threads, closes its connections and completes the log, whose failure is the only error.
    pub fn stop(mut self) -> Result<(), Error> {
        self.halt()
    }

    fn halt(&mut self) -> Result<(), Error> {
        self.running = None;
        self.shared.metronome.stop();
        for thread in self.threads.drain(..) {
            // A panic of the relay was printed by its own thread; the caller's work must go on.
            thread.join().ok();
        }
        let Some((path, thread)) = self.log.take() else { return Ok(()) };
        let outcome = thread.join().unwrap_or_else(|_| Err(io::Error::other("the log's thread panicked")));
        outcome.map_err(|source| Error::Log { path, source })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Whoever wants to know about the log calls `stop`.
        self.halt().ok();
    }
}

/// What becomes a [`Worker`] once it is on its thread.
struct Seat {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
    log: Option<log::Sender>,
    beat: Arc<Notify>,
}

/// What the accepting thread needs.
struct Acceptor {
    listen: SocketAddr,
    shared: Arc<Shared>,
    queues: Vec<mpsc::UnboundedSender<StdStream>>,
    report: std_mpsc::SyncSender<Result<SocketAddr, Error>>,
}

/// A runtime for one thread.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Listens, reports the address, and hands connections round until it is stopped.
fn accept(acceptor: Acceptor, stopped: oneshot::Receiver<()>) {
    let Acceptor { listen, shared, queues, report } = acceptor;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(problem) => {
            report.send(Err(Error::Thread(problem))).ok();
            return;
        }
    };
    runtime.block_on(async {
        let listener = match bind(listen) {
            Ok((listener, address)) => {
                report.send(Ok(address)).ok();
                listener
            }
            Err(problem) => {
                report.send(Err(problem)).ok();
                return;
            }
        };
        tokio::select! {
            _ = stopped => {}
            () = hand_round(&listener, &queues, &shared) => {}
        }
    });
}

/// Listens at an address.
fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let open = || {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    open().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address: listen },
        _ => Error::Listen { address: listen, source },
    })
}

/// Accepts connections and deals them to the serving threads in turn.
async fn hand_round(listener: &TcpListener, queues: &[mpsc::UnboundedSender<StdStream>], shared: &Shared) {
    for queue in queues.iter().cycle() {
        let connection = loop {
            match listener.accept().await {
                Ok((connection, _)) => break connection,
                // Out of descriptors, most likely: others have to close first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        shared.counters.lock().connections += 1;
        connection.set_nodelay(true).ok();
        if let Ok(connection) = connection.into_std() {
            queue.send(connection).ok();
        }
    }
}

/// Serves connections until nobody hands in any more; those that are open are then dropped.
fn serve(seat: Seat, mut connections: mpsc::UnboundedReceiver<StdStream>) {
    let Ok(runtime) = runtime() else { return };
    let Seat { shared, meter, log, beat } = seat;
    let worker = Rc::new(Worker { shared, meter, log });
    let tasks = LocalSet::new();
    tasks.spawn_local(async move {
        loop {
            // Waking up is all: the runtime then looks at its timers.
            beat.notified().await;
        }
    });
    tasks.block_on(&runtime, async move {
        while let Some(connection) = connections.recv().await {
            if let Ok(connection) = TcpStream::from_std(connection) {
                tokio::task::spawn_local(converse(connection, Rc::clone(&worker)));
            }
        }
    });
}

/// Serves one connection, whichever version of HTTP it speaks.
async fn converse(connection: TcpStream, worker: Rc<Worker>) {
    let mut builder = auto::Builder::new(Locally);
    // One flat write a frame costs the kernel less than three small parts.
    builder.http1().writev(false);
    builder.http2().max_concurrent_streams(STREAMS);
    let service = service_fn(move |request| respond::respond(Rc::clone(&worker), request));
    // Clients that leave and faults that cut are no concern of the server's.
    builder.serve_connection(TokioIo::new(connection), service).await.ok();
}

/// Runs HTTP/2's tasks on the thread of their connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locally;

impl<F> hyper::rt::Executor<F> for Locally
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
