//! The legacy Anthropic completion, whose last event is the one with a stop reason.

use crate::mock::answer::Answer;
use crate::mock::answer::Stop;
use crate::mock::dialect::Sse;
use crate::mock::failure::Failure;

const fn stop(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::End | Stop::Tool => "stop_sequence",
        Stop::Length => "max_tokens",
        Stop::Refusal | Stop::Filter => "refusal",
    }
}

pub(super) fn ping(out: &mut Sse) {
    out.event("ping", format_args!(r#"{{"type": "ping"}}"#));
}

pub(super) fn delta(answer: &Answer, k: u64, out: &mut Sse) {
    // The vendor's completions begin with the space after "Assistant:"; here the pieces join without it.
    let (id, model, text) = (&answer.id, &answer.model, answer.piece(k));
    out.event(
        "completion",
        format_args!(
            r#"{{"type":"completion","id":"compl_{id}","completion":"{text}","stop_reason":null,"model":{model}}}"#
        ),
    );
}

pub(super) fn terminal(answer: &Answer, out: &mut Sse) {
    let (id, model, stop) = (&answer.id, &answer.model, stop(answer));
    out.event(
        "completion",
        format_args!(
            r#"{{"type":"completion","id":"compl_{id}","completion":"","stop_reason":"{stop}","model":{model}}}"#
        ),
    );
}

pub(super) fn error(failure: &Failure, out: &mut Sse) {
    let error = failure.anthropic_error();
    out.event("error", format_args!(r#"{{"error":{error}}}"#));
}

pub(super) fn whole(answer: &Answer) -> String {
    let (id, model, stop, text) = (&answer.id, &answer.model, stop(answer), answer.said());
    format!(
        r#"{{"type":"completion","id":"compl_{id}","completion":"{text}","stop_reason":"{stop}","stop":null,"model":{model}}}"#
    )
}
