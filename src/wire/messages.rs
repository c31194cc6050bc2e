//! Answers in the Anthropic Messages dialect (<https://docs.claude.com/en/api/messages-streaming>).

use serde::Deserialize;
use serde_json::Value;

use super::json::{BODY, EVENT, parse};
use super::lenient::{Count, List, Object, Present, Text};
use super::{Delta, Event, Stop, Usage, WireError, decode_error};

/// Reads one event of a stream; `name` counts where the data has no type of its own.
pub(super) fn event(
    name: Option<&str>,
    data: &[u8],
    emit: &mut impl FnMut(Event<'_>),
) -> Result<(), WireError> {
    let Some(frame) = parse::<Frame<'_>>(EVENT, data)? else { return Ok(()) };
    let kind = frame.kind.0.as_deref().or(name).unwrap_or_default();
    match kind {
        "content_block_delta" => frame.delta.0.unwrap_or_default().emit(emit),
        "content_block_start" => frame.content_block.0.unwrap_or_default().emit(emit),
        "message_start" => {
            let Reply { id, model, usage, .. } = frame.message.0.unwrap_or_default();
            id.filled().map(Event::Id).into_iter().for_each(&mut *emit);
            model.filled().map(Event::Model).into_iter().for_each(&mut *emit);
            usage.0.and_then(Counts::usage).map(Event::Usage).into_iter().for_each(emit);
        }
        "message_delta" => {
            frame.usage.0.and_then(Counts::usage).map(Event::Usage).into_iter().for_each(&mut *emit);
            let reason = frame.delta.0.unwrap_or_default().stop_reason;
            reason.0.map(|word| Event::Stop(Stop::of(&word))).into_iter().for_each(emit);
        }
        "message_stop" => emit(Event::Terminal),
        "ping" => emit(Event::Ping),
        "error" => emit(Event::Error(decode_error(200, data))),
        // A relay that fails half-way may send an error without any type.
        _ if frame.error.0 => emit(Event::Error(decode_error(200, data))),
        _ => {}
    }
    Ok(())
}

/// Reads a whole reply; `false` where the JSON is none.
pub(super) fn whole(body: &[u8], emit: &mut impl FnMut(Event<'_>)) -> Result<bool, WireError> {
    let reply = parse::<Reply<'_>>(BODY, body)?.unwrap_or_default();
    if reply.kind.as_str() == "error" || reply.error.0 {
        emit(Event::Error(decode_error(200, body)));
        return Ok(true);
    }
    let Some(content) = reply.content.0 else { return Ok(false) };
    reply.model.filled().map(Event::Model).into_iter().for_each(&mut *emit);
    reply.id.filled().map(Event::Id).into_iter().for_each(&mut *emit);
    for block in content {
        let input = block.tool_input();
        block.emit(emit);
        if let Some(input) = input {
            emit(Event::Delta(Delta::ToolArguments(input.into())));
        }
    }
    reply.usage.0.and_then(Counts::usage).map(Event::Usage).into_iter().for_each(&mut *emit);
    reply.stop_reason.0.map(|word| Event::Stop(Stop::of(&word))).into_iter().for_each(&mut *emit);
    emit(Event::Terminal);
    Ok(true)
}

/// Any event of a stream: the fields of all types side by side.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    delta: Object<Piece<'a>>,
    #[serde(borrow)]
    content_block: Object<Block<'a>>,
    #[serde(borrow)]
    message: Object<Reply<'a>>,
    usage: Object<Counts>,
    error: Present,
}

/// What an event adds to a block, or says about the whole message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    thinking: Text<'a>,
    #[serde(borrow)]
    partial_json: Text<'a>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
}

impl Piece<'_> {
    /// Hands out what the piece generated; signatures and citations are nothing generated.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        if let Some(text) = self.text.filled() {
            emit(Event::Delta(Delta::Text(text)));
        }
        if let Some(thinking) = self.thinking.filled() {
            emit(Event::Delta(Delta::Reasoning(thinking)));
        }
        if let Some(json) = self.partial_json.filled() {
            emit(Event::Delta(Delta::ToolArguments(json)));
        }
    }
}

/// A block of content, whole or as it opens in a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    thinking: Text<'a>,
    input: Option<Value>,
}

impl Block<'_> {
    /// Hands out the block's text or thinking.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        Piece { text: self.text, thinking: self.thinking, ..Piece::default() }.emit(emit);
    }

    /// The arguments of a tool call as JSON.
    fn tool_input(&self) -> Option<String> {
        self.input.as_ref().map(Value::to_string)
    }
}

/// A whole message, or the empty one that opens a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    content: List<Block<'a>>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    usage: Object<Counts>,
    error: Present,
}

/// Token counts, where the input excludes what a cache held.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens: Count,
    output_tokens_details: Object<OutputDetails>,
}

/// The shares of the output.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

impl Counts {
    /// The counts in the common form, where there is any.
    fn usage(self) -> Option<Usage> {
        let usage = Usage {
            input: self.input_tokens.0,
            cache_read: self.cache_read_input_tokens.0,
            cache_write: self.cache_creation_input_tokens.0,
            output: self.output_tokens.0,
            reasoning: self.output_tokens_details.0.and_then(|details| details.thinking_tokens.0),
        };
        (usage != Usage::default()).then_some(usage)
    }
}
