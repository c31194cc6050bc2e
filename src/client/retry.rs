//! Whether to try again, and after what wait: a pure decision over what is known of an attempt.

use std::time::Duration;

use crate::outcome::Class;

/// The rules of trying again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// The multiplier of the exponential back-off.
    pub backoff_base: Duration,
    /// The longest back-off.
    pub backoff_max: Duration,
    /// The longest wait that a relay may ask for; a longer one ends the exchange.
    pub max_wait: Duration,
    /// Whether a request that may have reached the relay is sent again, at the risk of paying twice.
    pub ambiguous: Ambiguous,
    /// What a part of an answer is worth.
    pub partial: Partial,
    /// How a wait that a rate-limited reply asks for is treated.
    pub hints: Hints,
}

/// What to do when an attempt failed after part of its answer had been handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partial {
    /// Whoever has it has shown it: it is not asked for again.
    Keep,
    /// Whoever has it can drop it: the answer is asked for again from its beginning.
    Discard,
}

/// What becomes of a request whose relay limits its rate and says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// It is tried again after the wait, as after any failure; one longer than `max_wait` ends it.
    Bounded,
    /// The wait may have any length and costs no attempt: the relay said when it may come, not that it must not.
    Parked,
}

/// What to do when an attempt failed after its request may have reached the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    /// Send it again, under the same idempotency key.
    Resend,
    /// Leave it failed.
    Leave,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(10),
            max_wait: Duration::from_secs(120),
            ambiguous: Ambiguous::Resend,
            partial: Partial::Keep,
            hints: Hints::Bounded,
        }
    }
}

/// What an attempt leaves behind for the decision.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the attempt")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The attempt's class.
    pub class: Class,
    /// The status, if there was a reply.
    pub status: Option<u16>,
    /// Whether a generated delta has been handed out: after that nothing is retried unless parts are discarded.
    pub delivered: bool,
    /// Whether the answer came to its proper end, so that asking again would only repeat it.
    pub complete: bool,
    /// Whether the request may have reached the relay without being refused by it.
    pub ambiguous: bool,
    /// The relay's own word, `x-should-retry`.
    pub should_retry: Option<bool>,
    /// The wait that the relay asks for.
    pub hint: Option<Duration>,
    /// Whether the next attempt would go to an endpoint that is well and has not been asked.
    pub elsewhere: bool,
    /// Whether it was called back from an endpoint that fell silent.
    pub recalled: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this wait.
    Retry {
        /// The wait.
        wait: Duration,
    },
    /// Try again without its counting as an attempt: when the relay asked for it, or elsewhere after an endpoint fell
    /// silent.
    Park {
        /// The wait; none elsewhere.
        wait: Duration,
    },
    /// This was the last attempt.
    Stop(Why),
}

/// Why there is no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It succeeded, or was stopped from outside.
    Done,
    /// Part of the answer has been handed out.
    Delivered,
    /// Trying again cannot help, by its nature or by the relay's word.
    Useless,
    /// It may have been paid for, and paying twice was excluded.
    Ambiguous,
    /// No attempt is left.
    Spent,
    /// The relay asks for a longer wait than `--max-wait`.
    WaitTooLong(Duration),
    /// The wait would pass `--timeout`.
    OutOfTime,
    /// Too many requests beside this one are being tried again.
    Budget,
}

impl Policy {
    /// Decides after attempt number `attempt`; `random` is uniform in 0..1.
    pub fn decide(&self, evidence: &Evidence, attempt: u32, random: f64) -> Decision {
        if evidence.class.is_ok() || matches!(evidence.class, Class::Refused | Class::Cancelled) {
            return Decision::Stop(Why::Done);
        }
        if evidence.delivered && self.partial == Partial::Keep {
            return Decision::Stop(Why::Delivered);
        }
        // A cap is not lifted by waiting, whatever else the reply says.
        if evidence.class == Class::Quota || !evidence.should_retry.unwrap_or_else(|| evidence.is_passing()) {
            return Decision::Stop(Why::Useless);
        }
        if evidence.ambiguous && self.ambiguous == Ambiguous::Leave {
            return Decision::Stop(Why::Ambiguous);
        }
        // Nobody has answered it, so that it is no more load than it was.
        if evidence.recalled && evidence.elsewhere {
            return Decision::Park { wait: Duration::ZERO };
        }
        if evidence.elsewhere && attempt < self.attempts {
            // A wait would spare the endpoint that failed, and the next one has not.
            return Decision::Retry { wait: Duration::ZERO };
        }
        let hint = evidence.hint.unwrap_or_default();
        // A hint of no time asks for nothing, and would be followed for ever.
        if self.hints == Hints::Parked && evidence.class == Class::RateLimited && !hint.is_zero() {
            return Decision::Park { wait: hint };
        }
        if attempt >= self.attempts {
            return Decision::Stop(Why::Spent);
        }
        if hint > self.max_wait {
            return Decision::Stop(Why::WaitTooLong(hint));
        }
        Decision::Retry { wait: self.backoff(attempt, random).min(self.max_wait).max(hint) }
    }

    /// Exponential back-off with full jitter: uniform in 0..min(cap, base × 2ⁿ⁻¹), after the AWS architecture blog's
    /// "Exponential Backoff And Jitter".
    fn backoff(&self, attempt: u32, random: f64) -> Duration {
        let doubled =
            2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|n| self.backoff_base.checked_mul(n));
        doubled.unwrap_or(Duration::MAX).min(self.backoff_max).mul_f64(random.clamp(0.0, 1.0))
    }
}

impl Evidence {
    /// Whether the failure is of a kind that passes by itself.
    fn is_passing(&self) -> bool {
        match self.class {
            Class::RateLimited
            | Class::Overloaded
            | Class::Connect
            | Class::TimeoutConnect
            | Class::TimeoutFirstByte
            | Class::TimeoutFirstToken
            | Class::TimeoutIdle
            | Class::TimeoutStall
            | Class::StreamError
            | Class::Truncated => true,
            // What one endpoint shows of itself says nothing about the next.
            Class::Tls => self.elsewhere,
            Class::Empty => !self.complete,
            Class::Http4xx | Class::Http5xx => {
                matches!(self.status, Some(408 | 409 | 425 | 500 | 502 | 503 | 504 | 520..=524))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(class: Class, status: u16) -> Evidence {
        let status = Some(status).filter(|status| *status > 0);
        let (delivered, complete, ambiguous) = (false, false, false);
        Evidence {
            class,
            status,
            delivered,
            complete,
            ambiguous,
            should_retry: None,
            hint: None,
            elsewhere: false,
            recalled: false,
        }
    }

    fn decide(evidence: &Evidence) -> Decision {
        Policy::default().decide(evidence, 1, 0.5)
    }

    fn retries(evidence: &Evidence) -> bool {
        matches!(decide(evidence), Decision::Retry { .. })
    }

    #[test]
    fn failures_that_pass_are_tried_again_and_the_others_are_not() {
        for status in [408, 409, 425] {
            assert!(retries(&after(Class::Http4xx, status)), "{status}");
        }
        for status in [500, 502, 503, 504, 520, 524] {
            assert!(retries(&after(Class::Http5xx, status)), "{status}");
        }
        assert!(retries(&after(Class::RateLimited, 429)) && retries(&after(Class::Overloaded, 529)));
        for status in [400, 404, 413, 422] {
            assert!(!retries(&after(Class::Http4xx, status)), "{status}");
        }
        assert!(!retries(&after(Class::Http5xx, 501)));
        for class in
            [Class::Auth, Class::Quota, Class::Http3xx, Class::Tls, Class::Protocol, Class::TimeoutTotal]
        {
            assert!(!retries(&after(class, 0)), "{}", class.name());
        }
    }

    #[test]
    fn the_relays_word_wins_over_the_status_but_lifts_no_quota() {
        let told = |class, status, word| Evidence { should_retry: Some(word), ..after(class, status) };
        assert!(retries(&told(Class::Http4xx, 400, true)));
        assert!(!retries(&told(Class::Http5xx, 503, false)));
        assert!(!retries(&told(Class::Quota, 429, true)));
    }

    #[test]
    fn nothing_is_tried_again_after_the_first_delta() {
        let evidence = Evidence { delivered: true, should_retry: Some(true), ..after(Class::Truncated, 200) };
        assert_eq!(decide(&evidence), Decision::Stop(Why::Delivered));
    }

    #[test]
    fn a_part_of_an_answer_that_can_be_dropped_is_no_reason_to_stop() {
        let evidence = Evidence { delivered: true, ambiguous: true, ..after(Class::Truncated, 200) };
        let policy = Policy { partial: Partial::Discard, ..Policy::default() };
        assert!(matches!(policy.decide(&evidence, 1, 0.5), Decision::Retry { .. }));
    }

    #[test]
    fn an_ambiguous_attempt_is_left_alone_when_asked_so() {
        let evidence = Evidence { ambiguous: true, ..after(Class::Connect, 0) };
        assert!(retries(&evidence));
        let careful = Policy { ambiguous: Ambiguous::Leave, ..Policy::default() };
        assert_eq!(careful.decide(&evidence, 1, 0.5), Decision::Stop(Why::Ambiguous));
    }

    #[test]
    fn a_hint_is_honoured_up_to_the_longest_wait() {
        let hinted =
            |seconds| Evidence { hint: Some(Duration::from_secs(seconds)), ..after(Class::RateLimited, 429) };
        assert_eq!(decide(&hinted(7)), Decision::Retry { wait: Duration::from_secs(7) });
        assert_eq!(decide(&hinted(171)), Decision::Stop(Why::WaitTooLong(Duration::from_secs(171))));
    }

    #[test]
    fn a_hint_that_parks_has_any_length_and_costs_no_attempt() {
        let policy = Policy { hints: Hints::Parked, ..Policy::default() };
        let after =
            |class, seconds| Evidence { hint: Some(Duration::from_secs(seconds)), ..after(class, 429) };
        let day = Duration::from_secs(86_400);
        assert_eq!(policy.decide(&after(Class::RateLimited, 86_400), 3, 0.5), Decision::Park { wait: day });
        assert_eq!(policy.decide(&after(Class::RateLimited, 0), 3, 0.5), Decision::Stop(Why::Spent));
        assert_eq!(policy.decide(&after(Class::Quota, 7), 1, 0.5), Decision::Stop(Why::Useless));
        assert_eq!(policy.decide(&after(Class::Overloaded, 7), 3, 0.5), Decision::Stop(Why::Spent));
    }

    #[test]
    fn the_longest_wait_bounds_our_own_back_off_without_ending_the_attempts() {
        let patient = Policy { max_wait: Duration::ZERO, ..Policy::default() };
        let decision = patient.decide(&after(Class::Overloaded, 529), 1, 0.9);
        assert_eq!(decision, Decision::Retry { wait: Duration::ZERO });
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert_eq!(
            Policy::default().decide(&after(Class::Overloaded, 529), 3, 0.5),
            Decision::Stop(Why::Spent)
        );
    }

    #[test]
    fn an_empty_body_is_asked_for_again_but_an_empty_answer_is_not() {
        assert!(retries(&after(Class::Empty, 200)));
        assert!(!retries(&Evidence { complete: true, ..after(Class::Empty, 200) }));
    }

    proptest! {
        #[test]
        fn the_back_off_stays_within_its_doubling_bound_and_its_cap(attempt in 1_u32..200, random in 0.0..1.0_f64) {
            let policy = Policy { attempts: u32::MAX, ..Policy::default() };
            let Decision::Retry { wait } = policy.decide(&after(Class::Overloaded, 529), attempt, random) else {
                panic!("an overload is always tried again");
            };
            let bound = 2_f64.powi(i32::try_from(attempt).unwrap() - 1).min(10.0);
            prop_assert!(wait.as_secs_f64() <= bound + 1e-9);
        }
    }
}
