//! What became of a row, as one line of JSON: the line of the journal, and of the output in baton's own form.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Exchange, Trouble};
use crate::units::Money;
use crate::wire::ApiError;

/// The code of a row that is not one.
pub(super) const UNREADABLE: &str = "unreadable";

/// The SHA-256 of a row's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputHash([u8; 32]);

impl InputHash {
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    /// As it is written, in hexadecimal.
    pub(super) fn hex(self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
        }
        digits
    }

    /// Its first four bytes, by which a line is known again.
    pub(super) const fn short(self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The same of a hash that was written.
    pub(super) fn short_of_hex(text: &str) -> Option<u32> {
        if text.len() != 64 {
            return None;
        }
        u32::from_str_radix(text.get(..8)?, 16).ok()
    }
}

/// Which row it is.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Its place among all rows of the input, counted from 0.
    pub(super) index: u64,
    /// The name that it gives itself, or else one made of its index.
    pub(super) custom_id: String,
    pub(super) hash: InputHash,
}

impl Head {
    pub(super) fn new(index: u64, id: Option<String>, hash: InputHash) -> Self {
        Self { index, custom_id: id.unwrap_or_else(|| format!("row-{index}")), hash }
    }
}

/// What an exchange brought besides its outcome.
#[derive(Debug, Default)]
pub(super) struct Brought<'a> {
    /// The body of the answer: one JSON value in one line.
    pub(super) body: Option<Cow<'a, str>>,
    /// The text that was generated.
    pub(super) text: &'a str,
    /// How long the row waited for a free user; what it waited for the limits of the rate comes on top.
    pub(super) queued: Duration,
    pub(super) cost: Option<Money>,
}

/// The record of a row that was sent.
pub(super) fn of_exchange(head: &Head, exchange: &Exchange, brought: &Brought<'_>) -> Vec<u8> {
    /// What a record takes besides what the answer says.
    const REST: usize = 640;
    let said = brought.body.as_ref().map_or(0, |body| body.len()) + brought.text.len();
    let failed = !exchange.class.is_answered();
    let mut record = Record::begin(head, said + REST);
    record.response(exchange, brought.body.as_deref());
    if failed {
        let message = exchange.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
        record.error(exchange.class.name(), &message, reported(exchange.trouble.as_ref()).as_ref());
    } else {
        record.raw("error", "null");
    }
    record.text("text", (!failed).then_some(brought.text));
    record.text("stop", exchange.stop.as_ref().map(|stop| stop.kind.name()));
    record.usage(exchange);
    if let Some(cost) = brought.cost {
        record.value("cost_usd", &cost.dollars());
    }
    record.value("attempts", &exchange.attempts.len());
    record.timing(exchange, brought.queued);
    record.hash(head);
    if let Some(form) = exchange.cache.filter(|_| exchange.cached) {
        // How alike the questions had to be.
        record.text("cached", Some(form.name()));
    }
    record.end()
}

/// The record of a line that could not be sent.
pub(super) fn of_unreadable(head: &Head, message: &str) -> Vec<u8> {
    let mut record = Record::begin(head, message.len());
    record.raw("response", "null");
    record.error(UNREADABLE, message, None);
    for name in ["text", "stop", "usage"] {
        record.raw(name, "null");
    }
    record.raw("attempts", "0");
    record.raw("timing_ms", "null");
    record.hash(head);
    record.end()
}

/// A line of JSON, written field by field: it is made for every row, and most of it stands for itself.
struct Record(Vec<u8>);

impl Record {
    fn begin(head: &Head, expected: usize) -> Self {
        let mut record = Self(Vec::with_capacity(expected + head.custom_id.len() + 256));
        record.0.push(b'{');
        record.text("custom_id", Some(&head.custom_id));
        record.value("index", &head.index);
        record
    }

    /// The name of the next field, with what separates it from the one before.
    fn name(&mut self, name: &str) {
        let opens = matches!(self.0.last(), Some(b'{'));
        self.0.extend_from_slice(if opens { b"\"" } else { b",\"" });
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A field whose value is JSON already.
    fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.value(name, &text);
    }

    fn value(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        serde_json::to_writer(&mut self.0, value).expect("a record has text keys and finite numbers");
    }

    fn open(&mut self, name: &str) {
        self.name(name);
        self.0.push(b'{');
    }

    fn close(&mut self) {
        self.0.push(b'}');
    }

    fn response(&mut self, exchange: &Exchange, body: Option<&str>) {
        let Some(status) = exchange.status else { return self.raw("response", "null") };
        self.open("response");
        self.value("status_code", &status);
        let ids = &exchange.ids;
        self.text("request_id", Some(ids.relay.as_deref().unwrap_or(&ids.request)));
        self.raw("body", body.unwrap_or("null"));
        self.close();
    }

    /// What went wrong; the vendor's own words for it, where there were any.
    fn error(&mut self, code: &str, message: &str, reported: Option<&Value>) {
        self.open("error");
        self.text("code", Some(code));
        self.text("message", Some(message));
        if let Some(reported) = reported {
            self.value("reported", reported);
        }
        self.close();
    }

    fn usage(&mut self, exchange: &Exchange) {
        if !exchange.class.is_answered() || exchange.status.is_none() {
            return self.raw("usage", "null");
        }
        let (usage, tokens) = (&exchange.usage, &exchange.tokens);
        self.open("usage");
        self.value("input", &usage.input);
        self.value("cache_read", &usage.cache_read);
        self.value("cache_write", &usage.cache_write);
        self.value("output", &tokens.output);
        self.value("reasoning", &usage.reasoning);
        self.value("estimated", &tokens.estimated);
        self.close();
    }

    fn timing(&mut self, exchange: &Exchange, queued: Duration) {
        let ended = exchange.attempts.last().map(|attempt| attempt.ended).unwrap_or_default();
        let waited = exchange.limited() + exchange.authorised();
        self.open("timing_ms");
        self.value("queue", &milliseconds(queued + waited));
        if let Some(ttft) = exchange.marks.first_delta.filter(|_| exchange.streamed) {
            self.value("ttft", &milliseconds(ttft));
        }
        self.value("total", &milliseconds(ended.saturating_sub(waited)));
        self.close();
    }

    fn hash(&mut self, head: &Head) {
        self.name("input_sha256");
        self.0.push(b'"');
        self.0.extend_from_slice(&head.hash.hex());
        self.0.push(b'"');
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}

/// The record of a row that asked for the same as an earlier one.
pub(super) fn of_twin(head: &Head, record: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(record)?;
    let first = fields.insert("index".to_owned(), head.index.into());
    fields.insert("custom_id".to_owned(), Value::from(head.custom_id.as_str()));
    fields.insert("input_sha256".to_owned(), Value::from(String::from_utf8_lossy(&head.hash.hex())));
    fields.insert("attempts".to_owned(), 0.into());
    fields.shift_remove("cost_usd");
    fields.insert("duplicate_of".to_owned(), first.into());
    let mut line = serde_json::to_vec(&fields)?;
    line.push(b'\n');
    Ok(line)
}

/// The vendor's error as it would stand in a body.
fn reported(trouble: Option<&Trouble>) -> Option<Value> {
    match trouble? {
        Trouble::Status(text) | Trouble::Reported(text) => {
            let ApiError { kind, code, message, .. } = &text.error;
            Some(json!({ "type": kind, "code": code, "message": message }))
        }
        _ => None,
    }
}

/// Milliseconds to a microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_hexadecimal_and_known_again_by_its_beginning() {
        let hash = InputHash::of(b"abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(&hash.hex(), b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(InputHash::short_of_hex(&String::from_utf8_lossy(&hash.hex())), Some(hash.short()));
        assert_eq!(InputHash::short_of_hex("ba78"), None);
    }

    #[test]
    fn a_twin_takes_the_answer_under_its_own_name() {
        let first = Head::new(3, Some("a".to_owned()), InputHash::of(b"a"));
        let twin = Head::new(9, None, InputHash::of(b"b"));
        let record = of_twin(&twin, &of_unreadable(&first, "no JSON")).unwrap();
        let fields: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(fields["custom_id"], "row-9");
        assert_eq!((&fields["index"], &fields["duplicate_of"]), (&json!(9), &json!(3)));
        assert_eq!(fields["error"]["message"], "no JSON");
        assert_eq!(fields["input_sha256"].as_str().unwrap().as_bytes(), twin.hash.hex());
    }
}
