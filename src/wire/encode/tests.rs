//! The bodies of requests, against the vendors' documents.

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
    let history = vec![json!({"role": "user", "content": "A"}), json!({"role": "assistant", "content": "B"})];
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
