//! The bytes of one connection, whatever carries them, with the moments at which bytes last left and first came.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// TCP or a Unix socket, plain or in TLS.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Channel for C {}

/// A channel that notes when bytes leave and come.
pub(super) struct Stream {
    channel: Box<dyn Channel>,
    clock: Arc<Clock>,
    /// Whether anything has come, be it the end.
    has_heard: bool,
    /// Whether both sides have agreed on HTTP/2.
    pub(super) speaks_two: bool,
}

/// When bytes last left over a connection, and whether any have come; read by the request that it carries.
#[derive(Debug)]
pub(super) struct Clock {
    born: Instant,
    /// Since it was born; zero where none has left.
    left_ns: AtomicU64,
    /// Told once, when the first bytes come.
    heard: Notify,
}

impl Clock {
    /// When bytes last left.
    pub(super) fn left(&self) -> Option<Instant> {
        match self.left_ns.load(Ordering::Relaxed) {
            0 => None,
            ns => Some(self.born + Duration::from_nanos(ns)),
        }
    }

    /// Waits until the other side has sent its first bytes, or has closed.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
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
        let clock = Clock { born: Instant::now(), left_ns: AtomicU64::new(0), heard: Notify::new() };
        Self { channel: Box::new(channel), clock: Arc::new(clock), has_heard: false, speaks_two }
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
        let read = Pin::new(&mut self.channel).poll_read(context, into);
        if read.is_ready() && !self.has_heard {
            self.has_heard = true;
            self.clock.heard.notify_one();
        }
        read
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
