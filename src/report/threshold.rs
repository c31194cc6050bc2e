//! Thresholds and objectives in the result: what was asked for, what was seen at each level, and the lines that say so.

use serde::Deserialize;
use serde::Serialize;

use super::document::Document;
use super::document::Tail;
use crate::load;
use crate::load::Finding;
use crate::load::Observed;
use crate::load::Quantity;
use crate::load::Ruling;
use crate::load::Standing;
use crate::load::Unit;
use crate::load::Verdict;

/// A threshold and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is forbidden, as it was written.
    pub expression: String,
    /// The worst of its levels; `undecided` where the run did not come to any.
    pub verdict: ThresholdVerdict,
    /// One entry for each level that it is about.
    pub levels: Vec<ThresholdLevel>,
}

/// A threshold at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLevel {
    /// Users of the level; in an open loop the most requests in flight.
    pub concurrency: u32,
    /// Planned arrivals per second; `None` in a closed loop, and where the rate changes.
    pub rate: Option<f64>,
    /// What was seen, times in ms; `None` where there was nothing to judge.
    pub value: Option<f64>,
    /// Set where `value` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bound: Option<Tail>,
    /// What was seen, in words.
    pub seen: String,
    /// What follows from it.
    pub verdict: ThresholdVerdict,
}

/// What became of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdVerdict {
    /// What it forbids was not seen.
    Holds,
    /// What it forbids was seen.
    Failed,
    /// The run cannot decide it.
    Undecided,
}

/// How many requests met every objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goodput {
    /// `met` ÷ (`met` + `missed`); `None` where nothing could be judged.
    pub share: Option<f64>,
    /// Requests that succeeded and met every objective.
    pub met: u64,
    /// Requests that failed, or missed one.
    pub missed: u64,
    /// Requests that succeeded and lack a time that an objective is about.
    pub unjudged: u64,
}

impl ThresholdVerdict {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
        }
    }

    const fn of(standing: Standing) -> Self {
        match standing {
            Standing::Holds => Self::Holds,
            Standing::Failed => Self::Failed,
            Standing::Undecided => Self::Undecided,
        }
    }
}

impl Threshold {
    /// What became of a threshold.
    pub fn of(ruling: &Ruling<'_>) -> Self {
        let quantity = ruling.criterion.quantity();
        let scale = if quantity.unit() == Unit::Seconds { 1e3 } else { 1.0 };
        let level = |row: &load::Row<'_>| {
            let (value, value_bound) = match row.finding.observed {
                Observed::Value(value) => (Some(value * scale), None),
                Observed::AtLeast(value) => (Some(value * scale), Some(Tail::Lower)),
                Observed::Missing { .. } => (None, None),
            };
            ThresholdLevel {
                concurrency: row.level.concurrency,
                rate: row.level.rate,
                value: value.map(|value| (value * 1e6).round() / 1e6),
                value_bound,
                seen: seen(quantity, row.finding, row.level.verdict),
                verdict: ThresholdVerdict::of(row.standing),
            }
        };
        Self {
            expression: ruling.criterion.text().to_owned(),
            verdict: ThresholdVerdict::of(ruling.standing()),
            levels: ruling.rows.iter().map(level).collect(),
        }
    }

    /// The threshold and what its verdict rests on: `ttft.p99 > 800ms: 812 ms at c=100`.
    pub fn story(&self) -> String {
        format!("{}: {}", self.expression, self.evidence())
    }

    /// What its verdict rests on: what was seen, and at which levels.
    pub(super) fn evidence(&self) -> String {
        let rows = self.levels.iter().filter(|level| level.verdict == self.verdict);
        let rows: Vec<_> = rows.collect();
        match &rows[..] {
            [] => "the run did not come to that".to_owned(),
            [first, _, ..]
                if rows.len() == self.levels.len() && rows.iter().all(|row| row.seen == first.seen) =>
            {
                format!("{} at every level", first.seen)
            }
            _ => {
                let rows = rows.iter().map(|level| format!("{} at {}", level.seen, level.place()));
                rows.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl ThresholdLevel {
    /// The name of the level, as a threshold has it behind `@`.
    pub fn place(&self) -> String {
        place(self.concurrency, self.rate)
    }
}

/// The name of a level.
pub(super) fn place(concurrency: u32, rate: Option<f64>) -> String {
    rate.map_or_else(|| format!("c={concurrency}"), |rate| format!("rate={rate}/s"))
}

impl Goodput {
    /// The goodput of a level.
    pub(super) fn of(goodput: load::Goodput) -> Self {
        let load::Goodput { met, missed, unjudged } = goodput;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let share = (met + missed > 0).then(|| met as f64 / (met + missed) as f64);
        Self { share: share.map(|share| (share * 1e6).round() / 1e6), met, missed, unjudged }
    }
}

/// A line for each threshold.
pub(super) fn thresholds(document: &Document) -> Vec<String> {
    let line =
        |threshold: &Threshold| format!("fail-if {:9}  {}", threshold.verdict.name(), threshold.story());
    document.thresholds.iter().map(line).collect()
}

/// What was seen, in words.
fn seen(quantity: Quantity, finding: Finding, verdict: Verdict) -> String {
    let unit = quantity.unit();
    let value = match finding.observed {
        Observed::Value(value) => unit.show(value),
        Observed::AtLeast(value) => format!("at least {}", unit.show(value)),
        Observed::Missing { samples: 0 } => "no sample".to_owned(),
        Observed::Missing { samples } => format!("too few samples ({samples})"),
    };
    if verdict == Verdict::ClientBound { format!("{value} from a client-bound level") } else { value }
}
