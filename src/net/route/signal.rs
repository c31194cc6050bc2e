//! What an outcome says about an endpoint and about the way there: typed, and never by a message.

use std::time::Duration;

use crate::outcome::Class;

/// What became of a request, as far as it matters to the choice among endpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// How it ended.
    pub class: Class,
    /// The status, if there was a reply.
    pub status: Option<u16>,
    /// Whether anything of the host came back, be it a refused connection, a reset or a TLS alert: the network between is well.
    pub host_answered: bool,
    /// When the first byte of the answer came, counted from the request's start.
    pub first_byte: Option<Duration>,
    /// The wait that the relay asks for.
    pub retry_after: Option<Duration>,
}

/// What a request says about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// It serves.
    Served,
    /// It replied, and what it said is about the request: 4xx, a redirect, a quota.
    Replied,
    /// It limits the rate of this key.
    Limited,
    /// It cannot be reached or cannot serve: no connection, TLS, no first byte, a reset, 502, 503, 504, 529.
    Failed,
    /// It began and did not end well: counts towards the ratio of failures, and not towards failures in a row.
    Doubtful,
    /// It says nothing about the endpoint.
    Nothing,
}

impl Signal {
    /// What an outcome says. Client errors never count against an endpoint.
    pub(super) fn of(report: &Report) -> Self {
        match report.class {
            Class::Ok | Class::OkLength | Class::Refused => Self::Served,
            Class::Http4xx | Class::Auth | Class::Quota | Class::Http3xx => Self::Replied,
            Class::RateLimited => Self::Limited,
            Class::Http5xx if matches!(report.status, Some(502..=504)) => Self::Failed,
            // Truncated: the connection was reset after the answer had begun.
            Class::Overloaded
            | Class::Truncated
            | Class::Connect
            | Class::Tls
            | Class::TimeoutConnect
            | Class::TimeoutFirstByte => Self::Failed,
            Class::Http5xx
            | Class::Empty
            | Class::StreamError
            | Class::Protocol
            | Class::TimeoutFirstToken
            | Class::TimeoutIdle
            | Class::TimeoutStall => Self::Doubtful,
            Class::TimeoutTotal | Class::ClientLimit | Class::Cancelled => Self::Nothing,
        }
    }

    /// Whether it counts against the endpoint.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Doubtful)
    }

    /// Whether it came from an endpoint that can be reached and does not fail.
    pub(super) fn is_reply(self) -> bool {
        matches!(self, Self::Served | Self::Replied | Self::Limited)
    }
}

/// What an outcome says about the network between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The host answered, be it with a refusal.
    Something,
    /// No way led there.
    Nothing,
    /// It cannot be told: a model that thinks for long is as silent as a network that is gone.
    Unknown,
}

impl Heard {
    /// What a request says.
    pub(super) fn of(report: &Report) -> Self {
        match report.class {
            Class::TimeoutConnect => Self::Nothing,
            Class::Connect if !report.host_answered => Self::Nothing,
            Class::TimeoutFirstByte
            | Class::TimeoutFirstToken
            | Class::TimeoutIdle
            | Class::TimeoutTotal
            | Class::ClientLimit
            | Class::Cancelled => Self::Unknown,
            _ => Self::Something,
        }
    }
}

/// What a probe brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// A reply, after this time. 401, 403, 404 and 429 are replies of an endpoint that can be reached.
    Reached(Duration),
    /// A reply of 5xx.
    Unwell,
    /// The host refused or reset the connection, or TLS failed: the network is well, the endpoint is not.
    Refused,
    /// No reply within the time, no way there, or no address.
    Nothing,
}

impl Probed {
    /// What a reply with this status says.
    pub fn of_status(status: u16, took: Duration) -> Self {
        if status >= 500 { Self::Unwell } else { Self::Reached(took) }
    }
}
