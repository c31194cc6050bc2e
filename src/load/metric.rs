//! The distribution of one duration: an HDR histogram, exact sums beside it, and percentiles that admit what they miss.

mod saved;

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::Serializer;
use hdrhistogram::serialization::V2DeflateSerializer;

use super::quantile::Percentile;

pub use self::saved::RestoreError;
pub use self::saved::SavedMetric;

/// Largest duration kept apart, in µs (24 h); anything above counts as this. The same bounds everywhere, so that
/// histograms of different runs add exactly.
const HIGHEST_US: u64 = 86_400_000_000;

/// Significant decimal digits of a histogram.
const DIGITS: u8 = 3;

/// Whether a percentile is known or only bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The value itself, within the histogram's three digits.
    Exact,
    /// The true value is this or more: requests cut by the end of the run reach into it.
    Lower,
}

/// One percentile of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantile {
    /// The value, or its lower bound.
    pub value: Duration,
    /// Which of the two it is.
    pub bound: Bound,
}

/// The distribution of one duration over the successful requests of a level.
#[derive(Debug, Clone, Default)]
pub struct Metric {
    /// Values in µs; made with the first one, since many metrics never get any.
    histogram: Option<Histogram<u64>>,
    /// Ages in µs at which requests were cut; kept apart, for they bound percentiles and enter nothing else.
    censored: Option<Histogram<u64>>,
    /// The largest of those ages in µs, exact, so that a lower bound never exceeds it by the width of a bucket.
    censored_max_us: u64,
    count: u64,
    sum_us: u128,
    sum_of_squares_us: u128,
    min_us: u64,
    max_us: u64,
}

impl Metric {
    /// Adds one value, to the nearest µs.
    pub fn record(&mut self, value: Duration) {
        let us = micros(value);
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.count += 1;
        self.sum_us += u128::from(us);
        self.sum_of_squares_us += u128::from(us) * u128::from(us);
        self.histogram.get_or_insert_with(empty).saturating_record(us);
    }

    /// Adds a request that was cut after `age`, its value unknown but no less.
    pub fn censor(&mut self, age: Duration) {
        let us = micros(age);
        self.censored_max_us = self.censored_max_us.max(us);
        self.censored.get_or_insert_with(empty).saturating_record(us);
    }

    /// Adds everything another metric holds; exact.
    pub fn merge(&mut self, other: &Self) {
        if other.count > 0 {
            self.min_us = if self.count == 0 { other.min_us } else { self.min_us.min(other.min_us) };
            self.max_us = self.max_us.max(other.max_us);
        }
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.sum_of_squares_us += other.sum_of_squares_us;
        add(&mut self.histogram, other.histogram.as_ref());
        self.censored_max_us = self.censored_max_us.max(other.censored_max_us);
        add(&mut self.censored, other.censored.as_ref());
    }

    /// How many values were recorded, censored ones left out.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many requests were cut before their value was known.
    pub fn censored(&self) -> u64 {
        self.censored.as_ref().map_or(0, Histogram::len)
    }

    /// Exact sum of the values.
    pub fn sum(&self) -> Duration {
        duration(u64::try_from(self.sum_us).unwrap_or(u64::MAX))
    }

    /// Exact sum of the squares of the values in µs.
    pub const fn sum_of_squares_us(&self) -> u128 {
        self.sum_of_squares_us
    }

    /// The largest age at which a request was cut.
    pub fn censored_max(&self) -> Option<Duration> {
        self.censored.as_ref().map(|_| duration(self.censored_max_us))
    }

    /// Arithmetic mean of the values, exact to the µs.
    pub fn average(&self) -> Option<Duration> {
        let mean = (self.sum_us + u128::from(self.count) / 2).checked_div(u128::from(self.count))?;
        u64::try_from(mean).ok().map(duration)
    }

    /// The mean if the cut requests had ended at the moment they were cut: never above the truth.
    pub fn least_average(&self) -> Option<Duration> {
        let cut: u128 = self.censored.as_ref().map_or(0, |ages| {
            let age = |us: u64| u128::from(ages.lowest_equivalent(us));
            ages.iter_recorded()
                .map(|step| age(step.value_iterated_to()) * u128::from(step.count_at_value()))
                .sum()
        });
        let mean = (self.sum_us + cut).checked_div(u128::from(self.count + self.censored()))?;
        u64::try_from(mean).ok().map(duration)
    }

    /// Sample standard deviation (divisor n − 1) in seconds, from the exact sums; absent below two values.
    pub fn deviation_s(&self) -> Option<f64> {
        let n = u128::from(self.count);
        if n < 2 {
            return None;
        }
        let scaled = (n * self.sum_of_squares_us).saturating_sub(self.sum_us * self.sum_us);
        #[expect(clippy::cast_precision_loss, reason = "the difference was taken in whole numbers")]
        let variance = scaled as f64 / (n as f64 * (n - 1) as f64);
        Some(variance.sqrt() / 1e6)
    }

    /// Smallest value, exact.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then(|| duration(self.min_us))
    }

    /// Largest value, exact.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| duration(self.max_us))
    }

    /// A percentile, where there are enough samples (cut ones included) for it to mean something.
    pub fn quantile(&self, percentile: Percentile) -> Option<Quantile> {
        let n = self.count + self.censored();
        if percentile.is_supported_by(n) { self.quantile_of_any(percentile) } else { None }
    }

    /// A percentile of however few samples; for judgements, not for print.
    pub fn quantile_of_any(&self, percentile: Percentile) -> Option<Quantile> {
        let rank = percentile.rank(self.count + self.censored());
        let (lower, upper) = (self.lower_at_rank(rank)?, self.upper_at_rank(rank));
        match upper.filter(|upper| self.share_bucket(lower, *upper)) {
            Some(known) => Some(Quantile { value: duration(known), bound: Bound::Exact }),
            None => Some(Quantile { value: duration(lower), bound: Bound::Lower }),
        }
    }

    /// The 95 % order-statistic interval of TP99; an end that no sample reaches is `None`.
    pub fn p99_interval(&self) -> Option<(Option<Duration>, Option<Duration>)> {
        self.quantile(Percentile::P99)?;
        let (low, high) = Percentile::P99.interval_ranks(self.count + self.censored());
        let low = low.and_then(|rank| self.lower_at_rank(rank));
        let high = high.and_then(|rank| self.upper_at_rank(rank));
        Some((low.map(duration), high.map(duration)))
    }

    /// The values as HDR V2 with deflate, the form that other HdrHistogram tools read.
    pub fn encoded(&self) -> Option<Vec<u8>> {
        self.histogram.as_ref().map(encode)
    }

    /// The ages of the cut requests in the same form.
    pub fn encoded_censored(&self) -> Option<Vec<u8>> {
        self.censored.as_ref().map(encode)
    }

    /// The value at a rank if the cut requests ended at the moment they were cut: never above the truth.
    fn lower_at_rank(&self, rank: u64) -> Option<u64> {
        let Some(censored) = &self.censored else { return self.upper_at_rank(rank) };
        let mut all = censored.clone();
        if let Some(known) = &self.histogram {
            all.add(known).expect("every histogram has the same bounds");
        }
        at_rank(&all, rank).map(|us| us.min(self.max_us.max(self.censored_max_us)))
    }

    /// The value at a rank if the cut requests never ended: never below the truth, and `None` where it is one of them.
    fn upper_at_rank(&self, rank: u64) -> Option<u64> {
        at_rank(self.histogram.as_ref()?, rank).map(|us| us.min(self.max_us))
    }

    /// Whether two values in µs are one and the same to the histogram.
    fn share_bucket(&self, one: u64, other: u64) -> bool {
        self.histogram.as_ref().is_some_and(|histogram| histogram.equivalent(one, other))
    }
}

/// Reads a histogram that [`Metric::encoded`] wrote; `None` if the bytes are not one.
pub fn read_histogram(bytes: &[u8]) -> Option<Histogram<u64>> {
    Deserializer::new().deserialize(&mut &*bytes).ok()
}

/// An empty histogram with the bounds of the project.
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_US, DIGITS)
        .expect("the bounds are constants within the crate's limits")
}

/// Adds one optional histogram to another.
fn add(into: &mut Option<Histogram<u64>>, from: Option<&Histogram<u64>>) {
    if let Some(from) = from {
        into.get_or_insert_with(empty).add(from).expect("every histogram has the same bounds");
    }
}

/// The value in µs of the sample at a rank counted from 1, as the top of its bucket; `None` beyond the last.
fn at_rank(histogram: &Histogram<u64>, rank: u64) -> Option<u64> {
    let mut seen = 0;
    for step in histogram.iter_recorded() {
        seen += step.count_at_value();
        if seen >= rank.max(1) {
            return Some(histogram.highest_equivalent(step.value_iterated_to()));
        }
    }
    None
}

/// The bytes of a histogram as V2 with deflate.
fn encode(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("writing to memory cannot fail and the bounds are within the format's");
    bytes
}

/// A duration to the nearest µs, at most 24 h.
fn micros(value: Duration) -> u64 {
    // In 64 bits: every event of every stream comes through here.
    let rest = u64::from((value.subsec_nanos() + 500) / 1_000);
    value.as_secs().saturating_mul(1_000_000).saturating_add(rest).min(HIGHEST_US)
}

/// µs as a duration.
const fn duration(us: u64) -> Duration {
    Duration::from_micros(us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(values: &[u64]) -> Metric {
        let mut metric = Metric::default();
        for us in values {
            metric.record(duration(*us));
        }
        metric
    }

    #[test]
    fn a_metric_without_values_has_no_figures_at_all() {
        let nothing = Metric::default();
        assert_eq!((nothing.average(), nothing.min(), nothing.max()), (None, None, None));
        assert_eq!(nothing.quantile_of_any(Percentile::P99), None);
        assert!(nothing.encoded().is_none() && nothing.deviation_s().is_none());
    }

    #[test]
    fn tp99_needs_a_hundred_samples() {
        assert_eq!(metric(&[5; 99]).quantile(Percentile::P99), None);
        let enough = metric(&[5; 100]).quantile(Percentile::P99);
        assert_eq!(enough, Some(Quantile { value: duration(5), bound: Bound::Exact }));
    }

    #[test]
    fn a_percentile_that_reaches_into_cut_requests_is_marked_as_a_lower_bound() {
        let mut some = metric(&[100; 100]);
        some.censor(duration(50));
        // Rank 100 of 101 is a known value even if the cut request never ends.
        assert_eq!(some.quantile(Percentile::P99).map(|q| q.bound), Some(Bound::Exact));
        some.censor(duration(70));
        let reached = some.quantile(Percentile::P99).unwrap();
        assert_eq!((reached.value, reached.bound), (duration(100), Bound::Lower));
        assert_eq!(some.quantile(Percentile::P50).map(|q| q.bound), Some(Bound::Exact));
    }

    #[test]
    fn values_beyond_a_day_are_kept_as_a_day() {
        assert_eq!(metric(&[u64::MAX / 2]).max(), Some(duration(HIGHEST_US)));
    }

    #[test]
    fn a_histogram_is_read_back_as_it_was_written() {
        let written = metric(&[1, 1_000, 65_205_743]);
        let read = read_histogram(&written.encoded().unwrap()).unwrap();
        assert_eq!(Some(&read), written.histogram.as_ref());
        assert!(read_histogram(b"HISTFAAA").is_none());
    }

    #[test]
    fn average_and_deviation_come_from_exact_sums() {
        let some =
            metric(&[2_000_000, 4_000_000, 4_000_000, 4_000_000, 5_000_000, 5_000_000, 7_000_000, 9_000_000]);
        assert_eq!(some.average(), Some(Duration::from_secs(5)));
        assert!((some.deviation_s().unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_censored_percentile_is_never_above_the_truth(
            requests in prop::collection::vec((1_u64..50_000_000, prop::option::weighted(0.2, 0.0_f64..1.0)), 1..400),
        ) {
            let mut seen = Metric::default();
            let mut truth = Metric::default();
            for (us, cut) in requests {
                truth.record(duration(us));
                match cut {
                    Some(share) => seen.censor(duration(us).mul_f64(share)),
                    None => seen.record(duration(us)),
                }
            }
            for percentile in [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99] {
                let said = seen.quantile_of_any(percentile).unwrap();
                let real = truth.quantile_of_any(percentile).unwrap();
                prop_assert!(said.value <= real.value, "{said:?} {real:?}");
                if said.bound == Bound::Exact {
                    // The value is known, but only to the three digits of its bucket.
                    let apart = real.value.as_secs_f64() / said.value.as_secs_f64();
                    prop_assert!(apart < 1.001, "{said:?} {real:?}");
                }
            }
        }

        #[test]
        fn percentiles_lie_within_a_thousandth_of_the_sorted_sample(
            mut values in prop::collection::vec(1_u64..10_000_000_000, 1..300),
        ) {
            let read = metric(&values).quantile_of_any(Percentile::P90).unwrap().value;
            values.sort_unstable();
            let rank = usize::try_from(Percentile::P90.rank(values.len() as u64)).unwrap();
            let exact = duration(values[rank - 1]);
            prop_assert!(read >= exact && read.as_secs_f64() <= exact.as_secs_f64() * 1.001 + 1e-6);
        }
    }
}
