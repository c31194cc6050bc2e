//! Silence: of one endpoint, of the way that only probes take, and of the whole network.

use super::*;

/// Five requests under way at the first endpoint, whose probes are answered; no byte has come of them since one second.
fn held(stage: &Stage) -> Vec<Ticket<'_>> {
    stage.router.probed_at(stage.now, (&probe(stage, 0), Probed::Reached(MS)), 0.5);
    (0..5).map(|_| stage.begin()).collect()
}

fn probe(stage: &Stage, index: usize) -> Probe {
    Probe { seat: stage.seat(index), timeout: SECOND, began: stage.now }
}

/// A stage whose clock can move while tickets are out.
fn at(stage: &Stage, now: Duration) -> Stage2<'_> {
    Stage2 { router: &stage.router, now }
}

struct Stage2<'a> {
    router: &'a Router,
    now: Duration,
}

impl Stage2<'_> {
    /// A probe that began then, in seconds, and ends now.
    fn probed(&self, index: usize, began: f64, probed: Probed) {
        let seat = self.router.board().members[index].seat.clone();
        let probe = Probe { seat, timeout: SECOND, began: Duration::from_secs_f64(began) };
        self.router.probed_at(self.now, (&probe, probed), 0.5);
        self.router.change(self.now, |board, now| board.tick(now, 0.5));
    }

    fn grade(&self) -> Grade {
        self.router.view.load().placed[0].grade
    }
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn an_endpoint_that_falls_silent_is_left_when_its_probes_fail_and_others_are_heard() {
    let stage = Stage::of(Strategy::Nearest, 2);
    let tickets = held(&stage);
    at(&stage, secs(4.2)).probed(0, 3.2, Probed::Nothing);
    at(&stage, secs(5.4)).probed(0, 4.4, Probed::Nothing);
    assert_eq!(at(&stage, secs(5.4)).grade(), Grade::Well, "nobody else was heard");
    at(&stage, secs(5.5)).probed(1, 5.4, Probed::Reached(MS));
    assert_eq!(at(&stage, secs(5.5)).grade(), Grade::Ejected);
    drop(tickets);
    assert_eq!(stage.router.status()[0].in_flight, 0);
}

#[test]
fn a_slow_model_whose_probes_fail_for_another_reason_is_not_silent() {
    for (first, second) in [
        // They are answered by 503.
        (Probed::Unwell, Probed::Unwell),
        // They are refused.
        (Probed::Refused, Probed::Refused),
    ] {
        let stage = Stage::of(Strategy::Nearest, 2);
        let tickets = held(&stage);
        for second_of in [3.2, 4.4, 5.6] {
            let probed = if second_of < 4.0 { first } else { second };
            at(&stage, secs(second_of + 0.1)).probed(0, second_of, probed);
            at(&stage, secs(second_of + 0.2)).probed(1, second_of + 0.1, Probed::Reached(MS));
        }
        assert_eq!(at(&stage, secs(6.0)).grade(), Grade::Well);
        drop(tickets);
    }
}

#[test]
fn where_only_the_way_of_probes_is_broken_a_slow_model_is_not_silent() {
    let stage = Stage::of(Strategy::Nearest, 2);
    // Since long before, while requests were served.
    for second in 0..20 {
        at(&stage, secs(f64::from(second) + 2.0)).probed(0, f64::from(second), Probed::Nothing);
        at(&stage, secs(f64::from(second) + 2.0)).probed(1, f64::from(second), Probed::Reached(MS));
        let report = Report { first_byte: Some(SECOND), ..ended(Class::Ok) };
        let ticket =
            stage.router.choose_at(secs(f64::from(second) + 2.0), (None, &Tried::default()), &mut || 0.5);
        ticket.report_at(secs(f64::from(second) + 2.0), &report, 0.5);
    }
    let tickets: Vec<_> =
        (0..5).map(|_| stage.router.choose_at(secs(22.0), (None, &Tried::default()), &mut || 0.5)).collect();
    for second in [24.2, 25.4, 26.6] {
        at(&stage, secs(second + 1.0)).probed(0, second, Probed::Nothing);
        at(&stage, secs(second + 1.1)).probed(1, second + 1.05, Probed::Reached(MS));
    }
    assert_eq!(at(&stage, secs(28.0)).grade(), Grade::Well);
    drop(tickets);
}

#[test]
fn a_model_that_usually_thinks_for_long_is_silent_only_after_longer() {
    let stage = Stage::of(Strategy::Nearest, 2);
    let report = Report { first_byte: Some(15 * SECOND), ..ended(Class::Ok) };
    stage.begin().report_at(stage.now, &report, 0.5);
    let tickets = held(&stage);
    let fail = |second: f64| {
        at(&stage, secs(second + 1.0)).probed(0, second, Probed::Nothing);
        at(&stage, secs(second + 1.1)).probed(1, second + 1.05, Probed::Reached(MS));
    };
    [3.2, 4.4, 28.0, 29.2].into_iter().for_each(fail);
    assert_eq!(at(&stage, secs(30.5)).grade(), Grade::Well);
    fail(31.2);
    assert_eq!(at(&stage, secs(32.5)).grade(), Grade::Ejected);
    drop(tickets);
}

#[test]
fn a_reply_from_before_the_silence_does_not_say_that_the_network_is_well() {
    let stage = Stage::of(Strategy::Nearest, 2);
    let tickets = held(&stage);
    // The network goes at 3.1; the sibling's last reply is of 3.05, after the silence had become one.
    at(&stage, secs(3.05)).probed(1, 3.0, Probed::Reached(MS));
    at(&stage, secs(4.2)).probed(0, 3.2, Probed::Nothing);
    at(&stage, secs(5.4)).probed(0, 4.4, Probed::Nothing);
    assert_eq!(at(&stage, secs(5.4)).grade(), Grade::Well);
    at(&stage, secs(5.5)).probed(1, 3.5, Probed::Nothing);
    assert!(stage.router.suspects_network());
    // It comes back: what was silent meanwhile is asked anew before it is judged.
    at(&stage, secs(9.0)).probed(1, 8.9, Probed::Reached(MS));
    assert!(!stage.router.suspects_network());
    assert_eq!(at(&stage, secs(9.0)).grade(), Grade::Well);
    assert_eq!(stage.changes(), [Change::SuspicionRaised, Change::SuspicionLifted]);
    drop(tickets);
}

#[test]
fn all_are_probed_at_once_when_one_is_quiet() {
    let stage = Stage::of(Strategy::Nearest, 3);
    let due = |now: f64| {
        let due = stage.router.due_probes_at(secs(now), &mut || 0.5);
        let hosts = due.iter().map(|probe| probe.seat.endpoint.name()).collect::<String>();
        for probe in &due {
            let at = (probe, Probed::Reached(MS));
            stage.router.probed_at(secs(now), at, 0.5);
        }
        hosts.matches("//").count()
    };
    assert_eq!(due(1.0), 3);
    let tickets: Vec<_> = (0..5).map(|_| stage.begin()).collect();
    assert_eq!(due(2.9), 0);
    assert_eq!(due(4.3), 3, "one is quiet since 3.0");
    drop(tickets);
}

#[test]
fn when_nothing_replies_the_local_network_is_suspected_and_nothing_ejected() {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    for host in ["a", "b", "c"] {
        stage.probe(host, Probed::Nothing);
    }
    for _ in 0..50 {
        stage.end_at(0, &unreachable());
    }
    assert_eq!(stage.changes(), [Change::SuspicionRaised]);
    stage.pass(SECOND);
    stage.probe("b", Probed::Reached(MS));
    assert_eq!(stage.changes(), [Change::SuspicionLifted]);
    for _ in 0..4 {
        stage.send(None, ("a", Class::Http5xx));
    }
    assert_eq!((stage.grade(0), stage.changes()), (Grade::Well, vec![]));
}

#[test]
fn a_network_that_goes_under_load_switches_nothing() {
    let mut stage = Stage::of(Strategy::Nearest, 3);
    for host in ["a", "b", "c"] {
        stage.probe(host, Probed::Reached(MS));
    }
    stage.pass(SECOND);
    // All ten under way at the preferred fail before anything of the others is known.
    (0..10).for_each(|_| stage.end_at(0, &unreachable()));
    stage.pass(SECOND);
    stage.end_at(1, &unreachable());
    stage.end_at(2, &unreachable());
    stage.pass(60 * SECOND);
    assert_eq!(stage.changes(), [Change::SuspicionRaised]);
    stage.probe("c", Probed::Reached(MS));
    // What left while it was gone is still no fault of the endpoint.
    let seat = stage.seat(0);
    for _ in 0..10 {
        let attempt = Attempt { seat: &seat, began: 30 * SECOND, trial: false };
        stage.router.take_report(stage.now, attempt, (&ended(Class::TimeoutFirstByte), 0.5));
    }
    stage.pass(SECOND);
    assert_eq!(stage.changes(), [Change::SuspicionLifted]);
    assert_eq!(stage.well(), "a");
}

#[test]
fn an_endpoint_to_which_no_way_leads_is_left_as_soon_as_another_is_heard() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &unreachable()));
    assert_eq!(stage.grade(0), Grade::Well);
    assert_eq!(stage.router.due_probes_at(stage.now, &mut || 0.5).len(), 2, "news is wanted");
    stage.probe("b", Probed::Reached(MS));
    assert_eq!(stage.changes(), [Change::Ejected, Change::Preferred]);
}

#[test]
fn where_nobody_probes_requests_are_believed_after_a_time() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &unreachable()));
    stage.pass(3 * SECOND);
    assert_eq!(stage.grade(0), Grade::Well);
    stage.pass(SECOND);
    assert_eq!(stage.grade(0), Grade::Ejected);
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..5).for_each(|_| stage.end_at(0, &unreachable()));
    stage.now += 3600 * SECOND;
    stage.pass(SECOND);
    assert_eq!(stage.grade(0), Grade::Well, "the clock jumped");
}

#[test]
fn one_slow_answer_beside_a_dead_endpoint_is_no_outage() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    stage.probe("b", Probed::Reached(MS));
    for _ in 0..4 {
        stage.end_at(0, &unreachable());
        stage.pass(SECOND);
    }
    stage.end_at(1, &ended(Class::TimeoutFirstByte));
    stage.end_at(1, &ended(Class::Ok));
    stage.end_at(0, &unreachable());
    stage.end_at(1, &ended(Class::Ok));
    assert_eq!(stage.changes(), [Change::Ejected, Change::Preferred]);
}

#[test]
fn a_moment_of_silence_takes_back_only_what_failed_in_it() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    for _ in 0..4 {
        stage.end_at(0, &unreachable());
        stage.pass(SECOND);
    }
    stage.probe("b", Probed::Reached(MS));
    stage.pass(SECOND);
    stage.probe("b", Probed::Nothing);
    assert!(stage.router.suspects_network());
    stage.end_at(0, &unreachable());
    stage.pass(SECOND);
    stage.probe("b", Probed::Reached(MS));
    assert_eq!(stage.grade(0), Grade::Well);
    stage.end_at(0, &unreachable());
    stage.end_at(1, &ended(Class::Ok));
    assert_eq!(stage.grade(0), Grade::Ejected, "the four from before count");
}

#[test]
fn refusals_and_tls_alerts_are_heard_and_a_deploy_of_all_is_no_outage_of_the_network() {
    for class in [Class::Connect, Class::Tls, Class::Truncated] {
        let stage = Stage::of(Strategy::Nearest, 2);
        for index in [0, 1] {
            (0..5).for_each(|_| stage.end_at(index, &ended(class)));
        }
        let changes = stage.changes();
        assert!(!changes.contains(&Change::SuspicionRaised), "{changes:?}");
        assert_eq!(changes[0], Change::Ejected);
        assert!(changes.contains(&Change::Kept));
    }
    let mut stage = Stage::of(Strategy::Nearest, 2);
    stage.probe("a", Probed::Refused);
    stage.probe("b", Probed::Refused);
    assert!(!stage.router.suspects_network());
}

#[test]
fn a_probe_that_left_before_another_was_answered_says_nothing_new() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    stage.probe("b", Probed::Nothing);
    stage.now = 10 * SECOND;
    stage.probe("a", Probed::Reached(MS));
    stage.now = 11 * SECOND;
    stage.probe_since("a", 9 * SECOND, Probed::Nothing);
    assert!(!stage.router.suspects_network());
    assert!(!stage.router.board().members[0].health.probes.is_changing());
    // A reply to a request that came while a probe was out is later news than the probe.
    stage.end_at(0, &ended(Class::Ok));
    stage.now = 12 * SECOND;
    stage.probe_since("a", 10 * SECOND, Probed::Nothing);
    assert!(!stage.router.suspects_network());
}

#[test]
fn an_endpoint_has_one_probe_out_at_a_time_and_one_that_is_lost_is_given_up() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    let due = |stage: &Stage| stage.router.due_probes_at(stage.now, &mut || 0.5).len();
    assert_eq!(due(&stage), 2);
    stage.probe("b", Probed::Nothing);
    // Both are to be looked at every second now.
    stage.end_at(0, &ended(Class::Connect));
    stage.now += 2 * SECOND;
    assert_eq!(due(&stage), 1, "that of a is still out");
    stage.probe("b", Probed::Nothing);
    stage.pass(5 * SECOND);
    assert_eq!(due(&stage), 2);
}
