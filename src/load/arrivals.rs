//! When the requests of an open loop are due: offsets from the start, fixed before the run by rate, spacing and seed.
//!
//! A unit process (one arrival a unit on average) is laid over the curve of the rate: the arrival that lies at `a` units
//! is due when the area below the curve has reached `a`. D. R. Cox and V. Isham, *Point Processes*, section 4.2.

use std::sync::Arc;
use std::time::Duration;

/// How arrivals follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spacing {
    /// Evenly.
    #[default]
    Constant,
    /// Independently of one another, as many users who know nothing of each other do.
    Poisson,
}

/// A part of a ramp: the rate moves in a straight line to `rate`, in arrivals per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long it takes.
    pub length: Duration,
    /// The rate at its end.
    pub rate: f64,
}

/// The rate over time.
#[derive(Debug, Clone, PartialEq)]
enum Curve {
    /// The same for ever.
    Flat(f64),
    /// From a first rate through stages; nothing follows.
    Ramp(f64, Arc<[Stage]>),
    /// No rate at all: recorded offsets.
    Trace(Arc<[Duration]>),
}

/// The arrivals of one level.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals {
    curve: Curve,
    spacing: Spacing,
    seed: u64,
}

impl Arrivals {
    /// Arrivals at one rate a second, for ever.
    pub const fn flat(rate: f64, spacing: Spacing, seed: u64) -> Self {
        Self { curve: Curve::Flat(rate), spacing, seed }
    }

    /// Arrivals of the same kind at another constant rate.
    #[must_use]
    pub fn at(&self, rate: f64) -> Self {
        Self::flat(rate, self.spacing, self.seed)
    }

    /// Arrivals at a rate that begins at `from` and goes through stages.
    pub fn ramp(from: f64, stages: &[Stage], spacing: Spacing, seed: u64) -> Self {
        Self { curve: Curve::Ramp(from, stages.into()), spacing, seed }
    }

    /// Arrivals at recorded offsets, in ascending order.
    pub fn trace(offsets: impl Into<Arc<[Duration]>>) -> Self {
        Self { curve: Curve::Trace(offsets.into()), spacing: Spacing::Constant, seed: 0 }
    }

    /// The offsets of all arrivals, in ascending order.
    pub fn offsets(&self) -> Offsets {
        Offsets { arrivals: self.clone(), next: 0, units: 0.0, random: fastrand::Rng::with_seed(self.seed) }
    }

    /// The arrivals of a warm-up: the same, at the rate at which they begin; `None` where that is none.
    pub fn warmup(&self) -> Option<Self> {
        let rate = match &self.curve {
            Curve::Flat(rate) | Curve::Ramp(rate, _) if *rate > 0.0 => *rate,
            Curve::Flat(_) | Curve::Ramp(..) | Curve::Trace(_) => return None,
        };
        // Another seed, or a warm-up would rehearse the very arrivals that are measured.
        Some(Self::flat(rate, self.spacing, !self.seed))
    }

    /// The rate a second, where it is one.
    pub fn rate(&self) -> Option<f64> {
        match self.curve {
            Curve::Flat(rate) => Some(rate),
            Curve::Ramp(..) | Curve::Trace(_) => None,
        }
    }

    /// How long the arrivals go on, where that is known.
    pub fn length(&self) -> Option<Duration> {
        match &self.curve {
            Curve::Flat(_) => None,
            Curve::Ramp(_, stages) => Some(stages.iter().map(|stage| stage.length).sum()),
            Curve::Trace(offsets) => offsets.last().copied(),
        }
    }

    /// How many arrivals there are in a window.
    pub fn count_within(&self, window: Duration) -> u64 {
        self.offsets().take_while(|offset| *offset < window).count() as u64
    }
}

/// The offsets of arrivals.
#[derive(Debug, Clone)]
pub struct Offsets {
    arrivals: Arrivals,
    /// How many were given out.
    next: usize,
    /// How far the unit process has come.
    units: f64,
    random: fastrand::Rng,
}

impl Iterator for Offsets {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let at = self.next;
        self.next += 1;
        #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^52 requests")]
        let units = match self.arrivals.spacing {
            Spacing::Constant => at as f64,
            Spacing::Poisson => {
                self.units -= (1.0 - self.random.f64()).ln();
                self.units
            }
        };
        let seconds = match &self.arrivals.curve {
            Curve::Trace(offsets) => return offsets.get(at).copied(),
            Curve::Flat(rate) => Some(units / rate),
            Curve::Ramp(from, stages) => inverse(*from, stages, units),
        };
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// When the area below a ramp reaches `units`; `None` where it never does.
fn inverse(from: f64, stages: &[Stage], units: f64) -> Option<f64> {
    let (mut rate, mut began, mut left) = (from, 0.0, units);
    for stage in stages {
        let length = stage.length.as_secs_f64();
        let area = f64::midpoint(rate, stage.rate) * length;
        if left < area {
            // The root of rate·t + slope·t²/2 = left, in the form that loses no digits where the slope is small.
            let slope = (stage.rate - rate) / length;
            let root = (rate * rate + 2.0 * slope * left).max(0.0).sqrt();
            return Some(if left > 0.0 { began + 2.0 * left / (rate + root) } else { began });
        }
        left -= area;
        began += length;
        rate = stage.rate;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn stage(length: u64, rate: f64) -> Stage {
        Stage { length: seconds(length), rate }
    }

    #[test]
    fn constant_arrivals_have_one_distance_and_begin_at_once() {
        let first: Vec<_> = Arrivals::flat(8.0, Spacing::Constant, 1).offsets().take(3).collect();
        assert_eq!(first, [0, 125, 250].map(Duration::from_millis));
    }

    #[test]
    fn a_ramp_has_as_many_arrivals_as_the_area_below_it() {
        // 0 → 10/s in 10 s, 10/s for 5 s, 10 → 0/s in 2 s: 50 + 50 + 10.
        let ramp =
            Arrivals::ramp(0.0, &[stage(10, 10.0), stage(5, 10.0), stage(2, 0.0)], Spacing::Constant, 1);
        let offsets: Vec<_> = ramp.offsets().collect();
        assert_eq!(offsets.len(), 110);
        // Half of the first stage's arrivals are due at 1/√2 of it.
        assert!((offsets[25].as_secs_f64() - 10.0 / 2.0_f64.sqrt()).abs() < 1e-6, "{:?}", offsets[25]);
        assert_eq!(offsets[50], seconds(10));
        assert_eq!(ramp.length(), Some(seconds(17)));
    }

    #[test]
    fn a_step_is_a_stage_of_no_length() {
        let steps =
            Arrivals::ramp(2.0, &[stage(2, 2.0), stage(0, 10.0), stage(1, 10.0)], Spacing::Constant, 1);
        assert_eq!(steps.offsets().count(), 4 + 10);
    }

    #[test]
    fn a_trace_is_given_out_as_it_is_and_has_no_warm_up() {
        let offsets = [seconds(0), seconds(3), seconds(3)];
        let trace = Arrivals::trace(offsets);
        assert_eq!(trace.offsets().collect::<Vec<_>>(), offsets);
        assert!(trace.warmup().is_none() && trace.rate().is_none());
    }

    #[test]
    fn the_distances_of_poisson_arrivals_deviate_by_their_mean() {
        let offsets: Vec<f64> = Arrivals::flat(50.0, Spacing::Poisson, 7)
            .offsets()
            .take(20_000)
            .map(|o| o.as_secs_f64())
            .collect();
        let gaps: Vec<f64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / 19_999.0;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 19_998.0;
        assert!(
            (mean - 0.02).abs() < 0.0006 && (variance.sqrt() / mean - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
    }

    proptest! {
        #[test]
        fn a_schedule_ascends_and_has_rate_times_time_entries(
            rate in 0.5_f64..5_000.0,
            window_s in 1_u64..20,
            seed in any::<u64>(),
            is_poisson in any::<bool>(),
        ) {
            let spacing = if is_poisson { Spacing::Poisson } else { Spacing::Constant };
            let arrivals = Arrivals::flat(rate, spacing, seed);
            let offsets: Vec<_> = arrivals.offsets().take_while(|offset| *offset < seconds(window_s)).collect();
            prop_assert!(offsets.is_sorted());
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (count, mean) = (offsets.len() as f64, rate * window_s as f64);
            let slack = if is_poisson { 6.0 * mean.sqrt() + 3.0 } else { 1.0 };
            prop_assert!((count - mean).abs() <= slack, "{count} {mean}");
            prop_assert_eq!(arrivals.count_within(seconds(window_s)), offsets.len() as u64);
            let again: Vec<_> = arrivals.offsets().take(offsets.len()).collect();
            prop_assert_eq!(offsets, again);
        }
    }
}
