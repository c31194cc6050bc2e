//! How long an attempt waits for anything: its deadlines, a stop from outside, and what ended the waiting.

use std::future::Future;

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::net;
use crate::outcome::Class;
use crate::wire::WireError;

use super::deadlines::{Deadline, Deadlines, Progress, Timeouts};
use super::exchange::Trouble;

/// Why reading an answer ended early.
pub(super) enum Halt {
    Missed(Deadline),
    Net(net::Error),
    Wire(WireError),
    TooLarge,
    Limit(net::TooLarge),
    Stopped,
}

/// How long an attempt waits for anything: its deadlines, and whether it is stopped from outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) deadlines: Deadlines,
    pub(super) stop: Option<&'a Notify>,
}

impl Patience<'_> {
    /// The same for what is no fault of the relay's: only the total limit counts it.
    pub(super) fn of_total(self) -> Self {
        let total = Timeouts { total: self.deadlines.timeouts.total, ..Timeouts::NONE };
        Self { deadlines: Deadlines { timeouts: total, ..self.deadlines }, ..self }
    }

    /// Waits for a future until the nearest deadline or a stop.
    pub(super) async fn wait<F: Future>(&self, progress: Progress, future: F) -> Result<F::Output, Halt> {
        let until = async {
            match self.deadlines.next(progress) {
                Some(deadline) => timeout_at(deadline.at, future).await.map_err(|_| Halt::Missed(deadline)),
                None => Ok(future.await),
            }
        };
        let Some(stop) = self.stop else { return until.await };
        tokio::select! {
            biased;
            ended = until => ended,
            () = stop.notified() => Err(Halt::Stopped),
        }
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
