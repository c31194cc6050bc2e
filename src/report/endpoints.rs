//! What each of several endpoints did: rows beside the total, and what was decided about endpoints meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::columns::Column;
use super::columns::Marked;
use super::columns::WHOLE_MS;
use super::columns::WHOLE_RATE;
use super::columns::average;
use super::columns::figures;
use super::columns::of_levels;
use super::columns::tp99_among;
use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use super::result::rounded;
use crate::load::Share;
use crate::outcome::Class;
use crate::units::grouped;

/// The heading of the column of names.
pub(super) const ENDPOINT: &str = "Endpoint";

/// What one of several endpoints did of a level: requests by the endpoint of their last attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointShare {
    /// Its name: its address without credentials.
    pub endpoint: String,
    /// Recorded requests that ended by themselves, failures included.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Recorded requests that were cut before they ended.
    pub censored: u64,
    /// Recorded requests by class.
    pub classes: BTreeMap<String, u64>,
    /// Successful requests per second.
    pub rps: Option<f64>,
    /// Start to the last generated delta.
    pub latency_ms: Option<Distribution>,
    /// Start to the first generated delta.
    pub ttft_ms: Option<Distribution>,
}

impl EndpointShare {
    /// What an endpoint did.
    pub(super) fn of(share: &Share) -> Self {
        let classes = share.classes.iter().map(|(class, count)| (class.name().to_owned(), count));
        Self {
            endpoint: share.endpoint.clone(),
            requests: share.classes.ok() + share.classes.failures(),
            errors: share.classes.failures(),
            censored: share.classes[Class::Cancelled],
            classes: classes.collect(),
            rps: share.rps.map(rounded),
            latency_ms: Distribution::of(&share.latency),
            ttft_ms: Distribution::of(&share.ttft),
        }
    }
}

/// A decision about endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointEvent {
    /// When, counted from the start of the run.
    pub at_s: f64,
    /// The endpoint that it is about; `None` where it is about all of them.
    pub endpoint: Option<String>,
    /// What was decided, in a word.
    pub change: String,
    /// Why.
    pub reason: String,
}

impl EndpointEvent {
    /// A decision that was made so long after a run began, its change and reason as words.
    pub fn new(after: Duration, endpoint: Option<String>, (change, reason): (&str, String)) -> Self {
        Self { at_s: rounded(after.as_secs_f64()), endpoint, change: change.to_owned(), reason }
    }

    /// What was decided about what, without the reason.
    pub(super) fn told(&self) -> String {
        let endpoint = self.endpoint.as_deref().map(|endpoint| format!("{endpoint} ")).unwrap_or_default();
        format!("{endpoint}{}", self.change.replace('_', " "))
    }
}

/// The columns of what endpoints did, a cell for each endpoint of each level; `None` where there is no choice.
pub(super) fn columns_of_endpoints(document: &Document) -> Option<Vec<Column>> {
    let rows: Vec<(&Level, &EndpointShare)> = document
        .levels
        .iter()
        .flat_map(|level| level.endpoints.iter().map(move |share| (level, share)))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let count = |heading, value: fn(&EndpointShare) -> u64| Column {
        heading,
        cells: rows.iter().map(|(_, share)| grouped(value(share))).collect(),
    };
    let figure = |heading, least_whole, value: fn(&EndpointShare) -> Marked| {
        let values: Vec<_> = rows.iter().map(|(_, share)| value(share)).collect();
        Column { heading, cells: figures(&values, least_whole) }
    };
    let levels: Vec<_> = rows.iter().map(|(level, _)| *level).collect();
    let mut columns = vec![
        of_levels(document, &levels),
        Column { heading: ENDPOINT, cells: rows.iter().map(|(_, share)| share.endpoint.clone()).collect() },
        figure("Avg (ms)", WHOLE_MS, |share| average(share.latency_ms.as_ref())),
        figure("TP99 (ms)", WHOLE_MS, |share| tp99_among(share.censored, share.latency_ms.as_ref())),
        figure("Req/s", WHOLE_RATE, |share| share.rps.map(|rps| (rps, ""))),
        count("Errors", |share| share.errors),
        Column {
            heading: "Share",
            cells: rows.iter().map(|(level, share)| part(share.requests, level.requests)).collect(),
        },
    ];
    if document.plan.stream {
        columns.push(figure("TTFT avg", WHOLE_MS, |share| average(share.ttft_ms.as_ref())));
        columns
            .push(figure("TTFT TP99", WHOLE_MS, |share| tp99_among(share.censored, share.ttft_ms.as_ref())));
    }
    Some(columns)
}

/// A part of a number, in percent.
fn part(of: u64, all: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let share = of as f64 / all.max(1) as f64;
    format!("{:.1} %", share * 100.0)
}
