//! Where connections wait for their next request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::super::lane::IDLE_LIMIT;
use super::link::Link;

/// Where connections wait for a request.
#[derive(Default)]
pub(super) struct Home {
    /// Those that have waited longest come first; each with the moment since when.
    waiting: Mutex<VecDeque<(Box<Link>, Instant)>>,
}

impl Home {
    /// The connection that has waited for the shortest time.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Link>> {
        let mut waiting = self.waiting();
        let (link, since) = waiting.pop_back()?;
        if now.saturating_duration_since(since) < IDLE_LIMIT {
            return Some(link);
        }
        waiting.clear();
        None
    }

    /// Takes back a connection whose answer has been read, if it can carry another request.
    pub(super) fn put(&self, mut link: Box<Link>) {
        if !link.rest() {
            return;
        }
        let now = Instant::now();
        let mut waiting = self.waiting();
        while waiting.front().is_some_and(|(_, since)| now.duration_since(*since) >= IDLE_LIMIT) {
            waiting.pop_front();
        }
        waiting.push_back((link, now));
    }

    /// Takes in a connection that has carried nothing yet.
    pub(super) fn keep(&self, link: Link) {
        self.waiting().push_back((Box::new(link), Instant::now()));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Box<Link>, Instant)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
