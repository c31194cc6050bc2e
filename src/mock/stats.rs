//! What the relay counts about itself, and how late its events leave.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest lateness kept apart, in microseconds: 24 hours.
const LATEST: u64 = 86_400_000_000;

/// A picture of the relay's counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Requests for an answer, refused ones included.
    pub requests: u64,
    /// The same by dialect.
    pub dialects: BTreeMap<&'static str, u64>,
    /// Replies by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests neither answered to the end nor abandoned.
    pub in_flight: u64,
    /// Those of them that wait for a place.
    pub queued: u64,
    /// Generated pieces sent in streams.
    pub events: u64,
    /// Faults that struck, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests for the health path, answered or not.
    pub health: u64,
    /// Connections opened.
    pub connections: u64,
    /// Requests whose client went away before the end.
    pub aborted: u64,
    /// How late the pieces left; `None` before the first.
    pub lateness_ms: Option<Lateness>,
}

/// The time from an event's due moment to its hand-over to the socket, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lateness {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// What is counted once a request, by all threads together.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Stats>);

impl Counters {
    /// The counters, to change or to read.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Stats> {
        // Each change is a single addition, so a panicking holder leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted once an event, by one thread; nobody else takes its lock but one who asks for [`Stats`].
#[derive(Debug)]
pub(crate) struct Meter(Mutex<Histogram<u64>>);

impl Meter {
    /// A meter that has seen nothing.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(histogram()))
    }

    /// Counts an event that left this late.
    pub(crate) fn record(&self, late: Duration) {
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late);
    }
}

/// 1 µs to 24 h in three digits, the bounds that the whole project uses.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATEST, 3).expect("the bounds are in order")
}

/// Adds the meters of all threads: the number of events and their lateness.
pub(crate) fn merge<'a>(meters: impl Iterator<Item = &'a Meter>) -> (u64, Option<Lateness>) {
    let mut all = histogram();
    for meter in meters {
        let one = meter.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(&*one).expect("all meters have the same bounds");
    }
    let lateness = (!all.is_empty()).then(|| Lateness {
        p50: milliseconds(all.value_at_quantile(0.5)),
        p99: milliseconds(all.value_at_quantile(0.99)),
        max: milliseconds(all.max()),
    });
    (all.len(), lateness)
}

#[expect(clippy::cast_precision_loss, reason = "24 hours of microseconds are below 2^53")]
fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_add_up() {
        let meters = [Meter::new(), Meter::new()];
        assert_eq!(merge(meters.iter()), (0, None));
        (1..=50).for_each(|ms| meters[0].record(Duration::from_millis(ms)));
        (51..=100).for_each(|ms| meters[1].record(Duration::from_millis(ms)));
        let (events, lateness) = merge(meters.iter());
        let lateness = lateness.unwrap();
        assert_eq!(events, 100);
        assert!((lateness.p50 - 50.0).abs() < 0.1 && (lateness.p99 - 99.0).abs() < 0.1, "{lateness:?}");
        assert!((lateness.max - 100.0).abs() < 0.1, "{lateness:?}");
    }
}
