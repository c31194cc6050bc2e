//! The bytes of one connection, whatever carries them, and whether any have come.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// TCP or a Unix socket, plain or in TLS.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Channel for C {}

/// A channel that tells when the other side is first heard.
pub(super) struct Stream {
    channel: Box<dyn Channel>,
    /// Told once, when the first bytes come.
    heard: Arc<Notify>,
    /// Whether anything has come, be it the end.
    has_heard: bool,
    /// Whether both sides have agreed on HTTP/2.
    pub(super) speaks_two: bool,
}

impl Stream {
    /// A channel over which nothing has come yet.
    pub(super) fn new(channel: impl Channel + 'static, speaks_two: bool) -> Self {
        Self { channel: Box::new(channel), heard: Arc::default(), has_heard: false, speaks_two }
    }

    /// What is notified when the other side has sent its first bytes, or has closed.
    pub(super) fn heard(&self) -> Arc<Notify> {
        Arc::clone(&self.heard)
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
            self.heard.notify_one();
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
        Pin::new(&mut self.channel).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.channel).poll_write_vectored(context, parts)
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
