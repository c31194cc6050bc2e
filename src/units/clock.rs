//! Moments as Unix time, for logs that are joined with one another.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A monotonic clock that was set once by the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The moment of setting.
    anchor: Instant,
    /// The same moment in Unix time.
    unix: Duration,
}

impl Clock {
    /// A clock set now.
    pub fn set() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Instant::now(), unix }
    }

    /// A moment in Unix nanoseconds.
    pub fn unix_nanos(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.anchor);
        u64::try_from((self.unix + since).as_nanos()).unwrap_or(u64::MAX)
    }
}
