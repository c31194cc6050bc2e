//! What an outcome says about an endpoint: typed, and never by a message.

use std::time::Duration;

use crate::outcome::Class;

/// What became of a request, as far as it matters to the choice among endpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// How it ended.
    pub class: Class,
    /// The status, if there was a reply.
    pub status: Option<u16>,
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
    /// It replied that it cannot serve (502, 503, 504, 529).
    Refused,
    /// Nothing came of it, and the way there may be the reason: no connection, TLS, no first byte.
    Unreachable,
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
            Class::Overloaded => Self::Refused,
            Class::Http5xx if matches!(report.status, Some(502..=504)) => Self::Refused,
            // The connection was reset after the answer had begun.
            Class::Truncated => Self::Refused,
            Class::Connect | Class::Tls | Class::TimeoutConnect | Class::TimeoutFirstByte => {
                Self::Unreachable
            }
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
}

/// What a probe brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// A reply, after this time. 401, 403, 404 and 429 are replies of an endpoint that can be reached.
    Reached(Duration),
    /// A reply of 5xx.
    Unwell,
    /// No reply within the time, or no connection.
    Nothing,
}

impl Probed {
    /// What a reply with this status says.
    pub fn of_status(status: u16, took: Duration) -> Self {
        if status >= 500 { Self::Unwell } else { Self::Reached(took) }
    }
}
