//! `baton report merge`: the shards of one plan as one result.

use std::path::PathBuf;

use clap::Args;

use crate::report;
use crate::report::Saved;

use super::super::output::Output;
use super::super::paper::{PaperOptions, keep};
use super::super::{Ending, Talk, Usage};
use super::saved;

/// The flags of `baton report merge`.
#[derive(Debug, Args)]
#[command(
    after_help = "Histograms, counts and sums are added exactly, and percentiles are read from the sum. Where a shard is
missing, was cut, or was measured when another had ended, the sum is printed and the exit code is 98: the load was less than
the plan says.

Example:
  baton bench -u https://relay.example -r 900/s -d 60s --shard 1/3 --start-at 2026-11-23T05:12:00Z --save 1.json
  (and likewise 2/3 and 3/3, on other machines)
  baton report merge 1.json 2.json 3.json --save run.json"
)]
pub(super) struct MergeOptions {
    /// Saved results of bench --shard, one a shard
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    paper: PaperOptions,
    /// Keep the sum, histograms included, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    save: Option<PathBuf>,
}

/// Adds up the shards of one plan.
pub(super) fn run(options: &MergeOptions, talk: Talk) -> anyhow::Result<()> {
    let read =
        |path: &PathBuf| Ok(Saved { name: path.display().to_string(), document: saved("FILES", path)? });
    let parts = options.files.iter().map(read).collect::<Result<Vec<_>, Usage>>()?;
    let document = report::merge(&parts).map_err(|error| {
        let because = std::error::Error::source(&error).map(|source| format!(": {source}"));
        Usage::new(format!("{error}{}", because.unwrap_or_default())).hint(
            "one result of each shard of one plan adds up: the same flags but for --shard and --workers",
        )
    })?;
    let output = options.paper.open()?;
    let save = options.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
    options.paper.print(&document, output, talk)?;
    keep(&document, save)?;
    if let Some(path) = &options.save {
        talk.notice(format_args!("saved   {}", path.display()));
    }
    let shortfalls: Vec<_> = document.shortfalls().iter().map(ToString::to_string).collect();
    if shortfalls.is_empty() { Ok(()) } else { Err(Ending::SumFallsShort(shortfalls).into()) }
}
