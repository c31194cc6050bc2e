//! What a criterion reads, refuses and decides.

use proptest::prelude::*;

use super::*;
use crate::load::quantile::Percentile;

fn refused(text: &str) -> String {
    Criterion::threshold(text).unwrap_err().to_string()
}

#[test]
fn a_threshold_is_read_as_people_write_it() {
    let read = |text: &str| {
        let criterion = Criterion::threshold(text).unwrap();
        (criterion.quantity, criterion.comparison, criterion.bound, criterion.place)
    };
    let p99 = Figure::At(Percentile::P99);
    let ttft = Quantity::Time(Timing::Ttft, p99);
    assert_eq!(read("ttft.p99 > 800ms"), (ttft, Comparison::Above, 0.8, None));
    assert_eq!(
        read(" ttft.p99>=1m30s@c=100 "),
        (ttft, Comparison::AtLeast, 90.0, Some(Place::Concurrency(100)))
    );
    let latency = Quantity::Time(Timing::Latency, Figure::Average);
    assert_eq!(read("latency.avg<2s @rate=30/m"), (latency, Comparison::Below, 2.0, Some(Place::Rate(0.5))));
    assert_eq!(read("error_rate > 1%"), (Quantity::ErrorRate, Comparison::Above, 0.01, None));
    assert_eq!(read("error_rate > 0.01"), read("error_rate > 1%"));
    assert_eq!(read("rate < 100/s"), (Quantity::Rate, Comparison::Below, 100.0, None));
    let truncated = Quantity::Class(Class::Truncated);
    assert_eq!(read("class.truncated > 0"), (truncated, Comparison::Above, 0.0, None));
    assert_eq!(Criterion::objective("ttft <= 0.5s").unwrap().quantity, ttft);
}

#[test]
fn a_refusal_names_what_is_unknown_and_lists_what_is_known() {
    let unknown = refused("tfft.p99 > 1s");
    assert!(
        unknown.starts_with("there is no metric 'tfft.p99', did you mean ttft; write one of latency, ttft")
    );
    assert!(unknown.contains("error_rate") && unknown.contains("class.NAME") && unknown.contains(".p99"));
    assert!(refused("ttft.p42 > 1s").contains("no statistic 'p42' of ttft"), "{}", refused("ttft.p42 > 1s"));
    assert!(refused("ttft > 1s").contains("ttft.avg, ttft.min"));
    assert!(refused("rate.avg < 1/s").contains("rate is one figure"));
    assert!(refused("class.bad > 0").contains("class.truncated"));
    for (text, wanted) in [
        ("ttft.p99 > 5", "as in 500ms"),
        ("error_rate > 120%", "as in 1% or 0.01"),
        ("error_rate > -1%", "as in 1% or 0.01"),
        ("rate < 5", "as in 60/m"),
        ("errors > 1.5", "as in 0 or 10"),
    ] {
        let said = refused(text);
        assert!(said.contains("is no bound of") && said.contains(wanted), "{said}");
    }
    assert!(refused("ttft.p99 800ms").contains("one of > >= < <="));
    assert!(refused("errors > 1 @users=5").contains("@c=100"));
}

#[test]
fn a_lower_bound_decides_only_what_lies_on_its_side() {
    let mut level = crate::load::summary::tests::empty();
    for _ in 0..100 {
        level.metrics.latency.record(std::time::Duration::from_millis(100));
    }
    for _ in 0..5 {
        level.metrics.latency.censor(std::time::Duration::from_millis(400));
    }
    let answer = |text: &str| Criterion::threshold(text).unwrap().judge(&level).is_true;
    assert_eq!(answer("latency.p99 > 300ms"), Some(true));
    assert_eq!(answer("latency.p99 > 500ms"), None);
    assert_eq!(answer("latency.p99 < 300ms"), Some(false));
    assert_eq!(answer("latency.p99 < 500ms"), None);
    assert_eq!(answer("latency.p50 > 300ms"), Some(false));
    assert_eq!(answer("latency.max > 500ms"), None);
    assert_eq!(answer("ttft.p99 > 1ms"), None);
    assert_eq!(answer("error_rate > 0%"), None);
}

proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in ".{0,40}") {
        let _ = Criterion::threshold(&text);
    }
}

#[test]
fn what_a_relay_adds_is_the_difference_of_both_sides_and_needs_both() {
    use std::time::Duration;

    use crate::load::Direct;
    let mut level = crate::load::summary::tests::empty();
    let sides = |ms: [u64; 2]| {
        ms.map(|ms| {
            let mut metrics = crate::load::Metrics::default();
            (0..100).for_each(|_| metrics.ttft.record(Duration::from_millis(ms)));
            metrics
        })
    };
    let criterion = |text: &str| Criterion::threshold(text).unwrap();
    let seen = |level: &Summary, text: &str| criterion(text).judge(level);
    assert_eq!(seen(&level, "tax.ttft.avg > 3ms").is_true, None);
    for (times, added, is_true) in [([25, 20], 0.005, true), ([20, 22], -0.002, false)] {
        let [relay, metrics] = sides(times);
        level.metrics = relay;
        level.direct = Some(Box::new(Direct { metrics, ..Direct::default() }));
        for figure in ["avg", "p50", "p99"] {
            let finding = seen(&level, &format!("tax.ttft.{figure} > 3ms"));
            let Observed::Value(value) = finding.observed else { panic!("{finding:?}") };
            assert!((value - added).abs() < 1e-4, "{value}");
            assert_eq!(finding.is_true, Some(is_true));
        }
    }
    assert_eq!(Unit::Seconds.show(-0.002), "-2 ms");
    level.metrics.ttft.censor(Duration::from_millis(900));
    assert_eq!(seen(&level, "tax.ttft.avg > 3ms").is_true, Some(true));
    if let Some(direct) = &mut level.direct {
        (0..100).for_each(|_| direct.metrics.ttft.censor(Duration::from_millis(900)));
    }
    assert_eq!(seen(&level, "tax.ttft.avg > 3ms").is_true, None);
    for wrong in ["tax > 3ms", "tax.ttft > 3ms", "tax.tpot.avg > 3ms", "tax.ttft.max > 3ms"] {
        assert!(refused(wrong).contains("tax.ttfb.avg"), "{wrong}: {}", refused(wrong));
    }
}
