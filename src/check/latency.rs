//! How much time the relay itself takes of an answer.

use std::time::Duration;

use super::Ruling;
use super::subject::{NOTED, Subject, Trouble};

/// What a relay may add to a tiny prompt, where the upstream's end tells its own part. Relays alone add 0.4 to 10 ms (llm-gateway-bench, ai-gateway-bench).
const ADDED: Duration = Duration::from_secs(1);
/// What a tiny prompt may take where only the whole is seen, the model's time among it.
const WHOLE: Duration = Duration::from_secs(10);
/// How often it must be so: one long wait may be this machine's, or a model's that was just loaded.
const TRIES: u32 = 3;

/// C40: the relay adds little to the time of an answer.
pub(super) async fn added(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut slow = Vec::new();
    for _ in 0..TRIES {
        let ask = subject.question();
        let seen = subject.ask(&ask).await?;
        if !seen.is_success() {
            return Ok(Ruling::skip(format!("a prompt was answered {}", seen.quote())));
        }
        let whole = seen.took();
        let ended =
            |seen: &[crate::mock::Sighting]| seen.last().is_some_and(|sighting| sighting.end.is_some());
        let sighted = subject.upstream_saw(&ask, NOTED, ended).await;
        // Each attempt of the relay's at the upstream is the upstream's time.
        let elsewhere: Duration =
            sighted.iter().filter_map(|one| Some(one.last?.saturating_duration_since(one.at))).sum();
        let (own, most) =
            if sighted.is_empty() { (whole, WHOLE) } else { (whole.saturating_sub(elsewhere), ADDED) };
        let line = if sighted.is_empty() {
            format!("a prompt of a few words took {} ms", whole.as_millis())
        } else {
            format!("of {} ms the relay took {} ms", whole.as_millis(), own.as_millis())
        };
        if own < most {
            return Ok(Ruling::pass(line));
        }
        slow.push((line, !sighted.is_empty()));
    }
    // Without the other end it may be the model.
    let is_certain = slow.iter().all(|(_, is_seen)| *is_seen);
    let mut lines = slow.into_iter().map(|(line, _)| line);
    let first = lines.next().unwrap_or_default();
    let ruling = if is_certain { Ruling::fail(first) } else { Ruling::warn(first) };
    Ok(lines.fold(ruling, Ruling::and))
}
