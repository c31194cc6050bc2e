//! Adds up the results of the shards of one plan: histograms and counts exactly, and says which parts are missing or late.

mod level;
mod plans;
mod shares;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::level::Part;
use self::plans::differences;
use super::access::AccessTokens;
use super::document::BodyBytes;
use super::document::Document;
use super::document::Machine;
use super::endpoints::EndpointEvent;
use super::knee::Knee;
use super::result::rounded;
use crate::load::RestoreError;
use crate::units::Shard;

/// What a document is the sum of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// How many shards the plan was spread over.
    pub of: u64,
    /// Numbers of those, from 1, that are not among the parts.
    pub missing: Vec<u64>,
    /// The parts, in the order of their numbers.
    pub parts: Vec<MergedPart>,
}

/// One of the runs that were added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedPart {
    /// Which part of the plan it was, as in `2/4`.
    pub shard: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Where it was carried.
    pub machine: Machine,
    /// Levels that it measured.
    pub levels: usize,
    /// The longest that one of its levels began after its slot; `None` where there were no slots.
    pub late_s: Option<f64>,
    /// How long after the first part to do so one of its levels began to be measured, at most.
    pub behind_s: f64,
    /// Whether it was stopped, or gave up, before its end.
    #[serde(default)]
    pub cut: bool,
    /// Whether one of its levels began to be measured only when that of another part had ended.
    #[serde(default)]
    pub apart: bool,
}

/// A saved result and what to call it.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Its name, as messages have it.
    pub name: String,
    /// The result.
    pub document: Document,
}

/// Why results do not add up.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to add.
    #[error("there is no result to merge")]
    Nothing,
    /// A result that is no part of anything.
    #[error("{name} is no shard: {why}")]
    NotAShard {
        /// Its name.
        name: String,
        /// What it is instead.
        why: &'static str,
    },
    /// One part in two results.
    #[error("shard {shard} is both {one} and {other}")]
    Twice {
        /// The part.
        shard: String,
        /// One of the results.
        one: String,
        /// The other one.
        other: String,
    },
    /// Parts of different plans.
    #[error("{one} and {other} are no parts of one plan: {}", differences.join("; "))]
    Different {
        /// One of the results.
        one: String,
        /// The other one.
        other: String,
        /// What they differ in.
        differences: Vec<String>,
    },
    /// A distribution that does not add exactly to others.
    #[error("{name}, level {level}: {metric} cannot be added")]
    Metric {
        /// Name of the result.
        name: String,
        /// Number of the level, from 1.
        level: usize,
        /// Name of the distribution.
        metric: &'static str,
        /// Why it cannot.
        source: RestoreError,
    },
    /// A result that says something that cannot be.
    #[error("{name} was not written by baton: {what}")]
    Damaged {
        /// Name of the result.
        name: String,
        /// What cannot be.
        what: String,
    },
}

/// Adds up the parts of one plan, in whatever order they are given. Missing parts are named in the result.
pub fn merge(saved: &[Saved]) -> Result<Document, MergeError> {
    let mut parts = saved.iter().map(Part::of).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.shard.place());
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let of = first.shard.of();
    for pair in parts.windows(2) {
        let different = differences(&pair[0], &pair[1]);
        let (one, other) = (pair[0].name.to_owned(), pair[1].name.to_owned());
        if !different.is_empty() {
            return Err(MergeError::Different { one, other, differences: different });
        }
        if pair[0].shard == pair[1].shard {
            return Err(MergeError::Twice { shard: pair[0].shard.to_string(), one, other });
        }
    }
    let there: BTreeSet<u64> = parts.iter().map(|part| part.shard.place() + 1).collect();
    let missing = (1..=of).filter(|number| !there.contains(number)).collect();
    let started = parts.iter().map(|part| part.started).min().unwrap_or_default();
    let most = parts.iter().map(|part| part.document.levels.len()).max().unwrap_or(0);
    let mut levels = Vec::with_capacity(most);
    for position in 0..most {
        levels.push(level::merged(&parts, position, (started, levels.last()))?);
    }
    let head = first.document;
    let knee = Knee::of(&levels);
    let mut plan = head.plan.clone();
    plan.shard = None;
    plan.workers = parts.iter().map(|part| part.document.plan.workers).sum();
    let mut endpoints = Vec::new();
    for endpoint in parts.iter().flat_map(|part| &part.document.endpoints) {
        if !endpoints.contains(endpoint) {
            endpoints.push(endpoint.clone());
        }
    }
    let mut events: Vec<_> = parts.iter().flat_map(|part| part.events_since(started)).collect();
    events.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    let bytes = |of: fn(&BodyBytes) -> u64| parts.iter().map(|part| of(&part.document.body_bytes)).sum();
    let body_bytes = BodyBytes { plain: bytes(|body| body.plain), sent: bytes(|body| body.sent) };
    Ok(Document {
        plan,
        started: format!("{started:.3}"),
        interrupted: parts.iter().any(|part| part.document.interrupted),
        gave_up: parts.iter().find_map(|part| part.document.gave_up.clone()),
        bounded: parts.iter().find_map(|part| part.document.bounded.clone()),
        levels,
        knee,
        thresholds: Vec::new(),
        comparison: None,
        endpoints,
        // Each machine has a ceiling of its own.
        selftest: Vec::new(),
        events,
        body_bytes,
        access_tokens: AccessTokens::sum(parts.iter().filter_map(|part| part.document.access_tokens)),
        merged: Some(Merged { of, missing, parts: parts.iter().map(|part| entry(part, &parts)).collect() }),
        ..head.clone()
    })
}

/// What the sum says of one of its parts.
fn entry(part: &Part<'_>, all: &[Part<'_>]) -> MergedPart {
    let levels = &part.document.levels;
    let behind = |position: usize| {
        let mine = part.window_at(position)?;
        let first = all.iter().filter_map(|other| other.window_at(position)).min()?;
        Some(mine.duration_since(first).as_secs_f64())
    };
    let is_apart = |position: usize| {
        let ends = all.iter().filter_map(|other| {
            let length = Duration::try_from_secs_f64(other.document.levels.get(position)?.window_s).ok()?;
            other.window_at(position)?.checked_add(length).ok()
        });
        part.window_at(position).zip(ends.min()).is_some_and(|(mine, end)| mine >= end)
    };
    let document = part.document;
    MergedPart {
        shard: part.shard.to_string(),
        started: part.document.started.clone(),
        machine: part.document.machine.clone(),
        levels: levels.len(),
        late_s: levels.iter().filter_map(|level| level.late_s).reduce(f64::max),
        behind_s: (0..levels.len()).filter_map(behind).fold(0.0, f64::max),
        cut: document.interrupted
            || document.gave_up.is_some()
            || document.bounded.is_some()
            || levels.iter().any(|level| level.ended_early),
        apart: (0..levels.len()).any(is_apart),
    }
}

/// A part of a plan that a sum did not carry as one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// What kind it is, in a word.
    pub(super) label: &'static str,
    /// The shard, as in `2/3`.
    pub(super) shard: String,
    /// What is said of the shard.
    pub(super) words: String,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "shard {} {}", self.shard, self.words)
    }
}

impl Document {
    /// What of the plan a sum did not carry as one load, and none where it is as good as one run.
    pub fn shortfalls(&self) -> Vec<Shortfall> {
        let Some(merged) = &self.merged else { return Vec::new() };
        let of = |label, shard: &str, words: String| Shortfall { label, shard: shard.to_owned(), words };
        let lost =
            |number: &u64| of("missing", &format!("{number}/{}", merged.of), "has no result".to_owned());
        let mut shortfalls: Vec<_> = merged.missing.iter().map(lost).collect();
        for part in &merged.parts {
            let shard = &part.shard;
            if part.levels < self.levels.len() {
                let words = format!("has {} of {} levels", part.levels, self.levels.len());
                shortfalls.push(of("short", shard, words));
            } else if part.cut {
                shortfalls.push(of("short", shard, "was stopped before its end".to_owned()));
            }
            if part.apart {
                shortfalls.push(of("apart", shard, "was measured when another had ended".to_owned()));
            }
        }
        shortfalls
    }
}

impl<'a> Part<'a> {
    /// What was decided about its endpoints, with times that count from the start of the sum.
    fn events_since(self, began: Timestamp) -> impl Iterator<Item = EndpointEvent> {
        let after = self.started.duration_since(began).as_secs_f64();
        let events = self.document.events.iter();
        events.map(move |event| EndpointEvent { at_s: rounded(event.at_s + after), ..event.clone() })
    }

    /// Reads what of a result must be right before it can be added to others.
    fn of(saved: &'a Saved) -> Result<Self, MergeError> {
        let Saved { name, document } = saved;
        let alone = |why| MergeError::NotAShard { name: name.clone(), why };
        if document.merged.is_some() {
            return Err(alone("it is a sum of shards already"));
        }
        let shard = document.plan.shard.as_ref().ok_or_else(|| alone("it was made without --shard"))?;
        let damaged = |what: String| MergeError::Damaged { name: name.clone(), what };
        Ok(Self {
            name,
            shard: shard.parse::<Shard>().map_err(|error| damaged(error.to_string()))?,
            started: document.started.parse::<Timestamp>().map_err(|error| damaged(error.to_string()))?,
            document,
        })
    }
}

#[cfg(test)]
mod tests;
