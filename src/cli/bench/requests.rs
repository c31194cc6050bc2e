//! The load's adapter: the client, seen from the engine as something that performs one request.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::yield_now;

use crate::cli::{say, show};
use crate::client::{Call, Client, Exchange, Piece};
use crate::load::{Target, Ticket};
use crate::net::Pool;
use crate::outcome::{BodySize, Class, Sample};
use crate::units::Span;
use crate::wire::Event;

/// Makes one request of the load: the client, seen from the engine.
pub(super) struct Requests {
    pub(super) client: Client<Pool>,
    /// The calls, taken in turn by the number of the request.
    pub(super) calls: Arc<[Call]>,
    /// What the bodies of this worker's requests weigh.
    pub(super) scale: Arc<Scale>,
    /// Whether each attempt gets a line, at the price of a little time of the client's.
    pub(super) verbose: bool,
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
    /// The call of a request: the same for its number on every machine.
    fn call(&self, ticket: Ticket) -> &Call {
        let at = usize::try_from(ticket.index).unwrap_or(0) % self.calls.len();
        &self.calls[at]
    }
}

impl Target for Requests {
    async fn run(&self, ticket: Ticket, sample: &mut Sample) {
        let call = self.call(ticket);
        let start = sample.marks.start;
        let streamed = call.stream;
        sample.streamed = streamed;
        let mut last: Option<Duration> = None;
        let Sample { gaps, request_id, bytes, .. } = &mut *sample;
        let exchange = self
            .client
            .run(call, &mut |piece: Piece<'_>| {
                match piece {
                    Piece::Attempt(_, id) => {
                        last = None;
                        gaps.clear();
                        *bytes = 0;
                        request_id.clear();
                        request_id.push_str(id);
                    }
                    Piece::Wire(body) => *bytes += body.len() as u64,
                    Piece::Event(at, Event::Delta(_)) => {
                        gaps.extend(last.replace(at).map(|before| at.saturating_sub(before)));
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            })
            .await;
        fill(sample, &exchange);
        self.scale.add(exchange.body());
        if self.verbose {
            for attempt in &exchange.attempts {
                let is_last = exchange.attempts.last().is_some_and(|last| last.number == attempt.number);
                let then = (!is_last).then(|| format!("again in {}", Span(attempt.waited)));
                say(format_args!(
                    "{} {}",
                    exchange.ids.request,
                    show::attempt_line(attempt, then.as_deref())
                ));
            }
        }
        // The pool takes a connection back on tasks of its own; without a turn for them the user's next request would
        // find none and open another.
        yield_now().await;
        // A request that was tried again began with its first attempt.
        let shift = exchange.marks.start.saturating_duration_since(start);
        sample.marks.start = start;
        for mark in sample.marks.offsets_mut() {
            *mark = mark.map(|offset| offset + shift);
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
