//! The relay's ear: the thread that listens, hands connections round, and stops and begins to listen when it is told.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::mock::server::Error;
use crate::mock::server::Shared;
use crate::mock::server::runtime;

/// How many connections may wait to be accepted: a whole load test may knock at the same moment.
const BACKLOG: u32 = 4096;

/// What the accepting thread needs.
pub(crate) struct Acceptor {
    pub(crate) listen: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queues: Vec<mpsc::UnboundedSender<StdStream>>,
    pub(crate) report: std_mpsc::SyncSender<Result<SocketAddr, Error>>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
}

/// Whether to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Accept what comes.
    On,
    /// Let the system refuse what comes, and keep the address.
    Off,
}

/// What the thread is told, and where it says that it is done.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) listen: Listen,
    pub(crate) done: std_mpsc::SyncSender<Result<(), Error>>,
}

/// The address while it is the relay's.
enum Ear {
    Open(TcpListener),
    /// Bound and not listening, so that nobody else takes the port.
    Shut(TcpSocket),
}

/// Listens, reports the address, and hands connections round until it is stopped.
pub(crate) fn accept(acceptor: Acceptor, mut stopped: oneshot::Receiver<()>) {
    let Acceptor { listen, shared, queues, report, mut orders } = acceptor;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(problem) => {
            report.send(Err(Error::Thread(problem))).ok();
            return;
        }
    };
    runtime.block_on(async {
        let opened = bind(listen).and_then(|socket| {
            let listener = socket.listen(BACKLOG)?;
            Ok((listener.local_addr()?, listener))
        });
        let (mut ear, address) = match opened {
            Ok((address, listener)) => (Some(Ear::Open(listener)), address),
            Err(problem) => {
                report.send(Err(refused(listen, problem))).ok();
                return;
            }
        };
        report.send(Ok(address)).ok();
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                () = hand_round(ear.as_ref(), &queues, &shared) => {}
                Some(order) = orders.recv() => {
                    let turned = turn(&mut ear, address, order.listen);
                    order.done.send(turned.map_err(|problem| refused(address, problem))).ok();
                }
            }
        }
    });
}

/// Begins or stops to listen. What fails leaves the relay without an ear, and can be tried again.
fn turn(ear: &mut Option<Ear>, address: SocketAddr, listen: Listen) -> io::Result<()> {
    let turned = match (ear.take(), listen) {
        (Some(Ear::Open(listener)), Listen::Off) => {
            drop(listener);
            Ear::Shut(bind(address)?)
        }
        (None, Listen::Off) => Ear::Shut(bind(address)?),
        (Some(Ear::Shut(socket)), Listen::On) => Ear::Open(socket.listen(BACKLOG)?),
        (None, Listen::On) => Ear::Open(bind(address)?.listen(BACKLOG)?),
        (Some(same), _) => same,
    };
    *ear = Some(turned);
    Ok(())
}

/// Takes an address.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

pub(super) fn refused(address: SocketAddr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address },
        _ => Error::Listen { address, source },
    }
}

/// Accepts connections and deals them to the serving threads in turn; waits for ever where nothing listens.
async fn hand_round(ear: Option<&Ear>, queues: &[mpsc::UnboundedSender<StdStream>], shared: &Shared) {
    let Some(Ear::Open(listener)) = ear else { return pending().await };
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
