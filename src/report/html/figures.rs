//! The figures of the page and, beside each, the table that says the same in numbers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::super::columns::Marked;
use super::super::columns::tp99;
use super::super::columns::whole;
use super::super::document::Distribution;
use super::super::document::Document;
use super::super::document::Level;
use super::super::restored::metric;
use super::super::threshold::place;
use super::plot::Axis;
use super::plot::Figure;
use super::plot::Series;
use super::plot::Stroke;
use super::plot::svg;
use crate::load::Bound;
use crate::load::Percentile;
use crate::load::read_histogram;
use crate::units::grouped;

/// A figure on the page.
#[derive(Debug, Serialize)]
pub(super) struct Plate {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) caption: &'static str,
    pub(super) svg: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// All figures that the document has the figures for.
pub(super) fn plates(document: &Document) -> Vec<Plate> {
    let mut plates = vec![curve(document), distribution(document)];
    plates.extend(timeline(document));
    plates.retain(|plate| !plate.rows.is_empty());
    plates
}

/// What a level is called on the page.
pub(super) fn name(level: &Level) -> String {
    level.rate.map_or_else(|| format!("c={}", level.concurrency), |rate| format!("{}/s", number(rate)))
}

/// What a level made its users wait: of an open loop from when a request was due, since a relay that stands still would
/// hide behind the requests that it kept from being sent.
pub(super) fn waiting(level: &Level) -> Option<&Distribution> {
    level.response_ms.as_ref().or(level.latency_ms.as_ref())
}

/// The name of that time.
fn waiting_name(document: &Document) -> &'static str {
    if document.plan.arrivals.is_some() { "response (ms)" } else { "latency (ms)" }
}

/// Latency over the rate that was carried, one point a level.
fn curve(document: &Document) -> Plate {
    let knee = document.knee.as_ref().map(|knee| knee.level.as_str());
    let words_of = |level: &Level| {
        let mark =
            if knee == Some(place(level.concurrency, level.rate).as_str()) { ", the knee" } else { "" };
        format!("{} TP99{mark}", name(level))
    };
    let points: Vec<_> = document
        .levels
        .iter()
        .filter_map(|level| {
            let waiting = waiting(level)?;
            Some((level, level.rps?, waiting.avg, tp99(level, Some(waiting))))
        })
        .collect();
    let p99: Vec<_> = points.iter().filter_map(|(_, rps, _, p99)| Some((*rps, (*p99)?.0))).collect();
    let averages: Vec<_> = points.iter().map(|(_, rps, average, _)| (*rps, *average)).collect();
    let words = |points: &[(f64, f64)], word: &str| {
        points.last().map(|last| (*last, word.to_owned())).into_iter().collect::<Vec<_>>()
    };
    let mut of_levels: Vec<_> =
        points.iter().filter_map(|(level, rps, _, p99)| Some(((*rps, (*p99)?.0), words_of(level)))).collect();
    of_levels.dedup_by(|one, other| one.1 == other.1);
    let top = p99.iter().chain(&averages).map(|(_, y)| *y).fold(0.0, f64::max);
    let most = averages.iter().map(|(x, _)| *x).fold(0.0, f64::max);
    let series = vec![
        Series { number: 0, stroke: Stroke::Solid, points: p99, words: of_levels },
        Series { number: 1, stroke: Stroke::Dashed, words: words(&averages, "average"), points: averages },
    ];
    let figure = Figure {
        height: 360,
        x: Axis { name: "successful requests per second", ..linear(most) },
        y: Axis { name: waiting_name(document), ..linear(top) },
        series,
    };
    let row = |(level, rps, average, p99): &(&Level, f64, f64, Marked)| {
        vec![name(level), number(*rps), number(*average), p99.map_or("n/a".to_owned(), marked)]
    };
    Plate {
        id: "curve",
        title: "Load curve",
        caption: "Latency (of an open loop: from when a request was due) over the rate that was carried, one point a \
                  level: TP99 as circles on a line, the average as triangles on a dashed line.",
        svg: svg(&figure),
        head: ["Level", "Requests/s", "Average (ms)", "TP99 (ms)"].map(str::to_owned).to_vec(),
        rows: points.iter().map(row).collect(),
    }
}

/// Percentiles up to which the distribution is drawn, as powers of ten of what lies beyond: 1 is 90 %, 2 is 99 %.
const STEPS: u32 = 40;

/// The distribution of latency at each level, on logarithmic axes.
fn distribution(document: &Document) -> Plate {
    let mut series = Vec::new();
    let mut rows = Vec::new();
    for (index, level) in document.levels.iter().enumerate() {
        let Some(saved) = waiting(level) else { continue };
        let bytes = BASE64_STANDARD.decode(&saved.hdr).ok();
        let Some(histogram) = bytes.and_then(|bytes| read_histogram(&bytes)) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "counts and durations stay far below 2^52")]
        let (count, at) =
            (histogram.len() as f64, |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3);
        let points: Vec<_> = (0..=STEPS)
            .map(|step| f64::from(step) / 10.0)
            // Beyond the last request there is nothing to draw.
            .take_while(|nines| 10.0_f64.powf(-nines) * count >= 1.0)
            .map(|nines| (nines, at(1.0 - 10.0_f64.powf(-nines)).max(0.001).log10()))
            .collect();
        let words = points.last().map(|last| (*last, name(level))).into_iter().collect();
        let stroke = if index % 2 == 0 { Stroke::Solid } else { Stroke::Dashed };
        series.push(Series { number: index, stroke, points, words });
        // Unlike the line, these speak of the requests that were cut as well.
        let whole = metric(saved).ok();
        let figures =
            [Percentile::P50, Percentile::P90, Percentile::P99, Percentile::P999].map(|percentile| {
                let quantile = whole.as_ref().and_then(|whole| whole.quantile(percentile));
                quantile.map_or("n/a".to_owned(), |quantile| {
                    let mark = if quantile.bound == Bound::Lower { "≥" } else { "" };
                    marked((quantile.value.as_secs_f64() * 1e3, mark))
                })
            });
        rows.push([vec![name(level)], figures.to_vec()].concat());
    }
    let all = || series.iter().flat_map(|one: &Series| &one.points);
    // To half a power of ten.
    let low = (all().map(|(_, y)| *y).fold(f64::MAX, f64::min) * 2.0).floor().min(16.0) / 2.0;
    let high = ((all().map(|(_, y)| *y).fold(f64::MIN, f64::max) * 2.0).ceil() / 2.0).max(low + 0.5);
    let far = all().map(|(x, _)| *x).fold(1.0, f64::max).ceil();
    let figure = Figure {
        height: 360,
        x: Axis { name: "percentile", from: 0.0, to: far, label: nines, labels: 5 },
        y: Axis { name: waiting_name(document), from: low, to: high, label: decade, labels: 8 },
        series,
    };
    Plate {
        id: "distribution",
        title: "Latency distribution by level",
        caption: "How long the slowest requests took, over those that ended; both axes are logarithmic. Each level has a \
                  shape and its name at the end of its line.",
        svg: svg(&figure),
        head: ["Level", "TP50 (ms)", "TP90 (ms)", "TP99 (ms)", "TP99.9 (ms)"].map(str::to_owned).to_vec(),
        rows,
    }
}

/// Each second of the run: requests under way, time to the first token, endings.
fn timeline(document: &Document) -> Vec<Plate> {
    let mut seconds = BTreeMap::new();
    for level in &document.levels {
        for (at, second) in (0_u32..).zip(&level.timeline) {
            // A whole second of the run; what drains into the next level's first second is beside it.
            seconds.insert((level.window_at_s + f64::from(at)).to_bits(), (level, second));
        }
    }
    let at = |bits: &u64| f64::from_bits(*bits);
    let pick = |of: fn(&super::super::document::Second) -> Option<f64>| -> Vec<(f64, f64)> {
        seconds.iter().filter_map(|(bits, (_, second))| Some((at(bits), of(second)?))).collect()
    };
    let end = seconds.keys().next_back().map_or(1.0, at);
    let panel = |y_name: &'static str, mut series: Vec<Series>| {
        let top = series.iter().flat_map(|one| &one.points).map(|(_, y)| *y).fold(0.0, f64::max);
        series.extend(posts(document, if top > 0.0 { top } else { 1.0 }));
        let x = Axis { name: "seconds since the start", ..linear(end) };
        svg(&Figure { height: 210, x, y: Axis { name: y_name, labels: 4, ..linear(top) }, series })
    };
    let line = |number: usize, points: Vec<(f64, f64)>| Series {
        number,
        stroke: Stroke::Solid,
        points,
        words: Vec::new(),
    };
    let crosses = Series { stroke: Stroke::Crosses, ..line(2, pick(|second| count(second.errors))) };
    let mut drawn = panel("in flight", vec![line(0, pick(|second| Some(second.in_flight.into())))]);
    let waits = pick(|second| second.ttft_avg_ms);
    if !waits.is_empty() {
        drawn += &panel("TTFT avg (ms)", vec![line(1, waits)]);
    }
    drawn += &panel("endings per s", vec![line(0, pick(|second| Some(exact(second.ok)))), crosses]);
    let row = |(bits, (level, second)): (&u64, &(&Level, &super::super::document::Second))| {
        vec![
            number(at(bits)),
            name(level),
            second.in_flight.to_string(),
            second.ttft_avg_ms.map_or("n/a".to_owned(), number),
            second.ok.to_string(),
            second.errors.to_string(),
        ]
    };
    vec![Plate {
        id: "timeline",
        title: "Timeline",
        caption: "Each second of the measured parts. Below, successes are circles on a line and failures are crosses, one for \
                  each second that has any, at the height of their number. Numbered upright lines are decisions about \
                  endpoints, listed below the figures.",
        svg: drawn,
        head: ["Second", "Level", "In flight", "TTFT avg (ms)", "Succeeded", "Failed"]
            .map(str::to_owned)
            .to_vec(),
        rows: seconds.iter().map(row).collect(),
    }]
}

/// The decisions about endpoints as upright lines with their numbers, where there are any.
fn posts(document: &Document, top: f64) -> Option<Series> {
    let points: Vec<_> = document.events.iter().map(|event| (event.at_s, top)).collect();
    let words = (1..).zip(&points).map(|(number, point): (u32, _)| (*point, number.to_string())).collect();
    (!points.is_empty()).then_some(Series { number: 0, stroke: Stroke::Posts, points, words })
}

/// A number of failures, where there are any.
fn count(errors: u64) -> Option<f64> {
    (errors > 0).then(|| exact(errors))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}

/// An axis from nothing to a little beyond the largest value.
fn linear(largest: f64) -> Axis {
    Axis {
        name: "",
        from: 0.0,
        to: if largest > 0.0 { largest * 1.12 } else { 1.0 },
        label: number,
        labels: 6,
    }
}

/// A number as it is read: more digits where it is small.
pub(super) fn number(value: f64) -> String {
    let digits = if value >= 999.5 {
        return grouped(whole(value));
    } else if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// A number behind the mark that says how well it is known.
pub(super) fn marked((value, mark): (f64, &str)) -> String {
    format!("{mark}{}", number(value))
}

/// A power of ten of ms, to three digits or so.
fn decade(power: f64) -> String {
    let value = 10.0_f64.powf(power);
    if value >= 9.95 { number(value.round()) } else { format!("{value:.2}") }
}

/// The percentile that leaves so many powers of ten beyond it.
fn nines(power: f64) -> String {
    if (power - power.round()).abs() > 1e-9 {
        return String::new();
    }
    let share = 100.0 * (1.0 - 10.0_f64.powf(-power.round()));
    format!("{} %", (share * 1e6).round() / 1e6)
}
