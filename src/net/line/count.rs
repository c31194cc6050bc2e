//! How many connections were made, are open, and carry requests: counted where that happens, so that nobody has to guess.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::outcome::Connections;

/// Connections and what they carry.
#[derive(Debug, Default)]
pub(super) struct Counts {
    made: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
    most_streams: AtomicU64,
}

impl Counts {
    /// Counts a connection that was made, until what is given is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Counted {
        self.made.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Counted(Arc::clone(self))
    }

    /// Notes that one connection carries so many requests at once.
    pub(super) fn carries(&self, streams: u64) {
        self.most_streams.fetch_max(streams, Ordering::Relaxed);
    }

    /// What was counted since this was last asked; what is open stays counted.
    pub(super) fn take(&self) -> Connections {
        let open = self.open.load(Ordering::Relaxed);
        Connections {
            made: self.made.swap(0, Ordering::Relaxed),
            most_open: self.most_open.swap(open, Ordering::Relaxed),
            most_streams: self.most_streams.swap(0, Ordering::Relaxed),
        }
    }
}

/// A connection that counts as open.
#[derive(Debug)]
pub(super) struct Counted(Arc<Counts>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
