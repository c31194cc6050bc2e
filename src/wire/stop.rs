//! The words with which the wire says why an answer ended.

use super::{Stop, StopKind};

impl Stop {
    /// Folds a word of any dialect; relays between two dialects let the words of one leak into the other.
    pub fn of(word: &str) -> Self {
        let kind = match word {
            "end_turn" | "stop_sequence" | "stop" | "completed" => StopKind::End,
            "max_tokens" | "model_context_window_exceeded" | "length" | "max_output_tokens" => {
                StopKind::Length
            }
            "tool_use" | "tool_calls" | "function_call" => StopKind::Tool,
            "refusal" => StopKind::Refusal,
            "content_filter" => StopKind::Filter,
            _ => StopKind::Other,
        };
        Self { kind, word: word.to_owned() }
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
                assert_eq!(Stop::of(word), Stop { kind, word: (*word).to_owned() });
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
