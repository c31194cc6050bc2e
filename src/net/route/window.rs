//! How many requests failed within the window, by the second.

use std::time::Duration;

use super::rules::{LATEST, RATIO_WINDOW_S};

#[expect(clippy::cast_possible_truncation, reason = "a constant of a few seconds")]
const SECONDS: usize = RATIO_WINDOW_S as usize;

/// Counts by the second, in a ring.
#[derive(Debug, Clone)]
pub(super) struct Window {
    seconds: [Second; SECONDS],
    /// Whether each of the last requests failed, the latest in the lowest bit.
    latest: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: u64,
    failed: u32,
    all: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { seconds: [Second::default(); SECONDS], latest: 0 }
    }
}

impl Window {
    /// Counts one request.
    pub(super) fn count(&mut self, now: Duration, failed: bool) {
        let number = now.as_secs();
        let slot = &mut self.seconds[index(number)];
        if slot.number != number {
            *slot = Second { number, ..Second::default() };
        }
        slot.all += 1;
        slot.failed += u32::from(failed);
        self.latest = self.latest << 1 | u64::from(failed);
    }

    /// Takes back what was counted in the second of that time or later.
    pub(super) fn forget_since(&mut self, then: Duration) {
        for second in self.seconds.iter_mut().filter(|second| second.number >= then.as_secs()) {
            *second = Second::default();
        }
        self.latest = 0;
    }

    /// How many of the latest requests failed, where the window holds so many.
    pub(super) fn latest_failed(&self, now: Duration) -> Option<u32> {
        (self.counts(now).1 >= LATEST).then_some(self.latest.count_ones())
    }

    /// How many failed, of how many.
    pub(super) fn counts(&self, now: Duration) -> (u32, u32) {
        let from = now.as_secs().saturating_sub(RATIO_WINDOW_S - 1);
        let within = self.seconds.iter().filter(|second| second.number >= from);
        within.fold((0, 0), |(failed, all), second| (failed + second.failed, all + second.all))
    }
}

fn index(second: u64) -> usize {
    (second % RATIO_WINDOW_S) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_since_a_time_is_taken_back() {
        let mut window = Window::default();
        (1..=4).for_each(|second| window.count(Duration::from_secs(second), true));
        window.forget_since(Duration::from_millis(3900));
        assert_eq!(window.counts(Duration::from_secs(4)), (2, 2));
    }

    #[test]
    fn the_latest_are_counted_where_all_of_them_lie_within_the_window() {
        let mut window = Window::default();
        let now = Duration::from_secs(100);
        (0..63).for_each(|at| window.count(now, at % 3 == 0));
        assert_eq!(window.latest_failed(now), None);
        window.count(now, false);
        assert_eq!(window.latest_failed(now), Some(21));
        (0..32).for_each(|_| window.count(now, false));
        assert_eq!(window.latest_failed(now), Some(10));
        assert_eq!(window.latest_failed(now + Duration::from_secs(30)), None);
        window.forget_since(now + Duration::from_secs(1));
        assert_eq!(window.latest_failed(now), Some(0), "what failed with the network is nobody's failure");
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut window = Window::default();
        window.count(Duration::from_secs(1), true);
        window.count(Duration::from_secs(5), false);
        assert_eq!(window.counts(Duration::from_secs(30)), (1, 2));
        assert_eq!(window.counts(Duration::from_secs(31)), (0, 1));
        window.count(Duration::from_secs(35), true);
        assert_eq!(window.counts(Duration::from_secs(35)), (1, 1));
        assert_eq!(window.counts(Duration::from_secs(9_000_000)), (0, 0));
    }
}
