//! The bodies of requests: a prompt in each dialect, or a user's own body with only `stream` set.

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
    let mut body = match dialect {
        Dialect::Messages => messages(prompt),
        Dialect::Chat => chat(prompt),
        Dialect::Responses => responses(prompt),
        Dialect::Complete if prompt.bare => fields([("prompt", Some(json!(prompt.text)))]),
        Dialect::Complete => complete(prompt),
        Dialect::Raw => return prompt.text.clone().into_bytes(),
    };
    if shape.stream {
        body.insert("stream".to_owned(), Value::Bool(true));
    }
    if dialect == Dialect::Chat && shape.stream && shape.stream_usage {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    for (name, value) in &prompt.params {
        body.insert(name.clone(), value.clone());
    }
    Value::Object(body).to_string().into_bytes()
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

/// The fields of an Anthropic Messages request, where `max_tokens` is mandatory.
fn messages(prompt: &Prompt) -> Map<String, Value> {
    fields([
        ("model", prompt.model.as_ref().map(|model| json!(model))),
        ("max_tokens", Some(json!(prompt.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)))),
        ("system", prompt.system.as_ref().map(|system| json!(system))),
        ("messages", Some(Value::Array(turns(Dialect::Messages, prompt)))),
        ("temperature", prompt.temperature.map(Value::from)),
    ])
}

/// The fields of a chat completion, where the system prompt is the first message.
fn chat(prompt: &Prompt) -> Map<String, Value> {
    let system = prompt.system.iter().map(|system| json!({ "role": "system", "content": system }));
    fields([
        ("model", prompt.model.as_ref().map(|model| json!(model))),
        ("messages", Some(system.chain(turns(Dialect::Chat, prompt)).collect())),
        ("max_completion_tokens", prompt.max_tokens.map(Value::from)),
        ("temperature", prompt.temperature.map(Value::from)),
    ])
}

/// The fields of an OpenAI Responses request.
fn responses(prompt: &Prompt) -> Map<String, Value> {
    let is_plain = prompt.attachments.is_empty() && prompt.history.is_empty();
    let input = if is_plain { json!(prompt.text) } else { json!(turns(Dialect::Responses, prompt)) };
    fields([
        ("model", prompt.model.as_ref().map(|model| json!(model))),
        ("instructions", prompt.system.as_ref().map(|system| json!(system))),
        ("input", Some(input)),
        ("max_output_tokens", prompt.max_tokens.map(Value::from)),
        ("temperature", prompt.temperature.map(Value::from)),
    ])
}

/// The fields of a legacy Anthropic completion, where system text stands before the first turn.
fn complete(prompt: &Prompt) -> Map<String, Value> {
    let system = prompt.system.as_deref().unwrap_or_default();
    let text = &prompt.text;
    let turns = if text.starts_with(HUMAN) {
        format!("{system}{text}")
    } else {
        format!("{system}{HUMAN} {text}\n\nAssistant:")
    };
    fields([
        ("model", prompt.model.as_ref().map(|model| json!(model))),
        ("prompt", Some(json!(turns))),
        ("max_tokens_to_sample", Some(json!(prompt.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)))),
        ("temperature", prompt.temperature.map(Value::from)),
    ])
}

/// The turns of the conversation; a prompt that says nothing of its own adds none to those before it.
fn turns(dialect: Dialect, prompt: &Prompt) -> Vec<Value> {
    let mut turns = prompt.history.clone();
    if turns.is_empty() || !prompt.text.is_empty() || !prompt.attachments.is_empty() {
        turns.push(json!({ "role": "user", "content": content(dialect, prompt) }));
    }
    turns
}

/// What the user says: a text, or blocks where there is more. A question stands after what it is about, which
/// Anthropic's pages on images and PDF recommend and no vendor minds.
fn content(dialect: Dialect, prompt: &Prompt) -> Value {
    if prompt.attachments.is_empty() {
        return json!(prompt.text);
    }
    let kind = if dialect == Dialect::Responses { "input_text" } else { "text" };
    let text = Some(&prompt.text).filter(|text| !text.is_empty());
    let text = text.map(|text| json!({ "type": kind, "text": text }));
    prompt.attachments.iter().filter_map(|attachment| attachment.block(dialect)).chain(text).collect()
}

/// An object of the fields that have a value, in the order given.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let stated = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    stated.collect()
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
mod tests {
    use super::*;
    use crate::wire::{Attachment, Media};

    const WHOLE: Shape = Shape { stream: false, stream_usage: false };
    const STREAM: Shape = Shape { stream: true, stream_usage: true };

    fn body(dialect: Dialect, prompt: &Prompt, shape: Shape) -> String {
        String::from_utf8(encode(dialect, prompt, shape)).unwrap()
    }

    fn bare_minimum() -> Prompt {
        Prompt { text: "Hi".into(), ..Prompt::default() }
    }

    fn everything() -> Prompt {
        Prompt {
            text: "Hi \"you\"\n".into(),
            system: Some("Be brief.".into()),
            model: Some("m-1".into()),
            max_tokens: Some(7),
            temperature: Some(0.5),
            ..Prompt::default()
        }
    }

    fn with_params(params: &Value) -> Prompt {
        Prompt { params: params.as_object().unwrap().clone(), ..everything() }
    }

    #[test]
    fn messages_bodies_are_the_vendors() {
        assert_eq!(
            body(Dialect::Messages, &bare_minimum(), WHOLE),
            r#"{"max_tokens":4096,"messages":[{"role":"user","content":"Hi"}]}"#
        );
        assert_eq!(
            body(Dialect::Messages, &everything(), STREAM),
            r#"{"model":"m-1","max_tokens":7,"system":"Be brief.","messages":[{"role":"user","content":"Hi \"you\"\n"}],"temperature":0.5,"stream":true}"#
        );
    }

    #[test]
    fn chat_bodies_are_the_vendors() {
        assert_eq!(
            body(Dialect::Chat, &bare_minimum(), WHOLE),
            r#"{"messages":[{"role":"user","content":"Hi"}]}"#
        );
        assert_eq!(
            body(Dialect::Chat, &everything(), STREAM),
            r#"{"model":"m-1","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi \"you\"\n"}],"max_completion_tokens":7,"temperature":0.5,"stream":true,"stream_options":{"include_usage":true}}"#
        );
    }

    #[test]
    fn usage_of_a_chat_stream_is_asked_for_only_where_it_fits() {
        let asks = |stream, stream_usage| {
            body(Dialect::Chat, &bare_minimum(), Shape { stream, stream_usage }).contains("stream_options")
        };
        assert!(asks(true, true));
        assert!(!asks(true, false));
        assert!(!asks(false, true));
        assert!(!body(Dialect::Messages, &bare_minimum(), STREAM).contains("stream_options"));
        let own = with_params(&json!({ "stream_options": { "include_usage": false } }));
        assert!(body(Dialect::Chat, &own, STREAM).contains(r#""stream_options":{"include_usage":false}"#));
    }

    #[test]
    fn responses_bodies_are_the_vendors() {
        assert_eq!(body(Dialect::Responses, &bare_minimum(), WHOLE), r#"{"input":"Hi"}"#);
        assert_eq!(
            body(Dialect::Responses, &everything(), STREAM),
            r#"{"model":"m-1","instructions":"Be brief.","input":"Hi \"you\"\n","max_output_tokens":7,"temperature":0.5,"stream":true}"#
        );
    }

    #[test]
    fn complete_bodies_are_the_vendors() {
        assert_eq!(
            body(Dialect::Complete, &bare_minimum(), WHOLE),
            r#"{"prompt":"\n\nHuman: Hi\n\nAssistant:","max_tokens_to_sample":4096}"#
        );
        assert_eq!(
            body(Dialect::Complete, &everything(), STREAM),
            r#"{"model":"m-1","prompt":"Be brief.\n\nHuman: Hi \"you\"\n\n\nAssistant:","max_tokens_to_sample":7,"temperature":0.5,"stream":true}"#
        );
        let own = Prompt { text: "\n\nHuman: A\n\nAssistant: B".into(), ..bare_minimum() };
        assert_eq!(
            body(Dialect::Complete, &own, WHOLE),
            r#"{"prompt":"\n\nHuman: A\n\nAssistant: B","max_tokens_to_sample":4096}"#
        );
    }

    #[test]
    fn attachments_stand_before_the_text_in_one_turn() {
        let attachments = vec![Attachment::new(Media::Png, "a.png", b"Hi!")];
        let prompt = Prompt { attachments, ..bare_minimum() };
        assert_eq!(
            body(Dialect::Messages, &prompt, WHOLE),
            r#"{"max_tokens":4096,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"SGkh"}},{"type":"text","text":"Hi"}]}]}"#
        );
        assert_eq!(
            body(Dialect::Chat, &prompt, WHOLE),
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,SGkh"}},{"type":"text","text":"Hi"}]}]}"#
        );
        assert_eq!(
            body(Dialect::Responses, &prompt, WHOLE),
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,SGkh"},{"type":"input_text","text":"Hi"}]}]}"#
        );
        let alone = Prompt { text: String::new(), ..prompt };
        assert!(!body(Dialect::Messages, &alone, WHOLE).contains(r#""type":"text""#));
    }

    #[test]
    fn a_prompt_follows_the_turns_before_it() {
        let history =
            vec![json!({"role": "user", "content": "A"}), json!({"role": "assistant", "content": "B"})];
        let prompt = Prompt { history, ..bare_minimum() };
        let turns = r#"[{"role":"user","content":"A"},{"role":"assistant","content":"B"},{"role":"user","content":"Hi"}]"#;
        let messages = format!(r#"{{"max_tokens":4096,"messages":{turns}}}"#);
        assert_eq!(body(Dialect::Messages, &prompt, WHOLE), messages);
        assert_eq!(body(Dialect::Chat, &prompt, WHOLE), format!(r#"{{"messages":{turns}}}"#));
        assert_eq!(body(Dialect::Responses, &prompt, WHOLE), format!(r#"{{"input":{turns}}}"#));
        let silent = Prompt { text: String::new(), ..prompt };
        assert!(body(Dialect::Chat, &silent, WHOLE).ends_with(r#""content":"B"}]}"#));
    }

    #[test]
    fn a_bare_body_is_the_prompt_alone() {
        let bare = Prompt { bare: true, ..everything() };
        assert_eq!(body(Dialect::Complete, &bare, WHOLE), r#"{"prompt":"Hi \"you\"\n"}"#);
        assert_eq!(body(Dialect::Complete, &bare, STREAM), r#"{"prompt":"Hi \"you\"\n","stream":true}"#);
        let more = Prompt { bare: true, ..with_params(&json!({ "k": 1 })) };
        assert_eq!(body(Dialect::Complete, &more, WHOLE), r#"{"prompt":"Hi \"you\"\n","k":1}"#);
    }

    #[test]
    fn a_raw_body_is_the_text_verbatim() {
        assert_eq!(body(Dialect::Raw, &with_params(&json!({ "k": 1 })), STREAM), "Hi \"you\"\n");
    }

    #[test]
    fn params_win_over_every_field() {
        let own = with_params(&json!({ "model": "m-2", "max_tokens": 9, "stream": false, "top_k": 5 }));
        assert_eq!(
            body(Dialect::Messages, &own, STREAM),
            r#"{"model":"m-2","max_tokens":9,"system":"Be brief.","messages":[{"role":"user","content":"Hi \"you\"\n"}],"temperature":0.5,"stream":false,"top_k":5}"#
        );
    }

    #[test]
    fn only_stream_changes_in_a_whole_body() {
        let set = |text: &str, shape| {
            String::from_utf8(encode_body(Dialect::Chat, text.as_bytes(), shape).unwrap()).unwrap()
        };
        assert_eq!(
            set(r#"{"z":1,"stream":false,"a":{"stream":1}}"#, STREAM),
            r#"{"z":1,"stream":true,"a":{"stream":1}}"#
        );
        assert_eq!(set(r#"{"z":1,"a":2}"#, STREAM), r#"{"z":1,"a":2,"stream":true}"#);
        assert_eq!(set(r#"{"z":1,"stream":true,"y":3,"a":2}"#, WHOLE), r#"{"z":1,"y":3,"a":2}"#);
    }

    #[test]
    fn a_raw_whole_body_is_not_even_read() {
        assert_eq!(encode_body(Dialect::Raw, b"{\"stream\": \xff", STREAM).unwrap(), b"{\"stream\": \xff");
    }

    #[test]
    fn a_broken_whole_body_is_refused_with_its_place() {
        let error = encode_body(Dialect::Chat, b"{\n  \"a\": }", WHOLE).unwrap_err().to_string();
        assert!(error.contains("the body") && error.contains("line 2 column 8"), "{error}");
        let error = encode_body(Dialect::Chat, b"[1]", WHOLE).unwrap_err();
        assert_eq!(error, WireError::NotAnObject { found: "a list" });
    }
}
