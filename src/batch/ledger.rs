//! The one place that writes: each finished row into the journal at once, and into the output when its turn has come.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::control::{Control, Stop};
use super::dispatch::Gate;
use super::form::OutputForm;
use super::journal::{Extent, Journal};
use super::record;
use super::record::Head;
use super::tally::{Fate, Tally};
use super::{Error, Order, Sync};

/// Bytes of finished rows that wait for their turn in memory; beyond them, rows wait in the journal.
const MEMORY: usize = 8 * 1024 * 1024;

/// Distinct requests whose answers are remembered, so that a twin that comes later is not sent.
pub(super) const REMEMBERED: usize = 1 << 18;

/// Entries taken in at once, under one write and one sync.
const BATCH: usize = 256;

/// Time between two syncs where they are made by the clock.
const INTERVAL: Duration = Duration::from_secs(1);

/// What two rows that ask for the same have in common.
pub(super) type Fingerprint = [u8; 16];

/// What the ledger is told of a row; `turn` counts the rows of this run from 0.
#[derive(Debug)]
pub(super) enum Entry {
    /// It has come to an end.
    Finished { turn: u64, record: Vec<u8>, fate: Fate, fingerprint: Option<Fingerprint> },
    /// It asks for the same as an earlier one, whose answer it shares.
    Twin { turn: u64, head: Head, fingerprint: Fingerprint },
    /// An earlier run had finished it; the record begins at this offset of the journal.
    Known { turn: u64, offset: u64, failed: bool },
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// The form of the output's lines.
    pub form: OutputForm,
    /// In which order.
    pub order: Order,
    /// When it is made sure that the disk has them.
    pub sync: Sync,
}

/// Keeps the books of a run.
pub(super) struct Ledger<'a> {
    pub(super) journal: Journal,
    pub(super) output: Box<dyn Write + Send>,
    pub(super) place: String,
    pub(super) manner: Manner,
    pub(super) tally: &'a Mutex<Tally>,
    pub(super) gate: &'a Gate,
    /// The turn that is written next.
    next: u64,
    /// Finished rows whose turn has not come.
    waiting: BTreeMap<u64, Held>,
    /// Bytes of those held in memory.
    held: usize,
    answers: Answers,
}

/// Where a row waits for its turn.
enum Held {
    Memory(Vec<u8>),
    Journal(Extent),
    /// In the journal, up to the end of its line.
    Earlier(u64),
}

/// The answers that twins may share.
#[derive(Default)]
struct Answers {
    by_request: HashMap<Fingerprint, Answer>,
    oldest: VecDeque<Fingerprint>,
}

enum Answer {
    /// Still on its way; these rows wait for it.
    Awaited(Vec<(u64, Head)>),
    At(Extent, Option<&'static str>),
}

/// What is left when the books are closed.
pub(super) struct Closed {
    pub(super) journal: Journal,
    /// Rows that are in the journal and not in the output, since rows before them are missing.
    pub(super) waiting: u64,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        journal: Journal,
        output: (Box<dyn Write + Send>, String),
        manner: Manner,
        (tally, gate): (&'a Mutex<Tally>, &'a Gate),
    ) -> Self {
        let (output, place) = output;
        let (waiting, answers) = (BTreeMap::new(), Answers::default());
        Self { journal, output, place, manner, tally, gate, next: 0, waiting, held: 0, answers }
    }

    /// Takes in entries until there are no more; an error is told at once, and what still comes is let go.
    pub(super) async fn keep(mut self, mut entries: Receiver<Entry>, control: &Control) -> Option<Closed> {
        let failed = |error| control.stop(Stop::Broken(error));
        let mut batch = Vec::with_capacity(BATCH);
        let mut due = Instant::now() + INTERVAL;
        loop {
            let came = tokio::select! {
                came = entries.recv_many(&mut batch, BATCH) => came,
                () = sleep_until(due) => {
                    due = Instant::now() + INTERVAL;
                    if self.manner.sync == Sync::Interval && let Err(error) = self.journal.sync() {
                        failed(error);
                        break;
                    }
                    continue;
                }
            };
            if came == 0 {
                match self.close() {
                    Ok(closed) => return Some(closed),
                    Err(error) => failed(error),
                }
                return None;
            }
            if let Err(error) = self.take(batch.drain(..)) {
                failed(error);
                break;
            }
            if let Ok(tally) = self.tally.lock() {
                control.check(&tally);
            }
        }
        // Nobody must wait for a place in the queue of a ledger that writes no more.
        while entries.recv().await.is_some() {}
        None
    }

    /// Takes in some entries: first all of them into the journal, then those whose turn it is into the output.
    fn take(&mut self, entries: impl Iterator<Item = Entry>) -> Result<(), Error> {
        let mut pages = Pages { begins: self.journal.end(), bytes: Vec::new(), rows: Vec::new() };
        let mut counted = Tally::default();
        for entry in entries {
            match entry {
                Entry::Finished { turn, record, fate, fingerprint } => {
                    counted.add(&fate);
                    let extent = pages.add(turn, &record);
                    let twins = fingerprint.map(|key| self.answers.settle(key, extent, fate.failure));
                    for (turn, head) in twins.into_iter().flatten() {
                        counted.add_twin(fate.failure);
                        pages.add(turn, &twin(&head, &record)?);
                    }
                }
                Entry::Twin { turn, head, fingerprint } => match self.answers.of(fingerprint) {
                    Some(Answer::At(extent, failure)) => {
                        let (extent, failure) = (*extent, *failure);
                        let record = match pages.read(extent) {
                            Some(record) => record.to_vec(),
                            None => self.journal.read(extent)?,
                        };
                        counted.add_twin(failure);
                        pages.add(turn, &twin(&head, &record)?);
                    }
                    Some(Answer::Awaited(twins)) => twins.push((turn, head)),
                    None => self.answers.await_with(fingerprint, (turn, head)),
                },
                Entry::Known { turn, offset, failed } => {
                    counted.add_earlier(failed.then_some("earlier"));
                    self.waiting.insert(turn, Held::Earlier(offset));
                }
            }
        }
        self.write(&pages)?;
        if let Ok(mut tally) = self.tally.lock() {
            tally.merge(&counted);
        }
        Ok(())
    }

    /// Makes new records durable and moves every row whose turn has come to the output.
    fn write(&mut self, pages: &Pages) -> Result<(), Error> {
        if !pages.bytes.is_empty() {
            self.journal.append(&pages.bytes)?;
            if self.manner.sync == Sync::Always {
                self.journal.sync()?;
            }
        }
        if self.manner.order == Order::AsFinished {
            let early = std::mem::take(&mut self.waiting);
            self.next += early.len() as u64;
            for held in early.into_values() {
                self.print_held(held)?;
            }
            for (_, extent) in &pages.rows {
                self.print(pages.read(*extent).expect("it has just been added"))?;
            }
            self.next += pages.rows.len() as u64;
        } else {
            for (turn, extent) in &pages.rows {
                let record = pages.read(*extent).expect("it has just been added");
                let held = if *turn == self.next || self.held + record.len() <= MEMORY {
                    self.held += record.len();
                    Held::Memory(record.to_vec())
                } else {
                    Held::Journal(*extent)
                };
                self.waiting.insert(*turn, held);
            }
            while let Some(held) = self.waiting.remove(&self.next) {
                self.print_held(held)?;
                self.next += 1;
            }
        }
        self.output.flush().map_err(|source| self.output_error(source))?;
        self.gate.open_to(self.next);
        Ok(())
    }

    fn print_held(&mut self, held: Held) -> Result<(), Error> {
        let record = match held {
            Held::Memory(record) => {
                self.held -= record.len();
                record
            }
            Held::Journal(extent) => self.journal.read(extent)?,
            Held::Earlier(offset) => self.journal.read_line(offset)?,
        };
        self.print(&record)
    }

    fn print(&mut self, record: &[u8]) -> Result<(), Error> {
        let line = match self.manner.form {
            OutputForm::Baton => {
                return self.output.write_all(record).map_err(|source| self.output_error(source));
            }
            form => form.render(record).map_err(Error::Record)?,
        };
        self.output.write_all(&line).map_err(|source| self.output_error(source))
    }

    fn output_error(&self, source: std::io::Error) -> Error {
        Error::Write { place: self.place.clone(), source }
    }

    fn close(mut self) -> Result<Closed, Error> {
        self.output.flush().map_err(|source| self.output_error(source))?;
        self.journal.sync()?;
        Ok(Closed { waiting: self.waiting.len() as u64, journal: self.journal })
    }
}

fn twin(head: &Head, record: &[u8]) -> Result<Vec<u8>, Error> {
    record::of_twin(head, record).map_err(Error::Record)
}

/// Records that are about to be appended to the journal.
struct Pages {
    /// Where the journal ends before them.
    begins: u64,
    bytes: Vec<u8>,
    rows: Vec<(u64, Extent)>,
}

impl Pages {
    fn add(&mut self, turn: u64, record: &[u8]) -> Extent {
        let extent = Extent { offset: self.begins + self.bytes.len() as u64, length: record.len() };
        self.bytes.extend_from_slice(record);
        self.rows.push((turn, extent));
        extent
    }

    /// A record among these.
    fn read(&self, extent: Extent) -> Option<&[u8]> {
        let from = usize::try_from(extent.offset.checked_sub(self.begins)?).ok()?;
        self.bytes.get(from..from + extent.length)
    }
}

impl Answers {
    fn of(&mut self, request: Fingerprint) -> Option<&mut Answer> {
        self.by_request.get_mut(&request)
    }

    fn await_with(&mut self, request: Fingerprint, twin: (u64, Head)) {
        self.insert(request, Answer::Awaited(vec![twin]));
    }

    /// Remembers an answer and gives out the rows that waited for it.
    fn settle(
        &mut self,
        request: Fingerprint,
        at: Extent,
        failure: Option<&'static str>,
    ) -> Vec<(u64, Head)> {
        let answer = Answer::At(at, failure);
        if let Some(awaited) = self.by_request.get_mut(&request) {
            return match std::mem::replace(awaited, answer) {
                Answer::Awaited(twins) => twins,
                Answer::At(..) => Vec::new(),
            };
        }
        self.insert(request, answer);
        Vec::new()
    }

    fn insert(&mut self, request: Fingerprint, answer: Answer) {
        self.by_request.insert(request, answer);
        self.oldest.push_back(request);
        // Twice what the reader remembers, so that an answer is here as long as a twin may come.
        if self.oldest.len() > 2 * REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.by_request.remove(&oldest);
        }
    }
}
