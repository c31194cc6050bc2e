//! Anthropic Messages, as its SDK reads them.

use std::fmt;

use crate::mock::answer::Answer;
use crate::mock::answer::Content;
use crate::mock::answer::Stop;
use crate::mock::dialect::Sse;
use crate::mock::failure::Failure;

/// Why the answer ends, with what goes with it.
const fn stop(answer: &Answer) -> (&'static str, &'static str) {
    match answer.stop {
        Stop::End => ("end_turn", "null"),
        Stop::Length => ("max_tokens", "null"),
        Stop::Tool => ("tool_use", "null"),
        // The vendor has no stop reason for filters: they too are refusals.
        Stop::Refusal | Stop::Filter => {
            ("refusal", r#"{"type":"refusal","category":null,"explanation":null}"#)
        }
    }
}

/// The counts, cumulative over the stream.
fn usage(answer: &Answer, output: u64) -> String {
    format!(
        concat!(
            r#"{{"input_tokens":{},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"#,
            r#""cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"#,
            r#""output_tokens":{},"output_tokens_details":{{"thinking_tokens":{}}},"#,
            r#""server_tool_use":null,"service_tier":"standard"}}"#
        ),
        answer.input,
        output,
        answer.reasoning.min(output),
    )
}

pub(super) fn open(answer: &Answer, out: &mut Sse) {
    out.event(
        "message_start",
        format_args!(
            concat!(
                r#"{{"type":"message_start","message":{{"id":"msg_{}","type":"message","role":"assistant","#,
                r#""model":{},"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{}}}}}"#
            ),
            answer.id,
            answer.model,
            usage(answer, u64::from(answer.tokens > 0)),
        ),
    );
    if answer.reasoning > 0 {
        let block = r#"{"type":"thinking","thinking":"","signature":""}"#;
        out.event(
            "content_block_start",
            format_args!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
        );
    } else {
        start(answer, 0, out);
    }
    ping(out);
}

/// The beginning of what is said.
fn start(answer: &Answer, index: u8, out: &mut Sse) {
    let block = match answer.content {
        Content::Tool => {
            format!(r#"{{"type":"tool_use","id":"toolu_{}","name":"speak","input":{{}}}}"#, answer.id)
        }
        _ => r#"{"type":"text","text":""}"#.into(),
    };
    out.event(
        "content_block_start",
        format_args!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#),
    );
}

pub(super) fn delta(answer: &Answer, k: u64, out: &mut Sse) {
    if answer.turns_at(k) {
        block_delta(0, format_args!(r#""type":"signature_delta","signature":"bW9jaw==""#), out);
        stop_block(0, out);
        start(answer, 1, out);
    }
    let (index, text) = (index(answer), answer.piece(k));
    match answer.content {
        _ if answer.is_thought(k) => {
            block_delta(0, format_args!(r#""type":"thinking_delta","thinking":"{text}""#), out);
        }
        Content::Tool => {
            block_delta(index, format_args!(r#""type":"input_json_delta","partial_json":"{text}""#), out);
        }
        _ => block_delta(index, format_args!(r#""type":"text_delta","text":"{text}""#), out),
    }
}

/// The place of what is said among the blocks.
const fn index(answer: &Answer) -> u8 {
    if answer.reasoning > 0 { 1 } else { 0 }
}

fn block_delta(index: u8, delta: fmt::Arguments<'_>, out: &mut Sse) {
    out.event(
        "content_block_delta",
        format_args!(r#"{{"type":"content_block_delta","index":{index},"delta":{{{delta}}}}}"#),
    );
}

fn stop_block(index: u8, out: &mut Sse) {
    out.event("content_block_stop", format_args!(r#"{{"type":"content_block_stop","index":{index}}}"#));
}

pub(super) fn close(answer: &Answer, out: &mut Sse) {
    stop_block(index(answer), out);
    let (reason, details) = stop(answer);
    let usage = usage(answer, answer.tokens);
    for _ in 0..answer.usage.times() {
        out.event(
            "message_delta",
            format_args!(
                concat!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null,"#,
                    r#""stop_details":{}}},"usage":{}}}"#
                ),
                reason, details, usage
            ),
        );
    }
}

pub(super) fn terminal(out: &mut Sse) {
    out.event("message_stop", format_args!(r#"{{"type":"message_stop"}}"#));
}

pub(super) fn ping(out: &mut Sse) {
    out.event("ping", format_args!(r#"{{"type": "ping"}}"#));
}

pub(super) fn error(answer: &Answer, failure: &Failure, out: &mut Sse) {
    let error = failure.anthropic_error();
    out.event(
        "error",
        format_args!(r#"{{"type":"error","error":{error},"request_id":"req_{}"}}"#, answer.id),
    );
}

pub(super) fn whole(answer: &Answer) -> String {
    let (reason, details) = stop(answer);
    let thinking = if answer.reasoning > 0 {
        format!(r#"{{"type":"thinking","thinking":"{}","signature":"bW9jaw=="}},"#, answer.thought())
    } else {
        String::new()
    };
    let said = match answer.content {
        _ if answer.tokens == 0 => String::new(),
        Content::Tool => format!(
            r#"{{"type":"tool_use","id":"toolu_{}","name":"speak","input":{}}}"#,
            answer.id,
            answer.arguments()
        ),
        _ => format!(r#"{{"type":"text","text":"{}"}}"#, answer.said()),
    };
    format!(
        concat!(
            r#"{{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{}{}],"#,
            r#""stop_reason":"{}","stop_sequence":null,"stop_details":{},"usage":{}}}"#
        ),
        answer.id,
        answer.model,
        thinking,
        said,
        reason,
        details,
        usage(answer, answer.tokens),
    )
}
