//! Answers in the OpenAI chat completions dialect, with the fields that compatible servers add.

use std::borrow::Cow;

use serde::de::SeqAccess;
use serde::{Deserialize, Deserializer};

use super::json::{BODY, EVENT, parse};
use super::lenient::{self, Count, Lenient, List, Object, Present, Text};
use super::{Delta, Event, Stop, Usage, WireError, decode_error};

/// Reads one event of a stream; a `name` is no part of this dialect, but some relays name their errors.
pub(super) fn event(
    name: Option<&str>,
    data: &[u8],
    emit: &mut impl FnMut(Event<'_>),
) -> Result<(), WireError> {
    let Some(reply) = parse::<Reply<'_>>(EVENT, data)? else { return Ok(()) };
    if reply.failed() || (name == Some("error") && reply.choices.0.is_none()) {
        emit(Event::Error(decode_error(200, data)));
    } else {
        reply.emit(emit);
    }
    Ok(())
}

/// Reads a whole reply; `false` where the JSON is none.
pub(super) fn whole(body: &[u8], emit: &mut impl FnMut(Event<'_>)) -> Result<bool, WireError> {
    let reply = parse::<Reply<'_>>(BODY, body)?.unwrap_or_default();
    if reply.failed() {
        emit(Event::Error(decode_error(200, body)));
        return Ok(true);
    }
    let of_the_dialect = reply.choices.0.is_some();
    if of_the_dialect {
        reply.emit(emit);
        emit(Event::Terminal);
    }
    Ok(of_the_dialect)
}

/// A whole reply or a chunk of a streamed one, which differ in one name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    object: Text<'a>,
    #[serde(borrow)]
    choices: List<Choice<'a>>,
    usage: Object<Counts>,
    error: Present,
}

impl Reply<'_> {
    /// Whether this is an error in place of an answer.
    fn failed(&self) -> bool {
        self.error.0 || self.object.as_str() == "error"
    }

    /// Hands out what the reply says, the stop words last.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        self.model.filled().map(Event::Model).into_iter().for_each(&mut *emit);
        self.id.filled().map(Event::Id).into_iter().for_each(&mut *emit);
        let mut stops = Vec::new();
        for choice in self.choices.items() {
            stops.extend(choice.finish_reason.0.map(|word| Event::Stop(Stop::of(&word))));
            if let Some(message) = choice.delta.0.or(choice.message.0) {
                message.emit(emit);
            }
        }
        self.usage.0.and_then(Counts::usage).map(Event::Usage).into_iter().for_each(&mut *emit);
        stops.into_iter().for_each(emit);
    }
}

/// One of the answers to the prompt, mostly the only one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Object<Message<'a>>,
    #[serde(borrow)]
    message: Object<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
}

/// What the model says, whole or the next piece of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    reasoning_content: Text<'a>,
    #[serde(borrow)]
    reasoning: Text<'a>,
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    tool_calls: List<Call<'a>>,
    #[serde(borrow)]
    function_call: Object<Function<'a>>,
}

impl Message<'_> {
    /// Hands out what the message generated, in the order in which a model does.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        // Two names for one thing: a server that sends both means the same text.
        if let Some(text) = self.reasoning_content.filled().or(self.reasoning.filled()) {
            emit(Event::Delta(Delta::Reasoning(text)));
        }
        for text in self.content.0 {
            emit(Event::Delta(Delta::Text(text)));
        }
        if let Some(text) = self.refusal.filled() {
            emit(Event::Delta(Delta::Text(text)));
        }
        let calls = self.tool_calls.items().into_iter().filter_map(|call| call.function.0);
        for function in calls.chain(self.function_call.0) {
            if let Some(arguments) = function.arguments.filled() {
                emit(Event::Delta(Delta::ToolArguments(arguments)));
            }
        }
    }
}

/// The non-empty texts of a message, which is one text or a list of parts.
#[derive(Default)]
struct Content<'a>(Texts<'a>);

/// No text, one, or several; one is by far the most frequent and costs no list.
#[derive(Default)]
enum Texts<'a> {
    /// Nothing is left.
    #[default]
    None,
    /// A single text.
    One(Cow<'a, str>),
    /// The parts that are left, the next one last.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Iterator for Texts<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        if let Self::Many(texts) = self {
            return texts.pop();
        }
        match std::mem::take(self) {
            Self::One(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Lenient<'de> for Content<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        if text.is_empty() { Self::default() } else { Self(Texts::One(text)) }
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        let parts = List::<Part<'de>>::list(items)?.items();
        Ok(Self(Texts::Many(parts.into_iter().rev().filter_map(|part| part.text.filled()).collect())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::read::<D, Content<'de>>(deserializer)
    }
}

/// A part of a message whose content is a list.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow)]
    text: Text<'a>,
}

/// A tool call, whole or the next piece of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Call<'a> {
    #[serde(borrow)]
    function: Object<Function<'a>>,
}

/// The function that is called.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Function<'a> {
    #[serde(borrow)]
    arguments: Text<'a>,
}

/// Token counts, where the prompt's include what a cache held.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    prompt_tokens_details: Object<PromptDetails>,
    completion_tokens_details: Object<CompletionDetails>,
}

/// The shares of the prompt.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

/// The shares of the answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

impl Counts {
    /// The counts in the common form, where there is any.
    fn usage(self) -> Option<Usage> {
        let prompt = self.prompt_tokens_details.0.unwrap_or_default();
        let usage = Usage {
            output: self.completion_tokens.0,
            reasoning: self.completion_tokens_details.0.and_then(|details| details.reasoning_tokens.0),
            ..Usage::of_prompt(self.prompt_tokens.0, prompt.cached_tokens.0, prompt.cache_write_tokens.0)
        };
        (usage != Usage::default()).then_some(usage)
    }
}

impl Usage {
    /// The prompt's counts from OpenAI's, whose total includes both sides of the cache.
    pub(super) fn of_prompt(total: Option<u64>, cache_read: Option<u64>, cache_write: Option<u64>) -> Self {
        let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
        Self {
            input: total.map(|total| total.saturating_sub(cached)),
            cache_read,
            cache_write,
            ..Self::default()
        }
    }
}
