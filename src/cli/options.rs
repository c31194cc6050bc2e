//! Flag groups that several subcommands share, and what they resolve to.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::client::{Ambiguous, Policy, Timeouts};
use crate::config::{Given, KeySource, PolicyDefaults};
use crate::mock;
use crate::net::{Connection, HttpVersion, ProxyChoice, Trust, Url};
use crate::units::Span;
use crate::wire::Dialect;

use super::Usage;

/// Which relay, and how to speak to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetOptions {
    /// Base address of the relay, with or without /v1, with or without a path prefix
    #[arg(short, long, value_name = "URL", conflicts_with = "mock")]
    pub(super) url: Option<String>,
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
    /// Read the key from a file
    #[arg(long, value_name = "PATH", conflicts_with = "key_command")]
    pub(super) key_file: Option<PathBuf>,
    /// Take the key from what a shell command prints, as a password manager does
    #[arg(long, value_name = "COMMAND")]
    pub(super) key_command: Option<String>,
    #[command(flatten)]
    pub(super) profile: ProfileOptions,
}

/// Which profile, out of which file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct ProfileOptions {
    /// Take what no flag and no variable says from this profile of the configuration file
    #[arg(long, value_name = "NAME")]
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
            url: self.url.clone(),
            embedded,
            api: self.api,
            model: model.map(str::to_owned),
            headers: self.headers.clone(),
            key: file.or_else(|| self.key_command.clone().map(KeySource::Command)),
            ..self.profile.given()
        }
    }
}

/// A dialect's name; help, completions and the refusal of another one list all five.
fn dialect() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::name)).try_map(|name| name.parse::<Dialect>())
}

/// How connections are made, and how long each stage may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionOptions {
    /// Limit for name look-up, TCP and TLS together [default: 5s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<Span>,
    /// Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]
    #[arg(long, value_name = "TIME")]
    first_byte_timeout: Option<Span>,
    /// Limit for the first generated delta of a stream; 0 for none [default: 600s]
    #[arg(long, value_name = "TIME")]
    first_token_timeout: Option<Span>,
    /// Limit between any two bytes; 0 for none [default: 60s]
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<Span>,
    /// Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]
    #[arg(long, value_name = "TIME")]
    stall_timeout: Option<Span>,
    /// Limit for the whole request, attempts and waits included [default: none]
    #[arg(short, long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Speak HTTP/1.1 only
    #[arg(long, conflicts_with = "http2")]
    http1: bool,
    /// Speak HTTP/2 only, also without TLS
    #[arg(long)]
    http2: bool,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "PATH", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Verify no certificate
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Use this proxy for everything, in place of the environment's
    #[arg(short = 'x', long, value_name = "URL")]
    proxy: Option<String>,
}

/// What a subcommand speaks where neither `--http1` nor `--http2` is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Whatever TLS negotiates.
    Negotiated,
    /// HTTP/1.1, so that each user has a connection of its own.
    HttpOne,
}

impl ConnectionOptions {
    /// How the pool connects; `own` is what the profile sets.
    pub(super) fn connection(&self, unasked: Unasked, own: &PolicyDefaults) -> anyhow::Result<Connection> {
        let version = match (self.http1, self.http2, unasked) {
            (true, ..) | (_, false, Unasked::HttpOne) => HttpVersion::One,
            (_, true, _) => HttpVersion::Two,
            (..) => HttpVersion::Negotiated,
        };
        let trust = match &self.cacert {
            _ if self.insecure => Trust::Anyone,
            None => Trust::System,
            Some(path) => Trust::Only(read_certificates(path)?),
        };
        let proxy = match &self.proxy {
            None => ProxyChoice::Environment,
            Some(text) => ProxyChoice::Through(read_proxy(text)?),
        };
        Ok(Connection { connect_timeout: self.connect_timeout(own).0, version, proxy, trust })
    }

    fn connect_timeout(&self, own: &PolicyDefaults) -> Span {
        self.connect_timeout.or(own.connect_timeout).unwrap_or(Span(Connection::default().connect_timeout))
    }

    /// The limits of an attempt; `own` is what the profile sets.
    pub(super) fn timeouts(&self, own: &PolicyDefaults) -> Timeouts {
        let limit = |span: Span| Some(span.0).filter(|limit| *limit > Duration::ZERO);
        let defaults = Timeouts::default();
        let first_byte = self.first_byte_timeout.or(own.first_byte_timeout);
        Timeouts {
            first_byte_stream: first_byte.map_or(defaults.first_byte_stream, limit),
            first_byte_whole: first_byte.map_or(defaults.first_byte_whole, limit),
            first_token: self
                .first_token_timeout
                .or(own.first_token_timeout)
                .map_or(defaults.first_token, limit),
            idle: self.idle_timeout.or(own.idle_timeout).map_or(defaults.idle, limit),
            stall: self.stall_timeout.or(own.stall_timeout).map_or(defaults.stall, limit),
            total: self.timeout.or(own.timeout).and_then(limit),
        }
    }

    /// These flags as curl spells them; `own` is what the profile sets.
    pub(super) fn as_curl(&self, own: &PolicyDefaults) -> Vec<String> {
        let connect_timeout = self.connect_timeout(own).0.as_secs_f64().to_string();
        let mut flags = vec!["--connect-timeout".to_owned(), connect_timeout];
        let mut add = |name: &str, value: Option<String>| {
            flags.push(name.to_owned());
            flags.extend(value);
        };
        if let Some(total) = self.timeout.or(own.timeout) {
            add("--max-time", Some(total.0.as_secs_f64().to_string()));
        }
        if self.http1 {
            add("--http1.1", None);
        }
        if self.http2 {
            add("--http2-prior-knowledge", None);
        }
        if self.insecure {
            add("--insecure", None);
        }
        if let Some(path) = &self.cacert {
            add("--cacert", Some(path.display().to_string()));
        }
        if let Some(proxy) = &self.proxy {
            add("--proxy", Some(proxy.clone()));
        }
        flags
    }
}

fn read_certificates(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let pem = fs::read(path).map_err(|error| Usage::new(format!("--cacert {}: {error}", path.display())))?;
    if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        let hint = "it must hold certificates in PEM form, each beginning with -----BEGIN CERTIFICATE-----";
        return Err(Usage::new(format!("--cacert {}: no certificate in it", path.display()))
            .hint(hint)
            .into());
    }
    Ok(pem)
}

fn read_proxy(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).map_err(|error| {
        Usage::new(format!("--proxy: not an address: {error}"))
            .hint("write it with its scheme, as in http://127.0.0.1:3128")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        let message = format!("--proxy: the scheme '{}' is not supported", url.scheme());
        return Err(Usage::new(message).hint("an http:// or https:// proxy works").into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "a secret is never an argument: put the proxy with its password into HTTPS_PROXY";
        return Err(Usage::new("--proxy: the address holds a user name or password").hint(hint).into());
    }
    Ok(url)
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
    /// Attempts in all, the first one included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
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
        }
    }

    /// What to say where the profile asks for attempts that a measurement does not make.
    pub(super) fn overruled(&self, attempts: Attempts, own: &PolicyDefaults) -> Option<String> {
        let asked = own.attempts.filter(|asked| *asked > 1 && self.attempts.is_none());
        let asked = asked.filter(|_| attempts == Attempts::One)?;
        Some(format!(
            "the profile's attempts = {asked} is left out of a measurement: --attempts sets it here"
        ))
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
        Err("a request id's prefix is at most 64 printable ASCII characters without white space".to_owned())
    }
}
