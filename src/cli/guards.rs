//! The flags of `baton mock` that say what a request must be like to be let in.

use std::fmt;

use clap::Args;

use crate::mock::{AcceptEncoding, Guards};

/// What requests must be like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards")]
pub(super) struct GuardOptions {
    /// Undo these codings of request bodies (gzip, zstd or gzip,zstd), up to 32 MiB; others get a 415, larger ones a 413
    #[arg(long, value_name = "CODINGS", conflicts_with = "upstream")]
    accept_encoding: Option<AcceptEncoding>,
}

impl GuardOptions {
    /// The guards that they ask for.
    pub(super) fn guards(&self) -> Guards {
        Guards { accept_encoding: self.accept_encoding.unwrap_or_default() }
    }
}

impl fmt::Display for GuardOptions {
    /// What they come to, to follow the description of the relay.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.accept_encoding {
            Some(codings) => write!(out, " · takes {codings}"),
            None => Ok(()),
        }
    }
}
