//! `baton report show`: a saved result in any form.

use std::path::PathBuf;

use clap::Args;

use super::super::Talk;
use super::super::paper::PaperOptions;
use super::saved;

/// The flags of `baton report show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton report show run.json
  baton report show run.json --format markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub(super) struct ShowOptions {
    /// A saved result
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    paper: PaperOptions,
}

/// Prints a saved result.
pub(super) fn run(options: &ShowOptions, talk: Talk) -> anyhow::Result<()> {
    let document = saved("FILE", &options.file)?;
    Ok(options.paper.print(&document, options.paper.open()?, talk)?)
}
