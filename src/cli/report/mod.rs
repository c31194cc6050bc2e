//! `baton report`: saved results, looked at again.

mod compare;

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
    /// Compare a result with an earlier one
    Compare(compare::CompareOptions),
}

/// Carries out one of them.
pub(super) fn run(command: &ReportCommand, talk: Talk) -> anyhow::Result<()> {
    match &command.action {
        Action::Compare(options) => compare::run(options, talk),
    }
}
