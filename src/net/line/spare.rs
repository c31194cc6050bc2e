//! Connections that are made ahead of the requests that will need them, so that none is made on the clock of one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use tokio::time::Instant;

use super::super::probe::Probe;
use super::count::Counts;
use super::dial::Dialer;
use super::home::Home;
use super::link::Link;

/// After a connection that could not be made, none is made ahead for so long: the requests that follow find out by
/// themselves whether the server is back.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps so many connections waiting.
pub(super) struct Spares {
    /// How many should wait; zero where none is made ahead.
    wanted: usize,
    making: Arc<Making>,
    dialer: Arc<Dialer>,
    home: Arc<Home>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Making {
    /// How many are being made.
    under_way: AtomicUsize,
    /// When one could not be made.
    failed: Mutex<Option<Instant>>,
}

impl Spares {
    /// So many, for requests over these connections.
    pub(super) fn new(
        wanted: usize,
        (dialer, home, counts): (&Arc<Dialer>, &Arc<Home>, &Arc<Counts>),
    ) -> Self {
        let (dialer, home, counts) = (Arc::clone(dialer), Arc::clone(home), Arc::clone(counts));
        Self { wanted, making: Arc::default(), dialer, home, counts }
    }

    /// Makes as many as are missing, beside the request that has taken one.
    pub(super) fn top_up(&self, address: &Uri) {
        if self.wanted == 0 {
            return;
        }
        let ahead = self.home.len() + self.making.under_way.load(Ordering::Relaxed);
        if ahead >= self.wanted || self.making.has_failed() {
            return;
        }
        for _ in ahead..self.wanted {
            self.making.under_way.fetch_add(1, Ordering::Relaxed);
            let (making, dialer, home, counts) = (
                Arc::clone(&self.making),
                Arc::clone(&self.dialer),
                Arc::clone(&self.home),
                Arc::clone(&self.counts),
            );
            let address = address.clone();
            tokio::spawn(async move {
                // Nobody waits for this one, so that nobody is told how long it took.
                let made = dialer.dial(&address, &Arc::<Probe>::default()).await;
                making.under_way.fetch_sub(1, Ordering::Relaxed);
                match made {
                    // Speaking HTTP/1.1 begins with the request.
                    Ok(stream) => home.keep(Link::new(stream, &counts)),
                    Err(_) => making.fail(),
                }
            });
        }
    }
}

impl Making {
    fn has_failed(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|failed| failed.elapsed() < PAUSE)
    }

    fn fail(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
