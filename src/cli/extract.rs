//! What `--extract` takes out of an answer: its first fenced block of code, or its first JSON value.

use clap::ValueEnum;
use serde::de::IgnoredAny;

/// The parts that can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Extract {
    Code,
    Json,
}

impl Extract {
    /// The first such part of a text as it is written there, its last line ended, if the text has one that is whole.
    pub(super) fn part_of(self, text: &str) -> Option<String> {
        match self {
            Self::Code => fenced(text),
            Self::Json => json(text).map(|value| format!("{value}\n")),
        }
    }

    /// What is looked for, in words.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Code => "fenced block of code",
            Self::Json => "JSON value",
        }
    }
}

/// The opening line of a block: its mark, how often that stands there, and how far it is indented.
struct Fence {
    mark: char,
    length: usize,
    indent: usize,
}

impl Fence {
    /// Reads a line as an opening fence, after `CommonMark` 0.31 (section 4.5).
    fn open(line: &str) -> Option<Self> {
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        let mark = rest.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = rest.trim_start_matches(mark);
        let length = rest.len() - info.len();
        let is_inline = mark == '`' && info.contains('`');
        (indent < 4 && length >= 3 && !is_inline).then_some(Self { mark, length, indent })
    }

    /// Whether a line ends the block.
    fn is_closed_by(&self, line: &str) -> bool {
        let rest = line.trim_start_matches(' ');
        let fence = rest.trim_end();
        line.len() - rest.len() < 4 && fence.len() >= self.length && fence.chars().all(|c| c == self.mark)
    }
}

/// The inside of the first fenced block. One that is never closed may lack its end, and half of a program is none.
fn fenced(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let fence = lines.find_map(Fence::open)?;
    let mut inside = String::new();
    for line in lines {
        if fence.is_closed_by(line) {
            return Some(inside);
        }
        let spaces = line.len() - line.trim_start_matches(' ').len();
        inside.push_str(&line[spaces.min(fence.indent)..]);
        inside.push('\n');
    }
    None
}

/// The whole text where that is JSON, else the first object or list in it; single words and numbers of a sentence are
/// not meant.
fn json(text: &str) -> Option<&str> {
    let whole = text.trim();
    if serde_json::from_str::<IgnoredAny>(whole).is_ok() {
        return Some(whole);
    }
    text.match_indices(['{', '[']).find_map(|(at, _)| {
        let rest = &text[at..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        Some(&rest[..values.byte_offset()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fenced_block_is_taken_as_it_is_written() {
        let code = |text| Extract::Code.part_of(text);
        let two = "Here:\n\n```rust\nfn main() {}\n\n// end\n```\nand\n```\nother\n```\n";
        assert_eq!(code(two).unwrap(), "fn main() {}\n\n// end\n");
        assert_eq!(code("~~~\n```\ninner\n```\n~~~").unwrap(), "```\ninner\n```\n");
        assert_eq!(code("````md\n```\nx\n```\n````").unwrap(), "```\nx\n```\n");
        assert_eq!(code("- item\n  ```\n  a\n    b\n  ```\r\n").unwrap(), "a\n  b\n");
        assert_eq!(code("```\n```").unwrap(), "");
        assert_eq!(code("``` not a fence ``` here\n```\nx\n```").unwrap(), "x\n");
    }

    #[test]
    fn a_block_that_is_missing_or_cut_is_none() {
        for text in
            ["", "words", "`inline`", "```rust\nfn main() {", "    ```\n    x\n    ```\n", "``\nx\n``"]
        {
            assert_eq!(Extract::Code.part_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_json_value_is_taken_as_it_is_written() {
        let json = |text| Extract::Json.part_of(text).map(|value| value.trim_end().to_owned());
        assert_eq!(json("Sure {not this}: {\"a\": [1, 2.50]} and {\"b\": 2}").unwrap(), "{\"a\": [1, 2.50]}");
        assert_eq!(json("```json\n[\n  1\n]\n```\n").unwrap(), "[\n  1\n]");
        assert_eq!(json(" 42\n").unwrap(), "42");
        assert_eq!(json("\"é\"").unwrap(), "\"é\"");
        assert_eq!(json("{\"a\": \"}\"}x").unwrap(), "{\"a\": \"}\"}");
    }

    #[test]
    fn a_json_value_that_is_missing_or_cut_is_none() {
        for text in ["", "I have 3 ideas", "{\"a\": 1", "{a: 1}", "true story"] {
            assert_eq!(Extract::Json.part_of(text), None, "{text}");
        }
    }
}
