//! `baton report compare`: what has become of a relay since an earlier result.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::output::Output;
use crate::cli::{Ending, Talk, Usage};
use crate::report;
use crate::report::{CompareError, Comparison, Document, Plans, Terms};

/// The flags of `baton report compare`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 99 where a figure is worse beyond the noise, 98 where one cannot be decided.

Example:
  baton report compare before.json after.json --noise 10%"
)]
pub(super) struct CompareOptions {
    /// The earlier result, as `bench --save` wrote it
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The later one
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    #[command(flatten)]
    terms: TermsOptions,
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What counts as a change, and which results are compared at all.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct TermsOptions {
    /// Relative change up to which a figure counts as unchanged [default: 5%]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(in crate::cli) noise: Option<f64>,
    /// Compare results of different plans, at the levels that both have
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Markdown,
}

/// Changes up to this are noise where nothing else is said.
const NOISE: f64 = 0.05;

impl TermsOptions {
    /// The terms of a comparison.
    pub(in crate::cli) fn terms(self) -> Terms {
        let plans = if self.force { Plans::MayDiffer } else { Plans::MustAgree };
        Terms { noise: self.noise.unwrap_or(NOISE), plans }
    }
}

/// Compares two results and prints what has changed.
pub(super) fn run(options: &CompareOptions, talk: Talk) -> anyhow::Result<()> {
    let before = saved("BEFORE", &options.before)?;
    let after = saved("AFTER", &options.after)?;
    let comparison =
        Comparison::of(&before, &after, options.terms.terms()).map_err(|error| refused_as("", &error))?;
    let text = match options.format {
        Format::Table => report::comparison_table(&comparison),
        Format::Json => report::comparison_json(&comparison),
        Format::Markdown => report::comparison_markdown(&comparison),
    };
    let mut output = Output::open(options.output.as_deref())?;
    output.write(text.as_bytes())?;
    output.finish()?;
    if options.format != Format::Markdown {
        talk.notice(format_args!("\n{}", report::comparison_notes(&comparison).trim_end()));
    }
    Ok(conclusion(&comparison)?)
}

/// Reads a saved result; `name` is what the command line calls it.
pub(in crate::cli) fn saved(name: &str, path: &Path) -> Result<Document, Usage> {
    let wrong = |why: String| {
        Usage::new(format!("{name} {}: {why}", path.display())).hint("`baton bench … --save FILE` writes one")
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    report::read(&text).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        wrong(format!("{error}{cause}"))
    })
}

/// Two results that are not compared; `flag` begins the refusal.
pub(in crate::cli) fn refused_as(flag: &str, error: &CompareError) -> Usage {
    let usage = Usage::new(format!("{flag}the results cannot be compared: {error}"));
    match error {
        CompareError::Plans(_) => usage.hint("--force compares the levels that both have"),
        CompareError::Bounds(_) | CompareError::NothingInCommon | CompareError::Damaged(_) => {
            usage.hint("compare results that one version of baton measured by one plan")
        }
    }
}

/// What follows from a comparison.
pub(in crate::cli) fn conclusion(comparison: &Comparison) -> Result<(), Ending> {
    let undecided = report::stories(comparison, report::ChangeVerdict::Undecided);
    if !undecided.is_empty() {
        return Err(Ending::ComparisonUndecided(undecided));
    }
    let worse = report::stories(comparison, report::ChangeVerdict::Regression);
    if worse.is_empty() { Ok(()) } else { Err(Ending::Regressed(worse)) }
}

/// A share of the whole, `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = text.strip_suffix('%').map_or_else(|| number(text), |text| Some(number(text)? / 100.0));
    let share = share.filter(|share| (0.0..=10.0).contains(share));
    share.ok_or_else(|| "write a share of at least 0, as in 5% or 0.05".to_owned())
}
