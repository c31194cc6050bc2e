//! One HTTP/1.1 connection, driven by the request that it carries.

use std::future::{Future, poll_fn};
use std::io;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use super::super::Request;
use super::count::{Counted, Counts};
use super::fault::Fault;
use super::framing::{Framing, Step};
use super::head;
use super::head::{ReplyHead, WireHead};
use super::place::Place;
use super::stream::Stream;

/// How much is read at once, at first: what most replies and all pieces of a stream are smaller than.
const LEAST_ROOM: usize = 8 * 1024;
/// How much is read at once from a connection that brings more than that.
const MOST_ROOM: usize = 256 * 1024;
/// A body of at most so many bytes is copied behind its head, so that both leave in one piece.
const SMALL_BODY: usize = 8 * 1024;

/// A connection that carries one request at a time.
pub(super) struct Link {
    stream: Stream,
    /// What has still to leave of its request.
    output: Output,
    /// What has come and was not handed on.
    input: BytesMut,
    /// How much is read at once.
    room: usize,
    /// Where the body of the reply ends that it brings.
    framing: Framing,
    /// Whether the other side will take another request.
    keeps: bool,
    /// Counted while it is open.
    _open: Counted,
}

/// A request on its way out.
#[derive(Default)]
struct Output {
    /// Its head, with a small body behind it.
    head: Vec<u8>,
    /// A large body; what has left of it is cut off.
    body: Bytes,
    /// How much of the head has left.
    head_left: usize,
    /// Whether anything has.
    has_begun: bool,
    /// Whether all has.
    is_done: bool,
    /// When bytes last left.
    left: Option<Instant>,
    /// Why the rest cannot leave.
    trouble: Option<io::Error>,
}

/// Why a connection brought no reply.
pub(super) enum Unanswered {
    /// It had been closed before: nothing of the request has left.
    Unsent(Fault),
    /// Some of it may have reached the other side.
    Failed(Fault),
}

impl Link {
    /// Speaks HTTP/1.1 over a stream.
    pub(super) fn new(stream: Stream, counts: &Arc<Counts>) -> Self {
        Self {
            stream,
            output: Output::default(),
            input: BytesMut::new(),
            room: LEAST_ROOM,
            framing: Framing::Ended,
            keeps: true,
            _open: counts.open(),
        }
    }

    /// Sends a request and waits for the head of its reply.
    pub(super) async fn send(&mut self, place: &Place, request: &Request) -> Result<ReplyHead, Unanswered> {
        self.output.load(place, request);
        let answer = poll_fn(|context| self.poll_head(context)).await;
        answer.map_err(if self.output.has_begun { Unanswered::Failed } else { Unanswered::Unsent })
    }

    /// Sees whether a connection that has waited is still open; anything that came over it unasked, its end too, tells that
    /// it cannot be used.
    pub(super) async fn is_open(&mut self) -> bool {
        self.input.is_empty() && poll_fn(|context| Poll::Ready(self.poll_fill(context).is_pending())).await
    }

    /// When bytes of its request last left.
    pub(super) fn left(&self) -> Option<Instant> {
        self.output.left
    }

    /// The next bytes of the reply's body.
    pub(super) fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            match self.framing.take(&mut self.input)? {
                Step::Data(data) => return Poll::Ready(Ok(Some(data))),
                Step::End => return Poll::Ready(Ok(None)),
                Step::More => {}
            }
            // A reply may begin before all of its request has left.
            self.output.drive(&mut self.stream, context);
            if ready!(self.poll_fill(context))? == 0 {
                self.framing.close()?;
            }
        }
    }

    /// Prepares it to wait for its next request; whether there can be one.
    pub(super) fn rest(&mut self) -> bool {
        let is_free =
            self.keeps && self.output.is_done && self.framing == Framing::Ended && self.input.is_empty();
        if self.room > LEAST_ROOM {
            (self.input, self.room) = (BytesMut::new(), LEAST_ROOM);
        }
        is_free
    }

    /// Sends what can be sent, and reads the head of the reply.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<ReplyHead, Fault>> {
        self.output.drive(&mut self.stream, context);
        loop {
            if !self.input.is_empty()
                && let Some(head) = head::read(&mut self.input)?
            {
                if head.is_interim() {
                    continue;
                }
                let WireHead { reply, framing, keeps } = head;
                (self.framing, self.keeps) = (framing, keeps);
                return Poll::Ready(Ok(reply));
            }
            let end = match ready!(self.poll_fill(context)) {
                Ok(0) if self.input.is_empty() => Fault::Closed("without a word"),
                Ok(0) => Fault::Closed("within the head of its answer"),
                Ok(_) => continue,
                Err(error) => Fault::Io(error),
            };
            // A server that closes may have answered before; where it has not, what happened first tells more.
            return Poll::Ready(Err(self.output.trouble.take().map_or(end, Fault::Io)));
        }
    }

    /// Reads what has come; how many bytes that was, none at the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < self.room / 2 {
            self.input.reserve(self.room);
        }
        let free = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context))?;
        if read == free && self.room < MOST_ROOM {
            self.room *= 2;
        }
        Poll::Ready(Ok(read))
    }
}

impl Output {
    /// Takes in the next request.
    fn load(&mut self, place: &Place, request: &Request) {
        self.head.clear();
        head::write(&mut self.head, place, request);
        self.body = if request.body.len() > SMALL_BODY {
            request.body.clone()
        } else {
            self.head.extend_from_slice(&request.body);
            Bytes::new()
        };
        (self.head_left, self.left, self.trouble) = (0, None, None);
        (self.has_begun, self.is_done) = (false, false);
    }

    /// Writes as far as that goes without waiting.
    fn drive(&mut self, stream: &mut Stream, context: &mut Context<'_>) {
        if !self.is_done
            && self.trouble.is_none()
            && let Poll::Ready(Err(error)) = self.poll(stream, context)
        {
            self.trouble = Some(error);
        }
    }

    fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut stream = Pin::new(&mut *stream);
            let head = &self.head[self.head_left..];
            let wrote = match (head.is_empty(), self.body.is_empty()) {
                (true, true) => {
                    ready!(stream.poll_flush(context))?;
                    self.is_done = true;
                    return Poll::Ready(Ok(()));
                }
                (false, true) => stream.as_mut().poll_write(context, head),
                (true, false) => stream.as_mut().poll_write(context, &self.body),
                (false, false) => {
                    let parts = [IoSlice::new(head), IoSlice::new(&self.body)];
                    stream.as_mut().poll_write_vectored(context, &parts)
                }
            };
            let wrote = ready!(wrote)?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            (self.has_begun, self.left) = (true, Some(Instant::now()));
            let of_head = wrote.min(head.len());
            self.head_left += of_head;
            self.body.advance(wrote - of_head);
        }
    }
}
