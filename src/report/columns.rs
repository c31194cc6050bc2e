//! The columns of the bench table as text, shared by the forms that people read: terminal and Markdown.

use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use super::document::Tail;
use super::endpoints::ENDPOINT;
use super::tax::FIGURE;
use crate::units::grouped;

/// Samples below which a TP99 is marked as weak.
const WEAK: u64 = 300;

/// What stands where a figure does not exist.
const ABSENT: &str = "n/a";

/// One column, a cell for each level.
#[derive(Debug)]
pub(super) struct Column {
    pub heading: &'static str,
    pub cells: Vec<String>,
}

impl Column {
    /// Whether the cells are words, which stand to the left.
    pub(super) fn is_text(&self) -> bool {
        [VERDICT, ENDPOINT, FIGURE].contains(&self.heading)
    }
}

/// The heading of the column of verdicts.
const VERDICT: &str = "Verdict";

/// A figure with the mark that stands before it.
pub(super) type Marked = Option<(f64, &'static str)>;

/// All columns of a document, the verdict last; those of the first token only where answers were streamed.
pub(super) fn columns(document: &Document) -> Vec<Column> {
    let levels = &document.levels;
    let count = |heading, value: fn(&Level) -> u64| Column {
        heading,
        cells: levels.iter().map(|level| grouped(value(level))).collect(),
    };
    let figure = |heading, least_whole, value: fn(&Level) -> Marked| {
        let values: Vec<_> = levels.iter().map(value).collect();
        Column { heading, cells: figures(&values, least_whole) }
    };
    let is_open = document.plan.arrivals.is_some();
    let mut columns = vec![
        of_levels(document, &levels.iter().collect::<Vec<_>>()),
        figure("Avg (ms)", WHOLE_MS, |level| average(level.latency_ms.as_ref())),
        figure("TP99 (ms)", WHOLE_MS, |level| tp99(level, level.latency_ms.as_ref())),
        figure("Req/s", WHOLE_RATE, |level| level.rps.map(|rps| (rps, ""))),
        count("Errors", |level| level.errors),
    ];
    if !document.objectives.is_empty() {
        columns.push(Column { heading: "Goodput", cells: levels.iter().map(goodput).collect() });
    }
    if is_open {
        columns.push(figure("Response avg", WHOLE_MS, |level| average(level.response_ms.as_ref())));
        columns.push(figure("Response TP99", WHOLE_MS, |level| tp99(level, level.response_ms.as_ref())));
    }
    if document.plan.stream {
        columns.push(figure("TTFT avg", WHOLE_MS, |level| average(level.ttft_ms.as_ref())));
        columns.push(figure("TTFT TP99", WHOLE_MS, |level| tp99(level, level.ttft_ms.as_ref())));
    }
    columns.push(figure("Tok/s", WHOLE_RATE, tokens));
    columns.push(Column {
        heading: VERDICT,
        cells: levels.iter().map(|level| level.verdict.name().to_owned()).collect(),
    });
    columns
}

/// What tells levels apart: their users, or the rate of an open loop.
pub(super) fn of_levels(document: &Document, levels: &[&Level]) -> Column {
    if document.plan.arrivals.is_none() {
        let cells = levels.iter().map(|level| grouped(level.concurrency.into())).collect();
        return Column { heading: "Concurrency", cells };
    }
    let rates: Vec<_> = levels.iter().map(|level| planned_rate(level).map(|rate| (rate, ""))).collect();
    Column { heading: "Rate (/s)", cells: figures(&rates, WHOLE_RATE) }
}

/// From this value in ms on, a column shows whole numbers.
pub(super) const WHOLE_MS: f64 = 100.0;

/// From this rate on, a column shows whole numbers.
pub(super) const WHOLE_RATE: f64 = 1_000.0;

/// The rate at which requests were due: the planned one, or the mean where it changes.
pub(super) fn planned_rate(level: &Level) -> Option<f64> {
    level.rate.or_else(|| level.arrivals.as_ref()?.planned_per_s)
}

/// The mean of a distribution.
pub(super) fn average(distribution: Option<&Distribution>) -> Marked {
    distribution.map(|distribution| (distribution.avg, ""))
}

/// TP99 of a distribution of a level, with its mark.
pub(super) fn tp99(level: &Level, distribution: Option<&Distribution>) -> Marked {
    tp99_among(level.censored, distribution)
}

/// TP99 of a distribution beside which so many requests were cut, marked `≥` where it is a lower bound and `~` where few
/// samples stand behind it.
pub(super) fn tp99_among(censored: u64, distribution: Option<&Distribution>) -> Marked {
    let distribution = distribution?;
    let value = distribution.p99?;
    let mark = match distribution.p99_bound {
        Some(Tail::Lower) => "≥",
        None if distribution.n + censored < WEAK => "~",
        None => "",
    };
    Some((value, mark))
}

/// The share of requests that met the objectives, in percent.
fn goodput(level: &Level) -> String {
    let share = level.goodput.as_ref().and_then(|goodput| goodput.share);
    share.map_or_else(|| ABSENT.to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Tokens per second, marked `~` where some of them were estimated.
fn tokens(level: &Level) -> Marked {
    level.tokens_per_s.map(|rate| (rate, if level.tokens_estimated { "~" } else { "" }))
}

/// Cells of one precision: that of the largest value, so that a column compares at a glance.
pub(super) fn figures(values: &[Marked], least_whole: f64) -> Vec<String> {
    let largest = values.iter().flatten().map(|(value, _)| *value).fold(0.0, f64::max);
    // What rounds up to the next power of ten counts as that.
    let digits = if largest >= least_whole - 0.05 {
        0
    } else if largest >= 9.995 {
        1
    } else {
        2
    };
    let cell = |value: &Marked| match value {
        None => ABSENT.to_owned(),
        Some((value, mark)) if digits == 0 => format!("{mark}{}", grouped(whole(*value))),
        Some((value, mark)) => format!("{mark}{value:.digits$}"),
    };
    values.iter().map(cell).collect()
}

/// A difference with its sign and so many decimals; one that rounds to nothing has no sign.
pub(super) fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}");
    let is_nothing = text.bytes().skip(1).all(|byte| matches!(byte, b'0' | b'.'));
    if is_nothing { text[1..].to_owned() } else { text }
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are positive and saturate"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_precision_that_of_its_largest_value() {
        let show = |values: &[f64]| {
            let marked: Vec<_> = values.iter().map(|value| Some((*value, ""))).collect();
            figures(&marked, WHOLE_MS)
        };
        assert_eq!(show(&[45.2, 101.6]), ["45", "102"]);
        assert_eq!(show(&[45.25, 99.94]), ["45.2", "99.9"]);
        assert_eq!(show(&[45.25, 99.96]), ["45", "100"]);
        assert_eq!(show(&[1.254, 9.0]), ["1.25", "9.00"]);
        assert_eq!(show(&[1_234_567.0]), [grouped(1_234_567)]);
    }

    #[test]
    fn a_difference_that_rounds_to_nothing_has_no_sign() {
        assert_eq!([-0.001, 0.0, 0.004].map(|value| signed(value, 2)), ["0.00"; 3]);
        assert_eq!([-0.4, -0.6, 12.3].map(|value| signed(value, 0)), ["0", "-1", "+12"]);
        assert_eq!([-0.006, 0.006].map(|value| signed(value, 2)), ["-0.01", "+0.01"]);
    }

    #[test]
    fn a_figure_that_does_not_exist_is_not_a_zero() {
        assert_eq!(figures(&[None, Some((0.0, "~"))], WHOLE_MS), ["n/a", "~0.00"]);
    }
}
