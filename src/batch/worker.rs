//! One thread's share of the requests: takes rows, carries them, books what became of each and tells the ledger.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;
use tokio::task::LocalSet;

use crate::client::{Attempt, Call, Client, Exchange, Piece};
use crate::net::Pool;
use crate::units::Money;
use crate::wire::{Assembler, Delta, Dialect, Event};

use super::control::{Control, Stop};
use super::dispatch::Work;
use super::journal::Journal;
use super::ledger::Entry;
use super::queue::Queue;
use super::record;
use super::record::{Brought, Head};
use super::tally::Fate;

/// What an answer costs, where the price of its model is known.
pub type Price = Arc<dyn Fn(&Exchange) -> Option<Money> + Send + Sync>;

/// One attempt of a row, told as it ends.
#[derive(Debug)]
pub struct Told<'a> {
    /// The row's name.
    pub custom_id: &'a str,
    /// What became of the attempt.
    pub attempt: &'a Attempt,
    /// What follows it.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Another one after this wait.
    Again(Duration),
    /// Another one at once, with this change.
    Repaired(&'static str),
    /// Nothing.
    Nothing,
}

/// Who is told of each attempt.
pub type Listener = Arc<dyn Fn(Told<'_>) + Send + Sync>;

/// A thread that sends rows.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) control: Arc<Control>,
    pub(super) price: Price,
    pub(super) listener: Option<Listener>,
    /// Rows waiting to be sent, for whoever is free.
    pub(super) todo: Arc<Queue<Work>>,
    pub(super) journal: Arc<Journal>,
    pub(super) entries: Sender<Entry>,
}

impl Worker {
    /// Keeps so many rows in flight until there are no more, or the run is stopped.
    pub(super) async fn run(self, client: Client<Pool>, users: usize) {
        let (users_of, client) = (LocalSet::new(), Rc::new(client));
        for _ in 0..users {
            let (worker, client) = (self.clone(), Rc::clone(&client));
            users_of.spawn_local(async move { worker.serve(&client).await });
        }
        tokio::select! {
            () = users_of => {}
            // The futures of whatever is still in flight are dropped, and their connections with them.
            () = self.control.aborted() => {}
        }
    }

    /// Takes one row after the other.
    async fn serve(&self, client: &Client<Pool>) {
        let _part = self.control.part();
        let mut stopped = pin!(self.control.stopped());
        while self.control.is_running() {
            // A row that is there is taken without a look at what would end the waiting for one.
            let work = tokio::select! {
                biased;
                work = self.todo.pop() => work,
                () = &mut stopped => return,
            };
            let Some(work) = work else { return };
            if !self.control.allows_request() {
                return;
            }
            let Some(entry) = self.carry(client, work).await else { continue };
            if self.entries.send(entry).await.is_err() {
                return;
            }
        }
    }

    /// Carries one row; nothing is said of one that is left for a later run.
    async fn carry(&self, client: &Client<Pool>, work: Work) -> Option<Entry> {
        let Work { turn, head, call, fingerprint, read } = work;
        let queued = read.elapsed();
        let mut collected = Collected::default();
        let mut sink = |piece: Piece<'_>| {
            match &piece {
                Piece::Retry(attempt, wait) => self.tell(&head, attempt, Then::Again(*wait)),
                Piece::Repair(attempt, change) => self.tell(&head, attempt, Then::Repaired(change)),
                _ => {}
            }
            collected.take(&piece)
        };
        let exchange = client.run(&call, &mut sink).await;
        if let Some(last) = exchange.attempts.last() {
            self.tell(&head, last, Then::Nothing);
        }
        if !self.control.keeps(&exchange) {
            return None;
        }
        let cost = (self.price)(&exchange);
        let Collected { wire, text } = collected;
        let body = exchange.class.is_answered().then(|| body(&call, &exchange, &wire)).flatten();
        let brought = Brought { body, text: &text, queued, cost };
        let record = record::of_exchange(&head, &exchange, &brought);
        // Before the next request leaves, so that a crash costs those in flight and no others.
        let at = match self.journal.append(&record) {
            Ok(at) => at,
            Err(error) => {
                self.control.stop(Stop::Broken(error));
                return None;
            }
        };
        Some(Entry::Finished { turn, record, at, fate: Fate::of_exchange(&exchange, cost), fingerprint })
    }

    fn tell(&self, head: &Head, attempt: &Attempt, then: Then) {
        if let Some(listener) = &self.listener {
            listener(Told { custom_id: &head.custom_id, attempt, then });
        }
    }
}

/// What an answer says, kept until its row is written.
#[derive(Default)]
struct Collected {
    wire: Vec<u8>,
    text: String,
}

impl Collected {
    fn take(&mut self, piece: &Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Attempt(..) => {
                self.wire.clear();
                self.text.clear();
            }
            Piece::Wire(bytes) => self.wire.extend_from_slice(bytes),
            Piece::Event(_, Event::Delta(Delta::Text(text))) => self.text.push_str(text),
            Piece::Event(_, Event::Delta(Delta::Bytes(bytes))) => {
                self.text.push_str(&String::from_utf8_lossy(bytes));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The body of an answer, put together where it came as a stream.
fn body<'a>(call: &Call, exchange: &Exchange, wire: &'a [u8]) -> Option<Cow<'a, str>> {
    // What was decoded as a whole answer has been read as JSON, and is not read once more.
    let is_json = !exchange.cached && call.dialect != Dialect::Raw;
    let known = is_json.then(|| known_line(wire)).flatten().map(Cow::Borrowed);
    let read = || one_line(wire).map(|line| String::from(Box::<str>::from(line)).into());
    known.or_else(read).or_else(|| {
        let mut assembler = Assembler::new(call.dialect);
        assembler.feed(wire);
        Some(assembler.finish()?.to_string().into())
    })
}

/// A body that is known to be JSON, where it is one line already; a stream is none, whatever its dialect.
fn known_line(body: &[u8]) -> Option<&str> {
    let is_one = body.starts_with(b"{") && memchr::memchr2(b'\n', b'\r', body).is_none();
    let line = is_one.then(|| str::from_utf8(body).ok()).flatten()?;
    Some(line.trim_end_matches([' ', '\t']))
}

/// A body as one line of JSON, which is how it stands in a record; `None` where it is no JSON.
fn one_line(body: &[u8]) -> Option<Box<RawValue>> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if memchr::memchr2(b'\n', b'\r', body).is_none() {
        return serde_json::from_slice(body).ok();
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    RawValue::from_string(value.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_becomes_one_line_whatever_its_layout() {
        let line = |body: &[u8]| one_line(body).map(|raw| raw.get().to_owned());
        assert_eq!(line(b"{\"a\": 1}").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(line(b"{\n  \"a\": \"b\\nc\"\r\n}\n").as_deref(), Some(r#"{"a":"b\nc"}"#));
        assert_eq!(line(b"data: x\n\n"), None);
    }

    #[test]
    fn a_body_that_was_decoded_is_taken_as_it_is_only_where_it_is_one_line_of_text() {
        assert_eq!(known_line(b"{\"a\": 1} \t"), Some("{\"a\": 1}"));
        for other in [&b"{\n}"[..], b"{\"a\":\"\xFF\"}", b"data: {}", b" {}", b"\xEF\xBB\xBF{}", b""] {
            assert_eq!(known_line(other), None);
        }
    }
}
