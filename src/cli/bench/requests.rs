//! The load's adapter: the client, seen from the engine as something that performs one request.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::yield_now;

use crate::cli::{say, show};
use crate::client::{Call, Client, Exchange, Piece, Stamped};
use crate::load::{Side, Target, Ticket};
use crate::net::{Pool, Transport};
use crate::outcome::{BodySize, Class, Connections, Sample};
use crate::units::Span;
use crate::wire::{Delta, Event, Prompt};

use super::bounds::Purse;
use super::prompts::{Ready, Script, scatter};
use super::talks::Talks;

/// Makes one request of the load: the client, seen from the engine.
pub(super) struct Requests {
    pub(super) relay: Lane,
    /// The way past the relay, where each request is made twice.
    pub(super) direct: Option<Lane>,
    /// The conversations of this worker's users, where requests are turns of some.
    pub(super) talks: Talks,
    /// Whether each attempt gets a line, at the price of a little time of the client's.
    pub(super) verbose: bool,
    /// What may be spent.
    pub(super) purse: Arc<Purse>,
}

/// One worker's way to one server.
pub(super) struct Lane {
    pub(super) client: Client<Pool>,
    /// What each request sends, by its number: the same on every machine.
    pub(super) script: Arc<Script>,
    /// What the bodies of this worker's requests weigh.
    pub(super) scale: Arc<Scale>,
}

/// Adds up what the bodies of one worker's requests weigh.
#[derive(Debug, Default)]
pub(super) struct Scale {
    plain: AtomicU64,
    sent: AtomicU64,
}

impl Scale {
    fn add(&self, body: BodySize) {
        self.plain.fetch_add(body.plain, Ordering::Relaxed);
        self.sent.fetch_add(body.sent, Ordering::Relaxed);
    }

    /// What they weigh so far.
    pub(super) fn total(&self) -> BodySize {
        BodySize { plain: self.plain.load(Ordering::Relaxed), sent: self.sent.load(Ordering::Relaxed) }
    }
}

impl Requests {
    /// The way of a request.
    fn lane(&self, side: Side) -> &Lane {
        match side {
            Side::Relay => &self.relay,
            Side::Direct => {
                self.direct.as_ref().expect("requests are made twice only where there are two ways")
            }
        }
    }

    /// The call of a request, and the turn it is where it is one.
    fn call(&self, ticket: Ticket) -> (Cow<'_, Call>, Option<&Prompt>) {
        let Script { deck, mark, .. } = &*self.lane(ticket.side).script;
        // What one of a pair has left in a cache must not answer the other.
        let level = u64::from(ticket.level) << 1 | u64::from(ticket.side == Side::Direct);
        let mark = |number: u64| scatter(scatter(mark.unwrap_or_default(), level), number);
        match deck.at(ticket.index) {
            Ready::Whole(call) => (Cow::Borrowed(call), None),
            Ready::Marked(stamped) => (Cow::Owned(stamped.with(mark(ticket.index))), None),
            Ready::Turn(prompt) => {
                let call = self.talks.call(ticket, prompt);
                let stamped = self.relay.script.mark.and_then(|_| Stamped::new(call.clone()));
                let call = stamped.map_or(call, |stamped| stamped.with(mark(self.talks.number(ticket))));
                (Cow::Owned(call), Some(prompt))
            }
        }
    }
}

impl Target for Requests {
    async fn run(&self, ticket: Ticket, sample: &mut Sample) {
        let (call, turn) = self.call(ticket);
        let lane = self.lane(ticket.side);
        let start = sample.marks.start;
        let streamed = call.stream;
        sample.streamed = streamed;
        let mut last: Option<Duration> = None;
        let mut said = String::new();
        let Sample { gaps, request_id, endpoint, bytes, .. } = &mut *sample;
        let exchange = lane
            .client
            .run(&call, &mut |piece: Piece<'_>| {
                match piece {
                    Piece::Attempt(_, id) => {
                        last = None;
                        gaps.clear();
                        said.clear();
                        *bytes = 0;
                        id.clone_into(request_id);
                    }
                    Piece::Endpoint(name) => name.clone_into(endpoint),
                    Piece::Wire(body) => *bytes += body.len() as u64,
                    Piece::Event(at, Event::Delta(delta)) => {
                        gaps.extend(last.replace(at).map(|before| at.saturating_sub(before)));
                        if let (Some(_), Delta::Text(text)) = (turn, delta) {
                            said.push_str(text);
                        }
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            })
            .await;
        if let Some(prompt) = turn.filter(|_| exchange.class.is_ok()) {
            self.talks.note(ticket, prompt, &said);
        }
        fill(sample, &exchange);
        lane.scale.add(exchange.body());
        self.purse.pay(&exchange);
        self.tell(&exchange);
        // The library takes a connection back on tasks of its own; without a turn for them the user's next request would
        // find none and open another. Over connections of our own the turn pays, too: all answers that have come are read
        // before the next requests leave, so that a server that sleeps is woken once for many of them.
        yield_now().await;
        // A request that was tried again began with its first attempt; what it waited for a token is no time of the relay's.
        let shift =
            exchange.marks.start.saturating_duration_since(start).saturating_sub(exchange.authorised());
        sample.marks.start = start;
        for mark in sample.marks.offsets_mut() {
            *mark = mark.map(|offset| offset + shift);
        }
    }

    fn take_connections(&self) -> Option<Connections> {
        let lines = |lane: &Lane| lane.client.transport().take_lines();
        let relay = lines(&self.relay)?;
        match &self.direct {
            None => Some(relay),
            Some(direct) => Some(relay.and(lines(direct)?)),
        }
    }
}

impl Requests {
    /// A line for each attempt, where that is asked for.
    fn tell(&self, exchange: &Exchange) {
        if !self.verbose {
            return;
        }
        for attempt in &exchange.attempts {
            let is_last = exchange.attempts.last().is_some_and(|last| last.number == attempt.number);
            let then = (!is_last).then(|| format!("again in {}", Span(attempt.waited)));
            say(format_args!("{} {}", exchange.ids.request, show::attempt_line(attempt, then.as_deref())));
        }
    }
}

fn fill(sample: &mut Sample, exchange: &Exchange) {
    sample.class = exchange.class;
    sample.marks = exchange.marks;
    sample.streamed = exchange.streamed;
    sample.status = exchange.status;
    sample.deltas = exchange.deltas;
    sample.tokens = exchange.tokens;
    sample.retry_after = exchange.retry_after;
    if let Some(trouble) = &exchange.trouble {
        use std::fmt::Write;
        let _ = write!(sample.message, "{trouble}");
    } else if exchange.class == Class::Refused {
        sample.message.push_str(exchange.stop.as_ref().map_or("refused", |stop| &stop.word));
    }
}
