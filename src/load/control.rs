//! The brake of a run: who may stop it, how hard, and why it ended.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

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
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// A handle for a run that has not been stopped.
    pub fn new() -> Self {
        let order = watch::Sender::new(Order::Run);
        Self { shared: Arc::new(Shared { stopping: AtomicBool::new(false), order }) }
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
