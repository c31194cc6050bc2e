//! `baton send`: one prompt, the answer on standard output as it arrives.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::{Client, Exchange, Failed, Ids, Piece};
use crate::net::Pool;
use crate::outcome::Class;
use crate::units::Span;
use crate::wire::{Delta, Event, StopKind};

use super::connection::{ConnectionOptions, Unasked};
use super::options::{PolicyOptions, TargetOptions};
use super::output::Output;
use super::prompt::{Defaults, PromptOptions, Stdin};
use super::relay::{Flags, Manner, Wired};
use super::show;
use super::signals::Signals;
use super::{Ending, OutputError, Talk, say};

/// Attempts where `--attempts` is not given.
const ATTEMPTS: u32 = 3;

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
    #[arg(long, conflicts_with = "curl")]
    dry_run: bool,
    /// Print the request as a curl command, secrets masked, and send nothing
    #[arg(long)]
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
    let SendOptions { prompt, target, answer, connection, policy } = options;
    let flags = Flags { target, prompt, connection, policy };
    let manner = Manner {
        defaults: Defaults { stdin: Stdin::WhenPiped, text: None, max_tokens: None },
        stream: !answer.no_stream,
        attempts: ATTEMPTS,
        unasked: Unasked::Negotiated,
    };
    let wired = Wired::new(flags, manner, talk)?;
    if answer.dry_run || answer.curl {
        let ids = Ids::new(format!("{}{}", policy.request_id_prefix, uuid::Uuid::new_v4()));
        let request = wired.call.request(&ids, wired.settings.credential.as_ref());
        let text = if answer.curl {
            show::as_curl(&request, wired.settings.credential.as_ref(), &connection.as_curl())
        } else {
            show::as_http(&request)
        };
        let mut output = Output::open(answer.output.as_deref())?;
        output.write(text.as_bytes())?;
        return Ok(output.finish()?);
    }
    let client = wired.client(flags, manner.attempts)?;
    let output = Output::open(answer.output.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carried = runtime.block_on(carry(&client, &wired, Printer::new(answer, output, talk)));
    carried?.settle(answer, &wired.settings.credential_story, talk)
}

/// Carries the call until it ends or a signal does.
async fn carry(client: &Client<Pool>, wired: &Wired, mut printer: Printer) -> anyhow::Result<Carried> {
    let mut signals = Signals::listen()?;
    let ended = {
        let mut sink = |piece: Piece<'_>| printer.take(&piece);
        tokio::select! {
            exchange = client.run(&wired.call, &mut sink) => Ok(exchange),
            signal = signals.next() => Err(signal),
        }
    };
    Ok(Carried { ended, printer })
}

/// A call that has ended, with what it printed.
struct Carried {
    ended: Result<Exchange, super::Signal>,
    printer: Printer,
}

impl Carried {
    /// Ends the output and turns the outcome into success or an error.
    fn settle(self, answer: &AnswerOptions, credential: &str, talk: Talk) -> anyhow::Result<()> {
        let Self { ended, mut printer } = self;
        if let Some(error) = printer.failure.take() {
            return Err(error.into());
        }
        let exchange = match ended {
            Ok(exchange) => exchange,
            Err(signal) => {
                printer.end_line()?;
                printer.keep_partial(talk)?;
                return Err(Ending::Stopped(signal).into());
            }
        };
        let failed = exchange.trouble.is_some();
        let only_tools = printer.only_tools;
        if answer.format == Format::Json {
            printer.output.write(show::as_json(&exchange, &printer.text).as_bytes())?;
        }
        printer.end_line()?;
        if failed && answer.format != Format::Json {
            printer.keep_partial(talk)?;
        } else {
            printer.output.finish()?;
        }
        if answer.timing {
            say(show::timing(&exchange));
        }
        if failed {
            let exchange = Box::new(exchange);
            return Err(Failed { exchange, credential: credential.to_owned() }.into());
        }
        judge(&exchange, answer, only_tools, talk)
    }
}

/// Says what an answer that is whole may still lack, and matches `--fail-on`.
fn judge(exchange: &Exchange, answer: &AnswerOptions, only_tools: bool, talk: Talk) -> anyhow::Result<()> {
    let Some(stop) = &exchange.stop else { return Ok(()) };
    let matched = answer.fail_on.iter().any(|wanted| match wanted {
        FailOn::Length => stop.kind == StopKind::Length,
        FailOn::Refusal => stop.kind == StopKind::Refusal,
        FailOn::Filter => stop.kind == StopKind::Filter,
    });
    if matched {
        return Err(Ending::FailOn(stop.word.clone()).into());
    }
    match exchange.class {
        Class::OkLength => {
            talk.notice(format_args!("note: the answer stopped at the token limit ({})", stop.word));
        }
        Class::Refused => talk.notice(format_args!("note: the answer ended by {}", stop.word)),
        _ if only_tools && answer.format == Format::Text => {
            talk.notice("note: the answer is a tool call, which has no text: --format events shows it");
        }
        _ => {}
    }
    Ok(())
}

/// What the last line printed is still waiting for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Closed,
    Text,
    Reasoning,
}

/// Prints what arrives, in the form asked for.
struct Printer {
    format: Format,
    output: Output,
    talk: Talk,
    /// Whether reasoning goes to standard error.
    reasoning: bool,
    /// Text so far, kept only for `--format json`.
    text: String,
    /// Lines or bytes of an attempt that may still be void because nothing generated has arrived.
    held: Vec<u8>,
    attempt: u32,
    delivered: bool,
    /// The line that is still open.
    line: Line,
    only_tools: bool,
    failure: Option<OutputError>,
}

impl Printer {
    fn new(answer: &AnswerOptions, output: Output, talk: Talk) -> Self {
        Self {
            format: answer.format,
            output,
            talk,
            reasoning: answer.show_reasoning || (stderr().is_terminal() && !talk.quiet),
            text: String::new(),
            held: Vec::new(),
            attempt: 1,
            delivered: false,
            line: Line::Closed,
            only_tools: false,
            failure: None,
        }
    }

    /// Takes one piece; breaks off when the output can take no more.
    fn take(&mut self, piece: &Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Attempt(number) => {
                self.attempt = *number;
                self.held.clear();
                ControlFlow::Continue(())
            }
            Piece::Wire(bytes) if self.format == Format::Raw => self.put(bytes, true),
            Piece::Wire(_) => ControlFlow::Continue(()),
            Piece::Event(at, event) => self.take_event(*at, event),
            Piece::Retry(attempt, wait) => {
                if self.talk.verbose {
                    say(format_args!(
                        "attempt {} failed: {}; trying again in {}",
                        attempt.number,
                        attempt.message,
                        Span(*wait)
                    ));
                }
                ControlFlow::Continue(())
            }
            Piece::Repair(attempt, change) => {
                if self.talk.verbose {
                    say(format_args!(
                        "attempt {} was refused: {}; {change}",
                        attempt.number, attempt.message
                    ));
                }
                ControlFlow::Continue(())
            }
        }
    }

    fn take_event(&mut self, at: Duration, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Delta(delta) = event {
            self.only_tools =
                matches!(delta, Delta::ToolArguments(_)) && (self.only_tools || !self.delivered);
            self.delivered = true;
        }
        match (self.format, event) {
            (Format::Events, event) => {
                let line = show::as_event_line(self.attempt, at, event);
                self.put(line.as_bytes(), self.delivered)
            }
            (Format::Raw, _) => ControlFlow::Continue(()),
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
