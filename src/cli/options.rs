//! Flag groups that several subcommands share, and what they resolve to.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::client::cache::CacheUse;
use crate::client::{Ambiguous, Policy};
use crate::config::{Given, KeySource, PolicyDefaults};
use crate::mock;
use crate::net::Url;
use crate::units::{Span, whole};
use crate::wire::Dialect;

use super::compress::CompressOptions;
use super::sign::SignOptions;

/// Which relay, and how to speak to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetOptions {
    /// Base address of the relay, with or without /v1, with or without a path prefix (repeatable, for several endpoints,
    /// of which #zone=a&region=eu&weight=2&priority=1&drain behind the address say more)
    #[arg(short, long, value_name = "URL", conflicts_with = "mock")]
    pub(super) url: Vec<String>,
    /// Start the embedded relay in this process and use it; SPEC as in `baton mock`
    #[arg(long, value_name = "SPEC", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    #[arg(conflicts_with_all = ["key_file", "key_command"])]
    pub(super) mock: Option<mock::Spec>,
    /// Form of requests and answers [default: messages]
    #[arg(short, long, value_name = "DIALECT", value_parser = dialect())]
    pub(super) api: Option<Dialect>,
    /// Add a header, written 'Name: value', replacing the one that would be sent under that name (repeatable)
    // A colon in a value's name would break zsh's completion script.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(super) headers: Vec<String>,
    /// Send X-Forwarded-For with this address, as a proxy would; it is never sent otherwise
    #[arg(long, value_name = "IP", value_parser = ip)]
    pub(super) forwarded_for: Option<IpAddr>,
    /// Read the key from a file that only you can read
    #[arg(long, value_name = "PATH", conflicts_with = "key_command")]
    pub(super) key_file: Option<PathBuf>,
    /// Take the key from what a shell command prints, as a password manager does
    #[arg(long, value_name = "COMMAND")]
    pub(super) key_command: Option<String>,
    /// Send nothing unless the profile's token allows this (repeatable)
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    #[arg(conflicts_with_all = ["mock", "key_file", "key_command"])]
    pub(super) require_scope: Vec<String>,
    #[command(flatten)]
    pub(super) profile: ProfileOptions,
}

/// Which profile, out of which file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct ProfileOptions {
    /// Take what no flag and no variable says from this profile of the configuration file
    // The completion scripts know the flag's value by this name.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Read this configuration file [default: ~/.config/baton/config.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ProfileOptions {
    /// A command line on which nothing else is given.
    pub(super) fn given(&self) -> Given {
        Given { profile: self.profile.clone(), config: self.config.clone(), ..Given::default() }
    }
}

impl TargetOptions {
    /// What the configuration needs to know of these flags; `embedded` is the address of a relay started for `--mock`.
    pub(super) fn given(&self, embedded: Option<Url>, model: Option<&str>) -> Given {
        let file = self.key_file.clone().map(KeySource::File);
        Given {
            urls: self.url.clone(),
            embedded,
            api: self.api,
            model: model.map(str::to_owned),
            headers: self.headers.clone(),
            forwarded_for: self.forwarded_for,
            require_scope: self.require_scope.clone(),
            key: file.or_else(|| self.key_command.clone().map(KeySource::Command)),
            ..self.profile.given()
        }
    }
}

/// A dialect's name; help, completions and the refusal of another one list all five.
fn dialect() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::name)).try_map(|name| name.parse::<Dialect>())
}

fn ip(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "write one IP address, without a port, as in 203.0.113.7 or 2001:db8::7")
}

/// One scope (RFC 6749, section 3.3).
fn scope(text: &str) -> Result<String, &'static str> {
    let is_one =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("write one scope, as in prompts; repeat the flag for another")
    }
}

/// How much is said about a request.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct VerbosityOptions {
    /// Print a line for each attempt
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
}

/// When and how often a request is tried again.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyOptions {
    /// Attempts in all, the first one included [default: 3 in send, 1 in bench]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u32>(text, 1..=100))]
    attempts: Option<u32>,
    /// Multiplier of the exponential back-off [default: 1s]
    #[arg(long, value_name = "TIME")]
    backoff_base: Option<Span>,
    /// Longest back-off [default: 10s]
    #[arg(long, value_name = "TIME")]
    backoff_max: Option<Span>,
    /// Longest wait that the relay may ask for before the request is given up [default: 120s]
    #[arg(long, value_name = "TIME")]
    max_wait: Option<Span>,
    /// Do not send a request again that may have been worked on, and paid for, already
    #[arg(long)]
    no_retry_ambiguous: bool,
    /// Put this before each request id
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = printable_prefix)]
    pub(super) request_id_prefix: String,
    #[command(flatten)]
    pub(super) compress: CompressOptions,
    #[command(flatten)]
    pub(super) sign: SignOptions,
}

impl PolicyOptions {
    /// The retry policy; `own` is what the profile sets.
    pub(super) fn policy(&self, attempts: Attempts, own: &PolicyDefaults) -> Policy {
        let built_in = Policy::default();
        let unasked = match attempts {
            Attempts::Usual => own.attempts.unwrap_or(built_in.attempts),
            Attempts::One => 1,
        };
        let time =
            |flag: Option<Span>, own: Option<Span>, built_in| flag.or(own).map_or(built_in, |time| time.0);
        Policy {
            attempts: self.attempts.unwrap_or(unasked),
            backoff_base: time(self.backoff_base, own.backoff_base, built_in.backoff_base),
            backoff_max: time(self.backoff_max, own.backoff_max, built_in.backoff_max),
            max_wait: time(self.max_wait, own.max_wait, built_in.max_wait),
            ambiguous: if self.no_retry_ambiguous { Ambiguous::Leave } else { Ambiguous::Resend },
            partial: built_in.partial,
            hints: built_in.hints,
        }
    }

    /// Whether somebody has set how long a wait the relay may ask for.
    pub(super) fn bounds_waits(&self, own: &PolicyDefaults) -> bool {
        self.max_wait.or(own.max_wait).is_some()
    }

    /// What to say where the profile asks for what a measurement does not do.
    pub(super) fn overruled(&self, attempts: Attempts, own: &PolicyDefaults) -> Vec<String> {
        if attempts != Attempts::One {
            return Vec::new();
        }
        let asked = own.attempts.filter(|asked| *asked > 1 && self.attempts.is_none()).map(|asked| {
            format!("the profile's attempts = {asked} is left out of a measurement: --attempts sets it here")
        });
        let rate = own.rate.map(|rate| format!("rate = \"{rate}\""));
        let tokens = own.token_rate.map(|rates| format!("token-rate = \"{rates}\""));
        let cache =
            own.cache.filter(|cache| *cache != CacheUse::Off).map(|cache| format!("cache = \"{cache}\""));
        let left_out = |limit| format!("the profile's {limit} is left out of a measurement");
        asked.into_iter().chain(rate.into_iter().chain(tokens).chain(cache).map(left_out)).collect()
    }
}

/// How often a subcommand tries where `--attempts` is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempts {
    /// As often as the profile says, or else as is built in.
    Usual,
    /// Once, whatever the profile says: the first attempt is the measurement.
    One,
}

fn printable_prefix(text: &str) -> Result<String, String> {
    if text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("write at most 64 printable ASCII characters, white space not among them".to_owned())
    }
}
