//! Joins `wire` to `net`: one prompt becomes timed events, with the one retry loop of the program.
//!
//! A [`Call`] is a prompt encoded for a dialect and an address. [`Client::run`] carries it and hands every event to a
//! sink as it arrives; what became of it is an [`Exchange`]. No part of the answer's text is kept here.

mod address;
mod attempt;
mod budget;
pub mod cache;
mod call;
mod calls;
mod cost;
mod deadlines;
mod dress;
mod exchange;
mod fold;
mod ids;
mod joined;
mod leave;
mod mask;
mod models;
mod patience;
mod payload;
mod reader;
mod repair;
mod retry;
mod route;
mod sink;
mod stamp;
mod watch;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::net::{Compressor, Credential, Limiter, Signer, Transport};
use crate::wire::Event;

pub use self::address::join;
pub use self::budget::Budget;
pub use self::call::{Call, Content};
pub use self::calls::Calls;
pub use self::deadlines::Timeouts;
pub use self::exchange::{ApiErrorText, Attempt, Exchange, Failed, Trouble};
pub use self::ids::Ids;
pub use self::mask::Mask;
pub use self::retry::{Ambiguous, Decision, Evidence, Hints, Partial, Policy, Why};
pub use self::route::{Routes, Station};
pub use self::sink::Sink;
pub use self::stamp::Stamped;
pub use self::watch::{Health, health};

use self::attempt::Turn;
use self::cache::Cache;
use self::patience::Alarms;
use self::repair::Repairs;

/// What a sink is told while an exchange goes on.
#[derive(Debug)]
pub enum Piece<'a> {
    /// An attempt of the request with this id begins; whatever an earlier one delivered is void (nothing generated,
    /// unless parts are discarded).
    Attempt(u32, &'a str),
    /// The attempt goes to the endpoint of this name; told where there are several, and before anything is sent.
    Endpoint(&'a str),
    /// Bytes of a successful reply's body, as they arrived.
    Wire(&'a [u8]),
    /// One event, and when it arrived, counted from the start of the attempt.
    Event(Duration, &'a Event<'a>),
    /// An attempt failed and another follows after this wait.
    Retry(&'a Attempt, Duration),
    /// The request is repaired and sent again at once; the text says what was changed.
    Repair(&'a Attempt, &'static str),
}

/// Carries calls over one transport, under one set of policies.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    /// The credential of the one endpoint, or of the first.
    credential: Option<Credential>,
    /// Several endpoints, where there are, shared with other clients.
    routes: Option<Arc<Routes>>,
    policy: Policy,
    timeouts: Timeouts,
    request_id_prefix: String,
    /// Keeps answers, perhaps of other clients, too.
    cache: Option<Arc<Cache>>,
    /// Says when a request may leave, perhaps to other clients, too.
    limiter: Option<Arc<Limiter>>,
    /// How many requests may be tried again, of this and perhaps of other clients.
    budget: Option<Arc<Budget>>,
    /// Packs bodies, perhaps of other clients, too.
    compressor: Option<Arc<Compressor>>,
    /// Signs what goes to the one endpoint, or to the first, perhaps of other clients, too.
    signer: Option<Arc<Signer>>,
    /// Ends the exchange under way when notified.
    stop: Option<Arc<Notify>>,
    /// Timers between two attempts.
    alarms: Alarms,
    /// Learned from a relay that rejects `stream_options`; later calls leave them out from the start.
    usage_rejected: AtomicBool,
}

impl<T: Transport> Client<T> {
    /// A client over a transport; a credential goes only to its own origin.
    pub fn new(transport: T, credential: Option<Credential>, policy: Policy, timeouts: Timeouts) -> Self {
        Self {
            transport,
            credential,
            routes: None,
            policy,
            timeouts,
            request_id_prefix: String::new(),
            cache: None,
            limiter: None,
            budget: None,
            compressor: None,
            signer: None,
            stop: None,
            alarms: Alarms::default(),
            usage_rejected: AtomicBool::new(false),
        }
    }

    /// Looks for answers in this cache first, if there is one, and keeps them there.
    #[must_use]
    pub fn with_cache(mut self, cache: Option<Arc<Cache>>) -> Self {
        self.cache = cache;
        self
    }

    /// Asks this limiter, if there is one, before each attempt and tells it what became of it.
    #[must_use]
    pub fn with_limiter(mut self, limiter: Option<Arc<Limiter>>) -> Self {
        self.limiter = limiter;
        self
    }

    /// Tries requests again only as far as this budget goes, if there is one.
    #[must_use]
    pub fn with_budget(mut self, budget: Option<Arc<Budget>>) -> Self {
        self.budget = budget;
        self
    }

    /// Sends bodies compressed by this compressor, if there is one, where that is worth it.
    #[must_use]
    pub fn with_compressor(mut self, compressor: Option<Arc<Compressor>>) -> Self {
        self.compressor = compressor;
        self
    }

    /// Signs each attempt by this signer, if there is one; where there are several endpoints, each has its own.
    #[must_use]
    pub fn with_signer(mut self, signer: Option<Arc<Signer>>) -> Self {
        self.signer = signer;
        self
    }

    /// Sends each attempt to one of several endpoints, if there are, wherever the call itself leads.
    #[must_use]
    pub fn with_routes(mut self, routes: Option<Arc<Routes>>) -> Self {
        self.routes = routes;
        self
    }

    /// Puts a prefix before every request id.
    #[must_use]
    pub fn with_request_id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.request_id_prefix = prefix.into();
        self
    }

    /// Lets a notification end the exchange under way, which is then cancelled and keeps what it had.
    #[must_use]
    pub fn with_stop(mut self, stop: Arc<Notify>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Takes over what another client of the same relay has learned.
    #[must_use]
    pub fn having_learned(self, learned: Learned) -> Self {
        self.usage_rejected.store(learned.usage_rejected, Ordering::Relaxed);
        self
    }

    /// What this client has learned of its relay.
    pub fn learned(&self) -> Learned {
        Learned { usage_rejected: self.usage_rejected.load(Ordering::Relaxed) }
    }

    /// The transport, for its counters.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Carries one call to its end: attempts, back-off and repairs.
    ///
    /// The order of policies, of which these exist so far:
    /// 0. the cache comes first, so that a hit costs neither a connection nor a limit;
    /// 1. each attempt, a repair too, waits for the limiter's leave, because each is a request to the relay;
    /// 2. then its endpoint is chosen where there are several, anew each time and after that wait, so that nothing
    ///    learned meanwhile is missed;
    /// 3. then it adds its credential, bound to the origin that the attempt goes to and renewed if need be, so that it is fresh;
    /// 4. then its body is compressed, where that is worth it and the relay is not known to refuse it;
    /// 5. then all that leaves is signed, where the relay wants that, anew for each attempt;
    /// 6. the transport sends exactly those bytes;
    /// 7. what became of the attempt is reported to the router and the limiter, before anything else happens with it;
    /// 8. its typed outcome reaches the retry decision, never a message, and a retry is paid from the budget.
    ///
    /// A repair (the request was understood and one detail of it refused) is made at most once, at once, and does not
    /// count as one of the attempts.
    pub async fn run(&self, call: &Call, sink: &mut impl Sink) -> Exchange {
        let key =
            self.cache.as_deref().and_then(|cache| Some((cache, cache.key(call, self.credential.as_ref())?)));
        match key {
            Some(kept) => self.run_once(call, kept, sink).await,
            None => self.carry(call, sink).await,
        }
    }

    /// The same past the cache.
    async fn carry(&self, call: &Call, sink: &mut impl Sink) -> Exchange {
        let ids = call.ids(|| self.new_id());
        let began = Instant::now();
        self.budget.iter().for_each(|budget| budget.earn());
        let mut past: Vec<Attempt> = Vec::with_capacity(1);
        let (mut counted, mut repairs) = (1, Repairs::new(began));
        let mut itinerary = self.itinerary(call);
        loop {
            let number = u32::try_from(past.len()).unwrap_or(u32::MAX).saturating_add(1);
            if sink.take(Piece::Attempt(number, &ids.request)).is_break() {
                return Exchange::stopped(call, ids, past);
            }
            let came = if past.is_empty() { began } else { Instant::now() };
            let turn = Turn { ids: &ids, began, came, repairs: &mut repairs, itinerary: &mut itinerary };
            let mut exchange = self.attempt(call, turn, sink).await;
            let ended = began.elapsed();
            let aim = self.used(call, &itinerary);
            let change = self.repair((call, aim), &mut exchange, &mut repairs).await;
            let mut attempt = exchange.summarise(number, ended);
            if let Some(change) = change {
                // A body that has to be sent again has saved nothing.
                attempt.body.plain = attempt.body.sent;
                let _ = sink.take(Piece::Repair(&attempt, change));
                past.push(attempt);
                itinerary.stay();
                continue;
            }
            let evidence = Evidence { elsewhere: itinerary.leads_elsewhere(), ..exchange.evidence() };
            let decision = self.decide(&evidence, counted, began);
            let wait = match decision {
                Decision::Retry { wait } => {
                    counted += 1;
                    wait
                }
                Decision::Park { wait } => wait,
                Decision::Stop(_) => {
                    past.push(attempt);
                    (exchange.ids.request, exchange.attempts) = (ids.request, past);
                    exchange.ended = decision;
                    return exchange;
                }
            };
            attempt.waited = wait;
            if sink.take(Piece::Retry(&attempt, wait)).is_break() {
                past.push(attempt);
                (exchange.ids.request, exchange.attempts) = (ids.request, past);
                return exchange;
            }
            past.push(attempt);
            if self.wait(wait).await.is_break() {
                return Exchange::stopped(call, ids, past);
            }
        }
    }
}

impl<T> Client<T> {
    /// An id that no other request has.
    fn new_id(&self) -> String {
        let (id, mut digits) = (Uuid::new_v4().hyphenated(), Uuid::encode_buffer());
        [self.request_id_prefix.as_str(), id.encode_lower(&mut digits)].concat()
    }

    /// Decides what follows an attempt, which was the `counted`th that counts.
    fn decide(&self, evidence: &Evidence, counted: u32, began: Instant) -> Decision {
        let decision = self.policy.decide(evidence, counted, fastrand::f64());
        let (Decision::Retry { wait } | Decision::Park { wait }) = decision else { return decision };
        if self.timeouts.total.is_some_and(|total| began.elapsed().saturating_add(wait) >= total) {
            return Decision::Stop(Why::OutOfTime);
        }
        match (decision, &self.budget) {
            (Decision::Retry { .. }, Some(budget)) if !budget.spend() => Decision::Stop(Why::Budget),
            _ => decision,
        }
    }

    /// Waits, unless the exchange is stopped before.
    async fn wait(&self, time: Duration) -> ControlFlow<()> {
        let Some(stop) = &self.stop else {
            sleep(time).await;
            return ControlFlow::Continue(());
        };
        tokio::select! {
            () = sleep(time) => ControlFlow::Continue(()),
            () = stop.notified() => ControlFlow::Break(()),
        }
    }
}

/// What a client found out about its relay while using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Learned {
    /// The relay answers 400 or 422 to `stream_options`.
    pub usage_rejected: bool,
}

#[cfg(test)]
mod tests;
