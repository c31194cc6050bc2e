//! What became of a row, as one line of JSON: the line of the journal, and of the output in baton's own form.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::cache::Form;
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
    pub(super) fn hex(self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).expect("a digit below 16"));
            }
            text
        })
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
pub(super) struct Brought {
    /// The body of the answer: one JSON value.
    pub(super) body: Option<Box<RawValue>>,
    /// The text that was generated.
    pub(super) text: String,
    /// How long the row waited for a free user; what it waited for the limits of the rate comes on top.
    pub(super) queued: Duration,
    pub(super) cost: Option<Money>,
}

#[derive(Serialize)]
struct Record<'a> {
    custom_id: &'a str,
    index: u64,
    response: Option<Response<'a>>,
    error: Option<Failure<'a>>,
    text: Option<&'a str>,
    stop: Option<&'static str>,
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    attempts: usize,
    timing_ms: Option<Timing>,
    input_sha256: String,
    /// How alike the questions had to be, where the answer came from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<&'static str>,
}

#[derive(Serialize)]
struct Response<'a> {
    status_code: u16,
    request_id: &'a str,
    body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: &'a str,
    message: String,
    /// The vendor's own words for it, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Value>,
}

#[derive(Serialize)]
struct Usage {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    estimated: bool,
}

#[derive(Serialize)]
struct Timing {
    queue: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft: Option<f64>,
    total: f64,
}

/// The record of a row that was sent.
pub(super) fn of_exchange(head: &Head, exchange: &Exchange, brought: &Brought) -> Vec<u8> {
    let failed = !exchange.class.is_answered();
    let request_id = exchange.ids.relay.as_deref().unwrap_or(&exchange.ids.request);
    let (usage, tokens) = (&exchange.usage, &exchange.tokens);
    let ended = exchange.attempts.last().map(|attempt| attempt.ended).unwrap_or_default();
    line(&Record {
        custom_id: &head.custom_id,
        index: head.index,
        response: exchange.status.map(|status_code| Response {
            status_code,
            request_id,
            body: brought.body.as_deref(),
        }),
        error: failed.then(|| Failure {
            code: exchange.class.name(),
            message: exchange.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
            reported: reported(exchange.trouble.as_ref()),
        }),
        text: (!failed).then_some(&brought.text),
        stop: exchange.stop.as_ref().map(|stop| stop.kind.name()),
        usage: exchange.status.filter(|_| !failed).map(|_| Usage {
            input: usage.input,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            output: tokens.output,
            reasoning: usage.reasoning,
            estimated: tokens.estimated,
        }),
        cost_usd: brought.cost.map(Money::dollars),
        attempts: exchange.attempts.len(),
        timing_ms: Some(Timing {
            queue: milliseconds(brought.queued + exchange.limited() + exchange.authorised()),
            ttft: exchange.marks.first_delta.filter(|_| exchange.streamed).map(milliseconds),
            total: milliseconds(ended.saturating_sub(exchange.limited() + exchange.authorised())),
        }),
        input_sha256: head.hash.hex(),
        cached: exchange.cache.filter(|_| exchange.cached).map(Form::name),
    })
}

/// The record of a line that could not be sent.
pub(super) fn of_unreadable(head: &Head, message: String) -> Vec<u8> {
    line(&Record {
        custom_id: &head.custom_id,
        index: head.index,
        response: None,
        error: Some(Failure { code: UNREADABLE, message, reported: None }),
        text: None,
        stop: None,
        usage: None,
        cost_usd: None,
        attempts: 0,
        timing_ms: None,
        input_sha256: head.hash.hex(),
        cached: None,
    })
}

/// The record of a row that asked for the same as an earlier one.
pub(super) fn of_twin(head: &Head, record: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(record)?;
    let first = fields.insert("index".to_owned(), head.index.into());
    fields.insert("custom_id".to_owned(), Value::from(head.custom_id.as_str()));
    fields.insert("input_sha256".to_owned(), Value::from(head.hash.hex()));
    fields.insert("attempts".to_owned(), 0.into());
    fields.shift_remove("cost_usd");
    fields.insert("duplicate_of".to_owned(), first.into());
    Ok(line(&fields))
}

fn line(record: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("a record has text keys and finite numbers");
    line.push(b'\n');
    line
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
        assert_eq!(hash.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(InputHash::short_of_hex(&hash.hex()), Some(hash.short()));
        assert_eq!(InputHash::short_of_hex("ba78"), None);
    }

    #[test]
    fn a_twin_takes_the_answer_under_its_own_name() {
        let first = Head::new(3, Some("a".to_owned()), InputHash::of(b"a"));
        let twin = Head::new(9, None, InputHash::of(b"b"));
        let record = of_twin(&twin, &of_unreadable(&first, "no JSON".to_owned())).unwrap();
        let fields: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(fields["custom_id"], "row-9");
        assert_eq!((&fields["index"], &fields["duplicate_of"]), (&json!(9), &json!(3)));
        assert_eq!(fields["error"]["message"], "no JSON");
        assert_eq!(fields["input_sha256"], twin.hash.hex());
    }
}
