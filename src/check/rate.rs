//! Whether the rate limit is the one that is configured: measured by asking for more.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::units::Rate;

use super::seen::Seen;
use super::subject::{Subject, Trouble};
use super::{Ruling, Verdict};

/// How many windows are looked at.
const WINDOWS: u32 = 2;
/// How much more than the limit is asked for.
const TOO_MUCH: f64 = 1.5;
/// How far the count may be off.
const OFF: f64 = 0.05;
/// How many ask at once for what has been saved up.
const AT_ONCE: u64 = 8;
/// How much faster than the limit that must be, for it to say anything.
const FASTER: f64 = 1.2;
/// How long a refusal may take.
const CHEAP: Duration = Duration::from_millis(50);
/// The longest `Retry-After` that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much later than the `Retry-After` the next request comes.
const LATER: Duration = Duration::from_millis(100);

/// The most requests that the check makes of a limit.
pub fn requests(rate: Rate) -> u64 {
    2 * rate.count() + AT_ONCE + knocks(rate) + asked(rate) + 1
}

/// Requests that wait for the first one to be let through again: one window's, and some.
const fn knocks(rate: Rate) -> u64 {
    rate.count() + rate.count() / 4 + 2
}

/// Requests of the two windows.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count"
)]
fn asked(rate: Rate) -> u64 {
    (rate.count() as f64 * TOO_MUCH * f64::from(WINDOWS)).ceil() as u64
}

/// C14: as much is let through as is configured.
pub(super) async fn limit(subject: &Subject) -> Result<Ruling, Trouble> {
    let Some(rate) = subject.rate else {
        return Ok(Ruling::skip("--limit RATE says what limit the relay is to hold"));
    };
    let (needed, left) = (requests(rate), u64::from(subject.purse.requests()));
    if needed > left {
        // Half of the question would decide nothing, and cost.
        return Ok(Ruling::skip(format!(
            "it takes up to {needed} requests, and --max-requests leaves {left}"
        )));
    }
    let began = Instant::now();
    let spent = match spend(subject, rate).await? {
        Spent::All(passed) => passed,
        Spent::Never(passed) => {
            let pace = began.elapsed();
            let line = format!("none of {passed} requests in {:.1} s was refused", pace.as_secs_f64());
            let is_fast = pace.mul_f64(FASTER * rate.per_second()) < Duration::from_secs(2 * rate.count());
            let slow = line.clone() + ", which is too slow to say anything";
            return Ok(if is_fast { Ruling::fail(line) } else { Ruling::skip(slow) });
        }
        Spent::Failed(said) => return Ok(Ruling::skip(format!("a request was not answered: {said}"))),
    };
    // A window that is used up ends some time; only then is it known where two windows begin.
    let Some(since) = knock(subject, rate).await? else {
        let window = rate.period().as_secs();
        return Ok(Ruling::fail(format!("nothing was let through for more than {window} s after a refusal")));
    };
    let pressed = press(subject, rate).await?;
    if let Some(said) = pressed.failed_too_often(rate) {
        return Ok(Ruling::skip(said));
    }
    let passed = pressed.passed + 1;
    let last = pressed.refusals.iter().map(|seen| seen.asked).max();
    let took = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since));
    let expected = u64::from(WINDOWS) * rate.count();
    let line = format!(
        "{passed} of {} requests in {WINDOWS} windows were let through, {expected} were to be ({spent} had been saved up)",
        asked(rate) + 1
    );
    let ruling = if is_near(passed, (rate, took)) { Ruling::pass(line) } else { Ruling::fail(line) };
    refusals_are_fit(subject, pressed.refusals, ruling).await
}

/// What one request came to.
enum Heard {
    Passed(Instant),
    Refused(Seen),
    /// Neither: what was answered, or why nothing was.
    Failed(String),
}

async fn ask(subject: &Subject) -> Result<Heard, Trouble> {
    match subject.ask_again(&subject.question()).await {
        Ok(seen) if seen.is_success() => Ok(Heard::Passed(seen.asked)),
        Ok(seen) if seen.status == 429 => Ok(Heard::Refused(seen)),
        Ok(seen) => Ok(Heard::Failed(seen.quote())),
        Err(Trouble::Net(error)) => Ok(Heard::Failed(error.to_string())),
        Err(trouble) => Err(trouble),
    }
}

/// Whether so many are what the limit lets through in two windows, or in the time that they took on a busy machine.
#[expect(clippy::cast_precision_loss, reason = "a share of requests")]
fn is_near(passed: u64, (rate, took): (Rate, Duration)) -> bool {
    let least = (u64::from(WINDOWS) * rate.count()) as f64;
    let most = least.max(rate.per_second() * took.as_secs_f64());
    let off = (least * OFF).max(1.0);
    (least - off..=most + off).contains(&(passed as f64))
}

/// What became of what had been saved up.
enum Spent {
    /// So many were let through before the first refusal.
    All(u64),
    /// So many were, and none was refused.
    Never(u64),
    Failed(String),
}

/// Uses up what has been saved.
async fn spend(subject: &Subject, rate: Rate) -> Result<Spent, Trouble> {
    let mut passed = 0;
    while passed <= 2 * rate.count() {
        let mut refused = false;
        for heard in join_all((0..AT_ONCE.min(rate.count() + 1)).map(|_| ask(subject))).await {
            match heard? {
                Heard::Passed(_) => passed += 1,
                Heard::Refused(_) => refused = true,
                Heard::Failed(said) => return Ok(Spent::Failed(said)),
            }
        }
        if refused {
            return Ok(Spent::All(passed));
        }
    }
    Ok(Spent::Never(passed))
}

/// Asks at the pace of the limit until something is let through again; says when that was asked for.
async fn knock(subject: &Subject, rate: Rate) -> Result<Option<Instant>, Trouble> {
    for _ in 0..knocks(rate) {
        let next = Instant::now() + rate.interval();
        if let Heard::Passed(at) = ask(subject).await? {
            return Ok(Some(at));
        }
        sleep_until(next).await;
    }
    Ok(None)
}

/// What too much at an even pace came to.
#[derive(Default)]
struct Pressed {
    passed: u64,
    refusals: Vec<Seen>,
    failed: Vec<String>,
}

impl Pressed {
    /// Why the count says nothing, where too many requests were neither let through nor refused.
    fn failed_too_often(&self, rate: Rate) -> Option<String> {
        let (failed, all) = (self.failed.len() as u64, asked(rate));
        // Half of what the count may be off by.
        (failed * 40 > all).then(|| {
            let said = self.failed.last().map_or("", String::as_str);
            format!("{failed} of {all} requests were neither let through nor refused, the last: {said}")
        })
    }
}

/// Asks for too much at an even pace.
async fn press(subject: &Subject, rate: Rate) -> Result<Pressed, Trouble> {
    let (start, gap) = (Instant::now(), rate.interval().div_f64(TOO_MUCH));
    let count = u32::try_from(asked(rate)).unwrap_or(u32::MAX);
    let asks = (0..count).map(|number| async move {
        sleep_until(start + gap * number).await;
        ask(subject).await
    });
    let mut pressed = Pressed::default();
    for heard in join_all(asks).await {
        match heard? {
            Heard::Passed(_) => pressed.passed += 1,
            Heard::Refused(seen) => pressed.refusals.push(seen),
            Heard::Failed(said) => pressed.failed.push(said),
        }
    }
    Ok(pressed)
}

/// Whether a refusal is cheap and tells the truth.
async fn refusals_are_fit(subject: &Subject, refusals: Vec<Seen>, ruling: Ruling) -> Result<Ruling, Trouble> {
    let Some(last) = refusals.last() else { return Ok(ruling) };
    let mut times: Vec<_> = refusals.iter().map(Seen::took).collect();
    times.sort_unstable();
    let typical = times[times.len() / 2];
    let mut warned = typical > CHEAP;
    let mut lines = vec![format!("a 429 took {} ms", typical.as_millis())];
    let after = last.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    match after {
        Some(wait) if wait <= PATIENCE => {
            sleep(wait + LATER).await;
            let seen = subject.ask_again(&subject.question()).await?;
            warned |= seen.status == 429;
            lines.push(format!("after a Retry-After of {} s the answer was {}", wait.as_secs(), seen.status));
        }
        Some(wait) => lines.push(format!("a Retry-After of {} s was not waited for", wait.as_secs())),
        None => lines.push("the 429 had no Retry-After in seconds".to_owned()),
    }
    let verdict = if warned { ruling.verdict.max(Verdict::Warn) } else { ruling.verdict };
    Ok(lines.into_iter().fold(Ruling { verdict, ..ruling }, Ruling::and))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_percent_are_near_and_time_on_a_busy_machine_counts() {
        let rate: Rate = "100/s".parse().unwrap();
        let near = |passed, seconds| is_near(passed, (rate, Duration::from_secs_f64(seconds)));
        assert!(near(190, 2.0) && near(210, 2.0) && !near(189, 2.0) && !near(211, 2.0));
        assert!(near(230, 2.3) && !near(400, 2.3) && !near(100, 2.3));
        assert_eq!(requests(rate), 200 + 8 + 127 + 300 + 1);
    }
}
