//! One attempt: the request leaves, the reply is told apart, the answer is folded under its deadlines.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::net::{Advice, Credential, Request, Transport};

use super::deadlines::{Deadlines, Progress};
use super::dress::Form;
use super::exchange::{Exchange, Ids};
use super::fold::Fold;
use super::mask::Mask;
use super::patience::Patience;
use super::reader::{Head, Reader, halted};
use super::{Call, Client, Sink};

/// One turn of an exchange: what distinguishes its attempt from the others.
pub(super) struct Turn<'a> {
    pub(super) ids: &'a Ids,
    /// When the first attempt of the exchange began.
    pub(super) began: Instant,
    /// The form of its request.
    pub(super) form: Form,
}

/// A request on its way, and when the first attempt of its exchange began.
pub(super) struct Departure<'a> {
    pub(super) request: Request,
    pub(super) began: Instant,
    /// The number of its token, where its credential is one.
    pub(super) token: Option<u64>,
    /// What must not be shown of the relay's words.
    pub(super) secrets: &'a Mask,
}

impl<T: Transport> Client<T> {
    /// Carries one attempt to its end. The order of its policies is part of the design, see [`Client::run`].
    pub(super) async fn attempt<S: Sink>(&self, call: &Call, turn: Turn<'_>, sink: &mut S) -> Exchange {
        let came = Instant::now();
        let Turn { ids, began, form } = turn;
        let mut leave = match self.leave(call, began).await {
            Ok(leave) => leave,
            Err(halt) => {
                let starting = Exchange::starting(call, Instant::now());
                let exchange = Exchange { limited: came.elapsed(), unsent: true, ..starting };
                return halted(exchange, &Fold::default(), halt);
            }
        };
        // The credential is added after every wait, so that it is in force when it leaves.
        let token = self.credential.as_ref().and_then(Credential::generation);
        let (request, body) = self.request(call, ids, form);
        let secrets = Mask::of(&request.headers);
        leave.depart();
        let mut exchange =
            match self.depart(call, Departure { request, began, token, secrets: &secrets }).await {
                Ok(Arrival { exchange, head, mut reader }) => {
                    let mut exchange = reader.read_answer(exchange, &head, sink).await;
                    exchange.mask(&secrets);
                    exchange
                }
                Err(exchange) => *exchange,
            };
        exchange.ids.request.clone_from(&ids.request);
        exchange.body = body;
        leave.end(call, &mut exchange).await;
        exchange
    }

    /// Sends the request and reads the head of its reply; anything but a 2xx is read to its end and classed.
    pub(super) async fn depart<'c>(
        &'c self,
        call: &'c Call,
        departure: Departure<'c>,
    ) -> Result<Arrival<'c>, Box<Exchange>> {
        let start = Instant::now();
        let Departure { request, began, token, secrets } = departure;
        let mut exchange = Exchange { token, ..Exchange::starting(call, start) };
        let deadlines = Deadlines { timeouts: self.timeouts, began, start, stream: call.stream };
        let mut patience = Patience::new(deadlines, self.stop.as_deref());
        let journey = request.journey.clone();
        let waited = patience.wait(Progress::default(), self.transport.send(request)).await;
        exchange.unsent = journey.is_connecting();
        let reply = match waited {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => return Err(Box::new(exchange.fail(error.class(), error))),
            Err(halt) => return Err(Box::new(halted(exchange, &Fold::default(), halt))),
        };
        exchange.read_head(&reply);
        if self.limiter.is_some() {
            exchange.advice = Some(Advice::read(&reply.headers, SystemTime::now()));
        }
        let mut reader = Reader { body: reply.body, patience, progress: Progress::default(), call, secrets };
        let head = Head { status: reply.status, headers: reply.headers };
        if let 200..=299 = head.status {
            return Ok(Arrival { exchange, head, reader });
        }
        let mut exchange = reader.read_refusal(exchange, &head).await;
        exchange.mask(secrets);
        Err(Box::new(exchange))
    }
}

/// A 2xx reply whose body is still to be read.
pub(super) struct Arrival<'c> {
    pub(super) exchange: Exchange,
    pub(super) head: Head,
    pub(super) reader: Reader<'c>,
}
