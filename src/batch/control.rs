//! What ends a run before its input does: limits, failures that every further row would share, and the user.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::Exchange;
use crate::outcome::Class;
use crate::units::Money;

use super::Error;
use super::tally::Tally;

/// Rows in a row that found no relay, before the run is given up.
const UNREACHED: u32 = 20;
/// How long that must have gone on: a relay that restarts refuses connections for seconds.
const UNREACHED_FOR: Duration = Duration::from_secs(10);
/// Rows before which a share of failures says nothing.
const SHARE_FROM: u64 = 100;

/// How many rows may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxErrors {
    /// So many.
    Rows(u64),
    /// This share of all rows, from the hundredth row on.
    Percent(f64),
}

/// What ends a run early.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Failed rows.
    pub max_errors: Option<MaxErrors>,
    /// What the answers may cost.
    pub max_cost: Option<Money>,
    /// Requests, retries included.
    pub max_requests: Option<u64>,
}

/// Why a run stopped before the end of its input.
#[derive(Debug)]
pub enum Stop {
    /// Somebody asked for it.
    Asked,
    /// More rows failed than may.
    TooManyErrors {
        /// Failed rows.
        failed: u64,
        /// Rows that had come to an end.
        finished: u64,
    },
    /// `--max-cost` is reached.
    Cost(Money),
    /// `--max-requests` is reached.
    Requests(u64),
    /// A failure that every further row would share: credentials, a quota, no relay.
    Hopeless {
        /// Its class.
        class: Class,
        /// Its words.
        message: String,
    },
    /// Input or output failed.
    Broken(Error),
}

/// How far a run has been stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// No row is started any more.
    Draining,
    /// What is in flight is dropped.
    Aborted,
}

/// Stops a run, from inside or outside.
#[derive(Debug)]
pub struct Control {
    phase: watch::Sender<Phase>,
    why: Mutex<Option<Stop>>,
    limits: Limits,
    /// Requests sent.
    requests: AtomicU64,
    /// Rows in a row that found no relay, and when the first of them ended.
    unreached: AtomicU32,
    unreached_since: Mutex<Option<Instant>>,
}

impl Control {
    /// A run that goes on.
    pub fn new(limits: Limits) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Running),
            why: Mutex::new(None),
            limits,
            requests: AtomicU64::new(0),
            unreached: AtomicU32::new(0),
            unreached_since: Mutex::new(None),
        }
    }

    /// Starts no more rows; what is in flight may finish. The first reason is kept.
    pub fn stop(&self, why: Stop) {
        if let Ok(mut kept) = self.why.lock() {
            kept.get_or_insert(why);
        }
        self.phase.send_if_modified(|phase| {
            let before = *phase;
            *phase = before.max(Phase::Draining);
            *phase != before
        });
    }

    /// Drops what is in flight.
    pub fn abort(&self) {
        self.phase.send_replace(Phase::Aborted);
    }

    /// Waits until no more rows are started.
    pub async fn stopped(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as this future.
        let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Waits until what is in flight is to be dropped.
    pub(super) async fn aborted(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Aborted).await;
    }

    /// Stops the run where whoever holds this panics.
    pub(super) const fn part(&self) -> Part<'_> {
        Part(self)
    }

    /// Whether rows may still be started.
    pub(super) fn is_running(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Why the run stopped early, if it did.
    pub(super) fn why(&self) -> Option<Stop> {
        self.why.lock().ok().and_then(|mut why| why.take())
    }

    /// Whether one more row may be sent.
    pub(super) fn allows_request(&self) -> bool {
        if !self.is_running() {
            return false;
        }
        let sent = self.requests.fetch_add(1, Ordering::Relaxed);
        match self.limits.max_requests {
            Some(most) if sent >= most => {
                self.stop(Stop::Requests(most));
                false
            }
            _ => true,
        }
    }

    /// Whether the row has come to an end; a failure that all would share leaves it for a later run.
    pub(super) fn keeps(&self, exchange: &Exchange) -> bool {
        let retries = exchange.attempts.len().saturating_sub(1) as u64;
        self.requests.fetch_add(retries, Ordering::Relaxed);
        match exchange.class {
            Class::Cancelled => false,
            Class::Auth | Class::Quota => {
                self.stop(hopeless(exchange));
                false
            }
            Class::Connect | Class::Tls | Class::TimeoutConnect | Class::ClientLimit => {
                let row = self.unreached.fetch_add(1, Ordering::Relaxed) + 1;
                let since =
                    self.unreached_since.lock().map(|mut since| *since.get_or_insert_with(Instant::now));
                if row >= UNREACHED && since.is_ok_and(|since| since.elapsed() >= UNREACHED_FOR) {
                    self.stop(hopeless(exchange));
                }
                // A run that is being given up leaves the rest of its rows for a later one.
                self.is_running()
            }
            _ => {
                if self.unreached.swap(0, Ordering::Relaxed) > 0
                    && let Ok(mut since) = self.unreached_since.lock()
                {
                    *since = None;
                }
                true
            }
        }
    }

    /// Stops the run where its counts have passed a limit.
    pub(super) fn check(&self, tally: &Tally) {
        let Tally { failed, .. } = *tally;
        let finished = tally.finished();
        let too_many = match self.limits.max_errors {
            None => false,
            Some(MaxErrors::Rows(most)) => failed >= most,
            #[expect(clippy::cast_precision_loss, reason = "a share of rows needs no last digit")]
            Some(MaxErrors::Percent(most)) => {
                finished >= SHARE_FROM && failed as f64 * 100.0 > most * finished as f64
            }
        };
        if too_many {
            self.stop(Stop::TooManyErrors { failed, finished });
        }
        if let (Some(cost), Some(most)) = (tally.cost, self.limits.max_cost)
            && cost >= most
        {
            self.stop(Stop::Cost(cost));
        }
    }
}

/// Held by a part of the run for as long as it works: a run of which a part has panicked is stopped, since its rows are
/// waited for in vain.
pub(super) struct Part<'a>(&'a Control);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(Stop::Broken(Error::Panicked));
        }
    }
}

fn hopeless(exchange: &Exchange) -> Stop {
    let message = exchange.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
    Stop::Hopeless { class: exchange.class, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(limits: Limits, tally: &Tally) -> Option<Stop> {
        let control = Control::new(limits);
        control.check(tally);
        control.why()
    }

    #[test]
    fn errors_are_counted_or_weighed_against_all_rows() {
        let rows = |most| Limits { max_errors: Some(MaxErrors::Rows(most)), ..Limits::default() };
        let share = |most| Limits { max_errors: Some(MaxErrors::Percent(most)), ..Limits::default() };
        let tally = |done, failed| Tally { done, failed, ..Tally::default() };
        assert!(stops(rows(3), &tally(0, 2)).is_none());
        assert!(matches!(
            stops(rows(3), &tally(9, 3)),
            Some(Stop::TooManyErrors { failed: 3, finished: 12 })
        ));
        assert!(stops(share(5.0), &tally(1, 50)).is_none());
        assert!(stops(share(5.0), &tally(95, 5)).is_none());
        assert!(stops(share(5.0), &tally(94, 6)).is_some());
    }

    #[test]
    fn no_request_is_sent_beyond_their_number() {
        let control = Control::new(Limits { max_requests: Some(2), ..Limits::default() });
        assert!(control.allows_request() && control.allows_request() && !control.allows_request());
        assert!(matches!(control.why(), Some(Stop::Requests(2))));
    }

    #[test]
    fn a_part_that_panics_stops_the_run_and_one_that_ends_does_not() {
        let control = Control::new(Limits::default());
        drop(control.part());
        assert!(control.is_running());
        let panicked = std::panic::catch_unwind(|| {
            let _part = control.part();
            panic!("a part of the run");
        });
        assert!(panicked.is_err() && !control.is_running());
        assert!(matches!(control.why(), Some(Stop::Broken(Error::Panicked))));
    }

    #[test]
    fn the_first_reason_to_stop_is_kept() {
        let control = Control::new(Limits::default());
        control.stop(Stop::Requests(1));
        control.stop(Stop::Asked);
        assert!(!control.is_running() && matches!(control.why(), Some(Stop::Requests(1))));
    }
}
