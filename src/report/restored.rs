//! A saved distribution as the metric that it was.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::document::Distribution;
use crate::load::Metric;
use crate::load::RestoreError;
use crate::load::SavedMetric;

/// The metric that a distribution was read from.
pub(super) fn metric(saved: &Distribution) -> Result<Metric, RestoreError> {
    let bytes = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| RestoreError::NotAHistogram);
    let values = bytes(&saved.hdr)?;
    let ages = saved.censored_hdr.as_deref().map(bytes).transpose()?;
    Metric::restored(&SavedMetric {
        values: &values,
        sum_us: micros(saved.sum).into(),
        sum_of_squares_us: saved.sum_of_squares_us2.parse().map_err(|_| RestoreError::NotAHistogram)?,
        min_us: micros(saved.min),
        max_us: micros(saved.max),
        censored: ages.as_deref().map(|ages| (ages, micros(saved.censored_max.unwrap_or(0.0)))),
    })
}

/// The mean in ms with the requests that were cut at their age, which is never above the truth; nothing where none was cut.
pub(super) fn least_average(saved: &Distribution) -> Option<f64> {
    saved.censored_hdr.as_ref()?;
    metric(saved).ok()?.least_average().map(|least| least.as_secs_f64() * 1e3)
}

/// ms to the µs as whole µs, which is exact below 142 years.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is positive")]
fn micros(ms: f64) -> u64 {
    (ms * 1e3).round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn every_distribution_is_what_its_metric_says() {
        for document in [golden::streamed(), golden::open()] {
            for level in &document.levels {
                for saved in [&level.latency_ms, &level.ttft_ms, &level.gap_ms].into_iter().flatten() {
                    let again = Distribution::of(&metric(saved).unwrap());
                    assert_eq!(again.as_ref(), Some(saved));
                }
            }
        }
    }
}
