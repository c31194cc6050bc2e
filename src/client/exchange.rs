//! What became of one call: its class, its times, its attempts, and in words what went wrong.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::net;
use crate::net::{Method, Url};
use crate::outcome::{BodySize, Class, Marks, Tokens};
use crate::units::Span;
use crate::wire::{ApiError, Stop, Usage, WireError};

use super::Call;
use super::cache::Form;
use super::ids::Ids;
use super::retry::{Decision, Evidence, Why};

/// One attempt of an exchange.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Counted from 1, repairs included.
    pub number: u32,
    /// Where it went, where there are several endpoints.
    pub endpoint: Option<String>,
    /// How it ended.
    pub class: Class,
    /// The status, if there was a reply.
    pub status: Option<u16>,
    /// When it ended, counted from the start of the first attempt.
    pub ended: Duration,
    /// The wait that followed it; zero after the last one.
    pub waited: Duration,
    /// The wait before it for the client's own limits, which no timing and no timeout but the total counts.
    pub limited: Duration,
    /// The time around it that a token was waited for, which no timing and no timeout but the total counts.
    pub authorised: Duration,
    /// Whether it failed although the relay may have done, and billed, the work.
    pub maybe_billed: bool,
    /// What its body weighed; nothing where it has not left.
    pub body: BodySize,
    /// The relay's own id of it.
    pub relay_request_id: Option<String>,
    /// What went wrong; empty if nothing did.
    pub message: String,
}

/// Why an exchange did not bring a whole answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It exceeds a limit of the client's own.
    #[error("{0}")]
    Limit(#[from] net::Refusal),
    /// There is no token to send it with.
    #[error("{0}")]
    Token(#[from] net::AuthError),
    /// No reply, or the reply broke off.
    #[error("{0}")]
    Net(#[from] net::Error),
    /// A status other than 2xx.
    #[error("{0}")]
    Status(ApiErrorText),
    /// A redirect; it is not followed.
    #[error("it redirects to {0}")]
    Redirect(String),
    /// An error inside a 200.
    #[error("inside a 200 it reported {0}")]
    Reported(ApiErrorText),
    /// Bytes that cannot be read as an answer.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A limit passed.
    #[error("{what} within {}", Span(*limit))]
    Timeout {
        /// What did not happen, as in `no byte of the answer`.
        what: &'static str,
        /// The flag that sets the limit.
        flag: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The stream ended without its terminal event.
    #[error("the stream ended after {deltas} pieces without its terminal event ({expected})")]
    Truncated {
        /// Generated deltas received.
        deltas: u64,
        /// The terminal event that was missing.
        expected: &'static str,
    },
    /// Its endpoint fell silent while others did not.
    #[error("the endpoint fell silent, and the request was called back")]
    Recalled,
    /// Status 200 with no body at all.
    #[error("the body is empty")]
    EmptyBody,
    /// A proper answer in which nothing was generated.
    #[error("nothing was generated{}", stop.as_ref().map(|word| format!(" (it stopped with {word})")).unwrap_or_default())]
    NothingGenerated {
        /// The wire's own word for why it stopped.
        stop: Option<String>,
    },
    /// A page instead of an answer.
    #[error("the body is an HTML page{0}")]
    Html(String),
    /// A text instead of an answer.
    #[error("the body is neither JSON nor an event stream: {0}")]
    Text(String),
    /// A whole answer over the bound that keeps this process's memory in hand.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// A whole reply although a stream was asked for.
    #[error("the relay answered a stream request with one whole JSON body")]
    NotAStream,
}

/// A vendor's or relay's error as one line: status, type or code, message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiErrorText {
    /// The status of the reply.
    pub status: u16,
    /// The error as it was worded.
    pub error: ApiError,
}

impl std::fmt::Display for ApiErrorText {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ApiError { kind, code, message, .. } = &self.error;
        if self.status != 200 {
            write!(out, "{} ", self.status)?;
        }
        match (kind, code) {
            (Some(kind), Some(code)) if kind != code && *code != self.status.to_string() => {
                write!(out, "{kind} ({code}): {message}")
            }
            (Some(name), _) | (None, Some(name)) if *name != self.status.to_string() => {
                write!(out, "{name}: {message}")
            }
            _ => write!(out, "{message}"),
        }
    }
}

/// What became of one call.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about what came")]
#[derive(Debug)]
pub struct Exchange {
    /// The one class of the outcome.
    pub class: Class,
    /// What went wrong, if anything did.
    pub trouble: Option<Trouble>,
    /// What was to be done.
    pub method: Method,
    /// The address it went to.
    pub url: Arc<Url>,
    /// The endpoint of the last attempt, where there are several.
    pub endpoint: Option<String>,
    /// The status of the last attempt, if there was a reply.
    pub status: Option<u16>,
    /// The HTTP version of the last reply.
    pub version: Option<&'static str>,
    /// Our request id and the relay's.
    pub ids: Ids,
    /// The model, as the answer names it.
    pub model: Option<String>,
    /// Why the model stopped.
    pub stop: Option<Stop>,
    /// Token counts in one form over all vendors.
    pub usage: Usage,
    /// Prompt and generated tokens, estimated where the server sent no usage.
    pub tokens: Tokens,
    /// The moments of the last attempt.
    pub marks: Marks,
    /// Generated deltas of the last attempt.
    pub deltas: u64,
    /// Whether the answer came as a stream.
    pub streamed: bool,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// Why there was no further attempt.
    pub ended: Decision,
    pub(super) should_retry: Option<bool>,
    /// The wait that the relay asked for.
    pub retry_after: Option<Duration>,
    /// What the last attempt's body weighed.
    pub(super) body: BodySize,
    /// Whether the terminal event was seen.
    pub complete: bool,
    /// Whether patience ended before anything of the request had left.
    pub unsent: bool,
    /// What the reply announced of the relay's limits, where there is a limiter to tell.
    pub(super) advice: Option<net::Advice>,
    /// How alike questions must be to share an answer, where a cache was asked.
    pub cache: Option<Form>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// The number of the token that the last attempt was sent with, where another one may serve better.
    pub(super) token: Option<u64>,
    /// By how many seconds the clock of a relay that refused the last attempt is ahead of ours, where it told its time.
    pub(super) clock_ahead: Option<i64>,
    /// The key that has signed the last attempt, where one has.
    pub(super) signed: Option<net::SignedBy>,
    /// How long the last attempt waited for the client's own limits.
    pub(super) limited: Duration,
    /// How long a token was waited for, before the last attempt and after its refusal.
    pub(super) authorised: Duration,
}

impl Exchange {
    /// Counts what was lost on a token that was out of force, from the start until it was noticed, to its renewal: the request
    /// itself begins when it is sent with one that is in force.
    pub(super) fn charge_to_token(&mut self, noticed: Instant) {
        self.authorised += noticed.saturating_duration_since(self.marks.start);
    }

    /// An exchange of which nothing is known yet but its start.
    pub(super) fn starting(call: &Call, start: Instant) -> Self {
        Self {
            class: Class::Cancelled,
            trouble: None,
            method: call.method,
            url: Arc::clone(&call.url),
            endpoint: None,
            status: None,
            version: None,
            ids: Ids::new(String::new()),
            model: None,
            stop: None,
            usage: Usage::default(),
            tokens: Tokens::default(),
            marks: Marks::starting(start),
            deltas: 0,
            streamed: false,
            attempts: Vec::new(),
            ended: Decision::Stop(Why::Done),
            should_retry: None,
            retry_after: None,
            body: BodySize::default(),
            complete: false,
            unsent: false,
            advice: None,
            cache: None,
            cached: false,
            token: None,
            clock_ahead: None,
            signed: None,
            limited: Duration::ZERO,
            authorised: Duration::ZERO,
        }
    }

    /// How long all attempts waited for the client's own limits.
    pub fn limited(&self) -> Duration {
        self.attempts.iter().map(|attempt| attempt.limited).sum()
    }

    /// How long all attempts waited for a token.
    pub fn authorised(&self) -> Duration {
        self.attempts.iter().map(|attempt| attempt.authorised).sum()
    }

    /// What the bodies of all attempts weighed.
    pub fn body(&self) -> BodySize {
        self.attempts.iter().map(|attempt| attempt.body).sum()
    }

    /// An exchange that its sink stopped before an attempt began.
    pub(super) fn stopped(call: &Call, ids: Ids, attempts: Vec<Attempt>) -> Self {
        Self { ids, attempts, ..Self::starting(call, Instant::now()) }
    }

    /// Ends the exchange with what went wrong.
    pub(super) fn fail(&mut self, class: Class, trouble: impl Into<Trouble>) {
        self.class = class;
        self.trouble = Some(trouble.into());
    }

    /// Takes from a reply's head what outlives it.
    pub(super) fn read_head(&mut self, reply: &net::Reply) {
        self.status = Some(reply.status);
        self.version = Some(reply.version);
        self.ids.relay = Ids::of_relay(&reply.headers);
        self.should_retry = net::should_retry(&reply.headers);
        self.retry_after = net::retry_after(&reply.headers, SystemTime::now);
        self.marks.dns = reply.connection.dns;
        self.marks.connect = reply.connection.connect;
        self.marks.tls = reply.connection.tls;
        self.marks.send = reply.connection.sent;
        self.marks.headers = Some(self.marks.start.elapsed());
        if matches!(reply.status, 401 | 403) {
            self.clock_ahead = net::clock_ahead(reply.headers.text("date"), SystemTime::now());
            // Another token would allow no more.
            if self.token.is_some() && net::lacks_scope(&reply.headers.to_map()) {
                self.token = None;
            }
        }
    }

    /// Whether the reply was a refusal of `stream_options`, which can be left out.
    pub(super) fn usage_was_rejected(&self) -> bool {
        match (&self.trouble, self.status) {
            (Some(Trouble::Status(text)), Some(400 | 422)) => text.error.rejects_stream_options(),
            _ => false,
        }
    }

    /// Whether anything came back of the host, be it a refused connection.
    pub(super) fn host_answered(&self) -> bool {
        let by_error = match &self.trouble {
            Some(Trouble::Net(error)) => error.host_answered(),
            _ => false,
        };
        self.status.is_some() || by_error
    }

    /// Whether the relay may have worked on a request that failed here.
    fn maybe_billed(&self) -> bool {
        match &self.trouble {
            // A list is not made by a model, and so not billed.
            _ if self.method == Method::Get || self.unsent => false,
            Some(Trouble::Net(error)) => error.may_have_been_sent(),
            Some(Trouble::Timeout { .. }) => self.class != Class::TimeoutConnect,
            Some(Trouble::Status(_) | Trouble::Redirect(_) | Trouble::Limit(_) | Trouble::Token(_))
            | None => false,
            Some(_) => true,
        }
    }

    /// What the retry decision needs to know.
    pub(super) fn evidence(&self) -> Evidence {
        Evidence {
            class: self.class,
            status: self.status,
            delivered: self.deltas > 0,
            complete: self.complete,
            ambiguous: self.maybe_billed(),
            should_retry: self.should_retry,
            hint: self.retry_after,
            elsewhere: false,
            recalled: matches!(self.trouble, Some(Trouble::Recalled)),
        }
    }

    /// This attempt as an entry of the list of attempts.
    pub(super) fn summarise(&self, number: u32, ended: Duration) -> Attempt {
        Attempt {
            number,
            endpoint: self.endpoint.clone(),
            class: self.class,
            status: self.status,
            ended,
            waited: Duration::ZERO,
            limited: self.limited,
            authorised: self.authorised,
            maybe_billed: self.maybe_billed(),
            body: if self.unsent { BodySize::default() } else { self.body },
            relay_request_id: self.ids.relay.clone(),
            message: self.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// The class of a status other than 2xx, with what its body says.
pub(super) fn class_of(status: u16, error: &ApiError) -> Class {
    match status {
        300..=399 => Class::Http3xx,
        _ if error.is_quota() || status == 402 => Class::Quota,
        401 | 403 => Class::Auth,
        429 => Class::RateLimited,
        529 => Class::Overloaded,
        500.. if error.is_overloaded() => Class::Overloaded,
        500.. => Class::Http5xx,
        _ => Class::Http4xx,
    }
}

/// An exchange that failed, as an error, with what is known of the credential that went with it.
#[derive(Debug, thiserror::Error)]
#[error("{}", exchange.trouble.as_ref().map(ToString::to_string).unwrap_or_default())]
pub struct Failed {
    /// What became of the call.
    pub exchange: Box<Exchange>,
    /// Where its credential came from, or why none was sent.
    pub credential: String,
}
