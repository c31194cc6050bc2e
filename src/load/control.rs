//! The brake of a run: who may stop it, how hard, and why it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::outcome::Class;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Every level ran to its end.
    Completed,
    /// Someone stopped it; the last level may be cut short and later ones are missing.
    Interrupted,
    /// It reached a bound that it had been given.
    Bounded {
        /// Which, in words.
        what: String,
    },
    /// The engine stopped it, because going on would only repeat one failure.
    GaveUp {
        /// The class of that failure.
        class: Class,
        /// What the last of those requests said.
        message: String,
    },
}

/// What the workers are told.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// Go on.
    Run,
    /// Start nothing after this moment; what is in flight may drain.
    Stop(Instant, Ended),
    /// The same, and cut at once what is in flight.
    Abort(Instant, Ended),
}

/// A handle that stops a run; clones stop the same run.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What each user looks at before each request: one relaxed load, and no lock on the way of the traffic.
    stopping: AtomicBool,
    /// What each worker waits on: the moment and the reason.
    order: watch::Sender<Order>,
    /// What may still be begun, where that is bounded.
    ration: Option<Ration>,
}

/// A number of requests that may be begun.
#[derive(Debug)]
struct Ration {
    left: AtomicU64,
    /// What is said when the next one would be too many.
    what: String,
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// A handle for a run that has not been stopped.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A handle for a run that may begin so many requests, those of warm-ups included; `what` says what the bound is.
    pub fn rationed(requests: u64, what: &str) -> Self {
        Self::with(Some(Ration { left: AtomicU64::new(requests), what: what.to_owned() }))
    }

    fn with(ration: Option<Ration>) -> Self {
        let order = watch::Sender::new(Order::Run);
        Self { shared: Arc::new(Shared { stopping: AtomicBool::new(false), order, ration }) }
    }

    /// Starts nothing more, lets what is in flight drain, and reports.
    pub fn stop(&self) {
        self.halt(Ended::Interrupted);
    }

    /// Cuts what is in flight at once, and reports.
    pub fn abort(&self) {
        self.shared.order.send_modify(|order| {
            *order = match std::mem::replace(order, Order::Run) {
                Order::Run => Order::Abort(Instant::now(), Ended::Interrupted),
                Order::Stop(at, reason) | Order::Abort(at, reason) => Order::Abort(at, reason),
            };
        });
        self.shared.stopping.store(true, Ordering::Relaxed);
    }

    /// Starts nothing more, since the run has reached a bound that `what` names.
    pub fn bound(&self, what: &str) {
        self.halt(Ended::Bounded { what: what.to_owned() });
    }

    /// Takes so many requests from what may still be begun: some were made more than once.
    pub fn charge(&self, requests: u64) {
        if let Some(ration) = &self.shared.ration {
            let less = |left: u64| Some(left.saturating_sub(requests));
            let _ = ration.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Whether one more request may be begun, which then counts as begun; where it may not, the run is stopped.
    pub(super) fn admits(&self) -> bool {
        if self.is_stopping() {
            return false;
        }
        let Some(ration) = &self.shared.ration else { return true };
        let one_less = |left: u64| left.checked_sub(1);
        let admits = ration.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        if !admits {
            self.bound(&ration.what);
        }
        admits
    }

    /// Whether the run has been stopped, by whom ever.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Waits for a moment; says at once if the run is stopped before it.
    pub(super) async fn stops_before(&self, moment: Instant) -> bool {
        let mut orders = self.orders();
        tokio::select! {
            () = sleep_until(moment) => self.is_stopping(),
            stopped = orders.wait_for(|order| !matches!(order, Order::Run)) => stopped.is_ok(),
        }
    }

    /// Stops the run because one failure repeats itself.
    pub(super) fn give_up(&self, class: Class, message: &str) {
        self.halt(Ended::GaveUp { class, message: message.to_owned() });
    }

    /// A receiver of the orders.
    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.shared.order.subscribe()
    }

    /// When the run was stopped, if it was.
    pub(super) fn stopped_at(&self) -> Option<Instant> {
        match *self.shared.order.borrow() {
            Order::Run => None,
            Order::Stop(at, _) | Order::Abort(at, _) => Some(at),
        }
    }

    /// How the run ended, if all of its levels have been seen to.
    pub(super) fn ended(&self) -> Ended {
        match &*self.shared.order.borrow() {
            Order::Run => Ended::Completed,
            Order::Stop(_, reason) | Order::Abort(_, reason) => reason.clone(),
        }
    }

    /// Stops for the first reason given; later ones change nothing.
    fn halt(&self, reason: Ended) {
        self.shared.order.send_if_modified(|order| {
            let first = matches!(order, Order::Run);
            if first {
                *order = Order::Stop(Instant::now(), reason);
            }
            first
        });
        self.shared.stopping.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ration_admits_exactly_so_many_requests_and_then_stops_the_run() {
        let control = Control::rationed(10, "ten");
        let admitted = std::thread::scope(|scope| {
            let count = || (0..10).filter(|_| control.admits()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!((admitted, control.is_stopping()), (10, true));
        assert_eq!(control.ended(), Ended::Bounded { what: "ten".into() });
        let control = Control::rationed(10, "ten");
        control.charge(8);
        assert!(control.admits() && control.admits() && !control.is_stopping());
        assert!(!control.admits() && control.is_stopping());
        assert!((0..100).all(|_| Control::new().admits()));
    }

    #[test]
    fn the_first_reason_to_stop_is_the_one_reported() {
        let control = Control::new();
        assert_eq!((control.ended(), control.is_stopping()), (Ended::Completed, false));
        control.give_up(Class::Auth, "401");
        control.stop();
        control.abort();
        assert!(control.is_stopping());
        assert_eq!(control.ended(), Ended::GaveUp { class: Class::Auth, message: "401".into() });
    }
}
