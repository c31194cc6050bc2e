//! A gateway in front of an upstream: it passes everything through faithfully but for the habits of its personality.
//!
//! It plays two parts. With a [`Personality`] it is a relay whose faults are known, so that what looks for faults can be
//! tried on it. Without one it is an ear at the upstream's end of a real relay: [`Gateway::sightings`] tells what came
//! in and what became of it. It knows HTTP and the outlines of the dialects, and shares no code with the client.

mod door;
mod forward;
mod habits;
mod sighting;
mod stream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

use super::Error;
use super::connection::Locally;

pub use self::habits::{Habit, Personality};
pub use self::sighting::{Fate, Sighting, Sightings};

use self::door::{Door, Places};

/// Where and how a gateway runs.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it forwards to.
    pub upstream: SocketAddr,
    /// What it is like.
    pub personality: Personality,
    /// The only key it lets in, if it asks for one.
    pub key: Option<String>,
    /// How many requests it serves at a time.
    pub places: usize,
    /// How long a request is held back whose model's name ends in [`HELD`], if any is.
    pub hold: Option<Duration>,
    /// How long an upstream may be silent before a gateway with that habit gives it up.
    pub patience: Duration,
}

/// What the name of a model ends with whose answer is held back.
pub const HELD: &str = "-held";

/// A model that no relay has.
pub const NO_MODEL: &str = "mock-no-such-model";

impl GatewayOptions {
    /// A faithful gateway on a free port of the loopback interface.
    pub fn to(upstream: SocketAddr) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            upstream,
            personality: Personality::default(),
            key: None,
            // As few as shows within one check whether those of clients who left are free again.
            places: 16,
            hold: None,
            patience: Duration::from_secs(60),
        }
    }

    /// An ear at a relay's upstream: it passes on even what no relay should, and echoes nothing.
    pub fn ear(upstream: SocketAddr, hold: Duration) -> Self {
        let personality = Personality::of(&[Habit::PassEmpty, Habit::LoseRequestId]);
        Self { personality, hold: Some(hold), places: 64, ..Self::to(upstream) }
    }
}

/// What all connections of a gateway share.
struct Hub {
    options: GatewayOptions,
    places: Places,
    sightings: Sightings,
}

/// A gateway that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    sightings: Sightings,
    /// Dropping it stops the thread.
    running: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Gateway {
    /// Starts the gateway; it listens when this returns.
    pub fn start(options: GatewayOptions) -> Result<Self, Error> {
        let sightings = Sightings::default();
        let (running, stopped) = oneshot::channel();
        let (report, reported) = mpsc::sync_channel(1);
        let seen = sightings.clone();
        let serve = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(problem) => return drop(report.send(Err(Error::Thread(problem)))),
            };
            let listen = options.listen;
            let places = Places::new(options.places);
            let hub = Rc::new(Hub { options, places, sightings: seen });
            LocalSet::new().block_on(&runtime, async move {
                match TcpListener::bind(listen).await.and_then(|socket| Ok((socket.local_addr()?, socket))) {
                    Ok((address, listener)) => {
                        report.send(Ok(address)).ok();
                        tokio::select! {
                            _ = stopped => {}
                            () = accept(listener, hub) => {}
                        }
                    }
                    Err(source) => drop(report.send(Err(refused(listen, source)))),
                }
            });
        };
        let thread =
            thread::Builder::new().name("mock-gateway".into()).spawn(serve).map_err(Error::Thread)?;
        let address = reported.recv().map_err(|lost| Error::Thread(io::Error::other(lost)))??;
        Ok(Self { address, sightings, running: Some(running), thread: Some(thread) })
    }

    /// The address it listens at.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen.
    pub const fn sightings(&self) -> &Sightings {
        &self.sightings
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running = None;
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its own thread; the caller's work must go on.
            thread.join().ok();
        }
    }
}

fn refused(address: SocketAddr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address },
        _ => Error::Listen { address, source },
    }
}

/// Accepts connections for ever.
async fn accept(listener: TcpListener, hub: Rc<Hub>) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => drop(spawn_local(converse(connection, Rc::clone(&hub)))),
            // Out of descriptors, most likely: others have to close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection.
async fn converse(connection: TcpStream, hub: Rc<Hub>) {
    connection.set_nodelay(true).ok();
    let keeps = !hub.options.personality.has(Habit::CloseConnections);
    let mut builder = auto::Builder::new(Locally);
    builder.http1().keep_alive(keeps);
    let service = service_fn(move |request| {
        let hub = Rc::clone(&hub);
        async move { Door(&hub).enter(request).await }
    });
    // Clients that leave are no concern of the server's.
    builder.serve_connection(TokioIo::new(connection), service).await.ok();
}
