//! `baton bench`: sweeps concurrency levels through the relay and prints the average/TP99 table.

mod requests;

use std::io::{IsTerminal, stderr, stdout};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use crate::client::{Call, Client, Content, Exchange, Failed, Piece};
use crate::load;
use crate::load::{Control, Ended, Extent, Levels, Plan, Run};
use crate::net::{Pool, shown_url};
use crate::outcome::Class;
use crate::report;
use crate::report::{Document, Machine, PlanInfo, Progress, RunInfo, Style, Tint, Traffic};
use crate::units::{Count, Span, grouped, whole};
use crate::wire::Dialect;

use self::requests::Requests;
use super::connection::{ConnectionOptions, Unasked};
use super::options::{Attempts, PolicyOptions, TargetOptions, VerbosityOptions};
use super::output::Output;
use super::prompt::{Defaults, PromptOptions, Stdin};
use super::relay::{Crew, Flags, Manner, Wired, enough_descriptors};
use super::signals::Signals;
use super::{Ending, Signal, Talk, colour_is_wanted, terminal_obeys};

/// What is asked for where nothing is given: short, harmless, and long enough to be answered in more than a word.
const PROMPT: &str = "In one short sentence, say what a river is.";
/// Tokens to generate where `--max-tokens` is not given: enough for a stream to have a rhythm, few enough to be cheap.
const MAX_TOKENS: u64 = 64;

/// The flags of `baton bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "One request goes before the load, unrecorded: where it cannot succeed, the run ends with its error.

Examples:
  baton bench --mock
  baton bench -u https://relay.example -m claude-x -c 50,100,200 -d 30s
  baton bench -u https://relay.example/v1 -a chat -m gpt-x -c 10..100:10 -n 2k --save run.json"
)]
pub(super) struct BenchOptions {
    #[command(flatten)]
    prompt: PromptOptions,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    load: LoadOptions,
    #[command(flatten)]
    report: ReportOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    verbosity: VerbosityOptions,
}

/// How much load, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct LoadOptions {
    /// Users at once, level by level: a list (50,100,200), ranges (10..200:10, 1..8) or both
    #[arg(short, long, value_name = "LEVELS", default_value = "50,100,200")]
    concurrency: Levels,
    /// Measured window of each level [default: 10s]
    #[arg(short, long, visible_short_alias = 'z', value_name = "TIME", conflicts_with = "requests", value_parser = some_time)]
    duration: Option<Span>,
    /// Requests of each level, in place of a window and at least one a user; k and m stand for thousands and millions
    #[arg(short = 'n', long, value_name = "COUNT")]
    requests: Option<Count>,
    /// Time before each window in which requests are made and not recorded
    #[arg(long, value_name = "TIME", default_value = "2s")]
    warmup: Span,
    /// How long requests in flight at the end of a window may take to finish and count
    #[arg(long, value_name = "TIME", default_value = "30s")]
    drain: Span,
    /// Ask for whole answers instead of streams
    #[arg(long)]
    no_stream: bool,
    /// Threads that make the load [default: one a core]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u16>(text, 1..=256))]
    workers: Option<u16>,
}

/// What is printed and kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
struct ReportOptions {
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the whole result, histograms included, as JSON
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
    Markdown,
}

fn some_time(text: &str) -> Result<Span, String> {
    match text.parse::<Span>() {
        Ok(span) if span.0 > Duration::ZERO => Ok(span),
        Ok(_) => Err("a window of no length measures nothing: write at least 1ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl LoadOptions {
    fn plan(&self) -> Plan {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let window = self.duration.unwrap_or(Span::seconds(10));
        Plan {
            levels: self.concurrency.0.clone(),
            extent: self.requests.map_or(Extent::Window(window.0), |count| Extent::Requests(count.0)),
            warmup: self.warmup.0,
            drain: self.drain.0,
            workers: self.workers.map_or(cores, usize::from),
        }
    }
}

/// Carries out the sweep and prints its table.
pub(super) fn run(options: &BenchOptions, talk: Talk) -> anyhow::Result<()> {
    let BenchOptions { prompt, target, load, report, connection, policy, verbosity } = options;
    let mut plan = load.plan();
    plan.validate().map_err(load::LoadError::from)?;
    let flags = Flags { target, prompt, connection, policy };
    enough_descriptors(plan.levels.iter().copied().max().unwrap_or(0), flags)?;
    let manner = Manner {
        defaults: Defaults { stdin: Stdin::WhenAsked, text: Some(PROMPT), max_tokens: Some(MAX_TOKENS) },
        stream: !load.no_stream,
        attempts: Attempts::One,
        unasked: Unasked::HttpOne,
    };
    let wired = Wired::new(flags, manner, talk)?;
    let outputs = Outputs::open(report)?;
    let crew = wired.crew(flags, plan.workers)?;
    plan.workers = crew.workers.len();
    let view = PlanInfo::of(&plan, traffic(&wired, target));
    announce(&view, &wired, &plan, talk);
    let started = jiff::Timestamp::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let progress = match (talk.is_quiet(), stderr().is_terminal()) {
        (true, _) => None,
        // Lines of attempts and a line that is rewritten in place would tear each other apart.
        (false, true) if !verbosity.verbose && terminal_obeys() => Some(Progress::in_place()),
        (false, _) => Some(Progress::plain(Box::new(stderr()))),
    };
    let swept =
        runtime.block_on(sweep(&wired, crew, Sweep { plan: &plan, progress, verbose: verbosity.verbose }));
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    let (run, signal) = swept?;
    let info =
        RunInfo { plan: view, machine: Machine::here(), started, urls: vec![shown_url(&wired.call.url)] };
    let printed = outputs.print(&Document::of(info, &run), report, talk);
    // A signal outranks an output that failed.
    if signal.is_none() {
        printed?;
    }
    ending(&run, signal)
}

/// The files of a run, opened before its first request so that no result is lost to a wrong path.
struct Outputs {
    report: Output,
    save: Option<Output>,
}

impl Outputs {
    fn open(options: &ReportOptions) -> Result<Self, super::OutputError> {
        let save = options.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        Ok(Self { report: Output::open(options.output.as_deref())?, save })
    }

    fn print(mut self, document: &Document, options: &ReportOptions, talk: Talk) -> anyhow::Result<()> {
        let mut left_out = None;
        let text = match options.format {
            Format::Table => {
                let style = style(options);
                let table = report::table(document, style);
                left_out = narrowed(&table, style);
                table.text
            }
            Format::Json => report::json(document),
            Format::Csv => report::csv(document),
            Format::Markdown => report::markdown(document),
        };
        if options.format == Format::Table {
            talk.notice("");
        }
        self.report.write(text.as_bytes())?;
        self.report.finish()?;
        if let Some(left_out) = left_out {
            talk.notice(left_out);
        }
        let notes = report::notes(document);
        if options.format != Format::Markdown && !notes.is_empty() {
            talk.notice(format_args!("\n{}", notes.trim_end()));
        }
        if let (Some(mut save), Some(path)) = (self.save.take(), &options.save) {
            // Last, so that a place that has vanished takes nothing of the report with it.
            save.write(report::json(document).as_bytes())?;
            save.finish()?;
            talk.notice(format_args!("saved   {}", path.display()));
        }
        Ok(())
    }
}

/// What to say of a table that the terminal has not enough columns for.
fn narrowed(table: &report::Table, style: Style) -> Option<String> {
    let width = style.width.filter(|_| !table.left_out.is_empty())?;
    let headings = table.left_out.join(", ");
    Some(format!("narrow  no room in {width} columns for {headings}; --format csv has them all"))
}

/// A terminal gets a table that fits it, in colour where that is wanted.
fn style(options: &ReportOptions) -> Style {
    if options.output.is_some() || !stdout().is_terminal() {
        return Style::default();
    }
    let width = terminal_size::terminal_size().map(|(width, _)| width.0);
    Style { width, tint: if colour_is_wanted() { Tint::Accent } else { Tint::Plain } }
}

/// The lines above the table.
fn announce(view: &PlanInfo, wired: &Wired, plan: &Plan, talk: Talk) {
    let shape = if view.stream { "streaming" } else { "whole answers" };
    let model = view.model.as_deref().map(|model| format!(" · {model}")).unwrap_or_default();
    let limit =
        view.max_tokens.map(|tokens| format!(" · at most {} tokens", grouped(tokens))).unwrap_or_default();
    let mock = wired.site.embedded.as_ref().map(|_| " (embedded)").unwrap_or_default();
    talk.notice(format_args!(
        "relay   {}{mock} · {}, {shape}{model}{limit}",
        shown_url(&wired.site.settings.base),
        view.api
    ));
    let levels = view.levels.len();
    let extent = match plan.extent {
        Extent::Window(window) => format!("({} warm-up + {})", Span(plan.warmup), Span(window)),
        Extent::Requests(requests) => {
            format!("({} warm-up + {} requests)", Span(plan.warmup), grouped(requests))
        }
    };
    let plural = if levels == 1 { "" } else { "s" };
    talk.notice(format_args!("plan    {levels} level{plural} × {extent} · closed loop"));
    let descriptors = rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft).unwrap_or_default();
    let workers = plan.workers;
    let plural = if workers == 1 { "" } else { "s" };
    talk.notice(format_args!("client  {workers} worker{plural} · {} descriptors", grouped(descriptors)));
}

fn traffic(wired: &Wired, target: &TargetOptions) -> Traffic {
    let prompt = match &wired.content {
        Content::Prompt(prompt) => Some(prompt),
        Content::Body(_) => None,
    };
    let limited = prompt.filter(|prompt| wired.call.dialect != Dialect::Raw && !prompt.bare);
    Traffic {
        api: wired.call.dialect.name().to_owned(),
        model: wired.site.settings.model.clone(),
        stream: wired.call.stream,
        prompt_chars: prompt.map(|prompt| prompt.text.chars().count() as u64),
        max_tokens: limited.and_then(|prompt| prompt.max_tokens),
        attempts: wired.site.policy.attempts,
        mock: target.mock.as_ref().map(ToString::to_string),
    }
}

/// What the load is to be, and what is seen of it.
struct Sweep<'a> {
    plan: &'a Plan,
    progress: Option<Progress>,
    verbose: bool,
}

/// Makes the preflight request, then the levels, and stops for signals.
async fn sweep(wired: &Wired, crew: Crew, sweep: Sweep<'_>) -> anyhow::Result<(Run, Option<Signal>)> {
    let Sweep { plan, mut progress, verbose } = sweep;
    let mut signals = Signals::listen()?;
    let Crew { scout, workers } = crew;
    let first = preflight(&scout, &wired.call, &mut signals, progress.as_mut()).await;
    if let Err(error) = first.and_then(|exchange| Ok(passable(exchange, wired)?)) {
        progress.into_iter().for_each(Progress::finish);
        return Err(error);
    }
    let learned = scout.learned();
    drop(scout);
    let call = Arc::new(wired.call.clone());
    let seats: Vec<_> = workers
        .into_iter()
        .map(|client| std::sync::Mutex::new(Some(client.having_learned(learned))))
        .collect();
    let make_target = move |worker: usize| {
        let client = seats[worker].lock().ok().and_then(|mut seat| seat.take());
        Requests { client: client.expect("each worker is made once"), call: Arc::clone(&call), verbose }
    };
    let control = Control::new();
    let on_live = |live| {
        if let Some(progress) = &mut progress {
            progress.show(&live);
        }
    };
    let mut running = Box::pin(load::run(plan, make_target, control.clone(), on_live));
    let mut came = None;
    let run = loop {
        tokio::select! {
            run = &mut running => break run?,
            signal = signals.next() => {
                if came.replace(signal).is_none() { control.stop() } else { control.abort(); signals.arm(); }
            }
        }
    };
    drop(running);
    // What is left is printing, which a reader that does not read must not hold up for ever.
    signals.arm();
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok((run, came))
}

/// Makes the request that goes before the load, and says so while it lasts.
async fn preflight(
    scout: &Client<Pool>,
    call: &Call,
    signals: &mut Signals,
    mut progress: Option<&mut Progress>,
) -> anyhow::Result<Exchange> {
    let began = Instant::now();
    let mut unheard = |_: Piece<'_>| ControlFlow::Continue(());
    let mut running = std::pin::pin!(scout.run(call, &mut unheard));
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            exchange = &mut running => return Ok(exchange),
            signal = signals.next() => return Err(Ending::Stopped(signal).into()),
            _ = beat.tick() => {
                if let Some(progress) = &mut progress {
                    progress.show_preflight(began.elapsed());
                }
            }
        }
    }
}

/// A preflight request that fails in a way that the load would only repeat ends the run with its own error.
fn passable(exchange: Exchange, wired: &Wired) -> Result<(), Failed> {
    match exchange.class {
        class if class.is_ok() => Ok(()),
        Class::RateLimited
        | Class::Overloaded
        | Class::Http5xx
        | Class::StreamError
        | Class::Truncated
        | Class::Refused => Ok(()),
        _ => Err(Failed {
            exchange: Box::new(exchange),
            credential: wired.site.settings.credential_story.clone(),
        }),
    }
}

/// What the run as a whole comes to.
fn ending(run: &Run, signal: Option<Signal>) -> anyhow::Result<()> {
    if let Some(signal) = signal {
        return Err(Ending::Stopped(signal).into());
    }
    if run.levels.iter().all(|level| level.ok == 0) {
        return Err(Ending::NothingSucceeded.into());
    }
    if let Ended::GaveUp { class, message } = &run.ended {
        return Err(Ending::GaveUp { class: *class, message: message.clone() }.into());
    }
    let failed: u64 = run.levels.iter().map(|level| level.errors).sum();
    let all = run.levels.iter().map(|level| level.requests).sum();
    if failed > 0 { Err(Ending::SomeFailed { failed, all }.into()) } else { Ok(()) }
}
