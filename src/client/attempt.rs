//! One attempt: the request leaves, the reply is told apart, the answer is folded under its deadlines.

use std::pin::pin;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::net::route::Ticket;
use crate::net::{Advice, Credential, Request, Transport};

use super::deadlines::{Deadlines, Progress, Scope};
use super::dress::Dressed;
use super::exchange::Exchange;
use super::fold::Fold;
use super::ids::Ids;
use super::leave::Then;
use super::mask::Mask;
use super::reader::{Head, Reader, halted};
use super::repair::Repairs;
use super::route::{Heading, Itinerary};
use super::{Call, Client, Sink};

/// One turn of an exchange: what distinguishes its attempt from the others.
pub(super) struct Turn<'t, 'a> {
    pub(super) ids: &'t Ids,
    /// When the first attempt of the exchange began.
    pub(super) began: Instant,
    /// When this one began to wait for its leave.
    pub(super) came: Instant,
    /// What the attempts before it say about the form of its request.
    pub(super) repairs: &'t mut Repairs<'a>,
    /// What they say about where it goes.
    pub(super) itinerary: &'t mut Itinerary<'a>,
}

/// A request on its way, and when the first attempt of its exchange began.
pub(super) struct Departure<'a> {
    pub(super) request: Request,
    pub(super) began: Instant,
    /// The number of its token, where its credential is one.
    pub(super) token: Option<u64>,
    /// What must not be shown of the relay's words.
    pub(super) secrets: &'a Mask,
    /// Its right to be where it goes, where there is a choice.
    pub(super) ticket: Option<&'a Ticket<'a>>,
}

impl<T: Transport> Client<T> {
    /// Carries one attempt to its end. The order of its policies is part of the design, see [`Client::run`].
    pub(super) async fn attempt<'a, S: Sink>(
        &'a self,
        call: &Call,
        turn: Turn<'_, 'a>,
        sink: &mut S,
    ) -> Exchange {
        let Turn { ids, began, came, repairs, itinerary } = turn;
        let mut exchange = Exchange::starting(call, came);
        let held = |exchange: &mut Exchange, halt| {
            exchange.marks.start = Instant::now();
            (exchange.limited, exchange.unsent) = (came.elapsed(), true);
            halted(exchange, Fold::default(), halt);
        };
        let mut leave = match self.leave(call, began).await {
            Ok(leave) => leave,
            Err(halt) => {
                held(&mut exchange, halt);
                return exchange;
            }
        };
        let heading = Heading::next(itinerary);
        let aim = self.aim(call, &heading);
        if let Some(name) = heading.name() {
            // Who wants no more says so of the next piece, too.
            let _ = sink.take(super::Piece::Endpoint(name));
        }
        // A leave that is dropped is given back, and a ticket says nothing about its endpoint then.
        let (authorised, ready) = self.ready(aim, began).await;
        if let Err(halt) = ready {
            held(&mut exchange, halt);
            exchange.limited = exchange.limited.saturating_sub(authorised);
            exchange.authorised = authorised;
            heading.mark(&mut exchange);
            return exchange;
        }
        // The credential is added after every wait, so that it is in force when it leaves.
        let token = aim.credential.and_then(Credential::generation);
        let form = self.form((call, aim.url), repairs);
        let Dressed { request, size, signed } = self.request(call, ids, (form, aim));
        let secrets = Mask::of(&request.headers);
        leave.depart();
        let departure = Departure { request, began, token, secrets: &secrets, ticket: heading.ticket() };
        if let Some(Arrival { head, mut reader }) = self.depart(call, departure, &mut exchange).await {
            reader.read_answer(&mut exchange, &head, sink).await;
        }
        exchange.mask(&secrets);
        (exchange.body, exchange.signed) = (size, signed);
        exchange.authorised = authorised;
        heading.mark(&mut exchange);
        heading.end(&exchange);
        let then = if itinerary.leads_elsewhere() { Then::Elsewhere } else { Then::Here };
        leave.end(call, &mut exchange, then).await;
        exchange
    }

    /// Sends the request and reads the head of its reply; anything but a 2xx is read to its end and classed.
    pub(super) async fn depart<'c>(
        &'c self,
        call: &'c Call,
        departure: Departure<'c>,
        exchange: &mut Exchange,
    ) -> Option<Arrival<'c>> {
        let start = Instant::now();
        let Departure { request, began, token, secrets, ticket } = departure;
        (exchange.marks.start, exchange.token) = (start, token);
        let scope = if call.stream { Scope::Stream } else { Scope::Whole };
        let deadlines = Deadlines { timeouts: &self.timeouts, began, start, scope };
        let mut patience = self.patience(deadlines).recalled_by(ticket);
        let journey = request.journey.clone();
        // Pinned here, so that it is not moved into the waiting: a future is as large as all that it may come to hold.
        let waited = patience.wait(Progress::default(), pin!(self.transport.send(request))).await;
        exchange.unsent = journey.is_connecting();
        let reply = match waited {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                exchange.fail(error.class(), error);
                return None;
            }
            Err(halt) => {
                halted(exchange, Fold::default(), halt);
                return None;
            }
        };
        patience.progressed();
        exchange.read_head(&reply);
        if self.limiter.is_some() {
            exchange.advice = Some(Advice::read(&reply.headers.to_map(), SystemTime::now()));
        }
        let mut reader = Reader { body: reply.body, patience, progress: Progress::default(), call, secrets };
        let head = Head { status: reply.status, headers: reply.headers };
        if let 200..=299 = head.status {
            return Some(Arrival { head, reader });
        }
        reader.read_refusal(exchange, &head).await;
        None
    }
}

/// A 2xx reply whose body is still to be read.
pub(super) struct Arrival<'c> {
    pub(super) head: Head,
    pub(super) reader: Reader<'c>,
}
