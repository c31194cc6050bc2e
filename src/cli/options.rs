//! Flag groups that several subcommands share, and what they resolve to.

use std::path::PathBuf;

use clap::Args;

use crate::client::{Ambiguous, Policy};
use crate::config::{Given, KeySource};
use crate::mock;
use crate::net::Url;
use crate::units::Span;
use crate::wire::Dialect;

/// Which relay, and how to speak to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetOptions {
    /// Base address of the relay, with or without /v1, with or without a path prefix
    #[arg(short, long, value_name = "URL", conflicts_with = "mock")]
    pub(super) url: Option<String>,
    /// Start the embedded relay in this process and use it; SPEC as in `baton mock`
    #[arg(long, value_name = "SPEC", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) mock: Option<mock::Spec>,
    /// Form of requests and answers: messages, chat, responses, complete or raw [default: messages]
    #[arg(short, long, value_name = "DIALECT")]
    pub(super) api: Option<Dialect>,
    /// Add a header, replacing the one that would be sent under that name (repeatable)
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'")]
    pub(super) headers: Vec<String>,
    /// Read the key from a file
    #[arg(long, value_name = "PATH", conflicts_with = "key_command")]
    pub(super) key_file: Option<PathBuf>,
    /// Take the key from what a shell command prints, as a password manager does
    #[arg(long, value_name = "COMMAND")]
    pub(super) key_command: Option<String>,
}

impl TargetOptions {
    /// What the configuration needs to know of these flags; `embedded` is the address of a relay started for `--mock`.
    pub(super) fn given(&self, embedded: Option<Url>, model: Option<&str>) -> Given {
        let file = self.key_file.clone().map(KeySource::File);
        Given {
            url: self.url.clone(),
            embedded,
            api: self.api,
            model: model.map(str::to_owned),
            headers: self.headers.clone(),
            key: file.or_else(|| self.key_command.clone().map(KeySource::Command)),
        }
    }
}

/// When and how often a request is tried again.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyOptions {
    /// Attempts in all, the first one included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: Option<u32>,
    /// Multiplier of the exponential back-off
    #[arg(long, value_name = "TIME", default_value = "1s")]
    backoff_base: Span,
    /// Longest back-off
    #[arg(long, value_name = "TIME", default_value = "10s")]
    backoff_max: Span,
    /// Longest wait that the relay may ask for before the request is given up
    #[arg(long, value_name = "TIME", default_value = "120s")]
    max_wait: Span,
    /// Do not send a request again that may have been worked on, and paid for, already
    #[arg(long)]
    no_retry_ambiguous: bool,
    /// Put this before each request id
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = printable_prefix)]
    pub(super) request_id_prefix: String,
}

impl PolicyOptions {
    /// The retry policy, with the subcommand's own number of attempts where none is given.
    pub(super) fn policy(&self, default_attempts: u32) -> Policy {
        Policy {
            attempts: self.attempts.unwrap_or(default_attempts),
            backoff_base: self.backoff_base.0,
            backoff_max: self.backoff_max.0,
            max_wait: self.max_wait.0,
            ambiguous: if self.no_retry_ambiguous { Ambiguous::Leave } else { Ambiguous::Resend },
        }
    }
}

fn printable_prefix(text: &str) -> Result<String, String> {
    if text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a request id's prefix is at most 64 printable ASCII characters without white space".to_owned())
    }
}
