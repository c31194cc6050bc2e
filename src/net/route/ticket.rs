//! The right to one attempt at an endpoint, and what becomes of it.

use std::time::Duration;

use super::seat::Seat;
use super::view::{Set, View};
use super::{Endpoint, Report, Router};

/// The right to one attempt at an endpoint. Dropped without a report, it tells nothing about the endpoint.
#[derive(Debug)]
#[must_use = "an attempt that is not made counts as under way until this is dropped"]
pub struct Ticket<'a> {
    router: &'a Router,
    seat: Seat,
    trial: bool,
}

impl<'a> Ticket<'a> {
    pub(super) fn new(router: &'a Router, seat: Seat, trial: bool) -> Self {
        Self { router, seat, trial }
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
        self.seat.gauges.progressed(self.router.now());
    }

    /// Waits until the endpoint has been found silent, so that a request without a delta should go elsewhere.
    pub async fn abandoned(&self) {
        self.seat.gauges.abandoned().await;
    }

    /// Tells what became of the attempt.
    pub fn report(self, report: &Report) {
        let now = self.router.now();
        self.report_at(now, report, fastrand::f64());
    }

    pub(super) fn report_at(self, now: Duration, report: &Report, random: f64) {
        if let Some(time) = report.first_byte {
            self.seat.gauges.learn(now, time);
            self.seat.gauges.progressed(now);
        }
        self.router.take_report(now, (&self.seat, self.trial), (report, random));
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.seat.gauges.end();
        if self.trial {
            self.seat.gauges.release_trial();
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
