//! What became of the arrivals of an open loop: how many were sent, how many late, and the rate that this makes.

use std::time::Duration;

use tokio::time::Instant;

use super::dispatch::Planned;
use super::metric::Metric;
use super::quantile::Percentile;

/// A request that starts later than this after it could have is late, by the client's own doing.
pub(super) const LATE: Duration = Duration::from_millis(1);

/// The arrivals of one level.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Arrivals that were sent.
    pub sent: u64,
    /// Those of them that the client itself sent more than a millisecond late.
    pub late: u64,
    /// Those of them that had to wait because as many as allowed were in flight.
    pub capped: u64,
    /// Arrivals that were due and never sent, because as many as allowed were in flight until the end.
    pub unsent: u64,
    /// How late the client itself was: start after due time, or after a place had become free.
    pub own_lag: Metric,
    /// First and last due time.
    due: Option<(Instant, Instant)>,
    /// First and last start.
    started: Option<(Instant, Instant)>,
}

impl Delivery {
    /// Adds an arrival that was sent at `start`.
    pub(super) fn sent(&mut self, planned: Planned, start: Instant) {
        let lag = start.saturating_duration_since(planned.free_since.unwrap_or(planned.due));
        self.sent += 1;
        self.late += u64::from(lag > LATE);
        self.capped += u64::from(planned.free_since.is_some());
        self.own_lag.record(lag);
        widen(&mut self.due, (planned.due, planned.due));
        widen(&mut self.started, (start, start));
    }

    /// Adds an arrival that was never sent.
    pub(super) fn unsent(&mut self, due: Instant) {
        self.unsent += 1;
        widen(&mut self.due, (due, due));
    }

    /// Adds everything that another worker saw of the same level.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.late += other.late;
        self.capped += other.capped;
        self.unsent += other.unsent;
        self.own_lag.merge(&other.own_lag);
        other.due.iter().for_each(|span| widen(&mut self.due, *span));
        other.started.iter().for_each(|span| widen(&mut self.started, *span));
    }

    /// Arrivals that were due.
    pub fn planned(&self) -> u64 {
        self.sent + self.unsent
    }

    /// Starts per second, between the first and the last; absent below two.
    pub fn achieved(&self) -> Option<f64> {
        per_second(self.sent, self.started?)
    }

    /// TP99 of how late the client itself was, of however few arrivals.
    pub fn own_lag_p99(&self) -> Option<Duration> {
        self.own_lag.quantile_of_any(Percentile::P99).map(|lag| lag.value)
    }

    /// The share of the rate that was not delivered, where there is one.
    pub fn shortfall(&self) -> Option<f64> {
        Some(1.0 - self.achieved()? / self.asked()?)
    }

    /// Due times per second, likewise.
    pub fn asked(&self) -> Option<f64> {
        per_second(self.planned(), self.due?)
    }
}

/// Events per second between the first and the last of them.
fn per_second(count: u64, (first, last): (Instant, Instant)) -> Option<f64> {
    let between = last.checked_duration_since(first).filter(|span| !span.is_zero())?;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let gaps = count.checked_sub(1)? as f64;
    Some(gaps / between.as_secs_f64())
}

/// Widens a span so that it includes another.
fn widen(span: &mut Option<(Instant, Instant)>, other: (Instant, Instant)) {
    let (first, last) = span.unwrap_or(other);
    *span = Some((first.min(other.0), last.max(other.1)));
}
