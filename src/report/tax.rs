//! What a relay adds to a request: both sides of a run that made each request twice, and the difference of their figures.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::columns::Column;
use super::columns::of_levels;
use super::columns::signed;
use super::compare::{Draws, Sample, Statistic, value};
use super::document::Distribution;
use super::document::Document;
use super::document::FailureNote;
use super::document::Level;
use super::document::Tail;
use super::result::failures;
use super::result::rounded;
use super::threshold::place;
use super::together::{Pick, correlation};
use crate::load::Direct;
use crate::load::Pairs;
use crate::load::Verdict;
use crate::outcome::Class;
use crate::units::grouped;

/// The heading of the column of figures.
pub(super) const FIGURE: &str = "Figure";

/// The requests of a level that went past the relay, and what the relay adds to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectSide {
    /// Recorded requests that ended by themselves, failures included.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Recorded requests that were cut before they ended.
    pub censored: u64,
    /// Recorded requests by class.
    pub classes: BTreeMap<String, u64>,
    /// Start to the first byte of the body.
    pub ttfb_ms: Option<Distribution>,
    /// Start to the first generated delta.
    pub ttft_ms: Option<Distribution>,
    /// Start to the last generated delta.
    pub latency_ms: Option<Distribution>,
    /// Between consecutive generated deltas.
    pub gap_ms: Option<Distribution>,
    /// The first failure of each class.
    pub failures: Vec<FailureNote>,
    /// Pairs of which both requests succeeded, or as many of them as were looked at for what goes together.
    #[serde(default)]
    pub pairs: u64,
    /// What the relay adds, figure by figure; of those that both sides have.
    pub tax: Vec<Tax>,
}

/// What the relay adds to one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tax {
    /// The figure, as in `ttft.p99`.
    pub metric: String,
    /// Through the relay.
    pub relay_ms: f64,
    /// Past it.
    pub direct_ms: f64,
    /// The difference; `None` where `direct_ms` is only a lower bound, since nobody knows then which is more.
    pub added_ms: Option<f64>,
    /// Set where `added_ms` is only a lower bound: requests through the relay were cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_bound: Option<Tail>,
    /// The 95 % interval of `added_ms`; `None` where that is a bound or unknown.
    pub interval_ms: Option<[f64; 2]>,
    /// How much the two sides go together, which makes the interval narrower; `None` where they were drawn apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
}

/// One time of both sides.
struct Both<'a> {
    name: &'a str,
    /// The relay's first.
    sides: [&'a Distribution; 2],
    /// Requests that the values of each side are of.
    requests: [u64; 2],
    /// Which of them belong together, and their time.
    pairs: (&'a Pairs, Pick),
}

impl DirectSide {
    /// The other side of a level.
    pub(super) fn of(direct: &Direct, level: &Level) -> Self {
        let (classes, metrics) = (&direct.classes, &direct.metrics);
        let mut side = Self {
            requests: classes.ok() + classes.failures(),
            errors: classes.failures(),
            censored: classes[Class::Cancelled],
            classes: classes.iter().map(|(class, count)| (class.name().to_owned(), count)).collect(),
            ttfb_ms: Distribution::of(&metrics.ttfb),
            ttft_ms: Distribution::of(&metrics.ttft),
            latency_ms: Distribution::of(&metrics.latency),
            gap_ms: Distribution::of(&metrics.gap),
            failures: failures(&direct.failures, classes),
            pairs: direct.pairs.both.len() as u64,
            tax: Vec::new(),
        };
        side.tax = side.taxes(level, &direct.pairs);
        side
    }

    fn taxes(&self, level: &Level, pairs: &Pairs) -> Vec<Tax> {
        let times: [(&str, [Option<&Distribution>; 2], Pick); 4] = [
            ("ttfb", [level.ttfb_ms.as_ref(), self.ttfb_ms.as_ref()], |times| times.ttfb),
            ("ttft", [level.ttft_ms.as_ref(), self.ttft_ms.as_ref()], |times| times.ttft),
            ("latency", [level.latency_ms.as_ref(), self.latency_ms.as_ref()], |times| times.latency),
            ("gap", [level.gap_ms.as_ref(), self.gap_ms.as_ref()], |times| times.gap),
        ];
        let mut draws = Draws::seeded();
        let mut taxes = Vec::new();
        for (name, sides, pick) in times {
            let [Some(relay), Some(direct)] = sides else { continue };
            let requests = [
                level.latency_ms.as_ref().map_or(relay.n, |latency| latency.n),
                self.latency_ms.as_ref().map_or(direct.n, |latency| latency.n),
            ];
            let both = Both { name, sides: [relay, direct], requests, pairs: (pairs, pick) };
            taxes.extend(of_time(&both, &mut draws));
        }
        taxes
    }
}

/// What the relay adds to one time, at average, TP50 and TP99.
fn of_time(both: &Both<'_>, draws: &mut Draws) -> Vec<Tax> {
    let Both { name, sides, requests, pairs: (pairs, pick) } = *both;
    let [Ok(relay), Ok(direct)] = sides.map(Sample::of) else { return Vec::new() };
    let samples = [relay.of_requests(requests[0]), direct.of_requests(requests[1])];
    let figures =
        [("avg", Statistic::Mean), ("p50", Statistic::Quantile(0.5)), ("p99", Statistic::Quantile(0.99))];
    let tax = |(figure, statistic): (&str, Statistic)| {
        let [(relay, relay_bound), (direct, direct_bound)] = sides.map(|side| value(side, statistic));
        let (relay, direct) = (relay?, direct?);
        let is_exact = relay_bound.is_none() && direct_bound.is_none();
        // Of the gaps a pair has but their mean, which says nothing of where each of them lies.
        let is_told = is_exact && (name != "gap" || statistic == Statistic::Mean);
        let correlation = if is_told { correlation(pairs, pick, statistic) } else { None };
        let interval = is_exact.then(|| {
            draws.interval(|draws| {
                let [relay, direct] = match correlation {
                    Some(together) => draws.together(samples.each_ref(), statistic, together),
                    None => samples.each_ref().map(|side| draws.statistic(side, statistic)),
                };
                relay - direct
            })
        });
        Some(Tax {
            metric: format!("{name}.{figure}"),
            relay_ms: rounded(relay),
            direct_ms: rounded(direct),
            added_ms: direct_bound.is_none().then(|| rounded(relay - direct)),
            added_bound: relay_bound.filter(|_| direct_bound.is_none()),
            interval_ms: interval.map(|ends| ends.map(rounded)),
            correlation,
        })
    };
    figures.into_iter().filter_map(tax).collect()
}

/// The columns of what the relay adds, a cell for each figure of each level; `None` where each request was made once.
pub(super) fn columns_of_tax(document: &Document) -> Option<Vec<Column>> {
    let of_level = |level| sides(level).map(move |(_, tax)| (level, tax));
    let rows: Vec<(&Level, &Tax)> = document.levels.iter().flat_map(of_level).collect();
    if rows.is_empty() {
        return None;
    }
    let column = |heading, cell: fn(&Tax) -> String| Column {
        heading,
        cells: rows.iter().map(|(_, tax)| cell(tax)).collect(),
    };
    let levels: Vec<_> = rows.iter().map(|(level, _)| *level).collect();
    Some(vec![
        of_levels(document, &levels),
        column(FIGURE, |tax| tax.metric.clone()),
        column("Relay (ms)", |tax| plain(tax.relay_ms)),
        column("Direct (ms)", |tax| plain(tax.direct_ms)),
        column("Added (ms)", added),
        column("95 % interval", |tax| interval(tax).unwrap_or_else(|| "n/a".to_owned())),
    ])
}

/// What the relay adds, a line for each level, and what failed past it.
pub(super) fn taxes(document: &Document) -> Vec<String> {
    let mut lines = Vec::new();
    for level in &document.levels {
        let Some(direct) = &level.direct else { continue };
        let name = place(level.concurrency, level.rate);
        let leading = if document.plan.stream { "ttft" } else { "latency" };
        let told = direct.tax.iter().filter(|tax| tax.metric.starts_with(leading)).map(told);
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            let doubt =
                if level.verdict == Verdict::ClientBound { "; client-bound: not to be trusted" } else { "" };
            lines.push(format!("tax     {name}: {leading} {}{doubt}", told.join(", ")));
        }
        if direct.errors > 0 {
            let (errors, all) = (grouped(direct.errors), grouped(direct.requests));
            let first = direct.failures.first();
            let first =
                first.map(|note| format!(", first {} {}", note.class, super::notes::plain(&note.message)));
            let first = first.unwrap_or_default();
            lines.push(format!("direct  {name}: {errors} of {all} requests past the relay failed{first}"));
        }
    }
    lines
}

/// One figure in words: `+3.10 ms at average (+2.80 … +3.40)`.
fn told(tax: &Tax) -> String {
    let statistic = match tax.metric.rsplit('.').next() {
        Some("p99") => "TP99",
        Some("p50") => "TP50",
        _ => "average",
    };
    match interval(tax) {
        Some(interval) if tax.interval_ms.is_some_and(|[low, high]| low <= 0.0 && high >= 0.0) => {
            format!("not told from 0 at {statistic} ({interval})")
        }
        Some(interval) => format!("{} ms at {statistic} ({interval})", added(tax)),
        None => format!("{} ms at {statistic}", added(tax)),
    }
}

fn sides(level: &Level) -> impl Iterator<Item = (&DirectSide, &Tax)> {
    level.direct.iter().flat_map(|direct| direct.tax.iter().map(move |tax| (direct, tax)))
}

fn added(tax: &Tax) -> String {
    let mark = if tax.added_bound.is_some() { "≥" } else { "" };
    tax.added_ms.map_or_else(|| "n/a".to_owned(), |added| format!("{mark}{}", difference(added)))
}

fn interval(tax: &Tax) -> Option<String> {
    tax.interval_ms.map(|[low, high]| format!("{} … {}", difference(low), difference(high)))
}

/// A time to three digits or so.
fn plain(ms: f64) -> String {
    let digits = digits(ms);
    format!("{ms:.digits$}")
}

/// The same of a difference.
fn difference(ms: f64) -> String {
    signed(ms, digits(ms))
}

fn digits(ms: f64) -> usize {
    if ms.abs() < 9.995 { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::golden;
    use super::*;
    use crate::load::Metric;
    use crate::load::Times;

    fn taxes(name: &str, sides: [&Distribution; 2], requests: [u64; 2], pairs: &Pairs) -> Vec<Tax> {
        let both = Both { name, sides, requests, pairs: (pairs, |times| times.ttft) };
        of_time(&both, &mut Draws::seeded())
    }

    /// What a relay that adds 5 ms adds in a run of so many pairs, in which what is slow is slow for both.
    fn run_of(pairs: u32, seed: u64) -> Vec<Tax> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut sides, mut kept) = ([Metric::default(), Metric::default()], Vec::new());
        for _ in 0..pairs {
            let shared = 40.0 - 20.0 * (1.0 - rng.f64()).ln();
            let pair = [5.0, 0.0].map(|added| {
                let time = Duration::from_secs_f64((shared + added + rng.f64()) / 1e3);
                Times { ttft: Some(time), ..Times::default() }
            });
            sides.iter_mut().zip(pair).for_each(|(side, times)| side.record(times.ttft.unwrap()));
            kept.push(pair);
        }
        let saved = sides.each_ref().map(|side| Distribution::of(side).unwrap());
        let n = u64::from(pairs);
        taxes("ttft", saved.each_ref(), [n; 2], &Pairs { both: kept, share: 1.0 })
    }

    #[test]
    fn pairs_that_go_together_make_the_interval_narrower_and_it_still_holds_the_truth() {
        let (runs, mut held) = (60, [0; 3]);
        for seed in 0..runs {
            for (held, tax) in held.iter_mut().zip(run_of(2_200, seed)) {
                let [low, high] = tax.interval_ms.unwrap();
                *held += i32::from(low <= 5.0 && high >= 5.0);
            }
        }
        // Of 60 runs 57 are expected; fewer than 52 are seen once in a hundred series.
        assert!(held.iter().all(|held| *held >= 52), "{held:?} of {runs}");
        let both = run_of(2_200, 1);
        let [Tax { correlation: Some(together), interval_ms: Some([low, high]), .. }, ..] = &both[..] else {
            panic!("{both:?}")
        };
        // Two means with a deviation of 20 ms each, apart: ±1.2 ms.
        assert!(*together > 0.99 && high - low < 0.2, "{both:?}");
    }

    fn tax<'a>(document: &'a Document, metric: &str) -> &'a Tax {
        let direct = document.levels[0].direct.as_ref().unwrap();
        direct.tax.iter().find(|tax| tax.metric == metric).unwrap()
    }

    #[test]
    fn what_is_added_is_the_difference_of_the_sides_and_its_interval_holds_it() {
        let document = golden::paired();
        for metric in ["ttft.avg", "ttft.p50", "ttft.p99", "latency.avg", "ttfb.p99", "gap.avg"] {
            let tax = tax(&document, metric);
            let added = tax.added_ms.unwrap();
            assert!((added - (tax.relay_ms - tax.direct_ms)).abs() < 1e-6, "{tax:?}");
            let [low, high] = tax.interval_ms.unwrap();
            assert!(low < added && added < high, "{tax:?}");
        }
        assert_eq!(document.levels[0].direct.as_ref().unwrap().tax.len(), 12);
    }

    #[test]
    fn the_interval_of_the_mean_is_that_of_two_independent_means() {
        let document = golden::paired();
        let level = &document.levels[0];
        let sides = [level.ttft_ms.as_ref(), level.direct.as_ref().unwrap().ttft_ms.as_ref()];
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let variance = sides.map(|side| side.unwrap().sd.unwrap().powi(2) / side.unwrap().n as f64);
        let error = (variance[0] + variance[1]).sqrt();
        let [low, high] = tax(&document, "ttft.avg").interval_ms.unwrap();
        let widths = (high - low) / (2.0 * 1.96 * error);
        assert!((0.9..1.1).contains(&widths), "{widths}");
    }

    #[test]
    fn gaps_of_one_request_count_as_one_since_they_may_go_together() {
        let mut metric = Metric::default();
        for number in 0..40_000_u64 {
            metric.record(Duration::from_micros(1_000 + number % 500));
        }
        let saved = Distribution::of(&metric).unwrap();
        let width = |requests| {
            let tax = &taxes("gap", [&saved, &saved], [requests; 2], &Pairs::default())[0];
            let [low, high] = tax.interval_ms.unwrap();
            high - low
        };
        let wider = width(400) / width(40_000);
        assert!((8.0..12.0).contains(&wider), "{wider}");
    }

    #[test]
    fn cut_requests_leave_a_bound_on_the_relays_side_and_nothing_on_the_other() {
        let mut metric = Metric::default();
        for number in 0..200 {
            metric.record(Duration::from_millis(100 + number));
        }
        let whole = Distribution::of(&metric).unwrap();
        for _ in 0..100 {
            metric.censor(Duration::from_millis(150));
        }
        let cut = Distribution::of(&metric).unwrap();
        let p99 = |sides| taxes("ttft", sides, [200; 2], &Pairs::default()).pop().unwrap();
        let bounded = p99([&cut, &whole]);
        assert_eq!((bounded.added_bound, bounded.interval_ms), (Some(Tail::Lower), None));
        assert!(bounded.added_ms.is_some() && added(&bounded).starts_with('≥'));
        let unknown = p99([&whole, &cut]);
        assert_eq!((unknown.added_ms, unknown.interval_ms, added(&unknown).as_str()), (None, None, "n/a"));
    }

    #[test]
    fn what_cannot_be_told_from_nothing_is_said_to_be_so() {
        let tax = |interval| Tax {
            metric: "ttft.avg".to_owned(),
            relay_ms: 40.0,
            direct_ms: 39.5,
            added_ms: Some(0.5),
            added_bound: None,
            interval_ms: Some(interval),
            correlation: None,
        };
        assert_eq!(told(&tax([-0.2, 1.2])), "not told from 0 at average (-0.20 … +1.20)");
        assert_eq!(told(&tax([0.2, 0.8])), "+0.50 ms at average (+0.20 … +0.80)");
    }
}
