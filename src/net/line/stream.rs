//! The bytes of one connection, whatever carries them, with the moment at which bytes last left.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// TCP or a Unix socket, plain or in TLS.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Channel for C {}

/// A channel that notes when bytes left.
pub(super) struct Stream {
    channel: Box<dyn Channel>,
    clock: Arc<Clock>,
    /// Whether both sides have agreed on HTTP/2.
    pub(super) speaks_two: bool,
}

/// When bytes last left over a connection; read by the request that it carries.
#[derive(Debug)]
pub(super) struct Clock {
    born: Instant,
    /// Since it was born; zero where none has left.
    left_ns: AtomicU64,
}

impl Clock {
    /// When bytes last left.
    pub(super) fn left(&self) -> Option<Instant> {
        match self.left_ns.load(Ordering::Relaxed) {
            0 => None,
            ns => Some(self.born + Duration::from_nanos(ns)),
        }
    }

    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            let age = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.left_ns.store(age.max(1), Ordering::Relaxed);
        }
        written
    }
}

impl Stream {
    /// A channel over which nothing has left yet.
    pub(super) fn new(channel: impl Channel + 'static, speaks_two: bool) -> Self {
        let clock = Arc::new(Clock { born: Instant::now(), left_ns: AtomicU64::new(0) });
        Self { channel: Box::new(channel), clock, speaks_two }
    }

    /// Its clock.
    pub(super) fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.clock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.channel).poll_write(context, bytes);
        self.clock.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.channel).poll_write_vectored(context, parts);
        self.clock.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
