//! Laws of routing, held over a thousand simulated hours of outages, latency shifts, lost probes and clock jumps.

use std::time::Duration;

use fastrand::Rng;

use crate::outcome::Class;

use super::rules::{DWELL, FAILURE_COUNTS, RATIO_WINDOW_S, SUCCESS_COUNTS};
use super::view::Grade;
use super::{Change, Endpoint, Event, Probed, Reason, Report, Router, Strategy, Tried};

/// Attempts of a request.
const ATTEMPTS: usize = 3;

/// A relay's endpoint as it is, of which the router sees only replies.
#[derive(Debug, Clone)]
struct Truth {
    latency: f64,
    /// The share of requests that fail.
    fails: f64,
    class: Class,
    /// The share of probes that are lost.
    loses: f64,
    served: Vec<Duration>,
    failed: Vec<Duration>,
}

/// A world of endpoints, and a client in it.
struct World {
    random: Rng,
    now: Duration,
    router: Router,
    truths: Vec<Truth>,
    /// Nothing leaves this machine.
    cut: bool,
    preferred_at: Option<Duration>,
    events: Vec<Event>,
    seed: u64,
    requests: u64,
}

impl World {
    fn new(seed: u64, strategy: Strategy) -> Self {
        let mut random = Rng::with_seed(seed);
        let count = random.usize(2..=6);
        let endpoint = |index| Endpoint::at(format!("http://e{index}/").parse().unwrap());
        let router = Router::new(strategy, (0..count).map(endpoint).collect()).unwrap();
        let healthy = |random: &mut Rng| Truth {
            latency: 0.01 + random.f64() * 0.2,
            fails: 0.0,
            class: Class::Connect,
            loses: 0.0,
            served: Vec::new(),
            failed: Vec::new(),
        };
        let truths = (0..count).map(|_| healthy(&mut random)).collect();
        let now = Duration::ZERO;
        Self {
            random,
            now,
            router,
            truths,
            cut: false,
            preferred_at: None,
            events: Vec::new(),
            seed,
            requests: 0,
        }
    }

    /// Something happens to an endpoint, to the network or to the clock.
    fn shake(&mut self) {
        let index = self.random.usize(..self.truths.len());
        let truth = &mut self.truths[index];
        match self.random.u8(..10) {
            0 | 1 => truth.latency = 0.005 + self.random.f64() * 0.6,
            2 => (truth.fails, truth.class) = (1.0, Class::Connect),
            3 => (truth.fails, truth.class) = (1.0, Class::Overloaded),
            4 => (truth.fails, truth.class) = (self.random.f64(), Class::TimeoutFirstByte),
            5 => truth.loses = if self.random.bool() { 1.0 } else { self.random.f64() },
            6 => self.now += Duration::from_secs(self.random.u64(..7200)),
            7 => self.cut = self.random.u8(..4) == 0,
            _ => (truth.fails, truth.loses) = (0.0, 0.0),
        }
    }

    fn index_of(endpoint: &Endpoint) -> usize {
        endpoint.url.host_str().unwrap()[1..].parse().unwrap()
    }

    /// One request with its attempts. A law: each attempt goes to the best that has not been tried.
    fn request(&mut self) {
        self.requests += 1;
        let mut tried = Tried::default();
        for _ in 0..ATTEMPTS.min(self.truths.len()) {
            let random = &mut self.random;
            let ticket = self.router.choose_at(self.now, (None, &tried), &mut || random.f64());
            let index = Self::index_of(ticket.endpoint());
            let view = self.router.view.load();
            let set = tried.within(&view);
            assert!(!set.has(index), "seed {}: {index} is asked twice", self.seed);
            let left = view.placed.iter().enumerate().filter(|(place, _)| !set.has(*place));
            let best = left.map(|(_, placed)| placed.grade).min();
            let chosen = &view.placed[index];
            assert!(chosen.trial || Some(chosen.grade) == best, "seed {}: not the best", self.seed);
            tried.add(ticket.seat());
            let truth = &mut self.truths[index];
            let fails = self.cut || self.random.f64() < truth.fails;
            let class = match fails {
                true if self.cut => Class::Connect,
                true => truth.class,
                false => Class::Ok,
            };
            let first_byte =
                (!fails).then(|| Duration::from_secs_f64(truth.latency * (1.0 + self.random.f64())));
            if fails { &mut truth.failed } else { &mut truth.served }.push(self.now);
            let report = Report { class, status: None, first_byte, retry_after: None };
            ticket.report_at(self.now, &report, self.random.f64());
            self.check();
            if !fails {
                return;
            }
        }
        // Nobody was left out: where there are no more endpoints than attempts, none of them would have served.
        let serves = self.truths.iter().any(|truth| truth.fails == 0.0) && !self.cut;
        let all = self.truths.len() <= ATTEMPTS;
        assert!(!(serves && all), "seed {}: one was well and not asked", self.seed);
    }

    fn probe(&mut self) {
        let random = &mut self.random;
        for probe in self.router.due_probes_at(self.now, &mut || random.f64()) {
            let truth = &self.truths[Self::index_of(&probe.seat.endpoint)];
            let probed = if self.cut || self.random.f64() < truth.loses {
                Probed::Nothing
            } else if self.random.f64() < truth.fails {
                if truth.class == Class::Overloaded { Probed::Unwell } else { Probed::Nothing }
            } else {
                Probed::Reached(Duration::from_secs_f64(truth.latency * 0.1))
            };
            let chance = self.random.f64();
            self.router.change(self.now, |board, now| board.probed(now, &probe.seat, (probed, chance)));
            self.check();
        }
    }

    /// The laws that hold after every step.
    fn check(&mut self) {
        for event in self.router.take_events() {
            self.check_event(&event);
            self.events.push(event);
        }
        let board = self.router.board();
        let out = board.members.iter().filter(|member| member.health.is_out()).count();
        let most = (board.members.len() / 2).max(1);
        assert!(out <= most && out < board.members.len(), "seed {}: {out} are ejected", self.seed);
    }

    fn check_event(&mut self, event: &Event) {
        let seed = self.seed;
        if event.change == Change::Ejected {
            let name = event.endpoint.as_deref().unwrap();
            let endpoint = self.router.status().into_iter().find(|status| status.endpoint.name() == name);
            let truth = &self.truths[Self::index_of(&endpoint.unwrap().endpoint)];
            let since =
                |times: &[Duration], span| times.last().is_some_and(|at| event.at.saturating_sub(*at) < span);
            let lately = Duration::from_secs(RATIO_WINDOW_S).max(FAILURE_COUNTS);
            assert!(since(&truth.failed, lately), "seed {seed}: ejected without a failed request: {event:?}");
            if event.reason == Reason::Agreed {
                assert!(!since(&truth.served, SUCCESS_COUNTS), "seed {seed}: it served: {event:?}");
            }
        }
        if event.change == Change::Preferred {
            if matches!(event.reason, Reason::Faster(_)) {
                let dwelt = self.preferred_at.is_none_or(|at| event.at.saturating_sub(at) >= DWELL);
                assert!(dwelt, "seed {seed}: it moved within its dwell: {event:?}");
            }
            self.preferred_at = Some(event.at);
        }
    }

    /// Lives for so many hours, in steps that are short where something happens.
    fn live(&mut self, hours: u64) {
        let end = self.now + Duration::from_secs(hours * 3600);
        while self.now < end {
            if self.random.u16(..600) == 0 {
                self.shake();
            }
            self.now += Duration::from_millis(self.random.u64(250..5000));
            self.probe();
            for _ in 0..self.random.u8(..4) {
                self.request();
            }
        }
    }

    fn count(&self, change: Change) -> usize {
        self.events.iter().filter(|event| event.change == change).count()
    }
}

#[test]
fn the_laws_hold_over_a_thousand_hours() {
    let (mut ejected, mut recovered, mut kept, mut suspected, mut moved) = (0, 0, 0, 0, 0);
    for seed in 0..40 {
        let strategy = [Strategy::Nearest, Strategy::Balanced, Strategy::Priority, Strategy::Weighted];
        let mut world = World::new(seed, strategy[usize::try_from(seed % 4).unwrap()]);
        world.live(26);
        ejected += world.count(Change::Ejected);
        recovered += world.count(Change::Restored);
        kept += world.count(Change::Kept);
        suspected += world.count(Change::SuspicionRaised);
        moved += world.count(Change::Preferred);
    }
    // That something was put to the test.
    assert!(ejected > 100 && recovered > 50 && kept > 20 && suspected > 5 && moved > 20);
}

#[test]
fn where_only_probes_are_lost_nothing_is_ever_switched() {
    for seed in 0..20 {
        let mut world = World::new(seed, Strategy::Nearest);
        let latency = world.truths[0].latency;
        for truth in &mut world.truths {
            (truth.latency, truth.loses) = (latency, f64::from(u8::from(world.random.bool())));
        }
        world.live(10);
        assert!(world.requests > 10_000);
        assert_eq!(
            world.events.len(),
            world.count(Change::SuspicionRaised) + world.count(Change::SuspicionLifted)
        );
        assert_eq!(world.router.view.load().placed[0].grade, Grade::Well, "seed {seed}");
    }
}

#[test]
fn a_preference_between_equals_that_vary_does_not_wander() {
    for seed in 0..10 {
        let mut world = World::new(seed, Strategy::Nearest);
        world.truths.iter_mut().for_each(|truth| truth.latency = 0.05);
        world.live(10);
        assert!(world.count(Change::Preferred) <= 1, "seed {seed}");
    }
}
