//! The right to one attempt at an endpoint, and what becomes of it.

use std::time::Duration;

use super::board::Attempt;
use super::seat::Seat;
use super::signal::{Heard, Signal};
use super::view::{Placed, Set, View};
use super::{Endpoint, Report, Router};

/// The right to one attempt at an endpoint. Dropped without a report, it tells nothing about the endpoint.
#[derive(Debug)]
#[must_use = "an attempt that is not made counts as under way until this is dropped"]
pub struct Ticket<'a> {
    router: &'a Router,
    seat: Seat,
    /// When it was chosen.
    began: Duration,
    /// How many times the endpoint's requests had been called back by then.
    given_up: u32,
    /// The number of the trial that this is.
    trial: Option<u64>,
}

impl<'a> Ticket<'a> {
    pub(super) fn new(router: &'a Router, now: Duration, placed: &Placed, trial: Option<u64>) -> Self {
        let seat = placed.seat.clone();
        seat.gauges.begin(now);
        Self { router, seat, began: now, given_up: placed.given_up, trial }
    }

    /// Another attempt where one was made.
    pub(super) fn again(router: &'a Router, now: Duration, seat: &Seat) -> Self {
        let given_up = seat.gauges.given_up();
        seat.gauges.begin(now);
        Self { router, seat: seat.clone(), began: now, given_up, trial: None }
    }

    /// Where the attempt goes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.seat.endpoint
    }

    /// The endpoint, for [`Tried`].
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// A byte of an answer came.
    pub fn progressed(&self) {
        self.progressed_at(self.router.now());
    }

    pub(super) fn progressed_at(&self, now: Duration) {
        self.seat.gauges.progressed(now);
    }

    /// Waits until the endpoint has been found silent after this was chosen, so that a request without a delta should go
    /// elsewhere. Missed by none, whenever it begins to wait.
    pub async fn abandoned(&self) {
        self.seat.gauges.abandoned(self.given_up).await;
    }

    /// When it was chosen.
    #[cfg(test)]
    pub(super) fn began(&self) -> Duration {
        self.began
    }

    /// Whether it is the trial of an endpoint that was ejected.
    #[cfg(test)]
    pub(super) fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Whether it has been called back.
    #[cfg(test)]
    pub(super) fn is_abandoned(&self) -> bool {
        self.given_up != self.seat.gauges.given_up()
    }

    /// Tells what became of the attempt.
    pub fn report(self, report: &Report) {
        let now = self.router.now();
        self.report_at(now, report, fastrand::f64());
    }

    pub(super) fn report_at(self, now: Duration, report: &Report, random: f64) {
        let gauges = &self.seat.gauges;
        let signal = Signal::of(report);
        if signal.is_failure() {
            // A failure that comes fast makes no endpoint fast.
            gauges.renew(now);
        }
        if let Some(time) = report.first_byte {
            if signal == Signal::Served {
                gauges.learn(now, time);
            }
            if Heard::of(report) == Heard::Something {
                gauges.progressed(now);
            }
        }
        let trial = self.trial.is_some_and(|claim| gauges.holds_trial(claim));
        let attempt = Attempt { seat: &self.seat, began: self.began, trial };
        self.router.take_report(now, attempt, (report, random));
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.seat.gauges.end();
        if let Some(claim) = self.trial {
            self.seat.gauges.release_trial(claim);
        }
    }
}

/// The endpoints that a request has tried.
#[derive(Debug, Clone, Default)]
pub struct Tried(Vec<Seat>);

impl Tried {
    /// Adds one.
    pub fn add(&mut self, seat: &Seat) {
        if !self.0.iter().any(|tried| tried.is(seat)) {
            self.0.push(seat.clone());
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Where they are in a picture.
    pub(super) fn within(&self, view: &View) -> Set {
        let at = |seat: &Seat| view.placed.iter().position(|placed| placed.seat.is(seat));
        self.0.iter().filter_map(at).fold(Set::NONE, Set::with)
    }
}
