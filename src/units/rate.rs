//! How many of something happen in a time: `60/m`, `100/s`, `10k/h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Count, UnitError};

/// The units of time a rate may have, longest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A number of things in a second, minute, hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    /// The unit's length in seconds.
    seconds: u64,
}

impl Rate {
    /// How many things, at least 1.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// In how much time.
    pub const fn period(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The time between two things that are evenly spaced.
    #[expect(clippy::cast_precision_loss, reason = "a count is at most 1e15, which is exact")]
    pub fn interval(self) -> Duration {
        self.period().div_f64(self.count as f64)
    }

    /// How many a second.
    #[expect(clippy::cast_precision_loss, reason = "a count is at most 1e15, which is exact")]
    pub fn per_second(self) -> f64 {
        self.count as f64 / self.seconds as f64
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || {
            UnitError(format!(
                "'{text}' is not a rate: write a number and a unit of time, as in 60/m, 0.5/s or 10k/h"
            ))
        };
        let (count, unit) = text.split_once('/').ok_or_else(refuse)?;
        let unit = if unit == "min" { "m" } else { unit };
        let (_, mut seconds) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        // A fraction is a whole number of a longer time: half a thing a second is thirty a minute.
        let whole = |times: u64| Count::times(count, times).map(|Count(count)| (count, times));
        let longer = UNITS.into_iter().rev().map(|(_, length)| length / seconds).filter(|times| *times > 0);
        let (count, times) = longer.into_iter().find_map(whole).ok_or_else(refuse)?;
        seconds *= times;
        Ok(Self { count, seconds })
    }
}

impl fmt::Display for Rate {
    /// The text that reads back as this rate.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            UNITS.into_iter().find(|(_, seconds)| *seconds == self.seconds).map_or("s", |(name, _)| name);
        write!(out, "{}/{unit}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Rate>().map(Rate::interval);
        assert_eq!(read("60/m"), Ok(Duration::from_secs(1)));
        assert_eq!(read("60/min"), Ok(Duration::from_secs(1)));
        assert_eq!(read("100/s"), Ok(Duration::from_millis(10)));
        assert_eq!(read("3.6k/h"), Ok(Duration::from_secs(1)));
        assert!(("30/m".parse::<Rate>().unwrap().per_second() - 0.5).abs() < f64::EPSILON);
        assert_eq!(read("0.5/s"), Ok(Duration::from_secs(2)));
        assert_eq!("1.5/s".parse::<Rate>().unwrap().to_string(), "90/m");
        for bad in ["", "60", "60/", "/m", "0/s", "0.0000001/s", "0.5/d", "-1/s", "60/week", "60m", "1/s/s"] {
            let problem = bad.parse::<Rate>().unwrap_err().to_string();
            assert!(problem.contains("60/m"), "{bad}: {problem}");
        }
    }

    #[test]
    fn a_rate_reads_back_as_itself() {
        for text in ["60/m", "1/s", "10000/h", "7/d"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
    }
}
