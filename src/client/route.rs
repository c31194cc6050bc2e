//! Where attempts go when a relay has several endpoints: the router, and what goes to each endpoint and to no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;

use crate::net::route::{Endpoint, Report, Router, Seat, SetError, Strategy, Ticket, Tried};
use crate::net::{Credential, Signer, Transport, Url, shown_url};
use crate::wire::Dialect;

use super::exchange::Exchange;
use super::{Call, Client, join};

/// After so many endpoints a request no longer goes to another one at once.
const MOST_TRIED: usize = 3;

/// An endpoint, and the credential that belongs to it.
#[derive(Debug, Clone)]
pub struct Station {
    /// Where it is, and its place among others.
    pub endpoint: Endpoint,
    /// What is sent to its origin, and to no other.
    pub credential: Option<Credential>,
    /// What signs each attempt that goes there, by the clock of that relay.
    pub signer: Option<Arc<Signer>>,
}

/// Several endpoints of one relay, shared by all clients of a run.
#[derive(Debug)]
pub struct Routes {
    router: Router,
    dialect: Dialect,
    /// By the base address; one that is left stays, since an attempt may be on its way there.
    stations: ArcSwap<HashMap<Url, Arc<Stop>>>,
    /// Exchanges under way.
    under_way: AtomicU32,
}

/// A station with the address that prompts go to there.
#[derive(Debug)]
pub(super) struct Stop {
    /// Its name in reports.
    name: String,
    target: Arc<Url>,
    credential: Option<Credential>,
    signer: Option<Arc<Signer>>,
}

impl Stop {
    fn aim(&self) -> Aim<'_> {
        Aim { url: &self.target, credential: self.credential.as_ref(), signer: self.signer.as_deref() }
    }
}

impl Routes {
    /// The ways to these stations, the first of which is asked until something is known of them.
    ///
    /// # Errors
    ///
    /// That there are none, too many, or two with the same address.
    pub fn new(strategy: Strategy, dialect: Dialect, stations: Vec<Station>) -> Result<Self, SetError> {
        let endpoints = stations.iter().map(|station| station.endpoint.clone()).collect();
        let router = Router::new(strategy, endpoints)?;
        let stations: HashMap<_, _> = stations.into_iter().map(|station| stop(station, dialect)).collect();
        let stations = ArcSwap::from_pointee(stations);
        Ok(Self { router, dialect, stations, under_way: AtomicU32::new(0) })
    }

    /// Replaces the stations under running requests: what is known of endpoints that stay is kept, and attempts under way
    /// end where they are.
    ///
    /// # Errors
    ///
    /// As for [`Routes::new`]; nothing is changed then.
    pub fn replace(&self, stations: Vec<Station>) -> Result<(), SetError> {
        let endpoints: Vec<Endpoint> = stations.iter().map(|station| station.endpoint.clone()).collect();
        Router::check(&endpoints)?;
        let mut known = HashMap::clone(&self.stations.load());
        known.extend(stations.into_iter().map(|station| stop(station, self.dialect)));
        // Where an attempt may go is known before it can be chosen.
        self.stations.store(Arc::new(known));
        self.router.replace(endpoints)
    }

    /// What chooses among them.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Whether any request is under way.
    pub fn is_in_use(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }
}

fn stop(station: Station, dialect: Dialect) -> (Url, Arc<Stop>) {
    let Station { endpoint: Endpoint { url, .. }, credential, signer } = station;
    let (name, target) = (shown_url(&url), join(&url, dialect).into());
    (url, Arc::new(Stop { name, target, credential, signer }))
}

/// The way of one exchange over its attempts.
#[derive(Debug)]
pub(super) struct Itinerary<'a> {
    routes: Option<&'a Routes>,
    session: Option<String>,
    tried: Tried,
    /// Where the attempt before went.
    last: Option<(Seat, Arc<Stop>)>,
    /// Whether the next attempt goes there again.
    stays: bool,
}

impl Drop for Itinerary<'_> {
    fn drop(&mut self) {
        if let Some(routes) = self.routes {
            routes.under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<'a> Itinerary<'a> {
    /// Where the next attempt goes: chosen anew each time, unless a repair is sent to where it was asked for.
    fn next(&mut self) -> Option<(Ticket<'a>, Arc<Stop>)> {
        let routes = self.routes?;
        let before = self.last.take().filter(|_| std::mem::take(&mut self.stays));
        let ticket = match &before {
            Some((seat, _)) => routes.router.choose_again(seat),
            None => routes.router.choose(self.session.as_deref(), &self.tried),
        };
        let stop = Arc::clone(&routes.stations.load()[&ticket.endpoint().url]);
        self.tried.add(ticket.seat());
        self.last = Some((ticket.seat().clone(), Arc::clone(&stop)));
        Some((ticket, stop))
    }

    /// Sends the next attempt to where the last one went.
    pub(super) fn stay(&mut self) {
        self.stays = true;
    }

    /// Whether another attempt would go to an endpoint that is well and has not been asked.
    pub(super) fn leads_elsewhere(&self) -> bool {
        let is_open =
            |routes: &Routes| self.tried.count() < MOST_TRIED && routes.router.has_alternative(&self.tried);
        self.routes.is_some_and(is_open)
    }
}

/// Where one attempt goes.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    way: Option<(Ticket<'a>, Arc<Stop>)>,
}

/// An address, with the credential of its origin and what signs for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim<'a> {
    pub(super) url: &'a Arc<Url>,
    pub(super) credential: Option<&'a Credential>,
    pub(super) signer: Option<&'a Signer>,
}

impl<'a> Heading<'a> {
    /// Where the next attempt of an exchange goes.
    pub(super) fn next(itinerary: &mut Itinerary<'a>) -> Self {
        Self { way: itinerary.next() }
    }

    /// Its right to be there, where there is a choice.
    pub(super) fn ticket(&self) -> Option<&Ticket<'a>> {
        self.way.as_ref().map(|(ticket, _)| ticket)
    }

    /// The name of the endpoint, where there is a choice.
    pub(super) fn name(&self) -> Option<&str> {
        self.way.as_ref().map(|(_, stop)| stop.name.as_str())
    }

    /// Tells the exchange where its attempt went, or would have gone.
    pub(super) fn mark(&self, exchange: &mut Exchange) {
        if let Some((_, stop)) = &self.way {
            exchange.url.clone_from(&stop.target);
            exchange.endpoint = Some(stop.name.clone());
        }
    }

    /// Tells the router what became of the attempt.
    pub(super) fn end(self, exchange: &Exchange) {
        let Some((ticket, _)) = self.way else { return };
        ticket.report(&Report {
            class: exchange.class,
            status: exchange.status,
            first_byte: exchange.marks.first_byte,
            retry_after: exchange.retry_after,
            host_answered: exchange.host_answered(),
        });
    }
}

impl<T: Transport> Client<T> {
    /// The way of an exchange that begins.
    pub(super) fn itinerary(&self, call: &Call) -> Itinerary<'_> {
        let routes = self.routes.as_deref();
        if let Some(routes) = routes {
            routes.under_way.fetch_add(1, Ordering::Relaxed);
        }
        let session = routes.and_then(|_| call.session());
        Itinerary { routes, session, tried: Tried::default(), last: None, stays: false }
    }

    /// The address of an attempt, with the credential and the signer that belong to it.
    pub(super) fn aim<'b>(&'b self, call: &'b Call, heading: &'b Heading<'_>) -> Aim<'b> {
        match &heading.way {
            None => self.straight(call),
            Some((_, stop)) => stop.aim(),
        }
    }

    /// The same where there is no choice.
    pub(super) fn straight<'b>(&'b self, call: &'b Call) -> Aim<'b> {
        Aim { url: &call.url, credential: self.credential.as_ref(), signer: self.signer.as_deref() }
    }

    /// The same of the last attempt.
    pub(super) fn used<'b>(&'b self, call: &'b Call, itinerary: &'b Itinerary<'_>) -> Aim<'b> {
        match &itinerary.last {
            None => self.straight(call),
            Some((_, stop)) => stop.aim(),
        }
    }
}
