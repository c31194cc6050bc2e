//! Made-up prompts of a given length: `in=512,out=128`, each length fixed or drawn, the words by the seed alone.

use std::fmt;
use std::str::FromStr;

use crate::mock::Distribution;
use crate::wire::Prompt;

use super::deck::scatter;

/// How many different prompts are made at most; requests go through them over and over.
const MOST: u64 = 1_000;

/// How many characters they have together at most.
const ROOM: u64 = 64 << 20;

/// Characters to a token: what `Tokens::estimate` takes one for, where nobody counts with the model's own tokenizer.
const TOKEN: u64 = 4;

/// Common words, so that a tokenizer makes one or two tokens of each.
const WORDS: [&str; 32] = [
    "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school",
    "state", "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week",
    "company", "system", "program", "question", "work", "number", "night", "point", "home",
];

/// A value of `--synthetic`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli::bench) struct Synthetic {
    input: Distribution<u64>,
    output: Option<Distribution<u64>>,
    /// As it was written.
    text: String,
}

impl FromStr for Synthetic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut input, mut output) = (None, None);
        for item in text.split(',') {
            let (key, value) = item.split_once('=').ok_or("write it as in=512,out=128")?;
            let side = match key.trim() {
                "in" => &mut input,
                "out" => &mut output,
                other => return Err(format!("'{other}' is neither in nor out: write it as in=512,out=128")),
            };
            let length = value.parse::<Distribution<u64>>().map_err(|what| format!("{item}: {what}"))?;
            if side.replace(length).is_some() {
                return Err(format!("'{key}' is given twice"));
            }
        }
        let input = input.ok_or("the length of the prompt is missing: write it as in=512,out=128")?;
        Ok(Self { input, output, text: text.to_owned() })
    }
}

impl fmt::Display for Synthetic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Synthetic {
    /// Whether it says how long answers may be.
    pub(super) const fn limits_answers(&self) -> bool {
        self.output.is_some()
    }

    /// The prompts, `base` in all but the text and the limit of the answer.
    pub(super) fn prompts(&self, base: &Prompt, seed: u64) -> Vec<Prompt> {
        let mut room = ROOM;
        let mut prompts = Vec::new();
        for number in 0..MOST {
            let mut random = fastrand::Rng::with_seed(scatter(seed, number));
            let characters = self.input.draw(&mut random).saturating_mul(TOKEN);
            if characters > room && !prompts.is_empty() {
                break;
            }
            room = room.saturating_sub(characters);
            let max_tokens = self.output.map(|output| output.draw(&mut random)).or(base.max_tokens);
            prompts.push(Prompt { text: words(characters, &mut random), max_tokens, ..base.clone() });
        }
        prompts
    }
}

/// Words of so many characters in all.
fn words(characters: u64, random: &mut fastrand::Rng) -> String {
    let length = usize::try_from(characters).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(length.saturating_add(8));
    while text.len() < length {
        text.push_str(WORDS[random.usize(..WORDS.len())]);
        text.push(' ');
    }
    text.truncate(length);
    // Blanks at an end are taken off by some relays, and would be missing from the count.
    if text.ends_with(' ') {
        text.replace_range(length - 1.., "s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Tokens;

    fn made(text: &str, seed: u64) -> Vec<Prompt> {
        text.parse::<Synthetic>().unwrap().prompts(&Prompt::default(), seed)
    }

    #[test]
    fn prompts_have_the_length_that_is_asked_for_and_each_its_own_words() {
        let prompts = made("in=512,out=128", 1);
        assert_eq!(prompts.len(), 1_000);
        for prompt in &prompts {
            assert_eq!(Tokens::estimate(prompt.text.chars().count() as u64), 512);
            assert_eq!((prompt.text.trim().len(), prompt.max_tokens), (2_048, Some(128)));
        }
        let texts: std::collections::BTreeSet<_> = prompts.iter().map(|prompt| &prompt.text).collect();
        assert_eq!(texts.len(), 1_000);
    }

    #[test]
    fn the_seed_alone_decides_them() {
        let drawn = "in=lognormal:200:0.5,out=exp:64";
        assert_eq!(made(drawn, 7), made(drawn, 7));
        assert_ne!(made(drawn, 7), made(drawn, 8));
        let mut lengths: Vec<_> = made(drawn, 7).iter().map(|prompt| prompt.text.len() / 4).collect();
        lengths.sort_unstable();
        assert!((180..220).contains(&lengths[500]), "{}", lengths[500]);
        assert!(lengths[0] < 100 && lengths[999] > 400, "{} {}", lengths[0], lengths[999]);
    }

    #[test]
    fn long_prompts_are_fewer() {
        assert_eq!(made("in=1000000", 1).len(), 16);
        assert_eq!(made("in=10000000", 1).len(), 1);
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for wrong in ["512", "out=5", "in=0", "in=5,in=6", "in=5,max=6", "in=normal:5"] {
            assert!(wrong.parse::<Synthetic>().is_err(), "{wrong}");
        }
    }
}
