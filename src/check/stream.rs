//! Whether a stream arrives as it left: piece by piece, in the dialect's grammar, with its usage and its model.

use std::time::Duration;

use serde_json::Value;

use crate::wire::Dialect;
use crate::wire::sse::{Decoder, Frame};

use super::Ruling;
use super::seen::{Seen, excerpt};
use super::subject::{Ask, Subject, Trouble};

/// How often a stream must look held back before it is called so.
const TRIES: u32 = 3;
/// Fewer pieces than these say nothing.
const PIECES: usize = 5;
/// Without the upstream's evidence: all pieces within this time …
const BURST: Duration = Duration::from_millis(250);
/// … that come no sooner than this, and no sooner than four times the burst, were held back.
const LATE: Duration = Duration::from_millis(800);
/// The least that the two times above are shortened to.
const LEAST_SCALE: f64 = 0.1;

fn streamed(subject: &Subject) -> Ask {
    Ask { stream: true, ..subject.question() }
}

/// C01: a stream is not held back until it is whole.
pub(super) async fn buffered(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut shown = Vec::new();
    for _ in 0..TRIES {
        let ask = streamed(subject);
        let seen = subject.ask(&ask).await?;
        let told = seen.told();
        let (Some(first), Some(last)) = (told.deltas.first(), told.deltas.last()) else {
            return Ok(Ruling::fail(format!("the stream has no pieces: {}", seen.quote())));
        };
        if told.deltas.len() < PIECES {
            return Ok(Ruling::skip(format!(
                "an answer of {} pieces is too short to tell",
                told.deltas.len()
            )));
        }
        let (waited, spread) = (*first - seen.asked, *last - *first);
        let line = format!(
            "{} pieces within {} ms, the first after {} ms",
            told.deltas.len(),
            spread.as_millis(),
            waited.as_millis()
        );
        let upstream = subject.upstream_saw(&ask, Duration::ZERO, |_| true).await;
        let ends = upstream.last().and_then(|sighting| Some((sighting.first?, sighting.last?)));
        let held = if let Some((left_first, left_last)) = ends {
            // Both ends are known: nothing came before all of it had left.
            left_last > left_first && *first >= left_last
        } else {
            let scale = subject.scale.max(LEAST_SCALE);
            spread <= BURST.mul_f64(scale) && waited >= LATE.mul_f64(scale).max(4 * spread)
        };
        if !held {
            return Ok(Ruling::pass(line));
        }
        shown.push(line);
    }
    let evidence = if subject.upstream.is_some() {
        "the first piece came after the upstream had sent its last"
    } else {
        "all pieces came at once, after a long wait"
    };
    Ok(shown.into_iter().fold(Ruling::fail(evidence), Ruling::and))
}

/// C02: usage is stated, and the same whether the answer streams or not.
pub(super) async fn usage(subject: &Subject) -> Result<Ruling, Trouble> {
    let ask = subject.question();
    let whole = subject.ask(&ask).await?.told().usage;
    let streamed = subject.ask(&Ask { stream: true, ..ask }).await?.told().usage;
    let line = format!(
        "whole: {} in, {} out; stream: {} in, {} out",
        count(whole.input),
        count(whole.output),
        count(streamed.input),
        count(streamed.output)
    );
    let stated = |tokens: Option<u64>| tokens.is_some_and(|tokens| tokens > 0);
    if !stated(streamed.input) || !stated(streamed.output) {
        return Ok(Ruling::fail("the stream states no usage").and(line));
    }
    if !stated(whole.input) || !stated(whole.output) {
        return Ok(Ruling::fail("the whole answer states no usage").and(line));
    }
    let (whole, streamed) = (whole.input.unwrap_or(0), streamed.input.unwrap_or(0));
    // The same prompt; vendors count it alike within two per cent, and our own upstream exactly.
    let allowance = if subject.upstream.is_some() { 0 } else { whole / 50 };
    Ok(if whole.abs_diff(streamed) > allowance {
        Ruling::fail("the same prompt is counted differently").and(line)
    } else {
        Ruling::pass(line)
    })
}

fn count(tokens: Option<u64>) -> String {
    tokens.map_or_else(|| "nothing".to_owned(), |tokens| tokens.to_string())
}

/// C11: the answer names the model that was asked for.
pub(super) async fn model(subject: &Subject) -> Result<Ruling, Trouble> {
    let asked = &subject.model;
    for stream in [false, true] {
        let told = subject.ask(&Ask { stream, ..subject.question() }).await?.told();
        let shape = if stream { "the stream" } else { "the whole answer" };
        let Some(named) = told.model else {
            return Ok(Ruling::warn(format!("{shape} names no model")));
        };
        // Vendors answer an alias with the dated name that it stands for.
        if named != *asked && !named.starts_with(asked.as_str()) {
            return Ok(Ruling::fail(format!(
                "asked for {asked}, {shape} names {}",
                excerpt(named.as_bytes())
            )));
        }
    }
    Ok(Ruling::pass(format!("{asked}, whole and streamed")))
}

/// C16: the events of a stream are those of the dialect, in their order, and nothing else.
pub(super) async fn grammar(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&streamed(subject)).await?;
    if !seen.is_success() {
        return Ok(Ruling::fail(format!("a stream was answered {}", seen.quote())));
    }
    let kind = seen.header("content-type").unwrap_or("none").to_owned();
    if !kind.starts_with("text/event-stream") {
        return Ok(Ruling::fail(format!("the content type of a stream is {kind}")).and(seen.quote()));
    }
    let events = match events(&seen) {
        Ok(events) => events,
        Err(why) => return Ok(Ruling::fail(why)),
    };
    let slip = match subject.dialect {
        Dialect::Messages => slip_in_messages(&events),
        Dialect::Chat => slip_in_chat(&events),
        _ => (!seen.told().terminal).then(|| "the terminal event is missing".to_owned()),
    };
    Ok(match slip {
        Some(slip) => Ruling::fail(slip),
        None => Ruling::pass(format!("{} events", events.len())),
    })
}

/// The name and the data of each event.
fn events(seen: &Seen) -> Result<Vec<(Option<String>, String)>, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut events = Vec::new();
    let mut decoder = Decoder::new(crate::wire::sse::DEFAULT_LIMIT);
    let mut take = |frame: Frame<'_>| {
        if let Frame::Event { name, data } = frame
            && !data.is_empty()
        {
            events.push((name.map(text), text(data)));
        }
    };
    decoder.feed(&seen.body(), &mut take).map_err(|error| error.to_string())?;
    decoder.finish(&mut take);
    Ok(events)
}

fn slip_in_messages(events: &[(Option<String>, String)]) -> Option<String> {
    let mut kinds = Vec::new();
    for (name, data) in events {
        let Ok(read) = serde_json::from_str::<Value>(data) else {
            return Some(format!("an event's data is no JSON: {}", excerpt(data.as_bytes())));
        };
        let kind = read["type"].as_str().unwrap_or_default().to_owned();
        if name.as_deref() != Some(kind.as_str()) {
            let name = name.as_deref().unwrap_or("none");
            return Some(format!("the event's name is {name}, and its type {kind}"));
        }
        if kind != "ping" {
            kinds.push(kind);
        }
    }
    let (first, last) = (kinds.first()?, kinds.last()?);
    let stops = kinds.iter().filter(|kind| *kind == "message_stop").count();
    (first != "message_start" || last != "message_stop" || stops != 1)
        .then(|| format!("the events begin with {first} and end with {last}, message_stop {stops} times"))
}

fn slip_in_chat(events: &[(Option<String>, String)]) -> Option<String> {
    const DONE: &str = "[DONE]";
    let done = events.iter().filter(|(_, data)| data == DONE).count();
    if done != 1 || events.last().is_none_or(|(_, data)| data != DONE) {
        return Some(format!("[DONE] stands there {done} times, and must once, at the end"));
    }
    let mut finished = 0;
    for (_, data) in &events[..events.len() - 1] {
        let Ok(read) = serde_json::from_str::<Value>(data) else {
            return Some(format!("an event's data is no JSON: {}", excerpt(data.as_bytes())));
        };
        let choices = read["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        finished += choices.iter().filter(|choice| choice["finish_reason"].is_string()).count();
    }
    (finished != 1).then(|| format!("finish_reason is stated {finished} times, and must be once"))
}
