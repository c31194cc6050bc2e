//! The bodies of requests: a prompt in each dialect, or a user's own body with only `stream` set.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::json::{BODY, broken};
use super::{Dialect, Prompt, Shape, WireError};

/// The largest answer asked for where the vendor demands a figure and the prompt states none.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// What opens the user's turn of a legacy prompt.
const HUMAN: &str = "\n\nHuman:";

/// The JSON body of a request; with [`Dialect::Raw`] the prompt's text verbatim, its other fields unused.
///
/// The prompt's `params` win over every other field, `stream` included.
pub fn encode(dialect: Dialect, prompt: &Prompt, shape: Shape) -> Vec<u8> {
    let mut body = Body::new(prompt);
    match dialect {
        Dialect::Messages => messages(prompt, &mut body),
        Dialect::Chat => chat(prompt, &mut body),
        Dialect::Responses => responses(prompt, &mut body),
        Dialect::Complete if prompt.bare => body.text("prompt", Some(&prompt.text)),
        Dialect::Complete => complete(prompt, &mut body),
        Dialect::Raw => return prompt.text.clone().into_bytes(),
    }
    if shape.stream {
        body.value("stream", Some(true));
    }
    if dialect == Dialect::Chat && shape.stream && shape.stream_usage {
        body.field("stream_options", |out| out.extend_from_slice(br#"{"include_usage":true}"#));
    }
    body.finish()
}

/// A user's whole body with `stream` set to `true`, or taken out where the answer shall come whole; the other fields
/// keep their order, and with [`Dialect::Raw`] the bytes stay as they are.
///
/// # Errors
///
/// [`WireError::Json`] with line and column where the body is broken, [`WireError::NotAnObject`] where it is another
/// kind of JSON.
pub fn encode_body(dialect: Dialect, body: &[u8], shape: Shape) -> Result<Vec<u8>, WireError> {
    if dialect == Dialect::Raw {
        return Ok(body.to_vec());
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut value: Value = serde_json::from_slice(body).map_err(|error| broken(BODY, &error, body))?;
    let Value::Object(fields) = &mut value else {
        return Err(WireError::NotAnObject { found: kind(&value) });
    };
    if shape.stream {
        fields.insert("stream".to_owned(), Value::Bool(true));
    } else {
        fields.shift_remove("stream");
    }
    Ok(value.to_string().into_bytes())
}

/// A JSON object that is written field by field; those of the prompt's `params` take the place of others of their name.
struct Body<'p> {
    out: Vec<u8>,
    params: &'p Map<String, Value>,
    /// The fields that are written, as far as that has to be known.
    stated: Vec<&'static str>,
}

impl<'p> Body<'p> {
    fn new(prompt: &'p Prompt) -> Self {
        /// What the other fields of most bodies take.
        const REST: usize = 192;
        let said = prompt.text.len() + prompt.system.as_ref().map_or(0, String::len);
        Self { out: Vec::with_capacity(said + REST), params: &prompt.params, stated: Vec::new() }
    }

    /// A field whose value is a text, where there is one.
    fn text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.field(name, |out| push(text, out));
        }
    }

    /// A field of any value, where there is one.
    fn value(&mut self, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.field(name, |out| push(&value, out));
        }
    }

    fn field(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.begin(name);
        match self.params.get(name) {
            None => write(&mut self.out),
            Some(own) => push(own, &mut self.out),
        }
        if !self.params.is_empty() {
            self.stated.push(name);
        }
    }

    fn begin(&mut self, name: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        push(name, &mut self.out);
        self.out.push(b':');
    }

    /// The object with what `params` adds.
    fn finish(mut self) -> Vec<u8> {
        for (name, value) in self.params {
            if !self.stated.contains(&name.as_str()) {
                self.begin(name);
                push(value, &mut self.out);
            }
        }
        self.out.push(b'}');
        self.out
    }
}

fn push(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("memory takes every value, and all keys are texts");
}

/// The fields of an Anthropic Messages request, where `max_tokens` is mandatory.
fn messages(prompt: &Prompt, body: &mut Body<'_>) {
    body.text("model", prompt.model.as_deref());
    body.value("max_tokens", Some(prompt.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)));
    body.text("system", prompt.system.as_deref());
    body.field("messages", |out| turns(Dialect::Messages, (prompt, None), out));
    body.value("temperature", prompt.temperature);
}

/// The fields of a chat completion, where the system prompt is the first message.
fn chat(prompt: &Prompt, body: &mut Body<'_>) {
    body.text("model", prompt.model.as_deref());
    body.field("messages", |out| turns(Dialect::Chat, (prompt, prompt.system.as_deref()), out));
    body.value("max_completion_tokens", prompt.max_tokens);
    body.value("temperature", prompt.temperature);
}

/// The fields of an OpenAI Responses request.
fn responses(prompt: &Prompt, body: &mut Body<'_>) {
    body.text("model", prompt.model.as_deref());
    body.text("instructions", prompt.system.as_deref());
    if prompt.attachments.is_empty() && prompt.history.is_empty() {
        body.text("input", Some(&prompt.text));
    } else {
        body.field("input", |out| turns(Dialect::Responses, (prompt, None), out));
    }
    body.value("max_output_tokens", prompt.max_tokens);
    body.value("temperature", prompt.temperature);
}

/// The fields of a legacy Anthropic completion, where system text stands before the first turn.
fn complete(prompt: &Prompt, body: &mut Body<'_>) {
    let system = prompt.system.as_deref().unwrap_or_default();
    let text = &prompt.text;
    let turns = if text.starts_with(HUMAN) {
        format!("{system}{text}")
    } else {
        format!("{system}{HUMAN} {text}\n\nAssistant:")
    };
    body.text("model", prompt.model.as_deref());
    body.text("prompt", Some(&turns));
    body.value("max_tokens_to_sample", Some(prompt.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)));
    body.value("temperature", prompt.temperature);
}

/// The turns of the conversation, the system prompt's first where it is one; a prompt that says nothing of its own adds
/// none to those before it.
fn turns(dialect: Dialect, (prompt, system): (&Prompt, Option<&str>), out: &mut Vec<u8>) {
    let says_something =
        prompt.history.is_empty() || !prompt.text.is_empty() || !prompt.attachments.is_empty();
    let before = out.len();
    let mut turn = |write: &dyn Fn(&mut Vec<u8>)| {
        out.push(if out.len() == before { b'[' } else { b',' });
        write(out);
    };
    if let Some(system) = system {
        turn(&|out| said("system", out, &|out| push(system, out)));
    }
    for past in &prompt.history {
        turn(&|out| push(past, out));
    }
    if says_something {
        turn(&|out| said("user", out, &|out| content(dialect, prompt, out)));
    }
    out.push(b']');
}

/// What somebody says, as a turn.
fn said(role: &str, out: &mut Vec<u8>, content: &dyn Fn(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"role\":");
    push(role, out);
    out.extend_from_slice(b",\"content\":");
    content(out);
    out.push(b'}');
}

/// What the user says: a text, or blocks where there is more. A question stands after what it is about, which
/// Anthropic's pages on images and PDF recommend and no vendor minds.
fn content(dialect: Dialect, prompt: &Prompt, out: &mut Vec<u8>) {
    if prompt.attachments.is_empty() {
        return push(&prompt.text, out);
    }
    let kind = if dialect == Dialect::Responses { "input_text" } else { "text" };
    let text = Some(&prompt.text).filter(|text| !text.is_empty());
    let text = text.map(|text| json!({ "type": kind, "text": text }));
    let blocks = prompt.attachments.iter().filter_map(|attachment| attachment.block(dialect)).chain(text);
    push(&blocks.collect::<Value>(), out);
}

/// What a JSON value is, in words.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
