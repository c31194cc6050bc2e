//! The relay's clock, as far as this machine's differs from it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// Differences up to this many seconds are within what every relay allows, and what a date in whole seconds hides.
const SLIGHT: u64 = 30;

/// A clock that is further away than this many seconds is not followed: no honest one is.
const FURTHEST: u64 = 15 * 60;

/// This machine's clock, set to the relay's where they differ.
#[derive(Debug, Default)]
pub(super) struct RelayClock {
    /// By how many seconds the relay's is ahead.
    ahead: AtomicI64,
}

impl RelayClock {
    /// The relay's time at a moment of this machine's clock.
    pub(super) fn time(&self, now: SystemTime) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let moved = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        moved.unwrap_or(now)
    }

    /// Takes over how far a relay's clock is ahead; whether that makes a difference.
    pub(super) fn follow(&self, ahead: i64) -> bool {
        if !self.differs(ahead) || ahead.unsigned_abs() > FURTHEST {
            return false;
        }
        self.ahead.store(ahead, Ordering::Relaxed);
        true
    }

    /// Whether a relay whose clock is so far ahead may refuse this one's time.
    pub(super) fn differs(&self, ahead: i64) -> bool {
        ahead.abs_diff(self.ahead.load(Ordering::Relaxed)) > SLIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_followed_where_that_makes_a_difference_and_is_believable() {
        let clock = RelayClock::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        assert!(!clock.follow(30) && !clock.follow(-30) && !clock.follow(901) && !clock.follow(i64::MIN));
        assert_eq!(clock.time(now), now);
        assert!(clock.follow(-600));
        assert_eq!(clock.time(now), now - Duration::from_secs(600));
        assert!(!clock.follow(-610), "what is known already makes no difference");
        assert!(clock.follow(31));
        assert_eq!(clock.time(now), now + Duration::from_secs(31));
    }
}
