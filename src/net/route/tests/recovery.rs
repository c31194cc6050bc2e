//! How endpoints that were left come back: by trials, by sessions, by probes.

use super::*;

/// The first endpoint is ejected, and the second should be and is not.
fn spared() -> Stage {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    for index in [0, 1] {
        (0..5).for_each(|_| stage.end_at(index, &ended(Class::Http5xx)));
    }
    assert_eq!([stage.grade(0), stage.grade(1)], [Grade::Ejected, Grade::Suspect]);
    stage.pass(SECOND);
    stage.router.take_events();
    stage
}

#[test]
fn one_that_was_spared_comes_back_by_trials_and_needs_no_other_to_leave_or_to_fail() {
    let mut stage = spared();
    stage.pass(36 * SECOND);
    // The first is ejected for good; the second has recovered.
    let asked: String = (0..20).map(|_| stage.send(None, ("a", Class::Http5xx))).collect();
    assert_eq!(asked.matches('b').count(), 2, "{asked}");
    assert!(stage.grade(0) == Grade::Ejected && stage.grade(1) <= Grade::Held);
    stage.pass(180 * SECOND);
    assert_eq!(stage.grade(1), Grade::Well);
}

#[test]
fn one_that_is_spared_and_fails_its_trial_waits_again_and_longer() {
    let mut stage = spared();
    stage.pass(36 * SECOND);
    let fails =
        |stage: &mut Stage| (0..20).filter(|_| stage.send(None, ("b", Class::Http5xx)) == "b").count();
    assert_eq!(fails(&mut stage), 1);
    stage.pass(60 * SECOND);
    assert_eq!(fails(&mut stage), 0);
    stage.pass(6 * SECOND);
    assert_eq!(fails(&mut stage), 1);
}

#[test]
fn one_that_is_spared_and_serves_because_no_other_does_is_well_again() {
    let stage = spared();
    stage.end_at(1, &ended(Class::Ok));
    assert_eq!(stage.grade(1), Grade::Suspect, "once may be chance");
    stage.end_at(1, &ended(Class::Ok));
    assert!(stage.grade(1) < Grade::Suspect);
}

#[test]
fn requests_of_sessions_try_an_endpoint_too_and_do_not_settle_there() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    stage.pass(36 * SECOND);
    let ids: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let hosts: String = ids.iter().map(|id| stage.send(Some(id), ("", Class::Ok))).collect();
    assert_eq!(hosts, "aabbbbbbbb");
    assert_eq!(stage.grade(0), Grade::Held);
    assert!(ids.iter().all(|id| stage.send(Some(id), ("", Class::Ok)) == "b"));
}

#[test]
fn a_trial_of_a_session_that_fails_goes_on_elsewhere() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    stage.pass(36 * SECOND);
    let mut tried = Tried::default();
    let ticket = stage.router.choose_at(stage.now, (Some("s"), &tried), &mut || 0.5);
    tried.add(ticket.seat());
    assert_eq!(ticket.endpoint().url, address('a'));
    ticket.report_at(stage.now, &ended(Class::Connect), 0.5);
    let ticket = stage.router.choose_at(stage.now, (Some("s"), &tried), &mut || 0.5);
    assert_eq!(ticket.endpoint().url, address('b'));
    assert_eq!(stage.grade(0), Grade::Ejected);
}

#[test]
fn where_all_sessions_live_elsewhere_probes_stand_in_for_trials() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    assert_eq!(stage.send(Some("s"), ("", Class::Ok)), stage.send(Some("s"), ("", Class::Ok)));
    let home = stage.send(Some("s"), ("", Class::Ok));
    let (home, other) = if home == "a" { (0, "b") } else { (1, "a") };
    (0..5).for_each(|_| stage.end_at(1 - home, &ended(Class::Connect)));
    stage.pass(36 * SECOND);
    for second in 0..62 {
        assert_ne!(stage.send(Some("s"), ("", Class::Ok)), other);
        assert!(second > 58 || stage.grade(1 - home) == Grade::Ejected);
        stage.pass(SECOND);
        stage.probe(other, Probed::Reached(MS));
    }
    assert_eq!(stage.grade(1 - home), Grade::Held);
    assert_eq!(stage.changes().last(), Some(&Change::Recovered));
}

#[test]
fn a_client_error_or_a_429_passes_a_trial() {
    for class in [Class::Auth, Class::Http4xx, Class::RateLimited] {
        let mut stage = Stage::of(Strategy::Nearest, 2);
        (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
        stage.pass(36 * SECOND);
        let hosts: String = (0..3).map(|_| stage.send(None, ("a", class))).collect();
        assert_eq!(hosts, "aab", "{class:?}");
        assert!(stage.changes().contains(&Change::Recovered));
    }
}

#[test]
fn an_old_trial_that_ends_gives_no_second_one_beside_the_new() {
    let stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    let Stage { router, .. } = &stage;
    let at = |now: u32| router.choose_at(now * SECOND, (None, &Tried::default()), &mut || 0.5);
    let host = |ticket: &Ticket<'_>| ticket.endpoint().url.host_str().unwrap().to_owned();
    let tick = |now: u32| router.change(now * SECOND, |board, now| board.tick(now, 0.5));
    tick(36);
    let (old, failing) = (at(36), at(36));
    assert_eq!((host(&old), host(&failing)), ("a".into(), "b".into()));
    // It is ejected again while the old trial hangs, and the next trials begin.
    router.change(37 * SECOND, |board, now| board.leave(now, (0, super::super::Reason::TrialFailed), 0.5));
    tick(120);
    let new = at(120);
    assert_eq!(host(&new), "a");
    old.report_at(121 * SECOND, &ended(Class::Ok), 0.5);
    assert_eq!(host(&at(121)), "b", "the new one is still under way");
    new.report_at(122 * SECOND, &ended(Class::Ok), 0.5);
    assert_eq!(stage.grade(0), Grade::Ejected, "the old one does not count");
    at(123).report_at(123 * SECOND, &ended(Class::Ok), 0.5);
    assert_eq!(stage.grade(0), Grade::Held);
}

#[test]
fn new_sessions_come_to_a_recovering_endpoint_by_its_share() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    stage.pass(36 * SECOND);
    stage.well();
    stage.well();
    stage.pass(121 * SECOND);
    assert_eq!(stage.router.view.load().placed[0].share, 10);
    let sessions = |stage: &mut Stage, name: &str| {
        let asks = (0..1000).map(|number| stage.send(Some(&format!("{name}{number}")), ("", Class::Ok)));
        asks.filter(|host| host == "a").count()
    };
    let part = sessions(&mut stage, "early");
    assert!((25..=80).contains(&part), "{part} of 500");
    stage.pass(70 * SECOND);
    let whole = sessions(&mut stage, "late");
    assert!((430..=570).contains(&whole), "{whole}");
}
