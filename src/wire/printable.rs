//! Foreign text made safe to show: bounded in length, and unable to drive a terminal.

/// The longest excerpt of a body that an error quotes, in characters.
const EXCERPT: usize = 120;

/// The beginning of some bytes for an error's text, line ends and other control characters escaped.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    // A character takes four bytes at most, so the rest can never be shown.
    let head = &bytes[..bytes.len().min(4 * EXCERPT + 4)];
    let text = String::from_utf8_lossy(head);
    bounded(text.chars(), EXCERPT)
}

/// The text on one line: white space folded into single spaces, other control characters escaped, at most `most`
/// characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let words = text.split_whitespace().enumerate();
    bounded(words.flat_map(|(at, word)| (at > 0).then_some(' ').into_iter().chain(word.chars())), most)
}

/// Escapes what must not be shown and cuts to `most` characters, the mark of the cut included.
fn bounded(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut cut_at = 0;
    for char in chars {
        let before = out.len();
        if drives_terminal(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
        length += out[before..].chars().count();
        if length > most {
            out.truncate(cut_at);
            out.push('…');
            break;
        }
        if length < most {
            cut_at = out.len();
        }
    }
    out
}

/// Whether a character can move a cursor or turn the direction of text.
fn drives_terminal(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_is_disarmed() {
        assert_eq!(one_line("a\u{1b}[31m\r\n b\u{9b}2J\u{202e}", 100), r"a\u{1b}[31m b\u{9b}2J\u{202e}");
        assert_eq!(excerpt(b"{\"a\":\n\x07"), r#"{"a":\n\u{7}"#);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(one_line("äöüß", 4), "äöüß");
        assert_eq!(one_line("äöüßx", 4), "äöü…");
        assert_eq!(excerpt("€".repeat(5000).as_bytes()), format!("{}…", "€".repeat(119)));
    }

    #[test]
    fn an_escape_is_never_cut_in_two() {
        assert_eq!(one_line("ab\u{1b}", 6), "ab…");
        assert_eq!(one_line("ab\u{1b}", 8), r"ab\u{1b}");
    }

    #[test]
    fn broken_unicode_is_replaced() {
        assert_eq!(excerpt(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
    }
}
