//! The state of one answer while it arrives: a line on a terminal, rewritten in place.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressState;
use indicatif::ProgressStyle;
use tokio::time::Instant;

use crate::outcome::Tokens;
use crate::units::Size;
use crate::units::Span;
use crate::units::grouped;

/// The time between two drawings, so that the clock is seen to run while nothing arrives.
const PERIOD: Duration = Duration::from_millis(250);

/// What has arrived of an answer.
#[derive(Debug, Clone, Copy, Default)]
struct Arrival {
    bytes: u64,
    characters: u64,
    /// When the first piece was generated, counted from the start of its attempt.
    ttft: Option<Duration>,
    /// When the first and the last piece came.
    span: Option<(Instant, Instant)>,
}

/// Shows an answer that arrives.
#[derive(Debug)]
pub struct ArrivalLine {
    bar: ProgressBar,
    arrival: Arc<Mutex<Arrival>>,
}

impl ArrivalLine {
    /// Rewrites one line on standard error, which must be a terminal.
    pub fn start() -> Self {
        let arrival = Arc::new(Mutex::new(Arrival::default()));
        let (shown, started) = (Arc::clone(&arrival), Instant::now());
        let line = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // A line that cannot be drawn is lost without harm.
            let _ = out.write_str(&look(&shown).line(started.elapsed()));
        };
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(key_only("arrival").with_key("arrival", line));
        bar.enable_steady_tick(PERIOD);
        Self { bar, arrival }
    }

    /// Notes so many bytes more.
    pub fn note_bytes(&self, bytes: usize) {
        look(&self.arrival).bytes += bytes as u64;
    }

    /// Notes a generated piece of so many characters that came `at` after the start of its attempt.
    pub fn note_generated(&self, at: Duration, characters: usize) {
        let (mut arrival, now) = (look(&self.arrival), Instant::now());
        arrival.characters += characters as u64;
        arrival.ttft.get_or_insert(at);
        arrival.span.get_or_insert((now, now)).1 = now;
    }

    /// Prints a line above it.
    pub fn print(&self, line: &str) {
        self.bar.println(line);
    }

    /// Removes the line.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A style that shows what stands for one key and nothing else.
fn key_only(key: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{{{key}}}")).expect("a key alone is a template")
}

/// The figures, to read or to change; each change leaves nothing half done.
fn look(arrival: &Mutex<Arrival>) -> MutexGuard<'_, Arrival> {
    arrival.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arrival {
    /// The figures as one line.
    fn line(&self, elapsed: Duration) -> String {
        let mut parts = vec![Size(self.bytes).to_string()];
        if let Some((first, last)) = self.span
            && last > first
        {
            #[expect(clippy::cast_precision_loss, reason = "a rate of tokens is shown in whole numbers")]
            let rate = Tokens::estimate(self.characters) as f64 / (last - first).as_secs_f64();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is positive"
            )]
            parts.push(format!("~{} tok/s", grouped(rate.round() as u64)));
        }
        parts.extend(self.ttft.map(|ttft| format!("TTFT {}", Span(ttft))));
        parts.push(Span::seconds(elapsed.as_secs()).to_string());
        parts.join("   ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_is_known_and_no_more() {
        let now = Instant::now();
        let nothing = Arrival::default();
        assert_eq!(nothing.line(Duration::from_millis(1900)), "0 B   1 s");
        let some = Arrival {
            bytes: 1_234_567,
            characters: 40_000,
            ttft: Some(Duration::from_millis(412)),
            span: Some((now, now + Duration::from_secs(5))),
        };
        assert_eq!(some.line(Duration::from_secs(21)), "1.23 MB   ~2 000 tok/s   TTFT 412 ms   21 s");
        let first = Arrival { span: Some((now, now)), ..some };
        assert_eq!(first.line(Duration::from_secs(1)), "1.23 MB   TTFT 412 ms   1 s");
    }
}
