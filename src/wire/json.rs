//! Reading the JSON of answers, and mending what relays are known to break in it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::WireError;
use super::lenient::Object;
use super::printable::excerpt;
use super::scan;

/// What [`WireError::Json`] calls an event's data.
pub(super) const EVENT: &str = "an event of the stream";

/// What [`WireError::Json`] calls a whole body.
pub(super) const BODY: &str = "the body";

/// Reads an object; `None` where the JSON is valid but of another type.
pub(super) fn parse<'a, T: Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<Option<T>, WireError> {
    if let Some(Object(object)) = str::from_utf8(bytes).ok().and_then(scan::read) {
        return Ok(object);
    }
    match serde_json::from_slice(bytes) {
        Ok(Object(object)) => Ok(object),
        Err(error) => Err(broken(what, &error, bytes)),
    }
}

/// The error for JSON that could not be read.
pub(super) fn broken(what: &'static str, error: &serde_json::Error, bytes: &[u8]) -> WireError {
    WireError::Json { what, problem: error.to_string(), excerpt: excerpt(bytes) }
}

/// The same JSON with broken UTF-8 and lone surrogates replaced and doubled keys dropped, where that makes it valid.
///
/// Relays that cut a text between two UTF-16 units or two bytes send such events; the answer around them is sound.
pub(super) fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text.as_bytes().to_vec(),
        Cow::Owned(text) => text.into_bytes(),
    };
    let value: Value = serde_json::from_slice(&without_lone_surrogates(&text)).ok()?;
    serde_json::to_vec(&value).ok()
}

/// The bytes with every `\u` escape of half a character turned into the replacement character.
fn without_lone_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = match (unit(rest), unit(rest.get(6..).unwrap_or_default())) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.extend_from_slice(b"\\ufffd");
                rest = &rest[6..];
                continue;
            }
            _ => rest.len().min(2),
        };
        out.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
    out
}

/// The UTF-16 unit that a `\u` escape of four digits at the beginning of the bytes names.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_kept() {
        let mended = mend(br#"{"a":"\ud83d","b":"\ud83d\ude00","c":"\\ud83d","d":"\ude00x"}"#).unwrap();
        assert_eq!(
            String::from_utf8(mended).unwrap(),
            "{\"a\":\"\u{fffd}\",\"b\":\"😀\",\"c\":\"\\\\ud83d\",\"d\":\"\u{fffd}x\"}"
        );
    }

    #[test]
    fn broken_bytes_are_replaced_and_the_last_of_doubled_keys_wins() {
        assert_eq!(mend(b"{\"a\":\"\xc3\",\"a\":2}").unwrap(), br#"{"a":2}"#);
        assert_eq!(mend(b"{\"a\":\"\xc3\"}").unwrap(), "{\"a\":\"\u{fffd}\"}".as_bytes());
    }

    #[test]
    fn what_is_no_json_stays_broken() {
        for bytes in ["{\"a\":", "\\", "\\u", "{\"a\":\"\\ud83", "no"] {
            assert_eq!(mend(bytes.as_bytes()), None, "{bytes}");
        }
    }
}
