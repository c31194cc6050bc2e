//! The leaky bucket itself: a pure decision over explicit time, exact to the nanosecond.

use std::time::Duration;

use crate::units::Rate;

/// How fast a bucket drains: so many things in so many nanoseconds, kept as the fraction that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speed {
    things: u64,
    nanos: u64,
}

impl Speed {
    /// The speed of a rate, exactly.
    pub(super) fn of(rate: Rate) -> Self {
        let nanos = u64::try_from(rate.period().as_nanos()).unwrap_or(u64::MAX);
        Self { things: rate.count(), nanos }
    }

    /// A speed that was measured or estimated, to a thousandth of a thing a second and never none at all.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before the cast")]
    pub(super) fn per_second(things: f64) -> Self {
        let thousandths = (things * 1e3).round().clamp(1.0, 1e15);
        Self { things: thousandths as u64, nanos: 1_000_000_000_000 }
    }
}

/// A bucket that what goes fills and time drains, as in the generic cell rate algorithm (ITU-T I.371) read as a leaky
/// bucket. Moments count from any fixed one.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    speed: Speed,
    /// How many things fit.
    depth: u64,
    /// What is in it, in things times the nanoseconds of the speed, so that draining leaves no remainder.
    level: u128,
    /// The moment that the level is of.
    as_of: Duration,
}

impl Bucket {
    /// An empty bucket.
    pub(super) fn new(speed: Speed, depth: u64) -> Self {
        Self { speed, depth, level: 0, as_of: Duration::ZERO }
    }

    /// How many things fit.
    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    /// The earliest moment at which so many things may go; more than fit may go once the bucket is empty.
    pub(super) fn due(&self, things: u64) -> Duration {
        let room = u128::from(self.depth.saturating_sub(things)) * u128::from(self.speed.nanos);
        let wait = self.level.saturating_sub(room).div_ceil(u128::from(self.speed.things));
        self.as_of.saturating_add(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// Lets so many things go; whether it is time for them was asked before.
    pub(super) fn take(&mut self, at: Duration, things: u64) {
        self.drain(at);
        self.level = self.level.saturating_add(self.weight(things));
    }

    /// Counts so many things in place of those that were let go before.
    pub(super) fn settle(&mut self, at: Duration, gone: u64, used: u64) {
        self.drain(at);
        self.level = self.level.saturating_add(self.weight(used)).saturating_sub(self.weight(gone));
    }

    /// Drains at another speed from this moment on; what is in it stays.
    pub(super) fn turn(&mut self, at: Duration, speed: Speed) {
        self.drain(at);
        let (old, new) = (u128::from(self.speed.nanos), u128::from(speed.nanos));
        self.level = (self.level / old).saturating_mul(new) + self.level % old * new / old;
        self.speed = speed;
    }

    /// Takes over another one's speed and depth from this moment on.
    pub(super) fn become_like(&mut self, at: Duration, other: &Self) {
        self.turn(at, other.speed);
        self.depth = other.depth;
    }

    fn drain(&mut self, at: Duration) {
        if let Some(passed) = at.checked_sub(self.as_of) {
            let drained = passed.as_nanos().saturating_mul(u128::from(self.speed.things));
            self.level = self.level.saturating_sub(drained);
            self.as_of = at;
        }
    }

    fn weight(&self, things: u64) -> u128 {
        u128::from(things) * u128::from(self.speed.nanos)
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "counts of tests are small")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(rate: &str, depth: u64) -> Bucket {
        Bucket::new(Speed::of(rate.parse().unwrap()), depth)
    }

    /// Lets one thing go at the earliest moment again and again, and gives the moments.
    fn moments(mut bucket: Bucket, count: usize) -> Vec<Duration> {
        std::iter::repeat_with(|| {
            let due = bucket.due(1);
            bucket.take(due, 1);
            due
        })
        .take(count)
        .collect()
    }

    #[test]
    fn sixty_a_minute_is_one_a_second_for_hours_on_end() {
        let all = moments(bucket("60/m", 1), 36_001);
        assert_eq!(all[36_000], Duration::from_secs(36_000));
        // A seventh of a second is no whole number of nanoseconds, of which each request takes the next.
        let all = moments(bucket("7/s", 1), 7 * 86_400 + 1);
        let late = all[7 * 86_400].checked_sub(Duration::from_secs(86_400)).unwrap();
        assert!(late < Duration::from_micros(100), "{late:?} in a day");
    }

    #[test]
    fn a_burst_goes_at_once_and_comes_back_with_time() {
        let seconds: Vec<u64> = moments(bucket("1/s", 3), 6).iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 2, 3]);
        let mut rested = bucket("1/s", 3);
        rested.take(Duration::from_secs(100), 3);
        assert_eq!(rested.due(3), Duration::from_secs(103));
        rested.settle(Duration::from_secs(100), 3, 1);
        assert_eq!(rested.due(2), Duration::from_secs(100));
    }

    #[test]
    fn more_than_fits_goes_when_the_bucket_is_empty_and_is_paid_for_afterwards() {
        let mut bucket = bucket("10/s", 5);
        bucket.take(Duration::ZERO, 1);
        assert_eq!(bucket.due(50), Duration::from_millis(100));
        bucket.take(Duration::from_millis(100), 50);
        assert_eq!(bucket.due(5), Duration::from_millis(5100));
    }

    #[test]
    fn a_change_of_speed_keeps_what_is_in_the_bucket() {
        let mut bucket = bucket("1/s", 10);
        bucket.take(Duration::ZERO, 10);
        bucket.turn(Duration::from_secs(4), Speed::per_second(0.5));
        // Six are left, and each now takes two seconds.
        assert_eq!(bucket.due(10), Duration::from_secs(4 + 12));
    }

    proptest! {
        #[test]
        fn never_more_go_in_any_window_than_rate_and_depth_allow(
            count in 1_u64..1000,
            depth in 1_u64..20,
            arrivals in proptest::collection::vec((0_u64..400_000_000, 1_u64..4), 1..200),
        ) {
            let mut bucket = bucket(&format!("{count}/s"), depth);
            let (mut now, mut gone) = (Duration::ZERO, Vec::new());
            for (pause, things) in arrivals {
                let things = things.min(depth);
                now = (now + Duration::from_nanos(pause)).max(bucket.due(things));
                bucket.take(now, things);
                gone.push((now, things));
            }
            for (first, from) in gone.iter().enumerate() {
                let mut sum = 0;
                for (at, things) in &gone[first..] {
                    sum += things;
                    let allowed = at.saturating_sub(from.0).as_secs_f64() * count as f64 + depth as f64;
                    prop_assert!(sum as f64 <= allowed + 1e-6, "{sum} of {allowed}");
                }
            }
        }

        #[test]
        fn moments_never_run_backwards_and_what_is_given_back_was_never_taken(
            steps in proptest::collection::vec((0_u64..3_000_000_000, 1_u64..5, any::<bool>()), 1..100),
        ) {
            let (mut kept, mut undone) = (bucket("3/s", 5), bucket("3/s", 5));
            let (mut now, mut last) = (Duration::ZERO, Duration::ZERO);
            for (pause, things, goes) in steps {
                now += Duration::from_nanos(pause);
                let due = kept.due(things).max(now);
                prop_assert!(due >= last);
                undone.take(due, things);
                if goes {
                    kept.take(due, things);
                } else {
                    undone.settle(due, things, 0);
                }
                (now, last) = (due, due);
                prop_assert_eq!(kept.due(5).max(now), undone.due(5).max(now));
            }
        }
    }
}
