//! A condition on a level as people write it, `ttft.p99 > 800ms @c=100`, and whether it is true.

use super::quantity::Figure;
use super::quantity::Observed;
use super::quantity::Quantity;
use super::quantity::Support;
use super::quantity::Timing;
use super::quantity::Unit;
use super::summary::Summary;
use crate::outcome::Class;
use crate::units::Rate;
use crate::units::Span;
use crate::units::nearest;

/// How a value is held against a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Comparison {
    /// The signs, the longer ones first so that neither hides the other.
    const SIGNS: [(&str, Self); 4] =
        [(">=", Self::AtLeast), ("<=", Self::AtMost), (">", Self::Above), ("<", Self::Below)];

    /// Whether it is true of a value.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
        }
    }

    /// Whether larger values make it true.
    const fn wants_more(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }
}

/// The one level that a criterion is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// `@c=100`, so many users or requests in flight.
    Concurrency(u32),
    /// `@rate=50/s`, arrivals per second.
    Rate(f64),
}

/// A condition on a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// As it was written.
    text: String,
    quantity: Quantity,
    comparison: Comparison,
    /// In the unit of the quantity.
    bound: f64,
    /// Absent where it is about every level.
    place: Option<Place>,
}

/// Why a condition was refused; the text says what would have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// There is no sign of comparison.
    #[error("write a metric, one of > >= < <=, and a bound, as in 'ttft.p99 > 800ms'")]
    NoComparison,
    /// There is no such metric.
    #[error("there is no metric '{name}'{}; write one of {}", meant(.near.as_ref()), metrics())]
    UnknownMetric {
        /// What was written.
        name: String,
        /// The metric it is nearest to.
        near: Option<String>,
    },
    /// There is no such statistic.
    #[error("there is no statistic '{figure}' of {metric}; write one of {}", figures(.metric))]
    UnknownFigure {
        /// The metric.
        metric: String,
        /// What was written.
        figure: String,
    },
    /// A time without a statistic.
    #[error("{0} is a distribution; write which of its statistics is meant, one of {list}", list = figures(.0))]
    NoFigure(String),
    /// A name with a statistic that is one figure itself.
    #[error("{0} is one figure; write it without a statistic")]
    NeedlessFigure(String),
    /// Nothing of that name is known of what a relay adds.
    #[error("'{0}' is no figure of what a relay adds; write one of {list}", list = taxes())]
    UnknownTax(String),
    /// There is no such class.
    #[error("there is no class '{0}'; write one of {list}", list = classes())]
    UnknownClass(String),
    /// The bound is none of the metric's.
    #[error("'{text}' is no bound of {metric}: {wanted}")]
    BadBound {
        /// What was written.
        text: String,
        /// The metric.
        metric: String,
        /// What would have been one.
        wanted: String,
    },
    /// What follows `@` names no level.
    #[error("'@{0}' names no level; write @c=100 or @rate=50/s")]
    BadPlace(String),
}

/// Whether a criterion is true of a level, and by what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// What was seen.
    pub observed: Observed,
    /// The answer; `None` where what was seen does not decide it.
    pub is_true: Option<bool>,
}

impl Criterion {
    /// Reads a threshold: a time in it names its statistic.
    pub fn threshold(text: &str) -> Result<Self, CriterionError> {
        Self::read(text, None)
    }

    /// Reads an objective: a time without a statistic means its TP99.
    pub fn objective(text: &str) -> Result<Self, CriterionError> {
        Self::read(text, Some("p99"))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is about.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// How the quantity is held against the bound.
    pub const fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// The bound, in the unit of the quantity.
    pub const fn bound(&self) -> f64 {
        self.bound
    }

    /// The one level it is about; `None` where it is about every one.
    pub const fn place(&self) -> Option<Place> {
        self.place
    }

    /// Whether it is about this level.
    pub fn concerns(&self, level: &Summary) -> bool {
        match self.place {
            None => true,
            Some(Place::Concurrency(users)) => users == level.concurrency,
            Some(Place::Rate(rate)) => level.rate.is_some_and(|planned| is_same_rate(planned, rate)),
        }
    }

    /// Whether it is true of a level.
    pub fn judge(&self, level: &Summary) -> Finding {
        self.judge_by(level, Support::Enough)
    }

    /// Whether it is true of a level, with percentiles of so many samples.
    pub(super) fn judge_by(&self, level: &Summary, support: Support) -> Finding {
        let observed = self.quantity.of(level, support);
        let is_true = match observed {
            Observed::Value(value) => Some(self.comparison.holds(value, self.bound)),
            // The true value is this or more, which decides nothing on this side of the bound.
            Observed::AtLeast(value) => {
                let holds = self.comparison.holds(value, self.bound);
                (holds == self.comparison.wants_more()).then_some(holds)
            }
            Observed::Missing { .. } => None,
        };
        Finding { observed, is_true }
    }

    fn read(text: &str, figure: Option<&str>) -> Result<Self, CriterionError> {
        let text = text.trim();
        let (condition, place) = match text.split_once('@') {
            Some((condition, place)) => (condition, Some(place_of(place.trim())?)),
            None => (text, None),
        };
        let sign =
            |(sign, comparison)| condition.split_once(sign).map(|(name, bound)| (name, comparison, bound));
        let (name, comparison, bound) =
            Comparison::SIGNS.into_iter().find_map(sign).ok_or(CriterionError::NoComparison)?;
        let quantity = quantity_of(name.trim(), figure)?;
        let bound = bound_of(bound.trim(), name.trim(), quantity.unit())?;
        Ok(Self { text: text.to_owned(), quantity, comparison, bound, place })
    }
}

/// Whether two rates are the same but for how they were written.
pub fn is_same_rate(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

fn quantity_of(name: &str, default: Option<&str>) -> Result<Quantity, CriterionError> {
    let (metric, figure) = match name.split_once('.') {
        Some((metric, figure)) => (metric, Some(figure)),
        None => (name, None),
    };
    if metric == "class" {
        let class = figure.unwrap_or_default();
        let known = Class::ALL.into_iter().find(|known| known.name() == class);
        return known.map(Quantity::Class).ok_or_else(|| CriterionError::UnknownClass(class.to_owned()));
    }
    if metric == "tax" {
        return tax_of(figure.unwrap_or_default()).ok_or_else(|| CriterionError::UnknownTax(name.to_owned()));
    }
    if let Some((_, quantity)) = Quantity::NAMED.into_iter().find(|(known, _)| *known == metric) {
        return match figure {
            None => Ok(quantity),
            Some(_) => Err(CriterionError::NeedlessFigure(metric.to_owned())),
        };
    }
    let Some(timing) = Timing::ALL.into_iter().find(|timing| timing.name() == metric) else {
        let near = nearest(metric, &names()).map(str::to_owned);
        return Err(CriterionError::UnknownMetric { name: name.to_owned(), near });
    };
    let figure = figure.or(default).ok_or_else(|| CriterionError::NoFigure(metric.to_owned()))?;
    let known = Figure::NAMED.into_iter().find(|(known, _)| *known == figure);
    let unknown = || CriterionError::UnknownFigure { metric: metric.to_owned(), figure: figure.to_owned() };
    known.map(|(_, figure)| Quantity::Time(timing, figure)).ok_or_else(unknown)
}

/// What a relay adds to a time, as in `ttft.p99`.
fn tax_of(name: &str) -> Option<Quantity> {
    let (timing, figure) = name.split_once('.')?;
    let timing = Timing::TAXED.into_iter().find(|known| known.name() == timing)?;
    let known = |(known, _): &(&str, Figure)| *known == figure && Figure::TAXED.contains(known);
    Figure::NAMED.into_iter().find(known).map(|(_, figure)| Quantity::Tax(timing, figure))
}

fn bound_of(text: &str, metric: &str, unit: Unit) -> Result<f64, CriterionError> {
    let number =
        |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let read = match unit {
        Unit::Seconds => {
            text.parse::<Span>().map(|span| span.0.as_secs_f64()).map_err(|error| error.to_string())
        }
        Unit::Share => {
            let share =
                text.strip_suffix('%').map_or_else(|| number(text), |text| Some(number(text)? / 100.0));
            let share = share.filter(|share| *share <= 1.0);
            share.ok_or_else(|| "write a share of the whole, as in 1% or 0.01".to_owned())
        }
        Unit::PerSecond => text.parse::<Rate>().map(Rate::per_second).map_err(|error| error.to_string()),
        Unit::Count => number(text)
            .filter(|number| number.fract() == 0.0)
            .ok_or_else(|| "write a whole number, as in 0 or 10".to_owned()),
    };
    read.map_err(|wanted| CriterionError::BadBound {
        text: text.to_owned(),
        metric: metric.to_owned(),
        wanted,
    })
}

fn place_of(text: &str) -> Result<Place, CriterionError> {
    let place = match text.split_once('=') {
        Some(("c", users)) => users.parse().ok().map(Place::Concurrency),
        Some(("rate", rate)) => rate.parse::<Rate>().ok().map(|rate| Place::Rate(rate.per_second())),
        _ => None,
    };
    place.ok_or_else(|| CriterionError::BadPlace(text.to_owned()))
}

/// Every metric with a name of its own.
fn names() -> Vec<&'static str> {
    let times = Timing::ALL.into_iter().map(Timing::name);
    times.chain(Quantity::NAMED.into_iter().map(|(name, _)| name)).collect()
}

/// The metrics as a refusal lists them.
fn metrics() -> String {
    let times: Vec<_> = Timing::ALL.into_iter().map(Timing::name).collect();
    let others: Vec<_> = Quantity::NAMED.into_iter().map(|(name, _)| name).collect();
    let figures: Vec<_> = Figure::NAMED.into_iter().map(|(name, _)| name).collect();
    format!(
        "{} with .{}; {}, class.NAME; with --direct tax.TIME.FIGURE, as in tax.ttft.p99",
        times.join(", "),
        figures.join(" ."),
        others.join(", ")
    )
}

fn figures(metric: &str) -> String {
    let named: Vec<_> = Figure::NAMED.into_iter().map(|(name, _)| format!("{metric}.{name}")).collect();
    named.join(", ")
}

fn taxes() -> String {
    let of = |timing: Timing| Figure::TAXED.map(|figure| format!("tax.{}.{figure}", timing.name()));
    Timing::TAXED.into_iter().flat_map(of).collect::<Vec<_>>().join(", ")
}

fn classes() -> String {
    let named: Vec<_> = Class::ALL.into_iter().map(|class| format!("class.{}", class.name())).collect();
    named.join(", ")
}

fn meant(near: Option<&String>) -> String {
    near.map(|near| format!(", did you mean {near}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
