//! What came back for one question: status, headers, and the body with the time of each read.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::client::Mask;
use crate::net::{HeaderMap, clock_ahead};
use crate::wire::{ApiError, BodyKind, Delta, Dialect, Event, StopKind, StreamDecoder, Usage};
use crate::wire::{decode_error, decode_whole, sniff};

/// The longest text that is quoted as evidence.
const QUOTED: usize = 160;
/// Where such a text is taken from: no character is longer than 4 bytes.
const HEAD: usize = 4 * QUOTED;
/// Larger than the largest event that a check provokes, so that only a relay can refuse it.
const LARGEST_EVENT: usize = 64 * 1024 * 1024;

/// One reply.
#[derive(Debug)]
pub(super) struct Seen {
    /// In which dialect it was asked for.
    pub(super) dialect: Dialect,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Whether it came over a connection that had served another.
    pub(super) reused: bool,
    /// When the question left.
    pub(super) asked: Instant,
    /// The body, read by read.
    pub(super) chunks: Vec<(Instant, Bytes)>,
    pub(super) end: End,
    /// What was sent with the question and must not be shown.
    pub(super) secrets: Mask,
}

/// How a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// As HTTP has it.
    Whole,
    /// The connection broke; the library's words.
    Broken(String),
    /// The check had seen enough and closed it.
    Left,
}

/// What a reply says.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) text: String,
    /// When each generated piece came.
    pub(super) deltas: Vec<Instant>,
    pub(super) usage: Usage,
    pub(super) stop: Option<StopKind>,
    pub(super) model: Option<String>,
    pub(super) error: Option<ApiError>,
    /// Whether the terminal event came.
    pub(super) terminal: bool,
    /// Signs of life that carry nothing.
    pub(super) pings: usize,
    /// Why the rest could not be read.
    pub(super) broken: Option<String>,
}

impl Seen {
    /// Whether the status speaks of success.
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether the status speaks of who asks.
    pub(super) const fn is_unauthorised(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// By how many seconds the relay's clock is ahead of ours, where it tells its time.
    pub(super) fn clock_ahead(&self) -> Option<i64> {
        clock_ahead(self.header("date"), SystemTime::now())
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body.
    pub(super) fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    /// The body as text, as it is searched for words.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// From the question to the end of what was read.
    pub(super) fn took(&self) -> Duration {
        self.chunks.last().map_or_else(|| self.asked.elapsed(), |(at, _)| *at - self.asked)
    }

    /// The status and the beginning of the body, for evidence.
    pub(super) fn quote(&self) -> String {
        let end = match &self.end {
            End::Broken(why) => format!(", then the connection broke ({why})"),
            _ => String::new(),
        };
        match self.excerpt() {
            body if body.is_empty() => format!("{} with an empty body{end}", self.status),
            body => format!("{} {body}{end}", self.status),
        }
    }

    /// The beginning of the body without secrets.
    fn excerpt(&self) -> String {
        let body = self.body();
        let mut head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]).into_owned();
        self.secrets.apply(&mut head);
        // What was left out leaves its mark.
        excerpt(head.as_bytes()) + if body.len() > HEAD && head.len() <= QUOTED { "…" } else { "" }
    }

    /// What it says, as a stream or as a whole answer.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        let body = self.body();
        if let BodyKind::Sse = sniff(self.header("content-type"), &body) {
            let mut decoder = StreamDecoder::with_limit(self.dialect, LARGEST_EVENT);
            let mut read = Ok(());
            for (at, chunk) in &self.chunks {
                read = decoder.feed(chunk, &mut |event| told.take(*at, event));
                if read.is_err() {
                    break;
                }
            }
            if read.is_ok() {
                let at = self.chunks.last().map_or(self.asked, |(at, _)| *at);
                read = decoder.finish(&mut |event| told.take(at, event));
            }
            told.broken = read.err().map(|error| error.to_string());
            return told;
        }
        if !self.is_success() {
            told.error = Some(decode_error(self.status, &body));
            return told;
        }
        let at = self.chunks.last().map_or(self.asked, |(at, _)| *at);
        let read = decode_whole(self.dialect, &body, &mut |event| told.take(at, event));
        told.broken = read.err().map(|error| error.to_string());
        told
    }

    /// What an error lacks of the dialect's own shape; nothing where it is right.
    pub(super) fn misshapen(&self) -> Option<String> {
        let body = self.body();
        let Ok(read) = serde_json::from_slice::<Value>(&body) else {
            let kind = self.header("content-type").unwrap_or("no content type");
            return Some(format!("the error is no JSON ({kind}): {}", self.excerpt()));
        };
        let error = &read["error"];
        if !error["message"].is_string() {
            return Some(format!("the error has no error.message: {}", self.excerpt()));
        }
        if self.dialect == Dialect::Messages && (read["type"] != "error" || !error["type"].is_string()) {
            return Some(format!("the error has not Anthropic's shape: {}", self.excerpt()));
        }
        None
    }
}

impl Told {
    fn take(&mut self, at: Instant, event: Event<'_>) {
        match event {
            Event::Model(model) => self.model = Some(model.into_owned()),
            Event::Delta(delta) => {
                self.deltas.push(at);
                match delta {
                    Delta::Text(text) | Delta::Reasoning(text) | Delta::ToolArguments(text) => {
                        self.text.push_str(&text);
                    }
                    Delta::Bytes(bytes) => self.text.push_str(&String::from_utf8_lossy(bytes)),
                }
            }
            Event::Usage(usage) => {
                let Usage { input, cache_read, cache_write, output, reasoning } = usage;
                self.usage = Usage {
                    input: input.or(self.usage.input),
                    cache_read: cache_read.or(self.usage.cache_read),
                    cache_write: cache_write.or(self.usage.cache_write),
                    output: output.or(self.usage.output),
                    reasoning: reasoning.or(self.usage.reasoning),
                };
            }
            Event::Stop(stop) => self.stop = Some(stop.kind),
            Event::Error(error) => self.error = Some(error),
            Event::Ping => self.pings += 1,
            Event::Terminal => self.terminal = true,
            Event::Id(_) => {}
        }
    }
}

/// The beginning of some bytes on one line, without what could move a terminal's cursor.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    let mut line: String =
        head.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTED).collect();
    if head.trim().chars().count() > QUOTED || bytes.len() > HEAD {
        line.push('…');
    }
    line
}
