//! OpenAI Responses: numbered events around items and their parts.

use std::fmt;

use crate::mock::answer::Answer;
use crate::mock::answer::Content;
use crate::mock::answer::Stop;
use crate::mock::answer::UsageReports;
use crate::mock::dialect::Sse;
use crate::mock::failure::Failure;

/// An event with its type and its number; `members` is the rest of its data.
fn numbered(name: &str, members: fmt::Arguments<'_>, out: &mut Sse) {
    let number = out.number();
    out.event(name, format_args!(r#"{{"type":"{name}","sequence_number":{number},{members}}}"#));
}

/// The place of what is said among the items.
const fn index(answer: &Answer) -> u8 {
    if answer.reasoning > 0 { 1 } else { 0 }
}

/// Where an event belongs: the item that is said, and its only part.
fn part_of(answer: &Answer) -> String {
    format!(r#""item_id":"msg_{}","output_index":{},"content_index":0"#, answer.id, index(answer))
}

/// Where an event of the reasoning belongs.
fn summary_of(answer: &Answer) -> String {
    format!(r#""item_id":"rs_{}","output_index":0,"summary_index":0"#, answer.id)
}

/// A part with this text.
fn part(answer: &Answer, text: &dyn fmt::Display) -> String {
    match answer.content {
        Content::Refusal => format!(r#"{{"type":"refusal","refusal":"{text}"}}"#),
        _ => format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":"{text}"}}"#),
    }
}

/// The item that is said, as it stands at the end.
fn said_item(answer: &Answer) -> String {
    let (id, status) = (&answer.id, status(answer));
    match answer.content {
        Content::Tool => format!(
            concat!(
                r#"{{"id":"fc_{}","type":"function_call","status":"completed","arguments":"{}","#,
                r#""call_id":"call_{}","name":"speak"}}"#
            ),
            id,
            answer.said(),
            id
        ),
        _ => format!(
            r#"{{"id":"msg_{id}","type":"message","status":"{status}","content":[{}],"role":"assistant"}}"#,
            part(answer, &answer.said())
        ),
    }
}

/// The reasoning item, as it stands at the end.
fn thought_item(answer: &Answer) -> String {
    format!(
        r#"{{"id":"rs_{}","type":"reasoning","summary":[{{"type":"summary_text","text":"{}"}}]}}"#,
        answer.id,
        answer.thought()
    )
}

/// The status at the end.
const fn status(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::Length | Stop::Filter => "incomplete",
        _ => "completed",
    }
}

fn usage(answer: &Answer) -> String {
    format!(
        concat!(
            r#"{{"input_tokens":{},"input_tokens_details":{{"cached_tokens":0,"cache_write_tokens":0}},"#,
            r#""output_tokens":{},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}}"#
        ),
        answer.input,
        answer.tokens,
        answer.reasoning,
        answer.input + answer.tokens,
    )
}

/// The response object with what changes over time.
fn response(answer: &Answer, status: &str, output: &str, usage: &str) -> String {
    let details = match answer.stop {
        Stop::Length if status == "incomplete" => r#"{"reason":"max_output_tokens"}"#,
        Stop::Filter if status == "incomplete" => r#"{"reason":"content_filter"}"#,
        _ => "null",
    };
    format!(
        concat!(
            r#"{{"id":"resp_{}","object":"response","created_at":{},"status":"{}","background":false,"error":null,"#,
            r#""incomplete_details":{},"instructions":null,"max_output_tokens":null,"model":{},"output":[{}],"#,
            r#""parallel_tool_calls":true,"previous_response_id":null,"reasoning":{{"effort":null,"summary":null}},"#,
            r#""service_tier":"default","store":false,"temperature":1.0,"text":{{"format":{{"type":"text"}}}},"#,
            r#""tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{},"user":null,"#,
            r#""metadata":{{}}}}"#
        ),
        answer.id, answer.created, status, details, answer.model, output, usage
    )
}

pub(super) fn open(answer: &Answer, out: &mut Sse) {
    let response = response(answer, "in_progress", "", "null");
    numbered("response.created", format_args!(r#""response":{response}"#), out);
    numbered("response.in_progress", format_args!(r#""response":{response}"#), out);
    if answer.reasoning > 0 {
        let item = format_args!(
            r#""output_index":0,"item":{{"id":"rs_{}","type":"reasoning","summary":[]}}"#,
            answer.id
        );
        numbered("response.output_item.added", item, out);
        let place = summary_of(answer);
        let part = format_args!(r#"{place},"part":{{"type":"summary_text","text":""}}"#);
        numbered("response.reasoning_summary_part.added", part, out);
    } else {
        start(answer, out);
    }
}

/// The beginning of what is said.
fn start(answer: &Answer, out: &mut Sse) {
    let (id, index) = (&answer.id, index(answer));
    if answer.content == Content::Tool {
        let item = format_args!(
            concat!(
                r#""output_index":{},"item":{{"id":"fc_{}","type":"function_call","status":"in_progress","#,
                r#""arguments":"","call_id":"call_{}","name":"speak"}}"#
            ),
            index, id, id
        );
        return numbered("response.output_item.added", item, out);
    }
    let item = format_args!(
        concat!(
            r#""output_index":{},"item":{{"id":"msg_{}","type":"message","status":"in_progress","#,
            r#""content":[],"role":"assistant"}}"#
        ),
        index, id
    );
    numbered("response.output_item.added", item, out);
    let (place, part) = (part_of(answer), part(answer, &""));
    numbered("response.content_part.added", format_args!(r#"{place},"part":{part}"#), out);
}

pub(super) fn delta(answer: &Answer, k: u64, out: &mut Sse) {
    if answer.turns_at(k) {
        end_thought(answer, out);
        start(answer, out);
    }
    let (id, index, text) = (&answer.id, index(answer), answer.piece(k));
    if answer.is_thought(k) {
        let delta =
            format_args!(r#""item_id":"rs_{id}","output_index":0,"summary_index":0,"delta":"{text}""#);
        return numbered("response.reasoning_summary_text.delta", delta, out);
    }
    match answer.content {
        Content::Tool => numbered(
            "response.function_call_arguments.delta",
            format_args!(r#""item_id":"fc_{id}","output_index":{index},"delta":"{text}""#),
            out,
        ),
        Content::Refusal => numbered(
            "response.refusal.delta",
            format_args!(r#""item_id":"msg_{id}","output_index":{index},"content_index":0,"delta":"{text}""#),
            out,
        ),
        Content::Text => numbered(
            "response.output_text.delta",
            format_args!(
                r#""item_id":"msg_{id}","output_index":{index},"content_index":0,"delta":"{text}","logprobs":[]"#
            ),
            out,
        ),
    }
}

fn end_thought(answer: &Answer, out: &mut Sse) {
    let (place, text) = (summary_of(answer), answer.thought());
    numbered("response.reasoning_summary_text.done", format_args!(r#"{place},"text":"{text}""#), out);
    let part = format_args!(r#"{place},"part":{{"type":"summary_text","text":"{text}"}}"#);
    numbered("response.reasoning_summary_part.done", part, out);
    let item = thought_item(answer);
    numbered("response.output_item.done", format_args!(r#""output_index":0,"item":{item}"#), out);
}

pub(super) fn close(answer: &Answer, out: &mut Sse) {
    let (place, text, index) = (part_of(answer), answer.said(), index(answer));
    match answer.content {
        Content::Tool => numbered(
            "response.function_call_arguments.done",
            format_args!(
                r#""item_id":"fc_{}","output_index":{index},"name":"speak","arguments":"{text}""#,
                answer.id
            ),
            out,
        ),
        Content::Refusal => {
            numbered("response.refusal.done", format_args!(r#"{place},"refusal":"{text}""#), out);
        }
        Content::Text => numbered(
            "response.output_text.done",
            format_args!(r#"{place},"text":"{text}","logprobs":[]"#),
            out,
        ),
    }
    if answer.content != Content::Tool {
        let part = part(answer, &text);
        numbered("response.content_part.done", format_args!(r#"{place},"part":{part}"#), out);
    }
    let item = said_item(answer);
    numbered("response.output_item.done", format_args!(r#""output_index":{index},"item":{item}"#), out);
    if answer.usage == UsageReports::Twice {
        let response = response(answer, "in_progress", "", &usage(answer));
        numbered("response.in_progress", format_args!(r#""response":{response}"#), out);
    }
}

/// The response as it stands at the end.
pub(super) fn whole(answer: &Answer) -> String {
    let thought = if answer.reasoning > 0 { thought_item(answer) + "," } else { String::new() };
    let output = format!("{thought}{}", said_item(answer));
    response(answer, status(answer), &output, &usage(answer))
}

pub(super) fn terminal(answer: &Answer, out: &mut Sse) {
    let response = whole(answer);
    let name = format!("response.{}", status(answer));
    numbered(&name, format_args!(r#""response":{response}"#), out);
}

pub(super) fn error(failure: &Failure, out: &mut Sse) {
    let (code, message) = failure.openai_code_and_message();
    numbered("error", format_args!(r#""code":{code},"message":{message},"param":null"#), out);
}
