//! Answers in the legacy Anthropic completion dialect.

use serde::Deserialize;

use super::json::{BODY, EVENT, parse};
use super::lenient::{Present, Text};
use super::{Delta, Event, Stop, WireError, decode_error};

/// Reads one event of a stream; `name` counts where the data has no type of its own.
pub(super) fn event(
    name: Option<&str>,
    data: &[u8],
    emit: &mut impl FnMut(Event<'_>),
) -> Result<(), WireError> {
    let Some(reply) = parse::<Reply<'_>>(EVENT, data)? else { return Ok(()) };
    match reply.kind.0.as_deref().or(name).unwrap_or_default() {
        "ping" => emit(Event::Ping),
        "error" => emit(Event::Error(decode_error(200, data))),
        _ if reply.error.0 => emit(Event::Error(decode_error(200, data))),
        "completion" | "" => {
            // This dialect has no last event of its own: the reason to stop is the end.
            let ended = reply.stop_reason.0.is_some();
            reply.emit(emit);
            if ended {
                emit(Event::Terminal);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads a whole reply; `false` where the JSON is none.
pub(super) fn whole(body: &[u8], emit: &mut impl FnMut(Event<'_>)) -> Result<bool, WireError> {
    let reply = parse::<Reply<'_>>(BODY, body)?.unwrap_or_default();
    if reply.kind.as_str() == "error" || reply.error.0 {
        emit(Event::Error(decode_error(200, body)));
        return Ok(true);
    }
    let of_the_dialect = reply.completion.0.is_some();
    if of_the_dialect {
        reply.emit(emit);
        emit(Event::Terminal);
    }
    Ok(of_the_dialect)
}

/// A whole reply or a piece of a streamed one, which look the same.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    completion: Text<'a>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    error: Present,
}

impl Reply<'_> {
    /// Hands out what the reply says.
    fn emit(self, emit: &mut impl FnMut(Event<'_>)) {
        self.model.filled().map(Event::Model).into_iter().for_each(&mut *emit);
        self.id.filled().map(Event::Id).into_iter().for_each(&mut *emit);
        self.completion.filled().map(Delta::Text).map(Event::Delta).into_iter().for_each(&mut *emit);
        self.stop_reason.0.map(|word| Event::Stop(Stop::of(&word))).into_iter().for_each(emit);
    }
}
