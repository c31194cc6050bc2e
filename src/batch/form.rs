//! The forms of the output: baton's own lines, or those that scripts made for a vendor's batches read.

use std::str::FromStr;

use serde_json::{Map, Value, json};

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputForm {
    /// Everything that is known of a row, as one JSON object.
    Baton,
    /// A result line of OpenAI's Batch API.
    OpenAi,
    /// A result line of Anthropic's Message Batches.
    Anthropic,
    /// The answer's text, its line breaks written as `\n`, so that every row stays one line.
    Text,
}

impl OutputForm {
    /// Every form with the name that people type.
    pub const NAMES: [(&str, Self); 4] = [
        ("baton", Self::Baton),
        ("openai", Self::OpenAi),
        ("anthropic", Self::Anthropic),
        ("text", Self::Text),
    ];

    /// A row's line in this form, made of its record.
    pub(super) fn render(self, record: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut line = match self {
            Self::Baton => return Ok(record.to_vec()),
            Self::OpenAi => openai(serde_json::from_slice(record)?).to_string(),
            Self::Anthropic => anthropic(serde_json::from_slice(record)?).to_string(),
            Self::Text => text(&serde_json::from_slice(record)?),
        };
        line.push('\n');
        Ok(line.into_bytes())
    }
}

impl FromStr for OutputForm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, form)| *form).ok_or_else(|| format!("no form '{name}'"))
    }
}

/// `id`, `custom_id`, `response`, `error`, after OpenAI's guide to its Batch API; a refused request has a response.
fn openai(mut record: Map<String, Value>) -> Value {
    let mut response = record.remove("response").unwrap_or_default();
    let mut error = record.remove("error").unwrap_or_default();
    if let (Some(reported), Some(fields)) = (error.get("reported"), response.as_object_mut()) {
        fields.insert("body".to_owned(), json!({ "error": reported }));
        error = Value::Null;
    } else if !error.is_null() {
        error = json!({ "code": error["code"], "message": error["message"] });
        response = Value::Null;
    }
    json!({
        "id": format!("batch_req_{}", record["index"]),
        "custom_id": record["custom_id"],
        "response": response,
        "error": error,
    })
}

/// `custom_id` and `result`, after Anthropic's page on Message Batches.
fn anthropic(mut record: Map<String, Value>) -> Value {
    let error = record.remove("error").unwrap_or_default();
    let mut response = record.remove("response").unwrap_or_default();
    let result = if error.is_null() {
        json!({ "type": "succeeded", "message": response["body"].take() })
    } else {
        let reported = error.get("reported");
        let kind = reported.and_then(|reported| reported["type"].as_str()).or(error["code"].as_str());
        let message = reported.map_or(&error["message"], |reported| &reported["message"]);
        let error = json!({ "type": kind, "message": message });
        let envelope = json!({ "type": "error", "error": error, "request_id": response["request_id"] });
        json!({ "type": "errored", "error": envelope })
    };
    json!({ "custom_id": record["custom_id"], "result": result })
}

/// One line for the text; a failed row's is empty.
fn text(record: &Map<String, Value>) -> String {
    let text = record.get("text").and_then(Value::as_str).unwrap_or_default();
    text.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(form: OutputForm, record: &Value) -> String {
        String::from_utf8(form.render(record.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn answered() -> Value {
        json!({
            "custom_id": "a", "index": 4, "error": null, "text": "one\ntwo \\ three",
            "response": {"status_code": 200, "request_id": "req_1", "body": {"id": "msg_1"}},
        })
    }

    fn refused() -> Value {
        json!({
            "custom_id": "a", "index": 4, "text": null,
            "response": {"status_code": 400, "request_id": "req_2", "body": null},
            "error": {
                "code": "http_4xx", "message": "400 bad: no",
                "reported": {"type": "bad", "code": null, "message": "no"},
            },
        })
    }

    #[test]
    fn an_answer_has_each_vendors_form() {
        let openai: Value = serde_json::from_str(&rendered(OutputForm::OpenAi, &answered())).unwrap();
        assert_eq!(openai["response"]["body"]["id"], "msg_1");
        assert_eq!((&openai["custom_id"], &openai["error"]), (&json!("a"), &Value::Null));
        let anthropic: Value = serde_json::from_str(&rendered(OutputForm::Anthropic, &answered())).unwrap();
        assert_eq!(anthropic["result"], json!({"type": "succeeded", "message": {"id": "msg_1"}}));
        assert_eq!(rendered(OutputForm::Text, &answered()), "one\\ntwo \\\\ three\n");
    }

    #[test]
    fn a_failure_has_each_vendors_form() {
        let openai: Value = serde_json::from_str(&rendered(OutputForm::OpenAi, &refused())).unwrap();
        assert_eq!(openai["response"]["body"]["error"]["type"], "bad");
        assert_eq!((&openai["response"]["status_code"], &openai["error"]), (&json!(400), &Value::Null));
        let anthropic: Value = serde_json::from_str(&rendered(OutputForm::Anthropic, &refused())).unwrap();
        assert_eq!(anthropic["result"]["error"]["error"], json!({"type": "bad", "message": "no"}));
        assert_eq!(anthropic["result"]["error"]["request_id"], "req_2");
        let mut cut = refused();
        cut["error"] = json!({"code": "truncated", "message": "cut"});
        let openai: Value = serde_json::from_str(&rendered(OutputForm::OpenAi, &cut)).unwrap();
        assert_eq!(openai["error"], json!({"code": "truncated", "message": "cut"}));
        assert_eq!((&openai["response"], rendered(OutputForm::Text, &cut).as_str()), (&Value::Null, "\n"));
    }
}
