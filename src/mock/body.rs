//! The bodies of the relay's replies, as hyper takes them: a parcel that is ready, or a stream that is played.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http_body::Frame;
use http_body::SizeHint;

use crate::mock::playback::Playback;
use crate::mock::ticket::Ticket;

/// The relay broke off on purpose; hyper then drops the connection (HTTP/1) or resets the stream (HTTP/2).
#[derive(Debug, thiserror::Error)]
#[error("the relay breaks off")]
pub(crate) struct Severed;

/// A reply's body.
pub(crate) enum Body {
    /// Bytes that are ready.
    Parcel(Box<Parcel>),
    /// Bytes that come in their time.
    Stream(Box<Playback>),
}

/// Bytes that are ready, and how they end.
pub(crate) struct Parcel {
    /// What is left to send.
    chunks: Chunks,
    /// The length that is promised; without one the body is chunked.
    promised: Option<u64>,
    /// What comes after the bytes.
    ending: Ending,
    /// The request; `None` for those that are not counted.
    ticket: Option<Ticket>,
}

/// What comes after the bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its end.
    Clean,
    /// A dropped connection.
    Cut,
    /// Nothing, for ever.
    Hang,
}

/// Bytes to be written one by one, each flushed before the next.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    waiting: VecDeque<Bytes>,
    /// Whether a chunk was given out since the last time that hyper could flush.
    is_unflushed: bool,
}

impl Chunks {
    /// Adds a chunk.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.waiting.push_back(chunk);
    }

    /// Adds bytes in chunks that end inside of each character of several bytes.
    pub(crate) fn push_split(&mut self, mut bytes: Bytes) {
        while let Some(at) = bytes.iter().skip(1).position(|byte| byte & 0xC0 == 0x80) {
            self.push(bytes.split_to(at + 1));
        }
        self.push(bytes);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next chunk, once the one before is flushed; `None` if there is none.
    ///
    /// Hyper flushes when a body has nothing to say, so after each chunk the body is briefly silent.
    pub(crate) fn poll_flushed(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.waiting.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.poll_flush(cx));
        self.is_unflushed = true;
        Poll::Ready(self.waiting.pop_front())
    }

    /// The next chunk without regard to flushing.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let chunk = self.waiting.pop_front();
        self.is_unflushed |= chunk.is_some();
        chunk
    }

    /// Ready when all that was given out is flushed.
    pub(crate) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.is_unflushed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Parcel {
    /// A reply in one piece.
    pub(crate) fn whole(bytes: Bytes, ticket: Option<Ticket>) -> Self {
        let mut chunks = Chunks::default();
        let promised = Some(bytes.len() as u64);
        if !bytes.is_empty() {
            chunks.push(bytes);
        }
        let mut parcel = Self { chunks, promised, ending: Ending::Clean, ticket };
        if parcel.chunks.is_empty() {
            parcel.settle();
        }
        parcel
    }

    /// A reply that ends in its middle: short of what it promised, or with no promise if it ends cleanly.
    pub(crate) fn half(mut bytes: Bytes, ending: Ending, ticket: Ticket) -> Self {
        let promised = (ending != Ending::Clean).then_some(bytes.len() as u64);
        bytes.truncate(bytes.len() / 2);
        let mut chunks = Chunks::default();
        chunks.push(bytes);
        Self { chunks, promised, ending, ticket: Some(ticket) }
    }

    /// A reply whose writes end inside of characters.
    pub(crate) fn split(bytes: Bytes, ticket: Ticket) -> Self {
        let mut chunks = Chunks::default();
        let promised = Some(bytes.len() as u64);
        chunks.push_split(bytes);
        Self { chunks, promised, ending: Ending::Clean, ticket: Some(ticket) }
    }

    /// Closes the request's record after its last byte.
    fn settle(&mut self) {
        if let Some(mut ticket) = self.ticket.take() {
            ticket.finish();
        }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Severed>>> {
        if let Some(chunk) = ready!(self.chunks.poll_flushed(cx)) {
            if self.ending == Ending::Clean && self.chunks.is_empty() {
                self.settle();
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
        match self.ending {
            Ending::Clean => Poll::Ready(None),
            Ending::Hang => Poll::Pending,
            Ending::Cut => {
                ready!(self.chunks.poll_flush(cx));
                if let Some(mut ticket) = self.ticket.take() {
                    ticket.sever();
                }
                Poll::Ready(Some(Err(Severed)))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Severed;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Severed>>> {
        let chunk = match self.get_mut() {
            Self::Parcel(parcel) => parcel.poll(cx),
            Self::Stream(playback) => playback.poll(cx),
        };
        chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Parcel(parcel) => parcel.ending == Ending::Clean && parcel.chunks.is_empty(),
            Self::Stream(playback) => playback.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Parcel(parcel) => parcel.promised.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_chunks_end_inside_of_every_wide_character() {
        let mut chunks = Chunks::default();
        chunks.push_split("aé日b".into());
        let parts: Vec<_> = std::iter::from_fn(|| chunks.pop()).collect();
        assert_eq!(parts, [&b"a\xC3"[..], b"\xA9\xE6", b"\x97", b"\xA5b"]);
    }
}
