//! `baton send`: one prompt, the answer on standard output as it arrives.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::Notify;

use crate::client::{Client, Exchange, Failed, Ids, Piece};
use crate::config::Settings;
use crate::net::Pool;
use crate::outcome::Class;
use crate::units::Span;
use crate::wire::{Delta, Event, StopKind};

use super::options::{Attempts, ConnectionOptions, PolicyOptions, TargetOptions, Unasked, VerbosityOptions};
use super::output::Output;
use super::prompt::{Defaults, PromptOptions, Stdin};
use super::relay::{Flags, Manner, Wired};
use super::show;
use super::signals::Signals;
use super::{Ending, OutputError, Signal, Talk, say};

/// The flags of `baton send`.
#[derive(Debug, Args)]
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
    answer: AnswerOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    policy: PolicyOptions,
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
    /// Exit with code 10 if the answer ended so (comma-separated)
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Length,
    Refusal,
    Filter,
}

/// Carries the prompt and prints the answer.
pub(super) fn run(options: &SendOptions, talk: Talk) -> anyhow::Result<()> {
    let SendOptions { prompt, target, answer, connection, policy, verbosity } = options;
    let flags = Flags { target, prompt, connection, policy };
    let manner = Manner {
        defaults: Defaults { stdin: Stdin::WhenPiped, text: None, max_tokens: None },
        stream: !answer.no_stream,
        attempts: Attempts::Usual,
        unasked: Unasked::Negotiated,
    };
    let wired = Wired::new(flags, manner, talk)?;
    if answer.dry_run || answer.curl {
        let ids = Ids::new(format!("{}{}", policy.request_id_prefix, uuid::Uuid::new_v4()));
        let request = wired.call.request(&ids, wired.settings.credential.as_ref());
        let text = if answer.curl {
            show::as_curl(
                &request,
                wired.settings.credential.as_ref(),
                &connection.as_curl(&wired.settings.policy),
            )
        } else {
            show::as_http(&request)
        };
        let mut output = Output::open(answer.output.as_deref())?;
        output.write(text.as_bytes())?;
        return Ok(output.finish()?);
    }
    let stop = Arc::new(Notify::new());
    let client = wired.client()?.with_stop(Arc::clone(&stop));
    let printer = Printer::new(answer, Output::open(answer.output.as_deref())?, talk).verbose(verbosity);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carried = runtime.block_on(carry(&client, &stop, &wired, printer));
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    carried?.settle(answer, &wired.settings, talk)
}

/// Carries the call until it ends or a signal ends it.
async fn carry(
    client: &Client<Pool>,
    stop: &Notify,
    wired: &Wired,
    mut printer: Printer,
) -> anyhow::Result<Carried> {
    let mut signals = Signals::listen()?;
    signals.arm_after_one()?;
    let mut came = None;
    let exchange = {
        let mut sink = |piece: Piece<'_>| printer.take(&piece);
        let mut running = std::pin::pin!(client.run(&wired.call, &mut sink));
        loop {
            tokio::select! {
                exchange = &mut running => break exchange,
                signal = signals.next() => {
                    came.get_or_insert(signal);
                    stop.notify_one();
                }
            }
        }
    };
    Ok(Carried { exchange, signal: came, printer })
}

/// A call that has ended, with what it printed.
struct Carried {
    exchange: Exchange,
    signal: Option<Signal>,
    printer: Printer,
}

impl Carried {
    /// Ends the output and turns the outcome into success or an error.
    fn settle(self, answer: &AnswerOptions, settings: &Settings, talk: Talk) -> anyhow::Result<()> {
        let Self { exchange, signal, mut printer } = self;
        if let Some(error) = printer.failure.take() {
            return Err(error.into());
        }
        if let (Some(attempt), true) = (exchange.attempts.last(), printer.verbose) {
            say(show::attempt_line(attempt, None));
        }
        // The answer's own name of the model may be more precise than the one asked for.
        let models = [exchange.model.as_deref(), settings.model.as_deref()];
        let cost = settings.prices.cost(models.into_iter().flatten(), &exchange.usage);
        let failed = exchange.trouble.is_some() || signal.is_some();
        let only_tools = printer.delivered == Delivered::Tools;
        if answer.format == Format::Json {
            printer.output.write(show::as_json(&exchange, &printer.text, cost).as_bytes())?;
        }
        printer.end_line()?;
        if failed && answer.format != Format::Json {
            printer.keep_partial(talk)?;
        } else {
            printer.output.finish()?;
        }
        if answer.timing {
            say(show::timing(&exchange, cost));
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
        Ok(())
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
    named.then(|| stop.word.clone())
}

/// Says what an answer that is whole may still lack.
fn remark(exchange: &Exchange, tools_unseen: bool, talk: Talk) {
    let Some(stop) = &exchange.stop else { return };
    match exchange.class {
        Class::OkLength => {
            talk.notice(format_args!("note: the answer stopped at the token limit ({})", stop.word));
        }
        Class::Refused => talk.notice(format_args!("note: the answer ended by {}", stop.word)),
        _ if tools_unseen => {
            talk.notice("note: the answer is a tool call, which has no text: --format events shows it");
        }
        _ => {}
    }
}

/// What the last line printed is still waiting for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Closed,
    Text,
    Reasoning,
}

/// What has been generated so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivered {
    Nothing,
    Tools,
    Words,
}

/// Prints what arrives, in the form asked for.
struct Printer {
    format: Format,
    output: Output,
    /// Whether each attempt gets a line.
    verbose: bool,
    /// Whether reasoning goes to standard error.
    reasoning: bool,
    /// Text so far, kept only for `--format json`.
    text: String,
    /// Lines or bytes of an attempt that may still be void because nothing generated has arrived.
    held: Vec<u8>,
    attempt: u32,
    delivered: Delivered,
    /// The line that is still open.
    line: Line,
    failure: Option<OutputError>,
}

impl Printer {
    fn new(answer: &AnswerOptions, output: Output, talk: Talk) -> Self {
        Self {
            format: answer.format,
            output,
            verbose: false,
            reasoning: answer.show_reasoning || (stderr().is_terminal() && !talk.quiet),
            text: String::new(),
            held: Vec::new(),
            attempt: 1,
            delivered: Delivered::Nothing,
            line: Line::Closed,
            failure: None,
        }
    }

    fn verbose(self, verbosity: &VerbosityOptions) -> Self {
        Self { verbose: verbosity.verbose, ..self }
    }

    /// Takes one piece; breaks off when the output can take no more.
    fn take(&mut self, piece: &Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Attempt(number) => {
                self.attempt = *number;
                self.held.clear();
                ControlFlow::Continue(())
            }
            Piece::Wire(bytes) if self.format == Format::Raw => self.put(bytes, self.is_certain()),
            Piece::Wire(_) => ControlFlow::Continue(()),
            Piece::Event(at, event) => self.take_event(*at, event),
            Piece::Retry(attempt, wait) => {
                self.note(&show::attempt_line(attempt, Some(&format!("again in {}", Span(*wait)))))
            }
            Piece::Repair(attempt, change) => self.note(&show::attempt_line(attempt, Some(change))),
        }
    }

    fn note(&self, line: &str) -> ControlFlow<()> {
        if self.verbose {
            say(line);
        }
        ControlFlow::Continue(())
    }

    fn take_event(&mut self, at: Duration, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Delta(delta) = event {
            self.delivered = match (self.delivered, delta) {
                (Delivered::Nothing | Delivered::Tools, Delta::ToolArguments(_)) => Delivered::Tools,
                _ => Delivered::Words,
            };
        }
        match (self.format, event) {
            (Format::Events, event) => {
                let line = show::as_event_line(self.attempt, at, event);
                self.put(line.as_bytes(), self.is_certain())
            }
            (Format::Raw, _) => self.put(&[], self.is_certain()),
            (_, Event::Delta(Delta::Reasoning(text))) => {
                self.show_reasoning(text);
                ControlFlow::Continue(())
            }
            (Format::Json, Event::Delta(Delta::Text(text))) => {
                self.text.push_str(text);
                ControlFlow::Continue(())
            }
            (Format::Json, Event::Delta(Delta::Bytes(bytes))) => {
                self.text.push_str(&String::from_utf8_lossy(bytes));
                ControlFlow::Continue(())
            }
            (Format::Text, Event::Delta(Delta::Text(text))) => {
                self.close_reasoning();
                self.line = if text.ends_with('\n') { Line::Closed } else { Line::Text };
                self.put(text.as_bytes(), true)
            }
            (Format::Text, Event::Delta(Delta::Bytes(bytes))) => self.put(bytes, true),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether the attempt can no longer turn out void.
    fn is_certain(&self) -> bool {
        self.delivered != Delivered::Nothing
    }

    /// Writes bytes, or holds them while their attempt may still turn out void.
    fn put(&mut self, bytes: &[u8], certain: bool) -> ControlFlow<()> {
        if !certain {
            self.held.extend_from_slice(bytes);
            return ControlFlow::Continue(());
        }
        let held = std::mem::take(&mut self.held);
        for part in [&held[..], bytes] {
            if let Err(error) = self.output.write(part) {
                self.failure = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn show_reasoning(&mut self, text: &str) {
        if self.reasoning {
            self.line = if text.ends_with('\n') { Line::Closed } else { Line::Reasoning };
            let _ = write!(stderr(), "{text}");
        }
    }

    fn close_reasoning(&mut self) {
        if self.line == Line::Reasoning {
            let _ = writeln!(stderr());
            self.line = Line::Closed;
        }
    }

    /// Ends an open line of text, and writes what was held of an answer that brought nothing.
    fn end_line(&mut self) -> Result<(), OutputError> {
        self.close_reasoning();
        let held = std::mem::take(&mut self.held);
        self.output.write(&held)?;
        if self.line == Line::Text {
            self.output.write(b"\n")?;
        }
        Ok(())
    }

    /// Keeps what a file holds of an answer that did not become whole, and says where.
    fn keep_partial(self, talk: Talk) -> Result<(), OutputError> {
        if let Some(path) = self.output.keep_partial()? {
            talk.notice(format_args!("note: what arrived is kept in {}", path.display()));
        }
        Ok(())
    }
}
