//! What became of one request: its class, its time marks and its tokens; the vocabulary that net, client and load share.

mod tally;

use std::time::Duration;

use tokio::time::Instant;

pub use self::tally::{BodySize, Connections, TokenTimes};

/// The one class that a finished request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Complete, with its terminal event and something generated.
    Ok,
    /// Complete, but stopped by the token limit.
    OkLength,
    /// The model declined to answer.
    Refused,
    /// Status 200 and nothing generated.
    Empty,
    /// A client error other than those with a class of their own.
    Http4xx,
    /// 401 or 403.
    Auth,
    /// 429 that passes with time.
    RateLimited,
    /// A quota or spending cap: waiting does not help.
    Quota,
    /// A redirect; none is followed.
    Http3xx,
    /// A server error other than 529.
    Http5xx,
    /// 529, or an overload named in the body.
    Overloaded,
    /// No connection: name look-up, refusal, unreachable, reset before the request was sent.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// `--connect-timeout` passed.
    TimeoutConnect,
    /// `--first-byte-timeout` passed.
    TimeoutFirstByte,
    /// `--first-token-timeout` passed.
    TimeoutFirstToken,
    /// `--idle-timeout` passed: no byte arrived.
    TimeoutIdle,
    /// `--stall-timeout` passed: bytes arrived, but nothing generated.
    TimeoutStall,
    /// `--timeout` passed.
    TimeoutTotal,
    /// An error event or an error body inside a 200.
    StreamError,
    /// The stream ended without its terminal event.
    Truncated,
    /// Broken framing, broken JSON, or a body that is not the dialect's.
    Protocol,
    /// This machine ran out of descriptors, ports or memory, or the client itself failed.
    ClientLimit,
    /// Stopped by the end of the run; no failure.
    Cancelled,
}

impl Class {
    /// Every class, in the order in which reports list them.
    pub const ALL: [Self; 24] = [
        Self::Ok,
        Self::OkLength,
        Self::Refused,
        Self::Empty,
        Self::Http4xx,
        Self::Auth,
        Self::RateLimited,
        Self::Quota,
        Self::Http3xx,
        Self::Http5xx,
        Self::Overloaded,
        Self::Connect,
        Self::Tls,
        Self::TimeoutConnect,
        Self::TimeoutFirstByte,
        Self::TimeoutFirstToken,
        Self::TimeoutIdle,
        Self::TimeoutStall,
        Self::TimeoutTotal,
        Self::StreamError,
        Self::Truncated,
        Self::Protocol,
        Self::ClientLimit,
        Self::Cancelled,
    ];

    /// The name used in every table, JSON document and log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkLength => "ok_length",
            Self::Refused => "refused",
            Self::Empty => "empty",
            Self::Http4xx => "http_4xx",
            Self::Auth => "auth",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Http3xx => "http_3xx",
            Self::Http5xx => "http_5xx",
            Self::Overloaded => "overloaded",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::TimeoutConnect => "timeout_connect",
            Self::TimeoutFirstByte => "timeout_first_byte",
            Self::TimeoutFirstToken => "timeout_first_token",
            Self::TimeoutIdle => "timeout_idle",
            Self::TimeoutStall => "timeout_stall",
            Self::TimeoutTotal => "timeout_total",
            Self::StreamError => "stream_error",
            Self::Truncated => "truncated",
            Self::Protocol => "protocol",
            Self::ClientLimit => "client_limit",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a request of this class enters the latency figures.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::OkLength)
    }

    /// Whether a whole answer came, be it that the model declined.
    pub const fn is_answered(self) -> bool {
        self.is_ok() || matches!(self, Self::Refused)
    }

    /// Whether a request of this class counts as an error; a cancelled one does not.
    pub const fn is_failure(self) -> bool {
        !self.is_ok() && !matches!(self, Self::Cancelled)
    }
}

/// The moments of one attempt. Offsets count from `start`; a moment that never came is `None`, never zero.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// When the request was handed to the transport.
    pub start: Instant,
    /// How long the name look-up took; absent on a reused connection or a literal address.
    pub dns: Option<Duration>,
    /// How long connecting took, TLS included where the library reports both together; absent on reuse.
    pub connect: Option<Duration>,
    /// How long the TLS handshake took, where it is timed apart; absent on reuse.
    pub tls: Option<Duration>,
    /// How long the request took to leave once it had a connection, where that is timed.
    pub send: Option<Duration>,
    /// Response headers read.
    pub headers: Option<Duration>,
    /// First byte of the body.
    pub first_byte: Option<Duration>,
    /// First event of any kind, ping and `message_start` included.
    pub first_event: Option<Duration>,
    /// First non-empty generated delta: text, reasoning or tool arguments.
    pub first_delta: Option<Duration>,
    /// First generated delta that is not reasoning.
    pub first_answer: Option<Duration>,
    /// Last generated delta; without a stream, the last byte of the body.
    pub last_delta: Option<Duration>,
    /// Terminal event; without a stream, the last byte of the body.
    pub end: Option<Duration>,
}

impl Marks {
    /// Marks of an attempt that starts now.
    pub const fn starting(start: Instant) -> Self {
        Self {
            start,
            dns: None,
            connect: None,
            tls: None,
            send: None,
            headers: None,
            first_byte: None,
            first_event: None,
            first_delta: None,
            first_answer: None,
            last_delta: None,
            end: None,
        }
    }

    /// The moments that count from the start, for a start that lies earlier than was thought.
    pub fn offsets_mut(&mut self) -> [&mut Option<Duration>; 7] {
        let Self { headers, first_byte, first_event, first_delta, first_answer, last_delta, end, .. } = self;
        [headers, first_byte, first_event, first_delta, first_answer, last_delta, end]
    }
}

/// Tokens of one request as the server's `usage` states them, or an estimate that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// Tokens generated, reasoning included.
    pub output: Option<u64>,
    /// Whether `output` was estimated here because the server sent no usage.
    pub estimated: bool,
}

impl Tokens {
    /// Tokens of so many characters where the server sends no usage: four to a token, the rule of thumb that both
    /// vendors give for English.
    pub const fn estimate(characters: u64) -> u64 {
        characters.div_ceil(4)
    }
}

/// What one request of a load test yields. Its buffers are reused from request to request.
#[derive(Debug)]
pub struct Sample {
    /// The class of the outcome.
    pub class: Class,
    /// The moments, counted from the start of the request.
    pub marks: Marks,
    /// Whether the answer was streamed, so that TTFT, TPOT and gaps exist.
    pub streamed: bool,
    /// The id that went with the request as `X-Request-ID`; empty where none has left.
    pub request_id: String,
    /// The name of the endpoint that its last attempt went to; empty where there is no choice.
    pub endpoint: String,
    /// The status of the last reply, where there was one.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Generated deltas received.
    pub deltas: u64,
    /// Tokens in and out.
    pub tokens: Tokens,
    /// Times between consecutive generated deltas, in order.
    pub gaps: Vec<Duration>,
    /// What went wrong, for the first failure of each class to be shown; empty for a success.
    pub message: String,
    /// How long the relay asked to wait, where it did.
    pub retry_after: Option<Duration>,
}

impl Sample {
    /// An empty sample for a request that starts now.
    pub fn starting(start: Instant) -> Self {
        Self {
            class: Class::Cancelled,
            marks: Marks::starting(start),
            streamed: false,
            request_id: String::new(),
            endpoint: String::new(),
            status: None,
            bytes: 0,
            deltas: 0,
            tokens: Tokens::default(),
            gaps: Vec::new(),
            message: String::new(),
            retry_after: None,
        }
    }

    /// (last − first generated delta) / (output tokens − 1); absent below two tokens.
    pub fn time_per_token(&self) -> Option<Duration> {
        let later = u32::try_from(self.tokens.output?.checked_sub(1)?).ok()?;
        let spread = self.marks.last_delta?.checked_sub(self.marks.first_delta?)?;
        spread.checked_div(later)
    }

    /// Empties the sample for the next request, keeping its buffers.
    pub fn restart(&mut self, start: Instant) {
        self.class = Class::Cancelled;
        self.marks = Marks::starting(start);
        self.streamed = false;
        self.request_id.clear();
        self.endpoint.clear();
        self.status = None;
        self.bytes = 0;
        self.deltas = 0;
        self.tokens = Tokens::default();
        self.gaps.clear();
        self.message.clear();
        self.retry_after = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_own_place_and_has_a_name_of_its_own() {
        for (at, class) in Class::ALL.iter().enumerate() {
            assert_eq!(*class as usize, at);
        }
        let mut names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Class::ALL.len());
    }

    #[test]
    fn a_cancelled_request_is_neither_a_success_nor_a_failure() {
        assert!(!Class::Cancelled.is_ok() && !Class::Cancelled.is_failure());
        assert!(Class::OkLength.is_ok() && Class::Empty.is_failure());
    }

    #[test]
    fn time_per_token_needs_two_tokens() {
        let mut sample = Sample::starting(Instant::now());
        sample.marks.first_delta = Some(Duration::from_millis(10));
        sample.marks.last_delta = Some(Duration::from_millis(40));
        for (output, expected) in [(None, None), (Some(0), None), (Some(1), None), (Some(4), Some(10))] {
            sample.tokens.output = output;
            assert_eq!(sample.time_per_token(), expected.map(Duration::from_millis));
        }
    }
}
