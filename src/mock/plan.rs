//! What a request, the relay's settings and a fault together make of an answer and its stream.

use std::time::Duration;

use crate::mock::answer::Answer;
use crate::mock::answer::Content;
use crate::mock::answer::Stop;
use crate::mock::answer::UsageReports;
use crate::mock::dialect::Names;
use crate::mock::dialect::Sse;
use crate::mock::dialect::Style;
use crate::mock::faults;
use crate::mock::faults::Kind;
use crate::mock::pace::Pace;
use crate::mock::playback::Plan;
use crate::mock::playback::Writes;
use crate::mock::request::Ask;
use crate::mock::script::Script;
use crate::mock::script::Turn;
use crate::mock::words::Filler;
use crate::mock::words::Vocabulary;
use crate::wire::Dialect;

/// How long a slow first byte takes.
pub(crate) const SLOW: Duration = Duration::from_secs(60);

/// What decides an answer.
pub(crate) struct Wish {
    /// The request.
    pub(crate) ask: Ask,
    /// The fault that strikes it.
    pub(crate) kind: Option<Kind>,
    /// The length that the relay drew.
    pub(crate) tokens: u64,
    /// Whether it will be streamed.
    pub(crate) is_stream: bool,
}

/// What tells one answer from another.
pub(crate) struct Identity {
    /// The unique part of its ids.
    pub(crate) id: String,
    /// When it is made, in Unix seconds.
    pub(crate) created: u64,
    /// What decides its words.
    pub(crate) words: u64,
    /// What makes larger pieces of them.
    pub(crate) filler: Filler,
}

/// Composes the answer.
pub(crate) fn answer(wish: Wish, identity: Identity) -> Answer {
    let Wish { ask, kind, tokens, is_stream } = wish;
    let allowed = match kind {
        Some(Kind::EmptyStream) => 0,
        _ => ask.limit.unwrap_or(u64::MAX),
    };
    let is_curtailed = tokens > allowed && kind != Some(Kind::EmptyStream) && ask.dialect != Dialect::Raw;
    let tokens = tokens.min(allowed);
    let (content, stop) = match kind {
        Some(Kind::Tool) if ask.dialect != Dialect::Complete => (Content::Tool, Stop::Tool),
        Some(Kind::Refusal) => (Content::Refusal, Stop::Refusal),
        Some(Kind::Filter) => (Content::Text, Stop::Filter),
        Some(Kind::Length) => (Content::Text, Stop::Length),
        _ if is_curtailed => (Content::Text, Stop::Length),
        _ => (Content::Text, Stop::End),
    };
    let usage = match (kind, ask.dialect) {
        // Only chat states usage on request; a whole answer always does.
        (_, Dialect::Chat) if is_stream && ask.stream_usage != Some(true) => UsageReports::None,
        (Some(Kind::DuplicateUsage), _) => UsageReports::Twice,
        _ => UsageReports::Once,
    };
    let reasons = kind == Some(Kind::Reasoning) && !matches!(ask.dialect, Dialect::Complete | Dialect::Raw);
    Answer {
        id: identity.id,
        model: serde_json::Value::from(ask.model.as_deref().unwrap_or(faults::MODEL)).to_string(),
        created: identity.created,
        input: ask.input,
        tokens,
        reasoning: if reasons && tokens > 1 { (tokens / 3).max(1) } else { 0 },
        content,
        stop,
        usage,
        words: identity.words,
        filler: identity.filler,
        vocabulary: if kind == Some(Kind::SplitUtf8) { Vocabulary::Wide } else { Vocabulary::All },
        huge: (kind == Some(Kind::HugeEvent)).then_some(tokens / 2),
        echo: ask.echo,
    }
}

/// The order of a stream's events.
fn script(kind: Option<Kind>, pace: Pace, tokens: u64) -> Script {
    let turn = match kind {
        Some(Kind::Cut) => Turn::Cut,
        Some(Kind::Eof) => Turn::Eof,
        Some(Kind::NoDone) => Turn::NoDone,
        Some(Kind::ErrorEvent) => Turn::Error,
        Some(Kind::ErrorFirst) => Turn::ErrorFirst,
        Some(Kind::Stall) => Turn::Stall,
        Some(Kind::PingStall) => Turn::PingStall,
        Some(Kind::Garbage) => Turn::Garbage,
        _ => Turn::None,
    };
    let opens = if kind == Some(Kind::SlowFirstByte) { SLOW } else { Duration::ZERO };
    Script::new(pace, tokens, turn, opens)
}

/// Makes of an answer what is played.
pub(crate) fn stream(kind: Option<Kind>, dialect: Dialect, pace: Pace, answer: Answer) -> Plan {
    let script = script(kind, pace, answer.tokens);
    let style = match kind {
        Some(Kind::NoEventNames) => Style { names: Names::LeftOut, ..Style::default() },
        Some(Kind::Crlf) => Style { newline: "\r\n", ..Style::default() },
        Some(Kind::Comments) => Style { comment: Some("keep-alive"), ..Style::default() },
        _ => Style::default(),
    };
    let writes = if kind == Some(Kind::SplitUtf8) { Writes::InsideCharacters } else { Writes::Events };
    Plan { dialect, answer, script, events: Sse::new(style), writes }
}
