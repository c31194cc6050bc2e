//! A metric as it is kept in a saved result, and how it becomes a metric again.

use hdrhistogram::Histogram;

use super::DIGITS;
use super::HIGHEST_US;
use super::Metric;
use super::read_histogram;

/// Everything that a metric is made of.
#[derive(Debug, Clone, Copy)]
pub struct SavedMetric<'a> {
    /// The values, as [`Metric::encoded`] wrote them.
    pub values: &'a [u8],
    /// Their exact sum in µs.
    pub sum_us: u128,
    /// The exact sum of their squares.
    pub sum_of_squares_us: u128,
    /// Smallest value in µs.
    pub min_us: u64,
    /// Largest value in µs.
    pub max_us: u64,
    /// Ages at which requests were cut, in the same form, with the largest of them in µs.
    pub censored: Option<(&'a [u8], u64)>,
}

/// Why a saved metric is none of this program's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes are no histogram.
    #[error("it holds no HDR histogram")]
    NotAHistogram,
    /// A histogram that does not add exactly to those of this program.
    #[error(
        "its histogram goes from {low} to {high} µs with {digits} digits, and others from 1 to {HIGHEST_US} µs with {DIGITS}"
    )]
    OtherBounds {
        /// Its smallest value in µs.
        low: u64,
        /// Its largest value in µs.
        high: u64,
        /// Its significant decimal digits.
        digits: u8,
    },
}

impl Metric {
    /// The metric that was saved.
    pub fn restored(saved: &SavedMetric<'_>) -> Result<Self, RestoreError> {
        let histogram = bounded(saved.values)?;
        let censored = saved.censored.map(|(bytes, _)| bounded(bytes)).transpose()?;
        Ok(Self {
            count: histogram.len(),
            histogram: Some(histogram),
            censored,
            censored_max_us: saved.censored.map_or(0, |(_, largest)| largest),
            sum_us: saved.sum_us,
            sum_of_squares_us: saved.sum_of_squares_us,
            min_us: saved.min_us,
            max_us: saved.max_us,
        })
    }
}

/// A histogram with the bounds of the project.
fn bounded(bytes: &[u8]) -> Result<Histogram<u64>, RestoreError> {
    let histogram = read_histogram(bytes).ok_or(RestoreError::NotAHistogram)?;
    let (low, high, digits) = (histogram.low(), histogram.high(), histogram.sigfig());
    if (low, high, digits) == (1, HIGHEST_US, DIGITS) {
        Ok(histogram)
    } else {
        Err(RestoreError::OtherBounds { low, high, digits })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

    use super::*;

    #[test]
    fn a_metric_is_restored_whole() {
        let mut metric = Metric::default();
        for us in [7, 1_234_567, 99] {
            metric.record(Duration::from_micros(us));
        }
        metric.censor(Duration::from_micros(4_000_001));
        let (values, ages) = (metric.encoded().unwrap(), metric.encoded_censored().unwrap());
        let saved = SavedMetric {
            values: &values,
            sum_us: metric.sum_us,
            sum_of_squares_us: metric.sum_of_squares_us,
            min_us: metric.min_us,
            max_us: metric.max_us,
            censored: Some((&ages, metric.censored_max_us)),
        };
        let restored = Metric::restored(&saved).unwrap();
        assert_eq!(restored.encoded(), metric.encoded());
        assert_eq!(restored.encoded_censored(), metric.encoded_censored());
        let figures = |metric: &Metric| (metric.count, metric.sum_us, metric.sum_of_squares_us);
        assert_eq!(figures(&restored), figures(&metric));
        assert_eq!((restored.min(), restored.max()), (metric.min(), metric.max()));
        assert_eq!(restored.censored_max(), metric.censored_max());
    }

    #[test]
    fn a_histogram_of_other_bounds_is_refused_with_them() {
        let mut other = Histogram::<u64>::new_with_bounds(1, 1_000, 2).unwrap();
        other.record(5).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&other, &mut bytes).unwrap();
        let refused = bounded(&bytes).unwrap_err();
        assert!(matches!(refused, RestoreError::OtherBounds { low: 1, digits: 2, .. }), "{refused}");
        assert_eq!(bounded(b"nothing"), Err(RestoreError::NotAHistogram));
    }
}
