//! `baton send`: one prompt, the answer on standard output as it arrives.

mod printer;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::client::cache::Cache;
use crate::client::{Exchange, Failed, Ids, Piece};
use crate::config::Settings;
use crate::net::Adapt;
use crate::wire::StopKind;

use self::printer::Printer;
use super::cache::CacheOptions;
use super::carry::{Carried, account_of, carry, remark};
use super::connection::{ConnectionOptions, Unasked, without_limit_of_requests};
use super::extract::Extract;
use super::limits::Throttle;
use super::limits::{LimitOptions, fits};
use super::lookout::finish;
use super::options::{Attempts, PolicyOptions, TargetOptions, VerbosityOptions};
use super::output::Output;
use super::prompt::{Defaults, Nameless, PromptOptions, Stdin};
use super::relay::{Flags, Manner, Wired};
use super::rendering::{Form, Generated};
use super::routing::RouteOptions;
use super::show;
use super::{Ending, Talk, Usage, say};

/// The flags of `baton send`.
#[derive(Debug, Args)]
#[command(mut_args(without_limit_of_requests))]
#[command(after_help = "Examples:
  baton send --mock 'Name three rivers'
  git diff | baton send -u https://relay.example -m claude-x 'Review this change'
  baton send -a chat -u https://relay.example/v1 -m gpt-x --format json 'Hello'
  baton send -u https://relay.example -m claude-x --curl 'Hello'")]
pub(super) struct SendOptions {
    #[command(flatten)]
    prompt: PromptOptions,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    route: RouteOptions,
    #[command(flatten)]
    answer: AnswerOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    cache: CacheOptions,
    #[command(flatten)]
    verbosity: VerbosityOptions,
}

/// What is done with the answer.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(next_help_heading = "Answer")]
struct AnswerOptions {
    /// Form of the answer: its text, one JSON object, a JSON line for each event, or the wire's bytes
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Format,
    /// Print only the first fenced block of code or the first JSON value, once the answer is whole; exit with code 1 if
    /// it has none
    #[arg(long, value_name = "WHAT")]
    extract: Option<Extract>,
    /// Write the answer to a file, which takes its name when the answer is whole
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ask for the answer whole instead of as a stream
    #[arg(long)]
    no_stream: bool,
    /// Print reasoning on standard error even where that is no terminal
    #[arg(long)]
    show_reasoning: bool,
    /// Print the request as it would leave, secrets masked, and send nothing
    #[arg(long, conflicts_with_all = ["curl", "format", "timing", "fail_on", "show_reasoning"])]
    dry_run: bool,
    /// Print the request as a curl command, secrets masked, and send nothing
    #[arg(long, conflicts_with_all = ["format", "timing", "fail_on", "show_reasoning"])]
    curl: bool,
    /// Print a breakdown of times on standard error
    #[arg(long)]
    timing: bool,
    /// Exit with code 10 if the answer ended so (comma-separated); messages and complete call a filter a refusal
    #[arg(long, value_name = "HOW", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Events,
    Raw,
}

impl Format {
    /// The form of what is written while the answer arrives; an object is written when it is whole.
    const fn form(self) -> Option<Form> {
        match self {
            Self::Text => Some(Form::Text),
            Self::Json => None,
            Self::Events => Some(Form::Events),
            Self::Raw => Some(Form::Raw),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Length,
    Refusal,
    Filter,
}

/// Carries the prompt and prints the answer.
pub(super) fn run(options: &SendOptions, talk: Talk) -> anyhow::Result<()> {
    let SendOptions { prompt, target, route, answer, connection, policy, limits, cache, verbosity } = options;
    if answer.extract.is_some() && answer.format != Format::Text {
        return Err(Usage::new("--extract goes with --format text only, which is the default").into());
    }
    let flags = Flags { target, prompt, connection, policy, route };
    let manner = Manner {
        defaults: Defaults {
            stdin: Stdin::WhenPiped,
            text: None,
            max_tokens: None,
            nameless: Nameless::Refused,
        },
        stream: !answer.no_stream,
        attempts: Attempts::Usual,
        unasked: Unasked::Negotiated,
    };
    let mut wired = Wired::new(flags, manner, talk)?;
    let limiter = limits.limiter(Adapt::Never, &wired.site)?;
    if let Some(limiter) = &limiter {
        fits(limiter, &wired.call)?;
    }
    if answer.dry_run || answer.curl {
        return show_request(options, &wired, talk);
    }
    let kept = open_cache(cache, answer, &wired.site.settings)?;
    let throttle = Throttle::of(*limits, limiter.as_ref(), &wired.site.settings.policy);
    let client = wired.client(flags)?.with_limiter(limiter).with_cache(kept.clone());
    let mut printer = Printer::new(answer, Output::open(answer.output.as_deref())?, talk).verbose(verbosity);
    let mut sink = |piece: Piece<'_>| printer.take(&piece);
    let lookout = wired.site.lookout((route, connection), throttle)?;
    let carried = carry(client, lookout.as_ref(), &wired.call, &mut sink)?;
    finish(lookout, talk);
    if let Some(trouble) = kept.as_ref().and_then(|cache| cache.trouble()) {
        talk.notice(format_args!("note: the answer could not be kept: {trouble}"));
    }
    Sent { carried, printer }.settle(answer, &wired.site.settings, talk)
}

/// Prints the request as it would leave, and sends nothing.
fn show_request(options: &SendOptions, wired: &Wired, talk: Talk) -> anyhow::Result<()> {
    let SendOptions { prompt, target, route, answer, connection, policy, .. } = options;
    let client = wired.draughtsman(Flags { target, prompt, connection, policy, route })?;
    let ids = Ids::new(format!("{}{}", policy.request_id_prefix, uuid::Uuid::new_v4()));
    let (request, _) = client.preview(&wired.call, &ids);
    let settings = &wired.site.settings;
    let text = if answer.curl {
        let (credential, flags) = (settings.credential.as_ref(), connection.as_curl(&settings.policy));
        show::as_curl(show::Curl { request: &request, body: wired.call.body(), credential, flags: &flags })
    } else {
        if request.body != wired.call.body() {
            talk.notice("note: the body is shown as it is before its compression");
        }
        show::as_http(&request, wired.call.body())
    };
    let mut output = Output::open(answer.output.as_deref())?;
    output.write(text.as_bytes())?;
    Ok(output.finish()?)
}

/// The cache that flags and profile ask for; the wire's bytes are not kept, so that there is none for them.
fn open_cache(
    options: &CacheOptions,
    answer: &AnswerOptions,
    settings: &Settings,
) -> Result<Option<Arc<Cache>>, Usage> {
    if answer.format == Format::Raw {
        if options.is_asked_for() {
            let message = "--cache does not go with --format raw: the wire's bytes are not kept";
            return Err(Usage::new(message).hint("--format events shows the parts of a kept answer"));
        }
        return Ok(None);
    }
    options.open(settings.dialect, &settings.policy)
}

/// A call that has ended, with what it printed.
struct Sent {
    carried: Carried,
    printer: Printer,
}

impl Sent {
    /// Ends the output and turns the outcome into success or an error.
    fn settle(self, answer: &AnswerOptions, settings: &Settings, talk: Talk) -> anyhow::Result<()> {
        let Self { carried: Carried { exchange, signal }, mut printer } = self;
        if let Some(error) = printer.failure.take() {
            return Err(error.into());
        }
        let account = account_of(&exchange, settings);
        let failed = exchange.trouble.is_some() || signal.is_some();
        let only_tools = printer.rendering.generated == Generated::Tools;
        if answer.format == Format::Json {
            printer.output.write(show::as_json(&exchange, &printer.text, account).as_bytes())?;
        }
        let wanted = answer.extract.filter(|_| !failed);
        let part = wanted.map(|wanted| wanted.part_of(&printer.text).ok_or(wanted)).transpose();
        if let Ok(Some(part)) = &part {
            printer.output.write(part.as_bytes())?;
        }
        printer.end_line()?;
        if let (Some(attempt), true) = (exchange.attempts.last(), printer.verbose) {
            say(show::attempt_line(attempt, None));
        }
        if failed && answer.format != Format::Json {
            printer.keep_partial(talk)?;
        } else if part.is_ok() {
            printer.output.finish()?;
        }
        if answer.timing {
            say(show::timing(&exchange, account));
        }
        if let Some(signal) = signal {
            return Err(Ending::Stopped(signal).into());
        }
        if let Some(how) = matched(&exchange, answer) {
            return Err(Ending::FailOn(how).into());
        }
        if failed {
            let credential = settings.credential_story.clone();
            return Err(Failed { exchange: Box::new(exchange), credential }.into());
        }
        remark(&exchange, only_tools && answer.format == Format::Text, talk);
        part.map(|_| ()).map_err(|wanted| Ending::NothingToExtract(wanted.what()).into())
    }
}

/// The way the answer ended, where `--fail-on` names it.
fn matched(exchange: &Exchange, answer: &AnswerOptions) -> Option<String> {
    let stop = exchange.stop.as_ref()?;
    let named = answer.fail_on.iter().any(|wanted| match wanted {
        FailOn::Length => stop.kind == StopKind::Length,
        FailOn::Refusal => stop.kind == StopKind::Refusal,
        FailOn::Filter => stop.kind == StopKind::Filter,
    });
    named.then(|| stop.word.to_string())
}
