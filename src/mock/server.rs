//! The relay's threads: one that accepts connections, and those that serve them.

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

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::mock::connection;
use crate::mock::duplicates::Duplicates;
use crate::mock::guards::Guards;
use crate::mock::helm::Helm;
use crate::mock::listener;
use crate::mock::listener::Acceptor;
use crate::mock::log;
use crate::mock::log::Journal;
use crate::mock::metronome::Metronome;
use crate::mock::mood::Mood;
use crate::mock::mood::MoodError;
use crate::mock::oauth::OAuth;
use crate::mock::oauth::ServiceKey;
use crate::mock::once::Once;
use crate::mock::rate::Gate;
use crate::mock::slots::Slots;
use crate::mock::spec::Spec;
use crate::mock::stats;
use crate::mock::stats::Counters;
use crate::mock::stats::Meter;
use crate::mock::stats::Stats;
use crate::mock::words::Filler;
use crate::units::Clock;

/// Where and how the relay runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How it answers.
    pub spec: Spec,
    /// The file that gets one JSON line a request.
    pub log: Option<PathBuf>,
    /// What requests must be like to be let in.
    pub guards: Guards,
    /// The key of clients that sign their tokens themselves, which each request then needs.
    pub service_key: Option<ServiceKey>,
    /// How many threads serve; 0 means one a core.
    pub threads: usize,
}

impl Default for Options {
    /// A free port of the loopback interface, the default answers, no log, one thread a core.
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (spec, guards) = (Spec::default(), Guards::default());
        Self { listen, spec, log: None, guards, service_key: None, threads: 0 }
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
    /// The zones need more ports than there are after the first.
    #[error("port {first} has too few ports after it for all zones")]
    NoPort {
        /// The first zone's port.
        first: u16,
    },
    /// What changes the relay may not be reached from other machines.
    #[error("the control address {address} is not on the loopback interface")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The log cannot be opened or written.
    #[error("--log {}: it cannot be written", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A mood that no relay can have.
    #[error(transparent)]
    Mood(#[from] MoodError),
    /// A thread cannot be started.
    #[error("cannot start a thread of the relay")]
    Thread(#[source] io::Error),
}

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) spec: Spec,
    pub(crate) guards: Guards,
    /// The zone's name, where the relay is one of several.
    pub(crate) zone: Option<String>,
    /// What it does beyond its description at the moment; connections wait for its changes.
    pub(crate) mood: watch::Sender<Mood>,
    /// When the relay began, from which standstills count.
    pub(crate) epoch: Instant,
    pub(crate) slots: Slots,
    /// The limit on the rate of requests.
    pub(crate) gate: Option<Gate>,
    /// What is refused because it was asked for before.
    pub(crate) duplicates: Option<Duplicates>,
    /// The authorization server, whose tokens prompts need.
    pub(crate) oauth: Option<OAuth>,
    pub(crate) service_key: Option<ServiceKey>,
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
    /// What so many serving threads share before the first request.
    fn new(spec: Spec, threads: usize) -> Self {
        Self {
            slots: Slots::new(spec.slots),
            gate: spec.rate.map(|rate| Gate::new(rate, spec.burst)),
            duplicates: spec.duplicate_window.map(Duplicates::new),
            oauth: OAuth::of(&spec),
            service_key: None,
            filler: Filler::new(spec.chunk),
            spec,
            guards: Guards::default(),
            zone: None,
            mood: watch::Sender::new(Mood::default()),
            epoch: Instant::now(),
            counters: Counters::default(),
            once: Mutex::default(),
            clock: Clock::set(),
            metronome: Metronome::default(),
            numbers: AtomicU64::new(1),
            nonce: fastrand::u32(..),
            meters: (0..threads).map(|_| Arc::new(Meter::new())).collect(),
        }
    }

    /// What it does beyond its description at the moment.
    pub(crate) fn mood(&self) -> Mood {
        *self.mood.borrow()
    }

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

/// Where a relay runs, and as which of several.
pub(super) struct Site {
    pub(super) listen: SocketAddr,
    /// How many threads serve; 0 means one a core.
    pub(super) threads: usize,
    pub(super) zone: Option<String>,
    pub(super) service_key: Option<ServiceKey>,
    pub(super) log: Option<log::Sender>,
    pub(super) guards: Guards,
}

/// A relay that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    helm: Helm,
    /// Dropping it stops the thread that accepts, and with it all others.
    running: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    journal: Option<Journal>,
}

impl Relay {
    /// Starts the relay; it listens when this returns. May be called inside or outside of async code.
    pub fn start(options: Options) -> Result<Self, Error> {
        let Options { listen, spec, log, guards, service_key, threads } = options;
        let (sender, journal) = match log {
            None => (None, None),
            Some(path) => Journal::open(path).map(|(sender, journal)| (Some(sender), Some(journal)))?,
        };
        let site = Site { listen, threads, zone: None, service_key, log: sender, guards };
        let mut relay = Self::begin(site, spec)?;
        relay.journal = journal;
        Ok(relay)
    }

    /// Starts the relay with a log that is another's to close.
    pub(super) fn begin(site: Site, spec: Spec) -> Result<Self, Error> {
        let Site { listen, threads, zone, service_key, log, guards } = site;
        let count = match threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let shared = Arc::new(Shared { guards, zone, service_key, ..Shared::new(spec, count) });
        let (order, orders) = mpsc::unbounded_channel();
        let helm = Helm::new(Arc::clone(&shared), order);
        // From here on, dropping `relay` on an error stops and joins what was started.
        let mut relay = Self { address: listen, helm, running: None, threads: Vec::new(), journal: None };
        let (mut queues, mut beats) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (number, meter) in shared.meters.iter().enumerate() {
            let (queue, connections) = mpsc::unbounded_channel();
            let (beat, meter) = (Arc::new(Notify::new()), Arc::clone(meter));
            beats.push(Arc::clone(&beat));
            let seat = Seat { shared: Arc::clone(&shared), meter, log: log.clone(), beat };
            relay.spawn(format!("mock-{number}"), move || serve(seat, connections))?;
            queues.push(queue);
        }
        drop(log);
        let metronome = Arc::clone(&shared);
        relay.spawn("mock-beat".into(), move || metronome.metronome.run(&beats))?;
        let (running, stopped) = oneshot::channel();
        let (report, reported) = std_mpsc::sync_channel(1);
        relay.running = Some(running);
        relay.spawn("mock-accept".into(), move || {
            listener::accept(Acceptor { listen, shared, queues, report, orders }, stopped);
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
        self.helm.stats()
    }

    /// How it is beyond its description.
    pub fn mood(&self) -> Mood {
        self.helm.mood()
    }

    /// Changes that. When this returns, what comes next meets the new mood; connections that are open follow at once.
    ///
    /// # Errors
    ///
    /// [`Error::Mood`] where a value is out of its bounds, and [`Error::Listen`] or [`Error::AddressInUse`] where the
    /// relay cannot listen again; it then refuses connections until another change succeeds.
    pub fn set_mood(&self, mood: Mood) -> Result<(), Error> {
        self.helm.set_mood(mood)
    }

    /// What changes and reads it from elsewhere.
    pub(super) fn helm(&self) -> Helm {
        self.helm.clone()
    }

    /// Stops its threads, closes its connections and completes the log, whose failure is the only error.
    pub fn stop(mut self) -> Result<(), Error> {
        self.halt()
    }

    fn halt(&mut self) -> Result<(), Error> {
        self.running = None;
        self.helm.stop_beat();
        for thread in self.threads.drain(..) {
            // A panic of the relay was printed by its own thread; the caller's work must go on.
            thread.join().ok();
        }
        self.journal.take().map_or(Ok(()), Journal::close)
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

/// A runtime for one thread.
pub(super) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
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
            if let Ok(stream) = TcpStream::from_std(connection) {
                tokio::task::spawn_local(connection::converse(stream, Rc::clone(&worker)));
            }
        }
    });
}
