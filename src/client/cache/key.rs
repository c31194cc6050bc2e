//! What an answer depends on, as one hash: equal for equal requests, different for everything else.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::net::{Credential, HeaderMap, HeaderName};
use crate::wire::Dialect;

use super::{Call, Form};

/// Changes whenever keys are made in another way, so that no answer is found under a key of another meaning.
const VERSION: &[u8] = b"baton answer 1";
/// Headers that no answer depends on.
const INDIFFERENT: [&str; 6] =
    ["accept", "accept-encoding", "content-type", "idempotency-key", "user-agent", "x-request-id"];
/// Fields of the body that change how an answer travels, and not what it says.
const TRANSPORT: [&str; 2] = ["stream", "stream_options"];
/// Fields of the body that hold the prompt.
const PROMPT: [&str; 5] = ["messages", "system", "input", "instructions", "prompt"];
/// Fields within those that hold text.
const TEXT: [&str; 2] = ["content", "text"];

/// The name of an answer: 256 bits that say nothing of the request to anybody without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// Hashes what a call's answer depends on.
    pub(super) fn of(
        call: &Call,
        credential: Option<&Credential>,
        (form, salt): (Form, &[u8]),
    ) -> Option<Self> {
        if call.dialect == Dialect::Raw {
            return None;
        }
        let Ok(Value::Object(mut body)) = serde_json::from_slice(call.body()) else { return None };
        for name in TRANSPORT {
            body.remove(name);
        }
        let mut hash = Hash(Sha256::new());
        for part in [VERSION, salt, form.name().as_bytes(), call.dialect.name().as_bytes()] {
            hash.bytes(part);
        }
        hash.bytes(call.url.as_str().as_bytes());
        let mut headers = call.headers().clone();
        if let Some(credential) = credential {
            credential.identify(&call.url, &mut headers);
        }
        hash.headers(&headers);
        let read = match form {
            Form::Exact => Read::Verbatim,
            Form::Normalized => Read::Body,
        };
        hash.object(&body, read);
        Some(Self(hash.0.finalize().into()))
    }

    /// The key as a name: lower-case hexadecimal digits.
    pub fn to_name(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// A key of these bytes.
    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// How a value of the body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// As it stands.
    Verbatim,
    /// As the body, some of whose fields hold the prompt.
    Body,
    /// As text of the prompt, or what contains such.
    Prompt,
}

impl Read {
    /// How the value of an object's field is read.
    fn field(self, name: &str) -> Self {
        let is_prompt = match self {
            Self::Verbatim => false,
            Self::Body => PROMPT.contains(&name),
            Self::Prompt => TEXT.contains(&name),
        };
        if is_prompt { Self::Prompt } else { Self::Verbatim }
    }
}

/// A hash over values; each is preceded by its kind and its length, so that no two requests run together.
struct Hash(Sha256);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        self.length(b's', bytes.len());
        self.0.update(bytes);
    }

    fn length(&mut self, kind: u8, length: usize) {
        self.0.update([kind]);
        self.0.update((length as u64).to_le_bytes());
    }

    fn headers(&mut self, headers: &HeaderMap) {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.retain(|name| !INDIFFERENT.contains(name));
        names.sort_unstable();
        self.length(b'h', names.len());
        for name in names {
            self.bytes(name.as_bytes());
            let values: Vec<_> = headers.get_all(name).iter().collect();
            self.length(b'v', values.len());
            for value in values {
                self.bytes(value.as_bytes());
            }
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, read: Read) {
        let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        self.length(b'o', fields.len());
        for (name, value) in fields {
            self.bytes(name.as_bytes());
            self.value(value, read.field(name));
        }
    }

    fn value(&mut self, value: &Value, read: Read) {
        match value {
            Value::String(text) if read == Read::Prompt => self.bytes(folded(text).as_bytes()),
            Value::String(text) => self.bytes(text.as_bytes()),
            Value::Array(items) => {
                self.length(b'a', items.len());
                for item in items {
                    self.value(item, read);
                }
            }
            Value::Object(fields) => self.object(fields, read),
            // A number, true, false or null: its text is its one form.
            plain => {
                let text = plain.to_string();
                self.length(b'p', text.len());
                self.0.update(text);
            }
        }
    }
}

/// A text without what people take for the same: NFKC (Unicode Standard Annex 15), lower case, single spaces.
fn folded(text: &str) -> String {
    let lower = text.nfkc().collect::<String>().to_lowercase();
    // Lower case may leave a form that composes further.
    let text: String = lower.nfkc().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
