//! The forms in which a result is printed, the same right after a run and from a saved file.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::report;
use crate::report::{Document, Style, Tint};

use super::output::{Output, OutputError};
use super::{Talk, colour_is_wanted};

/// The form of a report and its place.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct PaperOptions {
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub(super) format: Format,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
    Markdown,
    Junit,
    Html,
    Hdr,
}

impl PaperOptions {
    /// Opens the place of the report.
    pub(super) fn open(&self) -> Result<Output, OutputError> {
        Output::open(self.output.as_deref())
    }

    /// Prints the report, and what belongs beside it on standard error.
    pub(super) fn print(
        &self,
        document: &Document,
        mut output: Output,
        talk: Talk,
    ) -> Result<(), OutputError> {
        let mut left_out = None;
        let text = match self.format {
            Format::Table => {
                let style = self.style();
                let table = report::table(document, style);
                left_out = narrowed(&table, style);
                talk.notice("");
                table.text
            }
            Format::Json => report::json(document),
            Format::Csv => report::csv(document),
            Format::Markdown => report::markdown(document),
            Format::Junit => report::junit(document),
            Format::Html => report::html(document),
            Format::Hdr => report::hdr(document),
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        if let Some(left_out) = left_out {
            talk.notice(left_out);
        }
        let notes = report::notes(document);
        if self.format != Format::Markdown && !notes.is_empty() {
            talk.notice(format_args!("\n{}", notes.trim_end()));
        }
        Ok(())
    }

    /// A terminal gets a table that fits it, in colour where that is wanted.
    fn style(&self) -> Style {
        if self.output.is_some() || !stdout().is_terminal() {
            return Style::default();
        }
        let width = terminal_size::terminal_size().map(|(width, _)| width.0);
        Style { width, tint: if colour_is_wanted() { Tint::Accent } else { Tint::Plain } }
    }
}

/// Keeps the whole result where that is wanted. Last, so that a place that has vanished takes nothing of the report.
pub(super) fn keep(document: &Document, save: Option<Output>) -> Result<(), OutputError> {
    let Some(mut save) = save else { return Ok(()) };
    save.write(report::json(document).as_bytes())?;
    save.finish()
}

/// What to say of a table that the terminal has not enough columns for.
fn narrowed(table: &report::Table, style: Style) -> Option<String> {
    let width = style.width.filter(|_| !table.left_out.is_empty())?;
    let headings = table.left_out.join(", ");
    Some(format!("narrow  no room in {width} columns for {headings}; --format csv has them all"))
}
