//! Whether errors are told as the dialect tells them: wrong keys, broken bodies, unknown models.

use crate::mock::NO_MODEL;

use super::dress::Dress;
use super::subject::{Ask, Key, Subject, Trouble};
use super::{Ruling, Verdict};

/// C25: a wrong key, and none, are refused with 401 or 403 in the dialect's shape; so is a signature by a wrong key, and none.
pub(super) async fn wrong_key(subject: &Subject) -> Result<Ruling, Trouble> {
    let with = |key, signature| Ask { key, signature, ..subject.question() };
    let mut asks = Vec::new();
    if subject.credential.is_some() {
        asks.push((with(Key::Wrong, Key::Own), "a wrong key"));
        asks.push((with(Key::Absent, Key::Own), "no key"));
    }
    if subject.signer.is_some() {
        asks.push((with(Key::Own, Key::Wrong), "a signature by a wrong key"));
        asks.push((with(Key::Own, Key::Absent), "no signature"));
    }
    if asks.is_empty() {
        return Ok(Ruling::skip("no key was given, so that a wrong one cannot be told from it"));
    }
    let mut ruling = Ruling { verdict: Verdict::Pass, evidence: Vec::new() };
    for (ask, name) in asks {
        let seen = subject.ask(&ask).await?;
        let verdict = match seen.status {
            401 | 403 if seen.misshapen().is_none() => Verdict::Pass,
            401 | 403 => Verdict::Warn,
            _ => Verdict::Fail,
        };
        ruling.verdict = ruling.verdict.max(verdict);
        ruling = ruling.and(format!("{name} was answered {}", seen.quote()));
    }
    Ok(ruling)
}

/// C26: a body that is no JSON is refused with 400 or 422, in the dialect's shape, without a look into the relay.
pub(super) async fn shape(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&Ask { dress: Dress::Torn, ..subject.question() }).await?;
    let answer = format!("half a JSON body was answered {}", seen.quote());
    if let Some(trace) = trace_in(&seen.text()) {
        return Ok(Ruling::fail(format!("the error shows a stack trace ({trace})")).and(answer));
    }
    if !matches!(seen.status, 400 | 422) {
        return Ok(Ruling::fail(answer));
    }
    Ok(match seen.misshapen() {
        Some(lack) => Ruling::fail(lack).and(answer),
        None => Ruling::pass(answer),
    })
}

/// C27: a model that does not exist is not answered by another.
pub(super) async fn unknown_model(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&Ask { model: NO_MODEL.to_owned(), ..subject.question() }).await?;
    let answer = format!("the model {NO_MODEL} was answered {}", seen.quote());
    Ok(match seen.status {
        429 => Ruling::skip(answer),
        400..=499 if seen.misshapen().is_none() => Ruling::pass(answer),
        400..=499 => Ruling::warn(answer),
        _ => Ruling::fail(answer),
    })
}

/// The words of a stack trace, as Python, Node and Go print them.
fn trace_in(text: &str) -> Option<&'static str> {
    const MARKS: [&str; 4] = ["Traceback (most recent call last)", "\n    at ", "\\n    at ", "goroutine "];
    MARKS.into_iter().find(|mark| text.contains(mark)).map(|mark| mark.trim().trim_start_matches("\\n    "))
}
