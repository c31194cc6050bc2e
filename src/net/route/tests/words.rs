//! What single outcomes say, and calling requests back.

use super::*;

#[test]
fn any_answer_but_a_failure_ends_a_row_of_failures() {
    for class in [Class::Ok, Class::Http4xx, Class::Auth, Class::RateLimited, Class::Quota] {
        let mut stage = Stage::of(Strategy::Nearest, 2);
        for _ in 0..10 {
            (0..4).for_each(|_| stage.end_at(0, &ended(Class::Overloaded)));
            stage.end_at(0, &ended(class));
            stage.pass(10 * SECOND);
        }
        let changes = stage.changes();
        assert!(class == Class::Ok || !changes.contains(&Change::Ejected), "{class:?}: {changes:?}");
    }
}

#[test]
fn failures_that_an_idle_hour_parts_are_not_in_a_row() {
    let mut stage = Stage::of(Strategy::Nearest, 2);
    (0..4).for_each(|_| stage.end_at(0, &ended(Class::Connect)));
    stage.pass(3600 * SECOND);
    stage.end_at(0, &ended(Class::Connect));
    assert_eq!(stage.grade(0), Grade::Well);
}

#[test]
fn a_failing_probe_does_not_eject_for_what_requests_did() {
    let mut stage = Stage::of(Strategy::Pinned, 2);
    (0..9).for_each(|_| stage.end_at(0, &ended(Class::Http5xx)));
    stage.router.board().strategy = Strategy::Nearest;
    stage.pass(30 * SECOND);
    (0..5).for_each(|_| stage.probe("a", Probed::Unwell));
    assert_eq!(stage.grade(0), Grade::Well);
}

#[test]
fn failures_that_come_fast_draw_no_traffic() {
    let mut random = fastrand::Rng::with_seed(7);
    let stage = Stage::of(Strategy::Balanced, 2);
    let mut asked = [0_i32; 2];
    for number in 0..2000_u32 {
        let now = SECOND + number * 100 * MS;
        let ticket = stage.router.choose_at(now, (None, &Tried::default()), &mut || random.f64());
        let first = ticket.endpoint().url == address('a');
        asked[usize::from(!first)] += 1;
        // The first fails one of five within a millisecond, too few to be left for; those that it serves take as long as the other's.
        let fails = first && asked[0] % 5 == 0;
        let (class, time) = if fails { (Class::Overloaded, MS) } else { (Class::Ok, 200 * MS) };
        ticket.report_at(now, &Report { first_byte: Some(time), ..ended(class) }, 0.5);
    }
    assert_eq!(stage.changes(), []);
    assert!(asked[0] < asked[1] * 6 / 5, "{asked:?}");
}

#[test]
fn events_that_nobody_takes_do_not_pile_up() {
    let stage = Stage::of(Strategy::Nearest, 2);
    for _ in 0..5000 {
        stage.router.drain(&[address('b')]);
        stage.router.drain(&[]);
    }
    let events = stage.router.take_events();
    assert_eq!(events.len(), super::super::rules::EVENTS_KEPT);
    assert_eq!(events.last().map(|event| event.change), Some(Change::Restored));
    assert!(events.is_sorted_by_key(|event| event.at));
}

/// Whether a ticket's endpoint has called it back, asked once.
async fn is_called(ticket: &Ticket<'_>) -> bool {
    tokio::select! {
        biased;
        () = ticket.abandoned() => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_called_back_whenever_it_begins_to_wait_and_a_later_one_is_not() {
    let stage = Stage::of(Strategy::Nearest, 2);
    let (waits, late) = (stage.begin(), stage.begin());
    let silent = super::super::Reason::Silent(SECOND);
    let called = async {
        tokio::task::yield_now().await;
        stage.router.change(stage.now, |board, now| board.leave(now, (0, silent), 0.5));
    };
    tokio::join!(waits.abandoned(), called);
    assert!(is_called(&late).await, "it had not begun to wait when the endpoint was left");
    assert!(is_called(&late).await);
    // One that goes there afterwards, because it has been everywhere else, is not called by what was before it.
    let mut tried = Tried::default();
    tried.add(&stage.seat(1));
    let after = stage.router.choose_at(stage.now, (None, &tried), &mut || 0.5);
    assert_eq!(after.endpoint().url, address('a'));
    assert!(!is_called(&after).await);
}
