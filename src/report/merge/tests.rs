//! Parts of one plan add up to what one process would have written, and nothing else adds up.

use std::time::Duration;

use proptest::prelude::*;

use super::super::document::Document;
use super::super::document::Level;
use super::super::golden;
use super::*;
use crate::load::Ended;
use crate::load::Share;
use crate::load::Summary;
use crate::outcome::Class;

/// A request: how long it took in µs, and whether it failed or was cut.
type Request = (u64, u8);

/// A run of one level over the requests of a shard.
fn run(requests: &[Request], shard: Shard) -> Document {
    let mut level = golden::level(50, 0, 100);
    let mine = (0..).zip(requests).filter(|(index, _)| shard.holds(*index));
    for (_, (us, fate)) in mine {
        let time = Duration::from_micros(*us);
        match fate {
            0 => {
                level.classes.count(Class::Overloaded);
                level.errors += 1;
            }
            1 => {
                level.classes.count(Class::Cancelled);
                level.censored += 1;
                level.metrics.latency.censor(time);
                level.metrics.ttft.censor(time / 2);
            }
            _ => {
                level.classes.count(Class::Ok);
                level.ok += 1;
                level.metrics.latency.record(time);
                level.metrics.ttft.record(time / 2);
                level.metrics.gap.record(time / 8);
            }
        }
    }
    level.requests = level.ok + level.errors;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let rps = level.ok as f64 / 10.0;
    let alone = Share {
        endpoint: "https://relay.example".to_owned(),
        classes: level.classes,
        rps: Some(rps),
        latency: level.metrics.latency.clone(),
        ttft: level.metrics.ttft.clone(),
    };
    let level = Summary { rps: Some(rps), tokens_per_s: Some(rps * 16.0), shares: vec![alone], ..level };
    let mut document = golden::document(golden::traffic(), vec![level], Ended::Completed);
    document.plan.shard = (shard.of() > 1).then(|| shard.to_string());
    document
}

fn parts(requests: &[Request], of: u64) -> Vec<Saved> {
    (0..of)
        .map(|place| {
            let shard = Shard::at(place, of).unwrap();
            Saved { name: format!("{}.json", place + 1), document: run(requests, shard) }
        })
        .collect()
}

/// What must be equal to the byte.
fn exact(level: &Level) -> impl PartialEq + std::fmt::Debug {
    let of = |saved: &Option<super::super::Distribution>| {
        saved.clone().map(|saved| (saved.hdr.clone(), saved.sum_of_squares_us2.clone(), saved.clone()))
    };
    (
        of(&level.latency_ms),
        of(&level.gap_ms),
        (level.requests, level.errors, level.censored, level.classes.clone()),
        level.rps.map(|rps| (rps * 1e3).round().to_string()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn shards_add_up_to_one_run_to_the_byte(
        requests in prop::collection::vec((1_u64..90_000_000, 0_u8..12), 60..400),
        of in 2_u64..9,
    ) {
        let mut saved = parts(&requests, of);
        // A shard in which nothing ended keeps no ages of what was cut.
        prop_assume!(saved.iter().all(|saved| saved.document.levels[0].latency_ms.is_some()));
        saved.rotate_left(1);
        let merged = merge(&saved).unwrap();
        let whole = run(&requests, Shard::WHOLE);
        prop_assert_eq!(exact(&merged.levels[0]), exact(&whole.levels[0]));
        let (level, share) = (&merged.levels[0], &merged.levels[0].endpoints[0]);
        prop_assert_eq!((&share.latency_ms, &share.ttft_ms), (&level.latency_ms, &level.ttft_ms));
        let counts = (share.requests, share.errors, share.censored, &share.classes);
        prop_assert_eq!(counts, (level.requests, level.errors, level.censored, &level.classes));
        prop_assert_eq!(share.rps, level.rps);
        prop_assert_eq!(&merged.merged.as_ref().unwrap().missing, &Vec::<u64>::new());
        prop_assert_eq!(merged.plan.shard, None);
    }
}

#[test]
fn what_was_cut_in_a_part_where_nothing_ended_still_bounds_the_percentiles() {
    // Of every two requests one ends and one is cut; the second shard has only cut ones.
    let requests: Vec<Request> =
        (0..400).map(|number| (1_000 + number, 2 - u8::from(number % 2 == 1))).collect();
    let saved = parts(&requests, 2);
    assert!(saved[1].document.levels[0].latency_ms.is_none());
    let merged = merge(&saved).unwrap();
    let latency = merged.levels[0].latency_ms.as_ref().unwrap();
    assert_eq!((latency.n, merged.levels[0].censored), (200, 200));
    assert!(latency.p99_bound.is_some() && latency.p99 <= Some(1.4), "{latency:?}");
}

#[test]
fn a_missing_part_is_named_and_twice_the_same_is_refused() {
    let mut saved = parts(&[(1_000, 5); 400], 4);
    saved.remove(2);
    let merged = merge(&saved).unwrap();
    assert_eq!(merged.merged.as_ref().unwrap().missing, [3]);
    let sent = saved[0].document.body_bytes.sent;
    assert_eq!((merged.body_bytes.sent, sent > 0), (3 * sent, true));
    assert!(super::super::notes(&merged).contains("missing 3/4"), "{}", super::super::notes(&merged));
    saved.push(Saved { name: "again.json".to_owned(), ..saved[0].clone() });
    assert_eq!(merge(&saved).unwrap_err().to_string(), "shard 1/4 is both 1.json and again.json");
    assert!(matches!(merge(&[]), Err(MergeError::Nothing)));
}

#[test]
fn parts_of_different_plans_are_refused_with_what_differs() {
    let mut saved = parts(&[(1_000, 5); 400], 2);
    saved[1].document.plan.max_tokens = Some(128);
    saved[1].document.plan.workers = 9;
    let refused = merge(&saved).unwrap_err().to_string();
    assert!(refused.ends_with("no parts of one plan: max_tokens: 64 and 128"), "{refused}");
    saved[0].document.plan.shard = None;
    assert!(merge(&saved).unwrap_err().to_string().contains("1.json is no shard"));
}

#[test]
fn histograms_of_other_bounds_are_refused_with_their_place() {
    let mut saved = parts(&[(1_000, 5); 400], 2);
    let latency = saved[1].document.levels[0].latency_ms.as_mut().unwrap();
    latency.hdr = "AAAA".to_owned();
    let refused = merge(&saved).unwrap_err().to_string();
    assert_eq!(refused, "2.json, level 1: latency_ms cannot be added");
}

#[test]
fn a_part_that_began_late_is_named() {
    let mut saved = parts(&[(1_000, 5); 400], 2);
    saved[0].document.levels[0].late_s = Some(0.0);
    saved[1].document.levels[0].late_s = Some(3.25);
    saved[1].document.started = "2026-11-23T05:12:03.5Z".to_owned();
    let merged = merge(&saved).unwrap();
    let note = super::super::notes(&merged);
    assert!(note.contains("late    2/2 began a level 3.25 s after its slot"), "{note}");
    assert_eq!(merged.started, "2026-11-23T05:12:00.250Z");
}

#[test]
fn a_sum_of_parts_that_were_cut_or_apart_falls_short_of_its_plan() {
    let mut saved = parts(&[(1_000, 5); 400], 2);
    assert!(merge(&saved).unwrap().shortfalls().is_empty());
    saved[0].document.levels[0].ended_early = true;
    let mut later = saved[1].document.started.parse::<Timestamp>().unwrap();
    later += Duration::from_secs(3_600);
    saved[1].document.started = later.to_string();
    let expected = ["shard 1/2 was stopped before its end", "shard 2/2 was measured when another had ended"];
    let said: Vec<_> = merge(&saved).unwrap().shortfalls().iter().map(ToString::to_string).collect();
    assert_eq!(said, expected);
}
