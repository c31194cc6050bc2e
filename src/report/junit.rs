//! The result of a bench as `JUnit`, for servers that show tests: a case for each level, threshold and compared figure.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::capacity::Capacity;
use super::columns::tp99;
use super::compare::{Change, ChangeVerdict, story};
use super::document::{Document, Level};
use super::threshold::{ThresholdLevel, ThresholdVerdict, place};
use crate::load::{SearchEnd, Verdict};

/// The document as `JUnit`.
pub fn junit(document: &Document) -> String {
    let mut levels = TestSuite::new("levels");
    levels.add_test_cases(document.levels.iter().map(level_case));
    let mut report = Report::new("baton bench");
    report.add_test_suite(levels);
    if !document.thresholds.is_empty() {
        let mut suite = TestSuite::new("fail-if");
        for threshold in &document.thresholds {
            let case = |level| threshold_case(&threshold.expression, level);
            suite.add_test_cases(threshold.levels.iter().map(case));
            if threshold.levels.is_empty() {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_message(threshold.story());
                suite.add_test_case(named(&threshold.expression, "baton.bench.fail-if", status));
            }
        }
        report.add_test_suite(suite);
    }
    if let Some(capacity) = &document.capacity {
        let mut suite = TestSuite::new("find-capacity");
        suite.add_test_case(capacity_case(capacity));
        report.add_test_suite(suite);
    }
    if let Some(comparison) = &document.comparison {
        let mut suite = TestSuite::new("baseline");
        suite.add_test_cases(comparison.changes.iter().map(change_case));
        report.add_test_suite(suite);
    }
    printed(&report)
}

fn printed(report: &Report) -> String {
    report.to_string().expect("memory can be written")
}

/// A level passes unless nothing was measured, or only the client.
fn level_case(level: &Level) -> TestCase {
    let status = match level.verdict {
        Verdict::NoSuccess => {
            non_success(NonSuccessKind::Failure, &format!("none of {} requests succeeded", level.requests))
        }
        Verdict::ClientBound => non_success(
            NonSuccessKind::Error,
            "client-bound: the figures speak of this client, not of the relay",
        ),
        Verdict::Ok | Verdict::RelaySaturated | Verdict::WeakN => TestCaseStatus::success(),
    };
    let mut case = named(&place(level.concurrency, level.rate), "baton.bench", status);
    case.set_time(Duration::try_from_secs_f64(level.window_s).unwrap_or_default());
    let p99 = tp99(level, level.latency_ms.as_ref());
    let p99 = p99.map_or_else(|| "n/a".to_owned(), |(p99, mark)| format!("{mark}{p99:.0} ms"));
    let (verdict, requests, errors) = (level.verdict.name(), level.requests, level.errors);
    case.set_system_out(format!("{verdict}: {requests} requests, {errors} errors, latency TP99 {p99}"));
    case
}

fn threshold_case(expression: &str, level: &ThresholdLevel) -> TestCase {
    let status = match level.verdict {
        ThresholdVerdict::Holds => TestCaseStatus::success(),
        ThresholdVerdict::Failed => non_success(NonSuccessKind::Failure, &level.seen),
        ThresholdVerdict::Undecided => {
            non_success(NonSuccessKind::Error, &format!("undecided: {}", level.seen))
        }
    };
    named(&format!("{expression}, {}", level.place()), "baton.bench.fail-if", status)
}

/// A search passes where it has found the largest load, or that the largest passes.
fn capacity_case(capacity: &Capacity) -> TestCase {
    let status = match capacity.ended {
        SearchEnd::Confirmed | SearchEnd::EverythingPasses => TestCaseStatus::success(),
        SearchEnd::NothingPasses => non_success(NonSuccessKind::Failure, &capacity.story()),
        SearchEnd::ClientBound | SearchEnd::Undecided | SearchEnd::Unsteady | SearchEnd::Stopped => {
            non_success(NonSuccessKind::Error, &format!("undecided: {}", capacity.story()))
        }
    };
    let mut case = named("capacity", "baton.bench.find-capacity", status);
    case.set_system_out(capacity.story());
    case
}

fn change_case(change: &Change) -> TestCase {
    let status = match change.verdict {
        ChangeVerdict::Improvement | ChangeVerdict::Unchanged => TestCaseStatus::success(),
        ChangeVerdict::Regression => non_success(NonSuccessKind::Failure, &story(change)),
        ChangeVerdict::Undecided => {
            non_success(NonSuccessKind::Error, &format!("undecided: {}", story(change)))
        }
        ChangeVerdict::Absent => TestCaseStatus::skipped(),
    };
    named(&format!("{} {}", change.level, change.metric), "baton.bench.baseline", status)
}

fn non_success(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}

fn named(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn junit_has_its_golden_form() {
        golden::compare("judged.xml", &junit(&golden::judged()));
        golden::compare("stopped.xml", &junit(&golden::stopped()));
        golden::compare("compared.xml", &junit(&golden::compared()));
    }
}
