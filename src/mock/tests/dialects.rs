//! Each dialect's stream and whole answer, letter for letter as the vendors document them.

use serde_json::Value;

use super::wire::PATHS;
use super::wire::ask;
use super::wire::body;
use super::wire::post;
use super::wire::receive;
use super::wire::relay;
use super::wire::send;

const USAGE: &str = r#"{"input_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"standard"}"#;

#[tokio::test]
async fn messages_stream_as_anthropic_documents_them() {
    let relay = relay("tokens=2");
    let got = ask(&relay, PATHS[0], "m", true).await;
    assert!(got.is_whole && got.status() == 200);
    assert_eq!(got.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(got.header("cache-control"), Some("no-cache"));
    assert!(got.header("request-id").unwrap().starts_with("req_mock_"));
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_ID","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":USAGE_AT_START}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"日本語"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" Ωmega"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"usage":USAGE}

event: message_stop
data: {"type":"message_stop"}

"#;
    let at_start = USAGE.replace(r#""output_tokens":2"#, r#""output_tokens":1"#);
    assert_eq!(got.text(), expected.replace("USAGE_AT_START", &at_start).replace("USAGE", USAGE));
}

#[tokio::test]
async fn messages_come_whole_as_anthropic_documents_them() {
    let got = ask(&relay("tokens=2"), PATHS[0], "m", false).await;
    assert_eq!(got.header("content-type"), Some("application/json"));
    let expected = r#"{"id":"msg_ID","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"日本語 Ωmega"}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"usage":"#;
    assert_eq!(got.text(), format!("{expected}{USAGE}}}"));
}

#[tokio::test]
async fn chat_streams_as_openai_documents_it() {
    let got = ask(&relay("tokens=2"), PATHS[1], "m", true).await;
    assert!(got.is_whole);
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    assert!(got.header("x-request-id").unwrap().starts_with("req_mock_"));
    let expected = r#"data: {HEAD,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {HEAD,"choices":[{"index":0,"delta":{"content":"日本語"},"logprobs":null,"finish_reason":null}],"usage":null}

data: {HEAD,"choices":[{"index":0,"delta":{"content":" Ωmega"},"logprobs":null,"finish_reason":null}],"usage":null}

data: {HEAD,"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}

data: {HEAD,"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}

data: [DONE]

"#;
    let head = r#""id":"chatcmpl-ID","object":"chat.completion.chunk","created":0,"model":"m","service_tier":"default","system_fingerprint":"fp_mock""#;
    assert_eq!(got.text(), expected.replace("HEAD", head));
}

#[tokio::test]
async fn chat_streams_no_usage_unless_it_is_asked_for() {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    let relay = relay("tokens=2");
    let got = receive(post(&relay, PATHS[1], body).await).await;
    assert!(got.text().ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), "{}", got.text());
    assert!(!got.text().contains("usage"));
}

#[tokio::test]
async fn chat_comes_whole_as_openai_documents_it() {
    let got = ask(&relay("tokens=2"), PATHS[1], "m", false).await;
    assert_eq!(
        got.text(),
        r#"{"id":"chatcmpl-ID","object":"chat.completion","created":0,"model":"m","service_tier":"default","system_fingerprint":"fp_mock","choices":[{"index":0,"message":{"role":"assistant","content":"日本語 Ωmega","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#
    );
}

/// The response object as it stands at the end.
const RESPONSE: &str = r#"{"id":"resp_ID","object":"response","created_at":0,"status":"completed","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"m","output":[ITEM],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":false,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":2,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":4},"user":null,"metadata":{}}"#;

/// The only item of its output.
const ITEM: &str = r#"{"id":"msg_ID","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"日本語 Ωmega"}],"role":"assistant"}"#;

#[tokio::test]
async fn responses_stream_as_openai_documents_them() {
    let got = ask(&relay("tokens=2"), PATHS[2], "m", true).await;
    let expected = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":STARTED}

event: response.in_progress
data: {"type":"response.in_progress","sequence_number":1,"response":STARTED}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_ID","type":"message","status":"in_progress","content":[],"role":"assistant"}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,PLACE,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,PLACE,"delta":"日本語","logprobs":[]}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":5,PLACE,"delta":" Ωmega","logprobs":[]}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":6,PLACE,"text":"日本語 Ωmega","logprobs":[]}

event: response.content_part.done
data: {"type":"response.content_part.done","sequence_number":7,PLACE,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"日本語 Ωmega"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":ITEM}

event: response.completed
data: {"type":"response.completed","sequence_number":9,"response":RESPONSE}

"#;
    let (before, after) = RESPONSE.split_once(r#""usage":{"#).unwrap();
    let (_, after) = after.split_once(r#""total_tokens":4}"#).unwrap();
    let started =
        format!("{before}\"usage\":null{after}").replace("ITEM", "").replace("completed", "in_progress");
    let expected = expected
        .replace("STARTED", &started)
        .replace("RESPONSE", RESPONSE)
        .replace("ITEM", ITEM)
        .replace("PLACE", r#""item_id":"msg_ID","output_index":0,"content_index":0"#);
    assert_eq!(got.text(), expected);
}

#[tokio::test]
async fn responses_come_whole_as_openai_documents_them() {
    let got = ask(&relay("tokens=2"), PATHS[2], "m", false).await;
    assert_eq!(got.text(), RESPONSE.replace("ITEM", ITEM));
}

#[tokio::test]
async fn the_legacy_completion_is_spoken_too_bare_or_not() {
    let relay = relay("tokens=2");
    let got = ask(&relay, PATHS[3], "m", true).await;
    let expected = r#"event: ping
data: {"type": "ping"}

event: completion
data: {"type":"completion","id":"compl_ID","completion":"日本語","stop_reason":null,"model":"m"}

event: completion
data: {"type":"completion","id":"compl_ID","completion":" Ωmega","stop_reason":null,"model":"m"}

event: completion
data: {"type":"completion","id":"compl_ID","completion":"","stop_reason":"stop_sequence","model":"m"}

"#;
    assert_eq!(got.text(), expected);
    for path in ["/v1/complete", "/some/other/path"] {
        let got = receive(post(&relay, path, r#"{"prompt":"Hello"}"#).await).await;
        let answer: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(answer["type"], "completion");
        assert_eq!(answer["stop_reason"], "stop_sequence");
        assert_eq!(answer["completion"].as_str().unwrap().split(' ').count(), 2);
    }
}

#[tokio::test]
async fn raw_bytes_are_echoed() {
    let relay = relay("tokens=3");
    let got = receive(send(&relay, "POST /raw", &["content-type: text/plain"], "Grüße an alle").await).await;
    assert!(got.is_whole);
    assert_eq!(got.header("transfer-encoding"), Some("chunked"));
    assert_eq!(got.text(), "Grüße an alle");
}

#[tokio::test]
async fn the_pieces_of_a_stream_make_the_whole_answer() {
    let streamed = ask(&relay("tokens=40"), PATHS[3], "m", true).await.text();
    let whole = ask(&relay("tokens=40"), PATHS[3], "m", false).await;
    let whole: Value = serde_json::from_slice(&whole.body).unwrap();
    let pieces: String = streamed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event["completion"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(pieces, whole["completion"].as_str().unwrap());
    assert_eq!(pieces.split(' ').count(), 40);
}

#[tokio::test]
async fn the_request_limits_the_length_and_the_stop_reason_says_so() {
    let relay = relay("tokens=50");
    for (path, field, expected) in [
        (PATHS[0], r#""max_tokens":99"#, r#""stop_reason":"max_tokens""#),
        (PATHS[3], r#""max_tokens_to_sample":99"#, r#""stop_reason":"max_tokens""#),
    ] {
        let body = body(path, "m", true).replace(field, &field.replace("99", "3"));
        let text = receive(post(&relay, path, &body).await).await.text();
        assert!(text.contains(expected), "{text}");
    }
    for (path, limit, expected) in [
        (PATHS[1], "max_completion_tokens", r#""finish_reason":"length""#),
        (PATHS[1], "max_tokens", r#""completion_tokens":3"#),
        (PATHS[2], "max_output_tokens", r#""incomplete_details":{"reason":"max_output_tokens"}"#),
    ] {
        let body = body(path, "m", true).replacen('{', &format!("{{\"{limit}\":3,"), 1);
        let text = receive(post(&relay, path, &body).await).await.text();
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn reasoning_and_tools_have_their_own_events() {
    let relay = relay("tokens=3");
    for (path, model, marks) in [
        (PATHS[0], "mock-reasoning", &["thinking_delta", "signature_delta", r#""index":1,"delta""#][..]),
        (PATHS[1], "mock-reasoning", &[r#""delta":{"reasoning_content":"#, r#""delta":{"content":"#]),
        (PATHS[2], "mock-reasoning", &["response.reasoning_summary_text.delta", r#""output_index":1"#]),
        (PATHS[0], "mock-tool", &["input_json_delta", r#""stop_reason":"tool_use""#]),
        (
            PATHS[1],
            "mock-tool",
            &[r#""tool_calls":[{"index":0,"function""#, r#""finish_reason":"tool_calls""#],
        ),
        (PATHS[2], "mock-tool", &["response.function_call_arguments.delta", r#""type":"function_call""#]),
        (PATHS[1], "mock-refusal", &[r#""delta":{"refusal":"#]),
        (PATHS[2], "mock-refusal", &["event: response.refusal.delta", r#"{"type":"refusal","refusal":"#]),
        (PATHS[0], "mock-refusal", &[r#""stop_reason":"refusal""#]),
        (PATHS[1], "mock-filter", &[r#""finish_reason":"content_filter""#]),
        (PATHS[2], "mock-filter", &["event: response.incomplete", r#"{"reason":"content_filter"}"#]),
        (PATHS[0], "mock-length", &[r#""stop_reason":"max_tokens""#]),
        (PATHS[0], "mock-duplicate-usage", &["message_delta\",", "\"type\":\"message_delta\""]),
    ] {
        let got = ask(&relay, path, model, true).await;
        let text = got.text();
        assert!(got.is_whole && marks.iter().all(|mark| text.contains(mark)), "{model}: {text}");
        let whole = ask(&relay, path, model, false).await;
        assert!(serde_json::from_slice::<Value>(&whole.body).is_ok(), "{}", whole.text());
    }
}
