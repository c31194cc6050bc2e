//! What of an answer is data, in the form asked for, and what is held back because it may still turn out void.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::ValueEnum;

use crate::client::Piece;
use crate::wire::{Delta, Event};

use super::show;

/// How much is held back at most; what comes after it is written, and the request is then not sent again.
const HELD_LIMIT: usize = 1024 * 1024;

/// The forms in which an answer is written while it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// The generated text.
    Text,
    /// A JSON line for each event, with its time.
    Events,
    /// The wire's bytes.
    Raw,
}

impl Form {
    /// The name that the flag takes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Events => "events",
            Self::Raw => "raw",
        }
    }
}

/// What has been generated so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generated {
    Nothing,
    Tools,
    Words,
}

/// Makes data of pieces.
#[derive(Debug)]
pub(super) struct Rendering {
    /// `None` where nothing is written before the answer is whole.
    form: Option<Form>,
    attempt: u32,
    /// Data of an attempt that may still be void because nothing generated has arrived.
    held: Vec<u8>,
    /// Whether more came than is held back.
    overflowed: bool,
    pub(super) generated: Generated,
}

impl Rendering {
    /// Nothing has arrived yet.
    pub(super) fn new(form: Option<Form>) -> Self {
        Self { form, attempt: 1, held: Vec::new(), overflowed: false, generated: Generated::Nothing }
    }

    /// Takes one piece and writes what it adds; breaks where the writer does.
    pub(super) fn take(
        &mut self,
        piece: &Piece<'_>,
        write: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (piece, self.form) {
            (Piece::Attempt(number, _), _) => {
                self.attempt = *number;
                self.held.clear();
            }
            (Piece::Wire(bytes), Some(Form::Raw)) => return self.put(bytes, write),
            (Piece::Event(at, event), form) => {
                self.note(event);
                return form
                    .map_or(ControlFlow::Continue(()), |form| self.take_event(form, (*at, event), write));
            }
            // What has been written cannot be taken back.
            (Piece::Retry(..), _) if self.overflowed => return ControlFlow::Break(()),
            (Piece::Endpoint(_) | Piece::Wire(_) | Piece::Retry(..) | Piece::Repair(..), _) => {}
        }
        ControlFlow::Continue(())
    }

    fn take_event(
        &mut self,
        form: Form,
        (at, event): (Duration, &Event<'_>),
        write: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (form, event) {
            (Form::Text, Event::Delta(Delta::Text(text))) => write(text.as_bytes()),
            (Form::Text, Event::Delta(Delta::Bytes(bytes))) => write(bytes),
            (Form::Text, _) => ControlFlow::Continue(()),
            (Form::Events, event) => self.put(show::as_event_line(self.attempt, at, event).as_bytes(), write),
            // The first generated piece makes certain what was held.
            (Form::Raw, _) => self.put(&[], write),
        }
    }

    fn note(&mut self, event: &Event<'_>) {
        if let Event::Delta(delta) = event {
            self.generated = match (self.generated, delta) {
                (Generated::Nothing | Generated::Tools, Delta::ToolArguments(_)) => Generated::Tools,
                _ => Generated::Words,
            };
        }
    }

    /// Writes bytes, or holds them while their attempt may still turn out void.
    fn put(&mut self, bytes: &[u8], write: &mut impl FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let is_certain = self.generated != Generated::Nothing || self.overflowed;
        if !is_certain && self.held.len() + bytes.len() <= HELD_LIMIT {
            self.held.extend_from_slice(bytes);
            return ControlFlow::Continue(());
        }
        self.overflowed |= !is_certain;
        if !self.held.is_empty() {
            write(&std::mem::take(&mut self.held))?;
        }
        if bytes.is_empty() { ControlFlow::Continue(()) } else { write(bytes) }
    }

    /// What is held of an answer that has ended and brought nothing.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of these pieces, and whether the last of them broke off.
    fn written(form: Form, pieces: &[Piece<'_>]) -> (String, bool) {
        let mut out = Vec::new();
        let mut rendering = Rendering::new(Some(form));
        let mut flow = ControlFlow::Continue(());
        for piece in pieces {
            flow = rendering.take(piece, &mut |bytes| {
                out.extend_from_slice(bytes);
                ControlFlow::Continue(())
            });
        }
        (String::from_utf8(out).unwrap(), flow.is_break())
    }

    fn failed() -> crate::client::Attempt {
        crate::client::Attempt {
            endpoint: None,
            number: 1,
            class: crate::outcome::Class::Truncated,
            status: Some(200),
            ended: Duration::ZERO,
            waited: Duration::ZERO,
            limited: Duration::ZERO,
            authorised: Duration::ZERO,
            maybe_billed: true,
            body: crate::outcome::BodySize::default(),
            relay_request_id: None,
            message: String::new(),
        }
    }

    #[test]
    fn an_attempt_that_generated_nothing_leaves_no_trace() {
        let (attempt, ping, text) = (failed(), Event::Ping, Event::Delta(Delta::Text("Hi".into())));
        let pieces = [
            Piece::Attempt(1, "id"),
            Piece::Wire(b": void\n\n"),
            Piece::Event(Duration::ZERO, &ping),
            Piece::Retry(&attempt, Duration::ZERO),
            Piece::Attempt(2, "id"),
            Piece::Wire(b": kept\n\n"),
            Piece::Event(Duration::ZERO, &ping),
            Piece::Wire(b"data: Hi\n\n"),
            Piece::Event(Duration::from_millis(5), &text),
        ];
        assert_eq!(written(Form::Raw, &pieces), (": kept\n\ndata: Hi\n\n".to_owned(), false));
        assert_eq!(written(Form::Text, &pieces).0, "Hi");
        let events = written(Form::Events, &pieces).0;
        let lines: Vec<_> = events.lines().collect();
        assert_eq!(lines.len(), 2, "{events}");
        assert_eq!(lines[1], r#"{"t_ms":5.0,"attempt":2,"event":"text","text":"Hi"}"#);
    }

    #[test]
    fn what_is_held_back_is_bounded_and_what_was_let_go_is_not_asked_for_again() {
        let attempt = failed();
        let chatter = vec![b'.'; HELD_LIMIT];
        let retry = Piece::Retry(&attempt, Duration::ZERO);
        let some = [Piece::Wire(&chatter), retry];
        assert_eq!(written(Form::Raw, &some), (String::new(), false));
        let retry = Piece::Retry(&attempt, Duration::ZERO);
        let too_much = [Piece::Wire(&chatter), Piece::Wire(b"!"), Piece::Wire(b"!"), retry];
        let (out, is_over) = written(Form::Raw, &too_much);
        assert_eq!((out.len(), is_over), (HELD_LIMIT + 2, true));
    }

    #[test]
    fn a_writer_that_breaks_off_is_heard() {
        let text = Event::Delta(Delta::Text("Hi".into()));
        let mut rendering = Rendering::new(Some(Form::Text));
        let piece = Piece::Event(Duration::ZERO, &text);
        assert!(rendering.take(&piece, &mut |_| ControlFlow::Break(())).is_break());
    }
}
