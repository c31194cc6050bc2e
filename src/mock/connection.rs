//! One connection and the requests on it, in whatever mood the relay is.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::pin::pin;
use std::rc::Rc;
use std::task::Context;
use std::task::Poll;

use hyper::Version;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::mock::mood::Connections;
use crate::mock::respond;
use crate::mock::server::Worker;

/// How many streams one HTTP/2 connection may carry; the relay limits requests by its slots instead.
const STREAMS: u32 = 100_000;

/// Serves one connection, whichever version of HTTP it speaks.
pub(crate) async fn converse(stream: TcpStream, worker: Rc<Worker>) {
    let mut mood = worker.shared.mood.subscribe();
    let (is_abrupt, is_http2) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let peer = stream.peer_addr().ok().map(|peer| peer.ip());
    let socket = Socket { stream, is_abrupt: Rc::clone(&is_abrupt) };
    let mut builder = auto::Builder::new(Locally);
    // One flat write a frame costs the kernel less than three small parts.
    builder.http1().writev(false);
    builder.http2().max_concurrent_streams(STREAMS);
    let sees_http2 = Rc::clone(&is_http2);
    let service = service_fn(move |request| {
        sees_http2.set(request.version() == Version::HTTP_2);
        respond::respond(Rc::clone(&worker), peer, request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(socket), service));
    loop {
        let now = *mood.borrow_and_update();
        if matches!(now.connections, Connections::Reset | Connections::Refused) {
            return is_abrupt.set(true);
        }
        if now.drain && is_http2.get() {
            // HTTP/1 says it with each reply.
            serving.as_mut().graceful_shutdown();
        }
        tokio::select! {
            biased;
            // First, so that nothing that comes after a change is read in the mood before it.
            changed = mood.changed() => if changed.is_err() { return },
            // Clients that leave and faults that cut are no concern of the server's.
            _ = serving.as_mut(), if now.connections == Connections::Open => return,
        }
    }
}

/// Runs HTTP/2's tasks on the thread of their connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Locally;

impl<F> hyper::rt::Executor<F> for Locally
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// A connection that can be reset in place of being closed.
struct Socket {
    stream: TcpStream,
    /// Whether dropping it resets it.
    is_abrupt: Rc<Cell<bool>>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_abrupt.get() {
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
