//! What a comparison makes of levels that died, that are missing, that ran twice, and of requests that were cut.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};

use super::*;
use crate::report::golden;

const TERMS: Terms = Terms { noise: 0.05, plans: Plans::MustAgree };

fn of(comparison: &Comparison, metric: &str) -> Change {
    comparison.changes.iter().find(|change| change.metric == metric).unwrap().clone()
}

#[test]
fn a_level_that_died_is_undecided_and_said_in_one_line() {
    let before = golden::compared();
    let mut after = before.clone();
    let dead = &mut after.levels[0];
    (dead.latency_ms, dead.ttft_ms, dead.tpot_ms, dead.stall_ms) = (None, None, None, None);
    (dead.rps, dead.errors, dead.verdict) = (None, dead.requests, Verdict::NoSuccess);
    let comparison = Comparison::of(&before, &after, TERMS).unwrap();
    for metric in ["latency.p99", "ttft.avg", "rate"] {
        assert_eq!(of(&comparison, metric).verdict, ChangeVerdict::Undecided, "{metric}");
    }
    assert_eq!(of(&comparison, "error_rate").verdict, ChangeVerdict::Regression);
    let undecided = stories(&comparison, ChangeVerdict::Undecided);
    assert_eq!(undecided, ["c=50: nothing succeeded in the later result"]);
}

#[test]
fn a_level_that_only_one_of_two_results_of_a_plan_has_is_undecided() {
    let before = golden::compared();
    let mut after = before.clone();
    after.levels.pop();
    let lost = Comparison::of(&before, &after, TERMS).unwrap();
    assert_eq!(stories(&lost, ChangeVerdict::Undecided), ["c=100: only the earlier result has it"]);
    let more = Comparison::of(&after, &before, TERMS).unwrap();
    assert_eq!(stories(&more, ChangeVerdict::Undecided), ["c=100: only the later result has it"]);
}

#[test]
fn levels_of_one_name_are_compared_in_their_order() {
    let mut before = golden::compared();
    before.levels[1].concurrency = before.levels[0].concurrency;
    let comparison = Comparison::of(&before, &before.clone(), TERMS).unwrap();
    let changed = comparison.changes.iter().filter(|change| change.verdict != ChangeVerdict::Unchanged);
    assert_eq!(changed.map(|change| change.metric.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(comparison.unpaired.is_empty());
}

#[test]
fn a_mean_that_leaves_cut_requests_out_is_no_improvement() {
    let mut before = golden::compared();
    let mut after = before.clone();
    let latency = |document: &mut Document| document.levels[0].latency_ms.take().unwrap();
    let whole = latency(&mut before);
    let mut cut = Distribution { avg: whole.avg / 2.0, ..whole.clone() };
    cut.censored_hdr = Some(whole.hdr.clone());
    before.levels[0].latency_ms = Some(whole);
    after.levels[0].latency_ms = Some(cut);
    let change = of(&Comparison::of(&before, &after, TERMS).unwrap(), "latency.avg");
    assert_eq!((change.verdict, change.after_bound), (ChangeVerdict::Undecided, Some(Tail::Lower)));
}

#[test]
fn requests_that_were_cut_young_make_no_regression_of_the_mean() {
    let mut before = golden::compared();
    let mut after = before.clone();
    let whole = before.levels[0].latency_ms.take().unwrap();
    // As many as ended were cut at once: with them the mean may be as low as half of what the others say.
    let mut young = Histogram::<u64>::new_with_bounds(1, 86_400_000_000, 3).unwrap();
    young.record_n(1, whole.n).unwrap();
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&young, &mut bytes).unwrap();
    let mut cut = Distribution { avg: whole.avg * 1.5, sum: whole.sum * 1.5, ..whole.clone() };
    cut.censored_hdr = Some(BASE64_STANDARD.encode(&bytes));
    cut.censored_max = Some(0.001);
    before.levels[0].latency_ms = Some(whole);
    after.levels[0].latency_ms = Some(cut);
    let change = of(&Comparison::of(&before, &after, TERMS).unwrap(), "latency.avg");
    assert_eq!((change.verdict, change.after_bound), (ChangeVerdict::Undecided, Some(Tail::Lower)));
}
