//! What becomes of a request whose client goes away: the upstream's work, and the place that it held.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::mock::Fate;

use super::Ruling;
use super::seen::Seen;
use super::subject::{Ask, Subject, Trouble};

/// How soon the upstream must know.
const SOON: Duration = Duration::from_secs(2);
/// How long the first piece of a stream is waited for.
const FIRST: Duration = Duration::from_secs(10);
/// How many clients go away.
const LEAVERS: usize = 16;
/// How many ask at a time, before and after.
const AT_ONCE: usize = 8;

/// A stream that would never end.
fn endless(subject: &Subject) -> Ask {
    Ask { stream: true, leave: true, ..subject.scenario("-mock-stall") }
}

/// C05: the upstream is left within two seconds of the client's leaving.
pub(super) async fn disconnect(subject: &Subject) -> Result<Ruling, Trouble> {
    let ask = endless(subject);
    let seen = match begin(subject, &ask).await? {
        Begun::Streaming(seen) => seen,
        Begun::Silent => return Ok(Ruling::skip(silent())),
        Begun::Refused(_, said) => return Ok(Ruling::skip(format!("the stream did not begin: {said}"))),
    };
    let left = tokio::time::Instant::now();
    drop(seen);
    let ended = |seen: &[crate::mock::Sighting]| seen.last().is_some_and(|sighting| sighting.end.is_some());
    let sighted = subject.upstream_saw(&ask, SOON, ended).await;
    Ok(match sighted.last().and_then(|sighting| sighting.end) {
        Some((Fate::Abandoned, at)) => Ruling::pass(format!(
            "the upstream was left after {} ms",
            at.saturating_duration_since(left).as_millis()
        )),
        Some((fate, _)) => Ruling::skip(format!("the upstream's stream ended by itself ({fate:?})")),
        None => {
            Ruling::fail(format!("the upstream still works {} s after the client has gone", SOON.as_secs()))
        }
    })
}

/// C06: the places of clients who went away are free again.
pub(super) async fn slots(subject: &Subject) -> Result<Ruling, Trouble> {
    let before = refused(subject).await?;
    for left in 0..LEAVERS {
        let ask = endless(subject);
        match begin(subject, &ask).await? {
            Begun::Streaming(_) => {}
            Begun::Silent => return Ok(Ruling::skip(silent())),
            Begun::Refused(429 | 503, said) => {
                let line = format!("after {left} clients had left the next one was refused: {said}");
                // Those of earlier checks have left, too, but so may others.
                return Ok(if left == 0 { Ruling::warn(line) } else { Ruling::fail(line) });
            }
            Begun::Refused(_, said) => return Ok(Ruling::skip(format!("the stream did not begin: {said}"))),
        }
        let ended = |seen: &[crate::mock::Sighting]| seen.iter().all(|sighting| sighting.end.is_some());
        subject.upstream_saw(&ask, SOON.mul_f64(subject.scale.max(0.05)), ended).await;
    }
    let after = refused(subject).await?;
    let line = format!(
        "of {AT_ONCE} requests at once {before} were refused before, {after} after {LEAVERS} clients had left"
    );
    Ok(if after > before { Ruling::fail(line) } else { Ruling::pass(line) })
}

/// What became of a stream that was asked for.
enum Begun {
    /// Its first piece has come.
    Streaming(Seen),
    /// Nothing came.
    Silent,
    /// There is none: the status, and the answer's beginning.
    Refused(u16, String),
}

async fn begin(subject: &Subject, ask: &Ask) -> Result<Begun, Trouble> {
    let Ok(seen) = timeout(FIRST, subject.ask(ask)).await else { return Ok(Begun::Silent) };
    match seen {
        Ok(seen) if seen.told().deltas.is_empty() => Ok(Begun::Refused(seen.status, seen.quote())),
        Ok(seen) => Ok(Begun::Streaming(seen)),
        Err(Trouble::Elsewhere { status, said }) => Ok(Begun::Refused(status, said)),
        Err(trouble) => Err(trouble),
    }
}

fn silent() -> String {
    format!("no piece of a stream came within {} s (C01)", FIRST.as_secs())
}

/// How many of some requests at once have no answer.
async fn refused(subject: &Subject) -> Result<usize, Trouble> {
    let asks: Vec<Ask> = (0..AT_ONCE).map(|_| subject.question()).collect();
    let answers = join_all(asks.iter().map(|ask| subject.ask(ask))).await;
    let mut refused = 0;
    for answer in answers {
        match answer {
            Err(trouble @ (Trouble::Purse | Trouble::Cost(_))) => return Err(trouble),
            Ok(seen) if seen.is_success() => {}
            _ => refused += 1,
        }
    }
    Ok(refused)
}
