//! Which of several endpoints a request goes to: nearest first, failover that does not panic, sessions that stay.
//!
//! A [`Router`] keeps what is known of each [`Endpoint`] and hands out a [`Ticket`] for each attempt. What is decided lies
//! in `board` (health, ejection, preference) and `view` (the choice), plain functions over a state and a time; here are
//! only the clock, the lock and the published picture. Choosing takes no lock.
//!
//! Where the rules that it follows contradict one another, this holds:
//!
//! 1. *A request never fails for lack of choice.* Choosing always answers. An endpoint that is not well is asked after all that are,
//!    in the order cooling, drained, suspect, ejected, and one that a request has tried after all that it has not.
//! 2. *Most ejected.* At most half of the endpoints (rounded down, at least one) are ejected, and never the last that
//!    serves. What should be ejected beyond that is spared: it is a suspect, asked last and nobody's first choice, and comes back
//!    as an ejected one does.
//! 3. *Panic.* Fewer than half are well, counting suspects as unwell. Then hold-downs and ramps end at once, because what is well is
//!    needed whole; where none at all is well, health is ignored, all are asked alike, and sessions stay where they are. While
//!    one is well it is still asked first: this is one client of many, and a relay that cannot bear it says so with 429 or 529.
//! 4. *Detection.* Five failures in a row eject, so that a refusal is detected as soon as five requests met it. With fewer
//!    requests, probes and one failed request agree on it, unless a request succeeded within 10 s; until then each request finds
//!    its own way, because no attempt goes where the one before failed. Probes alone eject nothing.
//! 5. *The network first.* A failure to which no host answered says nothing of an endpoint until another attempt shows that the
//!    network is well: an ejection waits for that, for the second that a probe of a sibling takes. Where nothing answers at any
//!    endpoint the network is under suspicion, and what failed since the last answer counts against nobody.
//! 6. *One mechanism.* A circuit breaker's open, half-open and closed are ejection, trial and recovery.
//! 7. *Coming back.* After two successful trials an endpoint is held down: asked only where the others cannot serve, then by a growing
//!    share. A session that moved stays where it went for as long as it is remembered, and is not asked back. Where no request
//!    comes to try it, probes that pass stand in.
//! 8. *Dwell.* A preferred endpoint that works is left for a better one after 60 s at the earliest; one that is ejected,
//!    suspect or drained is left at once.

mod affinity;
mod board;
mod distance;
mod ejection;
mod endpoint;
mod event;
mod health;
mod memory;
mod network;
mod probing;
mod rules;
mod run;
mod seat;
mod signal;
mod silence;
#[cfg(test)]
mod simulation;
mod status;
mod streak;
#[cfg(test)]
mod tests;
mod ticket;
mod view;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{Moved, Url};

pub use self::endpoint::{Endpoint, Strategy, UnknownStrategy};
pub use self::event::{Change, Event, Reason};
pub use self::memory::Learned;
pub use self::probing::Probe;
pub use self::rules::{MOST_ENDPOINTS, PROBE_TIMEOUT, PROBE_TIMEOUT_SILENT};
pub use self::seat::Seat;
pub use self::signal::{Probed, Report};
pub use self::status::Status;
pub use self::ticket::{Ticket, Tried};
pub use self::view::Grade;

use self::affinity::Homes;
use self::board::{Attempt, Board};
use self::rules::TICK;
use self::signal::Signal;
use self::view::{Chosen, Set, View};

/// A set of endpoints that cannot be routed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is none.
    #[error("no endpoint is given")]
    Empty,
    /// There are more than [`MOST_ENDPOINTS`].
    #[error("{0} endpoints are given, and at most {MOST_ENDPOINTS} are kept")]
    TooMany(usize),
    /// An address stands there twice.
    #[error("the endpoint {0} is given twice")]
    Twice(String),
}

/// Chooses among endpoints, and learns from what becomes of each choice.
#[derive(Debug)]
pub struct Router {
    /// The moment that all others count from.
    origin: Instant,
    board: Mutex<Board>,
    view: ArcSwap<View>,
    /// When the clock alone may change something, in milliseconds.
    due: AtomicU64,
    homes: Homes,
}

impl Router {
    /// A router over these endpoints, the first of which is preferred until something is measured.
    ///
    /// # Errors
    ///
    /// That there are none, too many, or two with the same address.
    pub fn new(strategy: Strategy, endpoints: Vec<Endpoint>) -> Result<Self, SetError> {
        Self::check(&endpoints)?;
        let board = Board::new(strategy, endpoints, Duration::ZERO);
        let view = ArcSwap::from_pointee(board.view(Duration::ZERO));
        let origin = Instant::now();
        Ok(Self { origin, board: Mutex::new(board), view, due: AtomicU64::new(0), homes: Homes::default() })
    }

    /// Chooses for one attempt of a request, which has tried some endpoints, and of a session, if it is of one. There
    /// always is a choice.
    pub fn choose(&self, session: Option<&str>, tried: &Tried) -> Ticket<'_> {
        self.choose_at(self.now(), (session, tried), &mut fastrand::f64)
    }

    /// The right to another attempt where one was made, without a choice.
    pub fn choose_again(&self, seat: &Seat) -> Ticket<'_> {
        Ticket::again(self, self.now(), seat)
    }

    /// Whether an endpoint is left that is well and has not been tried.
    pub fn has_alternative(&self, tried: &Tried) -> bool {
        let view = self.view.load();
        view.has_alternative(tried.within(&view))
    }

    /// Replaces the set of endpoints under running requests: what is known of endpoints that stay is kept, by their
    /// address, and requests under way go on where they are.
    ///
    /// # Errors
    ///
    /// As for [`Router::new`]; nothing is changed then.
    pub fn replace(&self, endpoints: Vec<Endpoint>) -> Result<(), SetError> {
        Self::check(&endpoints)?;
        self.change(self.now(), |board, now| board.replace(now, endpoints));
        Ok(())
    }

    /// Whether a set can be routed over.
    ///
    /// # Errors
    ///
    /// As for [`Router::new`].
    pub fn check(endpoints: &[Endpoint]) -> Result<(), SetError> {
        if endpoints.is_empty() {
            return Err(SetError::Empty);
        }
        if endpoints.len() > MOST_ENDPOINTS {
            return Err(SetError::TooMany(endpoints.len()));
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            if endpoints[..index].iter().any(|other| other.url == endpoint.url) {
                return Err(SetError::Twice(endpoint.name()));
            }
        }
        Ok(())
    }

    /// Gives these endpoints nothing new, and the others again what is theirs, unless they are configured so; sessions
    /// that live at a drained one may still come for 30 s.
    pub fn drain(&self, asked: &[Url]) {
        self.change(self.now(), |board, now| board.drain(now, asked));
    }

    /// Tells that a name leads elsewhere: each endpoint of that name is found there from now on.
    pub fn moved(&self, moved: &Moved) {
        self.change(self.now(), |board, now| board.moved(now, moved));
    }

    /// What was decided since this was last asked, the oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        self.board().events.drain(..).collect()
    }

    /// How many endpoints there are.
    pub fn count(&self) -> usize {
        self.view.load().placed.len()
    }

    /// How endpoints are chosen.
    pub fn strategy(&self) -> Strategy {
        self.view.load().strategy
    }

    /// The moment that the times of events count from.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    fn choose_at(
        &self,
        now: Duration,
        (session, tried): (Option<&str>, &Tried),
        random: &mut impl FnMut() -> f64,
    ) -> Ticket<'_> {
        self.keep_up(now, random);
        let view = self.view.load();
        let set = tried.within(&view);
        let session = session.filter(|_| view.strategy != Strategy::Pinned && view.placed.len() > 1);
        let chosen = match session {
            None => view.choose(now, set, random),
            Some(session) => self.lead(&view, now, (session, set)),
        };
        Ticket::new(self, now, &view.placed[chosen.index], chosen.trial)
    }

    /// Where a request of a session goes. The session itself moves only when its home serves no more; while it looks for
    /// another, one of its requests may try an endpoint that was ejected, where it does not settle.
    fn lead(&self, view: &View, now: Duration, (session, tried): (&str, Set)) -> Chosen {
        let session = affinity::hash(session);
        let home = self.homes.find(session, now);
        let home = home.and_then(|seat| view.placed.iter().position(|placed| placed.seat.is(&seat)));
        let index = view.choose_for(session, home, tried);
        let usual = Chosen { index, trial: None };
        if home.is_some_and(|home| view.keeps(home)) {
            return usual;
        }
        self.homes.settle(session, &view.placed[index].seat, now);
        view.trial(tried).unwrap_or(usual)
    }

    /// Does what is due by the clock, unless another thread is at it.
    fn keep_up(&self, now: Duration, random: &mut impl FnMut() -> f64) {
        if milliseconds(now) < self.due.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut board) = self.board.try_lock() else { return };
        board.tick(now, random());
        self.publish(&board, now);
    }

    /// Changes the state and publishes the new picture.
    fn change<R>(&self, now: Duration, act: impl FnOnce(&mut Board, Duration) -> R) -> R {
        let mut board = self.board();
        let result = act(&mut board, now);
        self.publish(&board, now);
        result
    }

    fn publish(&self, board: &Board, now: Duration) {
        self.view.store(board.view(now).into());
        self.due.store(milliseconds(now + TICK), Ordering::Relaxed);
    }

    fn take_report(&self, now: Duration, attempt: Attempt<'_>, (report, random): (&Report, f64)) {
        let mut board = self.board();
        let before = board.decided;
        board.report(now, attempt, (report, random));
        // What changes the picture is an event, but for what the next tick brings.
        if board.decided != before {
            self.publish(&board, now);
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Every change is one step, so that a holder who panicked left nothing half done.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times of a process in milliseconds")]
fn milliseconds(time: Duration) -> u64 {
    time.as_millis() as u64
}
