//! Objectives of single requests, and how many requests met all of them: the goodput of a level.

use std::time::Duration;

use super::criterion::Comparison;
use super::criterion::Criterion;
use super::quantity::Quantity;
use super::quantity::Timing;
use crate::outcome::Sample;

/// What the time of each request is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    timing: Timing,
    comparison: Comparison,
    /// In seconds.
    bound: f64,
}

impl Objective {
    /// What a criterion asks of a single request: its bound, whatever statistic it names; `None` where it is about no time.
    pub fn of(criterion: &Criterion) -> Option<Self> {
        match criterion.quantity() {
            Quantity::Time(timing, _) => {
                Some(Self { timing, comparison: criterion.comparison(), bound: criterion.bound() })
            }
            _ => None,
        }
    }

    /// Whether a successful request meets it; `None` where it has no such time.
    fn is_met(&self, sample: &Sample, lag: Option<Duration>) -> Option<bool> {
        let value = self.timing.of_request(sample, lag)?;
        Some(self.comparison.holds(value.as_secs_f64(), self.bound))
    }
}

/// How many requests met every objective; those that were cut are in none of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Goodput {
    /// Those that succeeded and met every objective.
    pub met: u64,
    /// Those that failed, or missed one.
    pub missed: u64,
    /// Those that succeeded and lack a time that an objective is about.
    pub unjudged: u64,
}

impl Goodput {
    /// Counts a request that has ended.
    pub(super) fn count(&mut self, objectives: &[Objective], sample: &Sample, lag: Option<Duration>) {
        let mut answers = objectives.iter().map(|objective| objective.is_met(sample, lag));
        if !sample.class.is_ok() || answers.clone().any(|met| met == Some(false)) {
            self.missed += 1;
        } else if answers.all(|met| met == Some(true)) {
            self.met += 1;
        } else {
            self.unjudged += 1;
        }
    }

    /// Adds the counts of another worker.
    pub(super) fn merge(&mut self, other: &Self) {
        self.met += other.met;
        self.missed += other.missed;
        self.unjudged += other.unjudged;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::outcome::Class;

    fn objectives(texts: &[&str]) -> Vec<Objective> {
        let criterion = |text: &&str| Criterion::objective(text).unwrap();
        texts.iter().map(criterion).filter_map(|criterion| Objective::of(&criterion)).collect()
    }

    fn request(ttft_ms: u64, latency_ms: u64) -> Sample {
        let mut sample = Sample::starting(Instant::now());
        sample.class = Class::Ok;
        sample.streamed = true;
        sample.marks.first_delta = Some(Duration::from_millis(ttft_ms));
        sample.marks.last_delta = Some(Duration::from_millis(latency_ms));
        sample
    }

    #[test]
    fn a_request_is_good_when_it_meets_every_objective_and_a_failed_one_never_is() {
        let both = objectives(&["ttft.p99 <= 100ms", "latency < 1s"]);
        let mut goodput = Goodput::default();
        goodput.count(&both, &request(100, 999), None);
        goodput.count(&both, &request(101, 999), None);
        goodput.count(&both, &request(100, 1_000), None);
        let mut failed = request(1, 2);
        failed.class = Class::Truncated;
        goodput.count(&both, &failed, None);
        assert_eq!(goodput, Goodput { met: 1, missed: 3, unjudged: 0 });
    }

    #[test]
    fn a_request_without_the_time_in_question_is_judged_only_where_it_misses_another_objective() {
        let both = objectives(&["tpot < 10ms", "latency < 1s"]);
        let mut goodput = Goodput::default();
        // Its tokens are unknown.
        goodput.count(&both, &request(1, 5), None);
        goodput.count(&both, &request(1, 2_000), None);
        assert_eq!(goodput, Goodput { met: 0, missed: 1, unjudged: 1 });
    }

    #[test]
    fn a_response_counts_from_when_the_request_was_due() {
        let response = objectives(&["response < 100ms"]);
        let mut goodput = Goodput::default();
        goodput.count(&response, &request(1, 60), Some(Duration::from_millis(30)));
        goodput.count(&response, &request(1, 60), Some(Duration::from_millis(50)));
        assert_eq!(goodput, Goodput { met: 1, missed: 1, unjudged: 0 });
    }
}
