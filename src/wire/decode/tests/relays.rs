//! Streams as relays bend them.

use super::*;

fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

#[test]
fn the_type_in_the_data_wins_over_the_name_of_the_event() {
    let ping = "event: message_stop\ndata: {\"type\":\"ping\"}\n\n";
    assert_eq!(told(Dialect::Messages, ping), ["ping"]);
    let unnamed = "event: content_block_delta\ndata: {\"delta\":{\"text\":\"a\"}}\n\n";
    assert_eq!(told(Dialect::Messages, unnamed), ["text a"]);
    let delta = "event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n";
    assert_eq!(told(Dialect::Responses, delta), ["text a"]);
}

#[test]
fn fields_of_a_wrong_type_fail_nothing() {
    let chat = r#"{"id":7,"model":null,"object":[],"error":null,"usage":"none","choices":[null,{"delta":null,"finish_reason":0},{"delta":{"content":"a","tool_calls":{},"refusal":[]}}]}"#;
    assert_eq!(told(Dialect::Chat, &data(chat)), ["text a"]);
    let counts = r#"{"choices":[],"usage":{"prompt_tokens":"9","completion_tokens":2.0,"prompt_tokens_details":null}}"#;
    assert_eq!(told(Dialect::Chat, &data(counts)), ["usage 9 - - 2 -"]);
    let delta = r#"{"type":"content_block_delta","index":"0","delta":{"type":"text_delta","text":"a","thinking":{"x":1}},"usage":[1],"message":"m"}"#;
    assert_eq!(told(Dialect::Messages, &data(delta)), ["text a"]);
    let created = r#"{"type":"response.created","delta":{},"response":{"id":null,"model":"m","output":{},"error":false}}"#;
    assert_eq!(told(Dialect::Responses, &data(created)), ["model m"]);
}

#[test]
fn a_cache_larger_than_the_prompt_leaves_no_negative_input() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}"#;
    assert_eq!(told(Dialect::Chat, &data(usage)), ["usage 0 5 - - -"]);
}

#[test]
fn a_chat_chunk_may_hold_a_message_in_place_of_a_delta() {
    let chunk = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    assert_eq!(told(Dialect::Chat, &data(chunk)), ["text a", "stop End stop"]);
}

#[test]
fn errors_are_recognised_in_every_wrapping() {
    let traceback = r#"{"error":{"message":"Traceback","type":"None","param":"None","code":"500"}}"#;
    for dialect in [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Complete] {
        assert_eq!(told(dialect, &data(traceback)), ["error None: Traceback"], "{dialect}");
        let text = r#"{"error":"Broken"}"#;
        assert_eq!(told(dialect, &data(text)), ["error -: Broken"], "{dialect}");
        let named = "event: error\ndata: {\"message\":\"Broken\"}\n\n";
        assert_eq!(told(dialect, named), ["error -: Broken"], "{dialect}");
    }
    let misplaced = r#"{"type":"error","message":{"type":"api_error","message":"Broken"}}"#;
    assert_eq!(told(Dialect::Messages, &data(misplaced)), ["error api_error: Broken"]);
    let flat =
        r#"{"type":"error","code":"server_error","message":"Broken","param":null,"sequence_number":1}"#;
    assert_eq!(told(Dialect::Responses, &data(flat)), ["error server_error: Broken"]);
    let object = r#"{"object":"error","message":"Broken","type":"BadRequestError","code":400}"#;
    assert_eq!(told(Dialect::Chat, &data(object)), ["error BadRequestError: Broken"]);
}

#[test]
fn an_error_and_a_good_end_after_it_are_both_told() {
    let stream =
        "event: error\ndata: {\"error\":{\"message\":\"Broken\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    assert_eq!(told(Dialect::Messages, stream), ["error -: Broken", "end"]);
}

#[test]
fn done_ends_a_chat_and_nothing_else() {
    assert_eq!(told(Dialect::Chat, "data: [DONE]\n\ndata: [DONE]\n\n"), ["end"]);
    assert_eq!(told(Dialect::Chat, "data:[DONE] \n\n"), ["end"]);
    for dialect in [Dialect::Messages, Dialect::Responses, Dialect::Complete] {
        assert_eq!(told(dialect, "data: [DONE]\n\n"), Vec::<String>::new(), "{dialect}");
    }
}

#[test]
fn signs_of_life_and_unknown_events_pass() {
    for dialect in [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Complete] {
        let stream = ": PING\n\ndata:\n\nevent: ping\n\ndata: 7\n\ndata: [1,2]\n\ndata: \"x\"\n\ndata: {\"type\":\"new\"}\n\n";
        assert_eq!(told(dialect, stream), ["ping"], "{dialect}");
    }
}

#[test]
fn data_that_is_no_json_is_refused_after_what_came_before() {
    let stream =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: oops\u{1b}\n\ndata: [DONE]\n\n";
    let told = told(Dialect::Chat, stream);
    assert_eq!(told[0], "text a");
    assert!(told[1].starts_with("Json") && told[1].contains(r"oops\\u{1b}"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn half_a_character_harms_only_itself() {
    let lone = r#"{"type":"content_block_delta","delta":{"text":"a\ud83d"}}"#;
    assert_eq!(told(Dialect::Messages, &data(lone)), ["text a\u{fffd}"]);
    let bytes = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xc3\"}}]}\n\n";
    assert_eq!(streamed(Dialect::Chat, [&bytes[..]]), ["text a\u{fffd}"]);
    let doubled = r#"{"type":"content_block_delta","delta":{"text":"a","text":"b"}}"#;
    assert_eq!(told(Dialect::Messages, &data(doubled)), ["text b"]);
}

#[test]
fn the_last_event_may_lack_its_blank_line() {
    assert_eq!(told(Dialect::Messages, "data: {\"type\":\"message_stop\"}"), ["end"]);
    assert_eq!(told(Dialect::Chat, "data: [DONE]\n"), ["end"]);
    assert_eq!(told(Dialect::Chat, "data: {\"error\":\"Broken\"}"), ["error -: Broken"]);
    assert_eq!(
        told(Dialect::Complete, "data: {\"completion\":\"a\",\"stop_reason\":\"max_tokens\"}"),
        ["text a", "stop Length max_tokens", "end"]
    );
}

#[test]
fn a_cut_event_in_the_middle_of_an_answer_is_dropped() {
    for cut in [
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n",
        "data: {\"type\":\"message_st",
        "data: {\"type\":\"message_stop\"",
    ] {
        assert_eq!(told(Dialect::Messages, cut), Vec::<String>::new(), "{cut}");
    }
}

#[test]
fn an_event_over_the_cap_is_refused_before_its_end() {
    let mut decoder = StreamDecoder::with_limit(Dialect::Messages, 64);
    let event = format!("data: {{\"type\":\"{}", "x".repeat(60));
    assert_eq!(decoder.feed(event.as_bytes(), &mut |_| {}), Err(WireError::EventTooLarge { limit: 64 }));
}

#[test]
fn signs_of_life_are_not_counted_as_events() {
    let mut decoder = StreamDecoder::new(Dialect::Messages);
    decoder.feed(b": x\n\ndata: {\"type\":\"ping\"}\n\ndata: {}\n\n", &mut |_| {}).unwrap();
    assert_eq!(decoder.events(), 0);
    decoder.feed(b"data: {\"type\":\"message_stop\"}\n\n", &mut |_| {}).unwrap();
    assert_eq!(decoder.events(), 1);
}

#[test]
fn an_event_of_a_megabyte_arrives_whole() {
    let text = "ä€🙂".repeat(120_000);
    let stream = data(&format!(r#"{{"type":"content_block_delta","delta":{{"text":"{text}"}}}}"#));
    assert_eq!(streamed(Dialect::Messages, stream.as_bytes().chunks(1001)), [format!("text {text}")]);
}
