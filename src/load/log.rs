//! The line that each request gets in a log: filled on the worker, handed over in batches, written by someone else.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;

use tokio::time::Instant;

use super::Ticket;
use super::recorder::Flight;
use crate::outcome::Class;
use crate::outcome::Marks;
use crate::outcome::Sample;
use crate::outcome::Tokens;

/// Lines that a worker hands over at a time; a monitor hands over fewer where that takes too long.
const BATCH: usize = 256;

/// Batches that may wait for the one who writes: about 30 MB. Beyond that lines are lost, and counted.
const BACKLOG: usize = 512;

/// What is known of one request at its end.
#[derive(Debug, Clone)]
pub struct Line {
    /// The id that went with it; empty where it never left.
    pub request_id: String,
    /// The endpoint of its last attempt; empty where there is no choice.
    pub endpoint: String,
    /// Which request of the run it was.
    pub ticket: Ticket,
    /// What became of it; `cancelled` where it was cut.
    pub class: Class,
    /// The status of the reply.
    pub status: Option<u16>,
    /// When it was to start; open loop only.
    pub planned: Option<Instant>,
    /// Its moments, as offsets from its start.
    pub marks: Marks,
    /// When it was over, or cut.
    pub over: Instant,
    /// Generated deltas.
    pub deltas: u64,
    /// The longest time between two of them.
    pub stall: Option<std::time::Duration>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Tokens in and out.
    pub tokens: Tokens,
}

/// The way of lines from the workers to the one who writes them; never waits.
#[derive(Debug, Clone)]
pub struct LogSender {
    batches: SyncSender<Vec<Line>>,
    lost: Arc<AtomicU64>,
}

/// A channel for lines: the workers' end, and the end of the one who writes.
pub fn log_channel() -> (LogSender, Receiver<Vec<Line>>) {
    let (batches, receiver) = sync_channel(BACKLOG);
    (LogSender { batches, lost: Arc::default() }, receiver)
}

impl LogSender {
    /// A counter of the lines that were lost because nobody wrote them in time.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}

/// The lines of one worker that are not yet handed over.
#[derive(Debug)]
pub(super) struct Journal {
    sender: LogSender,
    batch: RefCell<Vec<Line>>,
}

impl Journal {
    pub(super) fn new(sender: LogSender) -> Self {
        Self { sender, batch: RefCell::default() }
    }

    /// Adds the line of a request that ended or was cut at `over`.
    pub(super) fn note(&self, flight: &Flight, over: Instant, sample: &Sample) {
        let line = Line {
            request_id: sample.request_id.clone(),
            endpoint: sample.endpoint.clone(),
            ticket: flight.ticket,
            class: sample.class,
            status: sample.status,
            planned: flight.planned.map(|planned| planned.due),
            marks: Marks { start: flight.start, ..sample.marks },
            over,
            deltas: sample.deltas,
            stall: sample.gaps.iter().max().copied(),
            bytes: sample.bytes,
            tokens: sample.tokens,
        };
        let mut batch = self.batch.borrow_mut();
        batch.push(line);
        if batch.len() >= BATCH {
            self.sender.send(std::mem::take(&mut batch));
        }
    }

    /// Hands over what there is.
    pub(super) fn flush(&self) {
        let batch = self.batch.take();
        if !batch.is_empty() {
            self.sender.send(batch);
        }
    }
}

impl LogSender {
    /// Hands a batch over, or counts it as lost: a disk that cannot keep up must not slow the load down.
    fn send(&self, batch: Vec<Line>) {
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) =
            self.batches.try_send(batch)
        {
            self.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (Journal, Receiver<Vec<Line>>) {
        let (sender, receiver) = log_channel();
        (Journal::new(sender), receiver)
    }

    fn note(journal: &Journal, index: u64) {
        let ticket = Ticket { level: 0, index, user: 0, iteration: index, ..Ticket::default() };
        let start = Instant::now();
        let flight = Flight { start, recorded: true, ticket, planned: None };
        journal.note(&flight, start, &Sample::starting(start));
    }

    #[test]
    fn lines_arrive_in_batches_and_the_rest_when_asked_for() {
        let (journal, receiver) = journal();
        (0..BATCH as u64 + 3).for_each(|index| note(&journal, index));
        assert_eq!(receiver.try_recv().unwrap().len(), BATCH);
        assert!(receiver.try_recv().is_err());
        journal.flush();
        assert_eq!(receiver.try_recv().unwrap()[0].ticket.index, BATCH as u64);
        journal.flush();
        assert!(receiver.try_recv().is_err(), "an empty batch is not handed over");
    }

    #[test]
    fn lines_that_nobody_takes_are_counted_and_hold_nobody_up() {
        let (journal, receiver) = journal();
        let lost = journal.sender.lost();
        let more = 2;
        (0..(BATCH * (BACKLOG + more)) as u64).for_each(|index| note(&journal, index));
        assert_eq!(lost.load(Ordering::Relaxed), (BATCH * more) as u64);
        drop(receiver);
        note(&journal, 0);
        journal.flush();
        assert_eq!(lost.load(Ordering::Relaxed), (BATCH * more) as u64 + 1);
    }
}
