//! What a request will probably cost in tokens, read from its body, and what it did cost.

use serde_json::Value;

use crate::net::{Cost, Used};
use crate::outcome::Class;
use crate::wire::Dialect;

use super::Call;
use super::exchange::Exchange;

/// Bytes of UTF-8 to a token: the vendors' rule of thumb of four characters for English, and three quarters of a token
/// for a character of Chinese or Japanese.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an image or of a page of a document, in the order of what both vendors' pages on images name as usual.
const TOKENS_PER_ATTACHMENT: u64 = 1_600;
/// The names under which the dialects bound what is generated.
const BOUNDS: [&str; 4] =
    ["max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"];
/// The fields that hold what the model reads.
const READ: [&str; 6] = ["messages", "system", "input", "instructions", "prompt", "tools"];

impl Call {
    /// What the request is expected to cost; a body that is no JSON object is counted whole.
    pub fn cost(&self) -> Cost {
        let body = self.body();
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) if self.dialect != Dialect::Raw => {
                let read = READ.iter().filter_map(|name| fields.get(*name)).map(weight).sum::<Weight>();
                Cost {
                    input: read.bytes.div_ceil(BYTES_PER_TOKEN) + read.attachments * TOKENS_PER_ATTACHMENT,
                    output: BOUNDS.iter().find_map(|name| fields.get(*name)?.as_u64()),
                }
            }
            _ => Cost { input: (body.len() as u64).div_ceil(BYTES_PER_TOKEN), output: None },
        }
    }
}

/// What of a request weighs something.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    bytes: u64,
    attachments: u64,
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            bytes: sum.bytes + part.bytes,
            attachments: sum.attachments + part.attachments,
        })
    }
}

fn weight(value: &Value) -> Weight {
    match value {
        Value::String(text) => Weight { bytes: text.len() as u64, attachments: 0 },
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) if is_attachment(fields) => Weight { bytes: 0, attachments: 1 },
        Value::Object(fields) => {
            let said = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "role"));
            said.map(|(_, value)| weight(value)).sum()
        }
        _ => Weight::default(),
    }
}

/// Whether a block holds a medium, whose letters are no words.
fn is_attachment(fields: &serde_json::Map<String, Value>) -> bool {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    matches!(kind, "image" | "document" | "image_url" | "input_image" | "file" | "input_file" | "input_audio")
}

/// What an attempt used of the relay's limits; `None` where nobody can tell.
pub(super) fn used(dialect: Dialect, exchange: &Exchange) -> Option<Used> {
    let usage = &exchange.usage;
    if let (Some(input), Some(output)) = (usage.input, exchange.tokens.output) {
        // Anthropic counts what was read from its cache against no limit.
        let read = if dialect == Dialect::Messages { 0 } else { usage.cache_read.unwrap_or(0) };
        return Some(Used { input: input + read + usage.cache_write.unwrap_or(0), output });
    }
    let refused = exchange.status.is_some_and(|status| !(200..300).contains(&status));
    let never_left = matches!(exchange.class, Class::Connect | Class::Tls | Class::TimeoutConnect);
    (refused || never_left).then_some(Used::NOTHING)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Content;
    use crate::net::Url;

    fn cost(dialect: Dialect, body: &Value) -> Cost {
        let base = Url::parse("http://relay.example").unwrap();
        Call::new(dialect, &base, &Content::Body(body.to_string().into_bytes()), false).unwrap().cost()
    }

    #[test]
    fn words_are_counted_wherever_a_dialect_has_them_and_the_bound_is_read() {
        let words = "x".repeat(400);
        let turns = json!([{ "role": "user", "content": [{ "type": "text", "text": words }] }]);
        let expected = |output| Cost { input: 200, output };
        let messages = json!({ "system": words, "messages": turns, "max_tokens": 50, "metadata": words });
        assert_eq!(cost(Dialect::Messages, &messages), expected(Some(50)));
        let chat = json!({ "messages": [turns[0], turns[0]], "max_completion_tokens": 60 });
        assert_eq!(cost(Dialect::Chat, &chat), expected(Some(60)));
        let responses = json!({ "instructions": words, "input": words, "max_output_tokens": 70 });
        assert_eq!(cost(Dialect::Responses, &responses), expected(Some(70)));
        assert_eq!(cost(Dialect::Complete, &json!({ "prompt": words.repeat(2) })), expected(None));
    }

    #[test]
    fn an_attachment_is_no_text() {
        let image = json!({ "type": "image", "source": { "type": "base64", "data": "A".repeat(1_000_000) } });
        let body = json!({ "messages": [{ "role": "user", "content": [image, { "type": "text", "text": "1234" }] }] });
        assert_eq!(cost(Dialect::Messages, &body).input, 1_601);
    }
}
