//! Follows names: tells when one no longer leads to where connections have gone, so that these are given up.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How old what is known of a name may be. Together with [`AGAIN`] and a look-up that takes its time, a change is
/// followed within 30 s.
const EVERY: Duration = Duration::from_secs(10);

/// After so long an answer without an address that is in use is asked for again: a name may lead to more addresses than one
/// answer has.
const AGAIN: Duration = Duration::from_secs(3);

/// The addresses that a name leads to; none where that could not be learned.
type LookUp = Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send>>;

/// The names of a run, shared by all of its pools.
#[derive(Debug, Clone)]
pub struct Names {
    known: Arc<Mutex<Vec<Followed>>>,
    look_up: fn(String) -> LookUp,
}

/// A name that leads elsewhere than connections had gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The name, as it stands in an address.
    pub host: String,
    /// Where a connection had gone.
    pub from: IpAddr,
    /// Where it leads now, or one of several such places.
    pub to: IpAddr,
}

/// A name whose addresses are looked up beside the requests that go there, and not while none does.
#[derive(Clone)]
pub struct Followed(Arc<Name>);

/// The name as a pool found it: connections made under one such are given up together.
#[derive(Debug, Clone)]
pub struct Led {
    name: Followed,
    generation: u64,
}

struct Name {
    host: String,
    look_up: fn(String) -> LookUp,
    /// How often it has moved.
    generation: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Where connections have gone since it last moved.
    used: Vec<IpAddr>,
    /// Those of them that the last answer did not have.
    missed: Vec<IpAddr>,
    /// When the next look-up is due; none while nothing has connected, or one is under way.
    due: Option<Instant>,
    moved: Option<Moved>,
}

impl Names {
    /// A name, known to all who share these.
    pub fn follow(&self, host: &str) -> Followed {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|name| name.0.host == host) {
            return same.clone();
        }
        let (host, look_up) = (host.to_owned(), self.look_up);
        let (generation, known_of_it) = (AtomicU64::default(), Mutex::default());
        let name = Followed(Arc::new(Name { host, look_up, generation, known: known_of_it }));
        known.push(name.clone());
        name
    }

    /// Which of them lead elsewhere since this was last asked.
    pub(super) fn take_moves(&self) -> Vec<Moved> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(|name| name.known().moved.take()).collect()
    }
}

#[cfg(test)]
impl Names {
    /// Moves a name as two look-ups would.
    pub(super) fn move_all(&self, (from, to): (IpAddr, IpAddr), host: &str) {
        let name = self.follow(host);
        name.clone().led().went(from);
        name.learn(&[to]);
        name.learn(&[to]);
    }
}

impl Default for Names {
    fn default() -> Self {
        Self { known: Arc::default(), look_up: |host| Box::pin(look_up(host)) }
    }
}

async fn look_up(host: String) -> Vec<IpAddr> {
    let found = tokio::net::lookup_host((host.as_str(), 0)).await;
    found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

impl Followed {
    /// The name for a pool that is made now.
    pub fn led(self) -> Led {
        let generation = self.0.generation.load(Ordering::Acquire);
        Led { name: self, generation }
    }

    /// Looks it up in the background.
    fn ask(&self) {
        let asking = Asking { name: self.clone(), pause: EVERY };
        tokio::spawn(async move {
            let mut asking = asking;
            let name = Arc::clone(&asking.name.0);
            let found = (name.look_up)(name.host.clone()).await;
            asking.pause = asking.name.learn(&found);
        });
    }

    /// Takes in an answer; the time after which to ask again. A name that cannot be looked up leads where it did.
    fn learn(&self, found: &[IpAddr]) -> Duration {
        let mut known = self.known();
        let Some(to) = found.first().copied() else { return EVERY };
        let gone: Vec<IpAddr> = known.used.iter().filter(|used| !found.contains(used)).copied().collect();
        let Some(from) = gone.iter().find(|address| known.missed.contains(address)).copied() else {
            known.missed = gone;
            return if known.missed.is_empty() { EVERY } else { AGAIN };
        };
        (known.used, known.missed) = (Vec::new(), Vec::new());
        known.moved = Some(Moved { host: self.0.host.clone(), from, to });
        self.0.generation.fetch_add(1, Ordering::Release);
        EVERY
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up under way; the next one becomes due when it ends, be it with the runtime that it ran on.
struct Asking {
    name: Followed,
    pause: Duration,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.name.known().due = Some(Instant::now() + self.pause);
    }
}

impl Led {
    /// Takes in where a connection has gone.
    pub fn went(&self, address: IpAddr) {
        let mut known = self.name.known();
        if self.is_of(&self.name.0) && !known.used.contains(&address) {
            if known.used.is_empty() {
                known.due = Some(Instant::now() + EVERY);
            }
            known.used.push(address);
        }
    }

    /// Whether the name still leads to where its connections have gone, as far as that is known; asks again in the
    /// background where that is too long ago.
    pub fn is_current(&self) -> bool {
        if !self.is_of(&self.name.0) {
            return false;
        }
        let mut known = self.name.known();
        if known.due.is_some_and(|due| due <= Instant::now()) {
            known.due = None;
            drop(known);
            self.name.ask();
        }
        true
    }

    fn is_of(&self, name: &Name) -> bool {
        name.generation.load(Ordering::Acquire) == self.generation
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Followed").field(&self.0.host).field(&self.known()).finish()
    }
}

#[cfg(test)]
mod tests;
