//! Failures in each vendor's own words: status, body and headers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::mock::faults::Kind;
use crate::mock::guards::{AcceptEncoding, SignatureFault};
use crate::mock::rate::whole_seconds;
use crate::wire::Dialect;

/// One failure, in the vocabulary of both vendors.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Anthropic's `error.type`.
    anthropic: &'static str,
    /// OpenAI's `error.type`.
    openai: &'static str,
    /// OpenAI's `error.code`.
    code: Option<&'static str>,
    /// OpenAI's `error.param`.
    param: Option<&'static str>,
    /// Anthropic's `error.details.error_code`.
    details: Option<&'static str>,
    /// After how many seconds it is worth trying again.
    retry_after: Option<u32>,
    /// The content codings that would have been accepted.
    accept_encoding: Option<AcceptEncoding>,
    /// The text for people.
    message: String,
}

impl Failure {
    /// A failure with Anthropic's and OpenAI's types.
    fn new(status: u16, anthropic: &'static str, openai: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            anthropic,
            openai,
            code: None,
            param: None,
            details: None,
            retry_after: None,
            accept_encoding: None,
            message: message.into(),
        }
    }

    /// The same with OpenAI's code.
    fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The request cannot be understood.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", "invalid_request_error", message)
    }

    /// A required field is missing or of the wrong kind.
    pub(crate) fn field(dialect: Dialect, param: &'static str) -> Self {
        let (message, code) = match dialect {
            Dialect::Chat | Dialect::Responses => {
                (format!("Missing required parameter: '{param}'."), Some("missing_required_parameter"))
            }
            _ => (format!("{param}: Field required"), None),
        };
        Self { code, param: Some(param), ..Self::invalid(message) }
    }

    /// A model that is named after a fault that does not exist.
    pub(crate) fn unknown_model(message: String) -> Self {
        Self::new(404, "not_found_error", "invalid_request_error", message).coded("model_not_found")
    }

    /// A path or a method that does not exist.
    pub(crate) fn unknown(status: u16, message: String) -> Self {
        Self::new(status, "not_found_error", "invalid_request_error", message)
    }

    /// A content coding that the relay does not undo (RFC 9110, 415).
    pub(crate) fn coding(coding: &str, accepted: AcceptEncoding) -> Self {
        let (kind, message) = ("invalid_request_error", format!("Unsupported content encoding: {coding}"));
        Self { accept_encoding: Some(accepted), ..Self::new(415, kind, kind, message) }
    }

    /// The refusal that a fault stands for, if it is one.
    pub(crate) fn of(kind: Kind, model: &str) -> Option<Self> {
        let invalid = "invalid_request_error";
        Some(match kind {
            Kind::BadRequest => Self::invalid("mock: the request is invalid"),
            Kind::Unauthorized => {
                Self::new(401, "authentication_error", invalid, "invalid x-api-key").coded("invalid_api_key")
            }
            Kind::PaymentRequired => {
                Self::new(402, "billing_error", "insufficient_quota", "Your credit balance is too low.")
                    .coded("credit_balance_exhausted")
            }
            Kind::Forbidden => {
                Self::new(403, "permission_error", invalid, "Your key may not use this resource.")
                    .coded("permission_denied")
            }
            Kind::NotFound => {
                let message = format!("The model `{model}` does not exist or you do not have access to it.");
                Self::unknown_model(message)
            }
            Kind::TooLarge => Self::new(
                413,
                "request_too_large",
                invalid,
                "Request exceeds the maximum allowed number of bytes.",
            )
            .coded("request_too_large"),
            Kind::RateLimited => Self::rate_limited(Duration::from_secs(1), "50 requests per minute"),
            Kind::Quota => Self {
                details: Some("enforced_spend_limit_reached"),
                ..Self::new(
                    429,
                    "rate_limit_error",
                    "insufficient_quota",
                    "You exceeded your current quota, please check your plan and billing details.",
                )
                .coded("insufficient_quota")
            },
            Kind::ServerError => Self::new(500, "api_error", "server_error", "Internal server error"),
            Kind::Unavailable => Self::new(503, "api_error", "server_error", "Service unavailable")
                .coded("service_unavailable"),
            Kind::Overloaded => Self::overloaded(),
            Kind::RejectStreamOptions => Self {
                param: Some("stream_options"),
                ..Self::invalid("Unrecognized request argument supplied: stream_options")
                    .coded("unknown_parameter")
            },
            _ => return None,
        })
    }

    /// The refusal of a zone that is told to refuse with this status.
    pub(crate) fn told(status: u16, retry_after: Option<u32>) -> Self {
        let known = [
            Kind::BadRequest,
            Kind::Unauthorized,
            Kind::PaymentRequired,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::TooLarge,
            Kind::RateLimited,
            Kind::ServerError,
            Kind::Unavailable,
            Kind::Overloaded,
        ];
        let mut known = known.into_iter().filter_map(|kind| Self::of(kind, "mock"));
        let other = || {
            let (anthropic, openai) = match status {
                ..500 => ("invalid_request_error", "invalid_request_error"),
                _ => ("api_error", "server_error"),
            };
            Self::new(status, anthropic, openai, format!("mock: this zone answers {status}"))
        };
        let failure = known.find(|failure| failure.status == status).unwrap_or_else(other);
        Self { retry_after: retry_after.or(failure.retry_after), ..failure }
    }

    /// More requests came than the limit allows.
    pub(crate) fn rate_limited(wait: Duration, limit: &str) -> Self {
        let limited = Self::new(429, "rate_limit_error", "requests", format!("Rate limit reached: {limit}."));
        Self { retry_after: Some(whole_seconds(wait)), ..limited.coded("rate_limit_exceeded") }
    }

    /// There is no token, or none that is good (RFC 6750, section 3.1).
    pub(crate) fn token() -> Self {
        let message = "The access token is missing, has ended or is not good.";
        Self::new(401, "authentication_error", "invalid_request_error", message).coded("invalid_token")
    }

    /// The signature is missing or not good.
    pub(crate) fn signature(fault: &SignatureFault) -> Self {
        Self::new(401, "authentication_error", "invalid_request_error", fault.to_string())
            .coded("invalid_signature")
    }

    /// The token does not allow it (the same section).
    pub(crate) fn scope() -> Self {
        let message = "The access token does not allow prompts.";
        Self::new(403, "permission_error", "invalid_request_error", message).coded("insufficient_scope")
    }

    /// The client's address is not let in.
    pub(crate) fn address() -> Self {
        let message = "Requests from this address are not allowed.";
        Self::new(403, "permission_error", "invalid_request_error", message).coded("ip_not_allowed")
    }

    /// The same content came a moment ago.
    pub(crate) fn duplicate(wait: Duration) -> Self {
        let message = "The same content was requested a moment ago.";
        let duplicate = Self::new(429, "rate_limit_error", "requests", message).coded("duplicate_request");
        Self { retry_after: Some(whole_seconds(wait)), ..duplicate }
    }

    /// The failure that streams report midway.
    pub(crate) fn overloaded() -> Self {
        Self::new(529, "overloaded_error", "overloaded_error", "Overloaded").coded("overloaded")
    }

    /// The body in the dialect's own shape.
    pub(crate) fn body(&self, dialect: Dialect, request_id: &str) -> Bytes {
        let body = match dialect {
            Dialect::Messages | Dialect::Complete => {
                let mut error = json!({ "type": self.anthropic, "message": self.message });
                if let Some(code) = self.details {
                    error["details"] = json!({ "error_code": code });
                }
                json!({ "type": "error", "error": error, "request_id": request_id })
            }
            Dialect::Chat | Dialect::Responses => json!({ "error": {
                "message": self.openai_message(),
                "type": self.openai, "param": self.param, "code": self.code,
            }}),
            Dialect::Raw => return format!("{}: {}\n", self.anthropic, self.message).into(),
        };
        body.to_string().into()
    }

    /// The message in OpenAI's own words, by which some gateways sort its errors.
    fn openai_message(&self) -> &str {
        if self.code == Some("invalid_api_key") { "Incorrect API key provided: ***." } else { &self.message }
    }

    /// The headers that go with it beyond the usual ones.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let coding = self.accept_encoding.map(|accepted| ("accept-encoding", accepted.to_string()));
        let wait = self.retry_after.map(|wait| ("retry-after", wait.to_string()));
        let token = self.code.filter(|code| matches!(*code, "invalid_token" | "insufficient_scope"));
        let challenge = token.map(|code| ("www-authenticate", format!("Bearer error=\"{code}\"")));
        coding.into_iter().chain(wait).chain(challenge).collect()
    }

    /// The members of Anthropic's `error`, as JSON text.
    pub(crate) fn anthropic_error(&self) -> String {
        json!({ "details": null, "type": self.anthropic, "message": self.message }).to_string()
    }

    /// The code and the message of OpenAI's error, as JSON texts.
    pub(crate) fn openai_code_and_message(&self) -> (String, String) {
        (json!(self.code).to_string(), json!(self.message).to_string())
    }
}
