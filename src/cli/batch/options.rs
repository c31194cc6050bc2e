//! The flags of `baton batch`, and what they resolve to.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::batch;
use crate::batch::{Dedupe, Ended, Input, LineKind, MaxErrors, Order, OutputForm, Resume, Selection};
use crate::batch::{Limits, Manner, Strictness, Template};
use crate::config::Settings;
use crate::units::{Count, Money, Shard, Span, whole};

use super::super::Usage;
use super::super::cache::CacheOptions;
use super::super::connection::ConnectionOptions;
use super::super::limits::LimitOptions;
use super::super::options::{PolicyOptions, TargetOptions, VerbosityOptions};
use super::super::prompt::{FieldOptions, read_whole};
use super::super::routing::RouteOptions;
use super::super::shard::shard;

/// The flags of `baton batch`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(
    after_help = "Each line is a JSON string, {\"prompt\": …, \"id\"?, \"system\"?, \"model\"?, \"max_tokens\"?, \"temperature\"?, \"params\"?, \"session\"?},
an OpenAI or Anthropic batch line, or a whole body. Fields of a row win over flags.

Examples:
  baton batch prompts.jsonl -o answers.jsonl -u https://relay.example -m claude-x
  baton batch prompts.jsonl -o answers.jsonl -u https://relay.example -m claude-x --resume
  cut -f2 names.tsv | baton batch --text --output-form text -u https://relay.example -m claude-x > answers.txt
  baton batch --template ask.txt people.jsonl.gz -o answers.jsonl --rate 60/m -u https://relay.example -m claude-x"
)]
pub(crate) struct BatchOptions {
    #[command(flatten)]
    pub(super) rows: RowOptions,
    #[command(flatten)]
    pub(super) fields: FieldOptions,
    #[command(flatten)]
    pub(super) target: TargetOptions,
    #[command(flatten)]
    pub(super) route: RouteOptions,
    /// Where answers go, in the order of the rows [default: standard output]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Form of the output's lines
    #[arg(long, value_name = "FORM", default_value = "baton", value_parser = output_form(), help_heading = "Output")]
    output_form: OutputForm,
    /// Write rows as they finish, not in the order of the input
    #[arg(long, help_heading = "Output")]
    unordered: bool,
    /// Start over: replace an output, and a journal, that are there
    #[arg(long, conflicts_with_all = ["resume", "retry_failed"], help_heading = "Output")]
    overwrite: bool,
    /// Write the summary as JSON to this file, too
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) summary: Option<PathBuf>,
    /// Go on with a run that was broken off; without one, begin
    #[arg(long, help_heading = "Safety")]
    resume: bool,
    /// Send only the rows that failed; with --resume, those and the ones never sent
    #[arg(long, help_heading = "Safety")]
    retry_failed: bool,
    /// Where finished rows are kept until the output is whole [default: OUTPUT.journal]
    #[arg(long, value_name = "FILE", help_heading = "Safety")]
    journal: Option<PathBuf>,
    /// When finished rows are made safe against a loss of power
    #[arg(long, value_name = "WHEN", default_value = "interval", help_heading = "Safety")]
    sync: SyncChoice,
    /// Send rows that ask for the same each on its own
    #[arg(long, help_heading = "Safety")]
    no_dedupe: bool,
    /// Stop at the first line that is no row
    #[arg(long, help_heading = "Safety")]
    strict: bool,
    /// Requests in flight at once
    #[arg(short, long, value_name = "N", default_value = "100", value_parser = |text: &str| whole::<u32>(text, 1..=100_000), help_heading = "Load")]
    pub(super) concurrency: u32,
    /// Ask for streams and fold them, so that long answers outlive relays that cut silent connections
    #[arg(long, help_heading = "Load")]
    pub(super) stream: bool,
    /// How long rows in flight may take to finish once the run is stopped
    #[arg(long, value_name = "TIME", default_value = "30s", help_heading = "Load")]
    pub(super) drain: Span,
    #[command(flatten)]
    ends: EndOptions,
    #[command(flatten)]
    pub(super) pace: LimitOptions,
    #[command(flatten)]
    pub(super) cache: CacheOptions,
    #[command(flatten)]
    pub(super) connection: ConnectionOptions,
    #[command(flatten)]
    pub(super) policy: PolicyOptions,
    #[command(flatten)]
    pub(super) verbosity: VerbosityOptions,
}

/// Which rows there are, and which of them are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rows")]
pub(super) struct RowOptions {
    /// Files of rows, one after the other, plain or packed by gzip or Zstandard; `-` or none for standard input
    #[arg(value_name = "IN", help_heading = "Arguments")]
    inputs: Vec<PathBuf>,
    /// Each line is a prompt, not JSON
    #[arg(long, conflicts_with = "template")]
    text: bool,
    /// Make each prompt of this file, in which {{field}} stands for a field of the row
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Pass over so many rows at the beginning
    #[arg(long, value_name = "COUNT")]
    skip: Option<Count>,
    /// Look at no more than so many rows
    #[arg(long, value_name = "COUNT")]
    limit: Option<Count>,
    /// Send only every OF-th row, as in 1/4 to 4/4, or auto (see bench); the outputs of all parts, merged by index,
    /// are one run's
    #[arg(long, value_name = "NUMBER/OF", value_parser = shard)]
    shard: Option<Shard>,
}

/// What ends a run early.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct EndOptions {
    /// Stop once so many rows have failed, or this share of them (from the hundredth row on)
    #[arg(long, value_name = "N|P%", value_parser = max_errors)]
    max_errors: Option<MaxErrors>,
    /// Stop at the first row that fails
    #[arg(long, conflicts_with = "max_errors")]
    fail_fast: bool,
    /// Stop once the answers have cost so many dollars, at the configured prices; rows in flight still finish
    #[arg(long, value_name = "USD")]
    max_cost: Option<Money>,
    /// Stop after so many requests, retries included; rows in flight still finish
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<Count>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncChoice {
    /// Before a row counts as finished
    Always,
    /// Once a second
    Interval,
    /// When the system sees fit
    Off,
}

fn output_form() -> impl TypedValueParser<Value = OutputForm> {
    PossibleValuesParser::new(OutputForm::NAMES.map(|(name, _)| name))
        .try_map(|name| name.parse::<OutputForm>())
}

fn max_errors(text: &str) -> Result<MaxErrors, String> {
    let refuse = || format!("'{text}' is neither a number of rows nor a share: write 50 or 2%");
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.trim().parse().map_err(|_| refuse())?;
        return if (0.0..=100.0).contains(&share) { Ok(MaxErrors::Percent(share)) } else { Err(refuse()) };
    }
    text.parse::<Count>().map(|count| MaxErrors::Rows(count.0)).map_err(|_| refuse())
}

impl BatchOptions {
    /// Refuses flags that contradict one another.
    pub(super) fn refuse_what_cannot_be(&self) -> Result<(), Usage> {
        let goes_on = self.resume || self.retry_failed;
        if goes_on && self.journal_file().is_none() {
            let flag = if self.resume { "--resume" } else { "--retry-failed" };
            let message = format!("{flag}: only a file keeps what there is to go on from");
            return Err(Usage::new(message).hint("name the output with -o, or keep a journal with --journal"));
        }
        if self.stream && self.cache.is_asked_for() {
            let message = "--cache does not go with --stream: a streamed answer's body is not kept";
            return Err(Usage::new(message).hint("leave one of the two out"));
        }
        let inputs = self.inputs();
        if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
            return Err(Usage::new("standard input is named twice among the inputs"));
        }
        let output = self.output_file();
        for input in &inputs {
            if let Input::File(path) = input
                && [output, self.journal_file().as_deref()].contains(&Some(path.as_path()))
            {
                return Err(Usage::new(format!(
                    "{}: it is an input and would be written to",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Requests in flight at once, as a number of users.
    pub(super) fn users(&self) -> usize {
        usize::try_from(self.concurrency).unwrap_or(usize::MAX)
    }

    /// Where rows come from.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let inputs: Vec<_> = self.rows.inputs.iter().map(|path| Input::named(path)).collect();
        if inputs.is_empty() { vec![Input::Stdin] } else { inputs }
    }

    /// What a line is written in.
    pub(super) fn lines(&self) -> LineKind {
        if self.rows.text { LineKind::Text } else { LineKind::Json }
    }

    /// The template of `--template`.
    pub(super) fn template(&self) -> Result<Option<Template>, Usage> {
        let Some(path) = &self.rows.template else { return Ok(None) };
        let place = format!("--template {}", path.display());
        let text = String::from_utf8(read_whole(path, "--template")?)
            .map_err(|_| Usage::new(format!("{place}: not UTF-8 text")))?;
        Template::new(text).map(Some).map_err(|problem| Usage::new(format!("{place}: {problem}")))
    }

    /// What becomes of an earlier run's rows.
    pub(super) fn going_on(&self) -> Resume {
        match (self.resume, self.retry_failed) {
            (false, false) => Resume::Afresh,
            (true, false) => Resume::Rest,
            (true, true) => Resume::RestAndFailed,
            (false, true) => Resume::FailedOnly,
        }
    }

    /// Which rows are this run's.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            skip: self.rows.skip.map_or(0, |count| count.0),
            limit: self.rows.limit.map(|count| count.0),
            shard: self.rows.shard.unwrap_or(Shard::WHOLE),
            resume: self.going_on(),
            dedupe: if self.no_dedupe { Dedupe::Off } else { Dedupe::On },
            strictness: if self.strict { Strictness::Strict } else { Strictness::Lenient },
        }
    }

    /// How rows are written.
    pub(super) fn manner(&self) -> Manner {
        Manner {
            form: self.output_form,
            order: if self.unordered { Order::AsFinished } else { Order::AsRead },
            sync: match self.sync {
                SyncChoice::Always => batch::Sync::Always,
                SyncChoice::Interval => batch::Sync::Interval,
                SyncChoice::Off => batch::Sync::Off,
            },
        }
    }

    /// What ends the run early.
    pub(super) fn limits(&self, settings: &Settings) -> Result<Limits, Usage> {
        let EndOptions { max_errors, fail_fast, max_cost, max_requests } = &self.ends;
        if max_cost.is_some() && settings.prices.is_empty() {
            return Err(Usage::new("--max-cost: no model has a price")
                .hint("write prices into the configuration file: [price.\"MODEL\"] with input and output"));
        }
        Ok(Limits {
            max_errors: if *fail_fast { Some(MaxErrors::Rows(1)) } else { *max_errors },
            max_cost: *max_cost,
            max_requests: max_requests.map(|count| count.0),
        })
    }

    /// The output, where it is a file.
    pub(super) fn output_file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// Where the journal is, where there is one with a name.
    pub(super) fn journal_file(&self) -> Option<PathBuf> {
        self.journal.clone().or_else(|| {
            // What a pipe or a device has taken cannot be gone on from.
            let output = self
                .output_file()
                .filter(|path| !std::fs::metadata(path).is_ok_and(|file| !file.is_file()))?;
            let mut name = output.as_os_str().to_owned();
            name.push(".journal");
            Some(PathBuf::from(name))
        })
    }

    /// Whether files that are there may be replaced.
    pub(super) fn may_replace(&self) -> bool {
        self.overwrite
    }

    /// The form of the output.
    pub(super) fn form(&self) -> OutputForm {
        self.output_form
    }

    /// The next step after a run that left something undone.
    pub(super) fn how_to_go_on(&self, ended: &Ended) -> Option<String> {
        let summary = &ended.summary;
        self.journal_file()?;
        let waiting = match summary.waiting {
            0 => String::new(),
            rows => format!(
                "{} finished rows wait in the journal for rows before them; ",
                crate::units::grouped(rows)
            ),
        };
        if !summary.complete && self.going_on() != Resume::FailedOnly {
            return Some(format!("{waiting}the same command with --resume sends the rest"));
        }
        (summary.tally.failed > 0)
            .then(|| "the same command with --retry-failed sends just the failed rows".to_owned())
    }
}
