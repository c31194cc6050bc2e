//! What a gateway has seen: each request with what became of it, for whoever stands at both ends of a relay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much of a body is kept.
const KEPT: usize = 64 * 1024;

/// One request as it came in, and what became of it so far.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// When it was read.
    pub at: Instant,
    /// Its headers.
    pub headers: HeaderMap,
    /// The beginning of its body.
    pub body: Bytes,
    /// The status and the headers of the reply that came back for it.
    pub reply: Option<(u16, HeaderMap)>,
    /// When the first bytes of the reply's body left.
    pub first: Option<Instant>,
    /// When the last ones so far did.
    pub last: Option<Instant>,
    /// How and when it ended.
    pub end: Option<(Fate, Instant)>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The reply was handed over whole.
    Complete,
    /// The upstream broke off, on purpose or not.
    Broken,
    /// The client went away before the end.
    Abandoned,
}

/// All sightings of a gateway; cheap to clone, readable from every thread.
#[derive(Debug, Clone)]
pub struct Sightings {
    all: Arc<Mutex<Vec<Sighting>>>,
    /// Counts the changes, so that they can be waited for.
    changes: watch::Sender<u64>,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { all: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl Sightings {
    /// The requests whose body holds this mark, oldest first.
    pub fn of(&self, mark: &str) -> Vec<Sighting> {
        let holds = |sighting: &&Sighting| memchr::memmem::find(&sighting.body, mark.as_bytes()).is_some();
        self.lock().iter().filter(holds).cloned().collect()
    }

    /// Waits until what is known of the requests with this mark satisfies the condition.
    pub async fn until(&self, mark: &str, satisfied: impl Fn(&[Sighting]) -> bool) -> Vec<Sighting> {
        let mut changes = self.changes.subscribe();
        loop {
            let seen = self.of(mark);
            if satisfied(&seen) || changes.changed().await.is_err() {
                return seen;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sighting>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request down.
    pub(super) fn note(&self, headers: HeaderMap, body: &Bytes) -> Witness {
        let body = body.slice(..body.len().min(KEPT));
        let sighting =
            Sighting { at: Instant::now(), headers, body, reply: None, first: None, last: None, end: None };
        let mut all = self.lock();
        all.push(sighting);
        let number = all.len() - 1;
        drop(all);
        self.changes.send_modify(|changes| *changes += 1);
        Witness { sightings: self.clone(), number }
    }
}

/// Follows one request to its end. Dropped before, it says that the client went away.
#[derive(Debug)]
pub(super) struct Witness {
    sightings: Sightings,
    number: usize,
}

impl Witness {
    /// A reply has come.
    pub(super) fn answered(&self, status: u16, headers: &HeaderMap) {
        self.change(|sighting| sighting.reply = Some((status, headers.clone())));
    }

    /// Bytes of the body leave.
    pub(super) fn passed(&self) {
        let now = Instant::now();
        self.change(|sighting| {
            sighting.first.get_or_insert(now);
            sighting.last = Some(now);
        });
    }

    /// The request has ended.
    pub(super) fn ended(&self, fate: Fate) {
        let now = Instant::now();
        self.change(|sighting| {
            sighting.end.get_or_insert((fate, now));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Sighting)) {
        change(&mut self.sightings.lock()[self.number]);
        self.sightings.changes.send_modify(|changes| *changes += 1);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.ended(Fate::Abandoned);
    }
}
