//! A batch run on paper: the line that shows it while it lasts, and its summary for people and for scripts.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::{Value, json};

use crate::batch::{Live, Stop, Summary, Tally};
use crate::units::{Money, Size, Span, grouped};

use super::access::AccessTokens;
use super::progress::{bar, message_only};

/// Time between two plain lines.
const PERIOD: Duration = Duration::from_secs(10);

/// Shows a batch run while it lasts.
pub struct BatchProgress(Form);

enum Form {
    /// A line on a terminal, rewritten in place.
    InPlace(ProgressBar),
    /// Lines on anything else, and when the next one is due.
    Plain(Box<dyn Write + Send>, Duration),
}

impl BatchProgress {
    /// Rewrites one line on standard error, which must be a terminal.
    pub fn in_place() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self(Form::InPlace(bar.with_style(message_only())))
    }

    /// Writes a plain line every ten seconds.
    pub fn plain(out: Box<dyn Write + Send>) -> Self {
        Self(Form::Plain(out, PERIOD))
    }

    /// Takes in the latest view, and how long the relay holds everybody back from now on.
    pub fn show(&mut self, live: &Live, parked: Duration) {
        match &mut self.0 {
            Form::InPlace(bar) => bar.set_message(batch_line(live, parked)),
            Form::Plain(out, due) if live.elapsed >= *due => {
                while *due <= live.elapsed {
                    *due += PERIOD;
                }
                // A reader of the progress who has gone away is no reason to end the run.
                let _ = writeln!(out, "{}", batch_line(live, parked)).and_then(|()| out.flush());
            }
            Form::Plain(..) => {}
        }
    }

    /// A line that stays, above the one that is rewritten.
    pub fn print(&mut self, line: &str) {
        match &mut self.0 {
            Form::InPlace(bar) => bar.println(line),
            Form::Plain(out, _) => {
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
        }
    }

    /// Removes the line that was rewritten in place.
    pub fn finish(self) {
        if let Form::InPlace(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The live view as one line.
pub fn batch_line(live: &Live, parked: Duration) -> String {
    let Live { tally, rows, read, elapsed } = live;
    let finished = tally.finished();
    let share = match rows {
        Some(rows) => Some(per(finished, *rows)),
        None => *read,
    };
    let mut text = String::from("rows  ");
    if let Some(share) = share {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let _ = write!(text, "{} ", bar((share.clamp(0.0, 1.0) * 1000.0) as u128, 1000));
    }
    text.push_str(&grouped(finished));
    if let Some(rows) = rows {
        let _ = write!(text, "/{}", grouped(*rows));
    }
    let _ = write!(text, "   done {} · failed {}", grouped(tally.done), grouped(tally.failed));
    if tally.duplicates > 0 {
        let _ = write!(text, " · duplicates {}", grouped(tally.duplicates));
    }
    let fresh = finished - tally.earlier.min(finished);
    let rate = rate(fresh, *elapsed);
    let _ = write!(text, "   {} rows/s", per_second(rate));
    if tally.output_tokens > 0 {
        let _ = write!(text, "   {} tok/s", per_second(self::rate(tally.output_tokens, *elapsed)));
    }
    if let Some(cost) = tally.cost {
        let _ = write!(text, "   {cost}");
    }
    if !parked.is_zero() {
        let _ = write!(text, "   the relay asks to wait {}", Span(parked));
    }
    if let Some(left) = time_left(share, fresh, live) {
        let _ = write!(text, "   ETA {}", Span(left));
    }
    text
}

/// How long the rest will take at the pace so far.
fn time_left(share: Option<f64>, fresh: u64, live: &Live) -> Option<Duration> {
    let elapsed = live.elapsed.as_secs_f64();
    let left = match live.rows {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        Some(rows) => (rows - live.tally.finished().min(rows)) as f64 / rate(fresh, live.elapsed),
        None => share.filter(|share| *share > 0.0).map(|share| elapsed * (1.0 - share) / share)?,
    };
    Duration::try_from_secs_f64(left).ok().filter(|left| *left < Duration::from_secs(365 * 86_400))
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no last digit")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no last digit")]
fn per(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// A rate in whole numbers, or with one decimal where it is small.
fn per_second(rate: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is finite and no less than 0"
    )]
    if rate >= 100.0 { grouped(rate.round() as u64) } else { format!("{rate:.1}") }
}

/// Tokens as people read them: in millions from a million upwards.
fn tokens(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    if count >= 1_000_000 { format!("{:.1} M", count as f64 / 1e6) } else { grouped(count) }
}

/// What a run came to, for people.
pub fn batch_summary(summary: &Summary) -> String {
    let Summary { tally, elapsed, .. } = summary;
    let Tally { done, failed, duplicates, earlier, .. } = tally;
    let plural = if tally.finished() == 1 { "" } else { "s" };
    let mut text =
        format!("{} row{plural} in {}: {} done", grouped(tally.finished()), Span(*elapsed), grouped(*done));
    let mut shared = Vec::new();
    if *earlier > 0 {
        shared.push(format!("{} rows from before", grouped(*earlier)));
    }
    if tally.cached > 0 {
        shared.push(format!("{} from cache", grouped(tally.cached)));
    }
    if *duplicates > 0 {
        let plural = if *duplicates == 1 { "" } else { "s" };
        shared.push(format!("{} duplicate{plural} sent once", grouped(*duplicates)));
    }
    if !shared.is_empty() {
        let _ = write!(text, " ({})", shared.join(", "));
    }
    let _ = writeln!(text, ", {} failed", grouped(*failed));
    if *failed > 0 {
        let classes: Vec<_> =
            tally.failures.iter().map(|(class, rows)| format!("{} {class}", grouped(*rows))).collect();
        let _ = writeln!(text, "failed    {}", classes.join(" · "));
    }
    let limited = match tally.limited {
        0 => String::new(),
        limited => format!(" ({} answered with 429)", grouped(limited)),
    };
    let _ = writeln!(text, "attempts  {}{limited}", grouped(tally.attempts));
    if tally.input_tokens + tally.output_tokens > 0 {
        let cached = match tally.cached_tokens {
            0 => String::new(),
            cached => format!(" ({} cached)", tokens(cached)),
        };
        let cost = tally.cost.map(|cost| format!(" · {cost}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "tokens    {} in{cached} · {} out{cost}",
            tokens(tally.input_tokens),
            tokens(tally.output_tokens)
        );
    }
    if tally.body.saved() > 0 {
        let (plain, sent) = (Size(tally.body.plain), Size(tally.body.sent));
        let share = tally.body.saved_share() * 100.0;
        let _ = writeln!(text, "bodies    {plain} sent as {sent} ({share:.0} % saved)");
    }
    if let Some(tokens) = AccessTokens::of(&summary.token_times) {
        let _ = writeln!(text, "access    {}", tokens.told());
    }
    text
}

/// What a run came to, for scripts.
pub fn batch_summary_json(summary: &Summary, stopped: Option<&Stop>) -> String {
    let Summary { tally, elapsed, complete, waiting, token_times } = summary;
    let stopped = stopped.map(|stop| match stop {
        Stop::Asked => "signal",
        Stop::TooManyErrors { .. } => "max_errors",
        Stop::Cost(_) => "max_cost",
        Stop::Requests(_) => "max_requests",
        Stop::Hopeless { class, .. } => class.name(),
        Stop::Broken(_) => "broken",
    });
    let object = json!({
        "complete": complete,
        "stopped": stopped,
        "seconds": elapsed.as_secs_f64(),
        "rows": {
            "done": tally.done,
            "failed": tally.failed,
            "duplicates": tally.duplicates,
            "cached": tally.cached,
            "from_before": tally.earlier,
            "waiting_in_journal": waiting,
        },
        "failures": tally.failures,
        "attempts": tally.attempts,
        "answered_with_429": tally.limited,
        "body_bytes": { "plain": tally.body.plain, "sent": tally.body.sent },
        "tokens": {
            "input": tally.input_tokens,
            "cache_read": tally.cached_tokens,
            "output": tally.output_tokens,
        },
        "access_tokens": AccessTokens::of(token_times),
        "cost_usd": tally.cost.map_or(Value::Null, |cost| json!(Money::dollars(cost))),
    });
    format!("{object:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;
    use crate::outcome::TokenTimes;

    fn tally() -> Tally {
        Tally {
            done: 560_911,
            failed: 12,
            failures: [("http_4xx", 9), ("truncated", 3)].into(),
            duplicates: 281,
            cached: 48_210,
            earlier: 60_000,
            attempts: 503_112,
            limited: 3_112,
            input_tokens: 112_400_000,
            cached_tokens: 18_100_000,
            output_tokens: 41_000,
            body: crate::outcome::BodySize { plain: 312_000_000, sent: 98_000_000 },
            cost: "412.9".parse().ok(),
        }
    }

    #[test]
    fn lines_and_summaries_have_their_golden_form() {
        let live =
            Live { tally: tally(), rows: Some(1_000_000), read: None, elapsed: Duration::from_secs(127) };
        let start = Live { tally: Tally::default(), rows: None, read: None, elapsed: Duration::ZERO };
        let (elapsed, mut token_times) = (live.elapsed, TokenTimes::default());
        token_times.note(&Ok::<_, ()>(()), Duration::from_millis(34));
        let whole = Summary { tally: tally(), elapsed, complete: true, waiting: 0, token_times };
        let clean = Tally { done: 1, attempts: 1, ..Tally::default() };
        let clean = Summary {
            tally: clean,
            elapsed: Duration::from_millis(80),
            token_times: TokenTimes::default(),
            ..whole.clone()
        };
        let parts = [
            batch_line(&start, Duration::ZERO),
            batch_line(&Live { rows: None, read: Some(0.25), ..live.clone() }, Duration::ZERO),
            batch_line(&live, Duration::from_secs(7)),
            batch_summary(&whole),
            batch_summary(&clean),
            batch_summary_json(&whole, Some(&Stop::Requests(3))),
        ];
        golden::compare("batch.txt", &(parts.join("\n") + "\n"));
    }
}
