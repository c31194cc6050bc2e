//! Streams as the vendors send them, however they are cut.

use proptest::prelude::*;

use super::*;

const MESSAGES: &str = include_str!("../../../../tests/fixtures/wire/messages.sse");
const MESSAGES_TOOL: &str = include_str!("../../../../tests/fixtures/wire/messages-thinking-tool.sse");
const MESSAGES_ERROR: &str = include_str!("../../../../tests/fixtures/wire/messages-error.sse");
const CHAT: &str = include_str!("../../../../tests/fixtures/wire/chat.sse");
const CHAT_TOOLS: &str = include_str!("../../../../tests/fixtures/wire/chat-tools.sse");
const RESPONSES: &str = include_str!("../../../../tests/fixtures/wire/responses.sse");
const RESPONSES_FAILED: &str = include_str!("../../../../tests/fixtures/wire/responses-failed.sse");
const COMPLETE: &str = include_str!("../../../../tests/fixtures/wire/complete.sse");

const ALL: [(Dialect, &str); 8] = [
    (Dialect::Messages, MESSAGES),
    (Dialect::Messages, MESSAGES_TOOL),
    (Dialect::Messages, MESSAGES_ERROR),
    (Dialect::Chat, CHAT),
    (Dialect::Chat, CHAT_TOOLS),
    (Dialect::Responses, RESPONSES),
    (Dialect::Responses, RESPONSES_FAILED),
    (Dialect::Complete, COMPLETE),
];

const MESSAGES_TOLD: [&str; 9] = [
    "id msg_4QpJur2dWWDjF6C758FbBw5vm12BaVipnK",
    "model claude-3-opus-latest",
    "usage 11 - - 1 -",
    "ping",
    "text Hello",
    "text  there!\n",
    "usage - - - 6 -",
    "stop End end_turn",
    "end",
];

#[test]
fn a_messages_stream_is_read() {
    assert_eq!(told(Dialect::Messages, MESSAGES), MESSAGES_TOLD);
}

#[test]
fn thinking_and_tools_of_a_messages_stream_are_read() {
    let expected = [
        "id msg_01",
        "model claude-sonnet-4-5",
        "usage 472 2000 100 2 -",
        "reasoning The weather…",
        "text Okay",
        "tool {\"location\":",
        "tool  \"San Francisco\"}",
        "usage 472 2000 100 89 40",
        "stop Tool tool_use",
        "end",
    ];
    assert_eq!(told(Dialect::Messages, MESSAGES_TOOL), expected);
}

#[test]
fn an_error_in_a_messages_stream_is_its_last_word() {
    let expected =
        ["id msg_02", "model claude-opus-4", "usage 3 - - 1 -", "error overloaded_error: Overloaded"];
    assert_eq!(told(Dialect::Messages, MESSAGES_ERROR), expected);
}

#[test]
fn a_chat_stream_is_read_and_its_cache_taken_out_of_the_prompt() {
    let expected = [
        "model gpt-4o-mini",
        "id chatcmpl-1",
        "text Hi",
        "text  \"you\"",
        "stop End stop",
        "usage 80 1920 6 300 128",
        "end",
    ];
    assert_eq!(told(Dialect::Chat, CHAT), expected);
}

#[test]
fn reasoning_and_tools_of_a_chat_stream_are_read() {
    let expected = [
        "ping",
        "model m",
        "id chatcmpl-2",
        "reasoning Think.",
        "reasoning  More.",
        "tool {\"city\":",
        "tool \"Paris\"}",
        "text No",
        "tool {}",
        "stop Tool tool_calls",
        "end",
    ];
    assert_eq!(told(Dialect::Chat, CHAT_TOOLS), expected);
}

#[test]
fn a_responses_stream_is_read() {
    let expected = [
        "model gpt-4.1",
        "id resp_1",
        "reasoning Sum.",
        "reasoning Why.",
        "text Hi",
        "text  there",
        "usage 5 30 2 11 4",
        "stop End completed",
        "end",
    ];
    assert_eq!(told(Dialect::Responses, RESPONSES), expected);
}

#[test]
fn a_failed_responses_stream_tells_the_error_and_ends() {
    let failure = "error server_error: The model failed to generate a response.";
    assert_eq!(told(Dialect::Responses, RESPONSES_FAILED), ["model gpt-4.1", "id resp_2", failure, "end"]);
}

#[test]
fn a_responses_stream_says_why_it_stopped() {
    let stop = |before: &str, kind: &str, response: &str| {
        let end = format!("data: {{\"type\":\"response.{kind}\",\"response\":{response}}}\n\n");
        let told = told(Dialect::Responses, &format!("{before}{end}"));
        assert_eq!(told.last().unwrap(), "end");
        told[told.len() - 2].clone()
    };
    let reason = |reason| format!(r#"{{"incomplete_details":{{"reason":"{reason}"}}}}"#);
    assert_eq!(stop("", "incomplete", &reason("max_output_tokens")), "stop Length max_output_tokens");
    assert_eq!(stop("", "incomplete", &reason("content_filter")), "stop Filter content_filter");
    assert_eq!(stop("", "incomplete", "null"), "stop Other incomplete");
    assert_eq!(stop("", "completed", r#"{"output":[{"type":"function_call"}]}"#), "stop Tool completed");
    let refusal = r#"{"output":[{"type":"message","content":[{"type":"refusal","refusal":"No"}]}]}"#;
    assert_eq!(stop("", "completed", refusal), "stop Refusal completed");
    let called = "data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}\n\n";
    assert_eq!(stop(called, "completed", "{}"), "stop Tool completed");
    let refused = "data: {\"type\":\"response.refusal.delta\",\"delta\":\"No\"}\n\n";
    assert_eq!(stop(refused, "completed", "{}"), "stop Refusal completed");
}

#[test]
fn a_complete_stream_ends_with_its_reason() {
    let expected = [
        "model claude-2.0",
        "id compl_01",
        "text  Hello",
        "ping",
        "text  you",
        "stop End stop_sequence",
        "end",
    ];
    assert_eq!(told(Dialect::Complete, COMPLETE), expected);
    let error =
        "event: error\ndata: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    assert_eq!(told(Dialect::Complete, error), ["error overloaded_error: Overloaded"]);
}

#[test]
fn a_raw_answer_is_its_bytes_and_ends_with_them() {
    let chunks = [&b"data: {"[..], b"", b"\xff"];
    assert_eq!(streamed(Dialect::Raw, chunks), ["bytes data: {", "bytes \u{fffd}", "end"]);
}

#[test]
fn every_single_cut_gives_the_same_events() {
    for (dialect, stream) in ALL {
        let expected = told(dialect, stream);
        for at in 0..=stream.len() {
            let (head, tail) = stream.as_bytes().split_at(at);
            assert_eq!(streamed(dialect, [head, tail]), expected, "{dialect} cut at {at}");
        }
    }
}

#[test]
fn every_line_end_gives_the_same_events() {
    for (dialect, stream) in ALL {
        for end in ["\r", "\r\n"] {
            let other = stream.replace('\n', end);
            assert_eq!(
                streamed(dialect, other.as_bytes().chunks(5)),
                told(dialect, stream),
                "{dialect} {end:?}"
            );
        }
    }
}

#[test]
fn streams_without_event_lines_say_the_same() {
    for (dialect, stream) in ALL {
        let lines = stream.lines().filter(|line| !line.starts_with("event:"));
        let data: String = lines.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(told(dialect, &data), told(dialect, stream), "{dialect}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn events_do_not_depend_on_chunk_boundaries(pick in 0..ALL.len(), sizes in prop::collection::vec(1usize..99, 1..20)) {
        let (dialect, stream) = ALL[pick];
        let mut rest = stream.as_bytes();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(streamed(dialect, chunks), told(dialect, stream));
    }
}
