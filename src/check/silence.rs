//! Whether a long wait survives: answers that are made for a minute before their first byte.

use std::time::Duration;

use crate::mock::HELD;

use super::Ruling;
use super::subject::{Ask, Subject, Trouble};

/// How long the upstream is silent; nginx gives up after 60 s.
pub const SILENCE: Duration = Duration::from_secs(65);

/// C07: a whole answer that takes 65 s.
pub(super) async fn whole(subject: &Subject) -> Result<Ruling, Trouble> {
    after_silence(subject, false).await
}

/// C08: a stream whose first byte takes 65 s.
pub(super) async fn stream(subject: &Subject) -> Result<Ruling, Trouble> {
    after_silence(subject, true).await
}

async fn after_silence(subject: &Subject, stream: bool) -> Result<Ruling, Trouble> {
    let patience = subject.scaled(SILENCE);
    let ask = Ask { stream, patience, ..subject.scenario(HELD) };
    let seen = match subject.ask(&ask).await {
        Err(Trouble::Net(error)) => return Ok(Ruling::fail(format!("the connection broke: {error}"))),
        answered => answered?,
    };
    let told = seen.told();
    let took = seen.took().as_secs_f64();
    if seen.is_success() && !told.text.is_empty() && (told.terminal || !stream) {
        let early = seen.chunks.first().map(|(at, _)| *at - seen.asked).filter(|first| *first < patience / 2);
        let signs =
            early.map_or_else(String::new, |first| format!(", a sign of life after {} s", first.as_secs()));
        return Ok(Ruling::pass(format!("answered after {took:.1} s{signs}")));
    }
    Ok(Ruling::fail(format!("after {took:.1} s of silence: {}", seen.quote())))
}
