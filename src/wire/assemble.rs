//! Puts a streamed answer together again: the body that the same request would have brought whole.

use serde_json::{Map, Value, json};

use super::Dialect;
use super::sse;
use super::sse::Frame;

/// Takes in the bytes of a stream and gives out one body in the vendor's form.
#[derive(Debug)]
pub struct Assembler {
    dialect: Dialect,
    frames: sse::Decoder,
    body: Map<String, Value>,
}

impl Assembler {
    /// An assembler for one answer.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, frames: sse::Decoder::new(sse::DEFAULT_LIMIT), body: Map::new() }
    }

    /// Reads a chunk. What is no event of the dialect passes by: whether the answer is sound, its decoder says.
    pub fn feed(&mut self, chunk: &[u8]) {
        let Self { dialect, frames, body } = self;
        let _ = frames.feed(chunk, &mut |frame: Frame<'_>| take(*dialect, body, &frame));
    }

    /// The body, where there was any.
    pub fn finish(self) -> Option<Value> {
        let Self { dialect, mut frames, mut body } = self;
        frames.finish(&mut |frame| take(dialect, &mut body, &frame));
        (!body.is_empty()).then_some(Value::Object(body))
    }
}

fn take(dialect: Dialect, body: &mut Map<String, Value>, frame: &Frame<'_>) {
    let (Frame::Event { data, .. } | Frame::Unterminated { data, .. }) = frame else { return };
    let Ok(Value::Object(event)) = serde_json::from_slice(data) else { return };
    match dialect {
        Dialect::Messages => messages(body, event),
        Dialect::Chat => chat(body, event),
        Dialect::Responses => {
            if let Some(Value::Object(response)) = event.get("response") {
                body.clone_from(response);
            }
        }
        Dialect::Complete => complete(body, event),
        Dialect::Raw => {}
    }
}

fn messages(body: &mut Map<String, Value>, mut event: Map<String, Value>) {
    let at = event.get("index").and_then(Value::as_u64);
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    match kind.as_str() {
        "message_start" => {
            if let Some(Value::Object(message)) = event.remove("message") {
                *body = message;
            }
        }
        "content_block_start" => {
            if let (Some(at), Some(block)) = (at, event.remove("content_block")) {
                *slot(body.entry("content").or_insert_with(|| json!([])), at) = block;
            }
        }
        "content_block_delta" => {
            if let (Some(at), Some(Value::Object(delta))) = (at, event.remove("delta")) {
                block_delta(slot(body.entry("content").or_insert_with(|| json!([])), at), delta);
            }
        }
        "content_block_stop" => {
            let blocks = body.get_mut("content").and_then(Value::as_array_mut);
            let at = at.and_then(|at| usize::try_from(at).ok());
            if let (Some(blocks), Some(at)) = (blocks, at)
                && let Some(Value::Object(block)) = blocks.get_mut(at)
                && let Some(Value::String(partial)) = block.remove(PARTIAL)
            {
                // A call whose arguments are cut off keeps what there is of them.
                let input = serde_json::from_str(&partial).unwrap_or(Value::String(partial));
                block.insert("input".to_owned(), input);
            }
        }
        "message_delta" => {
            if let Some(Value::Object(delta)) = event.remove("delta") {
                body.extend(delta);
            }
            if let Some(Value::Object(later)) = event.remove("usage") {
                let usage = body.entry("usage").or_insert_with(|| json!({}));
                usage.as_object_mut().into_iter().for_each(|usage| usage.extend(later.clone()));
            }
        }
        _ => {}
    }
}

/// Where the arguments of a tool call are gathered until they are whole.
const PARTIAL: &str = "\0partial_json";

fn block_delta(block: &mut Value, delta: Map<String, Value>) {
    let Some(block) = block.as_object_mut() else { return };
    for (key, value) in delta {
        match (key.as_str(), value) {
            ("type", _) => {}
            ("partial_json", Value::String(piece)) => append(block, PARTIAL, &piece),
            ("citation", citation) => {
                if let Value::Array(all) = block.entry("citations").or_insert_with(|| json!([])) {
                    all.push(citation);
                }
            }
            ("signature", value) => {
                block.insert(key, value);
            }
            (_, Value::String(piece)) => append(block, &key, &piece),
            (_, value) => {
                block.insert(key, value);
            }
        }
    }
}

fn chat(body: &mut Map<String, Value>, event: Map<String, Value>) {
    for (key, value) in event {
        match key.as_str() {
            "object" => {
                body.insert(key, json!("chat.completion"));
            }
            "choices" => {
                let choices = body.entry(key).or_insert_with(|| json!([]));
                for choice in value.as_array().into_iter().flatten() {
                    self::choice(choices, choice);
                }
            }
            // The last chunk alone states it; the others say null.
            "usage" if value.is_null() => {}
            _ => {
                body.insert(key, value);
            }
        }
    }
}

fn choice(choices: &mut Value, choice: &Value) {
    let at = choice["index"].as_u64().unwrap_or(0);
    let known = slot(choices, at);
    if known.is_null() {
        *known = json!({ "index": at, "message": {}, "finish_reason": null });
    }
    if !choice["finish_reason"].is_null() {
        known["finish_reason"] = choice["finish_reason"].clone();
    }
    let (Some(message), Some(delta)) = (known["message"].as_object_mut(), choice["delta"].as_object()) else {
        return;
    };
    for (key, value) in delta {
        match value {
            Value::Array(calls) if key == "tool_calls" => {
                let known = message.entry(key.clone()).or_insert_with(|| json!([]));
                for call in calls {
                    tool_call(slot(known, call["index"].as_u64().unwrap_or(0)), call);
                }
            }
            Value::String(piece) if key != "role" => append(message, key, piece),
            Value::Null if message.contains_key(key) => {}
            value => {
                message.insert(key.clone(), value.clone());
            }
        }
    }
}

fn tool_call(known: &mut Value, call: &Value) {
    if known.is_null() {
        *known = json!({ "id": null, "type": "function", "function": {} });
    }
    for key in ["id", "type"] {
        if call[key].is_string() {
            known[key] = call[key].clone();
        }
    }
    if let Some(function) = known["function"].as_object_mut() {
        for key in ["name", "arguments"] {
            append(function, key, call["function"][key].as_str().unwrap_or_default());
        }
    }
}

fn complete(body: &mut Map<String, Value>, event: Map<String, Value>) {
    if event.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "completion") {
        return;
    }
    for (key, value) in event {
        match value {
            Value::String(piece) if key == "completion" => append(body, &key, &piece),
            value => {
                body.insert(key, value);
            }
        }
    }
}

/// The place of this number in a list, which grows as far as is needed and sensible.
fn slot(list: &mut Value, at: u64) -> &mut Value {
    /// More blocks, choices or calls than any answer has.
    const MOST: usize = 4096;
    if !list.is_array() {
        *list = json!([]);
    }
    let Value::Array(list) = list else { unreachable!("it has just been made a list") };
    let at = usize::try_from(at).unwrap_or(MOST).min(MOST);
    if list.len() <= at {
        list.resize(at + 1, Value::Null);
    }
    &mut list[at]
}

fn append(fields: &mut Map<String, Value>, key: &str, piece: &str) {
    match fields.get_mut(key) {
        Some(Value::String(text)) => text.push_str(piece),
        _ => {
            fields.insert(key.to_owned(), Value::from(piece));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(dialect: Dialect, events: &[Value]) -> Value {
        let mut assembler = Assembler::new(dialect);
        for event in events {
            for part in format!("data: {event}\n\n").as_bytes().chunks(7) {
                assembler.feed(part);
            }
        }
        assembler.finish().unwrap()
    }

    #[test]
    fn a_stream_of_messages_becomes_the_message() {
        let body = assembled(
            Dialect::Messages,
            &[
                json!({"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                json!({"type": "ping"}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}}),
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\""}}),
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}}),
                json!({"type": "content_block_stop", "index": 1}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
                json!({"type": "message_stop"}),
            ],
        );
        let expected = json!({
            "id": "msg_1",
            "content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}],
            "usage": {"input_tokens": 3, "output_tokens": 9},
            "stop_reason": "tool_use",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn chunks_of_a_chat_become_the_completion() {
        let chunk = |delta: Value, finish: Value| {
            json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "usage": null,
                   "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        };
        let body = assembled(
            Dialect::Chat,
            &[
                chunk(json!({"role": "assistant", "content": ""}), Value::Null),
                chunk(json!({"content": "Hi"}), Value::Null),
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{"}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
                    json!("tool_calls"),
                ),
                json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": {"total_tokens": 5}}),
            ],
        );
        let expected = json!({
            "id": "c", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": {
                "role": "assistant", "content": "Hi",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            }, "finish_reason": "tool_calls"}],
            "usage": {"total_tokens": 5},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_other_dialects_are_taken_whole_or_added_up() {
        let responses = [
            json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
            json!({"type": "response.output_text.delta", "delta": "Hi"}),
            json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}),
        ];
        assert_eq!(assembled(Dialect::Responses, &responses), json!({"id": "r", "status": "completed"}));
        let legacy = [
            json!({"type": "completion", "completion": " Hi", "stop_reason": null}),
            json!({"type": "ping"}),
            json!({"type": "completion", "completion": "!", "stop_reason": "stop_sequence"}),
        ];
        let expected = json!({"type": "completion", "completion": " Hi!", "stop_reason": "stop_sequence"});
        assert_eq!(assembled(Dialect::Complete, &legacy), expected);
        assert!(Assembler::new(Dialect::Raw).finish().is_none());
    }
}
