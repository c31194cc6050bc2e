//! The findings of a check of a relay on paper: for people, for scripts, for pull requests and for CI servers.

use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::check::{Check, Finding, Verdict};
use crate::units::Span;

/// Where the catalogue is explained.
const DOCS: &str = "docs/checks.md";

/// What the findings are about.
#[derive(Debug, Clone)]
pub struct CheckInfo {
    /// The relay's address.
    pub relay: String,
    /// Where baton plays the upstream, if it does.
    pub upstream: Option<String>,
    /// The dialect and the model asked for.
    pub asked: String,
    /// What it took.
    pub took: std::time::Duration,
}

/// All findings of one run, those that were accepted before marked.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// What they are about.
    pub info: CheckInfo,
    /// Each finding, and whether the baseline accepts it.
    pub findings: Vec<(Finding, Accepted)>,
}

/// Whether a finding was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It counts.
    No,
    /// The baseline has it with the same verdict.
    Known,
}

impl CheckReport {
    /// How many findings fail that nobody has accepted.
    pub fn failed(&self) -> usize {
        let counts = |(finding, accepted): &&(Finding, Accepted)| {
            finding.verdict == Verdict::Fail && *accepted == Accepted::No
        };
        self.findings.iter().filter(counts).count()
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|(finding, _)| finding.verdict == verdict).count()
    }
}

/// The anchor of a check in the docs.
fn anchor(check: &Check) -> String {
    format!("{DOCS}#{}", check.id.to_ascii_lowercase())
}

/// For a terminal: what does not hold with its evidence, then the count of all.
pub fn check_text(report: &CheckReport) -> String {
    let mut text = String::new();
    for (finding, accepted) in &report.findings {
        if !matches!(finding.verdict, Verdict::Fail | Verdict::Warn) {
            continue;
        }
        let known = if *accepted == Accepted::Known { " (known)" } else { "" };
        let name = finding.verdict.name().to_uppercase();
        let _ = writeln!(text, "{name}  {}  {}{known}", finding.check.id, finding.check.title);
        for line in &finding.evidence {
            let _ = writeln!(text, "           {line}");
        }
        let _ = writeln!(text, "           {}", anchor(finding.check));
    }
    let _ = writeln!(text, "{}", counts(report));
    text
}

fn counts(report: &CheckReport) -> String {
    let skipped: Vec<_> = report
        .findings
        .iter()
        .filter(|(finding, _)| finding.verdict == Verdict::Skip)
        .map(|(finding, _)| finding.check.id)
        .collect();
    let named = if skipped.is_empty() { String::new() } else { format!(" ({})", skipped.join(", ")) };
    format!(
        "pass  {} · warn {} · fail {} · skipped {}{named}",
        report.count(Verdict::Pass),
        report.count(Verdict::Warn),
        report.count(Verdict::Fail),
        skipped.len()
    )
}

/// One JSON object; what `--baseline` reads.
pub fn check_json(report: &CheckReport) -> String {
    let finding = |(finding, accepted): &(Finding, Accepted)| {
        json!({
            "id": finding.check.id,
            "title": finding.check.title,
            "severity": finding.check.severity.name(),
            "verdict": finding.verdict.name(),
            "known": *accepted == Accepted::Known,
            "evidence": finding.evidence,
            "took_ms": u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            "docs": anchor(finding.check),
        })
    };
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let info = &report.info;
    let document = json!({
        "schema": "baton.check/1",
        "relay": info.relay,
        "upstream": info.upstream,
        "asked": info.asked,
        "took_ms": u64::try_from(info.took.as_millis()).unwrap_or(u64::MAX),
        "failed": report.failed(),
        "findings": findings,
    });
    format!("{document:#}\n")
}

/// A table for a pull request.
pub fn check_markdown(report: &CheckReport) -> String {
    let mut text = String::from("| verdict | check | evidence |\n|:---|:---|:---|\n");
    for (finding, accepted) in &report.findings {
        let known = if *accepted == Accepted::Known { ", known" } else { "" };
        let evidence = finding.evidence.join("<br>").replace('|', "\\|").replace('\n', " ");
        let Check { id, title, .. } = finding.check;
        let _ = writeln!(text, "| {}{known} | {id} {title} | {evidence} |", finding.verdict.name());
    }
    let _ = writeln!(text, "\n{} · {}", counts(report), Span(report.info.took));
    text
}

/// `JUnit` XML, as CI servers read it: a test case a check, a failure for each that fails and was not known.
///
/// # Panics
/// Never: memory can be written.
pub fn check_junit(report: &CheckReport) -> String {
    let mut suite = TestSuite::new(format!("baton check {}", report.info.relay));
    for (finding, accepted) in &report.findings {
        let evidence = finding.evidence.join("\n");
        let mut status = match (finding.verdict, accepted) {
            (Verdict::Fail, Accepted::No) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            (Verdict::Skip, _) => TestCaseStatus::skipped(),
            _ => TestCaseStatus::success(),
        };
        let is_success = matches!(status, TestCaseStatus::Success { .. });
        if !is_success {
            status.set_message(evidence.clone());
        }
        let mut case = TestCase::new(format!("{} {}", finding.check.id, finding.check.title), status);
        case.set_classname("baton.check").set_time(finding.took);
        if is_success {
            case.set_system_out(format!("{}\n{evidence}", finding.verdict.name()));
        }
        suite.add_test_case(case);
    }
    let mut junit = Report::new("baton check");
    junit.add_test_suite(suite);
    junit.to_string().expect("memory can be written")
}

/// A line for each finding while the run lasts.
pub fn check_line(finding: &Finding) -> String {
    format!("{:4}  {}  {}", finding.verdict.name(), finding.check.id, finding.check.title)
}

/// docs/checks.md, made from the catalogue.
pub fn check_docs<'a>(checks: impl IntoIterator<Item = &'a Check>) -> String {
    let mut text = String::from(
        "# The checks of `baton check`\n\nMade from the catalogues in `src/check`. S01 and on are about this machine and this installation (`--self`). Each check has an id that is never given anew.\n\n\
| id | what must hold | severity | needs |\n|:---|:---|:---|:---|\n",
    );
    let mut sorted: Vec<&Check> = checks.into_iter().collect();
    sorted.sort_by_key(|check| check.id);
    for check in &sorted {
        let Check { id, title, severity, needs, .. } = check;
        let anchor = id.to_ascii_lowercase();
        let _ = writeln!(text, "| [{id}](#{anchor}) | {title} | {} | {} |", severity.name(), needs.name());
    }
    for check in sorted {
        let Check { id, title, why, how, fix, .. } = check;
        let _ = write!(
            text,
            "\n## {id}\n\n**{title}.**\n\n*Why.* {why}\n\n*How it is decided.* {how}\n\n*How to mend it.* {fix}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::check::CHECKS;

    use super::super::golden::compare;
    use super::*;

    fn report() -> CheckReport {
        let finding = |id: &str, verdict, evidence: &[&str]| Finding {
            check: CHECKS.iter().find(|check| check.id == id).unwrap(),
            verdict,
            evidence: evidence.iter().map(|line| (*line).to_owned()).collect(),
            took: Duration::from_millis(40),
        };
        let info = CheckInfo {
            relay: "https://relay.example/".into(),
            upstream: Some("127.0.0.1:9001".into()),
            asked: "messages, claude-x".into(),
            took: Duration::from_secs(41),
        };
        let limits = ["upstream sent 429, retry-after: 7", "relay sent    429, no retry-after"];
        let findings = vec![
            (finding("C21", Verdict::Pass, &["answered 200 in 3 ms"]), Accepted::No),
            (finding("C03", Verdict::Fail, &limits), Accepted::No),
            (
                finding("C12", Verdict::Fail, &["a body in gzip was answered 400 {\"a|b\":1}"]),
                Accepted::Known,
            ),
            (finding("C19", Verdict::Warn, &["x-request-id 1 did not come back"]), Accepted::No),
            (finding("C37", Verdict::Skip, &["needs --intrusive"]), Accepted::No),
        ];
        CheckReport { info, findings }
    }

    #[test]
    fn findings_look_as_the_golden_files_have_them() {
        let report = report();
        compare("check.txt", &check_text(&report));
        compare("check.json", &check_json(&report));
        compare("check.md", &check_markdown(&report));
        compare("check.xml", &check_junit(&report));
        assert_eq!(report.failed(), 1);
    }
}
