//! How long an attempt waits for anything: its deadlines, a stop from outside, and what ended the waiting.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::net;
use crate::net::route::Ticket;
use crate::outcome::Class;
use crate::wire::WireError;

use super::deadlines::{Deadline, Deadlines, Progress, Scope};
use super::exchange::Trouble;

/// Why reading an answer ended early.
pub(super) enum Halt {
    Missed(Deadline),
    Net(net::Error),
    Wire(WireError),
    TooLarge,
    Limit(net::Refusal),
    Token(net::AuthError),
    /// The endpoint has fallen silent.
    Recalled,
    Stopped,
}

/// How long an attempt waits for anything: its deadlines, and whether it is stopped from outside.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    deadlines: Deadlines<'a>,
    stop: Option<&'a Notify>,
    /// What calls it back from an endpoint that has fallen silent.
    ticket: Option<&'a Ticket<'a>>,
    alarm: Alarm<'a>,
}

impl<'a> Patience<'a> {
    /// Patience until these deadlines or a stop.
    pub(super) fn new(deadlines: Deadlines<'a>, (stop, alarms): (Option<&'a Notify>, &'a Alarms)) -> Self {
        Self { deadlines, stop, ticket: None, alarm: Alarm { set: None, alarms } }
    }

    /// The same, until the endpoint is found silent; once something was generated, that calls nobody back.
    pub(super) fn recalled_by(self, ticket: Option<&'a Ticket<'a>>) -> Self {
        Self { ticket, ..self }
    }

    /// Something came.
    pub(super) fn progressed(&self) {
        self.ticket.iter().for_each(|ticket| ticket.progressed());
    }

    /// The same for what is no fault of the relay's: only the total limit counts it.
    pub(super) fn of_total(&self) -> Self {
        let deadlines = Deadlines { scope: Scope::Total, ..self.deadlines };
        Self::new(deadlines, (self.stop, self.alarm.alarms))
    }

    /// Waits for a future until the nearest deadline or a stop.
    pub(super) async fn wait<F: Future>(&mut self, progress: Progress, future: F) -> Result<F::Output, Halt> {
        // Asked for once something has to be waited for: much is there already.
        let (deadlines, mut deadline) = (self.deadlines, None);
        let mut future = pin!(future);
        let until = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => match *deadline.get_or_insert_with(|| deadlines.next(progress)) {
                None => Poll::Pending,
                Some(deadline) => self.alarm.poll(deadline.at, context).map(|()| Err(Halt::Missed(deadline))),
            },
        });
        let ticket = self.ticket.filter(|_| progress.last_delta.is_none());
        if self.stop.is_none() && ticket.is_none() {
            return until.await;
        }
        tokio::select! {
            biased;
            ended = until => ended,
            () = notified(self.stop) => Err(Halt::Stopped),
            () = abandoned(ticket) => Err(Halt::Recalled),
        }
    }
}

async fn notified(stop: Option<&Notify>) {
    match stop {
        Some(stop) => stop.notified().await,
        None => pending().await,
    }
}

async fn abandoned(ticket: Option<&Ticket<'_>>) {
    match ticket {
        Some(ticket) => ticket.abandoned().await,
        None => pending().await,
    }
}

/// One timer for all waits of an attempt. Each chunk of a stream moves its deadlines to a later time; the timer is left
/// where it was and set again only when it rings too early, since setting it costs more than the chunk's own events. The next
/// attempt takes it over as it is, for the same reason.
#[derive(Debug)]
struct Alarm<'a> {
    set: Option<Pin<Box<Sleep>>>,
    /// Where it comes from and goes back to.
    alarms: &'a Alarms,
}

/// Timers that attempts have left; they stay set, and wake nobody who minds.
#[derive(Debug, Default)]
pub(super) struct Alarms(Mutex<Vec<Pin<Box<Sleep>>>>);

impl Alarms {
    fn left(&self) -> MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(sleep) = self.set.take() {
            self.alarms.left().push(sleep);
        }
    }
}

impl Alarm<'_> {
    /// Ready once the time has come.
    fn poll(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.set.get_or_insert_with(|| {
            let left = self.alarms.left().pop();
            left.unwrap_or_else(|| Box::pin(sleep_until(at)))
        });
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        ready!(sleep.as_mut().poll(context));
        if sleep.deadline() < at {
            sleep.as_mut().reset(at);
            ready!(sleep.as_mut().poll(context));
        }
        Poll::Ready(())
    }
}

impl Deadline {
    pub(super) fn trouble(&self) -> Trouble {
        let (what, flag) = match self.class {
            Class::TimeoutFirstByte => ("no byte of the answer", "--first-byte-timeout"),
            Class::TimeoutFirstToken => ("nothing was generated", "--first-token-timeout"),
            Class::TimeoutIdle => ("not a byte more", "--idle-timeout"),
            Class::TimeoutStall => ("nothing more was generated, though bytes arrived,", "--stall-timeout"),
            _ => ("no whole answer", "--timeout"),
        };
        Trouble::Timeout { what, flag, limit: self.limit }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_timer_serves_deadlines_that_move_both_ways() {
        let start = Instant::now();
        let alarms = Alarms::default();
        let mut alarm = Alarm { set: None, alarms: &alarms };
        for seconds in [60, 5, 90] {
            let at = start + Duration::from_secs(seconds);
            // A wait that something else ends leaves the timer set.
            let cut =
                tokio::time::timeout(Duration::from_secs(1), poll_fn(|context| alarm.poll(at, context)));
            assert!(cut.await.is_err());
        }
        let at = start + Duration::from_secs(120);
        poll_fn(|context| alarm.poll(at, context)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(120));
        let passed = start + Duration::from_secs(1);
        poll_fn(|context| alarm.poll(passed, context)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(120));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_an_attempt_has_left_serves_the_next_one() {
        let (start, alarms) = (Instant::now(), Alarms::default());
        for (seconds, is_missed) in [(60, false), (30, true), (200, true), (201, false), (500, true)] {
            let at = start + Duration::from_secs(seconds);
            let mut alarm = Alarm { set: None, alarms: &alarms };
            let missed = poll_fn(|context| alarm.poll(at, context));
            // What it waits for comes a second too soon, or not at all.
            let comes = if is_missed { Duration::MAX } else { Duration::from_millis(500) };
            assert_eq!(tokio::time::timeout(comes, missed).await.is_ok(), is_missed, "{seconds}");
            if is_missed {
                assert_eq!(start.elapsed(), Duration::from_secs(seconds));
            }
            drop(alarm);
            assert_eq!(alarms.left().len(), 1);
        }
    }
}
