//! Prints what arrives of an answer, in the form asked for, with what goes along with it on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;

use crate::client::Piece;
use crate::units::Span;
use crate::wire::{Delta, Event};

use super::{AnswerOptions, Format};
use crate::cli::options::VerbosityOptions;
use crate::cli::output::Output;
use crate::cli::rendering::Rendering;
use crate::cli::{OutputError, Talk, say, show};

/// What the last line printed is still waiting for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Closed,
    Text,
    Reasoning,
}

/// Prints what arrives, in the form asked for.
pub(super) struct Printer {
    format: Format,
    pub(super) output: Output,
    /// Whether each attempt gets a line.
    pub(super) verbose: bool,
    /// Whether reasoning goes to standard error.
    reasoning: bool,
    /// Text so far, kept only for `--format json` and `--extract`.
    pub(super) text: String,
    pub(super) rendering: Rendering,
    /// The line that is still open.
    line: Line,
    /// Why the output can take no more.
    pub(super) failure: Option<OutputError>,
}

impl Printer {
    pub(super) fn new(answer: &AnswerOptions, output: Output, talk: Talk) -> Self {
        // What is to be extracted is gathered first, as the text of a JSON object is.
        let format = answer.extract.map_or(answer.format, |_| Format::Json);
        Self {
            format,
            output,
            verbose: false,
            reasoning: answer.show_reasoning || (stderr().is_terminal() && !talk.quiet),
            text: String::new(),
            rendering: Rendering::new(format.form()),
            line: Line::Closed,
            failure: None,
        }
    }

    pub(super) fn verbose(self, verbosity: &VerbosityOptions) -> Self {
        Self { verbose: verbosity.verbose, ..self }
    }

    /// Takes one piece; breaks off when the output can take no more.
    pub(super) fn take(&mut self, piece: &Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Event(_, Event::Delta(delta)) => self.accompany(delta),
            Piece::Retry(attempt, wait) => {
                self.note(&show::attempt_line(attempt, Some(&format!("again in {}", Span(*wait)))));
            }
            Piece::Repair(attempt, change) => self.note(&show::attempt_line(attempt, Some(change))),
            Piece::Attempt(..) | Piece::Endpoint(_) | Piece::Wire(_) | Piece::Event(..) => {}
        }
        let Self { rendering, output, failure, .. } = self;
        rendering.take(piece, &mut |bytes| match output.write(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                *failure = Some(error);
                ControlFlow::Break(())
            }
        })
    }

    fn note(&self, line: &str) {
        if self.verbose {
            say(line);
        }
    }

    /// Does with a piece what is not data: reasoning is shown, text gathered, an open line remembered.
    fn accompany(&mut self, delta: &Delta<'_>) {
        match (self.format, delta) {
            (Format::Text | Format::Json, Delta::Reasoning(text)) => self.show_reasoning(text),
            (Format::Text, Delta::Text(text)) => {
                self.close_reasoning();
                self.line = if text.ends_with('\n') { Line::Closed } else { Line::Text };
            }
            (Format::Json, Delta::Text(text)) => self.text.push_str(text),
            (Format::Json, Delta::Bytes(bytes)) => self.text.push_str(&String::from_utf8_lossy(bytes)),
            _ => {}
        }
    }

    fn show_reasoning(&mut self, text: &str) {
        if self.reasoning {
            self.line = if text.ends_with('\n') { Line::Closed } else { Line::Reasoning };
            let _ = write!(stderr(), "{text}");
        }
    }

    fn close_reasoning(&mut self) {
        if self.line == Line::Reasoning {
            let _ = writeln!(stderr());
            self.line = Line::Closed;
        }
    }

    /// Ends an open line of text, and writes what was held of an answer that brought nothing.
    pub(super) fn end_line(&mut self) -> Result<(), OutputError> {
        self.close_reasoning();
        self.output.write(&self.rendering.take_held())?;
        if self.line == Line::Text {
            self.output.write(b"\n")?;
        }
        Ok(())
    }

    /// Keeps what a file holds of an answer that did not become whole, and says where.
    pub(super) fn keep_partial(self, talk: Talk) -> Result<(), OutputError> {
        if let Some(path) = self.output.keep_partial()? {
            talk.notice(format_args!("note: what arrived is kept in {}", path.display()));
        }
        Ok(())
    }
}
