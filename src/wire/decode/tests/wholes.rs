//! Whole replies as the vendors send them.

use super::*;

#[test]
fn a_messages_reply_is_read() {
    let expected = [
        "model claude-sonnet-4-5",
        "id msg_03",
        "reasoning Hm.",
        "text Hi",
        "tool {\"b\":1,\"a\":[2]}",
        "text  you",
        "usage 11 5 0 6 2",
        "stop Length max_tokens",
        "end",
    ];
    let body = include_str!("../../../../tests/fixtures/wire/messages.json");
    assert_eq!(whole(Dialect::Messages, body), expected);
}

#[test]
fn a_chat_reply_is_read() {
    let expected = [
        "model gpt-4o",
        "id chatcmpl-3",
        "reasoning Hm.",
        "text Hello",
        "tool {\"a\":1}",
        "usage 19 0 - 10 0",
        "stop Length length",
        "end",
    ];
    let body = include_str!("../../../../tests/fixtures/wire/chat.json");
    assert_eq!(whole(Dialect::Chat, body), expected);
}

#[test]
fn a_responses_reply_is_read() {
    let expected = [
        "model gpt-4.1",
        "id resp_3",
        "reasoning Sum.",
        "text Hi",
        "text  you",
        "tool {\"a\":1}",
        "usage 1 0 - 2 0",
        "stop Tool completed",
        "end",
    ];
    let body = include_str!("../../../../tests/fixtures/wire/responses.json");
    assert_eq!(whole(Dialect::Responses, body), expected);
}

#[test]
fn a_responses_reply_says_how_it_ended() {
    let told = |fields: &str| whole(Dialect::Responses, &format!(r#"{{"output":[],{fields}}}"#));
    assert_eq!(
        told(r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#),
        ["stop Length max_output_tokens", "end"]
    );
    assert_eq!(told(r#""status":"failed","error":{"code":"c","message":"m"}"#), ["error c: m", "end"]);
    assert_eq!(told(r#""status":"cancelled""#), ["stop Other cancelled", "end"]);
    assert_eq!(told(r#""status":"in_progress""#), Vec::<String>::new());
    assert_eq!(told(r#""status":null"#), ["stop End completed", "end"]);
}

#[test]
fn a_complete_reply_is_read() {
    let expected = [
        "model claude-2.1",
        "id compl_02",
        "text  Hello! My name is Claude.",
        "stop Length max_tokens",
        "end",
    ];
    let body = include_str!("../../../../tests/fixtures/wire/complete.json");
    assert_eq!(whole(Dialect::Complete, body), expected);
}

#[test]
fn a_raw_reply_is_its_bytes() {
    assert_eq!(whole(Dialect::Raw, "\u{feff}{"), ["bytes \u{feff}{", "end"]);
    assert_eq!(whole(Dialect::Raw, ""), ["end"]);
}

#[test]
fn an_error_inside_a_success_is_told_without_an_end() {
    for dialect in [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Complete] {
        let nested = r#"{"type":"error","error":{"type":"api_error","message":"Broken"}}"#;
        assert_eq!(whole(dialect, nested), ["error api_error: Broken"], "{dialect}");
        let text = r#"{"error":"Broken"}"#;
        assert_eq!(whole(dialect, text), ["error -: Broken"], "{dialect}");
    }
}

#[test]
fn a_reply_of_another_dialect_is_refused() {
    let chat = r#"{"object":"chat.completion","choices":[]}"#;
    for dialect in [Dialect::Messages, Dialect::Responses, Dialect::Complete] {
        let told = whole(dialect, chat);
        assert_eq!(told, [format!("the body is JSON, but no {dialect} reply: {chat}")]);
    }
    for other in [r#"{"content":[]}"#, "[]", "null", "\"text\"", "{}"] {
        let told = whole(Dialect::Chat, other);
        assert_eq!(told, [format!("the body is JSON, but no chat reply: {other}")]);
    }
}

#[test]
fn a_reply_that_is_no_json_is_refused_with_its_beginning() {
    for dialect in [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Complete] {
        let told = whole(dialect, "<html>\n");
        assert_eq!(
            told,
            [r"the body is not valid JSON (expected value at line 1 column 1): <html>\n"],
            "{dialect}"
        );
    }
}

#[test]
fn contents_of_several_parts_and_gaps_in_them_are_read() {
    let parts = r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"image"},7,{"text":"b"}]}}]}"#;
    assert_eq!(whole(Dialect::Chat, parts), ["text a", "text b", "end"]);
}
