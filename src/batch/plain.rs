//! The commonest row, a prompt and perhaps a name, read without the detour over fields of any kind.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// A row of ours that says nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain<'a> {
    /// What is asked, never blank.
    #[serde(borrow)]
    pub(super) prompt: Cow<'a, str>,
    #[serde(default, deserialize_with = "name")]
    id: Option<String>,
    #[serde(default, deserialize_with = "name")]
    custom_id: Option<String>,
}

impl<'a> Plain<'a> {
    /// Reads a line; `None` where it is no such row, which says nothing of what else it may be.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        // A list of the values would be taken for the fields.
        let row: Self = line.starts_with(b"{").then(|| serde_json::from_slice(line).ok()).flatten()?;
        Some(row).filter(|row| !row.prompt.trim().is_empty())
    }

    /// The prompt, and the row's own name.
    pub(super) fn into_parts(self) -> (String, Option<String>) {
        (self.prompt.into_owned(), self.custom_id.or(self.id))
    }
}

/// A text; what stands there of another kind has a meaning of its own.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_and_a_name_are_read_and_everything_else_is_left_to_others() {
        let read = |line: &'static str| Plain::read(line.as_bytes()).map(Plain::into_parts);
        assert_eq!(read(r#"{"prompt":"Hi \u00e9"}"#), Some(("Hi é".to_owned(), None)));
        assert_eq!(read(r#"{"id":"a", "prompt":"Hi"}"#), Some(("Hi".to_owned(), Some("a".to_owned()))));
        let both = r#"{"id":"a","custom_id":"b","prompt":"Hi"}"#;
        assert_eq!(read(both), Some(("Hi".to_owned(), Some("b".to_owned()))));
        for other in [
            r#"{"prompt":"Hi","model":"m"}"#,
            r#"{"prompt":"Hi","id":7}"#,
            r#"{"prompt":"Hi","id":null}"#,
            r#"{"prompt":" "}"#,
            r#"{"prompt":7}"#,
            r#"{"prompt":"Hi","prompt":"Ho"}"#,
            r#"{"prompt":"Hi"} x"#,
            r#"["Hi"]"#,
            r#""Hi""#,
            "{}",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
