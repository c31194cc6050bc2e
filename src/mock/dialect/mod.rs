//! The vendors' own grammars: how each dialect opens, goes on, closes and ends a stream, and its whole answer.

mod chat;
mod complete;
mod messages;
mod responses;
mod sse;

use bytes::Bytes;

use crate::mock::answer::Answer;
use crate::mock::failure::Failure;
use crate::wire::Dialect;

pub(crate) use sse::Names;
pub(crate) use sse::Sse;
pub(crate) use sse::Style;

/// What comes before the first generated piece.
pub(crate) fn open(dialect: Dialect, answer: &Answer, out: &mut Sse) {
    match dialect {
        Dialect::Messages => messages::open(answer, out),
        Dialect::Chat => chat::open(answer, out),
        Dialect::Responses => responses::open(answer, out),
        Dialect::Complete => complete::ping(out),
        Dialect::Raw => {}
    }
}

/// The k-th generated piece.
pub(crate) fn delta(dialect: Dialect, answer: &Answer, k: u64, out: &mut Sse) {
    match dialect {
        Dialect::Messages => messages::delta(answer, k, out),
        Dialect::Chat => chat::delta(answer, k, out),
        Dialect::Responses => responses::delta(answer, k, out),
        Dialect::Complete => complete::delta(answer, k, out),
        Dialect::Raw => out.bytes(&answer.echoed(k)),
    }
}

/// What follows the last piece, up to the terminal event.
pub(crate) fn close(dialect: Dialect, answer: &Answer, out: &mut Sse) {
    match dialect {
        Dialect::Messages => messages::close(answer, out),
        Dialect::Chat => chat::close(answer, out),
        Dialect::Responses => responses::close(answer, out),
        Dialect::Complete | Dialect::Raw => {}
    }
}

/// The event that says the answer is whole.
pub(crate) fn terminal(dialect: Dialect, answer: &Answer, out: &mut Sse) {
    match dialect {
        Dialect::Messages => messages::terminal(out),
        Dialect::Chat => chat::terminal(out),
        Dialect::Responses => responses::terminal(answer, out),
        Dialect::Complete => complete::terminal(answer, out),
        Dialect::Raw => {}
    }
}

/// A sign of life.
pub(crate) fn ping(dialect: Dialect, out: &mut Sse) {
    match dialect {
        Dialect::Messages => messages::ping(out),
        Dialect::Complete => complete::ping(out),
        Dialect::Chat | Dialect::Responses => out.comment("ping"),
        Dialect::Raw => {}
    }
}

/// A failure inside a stream.
pub(crate) fn error(dialect: Dialect, answer: &Answer, out: &mut Sse) {
    let failure = Failure::overloaded();
    match dialect {
        Dialect::Messages => messages::error(answer, &failure, out),
        Dialect::Chat => chat::error(&failure, out),
        Dialect::Responses => responses::error(&failure, out),
        Dialect::Complete => complete::error(&failure, out),
        Dialect::Raw => out.bytes(&failure.body(dialect, "")),
    }
}

/// An event of broken JSON.
pub(crate) fn garbage(dialect: Dialect, out: &mut Sse) {
    let broken = format_args!(r#"{{"type":"broken","delta":{{"text":"cut of"#);
    match dialect {
        Dialect::Messages => out.event("content_block_delta", broken),
        Dialect::Chat => out.data(broken),
        Dialect::Responses => out.event("response.output_text.delta", broken),
        Dialect::Complete => out.event("completion", broken),
        Dialect::Raw => {}
    }
}

/// The whole answer.
pub(crate) fn whole(dialect: Dialect, answer: &Answer) -> Bytes {
    match dialect {
        Dialect::Messages => messages::whole(answer).into(),
        Dialect::Chat => chat::whole(answer).into(),
        Dialect::Responses => responses::whole(answer).into(),
        Dialect::Complete => complete::whole(answer).into(),
        Dialect::Raw => answer.echo.clone(),
    }
}
