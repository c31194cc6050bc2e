//! Brings finished rows into the output when their turn has come, those of twins with them, and sees to the disk and the limits.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::answers::{Answers, Fingerprint};
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

/// Entries taken in at once, under one write and one sync.
const BATCH: usize = 256;

/// How long entries are let gather: waking a thread for each row costs as much as its request.
const GATHER: Duration = Duration::from_millis(2);

/// Time between two syncs where they are made by the clock.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the ledger is told of a row; `turn` counts the rows of this run from 0.
#[derive(Debug)]
pub(super) enum Entry {
    /// It has come to an end, and its record stands in the journal.
    Finished { turn: u64, record: Vec<u8>, at: Extent, fate: Fate, fingerprint: Option<Fingerprint> },
    /// It asks for the same as an earlier one, whose answer it shares.
    Twin { turn: u64, head: Head, of: Extent, failure: Option<&'static str> },
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
    journal: Arc<Journal>,
    output: Box<dyn Write + Send>,
    place: String,
    manner: Manner,
    tally: &'a Mutex<Tally>,
    gate: &'a Gate,
    answers: &'a Mutex<Answers>,
    /// The turn that is written next.
    next: u64,
    /// Finished rows whose turn has not come.
    waiting: BTreeMap<u64, Held>,
    /// Bytes of those held in memory.
    held: usize,
}

/// Where a row waits for its turn.
enum Held {
    Memory(Vec<u8>),
    Journal(Extent),
    /// In the journal, up to the end of its line.
    Earlier(u64),
}

/// A row that has just come to an end.
struct Fresh {
    turn: u64,
    at: Extent,
    record: Vec<u8>,
}

/// What is left when the books are closed.
pub(super) struct Closed {
    pub(super) journal: Arc<Journal>,
    /// Rows that are in the journal and not in the output, since rows before them are missing.
    pub(super) waiting: u64,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        journal: Arc<Journal>,
        output: (Box<dyn Write + Send>, String),
        manner: Manner,
        (tally, gate, answers): (&'a Mutex<Tally>, &'a Gate, &'a Mutex<Answers>),
    ) -> Self {
        let (output, place) = output;
        let waiting = BTreeMap::new();
        Self { journal, output, place, manner, tally, gate, answers, next: 0, waiting, held: 0 }
    }

    /// Takes in entries until there are no more; an error is told at once, and what still comes is let go.
    pub(super) async fn keep(mut self, mut entries: Receiver<Entry>, control: &Control) -> Option<Closed> {
        let _part = control.part();
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
            if came < BATCH {
                sleep(GATHER).await;
            }
        }
        // Nobody must wait for a place in the queue of a ledger that writes no more.
        while entries.recv().await.is_some() {}
        None
    }

    /// Takes in some entries and writes those whose turn it is.
    fn take(&mut self, entries: impl Iterator<Item = Entry>) -> Result<(), Error> {
        let (mut rows, mut counted) = (Vec::new(), Tally::default());
        for entry in entries {
            match entry {
                Entry::Finished { turn, record, at, fate, fingerprint } => {
                    counted.add(&fate);
                    let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                    let twins = fingerprint.map(|key| answers.settle(key, at, fate.failure));
                    drop(answers);
                    for (turn, head) in twins.into_iter().flatten() {
                        counted.add_twin(fate.failure);
                        rows.push(self.twin(turn, &head, &record)?);
                    }
                    rows.push(Fresh { turn, at, record });
                }
                Entry::Twin { turn, head, of, failure } => {
                    counted.add_twin(failure);
                    rows.push(self.twin(turn, &head, &self.journal.read(of)?)?);
                }
                Entry::Known { turn, offset, failed } => {
                    counted.add_earlier(failed.then_some("earlier"));
                    self.waiting.insert(turn, Held::Earlier(offset));
                }
            }
        }
        self.write(rows)?;
        if let Ok(mut tally) = self.tally.lock() {
            tally.merge(&counted);
        }
        Ok(())
    }

    /// Books a row that shares the answer of another.
    fn twin(&self, turn: u64, head: &Head, record: &[u8]) -> Result<Fresh, Error> {
        let record = record::of_twin(head, record).map_err(Error::Record)?;
        Ok(Fresh { turn, at: self.journal.append(&record)?, record })
    }

    /// Makes new records durable and moves every row whose turn has come to the output.
    fn write(&mut self, rows: Vec<Fresh>) -> Result<(), Error> {
        if self.manner.sync == Sync::Always {
            self.journal.sync()?;
        }
        if self.manner.order == Order::AsFinished {
            let early = std::mem::take(&mut self.waiting);
            self.next += (early.len() + rows.len()) as u64;
            for held in early.into_values() {
                self.print_held(held)?;
            }
            for row in rows {
                self.print(&row.record)?;
            }
        } else {
            for Fresh { turn, at, record } in rows {
                let held = if turn == self.next || self.held + record.len() <= MEMORY {
                    self.held += record.len();
                    Held::Memory(record)
                } else {
                    Held::Journal(at)
                };
                self.waiting.insert(turn, held);
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

#[cfg(test)]
mod tests {
    use super::super::record::InputHash;
    use super::*;

    /// Takes in one row under a policy and says whether the journal holds anything that the disk may not have.
    fn is_dirty_after_a_row(sync: Sync) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, _) = Journal::open(&path, super::super::Resume::Afresh, None).unwrap();
        let journal = Arc::new(journal);
        let (tally, gate, answers) = (Mutex::default(), Gate::default(), Mutex::default());
        let manner = Manner { form: OutputForm::Baton, order: Order::AsRead, sync };
        let output = (Box::new(std::io::sink()) as Box<dyn Write + Send>, "nowhere".to_owned());
        let mut ledger = Ledger::new(Arc::clone(&journal), output, manner, (&tally, &gate, &answers));
        let record = record::of_unreadable(&Head::new(0, None, InputHash::of(b"x")), "no JSON");
        let at = journal.append(&record).unwrap();
        assert!(journal.is_dirty());
        let fate = Fate::unreadable();
        ledger.take([Entry::Finished { turn: 0, record, at, fate, fingerprint: None }].into_iter()).unwrap();
        assert_eq!(tally.lock().unwrap().finished(), 1);
        journal.is_dirty()
    }

    #[test]
    fn a_row_counts_as_finished_when_the_disk_has_it_only_where_that_is_asked_for() {
        assert!(!is_dirty_after_a_row(Sync::Always));
        assert!(is_dirty_after_a_row(Sync::Interval));
        assert!(is_dirty_after_a_row(Sync::Off));
    }
}
