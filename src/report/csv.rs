//! The levels of a result as CSV (RFC 4180): one line each, figures as numbers, an empty field for what does not exist.

use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use super::document::Tail;

/// A metric of a level.
type Pick = fn(&Level) -> Option<&Distribution>;

/// The metrics that get columns, in order.
const METRICS: [(&str, Pick); 11] = [
    ("latency", |level| level.latency_ms.as_ref()),
    ("ttft", |level| level.ttft_ms.as_ref()),
    ("ttfa", |level| level.ttfa_ms.as_ref()),
    ("ttfb", |level| level.ttfb_ms.as_ref()),
    ("headers", |level| level.headers_ms.as_ref()),
    ("tpot", |level| level.tpot_ms.as_ref()),
    ("gap", |level| level.gap_ms.as_ref()),
    ("stall", |level| level.stall_ms.as_ref()),
    ("end", |level| level.end_ms.as_ref()),
    ("response", |level| level.response_ms.as_ref()),
    ("lag", |level| level.lag_ms.as_ref()),
];

/// The columns of an open loop.
const ARRIVALS: [&str; 7] = ["rate", "planned", "sent", "late", "capped", "unsent", "sent_per_s"];

/// The columns of one metric; `bound` is `lower` where TP99 is a lower bound.
const FIGURES: [&str; 9] = ["n", "avg", "min", "p50", "p90", "p95", "p99", "p99_bound", "max"];

/// The levels as CSV with a line of headings. No field contains a comma or a quote, so none is quoted.
pub fn csv(document: &Document) -> String {
    let mut headings: Vec<String> =
        ["concurrency", "avg_ms", "tp99_ms", "rps", "errors", "tokens_per_s", "tokens_estimated", "verdict"]
            .map(str::to_owned)
            .to_vec();
    headings.extend(["window_s", "requests", "censored", "ended_early", "goodput"].map(str::to_owned));
    headings.extend(ARRIVALS.map(str::to_owned));
    for (metric, _) in METRICS {
        headings.extend(FIGURES.iter().map(|figure| match *figure {
            "n" | "p99_bound" => format!("{metric}_{figure}"),
            _ => format!("{metric}_{figure}_ms"),
        }));
    }
    let lines = std::iter::once(headings).chain(document.levels.iter().map(row));
    lines.map(|fields| fields.join(",") + "\n").collect()
}

/// The fields of one level.
fn row(level: &Level) -> Vec<String> {
    let latency = level.latency_ms.as_ref();
    let mut fields = vec![
        level.concurrency.to_string(),
        optional(latency.map(|latency| latency.avg)),
        optional(latency.and_then(|latency| latency.p99)),
        optional(level.rps),
        level.errors.to_string(),
        optional(level.tokens_per_s),
        level.tokens_estimated.to_string(),
        level.verdict.name().to_owned(),
        level.window_s.to_string(),
        level.requests.to_string(),
        level.censored.to_string(),
        level.ended_early.to_string(),
        optional(level.goodput.as_ref().and_then(|goodput| goodput.share)),
        optional(level.rate),
    ];
    match &level.arrivals {
        Some(counts) => {
            fields.extend(
                [counts.planned, counts.sent, counts.late, counts.capped, counts.unsent]
                    .map(|n| n.to_string()),
            );
            fields.push(optional(counts.sent_per_s));
        }
        None => fields.extend([const { String::new() }; ARRIVALS.len() - 1]),
    }
    for (_, pick) in METRICS {
        match pick(level) {
            Some(distribution) => fields.extend(figures(distribution)),
            None => fields.extend(FIGURES.map(|_| String::new())),
        }
    }
    fields
}

/// The fields of one metric, in the order of [`FIGURES`].
fn figures(distribution: &Distribution) -> [String; FIGURES.len()] {
    let bound = match distribution.p99_bound {
        Some(Tail::Lower) => "lower",
        None => "",
    };
    [
        distribution.n.to_string(),
        distribution.avg.to_string(),
        distribution.min.to_string(),
        optional(distribution.p50),
        optional(distribution.p90),
        optional(distribution.p95),
        optional(distribution.p99),
        bound.to_owned(),
        distribution.max.to_string(),
    ]
}

/// A figure, or an empty field.
fn optional(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn csv_has_its_golden_form() {
        golden::compare("run.csv", &csv(&golden::streamed()));
    }

    #[test]
    fn every_line_has_as_many_fields_as_there_are_headings() {
        for document in [golden::streamed(), golden::whole(), golden::stopped(), golden::open()] {
            let text = csv(&document);
            let mut widths: Vec<_> = text.lines().map(|line| line.split(',').count()).collect();
            widths.dedup();
            assert_eq!(widths.len(), 1);
        }
    }
}
