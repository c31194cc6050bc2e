//! When a level begins, is measured and ends: the moments that all workers agree on.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::control::Order;
use super::plan::Extent;
use super::side::Sides;

/// The part of a level that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Requests are made and not recorded.
    WarmUp,
    /// Requests that start are recorded.
    Measuring,
    /// No request starts; those in flight may end.
    Draining,
}

/// The moments of one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Position of the level in the sweep, from 0.
    pub level: u32,
    /// Users of the level, over all workers.
    pub users: u32,
    /// Planned arrivals a second, where they come at one rate.
    pub rate: Option<f64>,
    /// The common start of all workers.
    pub t0: Instant,
    /// From when on requests are recorded.
    pub measured_from: Instant,
    /// What is measured.
    pub extent: Extent,
    /// How long requests in flight may go on after the last start.
    pub drain: Duration,
    /// How often each request is made.
    pub sides: Sides,
}

impl Schedule {
    /// The end of the window, where it is a time.
    pub(super) fn window_end(&self) -> Option<Instant> {
        match self.extent {
            Extent::Window(window) => Some(self.measured_from + window),
            Extent::Requests(_) => None,
        }
    }

    /// The phase at a moment, unless the level was stopped.
    pub(super) fn phase(&self, now: Instant) -> Phase {
        if now < self.measured_from {
            Phase::WarmUp
        } else if self.window_end().is_some_and(|end| now >= end) {
            Phase::Draining
        } else {
            Phase::Measuring
        }
    }

    /// Returns when requests in flight must be cut: after the drain, or at once when the run is aborted.
    pub(super) async fn cut(self, mut orders: watch::Receiver<Order>) {
        loop {
            let last_start = match *orders.borrow_and_update() {
                Order::Run => self.window_end(),
                Order::Stop(at, _) => Some(self.window_end().map_or(at, |end| end.min(at))),
                Order::Abort(..) => return,
            };
            tokio::select! {
                () = reach(last_start.map(|at| at + self.drain)) => return,
                changed = orders.changed() => if changed.is_err() {
                    // Nobody is left who could stop the run before its time.
                    return reach(last_start.map(|at| at + self.drain)).await;
                },
            }
        }
    }
}

/// Waits for a moment, or for ever.
async fn reach(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
