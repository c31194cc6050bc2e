//! The result document as JSON, written for people and programs alike, and read back.

use super::document::Document;
use super::document::SCHEMA;

/// Why a saved result could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or lacks what a result has.
    #[error("this is no saved result")]
    Malformed(#[from] serde_json::Error),
    /// It is a document of another kind or version.
    #[error("this document is '{found}', and this version reads {SCHEMA}")]
    OtherSchema {
        /// What it says it is.
        found: String,
    },
}

/// The document as indented JSON with a final newline.
pub fn json(document: &Document) -> String {
    indented(document) + "\n"
}

/// Reads a saved document, and refuses one of another version before its fields are looked at.
pub fn read(text: &str) -> Result<Document, ReadError> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    match value["schema"].as_str() {
        Some(SCHEMA) | None => Ok(serde_json::from_value(value)?),
        Some(found) => Err(ReadError::OtherSchema { found: found.to_owned() }),
    }
}

/// The document as indented JSON.
fn indented(document: &Document) -> String {
    serde_json::to_string_pretty(document).expect("every key is a string and writing to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn json_is_the_whole_document() {
        golden::compare("run.json", &json(&golden::streamed()));
    }

    #[test]
    fn a_document_of_another_version_is_refused_by_name() {
        let error = read(r#"{"schema": "baton.bench/9"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this document is 'baton.bench/9', and this version reads baton.bench/1"
        );
        assert!(matches!(read("{}"), Err(ReadError::Malformed(_))));
        assert!(matches!(read("HISTFAA"), Err(ReadError::Malformed(_))));
    }
}
