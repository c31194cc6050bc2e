//! Standstills: now and then the relay does nothing at all for a while, as one that collects garbage or fails over.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use crate::units::Span;

/// Standstills of one length at one distance, the last part of each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    length: Duration,
    period: Duration,
}

impl Freeze {
    /// The moment at which something due then can happen; the periods count from `epoch`.
    pub(crate) fn thaw(self, epoch: Instant, due: Instant) -> Instant {
        let phase = due.saturating_duration_since(epoch).as_nanos() % self.period.as_nanos();
        let left = self.period.as_nanos() - phase;
        if left > self.length.as_nanos() {
            return due;
        }
        due + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }
}

impl FromStr for Freeze {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "write a length and a longer period up to 1d, as in 2s:20s";
        let (length, period) = text.split_once(':').ok_or(EXPECTED)?;
        let time = |text: &str| text.parse::<Span>().map(|span| span.0).map_err(|_| EXPECTED);
        let freeze = Self { length: time(length)?, period: time(period)? };
        let bounds = Duration::ZERO < freeze.length && freeze.length < freeze.period;
        if bounds && freeze.period <= Duration::from_secs(86_400) { Ok(freeze) } else { Err(EXPECTED) }
    }
}

impl fmt::Display for Freeze {
    /// In whole microseconds, so that it reads back as itself.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}us:{}us", self.length.as_micros(), self.period.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_due_in_a_standstill_happens_at_its_end() {
        let freeze: Freeze = "2s:20s".parse().unwrap();
        let epoch = Instant::now();
        let at = |seconds: f64| epoch + Duration::from_secs_f64(seconds);
        for (due, happens) in
            [(0.0, 0.0), (17.9, 17.9), (18.0, 20.0), (19.5, 20.0), (20.0, 20.0), (38.5, 40.0)]
        {
            assert_eq!(freeze.thaw(epoch, at(due)), at(happens), "{due}");
        }
    }

    #[test]
    fn a_standstill_is_shorter_than_its_period_and_reads_back_as_itself() {
        let freeze: Freeze = "1500us:1m".parse().unwrap();
        assert_eq!(freeze.to_string().parse(), Ok(freeze));
        for bad in ["", "2s", "2s:2s", "3s:2s", "0:2s", "2s:2d", "x:y", "1s:2s:3s"] {
            assert!(bad.parse::<Freeze>().is_err(), "{bad} should be refused");
        }
    }
}
