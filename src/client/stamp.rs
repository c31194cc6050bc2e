//! A call that each request sends with a mark of its own before its first words, so that no cache knows it.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde_json::Value;

use super::Call;
use super::payload::Payload;

/// Where the mark goes: as many digits as it has, in words that stand in no prompt by chance.
const BLANK: &str = "[request 0000000000000000] ";

/// Where the digits begin in it.
const DIGITS: usize = "[request ".len();

/// A call with a place for a mark.
#[derive(Debug, Clone)]
pub struct Stamped {
    call: Call,
    /// Where the digits begin in the body, and in the one that does not ask for usage.
    at: (usize, usize),
}

impl Stamped {
    /// Makes a place before the first words that the model reads; `None` where the body has no words.
    pub fn new(mut call: Call) -> Option<Self> {
        let (body, at) = blanked(call.body.plain())?;
        let plain = call.body_without_usage.as_ref().map(|body| blanked(body.plain()));
        let plain_at = match plain {
            None => 0,
            Some(plain) => {
                let (plain, at) = plain?;
                call.body_without_usage = Some(Payload::new(plain));
                at
            }
        };
        call.body = Payload::new(body);
        Some(Self { call, at: (at, plain_at) })
    }

    /// The call with this mark.
    pub fn with(&self, mark: u64) -> Call {
        let digits = format!("{mark:016x}");
        let marked = |body: &Payload, at: usize| {
            let mut body = BytesMut::from(&body.plain()[..]);
            body[at..at + digits.len()].copy_from_slice(digits.as_bytes());
            Payload::new(body.freeze())
        };
        let mut call = self.call.clone();
        call.body = marked(&call.body, self.at.0);
        call.body_without_usage = call.body_without_usage.map(|plain| marked(&plain, self.at.1));
        call
    }

    /// The call as it is without a mark of its own.
    pub fn unmarked(&self) -> &Call {
        &self.call
    }
}

/// The body with a blank before its first words, and where the digits begin.
fn blanked(body: &[u8]) -> Option<(Bytes, usize)> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    first_words(&mut value)?.insert_str(0, BLANK);
    let bytes = value.to_string().into_bytes();
    let mut places = memmem::find_iter(&bytes, BLANK);
    let (place, other) = (places.next()?, places.next());
    drop(places);
    other.is_none().then(|| (Bytes::from(bytes), place + DIGITS))
}

/// The words that a model reads first: what vendors' caches of prompts begin with, after the tools.
fn first_words(body: &mut Value) -> Option<&mut String> {
    let fields = body.as_object_mut()?;
    let names = ["system", "instructions", "messages", "input", "prompt"];
    let name = names.into_iter().find(|name| fields.get_mut(*name).and_then(words).is_some())?;
    fields.get_mut(name).and_then(words)
}

/// The first text in a text, a list of blocks or a list of turns.
fn words(value: &mut Value) -> Option<&mut String> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter_mut().find_map(|item| match item.as_object_mut()? {
            fields if fields.contains_key("text") => fields.get_mut("text").and_then(words),
            fields => fields.get_mut("content").and_then(words),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Content;
    use crate::wire::{Dialect, Prompt};

    fn stamped(dialect: Dialect, content: &Content) -> Option<Stamped> {
        let call = Call::new(dialect, &"http://relay.invalid".parse().unwrap(), content, true).unwrap();
        Stamped::new(call)
    }

    fn body(call: &Call) -> Value {
        serde_json::from_slice(call.body()).unwrap()
    }

    #[test]
    fn the_mark_stands_before_the_first_words_of_every_dialect() {
        let prompt = |system: Option<&str>| {
            Content::Prompt(Box::new(Prompt {
                text: "Hi".into(),
                system: system.map(str::to_owned),
                model: Some("m".into()),
                ..Prompt::default()
            }))
        };
        let marked = "[request 00000000000000ff] ";
        for (dialect, pointer) in [
            (Dialect::Messages, "/messages/0/content"),
            (Dialect::Chat, "/messages/0/content"),
            (Dialect::Responses, "/input"),
        ] {
            let call = stamped(dialect, &prompt(None)).unwrap().with(255);
            assert_eq!(body(&call).pointer(pointer), Some(&json!(format!("{marked}Hi"))), "{dialect}");
        }
        let call = stamped(Dialect::Messages, &prompt(Some("Be brief"))).unwrap().with(255);
        assert_eq!(body(&call)["system"], json!(format!("{marked}Be brief")));
        assert_eq!(body(&call)["messages"][0]["content"], "Hi");
        let call = stamped(Dialect::Complete, &prompt(None)).unwrap().with(255);
        assert!(body(&call)["prompt"].as_str().unwrap().starts_with(marked));
    }

    #[test]
    fn a_body_that_may_go_without_usage_has_the_mark_both_ways() {
        let prompt = Prompt { text: "a".into(), model: Some("m".into()), ..Prompt::default() };
        let call = stamped(Dialect::Chat, &Content::Prompt(Box::new(prompt))).unwrap().with(7);
        for body in [&call.body, call.body_without_usage.as_ref().unwrap()] {
            assert!(memmem::find(body.plain(), b"\"[request 0000000000000007] a\"").is_some(), "{body:?}");
        }
    }

    #[test]
    fn a_body_of_blocks_has_the_mark_before_its_first_text() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"},{"type":"text","text":"a"}]}]}"#;
        let call = stamped(Dialect::Chat, &Content::Body(body.to_vec())).unwrap().with(7);
        assert!(memmem::find(call.body(), br#""text":"[request 0000000000000007] a""#).is_some());
    }

    #[test]
    fn a_body_without_words_has_no_place() {
        let place = |body: &str| stamped(Dialect::Raw, &Content::Body(body.as_bytes().to_vec()));
        assert!(place("any bytes").is_none() && place(r#"{"n":1}"#).is_none());
        assert!(place(r#"{"prompt":"Hi"}"#).is_some());
    }
}
