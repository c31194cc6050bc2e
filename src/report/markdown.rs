//! The bench table as GitHub renders it in an issue, a comment or a job summary.

use std::fmt::Write;

use super::capacity::capacity;
use super::columns::Column;
use super::columns::columns;
use super::compare::comparison_markdown;
use super::document::Document;
use super::endpoints::columns_of_endpoints;
use super::knee::knee;
use super::tax::columns_of_tax;

/// The table in Markdown, with its columns aligned in the source as well.
pub fn markdown(document: &Document) -> String {
    let mut text = table(&columns(document));
    for columns in [columns_of_endpoints(document), columns_of_tax(document)].into_iter().flatten() {
        text += "\n";
        text += &table(&columns);
    }
    let remarks = knee(document).into_iter().chain(capacity(document));
    let remarks: Vec<_> = remarks.map(|remark| format!("- {remark}\n")).collect();
    if !document.thresholds.is_empty() || !remarks.is_empty() {
        text += "\n";
    }
    text.extend(remarks);
    for threshold in &document.thresholds {
        let (verdict, evidence) = (threshold.verdict.name(), threshold.evidence());
        let _ = writeln!(text, "- **{verdict}** `{}`: {evidence}", threshold.expression);
    }
    if let Some(comparison) = &document.comparison {
        text += "\n";
        text += &comparison_markdown(comparison);
    }
    text
}

/// Columns as a table.
fn table(columns: &[Column]) -> String {
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let mut text = line(columns, |column, width| aligned(column, column.heading, width));
    text += &line(columns, |column, width| {
        let rule = "-".repeat(width - 1);
        if column.is_text() { format!(":{rule}") } else { format!("{rule}:") }
    });
    for row in 0..rows {
        text += &line(columns, |column, width| aligned(column, &column.cells[row], width));
    }
    text
}

/// A text at the side where its column has it.
fn aligned(column: &Column, text: &str, width: usize) -> String {
    if column.is_text() { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

/// One line of the table; `cell` fills a column of the given width.
fn line(columns: &[Column], cell: impl Fn(&Column, usize) -> String) -> String {
    let cells = columns.iter().map(|column| format!(" {} |", cell(column, width(column))));
    format!("|{}\n", cells.collect::<String>())
}

/// The number of characters of the longest text in a column.
fn width(column: &Column) -> usize {
    let texts = std::iter::once(column.heading).chain(column.cells.iter().map(String::as_str));
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn markdown_has_its_golden_form() {
        golden::compare("run.md", &markdown(&golden::streamed()));
        golden::compare("judged.md", &markdown(&golden::judged()));
        golden::compare("spread.md", &markdown(&golden::spread()));
        golden::compare("paired.md", &markdown(&golden::paired()));
        golden::compare("whole.md", &markdown(&golden::whole()));
    }
}
