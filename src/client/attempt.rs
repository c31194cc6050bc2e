//! One attempt: the request leaves, the reply is told apart, the answer is folded under its deadlines.

use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout, timeout_at};

use crate::net;
use crate::net::{Body, Request, Transport};
use crate::outcome::Class;
use crate::wire::{ApiError, BodyKind, Dialect, StreamDecoder, WireError, decode_error, decode_whole, sniff};

use super::deadlines::{Deadline, Deadlines, Progress};
use super::exchange::{ApiErrorText, Exchange, Trouble};
use super::fold::Fold;
use super::{Call, Client, Piece};

/// How much of an error's body is read.
const ERROR_BODY_LIMIT: usize = 64 * 1024;
/// How large a whole answer may be.
const WHOLE_BODY_LIMIT: usize = 256 * 1024 * 1024;
/// How long the end of the connection's body is waited for once the answer is complete, so that it can be reused.
const TRAILING_GRACE: Duration = Duration::from_secs(1);

/// A request on its way, and when the first attempt of its exchange began.
pub(super) struct Departure {
    pub(super) request: Request,
    pub(super) began: Instant,
}

/// Why reading an answer ended early.
enum Halt {
    Missed(Deadline),
    Net(net::Error),
    Wire(WireError),
    TooLarge,
    Sink,
}

impl<T: Transport> Client<T> {
    /// Carries one attempt to its end.
    pub(super) async fn attempt<S>(&self, call: &Call, departure: Departure, sink: &mut S) -> Exchange
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        let Departure { request, began } = departure;
        // Waiting for a place is no fault of the relay's: only the total limit counts it.
        let place = match before(self.timeouts.whole(began), self.transport.place()).await {
            Ok(place) => place,
            Err(missed) => {
                return Exchange::starting(call, Instant::now()).fail(missed.class, missed.trouble());
            }
        };
        let exchange = self.carry(call, Departure { request, began }, sink).await;
        place.leave().await;
        exchange
    }

    /// Carries one attempt that has its place to its end.
    async fn carry<S>(&self, call: &Call, departure: Departure, sink: &mut S) -> Exchange
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        let start = Instant::now();
        let Departure { request, began } = departure;
        let mut exchange = Exchange::starting(call, start);
        let deadlines = Deadlines { timeouts: self.timeouts, began, start, stream: call.stream };
        let sending = self.transport.send(request);
        let reply = match before(deadlines.next(Progress::default()), sending).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => return exchange.fail(error.class(), error),
            Err(missed) => return exchange.fail(missed.class, missed.trouble()),
        };
        exchange.read_head(&reply);
        let mut reader = Reader { body: reply.body, deadlines, progress: Progress::default(), call };
        let head = Head { status: reply.status, headers: reply.headers };
        match head.status {
            200..=299 => reader.read_answer(exchange, &head, sink).await,
            _ => reader.read_refusal(exchange, &head).await,
        }
    }
}

/// The status and headers of a reply whose body is being read.
struct Head {
    status: u16,
    headers: net::HeaderMap,
}

/// Reads one body under its deadlines.
struct Reader<'c> {
    body: Body,
    deadlines: Deadlines,
    progress: Progress,
    call: &'c Call,
}

impl Reader<'_> {
    /// The next chunk, or why there is none.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Halt> {
        match before(self.deadlines.next(self.progress), self.body.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk.inspect(|_| self.progress.last_byte = Some(Instant::now()))),
            Ok(Err(error)) => Err(Halt::Net(error)),
            Err(missed) => Err(Halt::Missed(missed)),
        }
    }

    /// Reads until the end or the limit.
    async fn rest(&mut self, mut read: BytesMut, limit: usize) -> Result<BytesMut, Halt> {
        while let Some(chunk) = self.chunk().await? {
            if read.len() + chunk.len() > limit {
                return Err(Halt::TooLarge);
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    }

    /// A reply other than 2xx: its error is read and classed.
    async fn read_refusal(&mut self, mut exchange: Exchange, head: &Head) -> Exchange {
        let mut body = BytesMut::new();
        // What can be read of an error is enough of it: a break or a limit here changes nothing about its class.
        while let Ok(Some(chunk)) = self.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BODY_LIMIT {
                break;
            }
        }
        exchange.marks.first_byte = self.progress.last_byte.map(|at| at - exchange.marks.start);
        let error = decode_error(head.status, &body);
        if exchange.ids.relay.is_none() {
            exchange.ids.relay.clone_from(&error.request_id);
        }
        let class = class_of(head.status, &error);
        if class == Class::Http3xx {
            let location = head.headers.get("location").and_then(|value| value.to_str().ok());
            return exchange.fail(class, Trouble::Redirect(location.unwrap_or("nowhere").to_owned()));
        }
        exchange.fail(class, Trouble::Status(ApiErrorText { status: head.status, error }))
    }

    /// A 2xx reply: the first bytes tell what it is.
    async fn read_answer<S>(&mut self, mut exchange: Exchange, head: &Head, sink: &mut S) -> Exchange
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
        let mut first = BytesMut::new();
        let kind = loop {
            match self.chunk().await {
                Ok(Some(chunk)) => first.extend_from_slice(&chunk),
                Ok(None) => break sniff(content_type, &first),
                Err(halt) => return halted(exchange, &Fold::default(), halt),
            }
            let arrived = exchange.marks.start.elapsed();
            exchange.marks.first_byte.get_or_insert(arrived);
            if self.call.dialect == Dialect::Raw {
                break BodyKind::Sse;
            }
            let kind = sniff(content_type, &first);
            if !matches!(kind, BodyKind::Empty | BodyKind::Undecided) {
                break kind;
            }
        };
        match kind {
            BodyKind::Sse => self.read_stream(exchange, first.freeze(), sink).await,
            BodyKind::Json => self.read_whole(exchange, first, sink).await,
            BodyKind::Empty => exchange.fail(Class::Empty, Trouble::EmptyBody),
            BodyKind::Html => {
                let page = self.rest(first, ERROR_BODY_LIMIT).await.unwrap_or_default();
                let title = decode_error(head.status, &page).message;
                exchange.fail(Class::Protocol, Trouble::Html(format!(" ({title})")))
            }
            BodyKind::Text | BodyKind::Undecided => {
                let text = decode_error(head.status, &first).message;
                exchange.fail(Class::Protocol, Trouble::Text(text))
            }
        }
    }

    /// An event stream, whether it was asked for or not.
    async fn read_stream<S>(&mut self, mut exchange: Exchange, first: Bytes, sink: &mut S) -> Exchange
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        exchange.streamed = self.call.stream;
        let mut decoder = StreamDecoder::new(self.call.dialect);
        let mut fold = Fold::default();
        let mut next = Some(first).filter(|bytes| !bytes.is_empty());
        loop {
            let Some(chunk) = next else { break };
            let stage = Stage { exchange: &mut exchange, fold: &mut fold, progress: &mut self.progress };
            if let Err(halt) = stage.feed(&mut decoder, Some(&chunk), sink) {
                return halted(exchange, &fold, halt);
            }
            if fold.terminal || fold.error.is_some() {
                let _ = timeout(TRAILING_GRACE, async { while let Ok(Some(_)) = self.body.chunk().await {} })
                    .await;
                return self.judge(exchange, fold);
            }
            next = match self.chunk().await {
                Ok(chunk) => chunk,
                Err(halt) => return halted(exchange, &fold, halt),
            };
        }
        let stage = Stage { exchange: &mut exchange, fold: &mut fold, progress: &mut self.progress };
        if let Err(halt) = stage.feed(&mut decoder, None, sink) {
            return halted(exchange, &fold, halt);
        }
        self.judge(exchange, fold)
    }

    /// One whole JSON reply.
    async fn read_whole<S>(&mut self, mut exchange: Exchange, first: BytesMut, sink: &mut S) -> Exchange
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        let mut fold = Fold::default();
        let body = match self.rest(first, WHOLE_BODY_LIMIT).await {
            Ok(body) => body,
            Err(halt) => return halted(exchange, &fold, halt),
        };
        let at = exchange.marks.start.elapsed();
        let mut flow = sink(Piece::Wire(&body));
        let marks = &mut exchange.marks;
        let decoded = decode_whole(self.call.dialect, &body, &mut |event| {
            fold.take(at, &event, marks);
            if flow.is_continue() {
                flow = sink(Piece::Event(at, &event));
            }
        });
        if flow.is_break() {
            return halted(exchange, &fold, Halt::Sink);
        }
        if let Err(error) = decoded {
            return halted(exchange, &fold, Halt::Wire(error));
        }
        exchange.marks.last_delta = Some(at);
        exchange.marks.end = Some(at);
        let judged = self.judge(exchange, fold);
        if self.call.stream && judged.trouble.is_none() {
            return judged.fail(Class::Protocol, Trouble::NotAStream);
        }
        judged
    }

    /// The class of an answer whose bytes have all been read.
    fn judge(&self, mut exchange: Exchange, mut fold: Fold) -> Exchange {
        if let Some(error) = fold.error.take() {
            let class = if error.is_quota() { Class::Quota } else { Class::StreamError };
            let status = exchange.status.unwrap_or(200);
            return settle(exchange, &fold).fail(class, Trouble::Reported(ApiErrorText { status, error }));
        }
        if !fold.terminal {
            let (deltas, expected) = (fold.deltas, terminal_event(self.call.dialect));
            return settle(exchange, &fold).fail(Class::Truncated, Trouble::Truncated { deltas, expected });
        }
        exchange.complete = true;
        let class = fold.class();
        let mut exchange = settle(exchange, &fold);
        if class == Class::Empty {
            return exchange.fail(class, Trouble::NothingGenerated);
        }
        exchange.class = class;
        exchange
    }
}

/// Where the events of one chunk go.
struct Stage<'a> {
    exchange: &'a mut Exchange,
    fold: &'a mut Fold,
    progress: &'a mut Progress,
}

impl Stage<'_> {
    /// Decodes one chunk, or the end of the stream, into the fold and the sink.
    fn feed<S>(self, decoder: &mut StreamDecoder, chunk: Option<&Bytes>, sink: &mut S) -> Result<(), Halt>
    where
        S: FnMut(Piece<'_>) -> ControlFlow<()>,
    {
        let Self { exchange, fold, progress } = self;
        let now = Instant::now();
        let at = now - exchange.marks.start;
        let before = fold.deltas;
        let mut flow = chunk.map_or(ControlFlow::Continue(()), |bytes| sink(Piece::Wire(bytes)));
        let mut emit = |event: crate::wire::Event<'_>| {
            fold.take(at, &event, &mut exchange.marks);
            if flow.is_continue() {
                flow = sink(Piece::Event(at, &event));
            }
        };
        let read = match chunk {
            Some(bytes) => decoder.feed(bytes, &mut emit),
            None => decoder.finish(&mut emit),
        };
        if fold.deltas > before {
            progress.last_delta = Some(now);
        }
        match flow {
            ControlFlow::Break(()) => Err(Halt::Sink),
            ControlFlow::Continue(()) => read.map_err(Halt::Wire),
        }
    }
}

impl Deadline {
    fn trouble(&self) -> Trouble {
        let (what, flag) = match self.class {
            Class::TimeoutFirstByte => ("no byte of the answer", "--first-byte-timeout"),
            Class::TimeoutFirstToken => ("nothing was generated", "--first-token-timeout"),
            Class::TimeoutIdle => ("not a byte more", "--idle-timeout"),
            Class::TimeoutStall => ("nothing more was generated, though bytes arrived,", "--stall-timeout"),
            _ => ("no whole answer", "--timeout"),
        };
        Trouble::Timeout { what, flag, limit: self.limit }
    }
}

/// The class of an answer whose reading ended early.
fn halted(exchange: Exchange, fold: &Fold, halt: Halt) -> Exchange {
    let exchange = settle(exchange, fold);
    match halt {
        Halt::Missed(deadline) => exchange.fail(deadline.class, deadline.trouble()),
        Halt::Net(error) => exchange.fail(error.class(), error),
        Halt::Wire(error) => exchange.fail(Class::Protocol, error),
        Halt::TooLarge => exchange.fail(Class::Protocol, Trouble::TooLarge { limit: WHOLE_BODY_LIMIT }),
        Halt::Sink => Exchange { class: Class::Cancelled, ..exchange },
    }
}

/// Waits for a future until a deadline.
async fn before<F: Future>(deadline: Option<Deadline>, future: F) -> Result<F::Output, Deadline> {
    match deadline {
        Some(deadline) => timeout_at(deadline.at, future).await.map_err(|_| deadline),
        None => Ok(future.await),
    }
}

/// Carries what the events said over to the exchange.
fn settle(mut exchange: Exchange, fold: &Fold) -> Exchange {
    exchange.deltas = fold.deltas;
    exchange.usage = fold.usage;
    exchange.tokens = fold.tokens();
    exchange.stop.clone_from(&fold.stop);
    exchange.model.clone_from(&fold.model);
    exchange
}

/// The class of a status other than 2xx, with what its body says.
fn class_of(status: u16, error: &ApiError) -> Class {
    match status {
        300..=399 => Class::Http3xx,
        _ if error.is_quota() || status == 402 => Class::Quota,
        401 | 403 => Class::Auth,
        429 => Class::RateLimited,
        529 => Class::Overloaded,
        500.. if error.is_overloaded() => Class::Overloaded,
        500.. => Class::Http5xx,
        _ => Class::Http4xx,
    }
}

/// The event that ends a dialect's stream.
fn terminal_event(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Messages => "message_stop",
        Dialect::Chat => "[DONE]",
        Dialect::Responses => "response.completed",
        Dialect::Complete => "a stop_reason",
        Dialect::Raw => "the end of the body",
    }
}
