//! Two results side by side: the difference of each figure, its 95 % interval, and whether it is more than noise.

mod bootstrap;
mod pairs;
mod paper;
mod plans;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::Serialize;

pub use self::bootstrap::DamagedHistogram;
pub(super) use self::bootstrap::{Draws, Sample, Statistic};
pub use self::paper::comparison_json;
pub use self::paper::comparison_markdown;
pub use self::paper::comparison_notes;
pub use self::paper::comparison_table;
pub use self::paper::stories;
pub(super) use self::paper::story;
pub use self::plans::plan_differences;

use self::pairs::pairs;
use self::plans::bound_difference;
use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use super::document::Tail;
use super::restored::least_average;
use super::result::rounded;
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
    /// Set where `before` is only a lower bound: requests were cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_bound: Option<Tail>,
    /// Set where `after` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_bound: Option<Tail>,
    /// (after − before) ÷ before; of `error_rate` the plain difference.
    pub change: Option<f64>,
    /// The 95 % interval of `change`.
    pub interval: Option<[f64; 2]>,
    /// What follows.
    pub verdict: ChangeVerdict,
    /// Why nothing does, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Doubt>,
}

/// Why a change is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The level is in the earlier result alone.
    OnlyEarlier,
    /// The level is in the later result alone.
    OnlyLater,
    /// No request of the level succeeded in the later result.
    NothingSucceeded,
    /// The client was the bottleneck of the level in one of the results.
    ClientBound,
    /// Only the earlier result has the figure.
    Gone,
    /// Requests were cut, and the figure is only a lower bound.
    Cut,
}

impl Doubt {
    /// What it says of a whole level; `None` where it is about one figure.
    const fn of_level(self) -> Option<&'static str> {
        match self {
            Self::OnlyEarlier => Some("only the earlier result has it"),
            Self::OnlyLater => Some("only the later result has it"),
            Self::NothingSucceeded => Some("nothing succeeded in the later result"),
            Self::ClientBound => Some("client-bound in one of the results"),
            Self::Gone | Self::Cut => None,
        }
    }
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
    /// Cut requests or a client-bound level leave open what the relay did, or what was there is there no more.
    Undecided,
    /// The earlier result has no such figure.
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
        // A search goes where its levels lead it: what it did not come to is no loss.
        let is_listed = before.capacity.is_none() && after.capacity.is_none();
        let mut in_common = 0;
        for pair in pairs(&before.levels, &after.levels) {
            let (which, level) = match pair {
                [Some(earlier), Some(later)] => {
                    comparison.changes.extend(changes([earlier, later], terms.noise, &mut draws)?);
                    in_common += 1;
                    continue;
                }
                [Some(earlier), None] => ("earlier", earlier),
                [None, Some(later)] => ("later", later),
                [None, None] => continue,
            };
            let name = place(level.concurrency, level.rate);
            comparison.unpaired.push(format!("{name} of the {which} result"));
            if is_listed && comparison.differences.is_empty() {
                comparison.changes.push(lone(name, pair));
            }
        }
        if in_common == 0 { Err(CompareError::NothingInCommon) } else { Ok(comparison) }
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
        let [Some(before), after] = pair.map(pick) else { continue };
        let samples = (Sample::of(before)?, after.map(Sample::of).transpose()?);
        for (figure, statistic) in
            [("avg", Statistic::Mean), ("p50", Statistic::Quantile(0.5)), ("p99", Statistic::Quantile(0.99))]
        {
            let [from, to] = [Some(before), after]
                .map(|saved| saved.map_or((None, None), |saved| value(saved, statistic)));
            let both = from.0.zip(to.0);
            let interval = both.zip(samples.1.as_ref()).map(|(_, later)| {
                draws.interval(|draws| {
                    let [from, to] = [&samples.0, later].map(|sample| draws.statistic(sample, statistic));
                    relative(from, to)
                })
            });
            let is_visible = both.is_some_and(|(from, to)| (to - from).abs() >= TIME_FLOOR_MS);
            let seen = Seen {
                values: [from.0, to.0],
                bounds: [from.1, to.1],
                change: both.map(|(from, to)| relative(from, to)),
                interval,
                floor: if is_visible { noise } else { f64::INFINITY },
                better: Better::Less,
            };
            changes.push(seen.change(pair, format!("{name}.{figure}")));
        }
    }
    changes.push(rate(pair, noise, draws));
    changes.push(error_rate(pair, draws));
    Ok(changes)
}

/// A level that both plans have and one of the results does not.
fn lone(level: String, pair: [Option<&Level>; 2]) -> Change {
    let [before, after] = pair.map(|level| level.and_then(|level| level.rps));
    Change {
        level,
        metric: "rate".to_owned(),
        before,
        after,
        before_bound: None,
        after_bound: None,
        change: None,
        interval: None,
        verdict: ChangeVerdict::Undecided,
        because: Some(if pair[0].is_some() { Doubt::OnlyEarlier } else { Doubt::OnlyLater }),
    }
}

/// What was seen of a figure.
struct Seen {
    /// The earlier and the later value.
    values: [Option<f64>; 2],
    /// Whether they are only lower bounds.
    bounds: [Option<Tail>; 2],
    change: Option<f64>,
    interval: Option<[f64; 2]>,
    /// Changes up to this are noise.
    floor: f64,
    better: Better,
}

/// Which way is up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

impl Seen {
    /// The change of a figure of a pair of levels.
    fn change(&self, pair: [&Level; 2], metric: String) -> Change {
        let (verdict, because) = match self.verdict(pair) {
            Ok(verdict) => (verdict, None),
            Err(doubt) => (ChangeVerdict::Undecided, Some(doubt)),
        };
        Change {
            level: place(pair[0].concurrency, pair[0].rate),
            metric,
            before: self.values[0].map(rounded),
            after: self.values[1].map(rounded),
            before_bound: self.bounds[0],
            after_bound: self.bounds[1],
            change: self.change.map(rounded),
            interval: self.interval.map(|ends| ends.map(rounded)),
            verdict,
            because,
        }
    }

    fn verdict(&self, pair: [&Level; 2]) -> Result<ChangeVerdict, Doubt> {
        let was_there = self.values[0].is_some();
        // A relay that has died has no times, and is no better for it.
        if was_there && self.interval.is_none() && pair[1].verdict == Verdict::NoSuccess {
            return Err(Doubt::NothingSucceeded);
        }
        if was_there && pair.iter().any(|level| level.verdict == Verdict::ClientBound) {
            return Err(Doubt::ClientBound);
        }
        let Some([low, high]) = self.interval else {
            return if was_there { Err(Doubt::Gone) } else { Ok(ChangeVerdict::Absent) };
        };
        let [low, high] = if self.better == Better::Less { [low, high] } else { [-high, -low] };
        match self.bounds {
            // What is shorter still than a lower bound of what it was is an improvement all the more.
            [_, None] if high < -self.floor => Ok(ChangeVerdict::Improvement),
            // What is longer still than a lower bound says is a regression all the more.
            [None, _] if low > self.floor => Ok(ChangeVerdict::Regression),
            [None, None] => Ok(ChangeVerdict::Unchanged),
            _ => Err(Doubt::Cut),
        }
    }
}

/// Successful requests per second: what is lost is worse.
fn rate(pair: [&Level; 2], noise: f64, draws: &mut Draws) -> Change {
    let values = pair.map(|level| level.rps.filter(|rps| *rps > 0.0));
    let both = values[0].zip(values[1]);
    let interval = both.map(|(from, to)| {
        draws.interval(|draws| {
            let [before, after] = pair.map(|level| draws.count(level.requests - level.errors));
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let [counted, recounted] = pair.map(|level| (level.requests - level.errors) as f64);
            relative(from * before / counted.max(1.0), to * after / recounted.max(1.0))
        })
    });
    let change = both.map(|(from, to)| relative(from, to));
    let seen = Seen { values, bounds: [None; 2], change, interval, floor: noise, better: Better::More };
    seen.change(pair, "rate".to_owned())
}

/// The share of failures, by its plain difference.
fn error_rate(pair: [&Level; 2], draws: &mut Draws) -> Change {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let share = |level: &Level| (level.requests > 0).then(|| level.errors as f64 / level.requests as f64);
    let values = pair.map(share);
    let both = values[0].zip(values[1]);
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
    let seen = Seen { values, bounds: [None; 2], change, interval, floor: ERROR_FLOOR, better: Better::Less };
    seen.change(pair, "error_rate".to_owned())
}

/// A statistic as the result has it, and whether it is only a lower bound.
pub(super) fn value(saved: &Distribution, statistic: Statistic) -> (Option<f64>, Option<Tail>) {
    match statistic {
        Statistic::Mean => match least_average(saved) {
            None => (Some(saved.avg), None),
            Some(least) => (Some(least), Some(Tail::Lower)),
        },
        Statistic::Quantile(point) if point > 0.9 => (saved.p99, saved.p99_bound),
        Statistic::Quantile(_) => (saved.p50, saved.p50_bound),
    }
}

/// The change from one value to another as a share of the first, which counts as at least the µs that times are kept in.
fn relative(from: f64, to: f64) -> f64 {
    (to - from) / from.max(0.001)
}
