//! OpenAI chat completions, as its SDK reads them.

use std::fmt;

use crate::mock::answer::Answer;
use crate::mock::answer::Content;
use crate::mock::answer::Stop;
use crate::mock::answer::UsageReports;
use crate::mock::dialect::Sse;
use crate::mock::failure::Failure;

const fn stop(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::End | Stop::Refusal => "stop",
        Stop::Length => "length",
        Stop::Tool => "tool_calls",
        Stop::Filter => "content_filter",
    }
}

fn usage(answer: &Answer) -> String {
    format!(
        concat!(
            r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"#,
            r#""prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"#,
            r#""completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":0,"#,
            r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
        ),
        answer.input,
        answer.tokens,
        answer.input + answer.tokens,
        answer.reasoning,
    )
}

/// The members that the whole answer and every chunk share.
struct Head<'a>(&'a Answer, &'static str);

impl fmt::Display for Head<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(answer, object) = self;
        write!(
            out,
            concat!(
                r#""id":"chatcmpl-{}","object":"{}","created":{},"model":{},"#,
                r#""service_tier":"default","system_fingerprint":"fp_mock""#
            ),
            answer.id, object, answer.created, answer.model
        )
    }
}

/// A chunk with these choices; where usage was asked for, all but the last say `null`.
fn chunk(answer: &Answer, choices: fmt::Arguments<'_>, out: &mut Sse) {
    let head = Head(answer, "chat.completion.chunk");
    let usage = if answer.usage == UsageReports::None { "" } else { r#","usage":null"# };
    out.data(format_args!(r#"{{{head},"choices":[{choices}]{usage}}}"#));
}

/// A chunk that adds to the only choice.
fn choice(answer: &Answer, delta: fmt::Arguments<'_>, out: &mut Sse) {
    let choice = format_args!(r#"{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":null}}"#);
    chunk(answer, choice, out);
}

pub(super) fn open(answer: &Answer, out: &mut Sse) {
    if answer.content == Content::Tool {
        let call = format_args!(
            concat!(
                r#""role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"call_{}","#,
                r#""type":"function","function":{{"name":"speak","arguments":""}}}}]"#
            ),
            answer.id
        );
        choice(answer, call, out);
    } else {
        choice(answer, format_args!(r#""role":"assistant","content":"","refusal":null"#), out);
    }
}

pub(super) fn delta(answer: &Answer, k: u64, out: &mut Sse) {
    let text = answer.piece(k);
    match answer.content {
        _ if answer.is_thought(k) => choice(answer, format_args!(r#""reasoning_content":"{text}""#), out),
        Content::Text => choice(answer, format_args!(r#""content":"{text}""#), out),
        Content::Refusal => choice(answer, format_args!(r#""refusal":"{text}""#), out),
        Content::Tool => choice(
            answer,
            format_args!(r#""tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]"#),
            out,
        ),
    }
}

pub(super) fn close(answer: &Answer, out: &mut Sse) {
    let reason = stop(answer);
    let last = format_args!(r#"{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}"#);
    chunk(answer, last, out);
    let (head, usage) = (Head(answer, "chat.completion.chunk"), usage(answer));
    for _ in 0..answer.usage.times() {
        out.data(format_args!(r#"{{{head},"choices":[],"usage":{usage}}}"#));
    }
}

pub(super) fn terminal(out: &mut Sse) {
    out.data(format_args!("[DONE]"));
}

pub(super) fn error(failure: &Failure, out: &mut Sse) {
    let (code, message) = failure.openai_code_and_message();
    out.data(format_args!(
        r#"{{"error":{{"message":{message},"type":"overloaded_error","param":null,"code":{code}}}}}"#
    ));
}

pub(super) fn whole(answer: &Answer) -> String {
    let thought = if answer.reasoning > 0 {
        format!(r#","reasoning_content":"{}""#, answer.thought())
    } else {
        String::new()
    };
    let said = answer.said();
    let message = match answer.content {
        Content::Text => format!(r#""content":"{said}","refusal":null"#),
        Content::Refusal => format!(r#""content":null,"refusal":"{said}""#),
        Content::Tool => format!(
            concat!(
                r#""content":null,"refusal":null,"tool_calls":[{{"id":"call_{}","type":"function","#,
                r#""function":{{"name":"speak","arguments":"{}"}}}}]"#
            ),
            answer.id, said
        ),
    };
    format!(
        concat!(
            r#"{{{},"choices":[{{"index":0,"message":{{"role":"assistant",{}{},"annotations":[]}},"#,
            r#""logprobs":null,"finish_reason":"{}"}}],"usage":{}}}"#
        ),
        Head(answer, "chat.completion"),
        message,
        thought,
        stop(answer),
        usage(answer),
    )
}
