//! Whether two results may be compared at all, and in what they differ where they may not.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::TIMES;
use crate::load::read_histogram;
use crate::report::document::Document;
use crate::report::document::Level;
use crate::report::document::PlanInfo;

/// What the machine or the day decides and the relay never sees.
const OF_THE_MACHINE: [&str; 2] = ["workers", "start_at"];

/// In what two plans differ, a line each: `window_s: 10.0 and 30.0`.
pub fn plan_differences(before: &PlanInfo, after: &PlanInfo) -> Vec<String> {
    let fields = |plan: &PlanInfo| match serde_json::to_value(plan) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let differing = before
        .iter()
        .filter(|(name, value)| !OF_THE_MACHINE.contains(&name.as_str()) && after.get(*name) != Some(*value));
    let line = |(name, value): (&String, &Value)| {
        format!("{name}: {value} and {}", after.get(name).unwrap_or(&Value::Null))
    };
    differing.map(line).collect()
}

/// The first two histograms with different bounds, which can be neither added nor compared: `latency_ms of c=50: …`.
pub(super) fn bound_difference(before: &Document, after: &Document) -> Option<String> {
    let mut known = None;
    for (file, document) in [("the first", before), ("the second", after)] {
        for level in &document.levels {
            for text in histograms(level) {
                let histogram = BASE64_STANDARD.decode(text).ok().and_then(|bytes| read_histogram(&bytes))?;
                let bounds = (histogram.low(), histogram.high(), histogram.sigfig());
                let expected = *known.get_or_insert(bounds);
                if bounds != expected {
                    let show = |(low, high, digits): (u64, u64, u8)| {
                        format!("{low} to {high} µs in {digits} digits")
                    };
                    return Some(format!("{} and, in {file} file, {}", show(expected), show(bounds)));
                }
            }
        }
    }
    None
}

/// The histograms of a level that are compared.
fn histograms(level: &Level) -> impl Iterator<Item = &str> {
    TIMES.iter().filter_map(|(_, pick)| Some(pick(level)?.hdr.as_str()))
}
