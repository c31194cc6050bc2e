//! Where the users of one worker at one level sit: each starts a request, has it made, and writes down the outcome.

use std::cell::Cell;
use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::Target;
use super::Ticket;
use super::control::Control;
use super::dispatch::Planned;
use super::guard::Finish;
use super::guard::guarded;
use super::log::Journal;
use super::objective::Objective;
use super::pace::Pace;
use super::pairs::Sieve;
use super::recorder::Entry;
use super::recorder::Flight;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::side::{Side, Sides};
use crate::outcome::Class;
use crate::outcome::Sample;

/// Identical failures in a row, on one worker, after which a run gives up.
pub(super) const HOPELESS_AFTER: u32 = 20;

/// How long connections must have failed, too: a relay that is restarted refuses them by the thousand, and comes back.
const RESTART_PATIENCE: Duration = Duration::from_secs(10);

/// Failures of one class in a row.
#[derive(Debug, Clone, Copy)]
struct Streak {
    class: Class,
    length: u32,
    began: Instant,
}

/// What the users of one worker share; single-threaded, so nothing is locked.
#[derive(Debug)]
pub(super) struct Desk<T> {
    /// Makes the requests.
    pub target: Rc<T>,
    pub schedule: Schedule,
    pub control: Control,
    /// What is written down of the relay; borrowed only between two waits.
    pub recorder: RefCell<Recorder>,
    /// The same of what stands behind it, where each request is made twice.
    pub direct: RefCell<Recorder>,
    /// Which requests of the two belong together.
    pub pairs: RefCell<Sieve>,
    /// Where each request gets its line, if that is wanted.
    pub journal: Option<Journal>,
    /// What the times of each request should be.
    objectives: Arc<[Objective]>,
    /// Requests under way, for the live view.
    pub in_flight: Cell<u32>,
    /// Samples whose buffers are used again.
    spare: RefCell<Vec<Sample>>,
    /// The last failures, warm-up included.
    streak: Cell<Streak>,
}

impl<T: Target> Desk<T> {
    /// An empty desk.
    pub(super) fn new(target: Rc<T>, schedule: Schedule, control: Control, journal: Option<Journal>) -> Self {
        Self {
            target,
            schedule,
            control,
            journal,
            objectives: Arc::default(),
            recorder: RefCell::default(),
            direct: RefCell::default(),
            pairs: RefCell::default(),
            in_flight: Cell::new(0),
            spare: RefCell::default(),
            streak: Cell::new(Streak { class: Class::Ok, length: 0, began: Instant::now() }),
        }
    }

    /// Holds requests to these objectives.
    pub(super) fn with_objectives(self, objectives: Arc<[Objective]>) -> Self {
        Self { objectives, ..self }
    }

    /// Where requests of a side are written down.
    pub(super) fn book(&self, side: Side) -> &RefCell<Recorder> {
        match side {
            Side::Relay => &self.recorder,
            Side::Direct => &self.direct,
        }
    }

    /// The end of the window as far as it is known: its planned end, or the moment of a stop.
    fn limit(&self) -> Option<Instant> {
        let planned = self.schedule.window_end();
        if self.control.is_stopping() {
            planned.into_iter().chain(self.control.stopped_at()).min()
        } else {
            planned
        }
    }

    /// Gives the run up once failures that waiting cannot cure have repeated themselves long enough.
    fn watch_for_hopelessness(&self, sample: &Sample) {
        let patience = match sample.class {
            Class::Auth | Class::Quota => Some(Duration::ZERO),
            Class::Connect => Some(RESTART_PATIENCE),
            _ => None,
        };
        let last = self.streak.get();
        let streak = if last.class == sample.class {
            Streak { length: last.length.saturating_add(1), ..last }
        } else {
            Streak { class: sample.class, length: 1, began: Instant::now() }
        };
        self.streak.set(streak);
        let over = patience.is_some_and(|patience| streak.began.elapsed() >= patience);
        if over && streak.length >= HOPELESS_AFTER {
            self.control.give_up(sample.class, &sample.message);
        }
    }
}

/// Sends the requests of one user until there are none left or the run is stopped.
pub(super) async fn user<T: Target>(desk: Rc<Desk<T>>, user: u32) {
    let mut pace = Pace::new(desk.schedule, user);
    let mut seat = Seat::taken(desk);
    while let Some(ticket) = seat.next(&mut pace) {
        let waited = seat.serve(ticket, None).await;
        // A target that fails at once must not keep the thread from everyone else.
        if !waited || !seat.sample.class.is_ok() {
            yield_now().await;
        }
    }
}

/// The place of one request at a time. Dropping it in mid-flight writes the request down as cut.
pub(super) struct Seat<T: Target> {
    desk: Rc<Desk<T>>,
    /// Reused from request to request.
    sample: Sample,
    /// The request under way.
    flight: Option<Flight>,
}

impl<T: Target> Seat<T> {
    /// A seat with a sample that another one has left, if there is one.
    pub(super) fn taken(desk: Rc<Desk<T>>) -> Self {
        let spare = desk.spare.borrow_mut().pop();
        let sample = spare.unwrap_or_else(|| Sample::starting(desk.schedule.t0));
        Self { desk, sample, flight: None }
    }

    /// Makes one request; says whether it had to wait for anything.
    pub(super) async fn serve(&mut self, ticket: Ticket, planned: Option<Planned>) -> bool {
        self.begin(ticket, planned);
        let finish = {
            let Self { desk, sample, .. } = self;
            guarded(pin!(desk.target.run(ticket, sample))).await
        };
        let waited = finish == Finish::Waited;
        self.end(finish);
        waited
    }

    /// The next request of a closed loop, if there is one.
    fn next(&self, pace: &mut Pace) -> Option<Ticket> {
        if self.desk.control.is_stopping() {
            return None;
        }
        let ticket = pace.next(Instant::now())?;
        self.desk.control.admits().then_some(ticket)
    }

    /// Starts a request.
    fn begin(&mut self, ticket: Ticket, planned: Option<Planned>) {
        let start = Instant::now();
        self.sample.restart(start);
        let flight = Flight { start, recorded: !ticket.is_warmup(), ticket, planned };
        self.desk.book(ticket.side).borrow_mut().started(&flight);
        self.flight = Some(flight);
        self.desk.in_flight.set(self.desk.in_flight.get() + 1);
    }

    /// Writes down the request that has just ended.
    fn end(&mut self, finish: Finish) {
        let Some(flight) = self.flight.take() else { return };
        let now = Instant::now();
        self.desk.in_flight.set(self.desk.in_flight.get() - 1);
        if let Finish::Panicked(message) = finish {
            // The panic may have left the old sample half-written.
            self.sample = Sample::starting(flight.start);
            self.sample.class = Class::ClientLimit;
            self.sample.message = format!("the client panicked: {message}");
        }
        self.log(&flight, now);
        let mut recorder = self.desk.book(flight.ticket.side).borrow_mut();
        if self.sample.class == Class::Cancelled {
            recorder.cut(flight, now, &self.sample);
        } else {
            let Desk { schedule, objectives, .. } = &*self.desk;
            let entry = Entry { schedule, limit: self.desk.limit(), objectives, sample: &self.sample };
            recorder.finished(flight, now, &entry);
            if flight.recorded && schedule.sides == Sides::Pairs && self.sample.class.is_ok() {
                self.desk.pairs.borrow_mut().offer(flight.ticket, &self.sample);
            }
            self.desk.watch_for_hopelessness(&self.sample);
        }
    }

    /// Gives the request its line in the log.
    fn log(&self, flight: &Flight, over: Instant) {
        if let Some(journal) = &self.desk.journal {
            journal.note(flight, over, &self.sample);
        }
    }
}

impl<T: Target> Drop for Seat<T> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            let now = Instant::now();
            self.log(&flight, now);
            self.desk.in_flight.set(self.desk.in_flight.get() - 1);
            self.desk.book(flight.ticket.side).borrow_mut().cut(flight, now, &self.sample);
        }
        let now = self.sample.marks.start;
        self.desk.spare.borrow_mut().push(std::mem::replace(&mut self.sample, Sample::starting(now)));
    }
}
