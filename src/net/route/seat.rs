//! An endpoint with what is counted on the path of each request, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::rules::LATENCY_TAU;
use super::{Endpoint, milliseconds};

/// An endpoint in its place; the counts outlive a change of its description.
#[derive(Debug, Clone)]
pub struct Seat {
    /// What the user says of it.
    pub endpoint: Arc<Endpoint>,
    pub(super) gauges: Arc<Gauges>,
}

impl Seat {
    /// An endpoint that nothing is known of.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint: Arc::new(endpoint), gauges: Arc::default() }
    }

    /// Whether both are the same endpoint, be it under another description.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gauges, &other.gauges)
    }
}

/// What is counted on the path of each request.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    /// Requests under way.
    in_flight: AtomicU32,
    /// The average of the time to first byte, in milliseconds, and when it was taken: an `f32` above 32 bits of
    /// hundredths of a second. Zero: never.
    latency: AtomicU64,
    /// When the last byte came, or the first request left, in milliseconds.
    progress: AtomicU64,
    /// When the last byte came.
    byte: AtomicU64,
    /// The number of the trial request that is under way; zero: none is.
    trial: AtomicU64,
    /// Trials that were claimed.
    claims: AtomicU64,
    /// How many times its requests were called back.
    given_up: AtomicU32,
    /// Wakes the requests that wait there when it is given up.
    abandoned: Notify,
}

impl Gauges {
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, now: Duration) {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) == 0 {
            self.began(now);
        }
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A byte came.
    pub(super) fn progressed(&self, now: Duration) {
        self.byte.fetch_max(milliseconds(now), Ordering::Relaxed);
        self.began(now);
    }

    pub(super) fn progress(&self) -> Duration {
        Duration::from_millis(self.progress.load(Ordering::Relaxed))
    }

    /// When the last byte came; zero: never.
    pub(super) fn last_byte(&self) -> Duration {
        Duration::from_millis(self.byte.load(Ordering::Relaxed))
    }

    /// Calls back the requests that were chosen before.
    pub(super) fn abandon(&self) {
        self.given_up.fetch_add(1, Ordering::Release);
        self.abandoned.notify_waiters();
    }

    /// How many times its requests were called back.
    pub(super) fn given_up(&self) -> u32 {
        self.given_up.load(Ordering::Acquire)
    }

    /// Waits until requests are called back that were chosen when it had been done so many times.
    pub(super) async fn abandoned(&self, before: u32) {
        loop {
            // Listening begins before the count is read, so that no call is missed between the two.
            let mut called = std::pin::pin!(self.abandoned.notified());
            called.as_mut().enable();
            if self.given_up() != before {
                return;
            }
            called.await;
        }
    }

    /// Takes the right to the one trial request; its number gives it back.
    pub(super) fn claim_trial(&self) -> Option<u64> {
        let claim = self.claims.fetch_add(1, Ordering::Relaxed) + 1;
        let claimed = self.trial.compare_exchange(0, claim, Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok().then_some(claim)
    }

    /// Whether the trial of this number is the one that counts.
    pub(super) fn holds_trial(&self, claim: u64) -> bool {
        self.trial.load(Ordering::Relaxed) == claim
    }

    /// Whether a trial is under way.
    pub(super) fn is_tried(&self) -> bool {
        self.trial.load(Ordering::Relaxed) != 0
    }

    /// Gives the right of this number back, unless it has been taken away.
    pub(super) fn release_trial(&self, claim: u64) {
        let _ = self.trial.compare_exchange(claim, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Takes the right away from whoever has it.
    pub(super) fn revoke_trial(&self) {
        self.trial.store(0, Ordering::Relaxed);
    }

    fn began(&self, now: Duration) {
        self.progress.fetch_max(milliseconds(now), Ordering::Relaxed);
    }

    /// Peak-EWMA (Finagle): a higher value is taken at once, a lower one by degrees.
    pub(super) fn learn(&self, now: Duration, sample: Duration) {
        let sample = as_milliseconds(sample);
        let _ = self.latency.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
            let (average, taken) = unpack(old);
            let kept = decay(now.saturating_sub(taken));
            let next =
                if old == 0 || sample >= average { sample } else { average * kept + sample * (1.0 - kept) };
            Some(pack(next, now))
        });
    }

    /// Keeps the average from fading, where a failure brought no time that would say anything.
    pub(super) fn renew(&self, now: Duration) {
        let renewed = |old| (old != 0).then(|| pack(unpack(old).0, now));
        let _ = self.latency.fetch_update(Ordering::Relaxed, Ordering::Relaxed, renewed);
    }

    /// The average, fading while nothing new is learned, so that an endpoint that was slow is tried again.
    pub(super) fn latency(&self, now: Duration) -> Option<Duration> {
        let packed = self.latency.load(Ordering::Relaxed);
        let (average, taken) = unpack(packed);
        let faded = average * decay(now.saturating_sub(taken));
        (packed != 0).then(|| Duration::from_secs_f32((faded / 1000.0).max(0.0)))
    }

    /// The average as it was when it was last taken; zero: never.
    pub(super) fn usual(&self) -> Duration {
        let packed = self.latency.load(Ordering::Relaxed);
        self.latency(unpack(packed).1).unwrap_or_default()
    }

    /// What another request here would cost: the average times the requests that would then be under way.
    pub(super) fn cost(&self, now: Duration) -> f32 {
        let packed = self.latency.load(Ordering::Relaxed);
        let (average, taken) = unpack(packed);
        #[expect(clippy::cast_precision_loss, reason = "a comparison of loads")]
        let load = (self.in_flight() + 1) as f32;
        // A thousandth keeps the load telling where latencies have faded or were never taken.
        (average * decay(now.saturating_sub(taken)) + 0.001) * load
    }
}

fn as_milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1000.0
}

fn decay(time: Duration) -> f32 {
    (-time.as_secs_f32() / LATENCY_TAU.as_secs_f32()).exp()
}

/// Hundredths of a second last for 497 days.
#[expect(clippy::cast_possible_truncation, reason = "what exceeds a process's life")]
fn pack(average: f32, taken: Duration) -> u64 {
    let average = average.max(f32::MIN_POSITIVE);
    u64::from(average.to_bits()) << 32 | u64::from((taken.as_millis() / 10) as u32)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn unpack(packed: u64) -> (f32, Duration) {
    (f32::from_bits((packed >> 32) as u32), Duration::from_millis(u64::from(packed as u32) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_peak_counts_at_once_and_fades_with_its_time_constant() {
        let (gauges, second) = (Gauges::default(), Duration::from_secs(1));
        assert_eq!(gauges.latency(second), None);
        gauges.learn(second, 100 * MS);
        gauges.learn(second, 900 * MS);
        let at = |time| gauges.latency(time).unwrap().as_secs_f64();
        assert!((at(second) - 0.9).abs() < 1e-3);
        assert!((at(11 * second) - 0.9 / std::f64::consts::E).abs() < 1e-3);
        gauges.learn(11 * second, 100 * MS);
        // A lower value is taken in the part that has faded since.
        assert!((at(11 * second) - 0.394).abs() < 1e-2, "{}", at(11 * second));
    }

    #[test]
    fn load_raises_the_cost() {
        let gauges = Gauges::default();
        gauges.learn(MS, 10 * MS);
        let idle = gauges.cost(MS);
        gauges.begin(MS);
        assert!((gauges.cost(MS) / idle - 2.0).abs() < 0.01);
        gauges.end();
        assert!((gauges.cost(MS) - idle).abs() < 1e-6);
    }
}
