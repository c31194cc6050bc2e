//! The state of a run while it lasts: one line rewritten in place, or a plain line every ten seconds.

use std::io::Write;
use std::io::stderr;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use crate::load::Extent;
use crate::load::Live;
use crate::load::Phase;
use crate::units::Span;
use crate::units::grouped;

/// Cells of the bar.
const CELLS: u64 = 20;

/// Time between two plain lines of a level.
const PERIOD: Duration = Duration::from_secs(10);

/// Shows the live view of a run.
pub struct Progress {
    form: Form,
}

enum Form {
    /// A line on a terminal, rewritten in place.
    InPlace(ProgressBar),
    /// Lines on anything else.
    Plain {
        out: Box<dyn Write + Send>,
        /// The level that the next line is about and when in its window it is due.
        next: (u32, Duration),
    },
}

impl Progress {
    /// Rewrites one line on standard error, which must be a terminal.
    pub fn in_place() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { form: Form::InPlace(bar.with_style(message_only())) }
    }

    /// Writes a plain line every ten seconds of a level's window.
    pub fn plain(out: Box<dyn Write + Send>) -> Self {
        Self { form: Form::Plain { out, next: (0, PERIOD) } }
    }

    /// Says that the request before the levels is under way.
    pub fn show_preflight(&mut self, elapsed: Duration) {
        let text = format!("preflight  one request, {} s", elapsed.as_secs());
        match &self.form {
            Form::InPlace(bar) => bar.set_message(text),
            // No level has this number of users.
            Form::Plain { .. } => self.write_when_due((0, elapsed), &text),
        }
    }

    /// Writes a line that stays.
    pub fn print(&mut self, text: &str) {
        match &mut self.form {
            Form::InPlace(bar) => bar.println(text),
            Form::Plain { out, .. } => {
                let _ = writeln!(out, "{text}").and_then(|()| out.flush());
            }
        }
    }

    /// Takes in the latest view.
    pub fn show(&mut self, live: &Live) {
        match &self.form {
            Form::InPlace(bar) => {
                let size = terminal_size::terminal_size_of(stderr());
                bar.set_message(line(live, size.map(|(width, _)| usize::from(width.0))));
            }
            Form::Plain { .. } if live.phase == Phase::WarmUp => {}
            Form::Plain { .. } => self.write_when_due((live.level, live.elapsed), &line(live, None)),
        }
    }

    /// Writes a plain line once in each period of a level.
    fn write_when_due(&mut self, (level, elapsed): (u32, Duration), text: &str) {
        let Form::Plain { out, next } = &mut self.form else { return };
        if next.0 != level {
            *next = (level, PERIOD);
        }
        if elapsed < next.1 {
            return;
        }
        while next.1 <= elapsed {
            next.1 += PERIOD;
        }
        // A reader of the progress who has gone away is no reason to end the run.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Removes the line that was rewritten in place.
    pub fn finish(self) {
        if let Form::InPlace(bar) = self.form {
            bar.finish_and_clear();
        }
    }
}

/// A style that shows the message and nothing else, cut to the width of the terminal.
pub(super) fn message_only() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").expect("the template is a constant")
}

/// The live view as one line; where that is wider than the terminal, what matters least is left out, and errors never.
pub fn line(live: &Live, width: Option<usize>) -> String {
    let lines = (0..=EXPENDABLE).map(|left_out| line_without(left_out, live));
    let narrowest = line_without(EXPENDABLE, live);
    lines
        .into_iter()
        .find(|line| width.is_none_or(|width| line.chars().count() <= width))
        .unwrap_or(narrowest)
}

/// Parts that a line can do without: the bar, then requests in flight, the TTFT, TP99 and the rate.
const EXPENDABLE: usize = 5;

/// The line without so many of its expendable parts.
fn line_without(left_out: usize, live: &Live) -> String {
    let done = if left_out < 1 { format!("{} {}", drawn(live), done(live)) } else { done(live) };
    let head = match live.phase {
        Phase::WarmUp => format!("warm-up {:.0} s", live.elapsed.as_secs_f64().floor()),
        Phase::Measuring => done,
        Phase::Draining => format!("{done}   draining"),
    };
    let mut parts = vec![head];
    let mut add = |rank: usize, text: Option<String>| parts.extend(text.filter(|_| left_out < rank));
    add(2, Some(format!("in flight {}", grouped(live.in_flight.into()))));
    add(5, live.rps.map(|rps| format!("{rps:.0} req/s")));
    add(3, live.ttft_avg.map(|ttft| format!("TTFT {}", Span(ttft))));
    add(4, live.p99.map(|p99| format!("TP99 ≈ {}", Span(p99))));
    add(usize::MAX, (live.errors > 0).then(|| format!("errors {}", grouped(live.errors))));
    let level = live.rate.map_or_else(|| format!("c={}", live.level), |rate| format!("{rate}/s"));
    format!("{level}  {}", parts.join("   "))
}

/// The bar that shows how much of the level is done.
fn drawn(live: &Live) -> String {
    match live.extent {
        Extent::Window(window) => bar(live.elapsed.min(window).as_millis(), window.as_millis()),
        Extent::Requests(requests) => bar(live.finished.into(), requests.into()),
    }
}

/// How much of the level is done.
fn done(live: &Live) -> String {
    match live.extent {
        Extent::Window(window) => {
            let elapsed = live.elapsed.min(window);
            let length = Span(window).to_string();
            // In the unit of the whole where that is seconds, which is the rule.
            match length.strip_suffix(" s") {
                Some(seconds) => format!("{}/{seconds} s", elapsed.as_secs()),
                None => format!("{}/{length}", Span(elapsed)),
            }
        }
        Extent::Requests(requests) => format!("{}/{}", grouped(live.finished), grouped(requests)),
    }
}

/// A bar of [`CELLS`] cells.
pub(super) fn bar(part: u128, whole: u128) -> String {
    let full = (part * u128::from(CELLS)).checked_div(whole).unwrap_or(0);
    let full = usize::try_from(full.min(CELLS.into())).unwrap_or(0);
    let cells = usize::try_from(CELLS).unwrap_or(0);
    format!("▕{}{}▏", "█".repeat(full), "░".repeat(cells - full))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::super::golden;
    use super::*;

    /// A writer whose text can be looked at from outside.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn live(level: u32, elapsed_s: u64) -> Live {
        Live {
            level,
            rate: None,
            phase: Phase::Measuring,
            elapsed: Duration::from_secs(elapsed_s),
            extent: Extent::Window(Duration::from_secs(30)),
            finished: 11_613,
            in_flight: 100,
            rps: Some(553.2),
            ttft_avg: Some(Duration::from_millis(71)),
            p99: Some(Duration::from_millis(348)),
            errors: 3,
        }
    }

    #[test]
    fn lines_have_their_golden_form() {
        let nothing = Live { rps: None, ttft_avg: None, p99: None, errors: 0, ..live(50, 1) };
        let lines = [
            line(&Live { phase: Phase::WarmUp, ..nothing.clone() }, None),
            line(&nothing, None),
            line(&live(100, 21), None),
            line(&Live { extent: Extent::Requests(20_000), ..live(100, 21) }, None),
            line(&Live { extent: Extent::Window(Duration::from_secs(600)), ..live(100, 150) }, None),
            line(&Live { phase: Phase::Draining, in_flight: 7, rps: None, ..live(100, 31) }, None),
        ];
        golden::compare("progress.txt", &(lines.join("\n") + "\n"));
    }

    #[test]
    fn a_narrow_line_leaves_out_what_matters_least_and_never_its_errors() {
        let whole = line(&live(100, 21), None);
        assert_eq!(line(&live(100, 21), Some(whole.chars().count())), whole);
        assert_eq!(line(&live(100, 21), Some(40)), "c=100  21/30 s   553 req/s   errors 3");
        for width in 1..120 {
            let narrow = line(&live(100, 21), Some(width));
            assert!(narrow.ends_with("errors 3"), "{narrow}");
            assert!(narrow.chars().count() <= width || narrow == "c=100  21/30 s   errors 3", "{narrow}");
        }
    }

    #[test]
    fn a_preflight_that_lasts_is_said_on_a_plain_output_too() {
        let paper = Paper::default();
        let mut progress = Progress::plain(Box::new(paper.clone()));
        for second in 0..=25 {
            progress.show_preflight(Duration::from_secs(second));
        }
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "preflight  one request, 10 s\npreflight  one request, 20 s\n");
    }

    #[test]
    fn without_a_terminal_a_line_is_written_every_ten_seconds_of_a_level() {
        let paper = Paper::default();
        let mut progress = Progress::plain(Box::new(paper.clone()));
        for level in [50, 100] {
            progress.show(&Live { phase: Phase::WarmUp, ..live(level, 15) });
            for second in 0..=30 {
                progress.show(&live(level, second));
            }
        }
        progress.finish();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let shown: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(shown, ["c=50", "c=50", "c=50", "c=100", "c=100", "c=100"]);
    }
}
