//! The flags of the open loop: requests are sent when they are due, whatever became of those before.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::cli::Usage;
use crate::load::{Arrivals, Spacing, Stage, Step};
use crate::report::{ArrivalsInfo, StageInfo};
use crate::units::{Rate, Span, whole};

use super::prompts::Drawn;

/// What random arrivals grow from where `--seed` is not given.
const SEED: u64 = 1;

/// When requests are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct ArrivalOptions {
    /// Requests a second, minute or hour, sent when they are due (open loop); a list is a level each
    #[arg(short, long, value_name = "RATES", value_delimiter = ',', conflicts_with = "replay")]
    rate: Vec<Rate>,
    /// How arrivals follow one another [default: constant]
    #[arg(long, visible_alias = "arrivals", value_name = "KIND")]
    arrival: Option<Arrival>,
    /// What everything random grows from: arrivals, the order of prompts, made-up ones, marks [default: 1]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u64>(text, 0..=u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Move in this time to this rate, from --rate or from none; more than one make a course (repeatable)
    #[arg(long = "stage", value_name = "TIME:RATE", conflicts_with_all = ["replay", "requests", "duration"])]
    stages: Vec<StageFlag>,
    #[arg(
        help = "Send the prompts of a JSONL file at their times: {\"offset_s\": 1.5, \"prompt\": \"…\"} a line"
    )]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["requests", "duration", "warmup"])]
    replay: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arrival {
    Constant,
    Poisson,
}

/// A value of `--stage`.
#[derive(Debug, Clone, Copy)]
struct StageFlag(Stage);

impl FromStr for StageFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (length, rate) =
            text.split_once(':').ok_or("write a time and the rate at its end, as in 30s:50/s")?;
        let length = length.parse::<Span>().map_err(|error| error.to_string())?.0;
        // A stage may end at nothing, which a rate cannot be.
        let rate = match rate.strip_prefix("0/") {
            Some(unit) => format!("1/{unit}").parse::<Rate>().map(|_| 0.0),
            None => rate.parse::<Rate>().map(Rate::per_second),
        };
        Ok(Self(Stage { length, rate: rate.map_err(|error| error.to_string())? }))
    }
}

/// One line of a trace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceLine {
    offset_s: f64,
    prompt: String,
}

/// What the flags of the open loop come to.
#[derive(Debug)]
pub(super) struct OpenLoop {
    /// The arrivals of each level.
    pub(super) levels: Vec<Arrivals>,
    /// How the plan describes them.
    pub(super) info: ArrivalsInfo,
    /// The window, where the arrivals themselves decide it.
    pub(super) window: Option<Duration>,
    /// The prompts of a replayed trace.
    pub(super) prompts: Vec<String>,
}

impl ArrivalOptions {
    /// The open loop that is asked for, if one is; `drawn` says whether the prompts depend on the seed.
    pub(super) fn open_loop(&self, drawn: Drawn) -> Result<Option<OpenLoop>, Usage> {
        if let Some(path) = &self.replay {
            self.without(drawn, "--replay", "the trace says when requests are due")?;
            return replay(path).map(Some);
        }
        if self.rate.is_empty() && self.stages.is_empty() {
            self.without(drawn, "a closed loop", "--rate or --stage makes the loop an open one")?;
            return Ok(None);
        }
        let spacing = match self.arrival {
            Some(Arrival::Poisson) => Spacing::Poisson,
            Some(Arrival::Constant) | None => Spacing::Constant,
        };
        if self.seed.is_some() && spacing == Spacing::Constant && drawn == Drawn::No {
            return Err(Usage::new(
                "--seed has no effect: neither constant arrivals nor the prompts are random",
            )
            .hint("add --arrival poisson, or leave --seed out"));
        }
        let seed = self.seed.unwrap_or(SEED);
        let rates: Vec<f64> = self.rate.iter().map(|rate| rate.per_second()).collect();
        let stages: Vec<Stage> = self.stages.iter().map(|flag| flag.0).collect();
        let (levels, window) = if stages.is_empty() {
            (rates.iter().map(|rate| Arrivals::flat(*rate, spacing, seed)).collect(), None)
        } else if let [] | [_] = rates[..] {
            let ramp = Arrivals::ramp(rates.first().copied().unwrap_or(0.0), &stages, spacing, seed);
            let window = ramp.length();
            (vec![ramp], window)
        } else {
            return Err(Usage::new("--stage begins at one --rate, not at several"));
        };
        let spacing = if spacing == Spacing::Poisson { "poisson" } else { "constant" }.to_owned();
        let stages =
            stages.iter().map(|stage| StageInfo { length_s: stage.length.as_secs_f64(), rate: stage.rate });
        let info = ArrivalsInfo { spacing, rates, stages: stages.collect(), seed, replayed: None };
        Ok(Some(OpenLoop { levels, info, window, prompts: Vec::new() }))
    }

    /// Refuses what only random or planned arrivals have a use for.
    fn without(&self, drawn: Drawn, with: &str, why: &str) -> Result<(), Usage> {
        let seeds_nothing = self.seed.is_some() && drawn == Drawn::No;
        let idle = [("--arrival", self.arrival.is_some()), ("--seed", seeds_nothing)];
        match idle.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Usage::new(format!("{flag} has no effect with {with}: {why}"))),
            None => Ok(()),
        }
    }
}

impl OpenLoop {
    /// The levels, each with so many requests in flight at most.
    pub(super) fn steps(&self, cap: u32) -> Vec<Step> {
        let step = |arrivals: &Arrivals| Step { users: cap, arrivals: Some(arrivals.clone()) };
        self.levels.iter().map(step).collect()
    }
}

/// What a trace looks like.
const TRACE_HINT: &str = "each line is {\"offset_s\": 1.5, \"prompt\": \"…\"}, in ascending order of time";

/// Reads a trace; a mistake is refused with its line.
fn replay(path: &Path) -> Result<OpenLoop, Usage> {
    let refuse = |place: String, what: String| {
        Usage::new(format!("--replay {}{place}: {what}", path.display())).hint(TRACE_HINT)
    };
    let text = fs::read_to_string(path).map_err(|error| refuse(String::new(), error.to_string()))?;
    let mut offsets = Vec::new();
    let mut prompts = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let refuse = |what: String| refuse(format!(", line {number}"), what);
        let line: TraceLine = serde_json::from_str(line).map_err(|error| refuse(error.to_string()))?;
        let offset = Duration::try_from_secs_f64(line.offset_s).map_err(|error| refuse(error.to_string()))?;
        if offsets.last().is_some_and(|last| *last > offset) {
            return Err(refuse("its offset_s is smaller than that of the line before".to_owned()));
        }
        offsets.push(offset);
        prompts.push(line.prompt);
    }
    let Some(last) = offsets.last().copied() else {
        return Err(refuse(String::new(), "the trace has no line".to_owned()));
    };
    let replayed = Some(offsets.len() as u64);
    let info = ArrivalsInfo {
        spacing: "replay".to_owned(),
        rates: Vec::new(),
        stages: Vec::new(),
        seed: 0,
        replayed,
    };
    // The last arrival lies inside the window, which ends right after it.
    let window = Some(last + Duration::from_nanos(1));
    Ok(OpenLoop { levels: vec![Arrivals::trace(offsets)], info, window, prompts })
}
