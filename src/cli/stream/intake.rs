//! Takes the pieces of an answer: makes data of them, hands the data to the writer, and keeps count, but no text.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::cli::rendering::{Generated, Rendering};
use crate::cli::{say, show};
use crate::client::{Piece, Sink};
use crate::report::ArrivalLine;
use crate::units::Span;
use crate::wire::{Delta, Event};

use super::handover::MOST;
use super::writer::{Writer, Written};

/// The reader's side of a stream.
#[derive(Debug)]
pub(super) struct Intake {
    rendering: Rendering,
    /// What the next hand-over takes along.
    filling: Vec<u8>,
    writer: Writer,
    /// The name of the last event and when it came.
    last: Option<(&'static str, Duration)>,
    /// Whether each attempt gets a line.
    is_verbose: bool,
    live: Option<ArrivalLine>,
}

/// What an answer has left when it has ended.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) written: Written,
    pub(super) last: Option<(&'static str, Duration)>,
    pub(super) generated: Generated,
}

impl Intake {
    pub(super) fn new(rendering: Rendering, writer: Writer) -> Self {
        Self { rendering, filling: Vec::new(), writer, last: None, is_verbose: false, live: None }
    }

    /// Prints a line for each attempt.
    pub(super) fn verbose(self, is_verbose: bool) -> Self {
        Self { is_verbose, ..self }
    }

    /// Shows what arrives in a line that is rewritten in place.
    pub(super) fn live(self, live: Option<ArrivalLine>) -> Self {
        Self { live, ..self }
    }

    /// A line between those that are rewritten.
    pub(super) fn say(&self, text: &str) {
        match &self.live {
            _ if !self.is_verbose => {}
            Some(live) => live.print(text),
            None => say(text),
        }
    }

    /// Writes what is left and ends the writing; the live line goes.
    pub(super) fn finish(self) -> Remains {
        let Self { mut rendering, mut filling, writer, last, live, .. } = self;
        let generated = rendering.generated;
        filling.extend_from_slice(&rendering.take_held());
        let written = writer.finish(filling);
        if let Some(live) = live {
            live.finish();
        }
        Remains { written, last, generated }
    }

    fn note(&mut self, at: Duration, event: &Event<'_>) {
        self.last = Some((show::event_name(event), at));
        let (Some(live), Event::Delta(delta)) = (&self.live, event) else { return };
        let characters = match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::ToolArguments(text) => text.chars().count(),
            Delta::Bytes(bytes) => bytes.len(),
        };
        live.note_generated(at, characters);
    }
}

impl Sink for Intake {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        match &piece {
            Piece::Event(at, event) => self.note(*at, event),
            Piece::Retry(attempt, wait) => {
                self.say(&show::attempt_line(attempt, Some(&format!("again in {}", Span(*wait)))));
            }
            Piece::Repair(attempt, change) => self.say(&show::attempt_line(attempt, Some(change))),
            Piece::Attempt(..) | Piece::Endpoint(_) | Piece::Wire(_) => {}
        }
        let Self { rendering, filling, .. } = self;
        rendering.take(&piece, &mut |bytes| {
            filling.extend_from_slice(bytes);
            ControlFlow::Continue(())
        })
    }

    async fn ready(&mut self) -> ControlFlow<()> {
        if self.filling.is_empty() {
            return ControlFlow::Continue(());
        }
        if let Some(live) = &self.live {
            live.note_bytes(self.filling.len());
        }
        self.writer.put(&mut self.filling).await
    }

    fn gathers(&self) -> bool {
        (1..MOST).contains(&self.filling.len())
    }
}
