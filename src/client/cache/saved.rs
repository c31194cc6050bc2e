//! One answer as it is kept: what a row or a terminal needs of it, in a form that notices damage.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::outcome::Tokens;
use crate::wire::{Delta, Stop, Usage};

/// How a file begins; the number changes with the form.
const MAGIC: &str = "baton-answer 1";

/// A complete, successful answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// When it was kept.
    pub saved_at: SystemTime,
    /// The status of the reply.
    pub status: u16,
    /// The relay's own id of the request.
    pub relay_request_id: Option<String>,
    /// The model, as the answer names it.
    pub model: Option<String>,
    /// Why the model stopped.
    pub stop: Option<Stop>,
    /// Token counts as the relay stated them.
    pub usage: Usage,
    /// Token counts, estimated where the relay stated none.
    pub tokens: Tokens,
    /// What was generated, in order, neighbours of one kind joined.
    pub parts: Vec<Part>,
    /// The whole JSON body, if it came whole.
    pub body: Option<Bytes>,
}

/// A stretch of what was generated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text of the answer.
    Text(String),
    /// Reasoning.
    Reasoning(String),
    /// Arguments of a tool call.
    ToolArguments(String),
}

impl Part {
    /// The part as the event that it was.
    pub(super) fn delta(&self) -> Delta<'_> {
        match self {
            Self::Text(text) => Delta::Text(text.into()),
            Self::Reasoning(text) => Delta::Reasoning(text.into()),
            Self::ToolArguments(text) => Delta::ToolArguments(text.into()),
        }
    }
}

/// What stands in the file before the body.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Milliseconds since 1970.
    saved_at: u64,
    status: u16,
    relay_request_id: Option<String>,
    model: Option<String>,
    stop: Option<String>,
    usage: [Option<u64>; 5],
    tokens: (Option<u64>, Option<u64>, bool),
    parts: Vec<Part>,
    /// Its length, where there is one.
    body: Option<usize>,
}

impl Saved {
    /// The answer's text alone.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.parts.iter().filter_map(text).collect()
    }

    /// The content of the answer's file: a line with a checksum, a line of JSON, the body.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let since = self.saved_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let Usage { input, cache_read, cache_write, output, reasoning } = self.usage;
        let head = Head {
            saved_at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            status: self.status,
            relay_request_id: self.relay_request_id.clone(),
            model: self.model.clone(),
            stop: self.stop.as_ref().map(|stop| stop.word.to_string()),
            usage: [input, cache_read, cache_write, output, reasoning],
            tokens: (self.tokens.input, self.tokens.output, self.tokens.estimated),
            parts: self.parts.clone(),
            body: self.body.as_ref().map(Bytes::len),
        };
        let mut rest = serde_json::to_vec(&head).expect("it has only texts and numbers");
        rest.push(b'\n');
        rest.extend_from_slice(self.body.as_deref().unwrap_or_default());
        let mut bytes = format!("{MAGIC} {:08x}\n", crc32fast::hash(&rest)).into_bytes();
        bytes.append(&mut rest);
        bytes
    }

    /// Reads a file's content; nothing where it is damaged or of another version.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC.as_bytes())?.strip_prefix(b" ")?;
        let (checksum, rest) = rest.split_at_checked(8)?;
        let rest = rest.strip_prefix(b"\n")?;
        let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
        if checksum != crc32fast::hash(rest) {
            return None;
        }
        let end = memchr::memchr(b'\n', rest)?;
        let head: Head = serde_json::from_slice(&rest[..end]).ok()?;
        let body = &rest[end + 1..];
        if body.len() != head.body.unwrap_or(0) {
            return None;
        }
        let [input, cache_read, cache_write, output, reasoning] = head.usage;
        let (tokens_in, tokens_out, estimated) = head.tokens;
        Some(Self {
            saved_at: SystemTime::UNIX_EPOCH + Duration::from_millis(head.saved_at),
            status: head.status,
            relay_request_id: head.relay_request_id,
            model: head.model,
            stop: head.stop.as_deref().map(Stop::of),
            usage: Usage { input, cache_read, cache_write, output, reasoning },
            tokens: Tokens { input: tokens_in, output: tokens_out, estimated },
            parts: head.parts,
            body: head.body.map(|_| Bytes::copy_from_slice(body)),
        })
    }
}
