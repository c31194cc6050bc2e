//! The conversation of `--messages`: turns that go into the body as they are, checked for what no vendor takes.

use std::path::Path;

use serde_json::{Map, Value};

use crate::wire::Dialect;

use super::Usage;
use super::prompt::read_whole;

/// Reads a JSON array of messages, or an object that holds one as its only field.
pub(super) fn read(path: &Path, dialect: Dialect) -> Result<Vec<Value>, Usage> {
    let refused = |what: &str| Usage::new(format!("--messages {}: {what}", path.display()));
    let bytes = read_whole(path, "--messages")?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        refused(&format!("it is not valid JSON: {error}"))
            .hint(r#"write it as in [{"role": "user", "content": "…"}]"#)
    })?;
    let turns = match value {
        Value::Array(turns) => turns,
        Value::Object(fields) => only_messages(fields).map_err(|what| {
            refused(&what).hint("--body sends a whole body; the other flags set fields of this one")
        })?,
        _ => return Err(refused("it must be a JSON array of messages")),
    };
    for (index, turn) in turns.iter().enumerate() {
        let number = index + 1;
        let Some((role, true)) = role_of(turn) else {
            let what = format!("message {number} is no object with a role and a content");
            return Err(refused(&what).hint(r#"each is written {"role": "user", "content": "…"}"#));
        };
        if dialect == Dialect::Messages && matches!(role, "system" | "developer") {
            let what = format!("message {number} has the role {role}, which --api messages does not take");
            return Err(refused(&what).hint("give it with --system"));
        }
    }
    Ok(turns)
}

/// The array in an object that has nothing beside it: a field that is passed by unseen would be missed.
fn only_messages(mut fields: Map<String, Value>) -> Result<Vec<Value>, String> {
    let Some(Value::Array(turns)) = fields.shift_remove("messages") else {
        return Err("the object has no array \"messages\"".to_owned());
    };
    match fields.keys().next() {
        None => Ok(turns),
        Some(name) => Err(format!("beside \"messages\" the object has \"{name}\", which is not read")),
    }
}

/// The role of a message, and whether it has a content.
fn role_of(turn: &Value) -> Option<(&str, bool)> {
    let role = turn.get("role")?.as_str()?;
    let has_content = matches!(turn.get("content"), Some(Value::String(_) | Value::Array(_)));
    // A turn of an assistant that calls tools has no words in OpenAI's form.
    Some((role, has_content || turn.get("tool_calls").is_some()))
}
