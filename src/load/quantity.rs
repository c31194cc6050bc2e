//! What of a level a criterion can name: a statistic of a time, a share, a rate or a count.

use std::time::Duration;

use super::metric::Bound;
use super::metric::Metric;
use super::metric::Quantile;
use super::metrics::Metrics;
use super::quantile::Percentile;
use super::summary::Summary;
use crate::outcome::Class;
use crate::outcome::Sample;
use crate::units::Span;
use crate::units::grouped;

/// A time of a request; definitions in `docs/metrics.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Start to the last generated delta.
    Latency,
    /// Start to the first generated delta.
    Ttft,
    /// Start to the first delta that is not reasoning.
    Ttfa,
    /// Start to the first byte of the body.
    Ttfb,
    /// Start to the response headers.
    Headers,
    /// Per output token after the first.
    Tpot,
    /// Between consecutive generated deltas.
    Gap,
    /// The longest gap.
    Stall,
    /// Start to the terminal event.
    End,
    /// Name look-up.
    Dns,
    /// Connecting, TLS included where that is not timed apart.
    Connect,
    /// TLS handshake.
    Tls,
    /// From having a connection until the request had left.
    Send,
    /// Planned start to the last generated delta.
    Response,
    /// Planned start to the start.
    Lag,
}

impl Timing {
    /// Every time, in the order in which they are listed.
    pub const ALL: [Self; 15] = [
        Self::Latency,
        Self::Ttft,
        Self::Ttfa,
        Self::Ttfb,
        Self::Headers,
        Self::Tpot,
        Self::Gap,
        Self::Stall,
        Self::End,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Send,
        Self::Response,
        Self::Lag,
    ];

    /// Those to which a relay adds.
    pub const TAXED: [Self; 4] = [Self::Ttfb, Self::Ttft, Self::Latency, Self::Gap];

    /// The name that people write; with `_ms` behind it the key of the result.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Ttft => "ttft",
            Self::Ttfa => "ttfa",
            Self::Ttfb => "ttfb",
            Self::Headers => "headers",
            Self::Tpot => "tpot",
            Self::Gap => "gap",
            Self::Stall => "stall",
            Self::End => "end",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Response => "response",
            Self::Lag => "lag",
        }
    }

    /// Whether it exists in streamed answers only.
    pub const fn needs_stream(self) -> bool {
        matches!(self, Self::Ttft | Self::Ttfa | Self::Tpot | Self::Gap | Self::Stall)
    }

    /// Whether it exists in an open loop only.
    pub const fn needs_arrivals(self) -> bool {
        matches!(self, Self::Response | Self::Lag)
    }

    /// Its distribution at a level.
    pub const fn of(self, metrics: &Metrics) -> &Metric {
        match self {
            Self::Latency => &metrics.latency,
            Self::Ttft => &metrics.ttft,
            Self::Ttfa => &metrics.ttfa,
            Self::Ttfb => &metrics.ttfb,
            Self::Headers => &metrics.headers,
            Self::Tpot => &metrics.tpot,
            Self::Gap => &metrics.gap,
            Self::Stall => &metrics.stall,
            Self::End => &metrics.end,
            Self::Dns => &metrics.dns,
            Self::Connect => &metrics.connect,
            Self::Tls => &metrics.tls,
            Self::Send => &metrics.send,
            Self::Response => &metrics.response,
            Self::Lag => &metrics.lag,
        }
    }

    /// Its value in one request that began so long after it was due; of the gaps the longest.
    pub(super) fn of_request(self, sample: &Sample, lag: Option<Duration>) -> Option<Duration> {
        let marks = &sample.marks;
        match self {
            Self::Ttft | Self::Ttfa | Self::Tpot | Self::Gap | Self::Stall if !sample.streamed => None,
            Self::Latency => marks.last_delta,
            Self::Ttft => marks.first_delta,
            Self::Ttfa => marks.first_answer,
            Self::Ttfb => marks.first_byte,
            Self::Headers => marks.headers,
            Self::Tpot => sample.time_per_token(),
            Self::Gap | Self::Stall => sample.gaps.iter().max().copied(),
            Self::End => marks.end,
            Self::Dns => marks.dns,
            Self::Connect => marks.connect,
            Self::Tls => marks.tls,
            Self::Send => marks.send,
            Self::Response => lag.zip(marks.last_delta).map(|(lag, latency)| lag + latency),
            Self::Lag => lag,
        }
    }
}

/// A statistic of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Arithmetic mean.
    Average,
    /// Smallest value.
    Least,
    /// Largest value.
    Most,
    /// A percentile.
    At(Percentile),
}

impl Figure {
    /// Every statistic with the name that people write.
    pub const NAMED: [(&str, Self); 7] = [
        ("avg", Self::Average),
        ("min", Self::Least),
        ("max", Self::Most),
        ("p50", Self::At(Percentile::P50)),
        ("p90", Self::At(Percentile::P90)),
        ("p95", Self::At(Percentile::P95)),
        ("p99", Self::At(Percentile::P99)),
    ];

    /// The names of those that are told of what a relay adds.
    pub const TAXED: [&str; 3] = ["avg", "p50", "p99"];

    /// Its value in seconds.
    fn of(self, metric: &Metric, support: Support) -> Observed {
        let known = |value: Option<Duration>| value.map(|value| Observed::Value(value.as_secs_f64()));
        let seen = match self {
            // What was cut would have added to it.
            Self::Average if metric.censored() > 0 => {
                metric.least_average().map(|value| Observed::AtLeast(value.as_secs_f64()))
            }
            Self::Average => known(metric.average()),
            Self::Least => known(metric.min()),
            // The longest may be among those that were cut.
            Self::Most if metric.censored() > 0 => {
                metric.max().map(|value| Observed::AtLeast(value.as_secs_f64()))
            }
            Self::Most => known(metric.max()),
            Self::At(percentile) => support.quantile(metric, percentile).map(|quantile| {
                let value = quantile.value.as_secs_f64();
                match quantile.bound {
                    Bound::Exact => Observed::Value(value),
                    Bound::Lower => Observed::AtLeast(value),
                }
            }),
        };
        seen.unwrap_or(Observed::Missing { samples: metric.count() + metric.censored() })
    }
}

/// What of a level is held against a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// A statistic of a time.
    Time(Timing, Figure),
    /// What the relay adds to a statistic of a time, where each request is made past it, too.
    Tax(Timing, Figure),
    /// Failed requests ÷ requests.
    ErrorRate,
    /// Requests that met every objective ÷ those that could.
    Goodput,
    /// Successful requests per second.
    Rate,
    /// Output tokens per second.
    TokenRate,
    /// Requests of a class.
    Class(Class),
    /// Requests that ended by themselves.
    Requests,
    /// Those of them that failed.
    Errors,
    /// Requests that were cut.
    Censored,
    /// Arrivals that were due and never sent.
    Unsent,
}

/// What was seen of a quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    /// Its value, in the unit of the quantity.
    Value(f64),
    /// A bound below its value: requests were cut before theirs was known.
    AtLeast(f64),
    /// Nothing that could be judged, with how many samples there were.
    Missing {
        /// Samples, cut ones included.
        samples: u64,
    },
}

impl Quantity {
    /// Quantities that have one word for a name; the others are the times and `class.NAME`.
    pub const NAMED: [(&str, Self); 8] = [
        ("error_rate", Self::ErrorRate),
        ("goodput", Self::Goodput),
        ("rate", Self::Rate),
        ("token_rate", Self::TokenRate),
        ("requests", Self::Requests),
        ("errors", Self::Errors),
        ("censored", Self::Censored),
        ("unsent", Self::Unsent),
    ];

    /// The unit of its values.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Time(..) | Self::Tax(..) => Unit::Seconds,
            Self::ErrorRate | Self::Goodput => Unit::Share,
            Self::Rate | Self::TokenRate => Unit::PerSecond,
            Self::Class(_) | Self::Requests | Self::Errors | Self::Censored | Self::Unsent => Unit::Count,
        }
    }

    /// Its value at a level.
    pub fn of(self, level: &Summary, support: Support) -> Observed {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let count = |count: u64| Some(count as f64);
        let share = |part: u64, whole: u64| {
            let (part, whole) = (count(part)?, count(whole).filter(|whole| *whole > 0.0)?);
            Some(part / whole)
        };
        let value = match self {
            Self::Time(timing, figure) => return figure.of(timing.of(&level.metrics), support),
            Self::Tax(timing, figure) => return tax((timing, figure), level, support),
            Self::ErrorRate => share(level.errors, level.requests),
            Self::Goodput => {
                level.goodput.and_then(|goodput| share(goodput.met, goodput.met + goodput.missed))
            }
            Self::Rate => level.rps,
            Self::TokenRate => level.tokens_per_s,
            Self::Class(class) => count(level.classes[class]),
            Self::Requests => count(level.requests),
            Self::Errors => count(level.errors),
            Self::Censored => count(level.censored),
            Self::Unsent => level.delivery.as_ref().and_then(|delivery| count(delivery.unsent)),
        };
        value.map_or(Observed::Missing { samples: level.requests }, Observed::Value)
    }
}

/// What the relay adds: known where both sides are, and bounded where only the requests past it all ended.
fn tax((timing, figure): (Timing, Figure), level: &Summary, support: Support) -> Observed {
    let relay = figure.of(timing.of(&level.metrics), support);
    let direct = level.direct.as_ref().map(|direct| figure.of(timing.of(&direct.metrics), support));
    match (relay, direct) {
        (Observed::Value(relay), Some(Observed::Value(direct))) => Observed::Value(relay - direct),
        (Observed::AtLeast(relay), Some(Observed::Value(direct))) => Observed::AtLeast(relay - direct),
        (missing @ Observed::Missing { .. }, _) | (_, Some(missing @ Observed::Missing { .. })) => missing,
        _ => Observed::Missing { samples: level.requests },
    }
}

/// How many samples a percentile needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As many as it takes to mean something.
    Enough,
    /// However few: of those the TP99 is the largest, which is the stricter judge.
    Any,
}

impl Support {
    fn quantile(self, metric: &Metric, percentile: Percentile) -> Option<Quantile> {
        match self {
            Self::Enough => metric.quantile(percentile),
            Self::Any => metric.quantile_of_any(percentile),
        }
    }
}

/// The unit in which a quantity is held against its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, written as a time.
    Seconds,
    /// A part of the whole between 0 and 1, written as a percentage or a fraction.
    Share,
    /// So many a second.
    PerSecond,
    /// A number of things.
    Count,
}

impl Unit {
    /// A value as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => {
                let sign = if value < 0.0 { "-" } else { "" };
                format!("{sign}{}", Span(Duration::try_from_secs_f64(value.abs()).unwrap_or_default()))
            }
            Self::Share => format!("{:.2} %", value * 100.0),
            Self::PerSecond => format!("{value:.1}/s"),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts are whole and positive"
            )]
            Self::Count => grouped(value as u64),
        }
    }
}
