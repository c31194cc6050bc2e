//! The failures that were accepted before: an earlier report in JSON.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::check::{Finding, Verdict};
use crate::cli::Usage;
use crate::report::Accepted;

/// The schema of the reports that are read.
const SCHEMA: &str = "baton.check/1";

/// An earlier report, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct Baseline {
    schema: String,
    findings: Vec<Known>,
}

/// One finding of it.
#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    verdict: String,
}

impl Baseline {
    /// Whether a finding that does not hold was the same before.
    pub(super) fn accepts(&self, finding: &Finding) -> Accepted {
        if matches!(finding.verdict, Verdict::Pass | Verdict::Skip) {
            return Accepted::No;
        }
        let same = |known: &Known| known.id == finding.check.id && known.verdict == finding.verdict.name();
        if self.findings.iter().any(same) { Accepted::Known } else { Accepted::No }
    }
}

/// Reads an earlier report.
pub(super) fn read(path: &Path) -> Result<Baseline, Usage> {
    let wrong = |why: String| {
        Usage::new(format!("--baseline {}: {why}", path.display()))
            .hint("`baton check … --format json -o FILE` makes one")
    };
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let baseline: Baseline = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if baseline.schema != SCHEMA {
        return Err(wrong(format!("its schema is {}, and {SCHEMA} is read", baseline.schema)));
    }
    Ok(baseline)
}
