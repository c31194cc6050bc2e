//! Whether two results are parts of one plan, and what they differ in if not.

use super::super::compare::plan_differences;
use super::super::document::PlanInfo;
use super::level::Part;

/// What two results differ in that the parts of one plan have in common.
pub(super) fn differences(one: &Part<'_>, other: &Part<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let (of, other_of) = (one.shard.of(), other.shard.of());
    if of != other_of {
        found.push(format!("{of} shards and {other_of}"));
    }
    let plan = |part: &Part<'_>| PlanInfo { shard: None, ..part.document.plan.clone() };
    found.extend(plan_differences(&plan(one), &plan(other)));
    let (mine, theirs) = (&one.document.plan.start_at, &other.document.plan.start_at);
    if mine != theirs {
        let said = |time: &Option<String>| time.clone().unwrap_or_else(|| "none".to_owned());
        found.push(format!("start_at: {} and {}", said(mine), said(theirs)));
    }
    let (mine, theirs) = (&one.document.objectives, &other.document.objectives);
    if mine != theirs {
        found.push(format!("--slo: {mine:?} and {theirs:?}"));
    }
    found
}
