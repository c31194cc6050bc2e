//! What the commands that list things share: the two forms of a list, its columns, and the way to standard output.

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::output::Output;

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
}

/// Prints a whole list.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = Output::open(None)?;
    output.write(text.as_bytes())?;
    Ok(output.finish()?)
}

/// Rows under headings in columns, without lines.
pub(super) fn in_columns(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}
