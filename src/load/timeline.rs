//! What happened in each second of a level: endings, failures, requests under way and the wait for the first token.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Sample;

/// One second of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Second {
    /// Requests that succeeded in it.
    pub ok: u64,
    /// Requests that failed in it.
    pub errors: u64,
    /// Requests under way when it was last looked at.
    pub in_flight: u32,
    /// Successes with a time to the first token.
    pub ttft_count: u64,
    /// The sum of those times.
    pub ttft_sum: Duration,
}

/// The seconds of a level from the beginning of its measured part on; it grows with time and not with requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline(pub Vec<Second>);

impl Timeline {
    /// Adds a recorded request that ended after `since` the beginning of the measured part.
    pub(super) fn ended(&mut self, since: Duration, sample: &Sample) {
        let second = self.at(since);
        if !sample.class.is_ok() {
            second.errors += u64::from(sample.class.is_failure());
            return;
        }
        second.ok += 1;
        if let Some(ttft) = sample.marks.first_delta.filter(|_| sample.streamed) {
            second.ttft_count += 1;
            second.ttft_sum += ttft;
        }
    }

    /// Notes how many requests are under way at a moment, where the measured part has begun.
    pub(super) fn under_way(&mut self, from: Instant, now: Instant, in_flight: u32) {
        if let Some(since) = now.checked_duration_since(from) {
            self.at(since).in_flight = in_flight;
        }
    }

    /// Adds what another worker saw of the same level.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), Second::default());
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.ok += theirs.ok;
            mine.errors += theirs.errors;
            mine.in_flight += theirs.in_flight;
            mine.ttft_count += theirs.ttft_count;
            mine.ttft_sum += theirs.ttft_sum;
        }
    }

    fn at(&mut self, since: Duration) -> &mut Second {
        let second = usize::try_from(since.as_secs()).unwrap_or(usize::MAX);
        if self.0.len() <= second {
            self.0.resize(second + 1, Second::default());
        }
        &mut self.0[second]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Class;

    #[test]
    fn each_ending_counts_in_its_second_and_workers_add_up() {
        let began = Instant::now();
        let mut sample = Sample::starting(began);
        sample.class = Class::Ok;
        sample.streamed = true;
        sample.marks.first_delta = Some(Duration::from_millis(30));
        let (mut one, mut other) = (Timeline::default(), Timeline::default());
        one.ended(Duration::from_millis(2_100), &sample);
        sample.class = Class::Overloaded;
        other.ended(Duration::from_millis(999), &sample);
        other.under_way(began, began + Duration::from_millis(500), 7);
        one.under_way(began, began + Duration::from_millis(700), 5);
        one.merge(&other);
        assert_eq!(one.0.len(), 3);
        assert_eq!((one.0[0].errors, one.0[0].in_flight, one.0[0].ok), (1, 12, 0));
        assert_eq!((one.0[2].ok, one.0[2].ttft_count), (1, 1));
        assert_eq!(one.0[2].ttft_sum, Duration::from_millis(30));
    }
}
