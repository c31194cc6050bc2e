//! How much both sides of a pair go together: what is slow for both at once says nothing of what lies between them.

use std::time::Duration;

use super::compare::Statistic;
use super::result::rounded;
use crate::load::{Pairs, Times};

/// A time of a request.
pub(super) type Pick = fn(&Times) -> Option<Duration>;

/// Values beyond a quantile, and short of it, that it takes to tell whether those of both sides are of the same pairs.
const FEWEST: usize = 20;

/// The correlation of a statistic of both sides over resamples of the pairs; `None` where too few tell.
pub(super) fn correlation(pairs: &Pairs, pick: Pick, statistic: Statistic) -> Option<f64> {
    let values =
        |[relay, direct]: &[Times; 2]| Some([pick(relay)?, pick(direct)?].map(|time| time.as_secs_f64()));
    let values: Vec<[f64; 2]> = pairs.both.iter().filter_map(values).collect();
    let values = match statistic {
        Statistic::Mean if values.len() < FEWEST => return None,
        Statistic::Mean => values,
        // A sample's quantile moves with how many of its values lie below the true one.
        Statistic::Quantile(point) => below(&values, point)?,
    };
    Some(rounded((pearson(&values)? * pairs.share).clamp(-1.0, 1.0)))
}

/// For each value 1 where it is at most the quantile of its side, and else 0.
fn below(values: &[[f64; 2]], point: f64) -> Option<Vec<[f64; 2]>> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a few thousand"
    )]
    let rank = (values.len() as f64 * point).ceil() as usize;
    if rank < FEWEST || values.len() - rank < FEWEST {
        return None;
    }
    let quantile = |side: usize| {
        let mut of_side: Vec<f64> = values.iter().map(|pair| pair[side]).collect();
        *of_side.select_nth_unstable_by(rank - 1, f64::total_cmp).1
    };
    let quantiles = [quantile(0), quantile(1)];
    let is_below = |pair: &[f64; 2]| [0, 1].map(|side| f64::from(u8::from(pair[side] <= quantiles[side])));
    Some(values.iter().map(is_below).collect())
}

/// Pearson's coefficient; `None` where a side does not vary.
fn pearson(values: &[[f64; 2]]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let n = values.len() as f64;
    let mean = [0, 1].map(|side| values.iter().map(|pair| pair[side]).sum::<f64>() / n);
    let product = |one: usize, other: usize| {
        values.iter().map(|pair| (pair[one] - mean[one]) * (pair[other] - mean[other])).sum::<f64>()
    };
    let scale = (product(0, 0) * product(1, 1)).sqrt();
    (scale > 0.0).then(|| product(0, 1) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of a second and a bit: what is common to both, and what is each side's own.
    fn pairs(number: u32, common: f64) -> Pairs {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut pair = || {
            let shared = rng.f64() * common;
            [rng.f64(), rng.f64()].map(|own| Times {
                ttft: Some(Duration::from_secs_f64(1.0 + shared + own * (1.0 - common))),
                ..Times::default()
            })
        };
        Pairs { both: (0..number).map(|_| pair()).collect(), share: 1.0 }
    }

    #[test]
    fn what_is_common_to_both_is_found_in_the_mean_and_in_the_quantiles() {
        let ttft: Pick = |times| times.ttft;
        let of = |pairs: &Pairs, statistic| correlation(pairs, ttft, statistic).unwrap();
        let all = [Statistic::Mean, Statistic::Quantile(0.5), Statistic::Quantile(0.99)];
        let (apart, alike) = (pairs(4_000, 0.0), pairs(4_000, 0.95));
        assert!(all.iter().all(|statistic| of(&apart, *statistic).abs() < 0.05));
        let alike = all.map(|statistic| of(&alike, statistic));
        assert!(alike[0] > 0.99 && alike[1] > 0.9 && alike[2] > 0.3, "{alike:?}");
        let half = Pairs { share: 0.5, ..pairs(4_000, 0.95) };
        assert!((of(&half, Statistic::Mean) - 0.5 * alike[0]).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_made_of_too_few_pairs_nor_of_a_time_that_is_missing_or_does_not_vary() {
        let few = pairs(1_999, 0.95);
        assert_eq!(correlation(&few, |times| times.ttft, Statistic::Quantile(0.99)), None);
        assert!(correlation(&few, |times| times.ttft, Statistic::Quantile(0.5)).is_some());
        assert_eq!(correlation(&few, |times| times.gap, Statistic::Mean), None);
        let same: Pick = |_| Some(Duration::from_secs(1));
        assert_eq!(correlation(&few, same, Statistic::Mean), None);
        assert_eq!(correlation(&pairs(19, 0.95), |times| times.ttft, Statistic::Mean), None);
    }
}
