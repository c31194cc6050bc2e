//! Failures in a row, with their times.

use std::time::Duration;

use super::rules::{CONSECUTIVE, CONSECUTIVE_PAUSE};

/// Failures in a row: how many, and when the last few of them were.
#[derive(Debug, Clone, Default)]
pub(super) struct Streak {
    count: u32,
    /// The times of the last ones, in a ring.
    times: [Duration; CONSECUTIVE as usize],
}

impl Streak {
    /// Counts one more; a long pause before it ends the row.
    pub(super) fn add(&mut self, now: Duration) {
        if self.count > 0 && now.saturating_sub(self.time(1)) > CONSECUTIVE_PAUSE {
            self.count = 0;
        }
        self.count += 1;
        let slot = self.slot(1);
        self.times[slot] = now;
    }

    /// Something succeeded.
    pub(super) fn end(&mut self) {
        self.count = 0;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Takes back what was counted at that time or later.
    pub(super) fn forget_since(&mut self, then: Duration) {
        let known = self.count.min(CONSECUTIVE);
        let late = (1..=known).take_while(|back| self.time(*back) >= then).count();
        // Of those before the ring, nothing is known that would speak against the endpoint.
        self.count = if late == known as usize { 0 } else { self.count.saturating_sub(count_of(late)) };
    }

    /// The time of one, counted from the last, which is 1.
    fn time(&self, back: u32) -> Duration {
        self.times[self.slot(back)]
    }

    fn slot(&self, back: u32) -> usize {
        ((self.count - back) % CONSECUTIVE) as usize
    }
}

fn count_of(late: usize) -> u32 {
    u32::try_from(late).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_row_ends_with_a_success_or_a_long_pause() {
        let mut streak = Streak::default();
        (1..=4).for_each(|second| streak.add(second * SECOND));
        assert_eq!(streak.count(), 4);
        streak.add(3600 * SECOND);
        assert_eq!(streak.count(), 1, "an hour without a request is no row");
        streak.add(3659 * SECOND);
        assert_eq!(streak.count(), 2);
        streak.end();
        assert_eq!(streak.count(), 0);
    }

    #[test]
    fn what_was_counted_since_a_time_is_taken_back_and_no_more() {
        let mut streak = Streak::default();
        (1..=7).for_each(|second| streak.add(second * SECOND));
        streak.forget_since(6 * SECOND);
        assert_eq!(streak.count(), 5);
        streak.add(9 * SECOND);
        streak.forget_since(8 * SECOND);
        assert_eq!(streak.count(), 5);
        streak.forget_since(SECOND);
        assert_eq!(streak.count(), 0);
    }
}
