//! A world of endpoints as they are, and a client in it that sees only what comes back.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fastrand::Rng;

use crate::outcome::Class;

use super::super::{Change, Endpoint, Event, Probe, Probed, Report, Router, Strategy, Ticket, Tried};

/// The client's limits.
const CONNECT: Duration = Duration::from_secs(5);
const FIRST_BYTE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(20);
/// Attempts of a request.
pub(super) const ATTEMPTS: usize = 3;

/// How an endpoint treats requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    Serves,
    /// Nothing listens.
    Refuses,
    /// This share gets 529.
    Overloaded(f64),
    /// This share gets a broken answer.
    Breaks(f64),
    /// Connections are taken and nothing is ever sent.
    Silent,
    /// No packet arrives.
    Black,
}

/// An endpoint as it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) way: Way,
    /// Seconds to the first byte.
    pub(super) latency: f64,
    /// The share of probes that are lost on a way that only they take.
    pub(super) loses: f64,
    /// The share of those that arrive which its health path answers by 503, while it serves.
    pub(super) ails: f64,
    /// Since when it has been as it is, on the clock that does not jump.
    pub(super) since: Duration,
}

impl Place {
    pub(super) fn healthy(latency: f64) -> Self {
        Self { way: Way::Serves, latency, loses: 0.0, ails: 0.0, since: Duration::ZERO }
    }
}

/// What requests belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Nothing.
    Plain,
    /// Sessions, of which now and then one is new.
    Sessions,
    /// Sessions that are always the same.
    Fixed,
}

/// A request.
pub(super) struct Request {
    session: Option<String>,
    tried: Tried,
    /// Where it was, in order.
    pub(super) asked: Vec<usize>,
}

/// What happens next.
enum Happening<'r> {
    Arrives(Traffic, f64),
    Looks,
    Probed(Probe, Probed),
    FirstByte(Request, Ticket<'r>),
    Ends(Request, Ticket<'r>, Report),
}

/// The world.
pub(super) struct World<'r> {
    pub(super) seed: u64,
    pub(super) random: Rng,
    pub(super) router: &'r Router,
    pub(super) places: Vec<Place>,
    /// Nothing leaves this machine.
    pub(super) cut: bool,
    /// Since when that is as it is, on the clock that does not jump.
    pub(super) cut_since: Duration,
    pub(super) now: Duration,
    /// The time that was lived through, without jumps.
    pub(super) lived: Duration,
    pub(super) events: Vec<Event>,
    pub(super) homes: HashMap<String, (usize, Duration)>,
    pub(super) preferred_at: Option<Duration>,
    happenings: BTreeMap<(Duration, u64), Happening<'r>>,
    happened: u64,
}

impl<'r> World<'r> {
    pub(super) fn router(seed: u64, strategy: Strategy) -> Router {
        let count = Rng::with_seed(seed).usize(2..=6);
        let endpoint = |index| Endpoint::at(format!("http://e{index}/").parse().unwrap());
        Router::new(strategy, (0..count).map(endpoint).collect()).unwrap()
    }

    pub(super) fn new(seed: u64, router: &'r Router) -> Self {
        let mut random = Rng::with_seed(seed);
        let places = (0..router.count()).map(|_| Place::healthy(0.01 + random.f64() * 0.2)).collect();
        Self {
            seed,
            random,
            router,
            places,
            cut: false,
            cut_since: Duration::ZERO,
            now: Duration::ZERO,
            lived: Duration::ZERO,
            events: Vec::new(),
            homes: HashMap::new(),
            preferred_at: None,
            happenings: BTreeMap::new(),
            happened: 0,
        }
    }

    /// Something happens to an endpoint, to the network or to the clock.
    pub(super) fn shake(&mut self) {
        let index = self.random.usize(..self.places.len());
        let (share, latency) = (self.random.f64(), 0.005 + self.random.f64().powi(3) * 15.0);
        match self.random.u8(..15) {
            0 => self.places[index].latency = latency,
            1 => self.change(index, |place| place.way = Way::Refuses),
            2 => self.change(index, |place| place.way = Way::Overloaded(1.0)),
            3 => self.change(index, |place| place.way = Way::Overloaded(share)),
            4 => self.change(index, |place| place.way = Way::Breaks(share)),
            5 => self.change(index, |place| place.way = Way::Silent),
            6 => self.change(index, |place| place.way = Way::Black),
            7 => self.places[index].loses = share,
            8 => self.places[index].loses = 1.0,
            9 => self.now += Duration::from_secs(self.random.u64(..7200)),
            10 => self.cut(share < 0.5),
            11 => self.places[index].ails = share.round(),
            _ => self.change(index, |place| *place = Place::healthy(share * 0.5)),
        }
    }

    /// Cuts the network off, or not any more.
    pub(super) fn cut(&mut self, cut: bool) {
        (self.cut, self.cut_since) = (cut, self.lived);
    }

    /// Changes what an endpoint is from now on.
    pub(super) fn change(&mut self, index: usize, act: impl FnOnce(&mut Place)) {
        act(&mut self.places[index]);
        self.places[index].since = self.lived;
    }

    /// Lives for a time under so many requests a second.
    pub(super) fn live(&mut self, time: Duration, (traffic, rate): (Traffic, f64)) {
        let end = self.now + time;
        self.plan(Duration::ZERO, Happening::Arrives(traffic, rate));
        self.plan(Duration::ZERO, Happening::Looks);
        while let Some(((at, number), happening)) = self.happenings.pop_first() {
            if at > end {
                self.happenings.insert((at, number), happening);
                break;
            }
            self.lived += at.saturating_sub(self.now);
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.lived += end.saturating_sub(self.now);
        self.now = self.now.max(end);
        let goes_on =
            |happening: &mut Happening<'r>| !matches!(happening, Happening::Arrives(..) | Happening::Looks);
        self.happenings.retain(|_, happening| goes_on(happening));
        self.check_recovered(Duration::from_secs(1200));
    }

    /// Lets what is under way end, and then nothing happen.
    pub(super) fn idle(&mut self, time: Duration) {
        while let Some(((at, _), happening)) = self.happenings.pop_first() {
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now += time;
    }

    pub(super) fn count(&self, change: Change) -> usize {
        self.events.iter().filter(|event| event.change == change).count()
    }

    pub(super) fn index_of(endpoint: &Endpoint) -> usize {
        endpoint.url.host_str().unwrap()[1..].parse().unwrap()
    }

    fn plan(&mut self, after: Duration, happening: Happening<'r>) {
        self.happened += 1;
        self.happenings.insert((self.now + after, self.happened), happening);
    }

    fn happen(&mut self, happening: Happening<'r>) {
        match happening {
            Happening::Arrives(traffic, rate) => {
                let pause = -(1.0 - self.random.f64()).ln() / rate;
                self.plan(Duration::from_secs_f64(pause), Happening::Arrives(traffic, rate));
                let session = self.session(traffic);
                self.attempt(Request { session, tried: Tried::default(), asked: Vec::new() });
            }
            Happening::Looks => {
                self.plan(Router::PROBE_STEP, Happening::Looks);
                self.look();
            }
            Happening::Probed(probe, probed) => {
                let chance = self.random.f64();
                self.router.probed_at(self.now, (&probe, probed), chance);
            }
            Happening::FirstByte(request, ticket) => self.first_byte(request, ticket),
            Happening::Ends(request, ticket, report) => self.end(request, ticket, report),
        }
        self.check();
    }

    fn session(&mut self, traffic: Traffic) -> Option<String> {
        let number = self.random.u32(..200);
        match traffic {
            Traffic::Plain => None,
            Traffic::Sessions if self.random.u8(..10) == 0 => Some(format!("n{}", self.happened)),
            Traffic::Fixed | Traffic::Sessions => Some(format!("s{number}")),
        }
    }

    fn look(&mut self) {
        let random = &mut self.random;
        for probe in self.router.due_probes_at(self.now, &mut || random.f64()) {
            let place = &self.places[Self::index_of(&probe.seat.endpoint)];
            let took = Duration::from_secs_f64((place.latency * 0.1).min(1.9));
            let lost = self.cut || self.random.f64() < place.loses;
            let (after, probed) = match place.way {
                Way::Silent | Way::Black => (probe.timeout, Probed::Nothing),
                _ if lost => (probe.timeout, Probed::Nothing),
                Way::Refuses => (took, Probed::Refused),
                Way::Overloaded(share) if self.random.f64() < share => (took, Probed::Unwell),
                _ if self.random.f64() < place.ails => (took, Probed::Unwell),
                _ => (took, Probed::Reached(took)),
            };
            self.plan(after, Happening::Probed(probe, probed));
        }
    }

    /// Begins an attempt.
    fn attempt(&mut self, mut request: Request) {
        let random = &mut self.random;
        let session = request.session.as_deref();
        let ticket = self.router.choose_at(self.now, (session, &request.tried), &mut || random.f64());
        let index = Self::index_of(ticket.endpoint());
        self.check_choice(&request, session, &ticket);
        request.tried.add(ticket.seat());
        request.asked.push(index);
        let way = if self.cut { Way::Black } else { self.places[index].way };
        let (after, class, host_answered) = match way {
            Way::Refuses => (Duration::from_millis(1), Class::Connect, true),
            // A pooled connection takes the request, a new one is not made, or there is no route at all.
            Way::Black => match self.random.u8(..3) {
                0 => (FIRST_BYTE, Class::TimeoutFirstByte, false),
                1 if self.cut => (Duration::from_millis(1), Class::Connect, false),
                _ => (CONNECT, Class::TimeoutConnect, false),
            },
            _ => {
                let time = self.places[index].latency * (0.5 + self.random.f64());
                return self.plan(Duration::from_secs_f64(time), Happening::FirstByte(request, ticket));
            }
        };
        let report = Report { class, status: None, host_answered, first_byte: None, retry_after: None };
        self.plan(after, Happening::Ends(request, ticket, report));
    }

    /// The moment at which the first byte of the answer would come.
    fn first_byte(&mut self, request: Request, ticket: Ticket<'r>) {
        let place = &self.places[Self::index_of(ticket.endpoint())];
        let took = self.now.saturating_sub(ticket.began());
        let report = |class, first_byte| Report {
            class,
            status: None,
            host_answered: true,
            first_byte,
            retry_after: None,
        };
        let fails = |share, class, random: &mut Rng| if random.f64() < share { class } else { Class::Ok };
        let class = match place.way {
            Way::Silent | Way::Black => return self.starve(request, ticket),
            _ if self.cut => return self.starve(request, ticket),
            Way::Refuses => Class::Connect,
            Way::Overloaded(share) => fails(share, Class::Overloaded, &mut self.random),
            Way::Breaks(share) => fails(share, Class::StreamError, &mut self.random),
            Way::Serves => Class::Ok,
        };
        ticket.progressed_at(self.now);
        let first_byte = (class != Class::Connect).then_some(took);
        let rest = Duration::from_secs_f64(if class == Class::Ok { self.random.f64() } else { 0.0 });
        self.plan(rest, Happening::Ends(request, ticket, report(class, first_byte)));
    }

    /// The answer never begins.
    fn starve(&mut self, request: Request, ticket: Ticket<'r>) {
        let class = Class::TimeoutFirstByte;
        let report =
            Report { class, status: None, host_answered: false, first_byte: None, retry_after: None };
        let left = (ticket.began() + FIRST_BYTE).saturating_sub(self.now);
        self.plan(left, Happening::Ends(request, ticket, report));
    }

    fn end(&mut self, request: Request, ticket: Ticket<'r>, mut report: Report) {
        let place = &self.places[Self::index_of(ticket.endpoint())];
        let gone = self.cut || matches!(place.way, Way::Silent | Way::Black);
        if gone && report.class == Class::Ok {
            report.class = Class::TimeoutIdle;
            return self.plan(IDLE, Happening::Ends(request, ticket, report));
        }
        let chance = self.random.f64();
        ticket.report_at(self.now, &report, chance);
        if report.class != Class::Ok && report.class != Class::TimeoutIdle {
            self.go_on(request);
        }
    }

    /// The next attempt of a request whose last one failed.
    fn go_on(&mut self, request: Request) {
        if request.asked.len() < ATTEMPTS.min(self.places.len()) {
            self.attempt(request);
        } else {
            self.check_failed(&request);
        }
    }

    /// Sends elsewhere what an endpoint calls back.
    pub(super) fn call_back(&mut self) {
        let called = |happening: &Happening<'_>| match happening {
            Happening::FirstByte(_, ticket) => ticket.is_abandoned(),
            Happening::Ends(_, ticket, report) => report.first_byte.is_none() && ticket.is_abandoned(),
            _ => false,
        };
        let keys: Vec<_> =
            self.happenings.iter().filter(|(_, happening)| called(happening)).map(|(key, _)| *key).collect();
        for key in keys {
            let gone = self.happenings.remove(&key);
            if let Some(Happening::FirstByte(request, ticket) | Happening::Ends(request, ticket, _)) = gone {
                drop(ticket);
                self.go_on(request);
            }
        }
    }
}
