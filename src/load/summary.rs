//! The result of one level: what all of its workers wrote down, added up and judged.

use std::time::Duration;

use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::delivery::Delivery;
use super::metrics::Metrics;
use super::monitor::Health;
use super::objective::Goodput;
use super::pairs::{Pairs, Sieve};
use super::plan::Extent;
use super::quantile::Percentile;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::share::Share;
use super::side::Sides;
use super::tally::ClassCounts;
use super::tally::Failure;
use super::timeline::Timeline;
use super::verdict::Bottleneck;
use super::verdict::Evidence;
use super::verdict::Verdict;
use super::verdict::bottlenecks;
use super::verdict::judge;
use crate::outcome::Class;

/// The result of one level.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Users of the level; in an open loop the most requests in flight.
    pub concurrency: u32,
    /// Planned arrivals a second; absent in a closed loop, and where the rate changes.
    pub rate: Option<f64>,
    /// What became of the arrivals of an open loop.
    pub delivery: Option<Delivery>,
    /// When the window to which the rates refer began.
    pub window_from: Instant,
    /// Its length in seconds.
    pub window_s: f64,
    /// Recorded requests that ended by themselves, failures included, cut ones not.
    pub requests: u64,
    /// Those that succeeded.
    pub ok: u64,
    /// Those that failed.
    pub errors: u64,
    /// Recorded requests that were cut before they ended.
    pub censored: u64,
    /// Recorded requests by class, cut ones as `cancelled`.
    pub classes: ClassCounts,
    /// Successful requests per second, by overlap; absent where the window has no length.
    pub rps: Option<f64>,
    /// Output tokens per second, by overlap; absent where no request told its tokens.
    pub tokens_per_s: Option<f64>,
    /// Whether some of the tokens were estimated.
    pub tokens_estimated: bool,
    /// How many requests met the objectives; absent where there are none.
    pub goodput: Option<Goodput>,
    /// The distributions.
    pub metrics: Metrics,
    /// The first failure of each class that occurred.
    pub failures: Vec<Failure>,
    /// The client's own health.
    pub health: Health,
    /// What the figures are worth.
    pub verdict: Verdict,
    /// What of the client is in the figures.
    pub bottlenecks: Vec<Bottleneck>,
    /// Whether the level was stopped before its planned end.
    pub ended_early: bool,
    /// What happened in each second from the beginning of the measured part on.
    pub timeline: Timeline,
    /// How long after its slot began the level did; absent where there are no slots.
    pub late: Option<Duration>,
    /// What each of several endpoints did; empty where there is no choice.
    pub shares: Vec<Share>,
    /// The other side, where each request was made twice; all figures above are of the relay alone.
    pub direct: Option<Box<Direct>>,
}

/// What became of the requests that went past the relay.
#[derive(Debug, Clone, Default)]
pub struct Direct {
    /// Recorded requests by class, cut ones as `cancelled`.
    pub classes: ClassCounts,
    /// The distributions.
    pub metrics: Metrics,
    /// The first failure of each class that occurred.
    pub failures: Vec<Failure>,
    /// Which of them belong to which of the relay's.
    pub pairs: Pairs,
}

/// What a summary is made of.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub schedule: Schedule,
    pub recorder: Recorder,
    /// What was written down of the other side, where each request was made twice.
    pub direct: Recorder,
    /// Which requests of the two belong together.
    pub pairs: Sieve,
    pub health: Health,
    /// When the run was stopped, if it was.
    pub stopped_at: Option<Instant>,
    /// When requests were due; open loop only.
    pub arrivals: Option<&'a Arrivals>,
    /// Whether requests were held to objectives.
    pub has_objectives: bool,
    /// How long after its slot began the level did.
    pub late: Option<Duration>,
    /// The level before.
    pub previous: Option<&'a Summary>,
}

impl Summary {
    /// Adds up a level; `None` where it was stopped before anything was measured.
    pub(super) fn of(level: Course<'_>) -> Option<Self> {
        let (from, to) = window(&level)?;
        let direct = level.other_side();
        let Course {
            schedule, recorder, health, stopped_at, arrivals, has_objectives, late, previous, ..
        } = level;
        let delivery = arrivals.map(|_| recorder.delivery);
        let rates = recorder.throughput.rates(from, to);
        let (ok, errors) = (recorder.classes.ok(), recorder.classes.failures());
        let censored = recorder.classes[Class::Cancelled];
        let (rps, metrics) = (rates.map(|rates| rates.requests), recorder.metrics);
        // A delay of the client's weighs most where there is least to wait for.
        let waits =
            std::iter::once(&metrics).chain(direct.iter().map(|direct| &direct.metrics)).map(wait_p99);
        let evidence = Evidence {
            concurrency: schedule.users,
            ok,
            wait_p99: waits.flatten().min(),
            delay_p99: health.delay_p99,
            busy_max: health.busy_max,
            client_limited: recorder.classes[Class::ClientLimit],
            turned_away: recorder.classes[Class::RateLimited] + recorder.classes[Class::Overloaded],
            rps,
            previous: previous
                .filter(|_| arrivals.is_none())
                .and_then(|before| before.rps.map(|rps| (before.concurrency, rps))),
            own_lag_p99: delivery.as_ref().and_then(Delivery::own_lag_p99),
            held_back: delivery.as_ref().map_or(0, |delivery| delivery.capped + delivery.unsent),
            shortfall: delivery.as_ref().and_then(Delivery::shortfall),
        };
        let ended_early = match (schedule.extent, stopped_at) {
            (_, None) => false,
            (Extent::Window(window), Some(at)) => at < schedule.measured_from + window,
            (Extent::Requests(requests), Some(_)) => ok + errors < requests,
        };
        Some(Self {
            concurrency: schedule.users,
            rate: arrivals.and_then(Arrivals::rate),
            delivery,
            window_from: from,
            window_s: to.saturating_duration_since(from).as_secs_f64(),
            requests: ok + errors,
            ok,
            errors,
            censored,
            classes: recorder.classes,
            rps,
            tokens_per_s: rates.and_then(|rates| rates.tokens),
            tokens_estimated: recorder.throughput.is_estimated(),
            goodput: has_objectives.then_some(recorder.goodput),
            metrics,
            failures: recorder.failures,
            health,
            verdict: judge(&evidence),
            bottlenecks: bottlenecks(&evidence),
            ended_early,
            timeline: recorder.timeline,
            late,
            shares: recorder.shares.within(from, to),
            direct,
        })
    }
}

impl Course<'_> {
    /// The other side, where each request was made twice.
    fn other_side(&self) -> Option<Box<Direct>> {
        let Recorder { classes, metrics, failures, .. } = &self.direct;
        let side = || Direct {
            classes: *classes,
            metrics: metrics.clone(),
            failures: failures.clone(),
            pairs: self.pairs.pairs(),
        };
        (self.schedule.sides == Sides::Pairs).then(|| Box::new(side()))
    }
}

/// TP99 of what a request waits for: its first token, or where nothing was streamed the answer.
fn wait_p99(metrics: &Metrics) -> Option<Duration> {
    let waits = if metrics.ttft.count() > 0 { &metrics.ttft } else { &metrics.latency };
    waits.quantile_of_any(Percentile::P99).map(|quantile| quantile.value)
}

/// The window to which rates refer: the planned one, or from the first recorded start to the last end; either ends
/// with the last start that was allowed.
fn window(level: &Course<'_>) -> Option<(Instant, Instant)> {
    let (from, to) = match level.schedule.window_end() {
        Some(end) => (level.schedule.measured_from, end),
        None => (level.recorder.first_start?, level.recorder.last_end?),
    };
    let to = level.stopped_at.map_or(to, |stopped_at| to.min(stopped_at));
    (from <= to).then_some((from, to))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A level of one user in which nothing happened.
    pub(in crate::load) fn empty() -> Summary {
        Summary {
            concurrency: 1,
            rate: None,
            delivery: None,
            window_from: Instant::now(),
            window_s: 1.0,
            requests: 0,
            ok: 0,
            errors: 0,
            censored: 0,
            classes: ClassCounts::default(),
            rps: None,
            tokens_per_s: None,
            tokens_estimated: false,
            goodput: None,
            metrics: Metrics::default(),
            failures: Vec::new(),
            health: Health::default(),
            verdict: Verdict::Ok,
            bottlenecks: Vec::new(),
            ended_early: false,
            timeline: Timeline::default(),
            late: None,
            shares: Vec::new(),
            direct: None,
        }
    }
}
