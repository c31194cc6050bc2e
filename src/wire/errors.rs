//! Failures as vendors and relays word them, in whatever shape they wrap them.

use serde_json::{Map, Value};

use super::printable::one_line;
use super::{ApiError, BodyKind, sniff};

/// The longest message kept, in characters.
const MESSAGE: usize = 500;

/// The longest type, code or request id kept, in characters.
const WORD: usize = 100;

/// How deep an error may be wrapped in errors; relays of relays wrap twice.
const DEPTH: usize = 4;

/// The fields that hold a message, in the order of trust.
const MESSAGE_FIELDS: [&str; 8] =
    ["message", "msg", "error_description", "title", "Message", "error_msg", "errorMessage", "reason"];

/// Types and codes that say that money or a quota has run out, so that a repetition cannot help.
///
/// From Anthropic's and OpenAI's pages on errors; the last two are those of claude-relay-service and new-api.
const QUOTA_WORDS: [&str; 9] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "billing_error",
    "daily_cost_limit_exceeded",
    "insufficient_user_quota",
];

impl ApiError {
    /// Whether money or a quota has run out, so that a repetition cannot help.
    pub fn is_quota(&self) -> bool {
        QUOTA_WORDS.iter().any(|word| self.says(word)) || self.message.contains("specified API usage limits")
    }

    /// Whether the vendor is overloaded as a whole; asking this caller to slow down is not that.
    pub fn is_overloaded(&self) -> bool {
        (self.says("overloaded_error") || self.says("overloaded")) && !self.says("slow_down")
    }

    /// Whether this caller is too fast, and a later repetition can help.
    pub fn is_rate_limit(&self) -> bool {
        let slow = ["rate_limit_error", "rate_limit_exceeded", "slow_down"];
        slow.iter().any(|word| self.says(word)) && !self.is_quota()
    }

    /// Whether the relay refuses the field that asks for usage in a stream.
    pub fn rejects_stream_options(&self) -> bool {
        self.message.contains("stream_options") || self.message.contains("include_usage")
    }

    /// Whether the type or the code is the word.
    fn says(&self, word: &str) -> bool {
        [&self.kind, &self.code].into_iter().any(|field| field.as_deref() == Some(word))
    }
}

/// Reads the body of a failure, whatever its shape; the message is never empty, printable and at most 500 characters.
///
/// The status only tells a code that repeats it, which is no message, from one that says something.
pub fn decode_error(status: u16, body: &[u8]) -> ApiError {
    let value = match sniff(None, body) {
        BodyKind::Empty => return ApiError { message: "empty body".to_owned(), ..ApiError::default() },
        BodyKind::Html => return ApiError { message: page(body), ..ApiError::default() },
        BodyKind::Sse => serde_json::from_slice(first_data(body)),
        _ => serde_json::from_slice(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)),
    };
    let mut found = Found::default();
    if let Ok(value) = &value {
        found.value(value, DEPTH);
    }
    found.finish(status, body)
}

/// What has been found of an error, outer layers first.
#[derive(Default)]
struct Found {
    /// The words of the messages, as they stand in the body.
    message: Option<String>,
    /// The type that stands innermost.
    kind: Option<String>,
    /// The code that stands innermost.
    code: Option<String>,
    /// The request id.
    request_id: Option<String>,
}

impl Found {
    /// Reads an error of any JSON type.
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => self.say(text),
            Value::Object(fields) if depth > 0 => self.object(fields, depth - 1),
            Value::Array(items) if depth > 0 => self.list(items, depth - 1),
            _ => {}
        }
    }

    /// Reads an object: its own words first, then those of the errors wrapped in it, which win.
    fn object(&mut self, fields: &Map<String, Value>, depth: usize) {
        self.kind = kind(fields).or(self.kind.take());
        let exact = fields.get("details").and_then(|details| word(details.get("error_code")));
        self.code = exact.or_else(|| word(fields.get("code"))).or(self.code.take());
        let id = ["request_id", "requestId"].into_iter().find_map(|name| word(fields.get(name)));
        self.request_id = id.or(self.request_id.take());
        // A failed answer of the Responses dialect carries its error inside.
        for name in ["response", "error", "errors", "detail"] {
            if let Some(inner) = fields.get(name) {
                self.value(inner, depth);
            }
        }
        for name in MESSAGE_FIELDS {
            match fields.get(name) {
                Some(Value::String(text)) => self.say(text),
                // claude-code-router puts the error object where the message belongs.
                Some(inner @ Value::Object(_)) if name == "message" => self.value(inner, depth),
                _ => {}
            }
        }
        if let Some(html) = fields.get("html-message").and_then(Value::as_str) {
            self.say(&page(html.as_bytes()));
        }
    }

    /// Reads a list of errors; `FastAPI` names the place of each.
    fn list(&mut self, items: &[Value], depth: usize) {
        let places: Vec<String> = items.iter().filter_map(misplaced).collect();
        if places.is_empty() {
            if let Some(first) = items.first() {
                self.value(first, depth);
            }
        } else {
            self.say(&places.join("; "));
        }
    }

    /// Adds a text to the message, unless it has been said.
    fn say(&mut self, text: &str) {
        let text = text.trim();
        match &mut self.message {
            _ if text.is_empty() => {}
            Some(message) if message.contains(text) => {}
            Some(message) if text.contains(message.as_str()) => text.clone_into(message),
            Some(message) => {
                message.push_str(": ");
                message.push_str(text);
            }
            None => self.message = Some(text.to_owned()),
        }
    }

    /// The error in its final form.
    fn finish(mut self, status: u16, body: &[u8]) -> ApiError {
        self.detach_request_id();
        let spoken = self.message.take().filter(|message| !message.trim().is_empty());
        let message = spoken.or_else(|| self.words(status)).unwrap_or_else(|| first_line(body));
        let short = |word: Option<String>| word.map(|word| one_line(&word, WORD));
        ApiError {
            kind: short(self.kind),
            code: short(self.code),
            message: one_line(&message, MESSAGE),
            request_id: short(self.request_id),
        }
    }

    /// Moves an id that one-api writes behind the message to where ids belong, so that equal errors read equal.
    fn detach_request_id(&mut self) {
        let Some(message) = &mut self.message else { return };
        let Some((before, after)) = message.rsplit_once("(request id: ") else { return };
        let Some((id, behind)) = after.split_once(')') else { return };
        let id = id.trim().to_owned();
        *message = format!("{}{behind}", before.trim_end());
        self.request_id.get_or_insert(id);
    }

    /// The type and the code, in place of a message that is missing.
    fn words(&self, status: u16) -> Option<String> {
        let code = self.code.as_ref().filter(|code| **code != status.to_string());
        match (&self.kind, code) {
            (Some(kind), Some(code)) if kind != code => Some(format!("{kind}: {code}")),
            (Some(word), _) | (None, Some(word)) => Some(word.clone()),
            (None, None) => None,
        }
    }
}

/// The type, or Google's status word, which stands in its place.
fn kind(fields: &Map<String, Value>) -> Option<String> {
    // These types only name the envelope.
    let own = word(fields.get("type")).filter(|kind| kind != "error" && !kind.starts_with("response."));
    let capitals = |status: &String| status.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    own.or_else(|| fields.get("status").and_then(text).filter(capitals))
}

/// A text or number as a word, where it is not empty.
fn word(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) => Some(number.to_string()),
        other => text(other),
    }
}

/// A text that is not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A `FastAPI` complaint as "place: message".
fn misplaced(item: &Value) -> Option<String> {
    let message = item.get("msg")?.as_str()?;
    let place: Vec<String> =
        item.get("loc")?.as_array()?.iter().filter_map(|part| word(Some(part))).collect();
    Some(format!("{}: {message}", place.join(".")))
}

/// The title of a web page, or that it is one.
fn page(body: &[u8]) -> String {
    let html = String::from_utf8_lossy(body);
    // Lower-casing ASCII alone keeps every offset.
    let lower = html.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|open| {
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(one_line(&html[start..end], MESSAGE)).filter(|title| !title.is_empty())
    });
    title.unwrap_or_else(|| "an HTML page".to_owned())
}

/// The first event's data, where a failure came as a stream.
fn first_data(body: &[u8]) -> &[u8] {
    let mut lines = body.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.find_map(|line| line.strip_prefix(b"data:")).unwrap_or_default()
}

/// The first line that holds more than white space.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("empty body").to_owned()
}

#[cfg(test)]
mod tests;
