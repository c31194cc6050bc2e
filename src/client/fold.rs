//! Folds the events of one answer into marks, counts and a verdict, without keeping any of its text.

use std::time::Duration;

use crate::outcome::{Class, Marks, Tokens};
use crate::wire::{ApiError, Delta, Event, Stop, StopKind, Usage};

/// What the events of one attempt have said so far.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) deltas: u64,
    pub(super) usage: Usage,
    pub(super) stop: Option<Stop>,
    pub(super) model: Option<String>,
    pub(super) error: Option<ApiError>,
    pub(super) terminal: bool,
    characters: u64,
}

impl Fold {
    /// Takes in one event that arrived `at` this long after the start.
    pub(super) fn take(&mut self, at: Duration, event: &Event<'_>, marks: &mut Marks) {
        marks.first_event.get_or_insert(at);
        match event {
            Event::Delta(delta) => self.take_delta(at, delta, marks),
            Event::Model(name) => {
                self.model.get_or_insert_with(|| name.clone().into_owned());
            }
            Event::Usage(usage) => self.take_usage(*usage),
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Error(error) => {
                self.error.get_or_insert_with(|| error.clone());
            }
            Event::Terminal => {
                self.terminal = true;
                marks.end.get_or_insert(at);
            }
            Event::Id(_) | Event::Ping => {}
        }
    }

    fn take_delta(&mut self, at: Duration, delta: &Delta<'_>, marks: &mut Marks) {
        self.deltas += 1;
        marks.first_delta.get_or_insert(at);
        if !matches!(delta, Delta::Reasoning(_)) {
            marks.first_answer.get_or_insert(at);
        }
        marks.last_delta = Some(at);
        let characters = match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::ToolArguments(text) => characters(text),
            Delta::Bytes(bytes) => bytes.len(),
        };
        self.characters += characters as u64;
    }

    /// Cumulative counts overwrite; a field that a later event leaves out keeps its value.
    fn take_usage(&mut self, later: Usage) {
        let usage = &mut self.usage;
        usage.input = later.input.or(usage.input);
        usage.cache_read = later.cache_read.or(usage.cache_read);
        usage.cache_write = later.cache_write.or(usage.cache_write);
        usage.output = later.output.or(usage.output);
        usage.reasoning = later.reasoning.or(usage.reasoning);
    }

    /// The tokens of the answer, by the server's count or by an estimate that says so.
    pub(super) fn tokens(&self) -> Tokens {
        let Usage { input, cache_read, cache_write, output, .. } = self.usage;
        let input = input.map(|fresh| fresh + cache_read.unwrap_or(0) + cache_write.unwrap_or(0));
        let estimated = output.is_none() && self.characters > 0;
        let estimate = || estimated.then(|| Tokens::estimate(self.characters));
        Tokens { input, output: output.or_else(estimate), estimated }
    }

    /// The class of an answer that came to its proper end.
    pub(super) fn class(&self) -> Class {
        match self.stop.as_ref().map(|stop| stop.kind) {
            Some(StopKind::Refusal | StopKind::Filter) => Class::Refused,
            // A tool call without arguments generates no delta and is an answer all the same.
            Some(StopKind::Tool) => Class::Ok,
            _ if self.deltas == 0 => Class::Empty,
            Some(StopKind::Length) => Class::OkLength,
            _ => Class::Ok,
        }
    }
}

/// How many characters a text has: bytes that continue none, counted in blocks whose counts fit in a byte, which becomes
/// a few instructions for many of them.
fn characters(text: &str) -> usize {
    let count = |block: &[u8]| block.iter().map(|byte| u8::from(byte.cast_signed() >= -0x40)).sum::<u8>();
    text.as_bytes().chunks(usize::from(u8::MAX)).map(|block| usize::from(count(block))).sum()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn fold(events: &[Event<'_>]) -> (Fold, Marks) {
        let mut marks = Marks::starting(Instant::now());
        let mut fold = Fold::default();
        for (at, event) in events.iter().enumerate() {
            fold.take(Duration::from_millis(at as u64), event, &mut marks);
        }
        (fold, marks)
    }

    #[test]
    fn a_ping_or_a_model_name_is_an_event_but_no_token() {
        let (_, marks) = fold(&[
            Event::Ping,
            Event::Model("m".into()),
            Event::Delta(Delta::Reasoning("hm".into())),
            Event::Delta(Delta::Text("Hi".into())),
        ]);
        assert_eq!(marks.first_event, Some(Duration::ZERO));
        assert_eq!(marks.first_delta, Some(Duration::from_millis(2)));
        assert_eq!(marks.first_answer, Some(Duration::from_millis(3)));
    }

    #[test]
    fn cumulative_usage_overwrites_and_never_adds() {
        let early = Usage { input: Some(11), output: Some(1), cache_read: Some(4), ..Usage::default() };
        let late = Usage { output: Some(6), ..Usage::default() };
        let (fold, _) = fold(&[Event::Usage(early), Event::Usage(late)]);
        assert_eq!(fold.tokens(), Tokens { input: Some(15), output: Some(6), estimated: false });
    }

    #[test]
    fn characters_are_counted_as_the_library_counts_them() {
        for text in ["", "river", "Fluß, 川, 🌊"] {
            for times in [1, 40, 300] {
                let text = text.repeat(times);
                assert_eq!(characters(&text), text.chars().count(), "{times}");
            }
        }
    }

    #[test]
    fn tokens_are_estimated_only_where_the_server_counts_none_and_say_so() {
        let (fold, _) = fold(&[Event::Delta(Delta::Text("nine char".into()))]);
        assert_eq!(fold.tokens(), Tokens { input: None, output: Some(3), estimated: true });
        assert_eq!(Fold::default().tokens(), Tokens::default());
    }
}
