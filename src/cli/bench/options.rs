//! The flags of `baton bench`, and the plan that they make.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;

use crate::cli::Usage;
use crate::cli::connection::ConnectionOptions;
use crate::cli::options::{PolicyOptions, TargetOptions, VerbosityOptions};
use crate::cli::paper::PaperOptions;
use crate::cli::prompt::PromptOptions;
use crate::cli::routing::RouteOptions;
use crate::load::{Extent, Levels, Plan, Sides, Step};
use crate::units::{Count, Shard, Span, whole};

use super::arrivals::{ArrivalOptions, OpenLoop};
use super::bounds::BoundOptions;
use super::direct::DirectOptions;
use super::prompts::SetOptions;
use super::spread::SpreadOptions;
use super::verdicts::VerdictOptions;

/// The flags of `baton bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "One request goes before the load, unrecorded: where it cannot succeed, the run ends with its error.

Examples:
  baton bench --mock
  baton bench -u https://relay.example -m claude-x -c 50,100,200 -d 30s
  baton bench -u https://relay.example/v1 -a chat -m gpt-x -c 10..100:10 -n 2k --save run.json
  baton bench -u https://relay.example -m claude-x -c 100 --fail-if 'ttft.p99 > 800ms' --fail-if 'error_rate > 1%'"
)]
pub(in crate::cli) struct BenchOptions {
    #[command(flatten)]
    pub(super) prompt: PromptOptions,
    #[command(flatten)]
    pub(super) sets: SetOptions,
    #[command(flatten)]
    pub(super) target: TargetOptions,
    #[command(flatten)]
    pub(super) route: RouteOptions,
    #[command(flatten)]
    pub(super) load: LoadOptions,
    #[command(flatten)]
    pub(super) direct: DirectOptions,
    #[command(flatten)]
    pub(super) verdicts: VerdictOptions,
    #[command(flatten)]
    pub(super) bounds: BoundOptions,
    #[command(flatten)]
    pub(super) spread: SpreadOptions,
    #[command(flatten)]
    pub(super) report: ReportOptions,
    #[command(flatten)]
    pub(super) connection: ConnectionOptions,
    #[command(flatten)]
    pub(super) policy: PolicyOptions,
    #[command(flatten)]
    pub(super) verbosity: VerbosityOptions,
}

/// How much load, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadOptions {
    /// Users at once, level by level: a list (50,100,200), ranges (10..200:10, 1..8) or both; in an open loop the most
    /// requests in flight [default: 50,100,200; in an open loop as many as there are descriptors for]
    #[arg(short, long, value_name = "LEVELS")]
    pub(super) concurrency: Option<Levels>,
    #[command(flatten)]
    pub(super) arrivals: ArrivalOptions,
    /// Measured window of each level [default: 10s]
    #[arg(short, long, visible_short_alias = 'z', value_name = "TIME", conflicts_with = "requests", value_parser = some_time)]
    pub(super) duration: Option<Span>,
    /// Requests of each level, in place of a window and at least one a user; k and m stand for thousands and millions
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(super) requests: Option<Count>,
    /// Time before each window in which requests are made and not recorded
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub(super) warmup: Span,
    /// How long requests in flight at the end of a window may take to finish and count
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(super) drain: Span,
    /// Ask for whole answers instead of streams
    #[arg(long)]
    pub(super) no_stream: bool,
    /// Carry the same levels, for at most 3s each, to an embedded relay that answers at once first, and say what this machine can do
    #[arg(long, conflicts_with_all = ["find_capacity", "start_at", "proxy", "unix_socket"])]
    pub(super) selftest: bool,
    /// Threads that make the load [default: one a core]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u16>(text, 1..=256))]
    pub(super) workers: Option<u16>,
}

/// What is printed and kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct ReportOptions {
    #[command(flatten)]
    pub(super) paper: PaperOptions,
    /// Keep the whole result, histograms included, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Append a JSON line for each request to a file as the run goes: its id, its class, its times in Unix nanoseconds
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

fn some_time(text: &str) -> Result<Span, String> {
    match text.parse::<Span>() {
        Ok(span) if span.0 > Duration::ZERO => Ok(span),
        Ok(_) => Err("a window of no length measures nothing: write at least 1ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The levels of a closed loop where `--concurrency` is not given.
const LEVELS: [u32; 3] = [50, 100, 200];

impl LoadOptions {
    /// The plan; `open` is what the flags of the open loop come to, `room` how many connections this process can have.
    pub(super) fn plan(&self, open: Option<&OpenLoop>, room: u32) -> Result<Plan, Usage> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let window = open.and_then(|open| open.window).or(self.duration.map(|length| length.0));
        let given = self.concurrency.as_ref().map(|levels| &levels.0[..]);
        let levels = match (open, given) {
            (None, levels) => levels.unwrap_or(&LEVELS).iter().copied().map(Step::closed).collect(),
            (Some(open), None) => open.steps(room),
            (Some(open), Some([cap])) => open.steps(*cap),
            (Some(_), Some(_)) => {
                return Err(Usage::new("--concurrency has several levels, and the loop is an open one")
                    .hint("there -c is the most requests in flight, as in -c 500; --rate 50/s,100/s makes levels"));
            }
        };
        let warmup =
            if open.is_some_and(|open| !open.prompts.is_empty()) { Duration::ZERO } else { self.warmup.0 };
        Ok(Plan {
            levels,
            search: None,
            extent: self
                .requests
                .map_or_else(|| Extent::Window(window.unwrap_or(WINDOW)), |count| Extent::Requests(count.0)),
            warmup,
            drain: self.drain.0,
            workers: self.workers.map_or(cores, usize::from),
            objectives: Arc::default(),
            shard: Shard::WHOLE,
            slots: None,
            sides: Sides::One,
        })
    }
}

/// The window where nothing decides it.
const WINDOW: Duration = Duration::from_secs(10);
