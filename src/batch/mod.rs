//! Rows in, rows out: a file of prompts is carried through a client, and no finished row is lost or sent twice.
//!
//! [`run`] reads lines ([`Input`]) ahead within bounds, makes requests of them ([`Requests`]), keeps `concurrency` of
//! them in flight, and appends each finished row to the journal before the next request leaves. The ledger brings it to
//! the output in the order of the input. The journal is the truth until the output is whole: a run that is killed at any
//! moment goes on from it ([`Resume`]).

mod answers;
mod control;
mod dispatch;
mod error;
mod form;
mod journal;
mod ledger;
mod lines;
mod plain;
mod queue;
mod record;
mod row;
mod set;
mod tally;
mod template;
mod worker;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::Client;
use crate::net::Pool;
use crate::outcome::TokenTimes;
use crate::units::Shard;

pub use self::control::{Control, Limits, MaxErrors, Stop};
pub use self::dispatch::Requests;
pub use self::error::Error;
pub use self::form::OutputForm;
pub use self::ledger::Manner;
pub use self::lines::Input;
pub use self::row::{Form, LineKind};
pub use self::set::read_all;
pub use self::tally::{Live, Summary, Tally};
pub use self::template::Template;
pub use self::worker::{Listener, Price, Then, Told};

use self::answers::Answers;
use self::dispatch::{Dispatcher, Gate, Reading};
use self::journal::{Journal, Known};
use self::ledger::Ledger;
use self::lines::Lines;
use self::queue::Queue;
use self::worker::Worker;

/// Finished rows on their way to the ledger.
const ENTRIES: usize = 1024;

/// In which order rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As in the input.
    AsRead,
    /// As they finish.
    AsFinished,
}

/// When it is made sure that finished rows are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before a row counts as finished.
    Always,
    /// Once a second.
    Interval,
    /// When the system sees fit.
    Off,
}

/// Whether rows that ask for the same are sent once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// They are.
    On,
    /// Each is sent.
    Off,
}

/// What a line that is no row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// It becomes a failed row.
    Lenient,
    /// It ends the run.
    Strict,
}

/// What becomes of the rows that an earlier run has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// There was none.
    Afresh,
    /// They stay finished.
    Rest,
    /// They stay finished, but the failed ones are sent again.
    RestAndFailed,
    /// Only the failed ones are sent.
    FailedOnly,
}

impl Resume {
    const fn retries(self) -> bool {
        matches!(self, Self::RestAndFailed | Self::FailedOnly)
    }
}

/// Which rows of the input are this run's, and how they are dealt with.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// Rows passed over at the beginning.
    pub skip: u64,
    /// Rows looked at after those.
    pub limit: Option<u64>,
    /// The part of those that is sent.
    pub shard: Shard,
    /// What an earlier run means to this one.
    pub resume: Resume,
    /// Rows that ask for the same.
    pub dedupe: Dedupe,
    /// Lines that are no rows.
    pub strictness: Strictness,
}

impl Selection {
    fn holds(&self, index: u64) -> bool {
        index >= self.skip && !self.is_past(index) && self.shard.holds(index)
    }

    fn is_past(&self, index: u64) -> bool {
        self.limit.is_some_and(|limit| index >= self.skip.saturating_add(limit))
    }
}

/// How far the input has been read.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    tally: Mutex<Tally>,
    /// Bytes of the whole input, where they are known.
    size: Option<u64>,
    bytes: AtomicU64,
    /// Rows of this run plus one, once the input has been read to its end.
    rows: AtomicU64,
}

impl Progress {
    /// The progress of a run over inputs of this size.
    pub fn new(size: Option<u64>) -> Self {
        let (bytes, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { started: Instant::now(), tally: Mutex::default(), size, bytes, rows }
    }

    fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn ended(&self, rows: u64) {
        self.rows.store(rows + 1, Ordering::Relaxed);
    }

    /// The state of the run now.
    pub fn live(&self) -> Live {
        let bytes = self.bytes.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a share of the input needs no last digit")]
        let share = |size: u64| (bytes as f64 / size.max(1) as f64).min(1.0);
        Live {
            tally: self.tally.lock().map(|tally| tally.clone()).unwrap_or_default(),
            rows: self.rows.load(Ordering::Relaxed).checked_sub(1),
            read: self.size.map(share),
            elapsed: self.started.elapsed(),
        }
    }
}

/// The books of a run: its journal, locked, and where its output goes.
pub struct Books {
    journal: Journal,
    known: Known,
}

impl Books {
    /// Books that nobody can resume.
    pub fn unnamed() -> Result<Self, Error> {
        Ok(Self { journal: Journal::unnamed()?, known: Known::default() })
    }

    /// The books at this path, locked against a second run and unchanged until [`Self::begin`]; `adoptable` is an output that an earlier run may have
    /// finished in baton's own form.
    pub fn open(path: &Path, resume: Resume, adoptable: Option<&Path>) -> Result<Self, Error> {
        let (journal, known) = Journal::open(path, resume, adoptable)?;
        Ok(Self { journal, known })
    }

    /// Rows that earlier runs have finished.
    pub fn finished(&self) -> u64 {
        self.known.rows
    }

    /// What was mended while the journal was read, where anything was.
    pub fn mended(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.known.torn {
            said.push("a last line without an end was cut off".to_owned());
        }
        if self.known.damaged > 0 {
            said.push(format!("{} damaged lines were passed over", self.known.damaged));
        }
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// Leaves everything as it was found.
    pub fn abandon(self) {
        self.journal.abandon();
    }

    /// Makes the journal ready for new records.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.journal.begin()
    }

    /// Refuses inputs in which a finished row has changed.
    pub fn verify(&self, inputs: &[Input], resume: Resume) -> Result<(), Error> {
        dispatch::verify(Lines::of(inputs), &self.known, resume)
    }
}

/// What a run needs besides its books.
pub struct Plan {
    /// Where rows come from.
    pub inputs: Vec<Input>,
    /// How requests are made of them.
    pub requests: Requests,
    /// Which of them are sent.
    pub selection: Selection,
    /// How they are written.
    pub manner: Manner,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// What an answer costs.
    pub price: Price,
    /// Who is told of each attempt, if anybody.
    pub listener: Option<Listener>,
}

/// Where rows are written, and its name for the words of a failure.
pub type Output = (Box<dyn Write + Send>, String);

/// Who carries the rows of a run, and who may look on.
pub struct Crew {
    /// Each is used by a thread of its own.
    pub clients: Vec<Client<Pool>>,
    /// Stops the run.
    pub control: Arc<Control>,
    /// Tells how far it is.
    pub progress: Arc<Progress>,
}

/// Carries every row to its end; blocks until that is done or the run is stopped.
///
/// Where the run came to its end and its output says everything, the journal is gone; else it stays.
pub fn run(plan: &Plan, books: Books, output: Output, crew: Crew) -> Ended {
    let Books { journal, known } = books;
    let Crew { clients, control, progress } = crew;
    let (gate, count) = (Gate::default(), clients.len());
    let share = |worker: usize| plan.concurrency / count + usize::from(worker < plan.concurrency % count);
    let (answers, journal) = (Mutex::<Answers>::default(), Arc::new(journal));
    let todo = Arc::new(Queue::new(plan.concurrency.max(32) * 2));
    let (entries, finished) = mpsc::channel(ENTRIES);
    let worker = Worker {
        control: Arc::clone(&control),
        price: Arc::clone(&plan.price),
        listener: plan.listener.clone(),
        todo: Arc::clone(&todo),
        journal: Arc::clone(&journal),
        entries: entries.clone(),
    };
    let ledger = Ledger::new(Arc::clone(&journal), output, plan.manner, (&progress.tally, &gate, &answers));
    let (reading, closed) = thread::scope(|scope| {
        let ledger = scope.spawn(|| block_on(&control, ledger.keep(finished, &control)));
        for (number, client) in clients.into_iter().enumerate() {
            let (worker, users) = (worker.clone(), share(number));
            let control = &control;
            scope.spawn(move || {
                let _taker = worker.todo.taker();
                block_on(control, worker.run(client, users))
            });
        }
        // Only who may still add to the books keeps them open.
        drop(worker);
        let dispatcher = Dispatcher {
            requests: &plan.requests,
            selection: plan.selection,
            known,
            control: &control,
            gate: &gate,
            progress: &progress,
            work: &todo,
            journal,
            entries,
            answers: &answers,
        };
        let reading = dispatcher.run(Lines::of(&plan.inputs));
        todo.end();
        (reading, ledger.join().ok().flatten().flatten())
    });
    settle(plan, reading, closed, (&control, &progress))
}

/// Runs a part of the run on this thread; without a runtime the run is stopped.
fn block_on<F: Future>(control: &Control, part: F) -> Option<F::Output> {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Some(runtime.block_on(part)),
        Err(source) => {
            control.stop(Stop::Broken(Error::Start(source)));
            None
        }
    }
}

/// What became of a run.
#[derive(Debug)]
pub struct Ended {
    /// Its counts.
    pub summary: Summary,
    /// Why it stopped before the end of its input, if it did.
    pub stopped: Option<Stop>,
    /// Where the journal is, if it was kept.
    pub journal: Option<PathBuf>,
}

fn settle(
    plan: &Plan,
    reading: Reading,
    closed: Option<ledger::Closed>,
    (control, progress): (&Control, &Progress),
) -> Ended {
    let live = progress.live();
    let mut stopped = control.why();
    let waiting = closed.as_ref().map_or(0, |closed| closed.waiting);
    let all = live.rows.is_some_and(|rows| rows == live.tally.finished());
    let complete = reading == Reading::Ended && closed.is_some() && all && waiting == 0;
    let journal = closed.and_then(|closed| {
        let path = closed.journal.path().map(Path::to_path_buf);
        let needed = !complete || plan.manner.form != OutputForm::Baton;
        if needed {
            return path;
        }
        match closed.journal.remove() {
            Ok(()) => None,
            Err(error) => {
                stopped.get_or_insert(Stop::Broken(error));
                path
            }
        }
    });
    let token_times = TokenTimes::default();
    let summary = Summary { tally: live.tally, elapsed: live.elapsed, complete, waiting, token_times };
    Ended { summary, stopped, journal }
}
