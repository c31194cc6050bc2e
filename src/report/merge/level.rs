//! One level of several shards as one: counts and histograms are added, rates too, and the verdict is found anew.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::super::document::ArrivalCounts;
use super::super::document::Distribution;
use super::super::document::Document;
use super::super::document::FailureNote;
use super::super::document::Level;
use super::super::document::Second;
use super::super::health::Client;
use super::super::restored::metric;
use super::super::result::rounded;
use super::super::threshold::Goodput;
use super::MergeError;
use super::shares;
use crate::load;
use crate::load::Evidence;
use crate::load::Metric;
use crate::load::Percentile;
use crate::load::Verdict;
use crate::load::bottlenecks;
use crate::load::judge;
use crate::outcome::Class;
use crate::units::Shard;

/// One of the results to add up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) shard: Shard,
    pub(super) started: Timestamp,
    pub(super) document: &'a Document,
}

impl Part<'_> {
    /// When the window of a level began, on the wall clock of its machine.
    pub(super) fn window_at(&self, position: usize) -> Option<Timestamp> {
        let level = self.document.levels.get(position)?;
        let after = Duration::try_from_secs_f64(level.window_at_s).ok()?;
        self.started.checked_add(after).ok()
    }
}

/// The level at a position, of all parts that have it; `began` is the start of the sum, with the level before.
pub(super) fn merged(
    parts: &[Part<'_>],
    position: usize,
    (began, previous): (Timestamp, Option<&Level>),
) -> Result<Level, MergeError> {
    let having: Vec<(&Part<'_>, &Level)> = parts
        .iter()
        .filter_map(|part| part.document.levels.get(position).map(|level| (part, level)))
        .collect();
    let sums = Sums { position, having: &having };
    let window = sums.window(began);
    let levels = || having.iter().map(|(_, level)| *level);
    let sum = |count: fn(&Level) -> u64| levels().map(count).sum::<u64>();
    let plan = &parts[0].document.plan;
    let mut level = Level {
        concurrency: plan.levels.get(position).copied().unwrap_or_default(),
        rate: having[0].1.rate,
        arrivals: arrivals(levels().filter_map(|level| level.arrivals.as_ref())),
        window_at_s: window.at_s,
        window_s: window.length_s,
        requests: sum(|level| level.requests),
        errors: sum(|level| level.errors),
        censored: sum(|level| level.censored),
        classes: counted(levels().map(|level| &level.classes)),
        rps: sums.rate(&window, |level| level.rps),
        tokens_per_s: sums.rate(&window, |level| level.tokens_per_s),
        tokens_estimated: levels().any(|level| level.tokens_estimated),
        goodput: goodput(levels().filter_map(|level| level.goodput.as_ref())),
        latency_ms: sums.metric("latency_ms", Reach::Cut, |level| level.latency_ms.as_ref())?,
        ttft_ms: sums.metric("ttft_ms", Reach::Cut, |level| level.ttft_ms.as_ref())?,
        ttfa_ms: sums.metric("ttfa_ms", Reach::Cut, |level| level.ttfa_ms.as_ref())?,
        ttfb_ms: sums.metric("ttfb_ms", Reach::Cut, |level| level.ttfb_ms.as_ref())?,
        headers_ms: sums.metric("headers_ms", Reach::Cut, |level| level.headers_ms.as_ref())?,
        tpot_ms: sums.metric("tpot_ms", Reach::Ended, |level| level.tpot_ms.as_ref())?,
        gap_ms: sums.metric("gap_ms", Reach::Ended, |level| level.gap_ms.as_ref())?,
        stall_ms: sums.metric("stall_ms", Reach::Ended, |level| level.stall_ms.as_ref())?,
        end_ms: sums.metric("end_ms", Reach::Cut, |level| level.end_ms.as_ref())?,
        dns_ms: sums.metric("dns_ms", Reach::Ended, |level| level.dns_ms.as_ref())?,
        connect_ms: sums.metric("connect_ms", Reach::Ended, |level| level.connect_ms.as_ref())?,
        tls_ms: sums.metric("tls_ms", Reach::Ended, |level| level.tls_ms.as_ref())?,
        send_ms: sums.metric("send_ms", Reach::Ended, |level| level.send_ms.as_ref())?,
        response_ms: sums.metric("response_ms", Reach::Unsent, |level| level.response_ms.as_ref())?,
        lag_ms: sums.metric("lag_ms", Reach::Ended, |level| level.lag_ms.as_ref())?,
        failures: failures(levels().flat_map(|level| &level.failures)),
        client: Client::worst(levels().map(|level| &level.client)),
        timeline: timeline(levels()),
        ended_early: levels().any(|level| level.ended_early),
        late_s: levels().filter_map(|level| level.late_s).reduce(f64::max),
        verdict: Verdict::Ok,
        endpoints: shares::merged(&having, (position, window.length_s))?,
        // Requests that are made twice are not spread over processes.
        direct: None,
    };
    let evidence = evidence(&level, previous);
    level.verdict = judge(&evidence);
    level.client.bound_by = bottlenecks(&evidence);
    Ok(level)
}

/// Which requests besides those that ended a distribution speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// None.
    Ended,
    /// Those that were cut.
    Cut,
    /// Those that were cut or never sent.
    Unsent,
}

/// The window of a sum.
struct Window {
    at_s: f64,
    length_s: f64,
}

/// One level of the parts that have it.
struct Sums<'a> {
    position: usize,
    having: &'a [(&'a Part<'a>, &'a Level)],
}

impl<'a> Sums<'a> {
    /// The window of all: of one length where the plan gives it, else from the first start to the last end.
    fn window(&self, began: Timestamp) -> Window {
        let spans = self.having.iter().filter_map(|(part, level)| {
            let from = part.window_at(self.position)?.duration_since(began).as_secs_f64();
            Some((from, from + level.window_s))
        });
        let (from, to) = spans.fold((f64::MAX, 0.0), |(from, to), span| (span.0.min(from), span.1.max(to)));
        let longest = self.having.iter().map(|(_, level)| level.window_s).fold(0.0, f64::max);
        let of_plan = self.having[0].0.document.plan.window_s;
        let length_s = if of_plan.is_some() { longest } else { rounded(to - from) };
        Window { at_s: rounded(from), length_s }
    }

    /// What happened per second of the window of all.
    fn rate(&self, window: &Window, of: fn(&Level) -> Option<f64>) -> Option<f64> {
        overall(self.having.iter().map(|(_, level)| (of(level), level.window_s)), window.length_s)
    }

    /// One distribution of all.
    fn metric(
        &self,
        name: &'static str,
        reach: Reach,
        of: fn(&Level) -> Option<&Distribution>,
    ) -> Result<Option<Distribution>, MergeError> {
        let of_part = |(part, level): &(&'a Part<'a>, &'a Level)| {
            let unsent = level.arrivals.as_ref().map_or(0, |arrivals| arrivals.unsent);
            let beside = match reach {
                Reach::Ended => 0,
                Reach::Cut => level.censored,
                Reach::Unsent => level.censored + unsent,
            };
            (*part, of(level), beside)
        };
        summed((self.position, name), self.having.iter().map(of_part))
    }
}

/// One distribution of several parts, each with the number of requests that it speaks of besides those that ended.
pub(super) fn summed<'a>(
    (position, name): (usize, &'static str),
    parts: impl Iterator<Item = (&'a Part<'a>, Option<&'a Distribution>, u64)>,
) -> Result<Option<Distribution>, MergeError> {
    let mut sum = Metric::default();
    for (part, saved, beside) in parts {
        let Some(saved) = saved else {
            // A part in which nothing ended keeps no ages of what was cut; that each was 0 or more is certain.
            (0..beside).for_each(|_| sum.censor(Duration::ZERO));
            continue;
        };
        sum.merge(&metric(saved).map_err(|source| MergeError::Metric {
            name: part.name.to_owned(),
            level: position + 1,
            metric: name,
            source,
        })?);
    }
    Ok(Distribution::of(&sum))
}

/// What happened per second of a window, of rates within windows of their own, all in seconds.
pub(super) fn overall(rates: impl Iterator<Item = (Option<f64>, f64)>, window_s: f64) -> Option<f64> {
    let amounts: Vec<f64> = rates.filter_map(|(rate, length_s)| Some(rate? * length_s)).collect();
    (!amounts.is_empty() && window_s > 0.0).then(|| rounded(amounts.iter().sum::<f64>() / window_s))
}

/// Requests by class over all parts.
pub(super) fn counted<'a>(parts: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (class, count) in parts.flatten() {
        *sum.entry(class.clone()).or_insert(0) += count;
    }
    sum
}

/// How many requests of all parts met the objectives.
fn goodput<'a>(parts: impl Iterator<Item = &'a Goodput>) -> Option<Goodput> {
    let add = |sum: Goodput, part: Goodput| {
        Goodput::of(load::Goodput {
            met: sum.met + part.met,
            missed: sum.missed + part.missed,
            unjudged: sum.unjudged + part.unjudged,
        })
    };
    parts.cloned().reduce(add)
}

/// Each second of all parts, counted from where each of them began.
fn timeline<'a>(parts: impl Iterator<Item = &'a Level>) -> Vec<Second> {
    let mut sum: Vec<Second> = Vec::new();
    for part in parts {
        for (at, second) in part.timeline.iter().enumerate() {
            let Some(mine) = sum.get_mut(at) else {
                sum.push(second.clone());
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "counts of one second stay far below 2^52")]
            let waits = |second: &Second| second.ttft_avg_ms.map(|mean| mean * second.ttft_n as f64);
            let total = waits(mine).into_iter().chain(waits(second)).reduce(|one, other| one + other);
            mine.ok += second.ok;
            mine.errors += second.errors;
            mine.in_flight += second.in_flight;
            mine.ttft_n += second.ttft_n;
            #[expect(clippy::cast_precision_loss, reason = "counts of one second stay far below 2^52")]
            let count = mine.ttft_n as f64;
            mine.ttft_avg_ms = total.map(|total| (total / count * 1e3).round() / 1e3);
        }
    }
    sum
}

/// What became of the arrivals of all parts.
fn arrivals<'a>(parts: impl Iterator<Item = &'a ArrivalCounts>) -> Option<ArrivalCounts> {
    let add = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(rounded(one + other)),
        (one, other) => one.or(other),
    };
    parts.cloned().reduce(|sum, part| ArrivalCounts {
        planned: sum.planned + part.planned,
        sent: sum.sent + part.sent,
        late: sum.late + part.late,
        capped: sum.capped + part.capped,
        unsent: sum.unsent + part.unsent,
        planned_per_s: add(sum.planned_per_s, part.planned_per_s),
        sent_per_s: add(sum.sent_per_s, part.sent_per_s),
        own_lag_p99_ms: sum.own_lag_p99_ms.into_iter().chain(part.own_lag_p99_ms).reduce(f64::max),
    })
}

/// The first failure of each class, with the number of all.
fn failures<'a>(notes: impl Iterator<Item = &'a FailureNote>) -> Vec<FailureNote> {
    let mut all: Vec<FailureNote> = Vec::new();
    for note in notes {
        let Some(known) = all.iter_mut().find(|known| known.class == note.class) else {
            all.push(note.clone());
            continue;
        };
        let count = known.count + note.count;
        if note.after_s < known.after_s {
            *known = note.clone();
        }
        known.count = count;
    }
    all.sort_by_key(|note| Class::ALL.iter().position(|class| class.name() == note.class));
    all
}

/// What the sum is judged by, as any level is.
fn evidence(level: &Level, previous: Option<&Level>) -> Evidence {
    let span = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).ok();
    let waits = level.ttft_ms.as_ref().or(level.latency_ms.as_ref()).and_then(|saved| metric(saved).ok());
    let wait_p99 = waits.and_then(|waits| waits.quantile_of_any(Percentile::P99));
    let of_class = |class: Class| level.classes.get(class.name()).copied().unwrap_or(0);
    let arrivals = level.arrivals.as_ref();
    Evidence {
        concurrency: level.concurrency,
        ok: level.requests - level.errors,
        wait_p99: wait_p99.map(|quantile| quantile.value),
        delay_p99: level.client.event_loop_delay_p99_ms.and_then(span),
        busy_max: level.client.busy_max,
        client_limited: of_class(Class::ClientLimit),
        turned_away: of_class(Class::RateLimited) + of_class(Class::Overloaded),
        rps: level.rps,
        own_lag_p99: arrivals.and_then(|arrivals| arrivals.own_lag_p99_ms).and_then(span),
        held_back: arrivals.map_or(0, |arrivals| arrivals.capped + arrivals.unsent),
        shortfall: arrivals.and_then(|arrivals| Some(1.0 - arrivals.sent_per_s? / arrivals.planned_per_s?)),
        previous: previous
            .filter(|_| arrivals.is_none())
            .and_then(|before| Some((before.concurrency, before.rps?))),
    }
}
