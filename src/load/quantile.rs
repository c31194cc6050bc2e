//! Percentiles as ranks: how many samples one needs, which sample it is, and how far off it may be.

/// A percentile in hundredths of a percent, so that ranks are computed in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile(u16);

impl Percentile {
    /// The median.
    pub const P50: Self = Self(5_000);
    /// Nine in ten are at most this.
    pub const P90: Self = Self(9_000);
    /// Nineteen in twenty are at most this.
    pub const P95: Self = Self(9_500);
    /// Ninety-nine in a hundred are at most this.
    pub const P99: Self = Self(9_900);
    /// All but one in a thousand are at most this.
    pub const P999: Self = Self(9_990);

    /// The rank of the sample that is this percentile of `n`: the smallest with at least that share at or below it.
    pub(super) fn rank(self, n: u64) -> u64 {
        let rank = (u128::from(n) * u128::from(self.0)).div_ceil(10_000);
        u64::try_from(rank).expect("a share of a u64 is a u64")
    }

    /// Whether `n` samples suffice, n ≥ 1/(1 − p); with fewer the percentile would only rename the maximum.
    pub(super) fn is_supported_by(self, n: u64) -> bool {
        u128::from(n) * u128::from(10_000 - self.0) >= 10_000
    }

    /// The share of samples above the percentile, between 0 and 1.
    fn tail(self) -> f64 {
        f64::from(10_000 - self.0) / 10_000.0
    }

    /// Ranks (from 1) of the two samples that bracket the percentile of the population with 95 % confidence.
    ///
    /// The number of samples above it is binomial (n, 1 − p). The low rank is the largest l with P(fewer than l at or
    /// below) ≤ 2.5 %, the high one the smallest u with P(u or more at or below) ≤ 2.5 %; where no sample is extreme
    /// enough the rank is `None`, and the interval is open there. W. J. Conover, *Practical Nonparametric
    /// Statistics*, 3rd ed., section 3.2; for n(1 − p) > 1000 the normal approximation of J.-Y. Le Boudec,
    /// *Performance Evaluation of Computer and Communication Systems*, theorem 2.1.
    pub(super) fn interval_ranks(self, n: u64) -> (Option<u64>, Option<u64>) {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let mean_above = n as f64 * self.tail();
        if mean_above > 1_000.0 { self.normal_ranks(n, mean_above) } else { self.binomial_ranks(n) }
    }

    /// Exact ranks, from the distribution of the number of samples above the percentile.
    fn binomial_ranks(self, n: u64) -> (Option<u64>, Option<u64>) {
        let (above, below) = (self.tail().ln(), (1.0 - self.tail()).ln());
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let total = n as f64;
        // In logarithms, because p^n underflows long before n(1 − p) reaches 1000.
        let mut log_mass = total * below;
        let mut cumulated = 0.0;
        let mut high = None;
        let mut low = None;
        let mut count = 0.0;
        for y in 0..=n {
            cumulated += log_mass.exp();
            if cumulated <= TAIL {
                high = Some(n - y);
            }
            if 1.0 - cumulated <= TAIL {
                // P(Y ≥ y + 1) ≤ 2.5 %, and y + 1 = n − l + 1.
                low = (n > y).then_some(n - y);
                break;
            }
            log_mass += ((total - count) / (count + 1.0)).ln() + above - below;
            count += 1.0;
        }
        (low, high.filter(|rank| *rank > 0))
    }

    /// Approximate ranks for large samples.
    fn normal_ranks(self, n: u64, mean_above: f64) -> (Option<u64>, Option<u64>) {
        let spread = 1.96 * (mean_above * (1.0 - self.tail())).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "both lie between 0 and n"
        )]
        let (far, near) = ((mean_above + spread).ceil() as u64, (mean_above - spread).floor() as u64);
        (n.checked_sub(far).filter(|rank| *rank > 0), Some(n - near + 1).filter(|rank| *rank <= n))
    }
}

/// The probability left out on each side of a 95 % interval.
const TAIL: f64 = 0.025;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_exact_whole_numbers() {
        assert_eq!(Percentile::P99.rank(100), 99);
        assert_eq!(Percentile::P99.rank(101), 100);
        assert_eq!(Percentile::P50.rank(1), 1);
        assert_eq!(Percentile::P99.rank(1_700), 1_683);
    }

    #[test]
    fn a_percentile_needs_enough_samples_to_exist() {
        for (percentile, needed) in
            [(Percentile::P50, 2), (Percentile::P90, 10), (Percentile::P95, 20), (Percentile::P99, 100)]
        {
            assert!(percentile.is_supported_by(needed) && !percentile.is_supported_by(needed - 1));
        }
    }

    #[test]
    fn the_interval_of_a_median_agrees_with_published_tables() {
        assert_eq!(Percentile::P50.interval_ranks(10), (Some(2), Some(9)));
        assert_eq!(Percentile::P50.interval_ranks(20), (Some(6), Some(15)));
        assert_eq!(Percentile::P50.interval_ranks(30), (Some(10), Some(21)));
    }

    #[test]
    fn the_interval_of_a_tp99_is_open_above_until_the_sample_is_large_enough() {
        // 0.99^n ≤ 2.5 % from n = 368 on.
        assert_eq!(Percentile::P99.interval_ranks(367).1, None);
        assert_eq!(Percentile::P99.interval_ranks(368).1, Some(368));
        let (low, high) = Percentile::P99.interval_ranks(10_000);
        assert_eq!((low, high), (Some(9_880), Some(9_920)));
    }

    #[test]
    fn the_normal_approximation_continues_the_exact_interval() {
        let near = Percentile::P99.binomial_ranks(120_000);
        let far = Percentile::P99.normal_ranks(120_000, 1_200.0);
        let apart = |a: Option<u64>, b: Option<u64>| a.unwrap().abs_diff(b.unwrap());
        assert!(apart(near.0, far.0) <= 3 && apart(near.1, far.1) <= 3, "{near:?} {far:?}");
    }
}
