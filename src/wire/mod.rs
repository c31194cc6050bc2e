//! What goes over the wire: five dialects and the SSE decoder, pure functions without I/O, async or a clock.
//!
//! A [`Prompt`] is encoded into the body of a request; the bytes that come back, as a stream or whole, become
//! [`Event`]s. Unknown events pass by. The entry functions are [`encode`], [`StreamDecoder::feed`],
//! [`decode_whole`], [`decode_error`], [`decode_models`] and [`sniff`].

mod assemble;
mod attachment;
mod chat;
mod complete;
mod decode;
mod dialect;
mod encode;
mod errors;
mod json;
mod lenient;
mod messages;
mod models;
mod printable;
mod responses;
mod scan;
mod sniff;
pub mod sse;
mod stop;
mod user;

use std::borrow::Cow;

pub use assemble::Assembler;
pub use attachment::{Attachment, Media};
pub use decode::{StreamDecoder, decode_whole};
pub use dialect::UnknownDialect;
pub use encode::{encode, encode_body};
pub use errors::decode_error;
pub use models::{Model, ModelPage, decode_models};
pub use sniff::{BodyKind, sniff};
pub use user::user_of;

/// One of the five request forms that a relay may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic Messages, `POST /v1/messages`.
    Messages,
    /// OpenAI chat completions, `POST /v1/chat/completions`.
    Chat,
    /// OpenAI Responses, `POST /v1/responses`.
    Responses,
    /// Legacy Anthropic completion, `POST /v1/complete`.
    Complete,
    /// Bytes in, bytes out, to exactly the address given.
    Raw,
}

/// A prompt before it has a dialect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// The user's text; with [`Dialect::Raw`] the body itself.
    pub text: String,
    /// The turns before this one, each as the dialect has it; unused with [`Dialect::Complete`] and [`Dialect::Raw`].
    pub history: Vec<serde_json::Value>,
    /// Images and documents, which stand before the text; unused with [`Dialect::Complete`] and [`Dialect::Raw`].
    pub attachments: Vec<Attachment>,
    /// The system prompt.
    pub system: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// The largest number of tokens to generate.
    pub max_tokens: Option<u64>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// Further fields of the body, which win over the ones above.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Only with [`Dialect::Complete`]: the body is just `{"prompt": …}`.
    pub bare: bool,
}

/// How a request is to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// Whether a stream of [`Dialect::Chat`] asks for usage (`stream_options`), which some relays reject.
    pub stream_usage: bool,
}

/// One thing that an answer says, borrowed from the bytes it was read from where that is possible.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// The model's name, as the answer states it.
    Model(Cow<'a, str>),
    /// The relay's or vendor's id of the answer.
    Id(Cow<'a, str>),
    /// A non-empty piece of what the model generated.
    Delta(Delta<'a>),
    /// Token counts so far; a later one overwrites the fields that it carries.
    Usage(Usage),
    /// Why the model stopped.
    Stop(Stop),
    /// A failure reported inside the answer.
    Error(ApiError),
    /// A sign of life that carries nothing, a comment of the stream included.
    Ping,
    /// The answer is whole.
    Terminal,
}

/// A non-empty generated piece, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta<'a> {
    /// Text of the answer (a refusal's text too).
    Text(Cow<'a, str>),
    /// Reasoning, thinking or its summary.
    Reasoning(Cow<'a, str>),
    /// Arguments of a tool call, as partial JSON.
    ToolArguments(Cow<'a, str>),
    /// Bytes of a [`Dialect::Raw`] answer.
    Bytes(&'a [u8]),
}

/// Token counts in one form over all vendors. `None` means not stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens that were not read from or written to a cache.
    pub input: Option<u64>,
    /// Prompt tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to a cache.
    pub cache_write: Option<u64>,
    /// Generated tokens, reasoning included.
    pub output: Option<u64>,
    /// The share of `output` that was reasoning.
    pub reasoning: Option<u64>,
}

/// Why an answer ended, folded over the dialects, with the word that the wire used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The folded reason.
    pub kind: StopKind,
    /// The wire's own word, such as `end_turn` or `stop`.
    pub word: Cow<'static, str>,
}

/// The folded reasons for which an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// The model was done, or met a stop sequence.
    End,
    /// The token limit or the context window was reached.
    Length,
    /// The model calls a tool.
    Tool,
    /// The model declined.
    Refusal,
    /// A content filter stepped in.
    Filter,
    /// A reason this version does not know.
    Other,
}

/// A failure as a vendor or relay words it, in a body or in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiError {
    /// The error's type, such as `overloaded_error`.
    pub kind: Option<String>,
    /// The error's code, such as `insufficient_quota`; numbers are kept as text.
    pub code: Option<String>,
    /// The message; never empty (the body's first line where no field holds one).
    pub message: String,
    /// The request id named in the body.
    pub request_id: Option<String>,
}

/// Why bytes could not be read as an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// An event grew over the cap before its end.
    #[error("an event of the stream is larger than {limit} bytes")]
    EventTooLarge {
        /// The cap in bytes.
        limit: usize,
    },
    /// An event's or a body's JSON is broken.
    #[error("{what} is not valid JSON ({problem}): {excerpt}")]
    Json {
        /// What was read: "an event of the stream" or "the body".
        what: &'static str,
        /// The parser's own words.
        problem: String,
        /// The beginning of the bytes, at most 120 characters, control characters escaped.
        excerpt: String,
    },
    /// A body that was given is JSON, but no object, so that no field can be set in it.
    #[error("the body is {found} where a JSON object is needed")]
    NotAnObject {
        /// What it is, in words: "a list".
        found: &'static str,
    },
    /// Valid JSON, but not a reply of the dialect.
    #[error("the body is JSON, but no {dialect} reply: {excerpt}")]
    NotTheDialect {
        /// The dialect's name.
        dialect: &'static str,
        /// The beginning of the body.
        excerpt: String,
    },
}
