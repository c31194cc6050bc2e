//! The leave of an attempt: a place for its connection and the limiter's grant, waited for before anything is sent.

use std::time::Duration;

use tokio::time::Instant;

use crate::net::{Cost, Grant, Place, Report, Transport};

use super::cost::used;
use super::deadlines::{Deadlines, Progress, Scope};
use super::exchange::Exchange;
use super::patience::{Halt, Patience};
use super::route::Aim;
use super::{Call, Client};

/// Where the next attempt would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// To the same endpoint.
    Here,
    /// To another one, which has asked nobody to wait.
    Elsewhere,
}

/// The leave of one request, held until its answer is read.
pub(super) struct Leave<'a> {
    place: Place,
    grant: Option<Grant<'a>>,
}

impl Leave<'_> {
    /// The request is handed to the transport.
    pub(super) fn depart(&mut self) {
        self.grant.iter_mut().for_each(Grant::depart);
    }

    /// Ends it, and tells the limiter what became of the request before anybody else does anything about it.
    pub(super) async fn end(self, call: &Call, exchange: &mut Exchange, then: Then) {
        if let Some(grant) = self.grant {
            exchange.limited = grant.waited();
            grant.report(&Report {
                class: exchange.class,
                retry_after: exchange.retry_after.filter(|_| then == Then::Here),
                advice: exchange.advice.as_ref(),
                used: used(call.dialect, exchange),
            });
        }
        self.place.leave().await;
    }
}

impl<T: Transport> Client<T> {
    /// Waits until the request may leave: for a place among the requests under way, then for the limiter, so that
    /// nothing that was granted is held up. That is no fault of the relay's: only the total limit counts it.
    pub(super) async fn leave(&self, call: &Call, began: Instant) -> Result<Leave<'_>, Halt> {
        let mut patience = self.outside(began);
        let place = patience.wait(Progress::default(), self.transport.place()).await?;
        let grant = match self.limiter.as_deref() {
            None => None,
            Some(limiter) => {
                let cost = if limiter.counts_tokens() { call.cost() } else { Cost::default() };
                let grant = patience.wait(Progress::default(), limiter.grant(cost)).await?;
                Some(grant.map_err(Halt::Limit)?)
            }
        };
        Ok(Leave { place, grant })
    }

    /// Waits for a token that is in force, where the credential is one; how long that took.
    pub(super) async fn ready(&self, aim: Aim<'_>, began: Instant) -> (Duration, Result<(), Halt>) {
        let Some(credential) = aim.credential.filter(|credential| credential.generation().is_some()) else {
            return (Duration::ZERO, Ok(()));
        };
        let asked = Instant::now();
        let ready = self.outside(began).wait(Progress::default(), credential.ready(aim.url)).await;
        (asked.elapsed(), ready.and_then(|ready| ready.map_err(Halt::Token)))
    }

    /// Patience until these deadlines, or until this client is stopped.
    pub(super) fn patience<'a>(&'a self, deadlines: Deadlines<'a>) -> Patience<'a> {
        Patience::new(deadlines, (self.stop.as_deref(), &self.alarms))
    }

    /// How long anything is waited for before the relay has anything to do with it.
    pub(super) fn outside(&self, began: Instant) -> Patience<'_> {
        let (timeouts, scope) = (&self.timeouts, Scope::Total);
        self.patience(Deadlines { timeouts, began, start: began, scope })
    }
}
