//! The answer of a capacity search in the result, and the line that says it.

use serde::Deserialize;
use serde::Serialize;

use super::document::Document;
use crate::load;
use crate::load::Scale;
use crate::load::SearchEnd;

/// What a capacity search has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// `users` or `per_s`.
    pub unit: String,
    /// The largest load that kept every objective; `None` where none did.
    pub passing: Option<f64>,
    /// The smallest larger load that did not; `None` where none failed.
    pub failing: Option<f64>,
    /// The objectives that fail there, with what was seen.
    pub binding: Vec<String>,
    /// How the search ended.
    pub ended: CapacityEnd,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityEnd {
    /// A fresh run of both neighbours confirmed the answer.
    Confirmed,
    /// Even the smallest load failed.
    NothingPasses,
    /// Even the largest load passed.
    EverythingPasses,
    /// The client was the bottleneck, again and again.
    ClientBound,
    /// Fresh runs kept overturning one another.
    Unsteady,
    /// The run was stopped.
    Stopped,
}

impl Capacity {
    /// The answer of a search along a scale.
    pub fn of(capacity: &load::Capacity, scale: &Scale) -> Self {
        let load::Capacity { passing, failing, binding, ended } = capacity.clone();
        let unit = if *scale == Scale::Users { "users" } else { "per_s" }.to_owned();
        let rounded = |load: f64| (load * 1e6).round() / 1e6;
        Self {
            unit,
            passing: passing.map(rounded),
            failing: failing.map(rounded),
            binding,
            ended: match ended {
                SearchEnd::Confirmed => CapacityEnd::Confirmed,
                SearchEnd::NothingPasses => CapacityEnd::NothingPasses,
                SearchEnd::EverythingPasses => CapacityEnd::EverythingPasses,
                SearchEnd::ClientBound => CapacityEnd::ClientBound,
                SearchEnd::Unsteady => CapacityEnd::Unsteady,
                SearchEnd::Stopped => CapacityEnd::Stopped,
            },
        }
    }

    /// The answer in words.
    pub fn story(&self) -> String {
        let show =
            |load: f64| if self.unit == "users" { format!("c={load}") } else { format!("{load:.1}/s") };
        let passing =
            self.passing.map_or_else(|| "no load passes".to_owned(), |load| format!("{} passes", show(load)));
        let failing = self.failing.map(|load| format!("; {} fails {}", show(load), self.binding.join(", ")));
        let ended = match self.ended {
            CapacityEnd::Confirmed => "both confirmed by fresh runs",
            CapacityEnd::NothingPasses => "nothing smaller was left to try",
            CapacityEnd::EverythingPasses => "nothing larger was left to try",
            CapacityEnd::ClientBound => "the search ended there: this client was the bottleneck",
            CapacityEnd::Unsteady => "not confirmed: fresh runs kept overturning one another",
            CapacityEnd::Stopped => "not confirmed: the search was stopped",
        };
        format!("{passing}{} ({ended})", failing.unwrap_or_default())
    }
}

/// The line of the capacity.
pub(super) fn capacity(document: &Document) -> Option<String> {
    document.capacity.as_ref().map(|capacity| format!("capacity {}", capacity.story()))
}
