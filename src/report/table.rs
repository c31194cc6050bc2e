//! The bench table as a terminal shows it: numbers to the right, no borders, columns dropped where it is narrow.

use comfy_table::CellAlignment;
use comfy_table::presets::NOTHING;

use super::columns::Column;
use super::columns::columns;
use super::document::Document;
use super::endpoints::columns_of_endpoints;
use super::tax::columns_of_tax;
use crate::load::Verdict;

/// Whether verdicts are tinted; the word itself always stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tint {
    /// Text alone.
    #[default]
    Plain,
    /// Verdicts other than `ok` in the accent colour.
    Accent,
}

/// How a table is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Columns of the terminal; without them nothing is dropped.
    pub width: Option<u16>,
    /// Whether verdicts are tinted.
    pub tint: Tint,
}

/// Columns that are never dropped: concurrency, average and TP99.
const KEPT: usize = 3;

/// The same, with the endpoint.
const KEPT_OF_ENDPOINTS: usize = 4;

/// Those of what a relay adds: level, figure, both sides and the difference.
const KEPT_OF_TAX: usize = 5;

/// The accent colour (ANSI yellow) and the end of it.
const ACCENT: (&str, &str) = ("\u{1b}[33m", "\u{1b}[0m");

/// A table that has been laid out.
#[derive(Debug)]
pub struct Table {
    /// A line for each level, then, where there are several endpoints, one for each of them at each level, and of a run past
    /// the relay, too, one for each figure.
    pub text: String,
    /// The headings of the columns that the terminal has no room for.
    pub left_out: Vec<&'static str>,
}

/// The table; where there is no room, columns drop from the right, but the verdict only after all others that may.
pub fn table(document: &Document, style: Style) -> Table {
    let Table { text, left_out } = fitted(columns(document), KEPT, style.width);
    let mut table = match style.tint {
        Tint::Plain => Table { text, left_out },
        Tint::Accent => Table { text: tinted(&text, document), left_out },
    };
    let further =
        [(columns_of_endpoints(document), KEPT_OF_ENDPOINTS), (columns_of_tax(document), KEPT_OF_TAX)];
    for (columns, kept) in further {
        let Some(columns) = columns else { continue };
        let below = fitted(columns, kept, style.width);
        table.text.push('\n');
        table.text += &below.text;
        let also: Vec<_> =
            below.left_out.into_iter().filter(|heading| !table.left_out.contains(heading)).collect();
        table.left_out.extend(also);
    }
    table
}

/// Columns as far as there is room for them; the first ones stay, and the last one as long as any other can go.
fn fitted(mut columns: Vec<Column>, kept: usize, width: Option<u16>) -> Table {
    let mut left_out: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let mut text = laid_out(&columns);
    while width.is_some_and(|width| widest(&text) > usize::from(width)) && columns.len() > kept {
        columns.remove(kept.max(columns.len() - 2));
        text = laid_out(&columns);
    }
    left_out.retain(|heading| columns.iter().all(|column| column.heading != *heading));
    Table { text, left_out }
}

/// Lays columns out side by side.
fn laid_out(columns: &[Column]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|column| column.heading));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..rows {
        table.add_row(columns.iter().map(|column| column.cells[row].as_str()));
    }
    for (index, column) in columns.iter().enumerate() {
        let cells = table.column_mut(index).expect("every heading made a column");
        let alignment = if column.is_text() { CellAlignment::Left } else { CellAlignment::Right };
        cells.set_cell_alignment(alignment);
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The number of characters of the longest line.
fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// Tints the verdict at the end of each line, after the layout, so that no escape code counts as width.
fn tinted(text: &str, document: &Document) -> String {
    let mut lines = text.lines();
    let mut out = String::from(lines.next().unwrap_or_default());
    out.push('\n');
    for (line, level) in lines.zip(&document.levels) {
        match line.strip_suffix(level.verdict.name()).filter(|_| level.verdict != Verdict::Ok) {
            Some(figures) => {
                out.extend([figures, ACCENT.0, level.verdict.name(), ACCENT.1]);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    fn at_width(width: u16) -> Table {
        table(&golden::streamed(), Style { width: Some(width), tint: Tint::Plain })
    }

    #[test]
    fn a_table_has_its_golden_form() {
        golden::compare("table.txt", &table(&golden::streamed(), Style::default()).text);
        golden::compare("table-judged.txt", &table(&golden::judged(), Style::default()).text);
        golden::compare("table-open.txt", &table(&golden::open(), Style::default()).text);
        golden::compare("table-whole.txt", &table(&golden::whole(), Style::default()).text);
        golden::compare(
            "table-tinted.txt",
            &table(&golden::streamed(), Style { width: None, tint: Tint::Accent }).text,
        );
        golden::compare("table-paired.txt", &table(&golden::paired(), Style::default()).text);
        golden::compare("table-spread.txt", &table(&golden::spread(), Style::default()).text);
        golden::compare("table-80.txt", &at_width(80).text);
        golden::compare("table-40.txt", &at_width(40).text);
    }

    #[test]
    fn columns_drop_from_the_right_and_are_named_the_verdict_last_and_never_the_first_three() {
        let full = table(&golden::streamed(), Style::default());
        assert_eq!(full.left_out, [""; 0]);
        assert_eq!(at_width(u16::try_from(widest(&full.text)).unwrap()).text, full.text);
        assert!(widest(&at_width(80).text) <= 80);
        assert_eq!(at_width(80).left_out, ["TTFT TP99", "Tok/s"]);
        let least = at_width(1);
        let heading = least.text.lines().next().unwrap();
        assert_eq!(
            heading.split("  ").map(str::trim).collect::<Vec<_>>(),
            ["Concurrency", "Avg (ms)", "TP99 (ms)"]
        );
        assert_eq!(least.left_out, ["Req/s", "Errors", "TTFT avg", "TTFT TP99", "Tok/s", "Verdict"]);
    }

    #[test]
    fn a_run_without_levels_still_has_its_headings() {
        let mut document = golden::whole();
        document.levels.clear();
        assert_eq!(table(&document, Style::default()).text.lines().count(), 1);
    }
}
