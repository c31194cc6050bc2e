//! What is seen of a level while it runs: snapshots that workers put out, and their sum.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::metric::Metric;
use super::plan::Extent;
use super::quantile::Percentile;
use super::schedule::Phase;
use super::schedule::Schedule;

/// How often workers put out a snapshot and the engine adds them up.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// The state of a level at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Users of the level; in an open loop the most requests in flight.
    pub level: u32,
    /// Planned arrivals a second, where they come at one rate.
    pub rate: Option<f64>,
    /// The part of the level that is under way.
    pub phase: Phase,
    /// Time since the measured part began; in the warm-up, since the level began.
    pub elapsed: Duration,
    /// What is measured.
    pub extent: Extent,
    /// Recorded requests that have ended.
    pub finished: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// Successful requests per second that ended since the window began; a first look, the report counts by overlap.
    pub rps: Option<f64>,
    /// Mean time to the first token.
    pub ttft_avg: Option<Duration>,
    /// TP99 of latency so far, from 100 samples on.
    pub p99: Option<Duration>,
    /// Recorded requests that failed.
    pub errors: u64,
}

/// What one worker last put out.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub in_flight: u32,
    pub finished: u64,
    pub completions: u64,
    pub errors: u64,
    pub ttft_count: u64,
    pub ttft_sum: Duration,
    pub latency: Metric,
}

/// Where one worker puts its snapshots; only its monitor and the engine touch it, a few times a second.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Snapshot>);

impl Slot {
    /// Puts out a snapshot in place of the last.
    pub(super) fn put(&self, snapshot: Snapshot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// Adds up the snapshots of all workers.
pub(super) fn survey<'a>(
    slots: impl IntoIterator<Item = &'a Slot>,
    schedule: &Schedule,
    control: &Control,
) -> Live {
    let mut sum = Snapshot::default();
    for slot in slots {
        let one = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.in_flight += one.in_flight;
        sum.finished += one.finished;
        sum.completions += one.completions;
        sum.errors += one.errors;
        sum.ttft_count += one.ttft_count;
        sum.ttft_sum += one.ttft_sum;
        sum.latency.merge(&one.latency);
    }
    let now = Instant::now();
    let phase = if control.is_stopping() { Phase::Draining } else { schedule.phase(now) };
    let since = if phase == Phase::WarmUp { schedule.t0 } else { schedule.measured_from };
    let elapsed = now.saturating_duration_since(since);
    let measured = match schedule.extent {
        Extent::Window(window) => elapsed.min(window),
        Extent::Requests(_) => elapsed,
    };
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let completions = sum.completions as f64;
    let mean = |count: u32| sum.ttft_sum.checked_div(count);
    Live {
        level: schedule.users,
        rate: schedule.rate,
        phase,
        elapsed,
        extent: schedule.extent,
        finished: sum.finished,
        in_flight: sum.in_flight,
        rps: (phase == Phase::Measuring && !measured.is_zero()).then(|| completions / measured.as_secs_f64()),
        ttft_avg: u32::try_from(sum.ttft_count).ok().and_then(mean),
        p99: sum.latency.quantile(Percentile::P99).map(|quantile| quantile.value),
        errors: sum.errors,
    }
}
