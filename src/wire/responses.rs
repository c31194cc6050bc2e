//! Answers in the OpenAI Responses dialect.

use serde::Deserialize;

use super::json::{BODY, EVENT, parse};
use super::lenient::{Count, List, Object, Present, Text};
use super::{Delta, Event, Stop, StopKind, Usage, WireError, decode_error};

/// Reads the answer's events, remembering what decides why it stopped.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Whether the model called a function.
    called: bool,
    /// Whether the model refused.
    refused: bool,
}

impl Reader {
    /// Reads one event of a stream; `name` counts where the data has no type of its own.
    pub(super) fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), WireError> {
        let Some(frame) = parse::<Frame<'_>>(EVENT, data)? else { return Ok(()) };
        let reply = frame.response.0;
        let piece = frame.delta.filled();
        let kind = match frame.kind.0.as_deref().or(name).unwrap_or_default() {
            "response.output_text.delta" => Delta::Text,
            "response.refusal.delta" => {
                self.refused = true;
                Delta::Text
            }
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => Delta::Reasoning,
            "response.function_call_arguments.delta" => {
                self.called = true;
                Delta::ToolArguments
            }
            "response.created" => {
                reply.unwrap_or_default().introduce(emit);
                return Ok(());
            }
            "response.completed" => {
                self.close(reply.unwrap_or_default(), "completed", emit);
                return Ok(());
            }
            "response.incomplete" => {
                self.close(reply.unwrap_or_default(), "incomplete", emit);
                return Ok(());
            }
            "response.failed" => {
                reply.and_then(|reply| reply.usage()).map(Event::Usage).into_iter().for_each(&mut *emit);
                emit(Event::Error(decode_error(200, data)));
                emit(Event::Terminal);
                return Ok(());
            }
            "error" => {
                emit(Event::Error(decode_error(200, data)));
                return Ok(());
            }
            // A relay that fails half-way may send an error without any type.
            _ => {
                if frame.error.0 {
                    emit(Event::Error(decode_error(200, data)));
                }
                return Ok(());
            }
        };
        piece.map(kind).map(Event::Delta).into_iter().for_each(emit);
        Ok(())
    }

    /// Hands out the end of an answer that came to one of the two regular ends.
    fn close(&mut self, reply: Reply<'_>, status: &str, emit: &mut impl FnMut(Event<'_>)) {
        reply.usage().map(Event::Usage).into_iter().for_each(&mut *emit);
        let reason = reply.incomplete_details.0.unwrap_or_default().reason;
        for item in reply.output.items() {
            self.note(&item);
        }
        emit(Event::Stop(self.stop(status, reason.0.as_deref())));
        emit(Event::Terminal);
    }

    /// Remembers what an item of the output says about the stop.
    fn note(&mut self, item: &Item<'_>) {
        self.called |= matches!(item.kind.as_str(), "function_call" | "custom_tool_call");
        let parts = item.content.0.as_deref().unwrap_or_default();
        self.refused |= parts.iter().any(|part| part.kind.as_str() == "refusal");
    }

    /// Why the answer stopped: the status alone does not tell an answer from a call or a refusal.
    fn stop(&self, status: &str, reason: Option<&str>) -> Stop {
        if let (false, Some(reason)) = (status == "completed", reason) {
            return Stop::of(reason);
        }
        let mut stop = Stop::of(status);
        if stop.kind == StopKind::End && self.refused {
            stop.kind = StopKind::Refusal;
        } else if stop.kind == StopKind::End && self.called {
            stop.kind = StopKind::Tool;
        }
        stop
    }
}

/// Reads a whole reply; `false` where the JSON is none.
pub(super) fn whole(body: &[u8], emit: &mut impl FnMut(Event<'_>)) -> Result<bool, WireError> {
    let reply = parse::<Reply<'_>>(BODY, body)?.unwrap_or_default();
    let (status, usage) = (reply.status.as_str().to_owned(), reply.usage());
    let failed = reply.error.0 || reply.kind.as_str() == "error";
    if failed && reply.output.0.is_none() {
        emit(Event::Error(decode_error(200, body)));
        return Ok(true);
    }
    let Some(output) = reply.output.0 else { return Ok(false) };
    Reply { id: reply.id, model: reply.model, ..Reply::default() }.introduce(emit);
    let mut reader = Reader::default();
    for item in output {
        reader.note(&item);
        item.emit(emit);
    }
    usage.map(Event::Usage).into_iter().for_each(&mut *emit);
    match status.as_str() {
        // An answer that is still being made in the background has no end yet.
        "queued" | "in_progress" => return Ok(true),
        _ if failed || status == "failed" => emit(Event::Error(decode_error(200, body))),
        _ => {
            let status = if status.is_empty() { "completed" } else { &status };
            let reason = reply.incomplete_details.0.unwrap_or_default().reason;
            emit(Event::Stop(reader.stop(status, reason.0.as_deref())));
        }
    }
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
    delta: Text<'a>,
    #[serde(borrow)]
    response: Object<Reply<'a>>,
    error: Present,
}

/// A whole answer, or its state at one moment of a stream.
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
    status: Text<'a>,
    #[serde(borrow)]
    output: List<Item<'a>>,
    #[serde(borrow)]
    incomplete_details: Object<Incomplete<'a>>,
    usage: Object<Counts>,
    error: Present,
}

impl Reply<'_> {
    /// Hands out the names of the model and of the answer.
    fn introduce(self, emit: &mut impl FnMut(Event<'_>)) {
        self.model.filled().map(Event::Model).into_iter().for_each(&mut *emit);
        self.id.filled().map(Event::Id).into_iter().for_each(emit);
    }

    /// The token counts in the common form, where there is any.
    fn usage(&self) -> Option<Usage> {
        let counts = self.usage.0.as_ref()?;
        let input = counts.input_tokens_details.0.as_ref();
        let output = counts.output_tokens_details.0.as_ref();
        let (cached, written) =
            input.map_or((None, None), |part| (part.cached_tokens.0, part.cache_write_tokens.0));
        let usage = Usage {
            output: counts.output_tokens.0,
            reasoning: output.and_then(|part| part.reasoning_tokens.0),
            ..Usage::of_prompt(counts.input_tokens.0, cached, written)
        };
        (usage != Usage::default()).then_some(usage)
    }
}

/// Why an answer is not complete.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Incomplete<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
}

/// An item of the output: a message, a piece of reasoning or a call.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    summary: List<Part<'a>>,
    #[serde(borrow)]
    content: List<Part<'a>>,
    #[serde(borrow)]
    arguments: Text<'a>,
}

impl Item<'_> {
    /// Hands out what the model generated in this item.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        let kind = if self.kind.as_str() == "reasoning" { Delta::Reasoning } else { Delta::Text };
        for part in self.summary.items().into_iter().chain(self.content.items()) {
            let text = part.text.filled().or(part.refusal.filled());
            text.map(kind).map(Event::Delta).into_iter().for_each(&mut *emit);
        }
        self.arguments.filled().map(Delta::ToolArguments).map(Event::Delta).into_iter().for_each(emit);
    }
}

/// A part of an item's content.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
}

/// Token counts, where the input's include what a cache held.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Count,
    input_tokens_details: Object<InputDetails>,
    output_tokens: Count,
    output_tokens_details: Object<OutputDetails>,
}

/// The shares of the input.
#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

/// The shares of the output.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
}
