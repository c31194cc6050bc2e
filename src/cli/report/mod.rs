//! `baton report`: saved results, looked at again.

mod compare;
mod merge;
mod show;

use clap::{Args, Subcommand};

use super::Talk;

pub(super) use self::compare::{TermsOptions, conclusion, refused_as, saved};

/// The subcommands of `baton report`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct ReportCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a saved result in any form
    Show(show::ShowOptions),
    /// Add up the results of the shards of one plan
    Merge(merge::MergeOptions),
    /// Compare a result with an earlier one
    Compare(compare::CompareOptions),
}

/// Carries out one of them.
pub(super) fn run(command: &ReportCommand, talk: Talk) -> anyhow::Result<()> {
    match &command.action {
        Action::Show(options) => show::run(options, talk),
        Action::Merge(options) => merge::run(options, talk),
        Action::Compare(options) => compare::run(options, talk),
    }
}
