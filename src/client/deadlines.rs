//! The timeouts of one attempt: at each moment the nearest deadline, and which one it is.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Class;

/// The limits of one attempt; `None` is no limit. Connecting has its own limit in the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start to the first byte of the body of a stream.
    pub first_byte_stream: Option<Duration>,
    /// The same for a whole answer, which is made before its first byte.
    pub first_byte_whole: Option<Duration>,
    /// From the start to the first generated delta of a stream.
    pub first_token: Option<Duration>,
    /// Between any two bytes.
    pub idle: Option<Duration>,
    /// Between two generated deltas; a ping does not count.
    pub stall: Option<Duration>,
    /// From the start of the first attempt to the end of the last, waits included.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Self {
            first_byte_stream: seconds(30),
            first_byte_whole: seconds(600),
            first_token: seconds(600),
            idle: seconds(60),
            stall: seconds(120),
            total: None,
        }
    }
}

impl Timeouts {
    /// No limit at all.
    pub const NONE: Self = Self {
        first_byte_stream: None,
        first_byte_whole: None,
        first_token: None,
        idle: None,
        stall: None,
        total: None,
    };
}

/// How far an attempt has come, as far as its deadlines need to know.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// When the last byte of the body arrived.
    pub(super) last_byte: Option<Instant>,
    /// When the last generated delta arrived.
    pub(super) last_delta: Option<Instant>,
}

impl Progress {
    /// Leaves a time out in which the relay was not listened to.
    pub(super) fn pause(&mut self, time: Duration) {
        for moment in [&mut self.last_byte, &mut self.last_delta].into_iter().flatten() {
            *moment += time;
        }
    }
}

/// A deadline, the class of missing it and the limit that set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) class: Class,
    pub(super) limit: Duration,
}

/// Which limits apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All those of a stream.
    Stream,
    /// All those of a whole answer.
    Whole,
    /// The total one only: what is waited for is no fault of the relay's.
    Total,
}

/// The deadlines of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines<'a> {
    pub(super) timeouts: &'a Timeouts,
    /// When the first attempt began: the total counts from here.
    pub(super) began: Instant,
    /// When this attempt began.
    pub(super) start: Instant,
    pub(super) scope: Scope,
}

impl Deadlines<'_> {
    /// The nearest deadline, if any limit applies at this stage.
    pub(super) fn next(&self, progress: Progress) -> Option<Deadline> {
        let Timeouts { first_byte_stream, first_byte_whole, first_token, idle, stall, total } =
            *self.timeouts;
        let deadline = |from: Instant, limit: Option<Duration>, class| {
            limit.and_then(|limit| Some(Deadline { at: from.checked_add(limit)?, class, limit }))
        };
        let whole = deadline(self.began, total, Class::TimeoutTotal);
        let first_byte = match self.scope {
            Scope::Stream => first_byte_stream,
            Scope::Whole => first_byte_whole,
            Scope::Total => return whole,
        };
        let byte = match progress.last_byte {
            None => deadline(self.start, first_byte, Class::TimeoutFirstByte),
            Some(last) => deadline(last, idle, Class::TimeoutIdle),
        };
        let delta = match progress.last_delta {
            _ if self.scope == Scope::Whole => None,
            None => deadline(self.start, first_token, Class::TimeoutFirstToken),
            Some(last) => deadline(last, stall, Class::TimeoutStall),
        };
        [byte, delta, whole].into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeouts: &Timeouts, scope: Scope) -> (Deadlines<'_>, Instant) {
        let start = Instant::now();
        (Deadlines { timeouts, began: start, start, scope }, start)
    }

    #[test]
    fn a_stream_waits_less_for_its_first_byte_than_a_whole_answer() {
        let timeouts = Timeouts::default();
        let (stream, start) = at(&timeouts, Scope::Stream);
        let next = stream.next(Progress::default()).unwrap();
        assert_eq!((next.class, next.at - start), (Class::TimeoutFirstByte, Duration::from_secs(30)));
        let (whole, start) = at(&timeouts, Scope::Whole);
        let next = whole.next(Progress::default()).unwrap();
        assert_eq!((next.class, next.at - start), (Class::TimeoutFirstByte, Duration::from_secs(600)));
    }

    #[test]
    fn pings_keep_a_stream_from_idling_but_not_from_stalling() {
        let timeouts = Timeouts::default();
        let (stream, start) = at(&timeouts, Scope::Stream);
        let delta = start + Duration::from_secs(10);
        let ping = start + Duration::from_secs(100);
        let next = stream.next(Progress { last_byte: Some(ping), last_delta: Some(delta) }).unwrap();
        assert_eq!((next.class, next.at), (Class::TimeoutStall, delta + Duration::from_secs(120)));
    }

    #[test]
    fn without_limits_there_is_no_deadline() {
        assert_eq!(at(&Timeouts::NONE, Scope::Stream).0.next(Progress::default()), None);
    }
}
