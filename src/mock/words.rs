//! The words that answers are made of: one a token, decided by seed, request and place alone.

use std::sync::Arc;

use crate::mock::pace::mix;
use crate::units::Size;

/// Nothing here needs escaping in JSON.
const WORDS: [&str; 48] = [
    "the",
    "relay",
    "carries",
    "every",
    "token",
    "down",
    "a",
    "narrow",
    "stream",
    "and",
    "counts",
    "each",
    "one",
    "as",
    "it",
    "passes",
    "under",
    "bridge",
    "of",
    "time",
    "while",
    "river",
    "keeps",
    "its",
    "own",
    "pace",
    "clear",
    "water",
    "over",
    "stone",
    "light",
    "early",
    "morning",
    "slow",
    "boats",
    "drift",
    "home",
    "again",
    "without",
    "sound",
    "café",
    "naïve",
    "straße",
    "日本語",
    "Ωmega",
    "señal",
    "мост",
    "🎼",
];

/// Where the words begin that have characters of several bytes.
const FIRST_WIDE: usize = 40;

/// Which words an answer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// All of them.
    All,
    /// Only those with characters of several bytes.
    Wide,
}

/// The word at one place of one answer.
pub(crate) const fn word(vocabulary: Vocabulary, answer: u64, place: u64) -> &'static str {
    let first = match vocabulary {
        Vocabulary::All => 0,
        Vocabulary::Wide => FIRST_WIDE,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 48")]
    let offset = (mix(answer ^ mix(place)) % (WORDS.len() - first) as u64) as usize;
    WORDS[first + offset]
}

/// What follows a word in a piece that has a size; made once, so that writing a piece is a copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filler(Arc<str>);

impl Filler {
    /// What fills pieces of this size, in bytes; without one there is none.
    pub(crate) fn new(size: Option<Size>) -> Self {
        let size = size.map_or(0, |Size(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX));
        let words = WORDS[..FIRST_WIDE].iter().cycle().flat_map(|word| [" ", *word]);
        let mut text = String::with_capacity(size);
        for part in words {
            // These words are ASCII, so a piece may end inside of any.
            text.push_str(&part[..part.len().min(size - text.len())]);
            if text.len() == size {
                break;
            }
        }
        Self(text.into())
    }

    /// What fills a piece that has so many bytes already.
    pub(crate) fn after(&self, bytes: usize) -> &str {
        &self.0[..self.0.len().saturating_sub(bytes)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_always_has_the_same_word() {
        assert_eq!(word(Vocabulary::All, 4, 2), word(Vocabulary::All, 4, 2));
        let text = |answer| (0..20).map(|place| word(Vocabulary::All, answer, place)).collect::<Vec<_>>();
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn some_words_are_not_ascii_and_the_wide_ones_all_are_not() {
        assert!((0..500).any(|place| !word(Vocabulary::All, 1, place).is_ascii()));
        assert!((0..500).any(|place| word(Vocabulary::All, 1, place).is_ascii()));
        assert!((0..500).all(|place| !word(Vocabulary::Wide, 1, place).is_ascii()));
    }
}
