//! Two results side by side: the difference of each figure, its 95 % interval, and whether it is more than noise.

mod bootstrap;
mod paper;
mod plans;

use serde::Deserialize;
use serde::Serialize;

pub use self::bootstrap::DamagedHistogram;
pub use self::paper::comparison_json;
pub use self::paper::comparison_markdown;
pub use self::paper::comparison_notes;
pub use self::paper::comparison_table;
pub use self::paper::stories;
pub(super) use self::paper::story;
pub use self::plans::plan_differences;

use self::bootstrap::Draws;
use self::bootstrap::Sample;
use self::bootstrap::Statistic;
use self::plans::bound_difference;
use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use super::document::Tail;
use super::threshold::place;
use crate::load::Verdict;

/// Changes of the share of failures below this are noise: a tenth of a percentage point.
const ERROR_FLOOR: f64 = 0.001;

/// Changes of a time below this, in ms, are noise: the client itself is no more exact.
const TIME_FLOOR_MS: f64 = 0.1;

/// A comparison of two results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Relative changes up to this are noise.
    pub noise: f64,
    /// In what the plans differ, where that was overruled.
    pub differences: Vec<String>,
    /// Levels that only one of the results has.
    pub unpaired: Vec<String>,
    /// One entry for each figure of each level that both have.
    pub changes: Vec<Change>,
}

/// What became of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The level: `c=50` or `rate=100/s`.
    pub level: String,
    /// The figure: `ttft.p99`, `rate`, `error_rate`.
    pub metric: String,
    /// Times in ms, rates a second, a share of failures between 0 and 1; `None` where it does not exist.
    pub before: Option<f64>,
    /// The same of the later result.
    pub after: Option<f64>,
    /// (after − before) ÷ before; of `error_rate` the plain difference.
    pub change: Option<f64>,
    /// The 95 % interval of `change`.
    pub interval: Option<[f64; 2]>,
    /// What follows.
    pub verdict: ChangeVerdict,
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerdict {
    /// Worse, and the whole interval lies beyond the noise.
    Regression,
    /// Better, likewise.
    Improvement,
    /// Nothing that could not be noise.
    Unchanged,
    /// Cut requests or a client-bound level leave open what the relay did.
    Undecided,
    /// One of the results has no such figure.
    Absent,
}

impl ChangeVerdict {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Improvement => "improvement",
            Self::Unchanged => "unchanged",
            Self::Undecided => "undecided",
            Self::Absent => "absent",
        }
    }
}

/// Why two results were not compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The plans differ, and nobody said that this is meant.
    #[error("the plans differ: {}", .0.join("; "))]
    Plans(Vec<String>),
    /// Histograms of different bounds.
    #[error("the bounds of their histograms differ: {0}")]
    Bounds(String),
    /// There is no level that both have.
    #[error("they have no level in common")]
    NothingInCommon,
    /// A file that was changed after it had been written.
    #[error(transparent)]
    Damaged(#[from] DamagedHistogram),
}

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Relative changes up to this are noise.
    pub noise: f64,
    /// What to do where the plans differ.
    pub plans: Plans,
}

/// What to do where plans differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// Refuse the comparison.
    MustAgree,
    /// Compare the levels that both have, and say so.
    MayDiffer,
}

impl Comparison {
    /// Compares a result with an earlier one.
    pub fn of(before: &Document, after: &Document, terms: Terms) -> Result<Self, CompareError> {
        let differences = plan_differences(&before.plan, &after.plan);
        if terms.plans == Plans::MustAgree && !differences.is_empty() {
            return Err(CompareError::Plans(differences));
        }
        if let Some(difference) = bound_difference(before, after) {
            return Err(CompareError::Bounds(difference));
        }
        let mut draws = Draws::seeded();
        let mut comparison =
            Self { noise: terms.noise, differences, unpaired: Vec::new(), changes: Vec::new() };
        for earlier in &before.levels {
            let name = place(earlier.concurrency, earlier.rate);
            match after.levels.iter().find(|later| place(later.concurrency, later.rate) == name) {
                Some(later) => comparison.changes.extend(changes([earlier, later], terms.noise, &mut draws)?),
                None => comparison.unpaired.push(format!("{name} of the earlier result")),
            }
        }
        for later in &after.levels {
            let name = place(later.concurrency, later.rate);
            if before.levels.iter().all(|earlier| place(earlier.concurrency, earlier.rate) != name) {
                comparison.unpaired.push(format!("{name} of the later result"));
            }
        }
        if comparison.changes.is_empty() { Err(CompareError::NothingInCommon) } else { Ok(comparison) }
    }

    /// The changes of a verdict.
    pub fn of_verdict(&self, verdict: ChangeVerdict) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.verdict == verdict)
    }
}

/// A distribution of a level.
type Pick = fn(&Level) -> Option<&Distribution>;

/// The times that are compared.
const TIMES: [(&str, Pick); 5] = [
    ("latency", |level| level.latency_ms.as_ref()),
    ("response", |level| level.response_ms.as_ref()),
    ("ttft", |level| level.ttft_ms.as_ref()),
    ("tpot", |level| level.tpot_ms.as_ref()),
    ("stall", |level| level.stall_ms.as_ref()),
];

/// Every figure of a pair of levels, the earlier first.
fn changes(pair: [&Level; 2], noise: f64, draws: &mut Draws) -> Result<Vec<Change>, DamagedHistogram> {
    let mut changes = Vec::new();
    for (name, pick) in TIMES {
        let [Some(before), Some(after)] = pair.map(pick) else { continue };
        let samples = [Sample::of(before)?, Sample::of(after)?];
        for (figure, statistic) in
            [("avg", Statistic::Mean), ("p50", Statistic::Quantile(0.5)), ("p99", Statistic::Quantile(0.99))]
        {
            let [from, to] = [before, after].map(|distribution| value(distribution, statistic));
            let interval = from.0.zip(to.0).map(|_| {
                draws.interval(|draws| {
                    let [from, to] = [0, 1].map(|side: usize| draws.statistic(&samples[side], statistic));
                    relative(from, to)
                })
            });
            let change = from.0.zip(to.0).map(|(from, to)| relative(from, to));
            let is_visible = from.0.zip(to.0).is_some_and(|(from, to)| (to - from).abs() >= TIME_FLOOR_MS);
            let floor = if is_visible { noise } else { f64::INFINITY };
            let seen = Seen { change, interval, floor, bounded: [from.1, to.1] };
            changes.push(Change {
                level: place(pair[0].concurrency, pair[0].rate),
                metric: format!("{name}.{figure}"),
                before: from.0,
                after: to.0,
                change: change.map(rounded),
                interval: interval.map(|ends| ends.map(rounded)),
                verdict: verdict(pair, &seen),
            });
        }
    }
    changes.push(rate(pair, noise, draws));
    changes.push(error_rate(pair, draws));
    Ok(changes)
}

/// What was seen of a figure that is better the smaller it is.
struct Seen {
    change: Option<f64>,
    interval: Option<[f64; 2]>,
    /// Changes up to this are noise.
    floor: f64,
    /// Whether the earlier and the later value are only lower bounds.
    bounded: [bool; 2],
}

fn verdict(pair: [&Level; 2], seen: &Seen) -> ChangeVerdict {
    let (Some(_), Some([low, high])) = (seen.change, seen.interval) else { return ChangeVerdict::Absent };
    if pair.iter().any(|level| level.verdict == Verdict::ClientBound) {
        return ChangeVerdict::Undecided;
    }
    match seen.bounded {
        [false, false] if high < -seen.floor => ChangeVerdict::Improvement,
        // What is longer still than a lower bound says is a regression all the more.
        [false, _] if low > seen.floor => ChangeVerdict::Regression,
        [false, false] => ChangeVerdict::Unchanged,
        _ => ChangeVerdict::Undecided,
    }
}

/// Successful requests per second: what is lost is worse.
fn rate(pair: [&Level; 2], noise: f64, draws: &mut Draws) -> Change {
    let [from, to] = pair.map(|level| level.rps.filter(|rps| *rps > 0.0));
    let both = from.zip(to);
    let interval = both.map(|(from, to)| {
        draws.interval(|draws| {
            let [before, after] = pair.map(|level| draws.count(level.requests - level.errors));
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let [counted, recounted] = pair.map(|level| (level.requests - level.errors) as f64);
            relative(from * before / counted.max(1.0), to * after / recounted.max(1.0))
        })
    });
    let change = both.map(|(from, to)| relative(from, to));
    let worse = interval.map(|[low, high]| [-high, -low]);
    let seen = Seen { change, interval: worse, floor: noise, bounded: [false; 2] };
    Change {
        level: place(pair[0].concurrency, pair[0].rate),
        metric: "rate".to_owned(),
        before: from,
        after: to,
        change: change.map(rounded),
        interval: interval.map(|ends| ends.map(rounded)),
        verdict: verdict(pair, &seen),
    }
}

/// The share of failures, by its plain difference.
fn error_rate(pair: [&Level; 2], draws: &mut Draws) -> Change {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let share = |level: &Level| (level.requests > 0).then(|| level.errors as f64 / level.requests as f64);
    let [from, to] = pair.map(share);
    let both = from.zip(to);
    let interval = both.map(|_| {
        draws.interval(|draws| {
            let [from, to] = pair.map(|level| {
                let (errors, ok) = (draws.count(level.errors), draws.count(level.requests - level.errors));
                if errors > 0.0 { errors / (errors + ok) } else { 0.0 }
            });
            to - from
        })
    });
    let change = both.map(|(from, to)| to - from);
    let seen = Seen { change, interval, floor: ERROR_FLOOR, bounded: [false; 2] };
    Change {
        level: place(pair[0].concurrency, pair[0].rate),
        metric: "error_rate".to_owned(),
        before: from.map(rounded),
        after: to.map(rounded),
        change: change.map(rounded),
        interval: interval.map(|ends| ends.map(rounded)),
        verdict: verdict(pair, &seen),
    }
}

/// A statistic as the result has it, and whether it is only a lower bound.
fn value(distribution: &Distribution, statistic: Statistic) -> (Option<f64>, bool) {
    match statistic {
        Statistic::Mean => (Some(distribution.avg), false),
        Statistic::Quantile(point) if point > 0.9 => {
            (distribution.p99, distribution.p99_bound == Some(Tail::Lower))
        }
        Statistic::Quantile(_) => (distribution.p50, distribution.p50_bound == Some(Tail::Lower)),
    }
}

/// The change from one value to another as a share of the first, which counts as at least the µs that times are kept in.
fn relative(from: f64, to: f64) -> f64 {
    (to - from) / from.max(0.001)
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
