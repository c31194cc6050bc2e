//! What access tokens cost: how many were granted and how long the authorization server took, as a line and in the document.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::TokenTimes;
use crate::units::{Span, grouped};

use super::result::millis;

/// How long an authorization server took for its tokens; no time of any request has a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AccessTokens {
    /// Tokens that it granted.
    pub granted: u64,
    /// Questions for one that brought none.
    pub failed: u64,
    /// Average of these questions.
    pub avg_ms: f64,
    /// The longest of them.
    pub max_ms: f64,
}

impl AccessTokens {
    /// What is to be said of them; nothing where none was asked for.
    pub fn of(times: &TokenTimes) -> Option<Self> {
        let TokenTimes { granted, failed, longest, .. } = *times;
        Some(Self { granted, failed, avg_ms: millis(times.average()?), max_ms: millis(longest) })
    }

    /// Those of several runs together; nothing where no run asked for one.
    pub(super) fn sum(parts: impl Iterator<Item = Self>) -> Option<Self> {
        parts.reduce(|sum, part| {
            #[expect(clippy::cast_precision_loss, reason = "nobody asks for 2^53 tokens")]
            let asked = [sum, part].map(|each| (each.granted + each.failed) as f64);
            Self {
                granted: sum.granted + part.granted,
                failed: sum.failed + part.failed,
                avg_ms: sum.avg_ms.mul_add(asked[0], part.avg_ms * asked[1]) / (asked[0] + asked[1]),
                max_ms: sum.max_ms.max(part.max_ms),
            }
        })
    }

    /// The same in words.
    pub(super) fn told(&self) -> String {
        let plural = if self.granted == 1 { "" } else { "s" };
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {} refused or failed", grouped(failed)),
        };
        let [avg, max] = [self.avg_ms, self.max_ms].map(|ms| Span(Duration::from_secs_f64(ms / 1e3)));
        let granted = grouped(self.granted);
        format!(
            "{granted} token{plural} granted{failed}, in {avg} on average, {max} at most; no latency has any of it"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_averaged_over_all_questions_and_none_asked_is_nothing_told() {
        assert_eq!(AccessTokens::of(&TokenTimes::default()), None);
        let mut times = TokenTimes::default();
        times.note(&Ok::<_, ()>(()), Duration::from_millis(30));
        times.note(&Err::<(), _>(()), Duration::from_millis(10));
        let tokens = AccessTokens::of(&times).expect("two were asked for");
        assert_eq!(tokens, AccessTokens { granted: 1, failed: 1, avg_ms: 20.0, max_ms: 30.0 });
        assert_eq!(
            tokens.told(),
            "1 token granted, 1 refused or failed, in 20 ms on average, 30 ms at most; no latency has any of it"
        );
        let other = AccessTokens { granted: 6, failed: 0, avg_ms: 60.0, max_ms: 90.0 };
        let sum = AccessTokens::sum([tokens, other].into_iter());
        assert_eq!(sum, Some(AccessTokens { granted: 7, failed: 1, avg_ms: 50.0, max_ms: 90.0 }));
        assert_eq!(AccessTokens::sum(std::iter::empty()), None);
    }
}
