//! Searches against relays that are rules: where the capacity is known beforehand, and where there is none.

use std::time::Duration;

use super::super::arrivals::Spacing;
use super::super::summary::tests::empty;
use super::*;

/// Runs a search against a rule that says how long each request takes at a load, and which verdict the level gets.
fn found(scale: Scale, first: f64, mut rule: impl FnMut(f64) -> (u64, Verdict)) -> (Capacity, Vec<f64>) {
    let objectives = vec![Criterion::objective("latency.p99 < 150ms").unwrap()];
    let mut hunt = Hunt::new(Search { scale, first, most: 10_000.0, objectives });
    let (mut tried, mut last) = (Vec::new(), None);
    while let Some(step) = hunt.next(last.as_ref()) {
        let load = step.arrivals.as_ref().and_then(Arrivals::rate).unwrap_or(f64::from(step.users));
        tried.push(load);
        let (latency, verdict) = rule(load);
        let mut level = Summary { verdict, ..empty() };
        level.metrics.latency.record(Duration::from_millis(latency));
        last = Some(level);
    }
    (hunt.capacity(), tried)
}

fn slots(slots: f64) -> impl FnMut(f64) -> (u64, Verdict) {
    move |load| (if load > slots { 200 } else { 100 }, Verdict::Ok)
}

#[test]
fn the_capacity_of_a_relay_with_slots_is_its_slots_and_both_neighbours_are_measured_twice() {
    for (capacity, first) in [(1, 1), (2, 1), (20, 1), (33, 64), (47, 50)] {
        let (capacity, first) = (f64::from(capacity), f64::from(first));
        let (found, tried) = found(Scale::Users, first, slots(capacity));
        assert_eq!((found.passing, found.failing), (Some(capacity), Some(capacity + 1.0)), "{tried:?}");
        assert_eq!(found.ended, SearchEnd::Confirmed);
        assert_eq!(found.binding, ["latency.p99 < 150ms: 200 ms"]);
        assert_eq!(tried[tried.len() - 2..], [capacity, capacity + 1.0]);
    }
    // The number that docs/capacity-testing.md has.
    assert_eq!(found(Scale::Users, 1.0, slots(64.0)).1.len(), 16);
}

#[test]
fn a_rate_is_found_within_a_hundredth() {
    let scale = Scale::Rate { like: Arrivals::flat(1.0, Spacing::Constant, 1), cap: 10 };
    let (found, tried) = found(scale, 10.0, slots(401.5));
    let passing = found.passing.unwrap();
    assert!(passing <= 401.5 && passing > 401.5 / 1.011, "{found:?}");
    assert!(tried.len() < 20, "{tried:?}");
}

#[test]
fn a_search_that_finds_no_bound_says_which_side_is_open() {
    let (nothing, tried) = found(Scale::Users, 4.0, slots(0.0));
    assert_eq!((nothing.passing, nothing.ended), (None, SearchEnd::NothingPasses));
    assert_eq!(tried, [4.0, 2.0, 1.0]);
    let (all, tried) = found(Scale::Users, 4_000.0, slots(1e9));
    assert_eq!((all.passing, all.failing, all.ended), (Some(10_000.0), None, SearchEnd::EverythingPasses));
    assert_eq!(tried, [4_000.0, 8_000.0, 10_000.0]);
}

#[test]
fn a_level_that_the_client_spoils_is_measured_again_before_the_search_gives_up() {
    let mut spoiled = 0;
    let (once, _) = found(Scale::Users, 1.0, |load| {
        spoiled += 1;
        (if load > 20.0 { 200 } else { 100 }, if spoiled == 3 { Verdict::ClientBound } else { Verdict::Ok })
    });
    assert_eq!((once.passing, once.ended), (Some(20.0), SearchEnd::Confirmed));
    let (ever, tried) =
        found(Scale::Users, 1.0, |load| (100, if load >= 8.0 { Verdict::ClientBound } else { Verdict::Ok }));
    assert_eq!((ever.passing, ever.ended), (Some(4.0), SearchEnd::ClientBound));
    assert_eq!(tried, [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]);
}

#[test]
fn an_answer_that_its_fresh_run_overturns_is_searched_for_again() {
    // The first time, 20 users pass by luck.
    let mut lucky = true;
    let (found, tried) = found(Scale::Users, 16.0, |load| {
        let luck = is_same_rate(load, 20.0) && std::mem::take(&mut lucky);
        (if load > 17.0 && !luck { 200 } else { 100 }, Verdict::Ok)
    });
    assert_eq!((found.passing, found.failing, found.ended), (Some(17.0), Some(18.0), SearchEnd::Confirmed));
    assert!(tried.iter().filter(|load| is_same_rate(**load, 20.0)).count() >= 2, "{tried:?}");
    // A relay that answers by lot is never found out, and the search ends all the same.
    let mut toss = 0;
    let (unsteady, tried) = self::found(Scale::Users, 16.0, |_| {
        toss += 1;
        (if toss % 3 == 0 { 200 } else { 100 }, Verdict::Ok)
    });
    assert!(tried.len() <= MOST_LEVELS, "{unsteady:?}");
}

#[test]
fn an_objective_on_what_no_request_has_is_undecided_unless_another_one_fails_or_nothing_succeeds() {
    let end = |ok: u64, latency_ms: u64| {
        let objectives =
            ["tpot < 50ms", "latency < 150ms"].map(|text| Criterion::objective(text).unwrap()).to_vec();
        let mut hunt = Hunt::new(Search { scale: Scale::Users, first: 1.0, most: 10.0, objectives });
        let mut level = Summary { ok, requests: 10, ..empty() };
        if ok > 0 {
            level.metrics.latency.record(Duration::from_millis(latency_ms));
        }
        assert!(hunt.next(None).is_some());
        assert!(hunt.next(Some(&level)).is_none());
        hunt.capacity()
    };
    let undecided = end(10, 100);
    assert_eq!((undecided.passing, undecided.ended), (None, SearchEnd::Undecided));
    assert_eq!(undecided.binding, ["tpot < 50ms: no sample"]);
    assert_eq!(end(10, 200).ended, SearchEnd::NothingPasses);
    assert_eq!(end(0, 0).ended, SearchEnd::NothingPasses);
}
