//! Random times and lengths, and the plan of one answer: when each generated piece is due.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::mock::spec::Spec;

/// How far a single draw may lie from its base, so that a long tail never overflows a time.
const LARGEST_FACTOR: f64 = 1e4;

/// The longest answer a random length may ask for.
const LONGEST_ANSWER: f64 = 1e6;

/// A quantity that is fixed or drawn anew each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution<T> {
    /// Always the same.
    Constant(T),
    /// Log-normal: half of the draws lie below the median, `sigma` is the deviation of the logarithm.
    LogNormal {
        /// The middle value.
        median: T,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Exponential, as the time between independent events.
    Exponential {
        /// The average value.
        mean: T,
    },
}

impl<T: Copy> Distribution<T> {
    /// The base and what to multiply it by.
    fn sample(&self, random: &mut fastrand::Rng) -> (T, f64) {
        match *self {
            Self::Constant(value) => (value, 1.0),
            Self::LogNormal { median, sigma } => {
                // Box and Muller's transform; 1 − u keeps the logarithm's argument above zero.
                let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
                let normal = radius * (TAU * random.f64()).cos();
                (median, (sigma * normal).exp().min(LARGEST_FACTOR))
            }
            Self::Exponential { mean } => (mean, (-(1.0 - random.f64()).ln()).min(LARGEST_FACTOR)),
        }
    }
}

impl Distribution<Duration> {
    /// One time.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        match self.sample(random) {
            (base, 1.0) => base,
            (base, factor) => base.mul_f64(factor),
        }
    }
}

impl Distribution<u64> {
    /// One number of at least 1.
    #[expect(clippy::cast_precision_loss, reason = "a length beyond 2^53 tokens is refused when parsed")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just before")]
    pub fn draw(&self, random: &mut fastrand::Rng) -> u64 {
        match self.sample(random) {
            (base, 1.0) => base.max(1),
            (base, factor) => (base as f64 * factor).round().clamp(1.0, LONGEST_ANSWER) as u64,
        }
    }
}

/// The random source of one request: the same for the same seed and number, whatever else goes on.
pub(crate) fn random(seed: u64, number: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(mix(mix(seed) ^ number))
}

/// Spreads close numbers far apart (Steele, Lea and Flood's `SplitMix64` finaliser).
pub(crate) const fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The due times of one answer's pieces, as offsets from its start; they depend on nothing that happens later.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the next piece is due.
    at: Duration,
    /// What lies between two pieces.
    gap: Distribution<Duration>,
    /// Where the gaps are drawn from.
    random: fastrand::Rng,
}

impl Pace {
    /// Draws the first time and keeps the source for the gaps.
    pub(crate) fn plan(spec: &Spec, mut random: fastrand::Rng) -> Self {
        let at = spec.ttft.draw(&mut random);
        Self { at, gap: spec.gap, random }
    }

    /// The same plan, begun later.
    pub(crate) fn delayed(mut self, by: Duration) -> Self {
        self.at = self.at.saturating_add(by);
        self
    }

    /// When the next piece is due.
    pub(crate) const fn due(&self) -> Duration {
        self.at
    }

    /// Goes on to the piece after it.
    pub(crate) fn advance(&mut self) {
        self.at = self.at.saturating_add(self.gap.draw(&mut self.random));
    }

    /// When the last of `tokens` pieces is due.
    pub(crate) fn last(mut self, tokens: u64) -> Duration {
        (1..tokens).for_each(|_| self.advance());
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 20_000;

    fn seconds(distribution: Distribution<Duration>) -> Vec<f64> {
        let mut random = random(1, 1);
        let mut draws: Vec<_> = (0..DRAWS).map(|_| distribution.draw(&mut random).as_secs_f64()).collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    #[test]
    fn half_of_the_log_normal_times_lie_below_the_median() {
        let draws = seconds(Distribution::LogNormal { median: Duration::from_millis(80), sigma: 0.3 });
        let median = draws[DRAWS / 2];
        assert!((0.078..0.082).contains(&median), "{median}");
        // One deviation of the logarithm above the median lies the 84.13th percentile.
        let above = draws[DRAWS * 8413 / 10_000];
        assert!((0.105..0.111).contains(&above), "{above}");
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let draws = seconds(Distribution::Exponential { mean: Duration::from_millis(20) });
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        assert!((0.0195..0.0205).contains(&mean), "{mean}");
    }

    #[test]
    fn random_lengths_are_at_least_one_token() {
        let mut random = random(3, 3);
        let lengths = Distribution::Exponential { mean: 2u64 };
        assert!((0..1000).all(|_| lengths.draw(&mut random) >= 1));
        assert_eq!(Distribution::Constant(7u64).draw(&mut random), 7);
    }

    #[test]
    fn a_plan_depends_only_on_seed_and_number() {
        let spec: Spec = "ttft=exp:80ms,gap=lognormal:5ms:1".parse().unwrap();
        let last = |seed, number| Pace::plan(&spec, random(seed, number)).last(50);
        assert_eq!(last(1, 7), last(1, 7));
        assert_ne!(last(1, 7), last(1, 8));
        assert_ne!(last(1, 7), last(2, 7));
    }

    #[test]
    fn gaps_add_up_from_the_first_piece() {
        let spec: Spec = "ttft=80ms,gap=20ms".parse().unwrap();
        assert_eq!(Pace::plan(&spec, random(1, 1)).last(4), Duration::from_millis(140));
        assert_eq!(Pace::plan(&spec, random(1, 1)).last(0), Duration::from_millis(80));
    }
}
