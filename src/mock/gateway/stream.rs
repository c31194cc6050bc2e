//! What a gateway does to the bytes of a reply on their way: whole events at a time where a habit needs them.

use hyper::body::Bytes;

use super::habits::{Habit, Personality};

/// The longest line of a gateway that reads lines into a fixed buffer.
const LINE_LIMIT: usize = 64 * 1024;

/// Whose grammar a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Anthropic's events.
    Messages,
    /// OpenAI's chunks, or anything else.
    Chat,
    /// OpenAI's Responses events.
    Responses,
}

/// The bytes of one reply on their way.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    personality: &'a Personality,
    grammar: Grammar,
    /// Bytes of an event that is not whole yet.
    rest: Vec<u8>,
    /// Whether a terminal event was passed on.
    has_ended: bool,
    /// Whether an error was passed by.
    was_masked: bool,
}

/// What has become of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// They go on like this, perhaps as nothing.
    On(Vec<u8>),
    /// The stream ends here, without a word.
    Over,
}

impl<'a> Passage<'a> {
    /// A stream in this grammar.
    pub(super) fn new(personality: &'a Personality, grammar: Grammar) -> Self {
        Self { personality, grammar, rest: Vec::new(), has_ended: false, was_masked: false }
    }

    /// Passes bytes on as they come, or event by event where a habit looks at events.
    pub(super) fn pass(&mut self, bytes: &Bytes) -> Passed {
        if self.personality.has(Habit::MangleText) {
            return Passed::On(String::from_utf8_lossy(bytes).into_owned().into_bytes());
        }
        if !EVENT_HABITS.iter().any(|habit| self.personality.has(*habit)) {
            return Passed::On(bytes.to_vec());
        }
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(at) = memchr::memmem::find(&self.rest, b"\n\n") {
            let rest = self.rest.split_off(at + 2);
            let event = std::mem::replace(&mut self.rest, rest);
            if self.personality.has(Habit::LineLimit) && event.len() > LINE_LIMIT {
                return Passed::Over;
            }
            out.extend_from_slice(&self.event(&event));
        }
        if self.personality.has(Habit::LineLimit) && self.rest.len() > LINE_LIMIT {
            return Passed::Over;
        }
        Passed::On(out)
    }

    /// What follows the last bytes.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.rest);
        let adds = self.personality.has(Habit::AddTerminal) || self.was_masked;
        if adds && !self.has_ended {
            out.extend_from_slice(self.terminal().as_bytes());
        }
        if self.personality.has(Habit::StrayDone) {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        out
    }

    /// One event, or what is made of it.
    fn event(&mut self, event: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(event) else { return event.to_vec() };
        if self.personality.has(Habit::DropComments)
            && text.lines().all(|line| line.is_empty() || line.starts_with(':'))
        {
            return Vec::new();
        }
        let tells_error = text.starts_with("event: error") || text.contains("data: {\"error\"");
        if self.personality.has(Habit::MaskErrors) && tells_error {
            self.was_masked = true;
            return Vec::new();
        }
        let is_terminal = match self.grammar {
            Grammar::Messages => text.contains("\"message_stop\""),
            Grammar::Chat => text.contains("data: [DONE]"),
            Grammar::Responses => text.contains("\"response.completed\""),
        };
        if is_terminal && self.was_masked {
            return Vec::new();
        }
        // Nothing is added to what has told its failure.
        self.has_ended |= is_terminal || tells_error;
        let mut text = text.to_owned();
        if self.personality.has(Habit::ZeroUsage) {
            text = without_usage(text);
        }
        if self.personality.has(Habit::RenameModel) {
            text = renamed(text);
        }
        text.into_bytes()
    }

    /// The end of a stream in which all is well.
    fn terminal(&self) -> &'static str {
        match self.grammar {
            Grammar::Messages => {
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
            }
            Grammar::Chat => {
                "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            }
            Grammar::Responses => {
                "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n"
            }
        }
    }
}

/// The habits that look at events.
const EVENT_HABITS: [Habit; 7] = [
    Habit::ZeroUsage,
    Habit::MaskErrors,
    Habit::AddTerminal,
    Habit::RenameModel,
    Habit::StrayDone,
    Habit::DropComments,
    Habit::LineLimit,
];

/// A text in which every count of tokens is nothing.
fn without_usage(text: String) -> String {
    const FIELDS: [&str; 5] = [
        "\"input_tokens\":",
        "\"output_tokens\":",
        "\"prompt_tokens\":",
        "\"completion_tokens\":",
        "\"total_tokens\":",
    ];
    FIELDS.iter().fold(text, |text, field| {
        let mut parts = text.split(field);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(field);
            out.push('0');
            out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        out
    })
}

/// A text in which another model answers.
pub(super) fn renamed(text: String) -> String {
    const FIELD: &str = "\"model\":\"";
    let Some(at) = text.find(FIELD).map(|at| at + FIELD.len()) else { return text };
    let Some(length) = text[at..].find('"') else { return text };
    format!("{}upstream-model{}", &text[..at], &text[at + length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(habit: Habit, grammar: Grammar, text: &str) -> String {
        let personality = Personality::of(&[habit]);
        let mut passage = Passage::new(&personality, grammar);
        // Cut at every byte: a habit must not depend on the reads.
        let mut out = Vec::new();
        for byte in text.as_bytes() {
            match passage.pass(&Bytes::copy_from_slice(&[*byte])) {
                Passed::On(bytes) => out.extend(bytes),
                Passed::Over => return String::from_utf8(out).unwrap(),
            }
        }
        out.extend(passage.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_habits_of_streams_change_what_they_say_they_do() {
        let said = "data: {\"model\":\"m\",\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n\n";
        let zero = through(Habit::ZeroUsage, Grammar::Chat, said);
        assert!(zero.contains("\"prompt_tokens\":0,\"completion_tokens\":0"), "{zero}");
        assert!(through(Habit::RenameModel, Grammar::Chat, said).contains("\"model\":\"upstream-model\""));
        assert!(through(Habit::AddTerminal, Grammar::Chat, said).ends_with("data: [DONE]\n\n"));
        assert_eq!(through(Habit::DropComments, Grammar::Chat, ": hello\n\ndata: 1\n\n"), "data: 1\n\n");
        let masked = through(Habit::MaskErrors, Grammar::Messages, "event: error\ndata: {}\n\n");
        assert!(masked.contains("end_turn") && !masked.contains("event: error"), "{masked}");
        assert_eq!(through(Habit::Buffer, Grammar::Chat, said), said);
    }

    #[test]
    fn a_terminal_event_is_added_only_where_there_is_none() {
        let whole = "data: [DONE]\n\n";
        assert_eq!(through(Habit::AddTerminal, Grammar::Chat, whole), whole);
        assert_eq!(through(Habit::StrayDone, Grammar::Chat, whole), format!("{whole}{whole}"));
    }

    #[test]
    fn a_long_line_ends_the_stream_silently() {
        let long = format!("data: 1\n\ndata: {}\n\n", "x".repeat(LINE_LIMIT));
        let personality = Personality::of(&[Habit::LineLimit]);
        let mut passage = Passage::new(&personality, Grammar::Chat);
        assert_eq!(passage.pass(&Bytes::from(long)), Passed::Over);
    }
}
