//! Keeps what an exchange brings while it goes on, and plays it again later.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::client::{Call, Exchange, Ids, Piece, Sink};
use crate::outcome::Class;
use crate::wire::{Delta, Event, StopKind};

use super::{Part, Saved};

/// Listens to an exchange and keeps its answer.
#[derive(Debug)]
pub struct Recorder {
    parts: Vec<Part>,
    /// The wire's bytes, where they are one JSON body.
    body: Option<BytesMut>,
}

impl Recorder {
    /// A recorder of a call's answer.
    pub fn new(call: &Call) -> Self {
        Self { parts: Vec::new(), body: (!call.stream).then(BytesMut::new) }
    }

    /// Takes one piece of the exchange.
    pub fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Attempt(..) => {
                self.parts.clear();
                self.body.iter_mut().for_each(BytesMut::clear);
            }
            Piece::Wire(bytes) => self.body.iter_mut().for_each(|body| body.extend_from_slice(bytes)),
            Piece::Event(_, Event::Delta(delta)) => self.take_delta(delta),
            _ => {}
        }
    }

    fn take_delta(&mut self, delta: &Delta<'_>) {
        match (self.parts.last_mut(), delta) {
            (Some(Part::Text(so_far)), Delta::Text(text))
            | (Some(Part::Reasoning(so_far)), Delta::Reasoning(text))
            | (Some(Part::ToolArguments(so_far)), Delta::ToolArguments(text)) => so_far.push_str(text),
            (_, Delta::Text(text)) => self.parts.push(Part::Text(text.to_string())),
            (_, Delta::Reasoning(text)) => self.parts.push(Part::Reasoning(text.to_string())),
            (_, Delta::ToolArguments(text)) => self.parts.push(Part::ToolArguments(text.to_string())),
            // Only a raw answer has such, and none of those is kept.
            (_, Delta::Bytes(_)) => {}
        }
    }

    /// The answer, if it is complete and successful.
    pub fn finish(self, exchange: &Exchange) -> Option<Saved> {
        let status = exchange.status?;
        if !exchange.class.is_ok() || !exchange.complete || exchange.trouble.is_some() {
            return None;
        }
        // A stream that nobody asked for is no whole body.
        let body = self.body.filter(|_| !exchange.streamed).map(BytesMut::freeze);
        let body = body.filter(|body| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok());
        Some(Saved {
            saved_at: SystemTime::now(),
            status,
            relay_request_id: exchange.ids.relay.clone(),
            model: exchange.model.clone(),
            stop: exchange.stop.clone(),
            usage: exchange.usage,
            tokens: exchange.tokens,
            parts: self.parts,
            body,
        })
    }
}

impl Saved {
    /// Whether it can answer a call: one that wants its answer whole wants the body.
    pub(in crate::client) fn answers(&self, call: &Call) -> bool {
        call.stream || self.body.is_some()
    }

    /// Hands the answer out as if it had just arrived.
    pub(in crate::client) fn replay(self, call: &Call, sink: &mut impl Sink) -> Exchange {
        let mut exchange = Exchange::starting(call, Instant::now());
        let mut tell = |piece: Piece<'_>| sink.take(piece).is_break();
        let whole = self.body.as_ref().filter(|_| !call.stream);
        let mut stopped = whole.is_some_and(|body: &Bytes| tell(Piece::Wire(body)));
        let named = self.model.as_deref().map(|model| Event::Model(model.into()));
        let parts = self.parts.iter().map(|part| Event::Delta(part.delta()));
        let last = [Event::Usage(self.usage)].into_iter().chain(self.stop.clone().map(Event::Stop));
        for event in named.into_iter().chain(parts).chain(last).chain([Event::Terminal]) {
            let at = exchange.marks.start.elapsed();
            exchange.marks.first_event.get_or_insert(at);
            if matches!(event, Event::Delta(_)) {
                exchange.deltas += 1;
                exchange.marks.first_delta.get_or_insert(at);
                exchange.marks.last_delta = Some(at);
            }
            stopped = stopped || tell(Piece::Event(at, &event));
        }
        exchange.marks.end = Some(exchange.marks.start.elapsed());
        let cut = self.stop.as_ref().is_some_and(|stop| stop.kind == StopKind::Length);
        exchange.class = match (stopped, cut) {
            (true, _) => Class::Cancelled,
            (false, true) => Class::OkLength,
            (false, false) => Class::Ok,
        };
        exchange.status = Some(self.status);
        exchange.ids = Ids { request: String::new(), relay: self.relay_request_id };
        exchange.model = self.model;
        exchange.stop = self.stop;
        exchange.usage = self.usage;
        exchange.tokens = self.tokens;
        exchange.streamed = call.stream;
        exchange.complete = true;
        exchange.cached = true;
        exchange
    }
}
