//! Resampling from saved histograms: how far a statistic would move if the same run were made again.
//!
//! No resample is ever written out. The k-th of n values drawn from a sample is that sample's quantile at a point which is
//! Beta(k, n + 1 − k) distributed, so that one draw of that point is one resample (H. A. David and H. N. Nagaraja, *Order
//! Statistics*, 3rd ed., section 2.1); the mean of many is normal, and of few is drawn value by value.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::load::read_histogram;
use crate::report::document::Distribution;
use crate::report::restored::least_average;

/// Draws from which an interval is read.
const DRAWS: usize = 2_000;

/// The share of draws left out at each end of an interval.
const TAIL: f64 = 0.025;

/// Values from which on their mean is taken to be normal.
const MANY: u64 = 1_000;

/// A distribution that can be drawn from.
#[derive(Debug, Clone)]
pub(in crate::report) struct Sample {
    /// Values in ms, ascending, each with how many are at most it; cut requests count with their age.
    steps: Vec<(f64, u64)>,
    /// How many finished requests there are, and their mean and deviation in ms.
    finished: u64,
    /// How many values the others can be told from: with more than one of a request, only so many as there are requests.
    independent: u64,
    mean: f64,
    deviation: f64,
}

/// A histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a histogram in it is damaged")]
pub struct DamagedHistogram;

impl Sample {
    /// The values that a distribution was made of, to the three digits of its histogram.
    pub(in crate::report) fn of(distribution: &Distribution) -> Result<Self, DamagedHistogram> {
        let mut counts: Vec<(f64, u64)> = Vec::new();
        // The top of the last bucket lies above the largest value, which is known exactly.
        let known = std::iter::once((&distribution.hdr, distribution.max));
        let cut = distribution.censored_hdr.iter().map(|text| (text, f64::MAX));
        for (text, most) in known.chain(cut) {
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| DamagedHistogram)?;
            let histogram = read_histogram(&bytes).ok_or(DamagedHistogram)?;
            for step in histogram.iter_recorded() {
                #[expect(clippy::cast_precision_loss, reason = "a day is far below 2^52 µs")]
                let ms = histogram.highest_equivalent(step.value_iterated_to()) as f64 / 1e3;
                counts.push((ms.min(most), step.count_at_value()));
            }
        }
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0;
        for (_, count) in &mut counts {
            below += *count;
            *count = below;
        }
        let mean = least_average(distribution).unwrap_or(distribution.avg);
        let deviation = distribution.sd.unwrap_or(0.0);
        Ok(Self { steps: counts, finished: distribution.n, independent: below, mean, deviation })
    }

    /// The same values, known to be of so many requests: values of one request may all lie alike.
    pub(in crate::report) fn of_requests(self, requests: u64) -> Self {
        Self { independent: self.independent.min(requests.max(1)), ..self }
    }

    fn len(&self) -> u64 {
        self.steps.last().map_or(0, |(_, below)| *below)
    }

    /// The mean of a resample so many standard errors away.
    fn mean_at(&self, errors: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let n = self.finished.min(self.independent) as f64;
        self.mean + self.deviation / n.sqrt() * errors
    }

    /// The value at a rank counted from 1.
    fn at_rank(&self, rank: u64) -> f64 {
        let at = self.steps.partition_point(|(_, below)| *below < rank);
        self.steps.get(at).or(self.steps.last()).map_or(0.0, |(value, _)| *value)
    }
}

/// A statistic that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) enum Statistic {
    /// Arithmetic mean of the finished requests.
    Mean,
    /// The quantile at a point between 0 and 1.
    Quantile(f64),
}

/// The source of draws; the same seed makes the same report.
#[derive(Debug)]
pub(in crate::report) struct Draws(fastrand::Rng);

impl Draws {
    pub(in crate::report) fn seeded() -> Self {
        Self(fastrand::Rng::with_seed(1))
    }

    /// The 95 % interval of what a function makes of one draw after another.
    pub(in crate::report) fn interval(&mut self, mut draw: impl FnMut(&mut Self) -> f64) -> [f64; 2] {
        let mut drawn: Vec<f64> = (0..DRAWS).map(|_| draw(self)).collect();
        drawn.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of two thousand"
        )]
        let out = (DRAWS as f64 * TAIL) as usize;
        [drawn[out], drawn[DRAWS - 1 - out]]
    }

    /// The statistic of one resample.
    pub(in crate::report) fn statistic(&mut self, sample: &Sample, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Mean => self.mean(sample),
            Statistic::Quantile(point) => self.quantile(sample, point, [None; 2]),
        }
    }

    /// The statistic of one resample of each of two samples whose statistics go together by so much, −1 to 1. Each of the
    /// two is drawn as it would be alone.
    pub(in crate::report) fn together(
        &mut self,
        samples: [&Sample; 2],
        statistic: Statistic,
        correlation: f64,
    ) -> [f64; 2] {
        match statistic {
            Statistic::Mean => {
                let normals = self.normals(correlation);
                [0, 1].map(|side| samples[side].mean_at(normals[side]))
            }
            Statistic::Quantile(point) => {
                // The gammas of which a Beta is a share grow from normals, and those of both sides go together.
                let (below, above) = (self.normals(correlation), self.normals(correlation));
                [0, 1].map(|side| self.quantile(samples[side], point, [Some(below[side]), Some(above[side])]))
            }
        }
    }

    /// How many of something would be counted if it were counted again: Poisson distributed.
    pub(in crate::report) fn count(&mut self, counted: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let mean = counted as f64;
        if counted > 50 {
            return (mean + mean.sqrt() * self.normal()).max(0.0);
        }
        // D. E. Knuth, The Art of Computer Programming, vol. 2, section 3.4.1: arrivals within one unit of time.
        let (mut arrivals, mut product) = (0.0, self.0.f64());
        while product > (-mean).exp() {
            product *= self.0.f64();
            arrivals += 1.0;
        }
        arrivals
    }

    fn mean(&mut self, sample: &Sample) -> f64 {
        // Cut requests are in no mean, so that only whole samples can be drawn from value by value.
        if sample.finished > MANY || [sample.len(), sample.independent] != [sample.finished; 2] {
            return sample.mean_at(self.normal());
        }
        let drawn = (0..sample.finished).map(|_| sample.at_rank(self.0.u64(1..=sample.finished)));
        #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
        let n = sample.finished as f64;
        drawn.sum::<f64>() / n
    }

    /// `normals` are the first that the two gammas grow from, where those are given.
    fn quantile(&mut self, sample: &Sample, point: f64, normals: [Option<f64>; 2]) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let (all, n) = (sample.len() as f64, sample.independent as f64);
        let rank = (n * point).ceil().max(1.0);
        // Beta(k, n + 1 − k) as a share of two gammas.
        let (below, above) = (self.gamma(rank, normals[0]), self.gamma(n + 1.0 - rank, normals[1]));
        let drawn = (all * below / (below + above)).ceil().clamp(1.0, all);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 1 and n"
        )]
        let drawn = drawn as u64;
        sample.at_rank(drawn)
    }

    /// Standard normal, by G. E. P. Box and M. E. Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }

    /// Two standard normals of such a correlation.
    fn normals(&mut self, correlation: f64) -> [f64; 2] {
        let (one, other) = (self.normal(), self.normal());
        [one, correlation * one + (1.0 - correlation * correlation).max(0.0).sqrt() * other]
    }

    /// Gamma of a shape of at least 1, by G. Marsaglia and W. W. Tsang, *A simple method for generating gamma variables*,
    /// ACM Transactions on Mathematical Software 26 (2000); its first normal may be given, and is taken nearly always.
    fn gamma(&mut self, shape: f64, mut first: Option<f64>) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = first.take().unwrap_or_else(|| self.normal());
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.0.f64()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values 1, 2, … n ms.
    fn ladder(n: u32) -> Sample {
        let steps = (1..=n).map(|value| (f64::from(value), u64::from(value))).collect();
        let n = f64::from(n);
        let (mean, deviation) = (f64::midpoint(n, 1.0), (n * (n + 1.0) / 12.0).sqrt());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a u32")]
        Sample { steps, finished: n as u64, independent: n as u64, mean, deviation }
    }

    #[test]
    fn the_interval_of_a_quantile_is_that_of_its_ranks() {
        let mut draws = Draws::seeded();
        let [low, high] = draws.interval(|draws| draws.statistic(&ladder(10_000), Statistic::Quantile(0.99)));
        // Conover's ranks, which `load::quantile` computes exactly, are 9880 and 9920.
        assert!((low - 9_880.0).abs() < 4.0 && (high - 9_920.0).abs() < 4.0, "{low} {high}");
    }

    #[test]
    fn the_interval_of_a_mean_is_two_standard_errors_wide_however_it_is_drawn() {
        for n in [400, 4_000] {
            let sample = ladder(n);
            let error = sample.deviation / f64::from(n).sqrt();
            let [low, high] = Draws::seeded().interval(|draws| draws.statistic(&sample, Statistic::Mean));
            let off = [(sample.mean - low) / error, (high - sample.mean) / error];
            assert!(off.iter().all(|off| (1.8..2.12).contains(off)), "{n}: {off:?}");
        }
    }

    #[test]
    fn what_goes_together_is_drawn_together_and_alone_each_is_drawn_as_ever() {
        let sample = ladder(100_000);
        let width = |[low, high]: [f64; 2]| high - low;
        for statistic in [Statistic::Mean, Statistic::Quantile(0.5), Statistic::Quantile(0.99)] {
            let alone = width(Draws::seeded().interval(|draws| draws.statistic(&sample, statistic)));
            for correlation in [-0.8_f64, 0.0, 0.6, 0.95] {
                let drawn = |of: fn([f64; 2]) -> f64| {
                    let together =
                        |draws: &mut Draws| of(draws.together([&sample; 2], statistic, correlation));
                    width(Draws::seeded().interval(together))
                };
                let sides = [drawn(|[one, _]| one), drawn(|[_, other]| other)];
                assert!(sides.iter().all(|side| (0.88..1.13).contains(&(side / alone))), "{sides:?} {alone}");
                // The variance of a difference of two; a rejected normal of a gamma takes a little of what is common.
                let expected = alone * (2.0 - 2.0 * correlation).sqrt();
                let off = drawn(|[one, other]| one - other) / expected;
                assert!((0.85..1.35).contains(&off), "{statistic:?} {correlation}: {off}");
            }
        }
    }

    #[test]
    fn what_is_counted_varies_by_its_root() {
        for counted in [9_u64, 900] {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (mean, root) = (counted as f64, (counted as f64).sqrt());
            let [low, high] = Draws::seeded().interval(|draws| draws.count(counted));
            assert!((mean - low) / root > 1.5 && (mean - low) / root < 2.2, "{low}");
            assert!((high - mean) / root > 1.7 && (high - mean) / root < 2.4, "{high}");
        }
        assert!(Draws::seeded().interval(|draws| draws.count(0)).iter().all(|end| end.abs() < f64::EPSILON));
    }
}
