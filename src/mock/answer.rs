//! One answer before it has a dialect: its identity, its length, its words and how it ends.

use std::fmt;

use bytes::Bytes;

use crate::mock::pace::mix;
use crate::mock::words::Filler;
use crate::mock::words::Vocabulary;
use crate::mock::words::word;

/// What a huge piece weighs.
const HUGE: usize = 20 * 1024 * 1024;

/// What the relay has decided to say.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The unique part of all ids.
    pub(crate) id: String,
    /// The model's name as a JSON string, quotes included.
    pub(crate) model: String,
    /// When it was made, in Unix seconds.
    pub(crate) created: u64,
    /// Tokens of the prompt.
    pub(crate) input: u64,
    /// Tokens generated, one piece each.
    pub(crate) tokens: u64,
    /// How many of the first pieces are reasoning.
    pub(crate) reasoning: u64,
    /// What kind of thing is said.
    pub(crate) content: Content,
    /// Why it ends.
    pub(crate) stop: Stop,
    /// How often usage is stated in a stream.
    pub(crate) usage: UsageReports,
    /// What decides the words.
    pub(crate) words: u64,
    /// What makes larger pieces of them.
    pub(crate) filler: Filler,
    /// Which words may occur.
    pub(crate) vocabulary: Vocabulary,
    /// The piece that is enormous, if there is one.
    pub(crate) huge: Option<u64>,
    /// What a raw answer echoes.
    pub(crate) echo: Bytes,
}

/// What kind of thing an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Plain text.
    Text,
    /// The arguments of one tool call.
    Tool,
    /// The text of a refusal.
    Refusal,
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is said.
    End,
    /// The limit of tokens.
    Length,
    /// A tool is called.
    Tool,
    /// The model declines.
    Refusal,
    /// A filter steps in.
    Filter,
}

/// How often a stream states its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageReports {
    /// Not at all, where the dialect states it only on request.
    None,
    /// As it should.
    Once,
    /// Twice the same, cumulative figures.
    Twice,
}

impl UsageReports {
    /// The number of reports.
    pub(crate) const fn times(self) -> usize {
        self as usize
    }
}

impl Answer {
    /// The k-th piece, escaped for the inside of a JSON string.
    pub(crate) fn piece(&self, k: u64) -> impl fmt::Display + '_ {
        Pieces { answer: self, from: k, to: k + 1 }
    }

    /// The reasoning, escaped for the inside of a JSON string.
    pub(crate) fn thought(&self) -> impl fmt::Display + '_ {
        Pieces { answer: self, from: 0, to: self.reasoning }
    }

    /// What is said after the reasoning, escaped for the inside of a JSON string.
    pub(crate) fn said(&self) -> impl fmt::Display + '_ {
        Pieces { answer: self, from: self.reasoning, to: self.tokens }
    }

    /// The arguments of the tool call as the JSON object that they are.
    pub(crate) fn arguments(&self) -> String {
        self.said().to_string().replace("\\\"", "\"")
    }

    /// The k-th piece of an echo.
    pub(crate) fn echoed(&self, k: u64) -> Bytes {
        let place = |k: u64| {
            let at = u128::from(k) * self.echo.len() as u128 / u128::from(self.tokens.max(1));
            usize::try_from(at).expect("a place in the echo is at most its length")
        };
        self.echo.slice(place(k)..place(k + 1))
    }

    /// Whether the k-th piece is reasoning.
    pub(crate) const fn is_thought(&self, k: u64) -> bool {
        k < self.reasoning
    }

    /// Whether the k-th piece is the first after the reasoning.
    pub(crate) const fn turns_at(&self, k: u64) -> bool {
        self.reasoning > 0 && k == self.reasoning
    }
}

/// Some consecutive pieces of an answer.
struct Pieces<'a> {
    answer: &'a Answer,
    from: u64,
    to: u64,
}

impl fmt::Display for Pieces<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = self.answer;
        let is_tool = answer.content == Content::Tool;
        for k in self.from..self.to {
            let is_first = k == 0 || k == answer.reasoning;
            if is_tool && is_first {
                out.write_str("{\\\"text\\\":\\\"")?;
            }
            let (space, word) =
                (if is_first { "" } else { " " }, word(answer.vocabulary, mix(answer.words), k));
            out.write_str(space)?;
            out.write_str(word)?;
            out.write_str(answer.filler.after(space.len() + word.len()))?;
            if answer.huge == Some(k) {
                let block = "x".repeat(64 * 1024);
                (0..HUGE / block.len()).try_for_each(|_| out.write_str(&block))?;
            }
            if is_tool && k + 1 == answer.tokens {
                out.write_str("\\\"}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Answer {
    /// Three plain tokens, for the tests of the dialects.
    pub(crate) fn sample() -> Self {
        Self {
            id: "7".into(),
            model: "\"m\"".into(),
            created: 5,
            input: 2,
            tokens: 3,
            reasoning: 0,
            content: Content::Text,
            stop: Stop::End,
            usage: UsageReports::Once,
            words: 1,
            filler: Filler::default(),
            vocabulary: Vocabulary::All,
            huge: None,
            echo: Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::units::Size;

    use super::*;

    #[test]
    fn the_pieces_make_the_whole() {
        let answer = Answer { tokens: 20, reasoning: 7, ..Answer::sample() };
        let pieces: String = (0..20).map(|k| answer.piece(k).to_string()).collect();
        assert_eq!(pieces, format!("{}{}", answer.thought(), answer.said()));
        assert_eq!(answer.said().to_string().split(' ').count(), 13);
        assert!(!answer.said().to_string().starts_with(' '));
    }

    #[test]
    fn a_tool_call_has_arguments_that_are_json() {
        let answer = Answer { content: Content::Tool, ..Answer::sample() };
        let arguments: serde_json::Value = serde_json::from_str(&answer.arguments()).unwrap();
        let quoted: String = serde_json::from_str(&format!("\"{}\"", answer.said())).unwrap();
        assert_eq!(quoted, answer.arguments());
        assert_eq!(arguments["text"].as_str().unwrap().split(' ').count(), 3);
    }

    #[test]
    fn an_echo_is_split_without_loss() {
        let answer = Answer { tokens: 3, echo: Bytes::from_static(b"abcdefgh"), ..Answer::sample() };
        assert_eq!([0, 1, 2].map(|k| answer.echoed(k)), ["ab", "cde", "fgh"]);
    }

    #[test]
    fn with_a_size_every_piece_has_it_and_still_needs_no_escaping() {
        let filler = Filler::new(Some(Size(1000)));
        let answer = Answer { filler, tokens: 9, ..Answer::sample() };
        let pieces: Vec<_> = (0..9).map(|k| answer.piece(k).to_string()).collect();
        assert!(pieces.iter().all(|piece| piece.len() == 1000), "{pieces:?}");
        assert!(pieces.iter().skip(1).all(|piece| piece.starts_with(' ')) && pieces[1] != pieces[2]);
        assert_eq!(serde_json::to_string(&pieces[3]).unwrap(), format!("\"{}\"", pieces[3]));
        assert_eq!(answer.said().to_string(), pieces.concat());
    }

    #[test]
    fn a_huge_piece_weighs_20_mib() {
        let answer = Answer { huge: Some(1), ..Answer::sample() };
        assert!(answer.piece(1).to_string().len() > 20 * 1024 * 1024);
        assert!(answer.piece(0).to_string().len() < 100);
    }
}
