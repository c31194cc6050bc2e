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
    pub ended: SearchEnd,
}

impl Capacity {
    /// The answer of a search along a scale.
    pub fn of(capacity: &load::Capacity, scale: &Scale) -> Self {
        let load::Capacity { passing, failing, binding, ended } = capacity.clone();
        let unit = if *scale == Scale::Users { "users" } else { "per_s" }.to_owned();
        let rounded = |load: f64| (load * 1e6).round() / 1e6;
        Self { unit, passing: passing.map(rounded), failing: failing.map(rounded), binding, ended }
    }

    /// The answer in words.
    pub fn story(&self) -> String {
        let show =
            |load: f64| if self.unit == "users" { format!("c={load}") } else { format!("{load:.1}/s") };
        let passing =
            self.passing.map_or_else(|| "no load passes".to_owned(), |load| format!("{} passes", show(load)));
        let fails = if self.ended == SearchEnd::Undecided { "cannot be judged by" } else { "fails" };
        let failing =
            self.failing.map(|load| format!("; {} {fails} {}", show(load), self.binding.join(", ")));
        let ended = match self.ended {
            SearchEnd::Confirmed => "both confirmed by fresh runs",
            SearchEnd::NothingPasses => "nothing smaller was left to try",
            SearchEnd::EverythingPasses => "nothing larger was left to try",
            SearchEnd::ClientBound => "the search ended there: this client was the bottleneck",
            SearchEnd::Undecided => "the search ended there: its requests succeed and lack that figure",
            SearchEnd::Unsteady => "not confirmed: fresh runs kept overturning one another",
            SearchEnd::Stopped => "not confirmed: the search was stopped",
        };
        format!("{passing}{} ({ended})", failing.unwrap_or_default())
    }
}

/// The line of the capacity.
pub(super) fn capacity(document: &Document) -> Option<String> {
    document.capacity.as_ref().map(|capacity| format!("capacity {}", capacity.story()))
}
