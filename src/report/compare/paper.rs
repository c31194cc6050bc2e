//! A comparison on paper: a table, Markdown, JSON, and the lines below the table of a run.

use std::fmt::Write;

use comfy_table::CellAlignment;
use comfy_table::presets::NOTHING;

use super::Change;
use super::ChangeVerdict;
use super::Comparison;
use super::Doubt;
use crate::report::columns::signed;
use crate::report::document::Tail;

/// The headings of a comparison; the first two and the last are words.
const HEADINGS: [&str; 7] = ["Level", "Figure", "Before", "After", "Change", "95 % interval", "Verdict"];

/// The comparison as indented JSON with a final newline.
pub fn comparison_json(comparison: &Comparison) -> String {
    format!("{:#}\n", serde_json::json!({ "schema": "baton.compare/1", "comparison": comparison }))
}

/// The comparison as a terminal shows it, a line for each figure.
pub fn comparison_table(comparison: &Comparison) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING);
    table.set_header(HEADINGS);
    for change in &comparison.changes {
        table.add_row(cells(change));
    }
    for (heading, column) in HEADINGS.iter().zip(table.column_iter_mut()) {
        let words = ["Level", "Figure", "Verdict"].contains(heading);
        column.set_cell_alignment(if words { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The comparison as GitHub renders it.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut text = format!("| {} |\n| :-- | :-- | --: | --: | --: | --: | :-- |\n", HEADINGS.join(" | "));
    for change in &comparison.changes {
        let mut cells = cells(change);
        if matches!(change.verdict, ChangeVerdict::Regression | ChangeVerdict::Undecided) {
            cells[6] = format!("**{}**", cells[6]);
        }
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
    for line in comparison_notes(comparison).lines() {
        let _ = writeln!(text, "- {line}");
    }
    text
}

/// What it comes to: how many of each verdict, and what was overruled or left out.
pub fn comparison_notes(comparison: &Comparison) -> String {
    let verdicts = [
        (ChangeVerdict::Regression, "regressions"),
        (ChangeVerdict::Undecided, "undecided"),
        (ChangeVerdict::Improvement, "improvements"),
        (ChangeVerdict::Unchanged, "unchanged"),
    ];
    let count = |(verdict, name)| match comparison.of_verdict(verdict).count() {
        1 if name == "regressions" => "1 regression".to_owned(),
        1 if name == "improvements" => "1 improvement".to_owned(),
        count => format!("{count} {name}"),
    };
    let counts = verdicts.map(count).join(" · ");
    let mut text = format!("compare {counts} (changes up to {:.1} % are noise)\n", comparison.noise * 100.0);
    for difference in &comparison.differences {
        let _ = writeln!(text, "differ  {difference}");
    }
    for level in &comparison.unpaired {
        let _ = writeln!(text, "unpaired {level} has no partner");
    }
    text
}

/// One change in words: `c=50 latency.p99: 120 ms before, 131 ms now, +9.2 % (+7.9 … +10.4 %)`.
pub(in crate::report) fn story(change: &Change) -> String {
    let [level, metric, before, after, by, interval, _] = cells(change);
    format!("{level} {metric}: {before} before, {after} now, {by} ({interval})")
}

/// The changes of a verdict in words; a level of which nothing can be decided is one line.
pub fn stories(comparison: &Comparison, verdict: ChangeVerdict) -> Vec<String> {
    let mut stories: Vec<String> = Vec::new();
    for change in comparison.of_verdict(verdict) {
        let why = change.because.and_then(Doubt::of_level);
        let story = why.map_or_else(|| story(change), |why| format!("{}: {why}", change.level));
        if stories.last() != Some(&story) {
            stories.push(story);
        }
    }
    stories
}

fn cells(change: &Change) -> [String; 7] {
    let value = |value: Option<f64>, bound: Option<Tail>| {
        let mark = if bound.is_some() { "≥" } else { "" };
        value.map_or_else(|| "n/a".to_owned(), |value| format!("{mark}{}", show(&change.metric, value)))
    };
    let is_points = change.metric == "error_rate";
    let percent = |share: f64| signed(share * 100.0, 1);
    let unit = if is_points { "pp" } else { "%" };
    [
        change.level.clone(),
        change.metric.clone(),
        value(change.before, change.before_bound),
        value(change.after, change.after_bound),
        change.change.map_or_else(|| "n/a".to_owned(), |change| format!("{} {unit}", percent(change))),
        change.interval.map_or_else(
            || "n/a".to_owned(),
            |[low, high]| format!("{} … {} {unit}", percent(low), percent(high)),
        ),
        change.verdict.name().to_owned(),
    ]
}

/// A value with its unit.
fn show(metric: &str, value: f64) -> String {
    match metric {
        "rate" => format!("{value:.1}/s"),
        "error_rate" => format!("{:.2} %", value * 100.0),
        _ if value >= 100.0 => format!("{value:.0} ms"),
        _ if value >= 10.0 => format!("{value:.1} ms"),
        _ => format!("{value:.2} ms"),
    }
}
