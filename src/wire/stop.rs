//! The words with which the wire says why an answer ended.

use std::borrow::Cow;

use super::{Stop, StopKind};

/// The words of all dialects.
const WORDS: [(&str, StopKind); 13] = [
    ("end_turn", StopKind::End),
    ("stop", StopKind::End),
    ("stop_sequence", StopKind::End),
    ("completed", StopKind::End),
    ("max_tokens", StopKind::Length),
    ("length", StopKind::Length),
    ("max_output_tokens", StopKind::Length),
    ("model_context_window_exceeded", StopKind::Length),
    ("tool_use", StopKind::Tool),
    ("tool_calls", StopKind::Tool),
    ("function_call", StopKind::Tool),
    ("refusal", StopKind::Refusal),
    ("content_filter", StopKind::Filter),
];

impl Stop {
    /// Folds a word of any dialect; relays between two dialects let the words of one leak into the other.
    pub fn of(word: &str) -> Self {
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((known, kind)) => Self { kind: *kind, word: Cow::Borrowed(known) },
            None => Self { kind: StopKind::Other, word: Cow::Owned(word.to_owned()) },
        }
    }
}

impl StopKind {
    /// The folded word, used in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Length => "length",
            Self::Tool => "tool",
            Self::Refusal => "refusal",
            Self::Filter => "filter",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_word_is_folded() {
        let folded = |words: &[&str], kind| {
            for word in words {
                assert_eq!(Stop::of(word), Stop { kind, word: (*word).to_owned().into() });
            }
        };
        folded(&["end_turn", "stop_sequence", "stop"], StopKind::End);
        folded(
            &["max_tokens", "model_context_window_exceeded", "length", "max_output_tokens"],
            StopKind::Length,
        );
        folded(&["tool_use", "tool_calls", "function_call"], StopKind::Tool);
        folded(&["refusal"], StopKind::Refusal);
        folded(&["content_filter"], StopKind::Filter);
        folded(&["pause_turn", "", "STOP"], StopKind::Other);
    }
}
