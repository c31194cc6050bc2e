//! A limit on the rate of requests, as the vendors enforce and announce it: a bucket that refills evenly.
//!
//! It is the generic cell rate algorithm (ITU-T I.371): one moment is all that is kept of the past.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::units::Rate;
use crate::wire::Dialect;

/// The bucket of all requests for an answer.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The time in which one request's room grows back.
    interval: Duration,
    /// The time in which an empty bucket fills.
    depth: Duration,
    /// What is announced as the limit: requests a minute.
    limit: u64,
    /// When the bucket is full again; the past where it is full.
    full_at: Mutex<Instant>,
}

/// What a request is told of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests a minute.
    limit: u64,
    /// How many more would be let through at this moment.
    remaining: u64,
    /// When the bucket is full again, counted from now.
    full_in: Duration,
}

impl Gate {
    /// A full bucket that holds `burst` requests, or as many as the rate names.
    pub(crate) fn new(rate: Rate, burst: Option<u32>) -> Self {
        let interval = rate.interval().max(Duration::from_nanos(1));
        let burst = burst.unwrap_or_else(|| u32::try_from(rate.count()).unwrap_or(u32::MAX));
        let minute = Duration::from_secs(60).as_nanos() / interval.as_nanos();
        Self {
            interval,
            depth: interval.saturating_mul(burst),
            limit: u64::try_from(minute).unwrap_or(u64::MAX).max(1),
            full_at: Mutex::new(Instant::now()),
        }
    }

    /// Lets a request through or says how long it has to wait; what is announced either way comes with it.
    pub(crate) fn admit(&self, now: Instant) -> (Standing, Option<Duration>) {
        // The moment is replaced in one step, so a panicking holder leaves nothing half done.
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*full_at).max(now) + self.interval;
        let wait = (after - now).saturating_sub(self.depth);
        if wait.is_zero() {
            *full_at = after;
        }
        let full_in = full_at.saturating_duration_since(now);
        let room = self.depth.saturating_sub(full_in).as_nanos() / self.interval.as_nanos();
        let standing =
            Standing { limit: self.limit, remaining: u64::try_from(room).unwrap_or(u64::MAX), full_in };
        (standing, Some(wait).filter(|wait| !wait.is_zero()))
    }
}

impl Standing {
    /// What a limit of 50 requests a minute tells one that came a second too early.
    pub(crate) const SPENT: Self = Self { limit: 50, remaining: 0, full_in: Duration::from_secs(1) };

    /// The headers in which the dialect's vendor says so; a raw answer has no vendor.
    pub(crate) fn headers(self, dialect: Dialect) -> Vec<(&'static str, String)> {
        let Self { limit, remaining, full_in } = self;
        let [limit, remaining] = [limit, remaining].map(|number| number.to_string());
        match dialect {
            Dialect::Messages | Dialect::Complete => vec![
                ("anthropic-ratelimit-requests-limit", limit),
                ("anthropic-ratelimit-requests-remaining", remaining),
                ("anthropic-ratelimit-requests-reset", moment(SystemTime::now(), full_in)),
            ],
            Dialect::Chat | Dialect::Responses => vec![
                ("x-ratelimit-limit-requests", limit),
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-reset-requests", go_duration(full_in)),
            ],
            Dialect::Raw => Vec::new(),
        }
    }
}

/// Whole seconds, never too few: what `Retry-After` takes (RFC 9110, section 10.2.3).
pub(crate) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}

/// A moment as Anthropic writes it (RFC 3339, whole seconds), never too early.
fn moment(now: SystemTime, after: Duration) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + after;
    Timestamp::from_second(whole_seconds(since).into())
        .map_or_else(|_| String::new(), |time| time.to_string())
}

/// A time as OpenAI writes it, which is Go's way: `12ms`, `1s`, `6m0s`, `4m12.172s`; never too short.
fn go_duration(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if (1..1000).contains(&millis) {
        return format!("{millis}ms");
    }
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    let fraction = fraction.trim_end_matches('0');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: &str = "60/m";

    fn gate(rate: &str, burst: Option<u32>) -> (Gate, Instant) {
        (Gate::new(rate.parse().unwrap(), burst), Instant::now())
    }

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_one_an_interval() {
        let (gate, now) = gate(MINUTE, Some(3));
        let waits = |now| gate.admit(now).1;
        assert_eq!([(); 4].map(|()| waits(now)), [None, None, None, Some(Duration::from_secs(1))]);
        let later = |millis| now + Duration::from_millis(millis);
        assert_eq!(waits(later(999)), Some(Duration::from_millis(1)));
        assert_eq!(waits(later(1000)), None);
        assert_eq!(waits(later(1500)), Some(Duration::from_millis(500)));
        // A long rest fills it, and no further than its size.
        assert_eq!([(); 4].map(|()| waits(later(99_000)).is_none()), [true, true, true, false]);
    }

    #[test]
    fn without_a_burst_the_bucket_holds_what_the_rate_names() {
        let (gate, now) = gate("5/s", None);
        let passed = std::iter::repeat_with(|| gate.admit(now).1).take_while(Option::is_none).count();
        assert_eq!(passed, 5);
        assert_eq!(gate.admit(now).1, Some(Duration::from_millis(200)));
    }

    #[test]
    fn never_more_pass_in_any_time_than_rate_and_burst_allow() {
        let (gate, now) = gate("100/s", Some(7));
        let passed = (0..10_000).filter(|k| gate.admit(now + Duration::from_millis(*k)).1.is_none()).count();
        // 10 s less a millisecond at 100 a second, after the first seven.
        assert_eq!(passed, 7 + 999);
    }

    #[test]
    fn what_remains_is_announced_with_the_time_until_all_is_back() {
        let (gate, now) = gate(MINUTE, None);
        let standing = |remaining, full_in| Standing { limit: 60, remaining, full_in };
        assert_eq!(gate.admit(now).0, standing(59, Duration::from_secs(1)));
        assert_eq!(gate.admit(now).0, standing(58, Duration::from_secs(2)));
        assert_eq!(gate.admit(now + Duration::from_millis(500)).0, standing(57, Duration::from_millis(2500)));
        (3..60).for_each(|_| assert_eq!(gate.admit(now + Duration::from_millis(500)).1, None));
        let (refused, wait) = gate.admit(now + Duration::from_millis(500));
        assert_eq!((refused, wait.is_some()), (standing(0, Duration::from_millis(59_500)), true));
    }

    #[test]
    fn each_vendor_announces_it_in_its_own_headers() {
        let standing = Standing { limit: 60, remaining: 7, full_in: Duration::from_secs(53) };
        let names = |dialect| standing.headers(dialect).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Dialect::Messages), names(Dialect::Complete));
        assert_eq!(
            standing.headers(Dialect::Chat),
            [
                ("x-ratelimit-limit-requests", "60".to_owned()),
                ("x-ratelimit-remaining-requests", "7".to_owned()),
                ("x-ratelimit-reset-requests", "53s".to_owned()),
            ]
        );
        let reset = &standing.headers(Dialect::Messages)[2];
        assert_eq!(reset.0, "anthropic-ratelimit-requests-reset");
        assert!(reset.1.parse::<Timestamp>().is_ok() && reset.1.len() == 20, "{reset:?}");
        assert_eq!(standing.headers(Dialect::Raw), []);
    }

    #[test]
    fn times_are_written_as_each_vendor_writes_them_and_never_too_short() {
        let go = |micros| go_duration(Duration::from_micros(micros));
        assert_eq!([go(0), go(1), go(12_000), go(1_000_000)], ["0s", "1ms", "12ms", "1s"]);
        assert_eq!([go(360_000_000), go(252_172_000)], ["6m0s", "4m12.172s"]);
        assert_eq!(go(83_909_140_000), "23h18m29.14s");
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(moment(epoch, Duration::from_millis(1_000_000_000_001)), "2001-09-09T01:46:41Z");
        assert_eq!([0, 1, 1000, 1001].map(|ms| whole_seconds(Duration::from_millis(ms))), [0, 1, 1, 2]);
    }
}
