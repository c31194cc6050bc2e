//! What is added up over many requests: sizes of bodies, times of tokens, connections.

use std::iter::Sum;
use std::time::Duration;

/// How large a request's body is, and how large it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodySize {
    /// Bytes before compression.
    pub plain: u64,
    /// Bytes that left.
    pub sent: u64,
}

impl BodySize {
    /// Bytes that compression saved.
    pub const fn saved(self) -> u64 {
        self.plain.saturating_sub(self.sent)
    }

    /// The share of the bytes that compression saved, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share is shown to two digits")]
    pub fn saved_share(self) -> f64 {
        if self.plain == 0 { 0.0 } else { self.saved() as f64 / self.plain as f64 }
    }
}

impl Sum for BodySize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |sum, size| Self {
            plain: sum.plain + size.plain,
            sent: sum.sent + size.sent,
        })
    }
}

/// How long an authorization server took for its tokens. No time of any request has a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenTimes {
    /// Tokens that it granted.
    pub granted: u64,
    /// Questions for one that brought none.
    pub failed: u64,
    /// The time of all these questions together.
    pub total: Duration,
    /// The longest of them.
    pub longest: Duration,
}

impl TokenTimes {
    /// Counts a question that took so long.
    pub fn note<T, E>(&mut self, answer: &Result<T, E>, took: Duration) {
        *(if answer.is_ok() { &mut self.granted } else { &mut self.failed }) += 1;
        self.total += took;
        self.longest = self.longest.max(took);
    }

    /// How often it was asked.
    pub const fn asked(&self) -> u64 {
        self.granted + self.failed
    }

    /// The average; none where it was not asked.
    pub fn average(&self) -> Option<Duration> {
        let asked = u32::try_from(self.asked()).unwrap_or(u32::MAX);
        self.total.checked_div(asked)
    }
}

impl Sum for TokenTimes {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), |all, one| Self {
            granted: all.granted + one.granted,
            failed: all.failed + one.failed,
            total: all.total + one.total,
            longest: all.longest.max(one.longest),
        })
    }
}

/// What became of connections since somebody last asked, and what they carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// How many were made.
    pub made: u64,
    /// Most that were open at once.
    pub most_open: u64,
    /// Most requests that one of them carried at once.
    pub most_streams: u64,
}

impl Connections {
    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            made: self.made + other.made,
            most_open: self.most_open + other.most_open,
            most_streams: self.most_streams.max(other.most_streams),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_nothing_saves_nothing() {
        assert!(BodySize::default().saved_share().abs() < f64::EPSILON);
        let sum: BodySize =
            [BodySize { plain: 300, sent: 100 }, BodySize { plain: 100, sent: 100 }].into_iter().sum();
        assert_eq!((sum, sum.saved()), (BodySize { plain: 400, sent: 200 }, 200));
    }
}
