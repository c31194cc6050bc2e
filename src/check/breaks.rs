//! What becomes of an answer that breaks, and of one that is only unusual.

use super::Ruling;
use super::seen::{End, Seen, Told};
use super::subject::{Ask, Subject, Trouble};

/// What the largest event of the upstream's weighs.
const HUGE: usize = 20 * 1024 * 1024;

async fn stream_of(subject: &Subject, suffix: &str) -> Result<(Seen, Told), Trouble> {
    let seen = subject.ask(&Ask { stream: true, ..subject.scenario(suffix) }).await?;
    let told = seen.told();
    Ok((seen, told))
}

/// Whether a client can tell that something went wrong.
fn is_visible(seen: &Seen, told: &Told) -> bool {
    !seen.is_success() || told.error.is_some() || matches!(seen.end, End::Broken(_))
}

/// C09: a 200 without a byte is not passed off as an answer.
pub(super) async fn empty(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-empty").await?;
    let line = format!("the upstream's empty 200 was answered {}", seen.quote());
    Ok(if is_visible(&seen, &told) { Ruling::pass(line) } else { Ruling::fail(line) })
}

/// C10: an error event inside of a stream reaches the client, and no success follows it.
pub(super) async fn error_event(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-error-event").await?;
    if !is_visible(&seen, &told) {
        let end = if told.terminal { "a successful end" } else { "a clean end" };
        return Ok(Ruling::fail(format!("the upstream's error event became {end}")).and(tail(&seen)));
    }
    if told.error.is_some() && told.stop.is_some() {
        return Ok(Ruling::fail("the error is followed by a successful end").and(tail(&seen)));
    }
    Ok(Ruling::pass(told.error.map_or_else(|| seen.quote(), |error| error.message)))
}

/// C31: a stream whose connection breaks does not look whole.
pub(super) async fn reset(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-cut").await?;
    if is_visible(&seen, &told) {
        let shown = match (&seen.end, &told.error) {
            (End::Broken(_), _) => "the connection broke as the upstream's did".to_owned(),
            (_, Some(error)) => format!("told as an error: {}", error.message),
            _ => seen.quote(),
        };
        return Ok(Ruling::pass(shown));
    }
    let end =
        if told.terminal { "a terminal event was added" } else { "the reply ends cleanly, without an error" };
    Ok(Ruling::fail(format!("the upstream broke off, and {end}")).and(tail(&seen)))
}

/// C32: a terminal event that the upstream did not send is not added.
pub(super) async fn no_terminal(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-no-done").await?;
    if told.terminal {
        let line = "the upstream sent no terminal event, and the relay added one";
        return Ok(Ruling::fail(line).and(tail(&seen)));
    }
    Ok(Ruling::pass("its absence can be seen"))
}

/// C33: an event of 20 MiB comes through.
pub(super) async fn huge_event(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-huge-event").await?;
    let length = told.text.len();
    if length >= HUGE && told.terminal {
        return Ok(Ruling::pass(format!("{length} bytes of text arrived")));
    }
    let visible = if is_visible(&seen, &told) { "with an error" } else { "silently" };
    let line =
        format!("of {HUGE} bytes and more in one event {length} arrived, and the stream ended {visible}");
    Ok(if is_visible(&seen, &told) { Ruling::warn(line) } else { Ruling::fail(line) })
}

/// C36: characters that lie in two reads stay whole.
pub(super) async fn split_text(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-split-utf8").await?;
    if told.text.is_empty() || !told.terminal {
        return Ok(Ruling::fail(format!("the answer did not arrive whole: {}", seen.quote())));
    }
    if told.text.is_ascii() {
        return Ok(Ruling::skip("the answer happens to have no character of more than one byte"));
    }
    Ok(if told.text.contains(char::REPLACEMENT_CHARACTER) {
        Ruling::fail(format!("characters were lost: {}", super::seen::excerpt(told.text.as_bytes())))
    } else {
        Ruling::pass("every character arrived")
    })
}

/// C34: comments, which keep silent connections alive, reach the client.
pub(super) async fn comments(subject: &Subject) -> Result<Ruling, Trouble> {
    let (seen, told) = stream_of(subject, "-mock-comments").await?;
    if !told.terminal {
        return Ok(Ruling::fail(format!("a stream with comments did not arrive whole: {}", seen.quote())));
    }
    Ok(match told.pings {
        // Anthropic's own ping opens every stream.
        0 | 1 => {
            Ruling::warn("the upstream's comments were dropped, so that nothing keeps a silent stream alive")
        }
        pings => Ruling::pass(format!("{pings} signs of life arrived")),
    })
}

/// The end of a body.
fn tail(seen: &Seen) -> String {
    let body = seen.body();
    format!("its last bytes: {}", super::seen::excerpt(&body[body.len().saturating_sub(200)..]))
}
