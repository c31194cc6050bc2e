//! Reads the body of one reply under its deadlines: a refusal, a stream, a whole answer or a document.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

use crate::net;
use crate::net::Body;
use crate::outcome::Class;
use crate::wire::{ApiError, BodyKind, Dialect, StreamDecoder, decode_error, decode_whole, sniff};

use super::deadlines::Progress;
use super::exchange::{ApiErrorText, Exchange, Trouble, class_of};
use super::fold::Fold;
use super::joined::Joined;
use super::mask::Mask;
use super::patience::{Halt, Patience};
use super::{Call, Piece, Sink};

/// How much of an error's body is read.
const ERROR_BODY_LIMIT: usize = 64 * 1024;
/// How large a whole answer may be.
const WHOLE_BODY_LIMIT: usize = 256 * 1024 * 1024;
/// How long the end of the connection's body is waited for once the answer is complete, so that it can be reused.
const TRAILING_GRACE: Duration = Duration::from_millis(50);

/// The status and headers of a reply whose body is being read.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: net::Headers,
}

/// Reads one body under its deadlines.
pub(super) struct Reader<'c> {
    pub(super) body: Body,
    pub(super) patience: Patience<'c>,
    pub(super) progress: Progress,
    pub(super) call: &'c Call,
    pub(super) secrets: &'c Mask,
}

impl Reader<'_> {
    /// The next chunk, or why there is none.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Halt> {
        let came = self.patience.wait(self.progress, self.body.chunk()).await?;
        self.note(came)
    }

    /// Notes that something came.
    fn note(&mut self, came: Result<Option<Bytes>, net::Error>) -> Result<Option<Bytes>, Halt> {
        let chunk = came.map_err(Halt::Net)?;
        if chunk.is_some() {
            self.progress.last_byte = Some(Instant::now());
            self.patience.progressed();
        }
        Ok(chunk)
    }

    /// The next chunk, once the sink has room for it.
    async fn chunk_for(&mut self, sink: &mut impl Sink) -> Result<Option<Bytes>, Halt> {
        if sink.gathers()
            && let Some(came) = self.body.chunk().now_or_never()
        {
            return self.note(came);
        }
        let full = Instant::now();
        if self.patience.of_total().wait(Progress::default(), sink.ready()).await?.is_break() {
            return Err(Halt::Stopped);
        }
        self.progress.pause(full.elapsed());
        self.chunk().await
    }

    /// Where the events of the next chunk go.
    fn stage<'a>(&'a mut self, exchange: &'a mut Exchange, fold: &'a mut Fold) -> Stage<'a> {
        Stage { exchange, fold, progress: &mut self.progress, secrets: self.secrets }
    }

    /// Reads until the end or the limit.
    async fn rest(&mut self, mut read: Joined, limit: usize) -> Result<Bytes, Halt> {
        while let Some(chunk) = self.chunk().await? {
            if read.len() + chunk.len() > limit {
                return Err(Halt::TooLarge);
            }
            read.add(chunk);
        }
        Ok(read.freeze())
    }

    /// A reply other than 2xx: its error is read and classed.
    pub(super) async fn read_refusal(&mut self, exchange: &mut Exchange, head: &Head) {
        let mut body = Joined::default();
        // What can be read of an error is enough of it: a break or a limit here changes nothing about its class.
        while let Ok(Some(chunk)) = self.chunk().await {
            body.add(chunk);
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
            let location = head.headers.text("location");
            return exchange.fail(class, Trouble::Redirect(location.unwrap_or("nowhere").to_owned()));
        }
        exchange.fail(class, Trouble::Status(ApiErrorText { status: head.status, error }));
    }

    /// A 2xx reply: the first bytes tell what it is.
    pub(super) async fn read_answer<S: Sink>(&mut self, exchange: &mut Exchange, head: &Head, sink: &mut S) {
        let content_type = head.headers.text("content-type");
        let mut first = Joined::default();
        let kind = loop {
            match self.chunk().await {
                // Some relays send blanks to keep a connection alive until they have an answer: none is kept.
                Ok(Some(chunk)) if first.is_empty() && self.call.dialect != Dialect::Raw => {
                    first.add(chunk.slice_ref(chunk.trim_ascii_start()));
                }
                Ok(Some(chunk)) => first.add(chunk),
                Ok(None) => break sniff(content_type, &first),
                Err(halt) => return halted(exchange, Fold::default(), halt),
            }
            let arrived = self.progress.last_byte.map(|at| at - exchange.marks.start);
            exchange.marks.first_byte = exchange.marks.first_byte.or(arrived);
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
            BodyKind::Html => {
                let page = self.rest(first, ERROR_BODY_LIMIT).await.unwrap_or_default();
                misread(exchange, kind, decode_error(head.status, &page));
            }
            _ => misread(exchange, kind, decode_error(head.status, &first)),
        }
    }

    /// A 2xx reply to a question that no model answers: JSON in one piece, and nothing else; nothing where that failed.
    pub(super) async fn read_document(&mut self, exchange: &mut Exchange, head: &Head) -> Option<Bytes> {
        let body = match self.rest(Joined::default(), WHOLE_BODY_LIMIT).await {
            Ok(body) => body,
            Err(halt) => {
                halted(exchange, Fold::default(), halt);
                return None;
            }
        };
        // The type that is claimed says nothing here: only JSON can be read.
        match sniff(None, &body) {
            BodyKind::Json => Some(body),
            kind => {
                misread(exchange, kind, decode_error(head.status, &body));
                None
            }
        }
    }

    /// An event stream, whether it was asked for or not.
    async fn read_stream<S: Sink>(&mut self, exchange: &mut Exchange, first: Bytes, sink: &mut S) {
        exchange.streamed = self.call.stream;
        let mut decoder = StreamDecoder::new(self.call.dialect);
        let mut fold = Fold::default();
        let mut next = Some(first).filter(|bytes| !bytes.is_empty());
        loop {
            let Some(chunk) = next else { break };
            let stage = self.stage(exchange, &mut fold);
            if let Err(halt) = stage.feed(&mut decoder, Some(&chunk), sink) {
                return halted(exchange, fold, halt);
            }
            if fold.terminal || fold.error.is_some() {
                let _ = timeout(TRAILING_GRACE, async { while let Ok(Some(_)) = self.body.chunk().await {} })
                    .await;
                return self.judge(exchange, fold);
            }
            next = match self.chunk_for(sink).await {
                Ok(chunk) => chunk,
                Err(halt) => return halted(exchange, fold, halt),
            };
        }
        let stage = self.stage(exchange, &mut fold);
        if let Err(halt) = stage.feed(&mut decoder, None, sink) {
            return halted(exchange, fold, halt);
        }
        self.judge(exchange, fold);
    }

    /// One whole JSON reply.
    async fn read_whole<S: Sink>(&mut self, exchange: &mut Exchange, first: Joined, sink: &mut S) {
        let mut fold = Fold::default();
        let body = match self.rest(first, WHOLE_BODY_LIMIT).await {
            Ok(body) => body,
            Err(halt) => return halted(exchange, fold, halt),
        };
        let at = exchange.marks.start.elapsed();
        let mut flow = sink.take(Piece::Wire(&body));
        let (marks, secrets) = (&mut exchange.marks, self.secrets);
        let decoded = decode_whole(self.call.dialect, &body, &mut |event| {
            fold.take(at, &event, marks);
            if flow.is_continue() {
                flow = sink.take(Piece::Event(at, &secrets.event(event)));
            }
        });
        if flow.is_break() {
            return halted(exchange, fold, Halt::Stopped);
        }
        if let Err(error) = decoded {
            return halted(exchange, fold, Halt::Wire(error));
        }
        exchange.marks.last_delta = Some(at);
        exchange.marks.end = Some(at);
        self.judge(exchange, fold);
        if self.call.stream && exchange.trouble.is_none() {
            exchange.fail(Class::Protocol, Trouble::NotAStream);
        }
    }

    /// The class of an answer whose bytes have all been read.
    fn judge(&self, exchange: &mut Exchange, mut fold: Fold) {
        let (error, class) = (fold.error.take(), fold.class());
        let (deltas, terminal) = (fold.deltas, fold.terminal);
        settle(exchange, fold);
        if let Some(error) = error {
            let class = if error.is_quota() { Class::Quota } else { Class::StreamError };
            let status = exchange.status.unwrap_or(200);
            return exchange.fail(class, Trouble::Reported(ApiErrorText { status, error }));
        }
        if !terminal {
            let expected = self.call.dialect.terminal_event();
            return exchange.fail(Class::Truncated, Trouble::Truncated { deltas, expected });
        }
        exchange.complete = true;
        if class == Class::Empty {
            let stop = exchange.stop.as_ref().map(|stop| stop.word.to_string());
            return exchange.fail(class, Trouble::NothingGenerated { stop });
        }
        exchange.class = class;
    }
}

/// Where the events of one chunk go.
struct Stage<'a> {
    exchange: &'a mut Exchange,
    fold: &'a mut Fold,
    progress: &'a mut Progress,
    secrets: &'a Mask,
}

impl Stage<'_> {
    /// Decodes one chunk, or the end of the stream, into the fold and the sink.
    fn feed<S: Sink>(
        self,
        decoder: &mut StreamDecoder,
        chunk: Option<&Bytes>,
        sink: &mut S,
    ) -> Result<(), Halt> {
        let Self { exchange, fold, progress, secrets } = self;
        let now = Instant::now();
        let at = now - exchange.marks.start;
        let before = fold.deltas;
        let mut flow = chunk.map_or(ControlFlow::Continue(()), |bytes| sink.take(Piece::Wire(bytes)));
        let mut emit = |event: crate::wire::Event<'_>| {
            fold.take(at, &event, &mut exchange.marks);
            if flow.is_continue() {
                flow = sink.take(Piece::Event(at, &secrets.event(event)));
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
            ControlFlow::Break(()) => Err(Halt::Stopped),
            ControlFlow::Continue(()) => read.map_err(Halt::Wire),
        }
    }
}

/// The class of an answer whose reading ended early.
pub(super) fn halted(exchange: &mut Exchange, fold: Fold, halt: Halt) {
    settle(exchange, fold);
    match halt {
        Halt::Missed(deadline) => exchange.fail(deadline.class, deadline.trouble()),
        Halt::Net(error) => exchange.fail(error.class(), error),
        Halt::Wire(error) => exchange.fail(Class::Protocol, error),
        Halt::TooLarge => exchange.fail(Class::Protocol, Trouble::TooLarge { limit: WHOLE_BODY_LIMIT }),
        Halt::Limit(error) => exchange.fail(Class::ClientLimit, error),
        Halt::Token(error) => exchange.fail(error.class(), error),
        Halt::Recalled => {
            let class = match exchange.marks.first_byte {
                None => Class::TimeoutFirstByte,
                Some(_) => Class::TimeoutFirstToken,
            };
            exchange.fail(class, Trouble::Recalled);
        }
        Halt::Stopped => exchange.class = Class::Cancelled,
    }
}

/// A 2xx reply whose body is no answer of any dialect.
fn misread(exchange: &mut Exchange, kind: BodyKind, error: ApiError) {
    match kind {
        BodyKind::Empty => exchange.fail(Class::Empty, Trouble::EmptyBody),
        BodyKind::Html => exchange.fail(Class::Protocol, Trouble::Html(format!(" ({})", error.message))),
        _ => exchange.fail(Class::Protocol, Trouble::Text(error.message)),
    }
}

/// Carries what the events said over to the exchange.
fn settle(exchange: &mut Exchange, fold: Fold) {
    exchange.deltas = fold.deltas;
    exchange.usage = fold.usage;
    exchange.tokens = fold.tokens();
    (exchange.stop, exchange.model) = (fold.stop, fold.model);
}
