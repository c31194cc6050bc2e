//! From lines to requests: reads ahead within bounds, passes over what is finished, sends no request twice.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use crate::client::{Call, Calls};

use super::answers::{Answers, Asked, Fingerprint};
use super::control::{Control, Stop};
use super::journal::{Journal, Known};
use super::ledger::Entry;
use super::lines::{Line, Lines};
use super::queue::Queue;
use super::record;
use super::record::{Head, InputHash};
use super::row::{Form, Question, Unreadable};
use super::tally::Fate;
use super::{Dedupe, Error, Progress, Resume, Selection, Strictness};

/// How far the reader may be ahead of the row that is written next.
const WINDOW: u64 = 1 << 16;

/// Holds the reader back while too many rows wait for a slow one before them.
#[derive(Debug, Default)]
pub(super) struct Gate {
    written: Mutex<u64>,
    moved: Condvar,
}

impl Gate {
    /// Tells how many rows have been written.
    pub(super) fn open_to(&self, written: u64) {
        if let Ok(mut before) = self.written.lock() {
            *before = written;
        }
        self.moved.notify_all();
    }

    /// Waits until the row of this turn is within the window, or the run ends.
    fn wait(&self, turn: u64, control: &Control) {
        let Ok(mut written) = self.written.lock() else { return };
        while turn >= *written + WINDOW && control.is_running() {
            // A run may be stopped without a row being written.
            match self.moved.wait_timeout(written, Duration::from_millis(50)) {
                Ok((guard, _)) => written = guard,
                Err(_) => return,
            }
        }
    }
}

/// A row to be sent.
pub(super) struct Work {
    pub(super) turn: u64,
    pub(super) head: Head,
    pub(super) call: Call,
    pub(super) fingerprint: Option<Fingerprint>,
    /// When it was read.
    pub(super) read: Instant,
}

/// How requests are made of rows.
#[derive(Debug)]
pub struct Requests {
    /// How lines are read.
    pub form: Form,
    /// Makes requests of what they ask for.
    pub calls: Calls,
    /// What keeps rows without a session of their own at one endpoint.
    pub session: Option<String>,
}

impl Requests {
    /// Reads a line and encodes what it asks for.
    fn read(&self, line: &[u8]) -> Result<(Option<String>, Call), Unreadable> {
        let Question { id, content, session } = self.form.read(line)?;
        let call = self.calls.call(&content).map_err(|error| Unreadable::Line(error.to_string()))?;
        Ok((id, call.with_session(session.or_else(|| self.session.clone()))))
    }
}

/// Reads rows and hands each to whoever is to deal with it.
pub(super) struct Dispatcher<'a> {
    pub(super) requests: &'a Requests,
    pub(super) selection: Selection,
    pub(super) known: Known,
    pub(super) control: &'a Control,
    pub(super) gate: &'a Gate,
    pub(super) progress: &'a Progress,
    pub(super) work: &'a Queue<Work>,
    pub(super) journal: Arc<Journal>,
    pub(super) entries: Sender<Entry>,
    pub(super) answers: &'a Mutex<Answers>,
}

/// Whether the reader came to the end of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Ended,
    BrokenOff,
}

impl Dispatcher<'_> {
    /// Reads the input to its end, or until the run is stopped.
    pub(super) fn run(mut self, mut lines: Lines) -> Reading {
        let (mut index, mut turn) = (0, 0);
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.progress.ended(turn);
                    return Reading::Ended;
                }
                Err(error) => {
                    self.control.stop(Stop::Broken(error));
                    return Reading::BrokenOff;
                }
            };
            self.progress.read(line.bytes.len() + 1);
            if self.selection.holds(index) {
                self.gate.wait(turn, self.control);
                if !self.control.is_running() {
                    return Reading::BrokenOff;
                }
                match self.row(&line, index, turn) {
                    Ok(Taken::Yes) => turn += 1,
                    Ok(Taken::No) => {}
                    Err(Closed::ByError(error)) => {
                        self.control.stop(Stop::Broken(error));
                        return Reading::BrokenOff;
                    }
                    Err(Closed::ByReceiver) => return Reading::BrokenOff,
                }
            } else if self.selection.is_past(index) {
                self.progress.ended(turn);
                return Reading::Ended;
            }
            index += 1;
        }
    }

    /// Deals with one row.
    fn row(&mut self, line: &Line<'_>, index: u64, turn: u64) -> Result<Taken, Closed> {
        let hash = InputHash::of(line.bytes);
        if let Some(earlier) = self.known.row(index) {
            let again = earlier.failed && self.selection.resume.retries();
            if !again {
                check(&self.known, line, index, hash)?;
                let entry = Entry::Known { turn, offset: earlier.offset, failed: earlier.failed };
                return self.tell(entry);
            }
        } else if self.selection.resume == Resume::FailedOnly {
            return Ok(Taken::No);
        }
        let (id, call) = match self.requests.read(line.bytes) {
            Ok(read) => read,
            // A file made for another dialect fails in every row.
            Err(Unreadable::Dialect { made_for, .. }) if turn == 0 => {
                return Err(Error::Dialect { place: line.place(), made_for }.into());
            }
            Err(why) if self.selection.strictness == Strictness::Strict => {
                return Err(Error::Unreadable { place: line.place(), message: why.to_string() }.into());
            }
            Err(why) => {
                let message = format!("{}: {why}", line.place());
                let record = record::of_unreadable(&Head::new(index, None, hash), &message);
                let (at, fate) = (self.journal.append(&record)?, Fate::unreadable());
                return self.tell(Entry::Finished { turn, record, at, fate, fingerprint: None });
            }
        };
        let mut head = Head::new(index, id, hash);
        let fingerprint = (self.selection.dedupe == Dedupe::On).then(|| fingerprint(&call));
        if let Some(request) = fingerprint {
            let asked = self.answers.lock().unwrap_or_else(PoisonError::into_inner).ask(request, turn, head);
            head = match asked {
                Asked::First(head) => head,
                Asked::Waits => return Ok(Taken::Yes),
                Asked::Answered(head, of, failure) => {
                    return self.tell(Entry::Twin { turn, head, of, failure });
                }
            };
        }
        let work = Work { turn, head, call, fingerprint, read: Instant::now() };
        self.work.push(work).map(|()| Taken::Yes).map_err(|_| Closed::ByReceiver)
    }

    fn tell(&self, entry: Entry) -> Result<Taken, Closed> {
        self.entries.blocking_send(entry).map(|()| Taken::Yes).map_err(|_| Closed::ByReceiver)
    }
}

/// Whether a row takes a turn in the output.
enum Taken {
    Yes,
    No,
}

/// Why no further row can be dealt with.
enum Closed {
    ByError(Error),
    ByReceiver,
}

impl From<Error> for Closed {
    fn from(error: Error) -> Self {
        Self::ByError(error)
    }
}

/// Refuses a row that was another one when it was answered.
fn check(known: &Known, line: &Line<'_>, index: u64, hash: InputHash) -> Result<(), Error> {
    if known.had(index, hash) {
        return Ok(());
    }
    Err(Error::Changed { place: line.place(), index })
}

/// Reads the input up to the last known row and refuses it where a finished row has changed.
pub(super) fn verify(mut lines: Lines, known: &Known, resume: Resume) -> Result<(), Error> {
    for index in 0..known.extent() {
        let Some(line) = lines.next()? else { return Err(Error::Shorter { rows: index, known: known.rows }) };
        let is_final = |failed| !(failed && resume.retries());
        if known.row(index).is_some_and(|earlier| is_final(earlier.failed)) {
            check(known, &line, index, InputHash::of(line.bytes))?;
        }
    }
    Ok(())
}

/// What a request asks for, whoever asks.
fn fingerprint(call: &Call) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(call.url.as_str());
    hash.update([0]);
    hash.update(call.body());
    let hash: [u8; 32] = hash.finalize().into();
    let mut first = Fingerprint::default();
    first.copy_from_slice(&hash[..16]);
    first
}
