//! The conversations of `--turns`: what each user of a worker has said and heard so far.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::{Value, json};

use crate::client::{Call, Content};
use crate::config::Settings;
use crate::load::{Ticket, WARMUP_ITERATIONS};
use crate::net::{HeaderMap, Url};
use crate::wire::{Dialect, Prompt};

/// Conversations, one a user. Users stay with their worker for a level, so nothing is shared.
#[derive(Debug)]
pub(super) struct Talks {
    maker: Maker,
    /// Turns of each conversation.
    length: u64,
    histories: RefCell<HashMap<u32, Vec<Value>>>,
}

/// What every call has in common.
#[derive(Debug, Clone)]
pub(super) struct Maker {
    dialect: Dialect,
    base: Url,
    headers: HeaderMap,
    stream: bool,
    /// Keeps all of them at one of several endpoints, in place of a session for each conversation.
    session: Option<String>,
}

impl Maker {
    /// Makes calls as these settings have them.
    pub(super) fn of(settings: &Settings, stream: bool, session: Option<String>) -> Self {
        let (dialect, base) = (settings.dialect, settings.base.clone());
        Self { dialect, base, headers: settings.headers.clone(), stream, session }
    }
}

impl Talks {
    /// No conversation yet.
    pub(super) fn new(maker: Maker, length: u64) -> Self {
        Self { maker, length, histories: RefCell::default() }
    }

    /// The next turn of a user, with those before it.
    pub(super) fn call(&self, ticket: Ticket, prompt: &Prompt) -> Call {
        let mut histories = self.histories.borrow_mut();
        let history = histories.entry(ticket.user).or_default();
        if nth(ticket).is_multiple_of(self.length) {
            history.clear();
        }
        let prompt = Prompt { history: history.clone(), ..prompt.clone() };
        let Maker { dialect, base, headers, stream, session } = &self.maker;
        let content = Content::Prompt(Box::new(prompt));
        let call = Call::new(*dialect, base, &content, *stream).expect("only a body can fail to be one");
        let own = || format!("level {} conversation {:x}", ticket.level, self.number(ticket));
        call.with_headers(headers).with_session(Some(session.clone().unwrap_or_else(own)))
    }

    /// Keeps a turn and its answer; one that failed is as if it had never been said.
    pub(super) fn note(&self, ticket: Ticket, prompt: &Prompt, said: &str) {
        if said.is_empty() {
            return;
        }
        let turns =
            [json!({"role": "user", "content": prompt.text}), json!({"role": "assistant", "content": said})];
        self.histories.borrow_mut().entry(ticket.user).or_default().extend(turns);
    }

    /// The number of a conversation within its level, different for each; those of a warm-up are others again.
    pub(super) fn number(&self, ticket: Ticket) -> u64 {
        let warmup = u64::from(ticket.is_warmup()) << 63;
        warmup | u64::from(ticket.user) << 40 | (nth(ticket) / self.length)
    }
}

/// How many requests the user has sent before this one, in the warm-up or after it.
const fn nth(ticket: Ticket) -> u64 {
    ticket.iteration % WARMUP_ITERATIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(talks: &Talks, iteration: u64) -> Value {
        let ticket = Ticket { user: 3, iteration, ..Ticket::default() };
        let prompt = Prompt { text: format!("Q{iteration}"), model: Some("m".into()), ..Prompt::default() };
        let call = talks.call(ticket, &prompt);
        if iteration != 1 {
            talks.note(ticket, &prompt, &format!("A{iteration}"));
        }
        let body: Value = serde_json::from_slice(call.body()).unwrap();
        let turns = body["messages"].as_array().unwrap().iter();
        turns.map(|turn| turn["content"].clone()).collect()
    }

    #[test]
    fn a_conversation_grows_without_what_failed_and_begins_anew_after_its_last_turn() {
        let base = "http://relay.invalid".parse().unwrap();
        let maker = Maker {
            dialect: Dialect::Messages,
            base,
            headers: HeaderMap::new(),
            stream: true,
            session: None,
        };
        let talks = Talks::new(maker, 3);
        assert_eq!(body(&talks, 0), json!(["Q0"]));
        assert_eq!(body(&talks, 1), json!(["Q0", "A0", "Q1"]));
        assert_eq!(body(&talks, 2), json!(["Q0", "A0", "Q2"]));
        assert_eq!(body(&talks, 3), json!(["Q3"]));
        assert_eq!(body(&talks, WARMUP_ITERATIONS), json!(["Q4294967296"]));
    }
}
