//! Single decisions: who is ejected, kept, preferred and asked, and when.

mod recovery;
mod silence;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use crate::net::Url;
use crate::outcome::Class;

use super::board::Attempt;
use super::event::Reason;
use super::{
    Change, Endpoint, Grade, Probe, Probed, Report, Router, Seat, SetError, Strategy, Ticket, Tried,
};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A router over endpoints a, b, c … on a clock of its own, whose chance is always one half.
struct Stage {
    router: Router,
    now: Duration,
}

impl Stage {
    fn of(strategy: Strategy, count: u8) -> Self {
        let router = Router::new(strategy, (0..count).map(endpoint).collect()).unwrap();
        Self { router, now: SECOND }
    }

    /// Sends a request; it ends with this class where it goes to `at`, and well elsewhere.
    fn send(&mut self, session: Option<&str>, (at, class): (&str, Class)) -> String {
        let ticket = self.router.choose_at(self.now, (session, &Tried::default()), &mut || 0.5);
        let host = ticket.endpoint().url.host_str().unwrap().to_owned();
        let class = if host == at { class } else { Class::Ok };
        ticket.report_at(self.now, &ended(class), 0.5);
        host
    }

    /// A request that was sent off, at this endpoint whatever the choice would be, ends so.
    fn end_at(&self, index: usize, report: &Report) {
        let seat = self.seat(index);
        let attempt = Attempt { seat: &seat, began: self.now, trial: false };
        self.router.take_report(self.now, attempt, (report, 0.5));
    }

    /// Chooses for a request that stays under way.
    fn begin(&self) -> Ticket<'_> {
        self.router.choose_at(self.now, (None, &Tried::default()), &mut || 0.5)
    }

    fn seat(&self, index: usize) -> Seat {
        self.router.board().members[index].seat.clone()
    }

    fn well(&mut self) -> String {
        self.send(None, ("", Class::Ok))
    }

    /// A probe that begins and ends now.
    fn probe(&mut self, host: &str, probed: Probed) {
        self.probe_since(host, self.now, probed);
    }

    /// A probe that began then ends now.
    fn probe_since(&self, host: &str, began: Duration, probed: Probed) {
        let seat = self.seat(usize::from(host.as_bytes()[0] - b'a'));
        let probe = Probe { seat, timeout: SECOND, began };
        self.router.probed_at(self.now, (&probe, probed), 0.5);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += end.saturating_sub(self.now).min(SECOND / 2);
            self.router.change(self.now, |board, now| board.tick(now, 0.5));
        }
    }

    fn grade(&self, index: usize) -> Grade {
        self.router.view.load().placed[index].grade
    }

    fn changes(&self) -> Vec<Change> {
        self.router.take_events().iter().map(|event| event.change).collect()
    }
}

/// What a request tells that ended so; where it found no connection, a host refused it.
fn ended(class: Class) -> Report {
    let status = (class == Class::Http5xx).then_some(503);
    Report { class, status, host_answered: true, first_byte: None, retry_after: None }
}

/// What a request tells to which nothing came back.
fn unreachable() -> Report {
    Report { host_answered: false, ..ended(Class::Connect) }
}

fn endpoint(index: u8) -> Endpoint {
    Endpoint::at(address(char::from(b'a' + index)))
}

fn address(host: char) -> Url {
    format!("http://{host}/").parse().unwrap()
}

#[test]
fn five_failures_in_a_row_eject_and_four_do_not() {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    for _ in 0..4 {
        assert_eq!(stage.send(None, ("a", Class::Connect)), "a");
    }
    assert_eq!(stage.grade(0), Grade::Well);
    stage.send(None, ("a", Class::Connect));
    assert_eq!(stage.grade(0), Grade::Ejected);
    assert_eq!(stage.changes(), [Change::Ejected, Change::Preferred]);
    assert_eq!(stage.well(), "b");
}

#[test]
fn client_errors_never_count_and_a_429_cools_only_its_endpoint() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    for class in [Class::Http4xx, Class::Auth, Class::Quota, Class::Cancelled, Class::ClientLimit] {
        for _ in 0..50 {
            assert_eq!(stage.send(None, ("a", class)), "a");
        }
    }
    assert_eq!(stage.changes(), []);
    stage.send(None, ("a", Class::RateLimited));
    assert_eq!((stage.grade(0), stage.changes()), (Grade::Cooling, vec![Change::Cooled]));
    assert_eq!(stage.well(), "b");
    stage.pass(6 * SECOND);
    assert_eq!(stage.well(), "a");
}

#[test]
fn a_session_is_asked_elsewhere_while_its_home_cools_and_goes_back_then() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    let session = Some("s");
    let home = stage.send(session, ("", Class::Ok));
    let other = if home == "a" { "b" } else { "a" };
    assert_eq!(stage.send(session, (home.as_str(), Class::RateLimited)), home);
    assert_eq!(stage.send(session, ("", Class::Ok)), other);
    // Where nobody is better it stays.
    stage.send(session, (other, Class::RateLimited));
    assert_eq!(stage.send(session, ("", Class::Ok)), home);
    stage.pass(6 * SECOND);
    assert_eq!(stage.send(session, ("", Class::Ok)), home);
}

#[test]
fn probes_alone_never_eject_and_with_one_failed_request_they_do_unless_one_succeeded_lately() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    stage.probe("b", Probed::Reached(MS));
    for _ in 0..100 {
        stage.probe("a", Probed::Unwell);
        stage.pass(SECOND);
    }
    assert_eq!(stage.grade(0), Grade::Well);
    stage.well();
    stage.pass(9 * SECOND);
    stage.send(None, ("a", Class::Connect));
    stage.probe("a", Probed::Unwell);
    assert_eq!(stage.grade(0), Grade::Well);
    stage.pass(SECOND);
    stage.probe("a", Probed::Unwell);
    assert_eq!(stage.grade(0), Grade::Ejected);
}

#[test]
fn half_of_twenty_failures_within_the_window_eject() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    for index in 0..19 {
        stage.send(None, ("a", if index % 2 == 0 { Class::Http5xx } else { Class::Ok }));
    }
    assert_eq!(stage.grade(0), Grade::Well);
    stage.send(None, ("a", Class::Http5xx));
    assert_eq!(stage.grade(0), Grade::Ejected);
}

#[test]
fn no_more_than_half_are_ejected_and_the_one_that_is_well_is_asked_first() {
    let mut stage = Stage::of(Strategy::Balanced, 7);
    for index in 0..6 {
        (0..5).for_each(|_| stage.end_at(index, &ended(Class::Http5xx)));
    }
    stage.pass(SECOND);
    let ejected = (0..7).filter(|index| stage.grade(*index) == Grade::Ejected).count();
    assert_eq!(ejected, 3);
    assert!(stage.router.panics());
    assert!((0..100).all(|_| stage.well() == "g"));
}

#[test]
fn an_ejected_endpoint_returns_by_trials_then_held_down_then_by_shares() {
    let mut stage = Stage::of(Strategy::Balanced, 3);
    (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    stage.pass(34 * SECOND);
    assert!((0..50).all(|_| stage.well() != "a"));
    stage.pass(SECOND);
    assert_eq!((stage.well(), stage.well()), ("a".into(), "a".into()));
    assert_eq!(stage.grade(0), Grade::Held);
    assert!((0..50).all(|_| stage.well() != "a"));
    stage.pass(119 * SECOND);
    assert_eq!(stage.grade(0), Grade::Held);
    stage.pass(2 * SECOND);
    let share = |stage: &Stage| stage.router.view.load().placed[0].share;
    let mut shares = vec![share(&stage)];
    for _ in 0..4 {
        stage.pass(15 * SECOND);
        shares.push(share(&stage));
    }
    assert_eq!(shares, [10, 25, 50, 100, 100]);
    let changes = [Change::Ejected, Change::Trial, Change::Recovered, Change::Ramped, Change::Restored];
    assert_eq!(stage.changes(), changes);
}

#[test]
fn a_failed_trial_ejects_for_longer_each_time_up_to_the_cap() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| drop(stage.send(None, ("a", Class::Connect))));
    for time in [35, 65, 95, 125, 155, 185, 215, 245, 275, 305, 305] {
        stage.pass((time - 1) * SECOND);
        assert_eq!(stage.send(None, ("a", Class::Connect)), "b", "{time}");
        stage.pass(SECOND);
        assert_eq!(stage.send(None, ("a", Class::Connect)), "a", "{time}");
    }
}

#[test]
fn the_nearest_changes_after_three_windows_and_the_dwell() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    stage.probe("a", Probed::Reached(20 * MS));
    stage.probe("b", Probed::Reached(60 * MS));
    assert_eq!(stage.well(), "a");
    let changed = (0..100).find(|_| {
        stage.probe("a", Probed::Reached(90 * MS));
        stage.probe("b", Probed::Reached(60 * MS));
        stage.pass(SECOND);
        stage.changes().last() == Some(&Change::Preferred)
    });
    assert!(changed.is_some_and(|second| (58..=70).contains(&second)), "{changed:?}");
    for _ in 0..600 {
        stage.probe("a", Probed::Reached(55 * MS));
        stage.probe("b", Probed::Reached(60 * MS));
        stage.pass(SECOND);
    }
    assert!(!stage.changes().contains(&Change::Preferred), "a twelfth better is not clearly better");
}

#[test]
fn only_the_sessions_of_a_dead_endpoint_move_and_none_comes_back() {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    let sessions: Vec<String> = (0..1000).map(|number| format!("session-{number}")).collect();
    let settle = |stage: &mut Stage| -> HashMap<String, String> {
        sessions.iter().map(|id| (id.clone(), stage.send(Some(id), ("", Class::Ok)))).collect()
    };
    let before = settle(&mut stage);
    for host in ["a", "b", "c"] {
        let count = before.values().filter(|home| *home == host).count();
        assert!((280..=390).contains(&count), "{host} has {count}");
    }
    let victim = before.iter().find(|(_, home)| *home == "b").unwrap().0.clone();
    (0..5).for_each(|_| drop(stage.send(Some(&victim), ("b", Class::Connect))));
    let after = settle(&mut stage);
    for (id, home) in &before {
        assert_eq!(after[id] != *home, home == "b", "{id}");
    }
    // It recovers, and for hours nobody who comes at least once in an hour moves.
    for _ in 0..8 {
        stage.pass(1700 * SECOND);
        (0..4).for_each(|_| drop(stage.well()));
        assert_eq!(settle(&mut stage), after);
    }
    assert_eq!(stage.grade(1), Grade::Well);
    stage.pass(3601 * SECOND);
    assert_eq!(settle(&mut stage), before);
}

#[test]
fn a_drained_endpoint_gets_nothing_new_and_keeps_its_sessions_for_thirty_seconds() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    let ids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let id = ids.iter().find(|id| stage.send(Some(id), ("", Class::Ok)) == "a").unwrap();
    stage.router.change(stage.now, |board, now| board.drain(now, &[address('a'), address('z')]));
    stage.pass(29 * SECOND);
    assert_eq!((stage.well(), stage.send(Some(id), ("", Class::Ok))), ("b".into(), "a".into()));
    stage.pass(2 * SECOND);
    assert_eq!(stage.send(Some(id), ("", Class::Ok)), "b");
}

#[test]
fn a_drain_ends_when_neither_the_configuration_nor_anybody_asks_for_it_any_more() {
    let stage = Stage::of(Strategy::Nearest, 2);
    let set = |drain| vec![Endpoint { drain, ..endpoint(0) }, endpoint(1)];
    let changes = || {
        let events = stage.router.take_events();
        events.iter().map(|event| (event.change, event.reason)).collect::<Vec<_>>()
    };
    stage.router.replace(set(true)).unwrap();
    assert_eq!(changes()[0], (Change::Drained, Reason::Configured));
    stage.router.drain(&[address('a')]);
    stage.router.replace(set(false)).unwrap();
    assert_eq!((changes(), stage.grade(0)), (vec![], Grade::Drained));
    stage.router.drain(&[]);
    assert_eq!((changes(), stage.grade(0)), (vec![(Change::Restored, Reason::Asked)], Grade::Well));
    let configured = Router::new(Strategy::Nearest, set(true)).unwrap();
    assert_eq!(configured.status()[0].grade, Grade::Drained);
}

#[test]
fn weights_and_priorities_are_followed() {
    let mut endpoints: Vec<Endpoint> = (0..3).map(endpoint).collect();
    (endpoints[0].weight, endpoints[0].priority) = (6, 1);
    (endpoints[1].weight, endpoints[2].weight) = (3, 1);
    let mut random = fastrand::Rng::with_seed(1);
    let mut counts = |strategy| {
        let router = Router::new(strategy, endpoints.clone()).unwrap();
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let ticket = router.choose_at(SECOND, (None, &Tried::default()), &mut || random.f64());
            counts[usize::from(ticket.endpoint().url.host_str().unwrap().as_bytes()[0] - b'a')] += 1;
        }
        counts
    };
    let [a, b, c] = counts(Strategy::Weighted);
    assert!((a - 6000_i32).abs() < 200 && (b - 3000_i32).abs() < 200 && (c - 1000_i32).abs() < 150);
    let [a, b, c] = counts(Strategy::Priority);
    assert!(a == 0 && (b - c).abs() < 300, "{a} {b} {c}");
}

#[test]
fn a_changed_set_keeps_what_is_known_and_bad_sets_change_nothing() {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    (0..5).for_each(|_| drop(stage.send(None, ("a", Class::Connect))));
    let ticket = stage.router.choose(None, &Tried::default());
    assert_eq!(stage.router.replace(vec![]), Err(SetError::Empty));
    assert!(matches!(stage.router.replace(vec![endpoint(1), endpoint(1)]), Err(SetError::Twice(_))));
    let many = (1..=65).map(|port| Endpoint::at(format!("http://a:{port}").parse().unwrap()));
    assert_eq!(stage.router.replace(many.collect()), Err(SetError::TooMany(65)));
    assert_eq!(stage.router.count(), 3);
    stage.router.replace(vec![endpoint(3), endpoint(0)]).unwrap();
    assert_eq!((stage.grade(0), stage.grade(1)), (Grade::Well, Grade::Ejected));
    // The request under way ends at an endpoint that is gone.
    ticket.report(&ended(Class::Ok));
    assert_eq!(stage.well(), "d");
}
