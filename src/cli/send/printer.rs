//! Prints what arrives of an answer, in the form asked for, and holds back what may still turn out void.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;
use std::time::Duration;

use crate::client::Piece;
use crate::units::Span;
use crate::wire::{Delta, Event};

use super::{AnswerOptions, Format};
use crate::cli::options::VerbosityOptions;
use crate::cli::output::Output;
use crate::cli::{OutputError, Talk, say, show};

/// What the last line printed is still waiting for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Closed,
    Text,
    Reasoning,
}

/// What has been generated so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    Nothing,
    Tools,
    Words,
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
    /// Lines or bytes of an attempt that may still be void because nothing generated has arrived.
    held: Vec<u8>,
    attempt: u32,
    pub(super) delivered: Delivered,
    /// The line that is still open.
    line: Line,
    /// Why the output can take no more.
    pub(super) failure: Option<OutputError>,
}

impl Printer {
    pub(super) fn new(answer: &AnswerOptions, output: Output, talk: Talk) -> Self {
        Self {
            // What is to be extracted is gathered first, as the text of a JSON object is.
            format: answer.extract.map_or(answer.format, |_| Format::Json),
            output,
            verbose: false,
            reasoning: answer.show_reasoning || (stderr().is_terminal() && !talk.quiet),
            text: String::new(),
            held: Vec::new(),
            attempt: 1,
            delivered: Delivered::Nothing,
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
            Piece::Attempt(number) => {
                self.attempt = *number;
                self.held.clear();
                ControlFlow::Continue(())
            }
            Piece::Wire(bytes) if self.format == Format::Raw => self.put(bytes, self.is_certain()),
            Piece::Wire(_) => ControlFlow::Continue(()),
            Piece::Event(at, event) => self.take_event(*at, event),
            Piece::Retry(attempt, wait) => {
                self.note(&show::attempt_line(attempt, Some(&format!("again in {}", Span(*wait)))))
            }
            Piece::Repair(attempt, change) => self.note(&show::attempt_line(attempt, Some(change))),
        }
    }

    fn note(&self, line: &str) -> ControlFlow<()> {
        if self.verbose {
            say(line);
        }
        ControlFlow::Continue(())
    }

    fn take_event(&mut self, at: Duration, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Delta(delta) = event {
            self.delivered = match (self.delivered, delta) {
                (Delivered::Nothing | Delivered::Tools, Delta::ToolArguments(_)) => Delivered::Tools,
                _ => Delivered::Words,
            };
        }
        match (self.format, event) {
            (Format::Events, event) => {
                let line = show::as_event_line(self.attempt, at, event);
                self.put(line.as_bytes(), self.is_certain())
            }
            (Format::Raw, _) => self.put(&[], self.is_certain()),
            (_, Event::Delta(Delta::Reasoning(text))) => {
                self.show_reasoning(text);
                ControlFlow::Continue(())
            }
            (Format::Json, Event::Delta(Delta::Text(text))) => {
                self.text.push_str(text);
                ControlFlow::Continue(())
            }
            (Format::Json, Event::Delta(Delta::Bytes(bytes))) => {
                self.text.push_str(&String::from_utf8_lossy(bytes));
                ControlFlow::Continue(())
            }
            (Format::Text, Event::Delta(Delta::Text(text))) => {
                self.close_reasoning();
                self.line = if text.ends_with('\n') { Line::Closed } else { Line::Text };
                self.put(text.as_bytes(), true)
            }
            (Format::Text, Event::Delta(Delta::Bytes(bytes))) => self.put(bytes, true),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether the attempt can no longer turn out void.
    fn is_certain(&self) -> bool {
        self.delivered != Delivered::Nothing
    }

    /// Writes bytes, or holds them while their attempt may still turn out void.
    fn put(&mut self, bytes: &[u8], certain: bool) -> ControlFlow<()> {
        if !certain {
            self.held.extend_from_slice(bytes);
            return ControlFlow::Continue(());
        }
        let held = std::mem::take(&mut self.held);
        for part in [&held[..], bytes] {
            if let Err(error) = self.output.write(part) {
                self.failure = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
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
        let held = std::mem::take(&mut self.held);
        self.output.write(&held)?;
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
