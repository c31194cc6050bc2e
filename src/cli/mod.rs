//! The command tree: one file a subcommand with its flags and its wiring, flag groups in `options` and `connection`.

mod auth;
mod batch;
mod bench;
mod cache;
mod carry;
mod check;
mod completions;
mod compress;
mod config;
mod connection;
mod conversation;
mod extract;
mod files;
mod guards;
mod limits;
mod listing;
mod lookout;
mod man;
mod mock;
mod models;
mod options;
mod output;
mod paper;
mod prompt;
mod relay;
mod rendering;
mod report;
mod route;
mod routing;
mod send;
mod shard;
mod show;
mod sign;
mod signals;
mod stream;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use self::output::OutputError;
pub use self::signals::Signal;

/// Prompts through an LLM relay, and what that relay can bear.
#[derive(Debug, Parser)]
#[command(name = "baton", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Start here:  baton bench --mock    baton send --mock 'Hello'    baton send --help

Environment: BATON_URL, BATON_KEY, BATON_MODEL, BATON_API, BATON_PROFILE, BATON_CONFIG; then, by dialect,
ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, ANTHROPIC_API_KEY, ANTHROPIC_MODEL, ANTHROPIC_CUSTOM_HEADERS or
OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_ORG_ID, OPENAI_PROJECT_ID; HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, NO_COLOR")]
struct Baton {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    talk: Talk,
}

/// What every subcommand says beside its data.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Talk {
    /// Silence notices and progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// How an error is printed on standard error
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    error_format: ErrorFormat,
}

/// The forms of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one prompt; the answer appears on standard output as it arrives
    Send(Box<send::SendOptions>),
    /// Write one answer of any size straight to a file
    Stream(Box<stream::StreamOptions>),
    /// Carry a file of prompts to a file of answers; resumable
    Batch(Box<batch::BatchOptions>),
    /// Sweep concurrency levels and print the average/TP99 table
    Bench(Box<bench::BenchOptions>),
    /// Find out whether a relay is fit for use
    Check(Box<check::CheckOptions>),
    /// Print, join and compare saved results
    Report(report::ReportCommand),
    /// Run the embedded relay as a server of its own
    Mock(Box<mock::MockOptions>),
    /// List the models that the relay offers
    Models(Box<models::ModelsOptions>),
    /// Show what is known of a relay's endpoints, or ask them for their health
    Route(route::RouteCommand),
    /// Log in where a relay wants tokens, and look after the login
    Auth(auth::AuthCommand),
    /// Look at the cache of answers, or empty it
    Cache(cache::CacheCommand),
    /// Print a shell's completion script
    Completions(completions::CompletionsOptions),
    /// Print the manual page, or write one for each command into a folder
    Man(man::ManOptions),
    /// Show the settings and where each comes from, find the configuration file, keep settings in step between regions
    Config(config::ConfigOptions),
}

/// How a command ended, to become an exit code and, if it failed, a text.
#[derive(Debug)]
pub struct Finished {
    /// Nothing, or what went wrong.
    pub result: anyhow::Result<()>,
    /// How to print what went wrong.
    pub error_format: ErrorFormat,
}

/// A command line that cannot be carried out, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Usage {
    /// What is wrong, naming the flag or the file.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Usage {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// An end that is no failure of the relay's and still not success.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// `--fail-on` matched the way the answer ended.
    #[error("the answer ended by {0}, which --fail-on names")]
    FailOn(String),
    /// `--extract` found nothing of the kind in a whole answer.
    #[error("the answer has no whole {0}, and --extract prints nothing else")]
    NothingToExtract(&'static str),
    /// A signal came; what was there has been printed.
    #[error("{} before the end", match .0 { Signal::Interrupt => "interrupted", Signal::Terminate => "terminated" })]
    Stopped(Signal),
    /// A run in which some requests failed.
    #[error("{failed} of {all} {what} failed")]
    SomeFailed {
        /// What they were: "requests".
        what: &'static str,
        /// Those that failed.
        failed: u64,
        /// All that were recorded.
        all: u64,
    },
    /// A batch that `--max-errors` or `--fail-fast` ended.
    #[error("{failed} of {all} rows failed, which is the most that may")]
    TooManyErrors {
        /// Those that failed.
        failed: u64,
        /// All that had come to an end.
        all: u64,
    },
    /// A batch that ended itself because every further row would fail.
    #[error("the run ended early, since further rows would fail alike ({}): {message}", class.name())]
    BatchGaveUp {
        /// The class of the failures.
        class: crate::outcome::Class,
        /// The message of the last of them.
        message: String,
    },
    /// A run that reached a cap of the user's own.
    #[error("{0}")]
    Capped(String),
    /// Checks of a relay that do not hold.
    #[error("{failed} check{} failed", if *failed == 1 { "" } else { "s" })]
    ChecksFailed {
        /// How many.
        failed: usize,
    },
    /// Sources of a synced configuration that do not all serve what is in force.
    #[error("the sources of the synced configuration are out of step, for {polls} polls now")]
    OutOfStep {
        /// How many polls in a row have found it.
        polls: u32,
        /// What those sources serve.
        stories: Vec<String>,
    },
    /// Thresholds that do not hold.
    #[error("{} of {all} threshold{} failed", stories.len(), if *all == 1 { "" } else { "s" })]
    ThresholdsFailed {
        /// What was seen, for each of them.
        stories: Vec<String>,
        /// How many there are.
        all: usize,
    },
    /// Thresholds that the run cannot decide.
    #[error("{} of {all} threshold{} cannot be decided", stories.len(), if *all == 1 { "" } else { "s" })]
    ThresholdsUndecided {
        /// What was seen, for each of them.
        stories: Vec<String>,
        /// How many there are.
        all: usize,
    },
    /// Figures that are worse than an earlier result beyond the noise.
    #[error("{} worse than before", figures(.0.len(), "is", "are"))]
    Regressed(Vec<String>),
    /// Figures of which nobody can say whether they are.
    #[error("{} be compared", figures(.0.len(), "cannot", "cannot"))]
    ComparisonUndecided(Vec<String>),
    /// A search in which even the smallest load failed.
    #[error("there is no load at which every objective holds")]
    NoCapacity(String),
    /// A search that came to no answer that could be trusted.
    #[error("the capacity is not known")]
    CapacityUnknown(String),
    /// A sum whose load was less than its plan says.
    #[error("the sum is less than its plan")]
    SumFallsShort(Vec<String>),
    /// A run in which nothing succeeded.
    #[error("nothing succeeded, so nothing was measured")]
    NothingSucceeded,
    /// A run that ended itself because it could only fail.
    #[error("the run ended itself after 20 or more failures in a row of class {}: {message}", class.name())]
    GaveUp {
        /// The class of the failures.
        class: crate::outcome::Class,
        /// The message of one of them.
        message: String,
    },
}

/// So many figures with their verb.
fn figures(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 figure {one}") } else { format!("{count} figures {several}") }
}

/// The whole command tree, as help and completions need it.
pub fn command() -> clap::Command {
    Baton::command()
}

/// Parses the command line and carries it out.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Finished {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed =
        command().try_get_matches_from(&arguments).and_then(|matches| Baton::from_arg_matches(&matches));
    match parsed {
        Ok(baton) => Finished { error_format: baton.talk.error_format, result: carry_out(baton) },
        Err(error) => {
            let error_format = wanted_format(&arguments);
            let named =
                unreadable(&arguments).filter(|_| error.kind() == clap::error::ErrorKind::InvalidUtf8);
            Finished { error_format, result: Err(named.map_or_else(|| error.into(), Into::into)) }
        }
    }
}

/// The argument that is no text, which the parser does not name.
fn unreadable(arguments: &[OsString]) -> Option<Usage> {
    let (number, argument) = arguments.iter().enumerate().find(|(_, word)| word.to_str().is_none())?;
    let shown = argument.to_string_lossy();
    let message = format!("argument {number}, '{shown}', is not UTF-8 text");
    Some(
        Usage::new(message)
            .hint("only the path of a file may be other bytes; a text comes from a file or a pipe"),
    )
}

fn carry_out(baton: Baton) -> anyhow::Result<()> {
    // Each connection takes a descriptor, and shells set the soft limit low; a refusal leaves it as it was.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    match baton.command {
        Command::Send(options) => send::run(&options, baton.talk),
        Command::Stream(options) => stream::run(&options, baton.talk),
        Command::Batch(options) => batch::run(&options, baton.talk),
        Command::Bench(options) => bench::run(&options, baton.talk),
        Command::Check(options) => check::run(&options, baton.talk),
        Command::Report(command) => report::run(&command, baton.talk),
        Command::Mock(options) => mock::run(&options, baton.talk),
        Command::Models(options) => models::run(&options, baton.talk),
        Command::Route(command) => route::run(&command, baton.talk),
        Command::Auth(command) => auth::run(&command, baton.talk),
        Command::Cache(options) => cache::run(&options),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => man::run(&options),
        Command::Config(options) => config::run(&options, baton.talk),
    }
}

/// The error format asked for on a command line that could not be parsed.
fn wanted_format(arguments: &[OsString]) -> ErrorFormat {
    let words: Vec<_> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let split = words.windows(2).any(|pair| pair == ["--error-format", "json"]);
    if split || words.contains(&"--error-format=json") { ErrorFormat::Json } else { ErrorFormat::Text }
}

impl Talk {
    /// Whether only data and errors are wanted.
    fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints a notice on standard error, unless silenced. A terminal that is gone is no reason to stop.
    fn notice(self, text: impl std::fmt::Display) {
        if !self.quiet {
            say(text);
        }
    }
}

/// Whether escape sequences for colour are wanted, as no-color.org and `TERM` have it, where a terminal reads them.
pub fn colour_is_wanted() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !plain && terminal_obeys()
}

/// Whether a terminal, if there is one, obeys escape sequences at all.
fn terminal_obeys() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// One line on standard error; one that cannot be written is lost without harm.
fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
