//! `baton bench`: sweeps concurrency levels through the relay and prints the average/TP99 table.

mod announce;
mod arrivals;
mod bounds;
mod capacity;
mod direct;
mod options;
mod outlook;
mod prompts;
mod requests;
mod selftest;
mod spread;
mod sweep;
mod talks;
mod verdicts;

use std::io::{IsTerminal, stderr};
use std::sync::Arc;

use tokio::time::Instant;

use crate::client::Content;
use crate::load;
use crate::load::{Ended, LogSender, Plan, Run};
use crate::net::route::Event;
use crate::net::shown_url;
use crate::report::{
    Document, EndpointEvent, Machine, PlanInfo, Progress, PromptsInfo, RequestLog, RunInfo, Traffic,
};
use crate::wire::Dialect;

use self::announce::{addresses, announce};
use self::arrivals::OpenLoop;
pub(super) use self::options::BenchOptions;
use self::options::{LoadOptions, ReportOptions};
use self::prompts::{Around, SetOptions, Terms};
use self::spread::SpreadOptions;
use self::sweep::{Sweep, Swept, Team, Teams, carried};
use self::verdicts::Judgement;
use super::connection::Unasked;
use super::lookout::{Lookout, finish};
use super::options::{Attempts, TargetOptions};
use super::output::{Output, append_to};
use super::paper::keep;
use super::prompt::{Defaults, Nameless, Stdin};
use super::relay::{Flags, Manner, Wired, descriptors_for, enough_descriptors};
use super::{Ending, OutputError, Signal, Talk, Usage, terminal_obeys};

/// What is asked for where nothing is given: short, harmless, and long enough to be answered in more than a word.
const PROMPT: &str = "In one short sentence, say what a river is.";
/// Tokens to generate where `--max-tokens` is not given: enough for a stream to have a rhythm, few enough to be cheap.
const MAX_TOKENS: u64 = 64;

/// Connections that each worker of an open loop keeps ahead of its requests: bursts larger than that connect on their own
/// clock.
const AHEAD: usize = 16;

/// Carries out the sweep and prints its table.
pub(super) fn run(options: &BenchOptions, talk: Talk) -> anyhow::Result<()> {
    let BenchOptions { prompt, sets, target, route, load, verdicts, report, connection, policy, .. } =
        options;
    let verbose = options.verbosity.verbose;
    let flags = Flags { target, prompt, connection, policy, route };
    let open = load.arrivals.open_loop(sets.drawn())?;
    let mut plan = planned(options, flags, open.as_ref())?;
    let mut wired = Wired::new(flags, manner(sets, load), talk)?;
    make_ahead(&mut wired, open.as_ref(), (&plan, flags));
    let lookout = wired.site.lookout((route, connection), None)?;
    let beside = options.direct.wired(&wired, flags, sets)?;
    let trace = open.as_ref().map(|open| open.prompts.clone()).unwrap_or_default();
    let terms =
        |wired| Terms { wired, fields: &prompt.fields, trace: trace.clone(), seed: load.arrivals.seed };
    let (script, said) = sets.script(terms(&wired))?;
    let mut outputs = Outputs::open(report)?;
    let relay = Team { wired: &wired, crew: wired.crew(flags, plan.workers)?, script };
    plan.workers = relay.crew.workers.len();
    let team = |wired| {
        let (script, _) = sets.script(terms(wired))?;
        anyhow::Ok(Team { wired, crew: wired.crew(flags, plan.workers)?, script })
    };
    let direct = beside.as_ref().map(team).transpose()?;
    let view = PlanInfo::of(&plan, traffic(&wired, (target, &options.spread), (open.as_ref(), said)));
    let baseline = verdicts.baseline(&view)?;
    let purse = Arc::new(options.bounds.purse(&wired.site.settings, &view)?);
    announce(&view, (&wired, beside.as_ref()), &plan, talk);
    let selftest = selftest::ceilings(options, (&wired, flags), &plan, (talk, terms(&wired)))?;
    let (started, began) = (jiff::Timestamp::now(), Instant::now());
    let progress = progress(verbose, talk);
    let (log, journal) = outputs.log.take().unzip();
    let session = route.session.clone();
    let course = Sweep { plan: &plan, session, progress, log, verbose, lookout: lookout.as_ref(), purse };
    let swept = carried(Teams { relay, direct }, course);
    let events = lookout.as_ref().map(|lookout| told(lookout, began)).unwrap_or_default();
    finish(lookout, talk);
    let Swept { run, signal, body } = swept?;
    let (machine, token_times) = (Machine::here(), wired.site.settings.token_times());
    let direct = beside.as_ref().map(|beside| shown_url(&beside.call.url));
    let info = RunInfo {
        plan: view,
        machine,
        started,
        began,
        urls: addresses(&wired),
        direct,
        selftest,
        events,
        scale: plan.search.as_ref().map(|search| search.scale.clone()),
        body,
        token_times,
    };
    let mut document = Document::of(info, &run);
    let judgement = verdicts.judge(&run, &mut document, baseline.as_ref());
    let logged = journal.map_or(Ok(()), |journal| whole(journal, report));
    let printed = outputs.print(&document, report, talk);
    // A signal outranks an output that failed.
    if signal.is_none() {
        printed?;
        logged?;
    }
    ending(&run, &judgement, signal)
}

/// Lets an open loop make connections ahead, as far as descriptors go that its requests leave.
fn make_ahead(wired: &mut Wired, open: Option<&OpenLoop>, (plan, flags): (&Plan, Flags<'_>)) {
    if open.is_none() {
        return;
    }
    let most = plan.levels.iter().map(|step| step.users).max().unwrap_or(0);
    let left = u64::from(descriptors_for(flags.way())).saturating_sub(u64::from(most) * plan.sides.each());
    let each = usize::try_from(left).unwrap_or(usize::MAX) / plan.workers.max(1) / 2;
    wired.site.make_ahead(AHEAD.min(each));
}

/// What the load is to be; what cannot be is refused before anything is sent.
fn planned(options: &BenchOptions, flags: Flags<'_>, open: Option<&OpenLoop>) -> anyhow::Result<Plan> {
    let BenchOptions { sets, load, verdicts, spread, .. } = options;
    let sides = options.direct.sides();
    if load.selftest && sets.read_stdin() {
        let error = Usage::new("--prompts - is read once, and --selftest sends each row to two relays");
        return Err(error.hint("write the rows into a file").into());
    }
    let mut each = u32::try_from(sides.each()).unwrap_or(1);
    if load.selftest && options.target.mock.is_none() {
        // The embedded relay holds the other end of each connection.
        each = each.max(2);
    }
    let room = (descriptors_for(flags.way()) / each).max(1);
    let mut plan = Plan { sides, ..load.plan(open, room)? };
    verdicts.settle(&mut plan, load, room)?;
    spread.settle(&mut plan)?;
    let seed = load.arrivals.seed;
    sets.refuse_what_cannot_be(Around { is_open: open.is_some(), shard: plan.shard, seed })?;
    plan.validate().map_err(load::LoadError::from)?;
    options.bounds.refuse_what_cannot_be(&plan)?;
    let users = plan.levels.iter().map(|step| step.users).max().unwrap_or(0);
    enough_descriptors((users, each), flags.way())?;
    Ok(plan)
}

/// What shows the run while it lasts, where somebody may look.
fn progress(verbose: bool, talk: Talk) -> Option<Progress> {
    match (talk.is_quiet(), stderr().is_terminal()) {
        (true, _) => None,
        // Lines of attempts and a line that is rewritten in place would tear each other apart.
        (false, true) if !verbose && terminal_obeys() => Some(Progress::in_place()),
        (false, _) => Some(Progress::plain(Box::new(stderr()))),
    }
}

/// What was decided about endpoints since a run began, as a report has it.
fn told(lookout: &Lookout, began: Instant) -> Vec<EndpointEvent> {
    let of = |(at, event): (Instant, Event)| {
        let words = (event.change.name(), event.reason.to_string());
        EndpointEvent::new(at - began, event.endpoint, words)
    };
    lookout.decided().into_iter().filter(|(at, _)| *at > began).map(of).collect()
}

/// How requests are made where nothing else is said.
fn manner(sets: &SetOptions, load: &LoadOptions) -> Manner {
    Manner {
        defaults: Defaults {
            stdin: Stdin::WhenAsked,
            text: Some(PROMPT),
            max_tokens: Some(MAX_TOKENS),
            nameless: if sets.replaces_the_prompt() { Nameless::StandIn } else { Nameless::Refused },
        },
        stream: !load.no_stream,
        attempts: Attempts::One,
        unasked: Unasked::HttpOne,
    }
}

/// Waits for the last line of the log; one with holes in it is no log.
fn whole(journal: RequestLog, options: &ReportOptions) -> Result<(), OutputError> {
    let lost = match journal.finish() {
        Ok(0) => return Ok(()),
        Ok(lost) => std::io::Error::other(format!("{lost} lines are missing: the disk could not keep up")),
        Err(error) => error,
    };
    let place = options.log.as_deref().unwrap_or("--log".as_ref());
    Err(OutputError::new(place.display(), lost))
}

/// The files of a run, opened before its first request so that no result is lost to a wrong path.
struct Outputs {
    report: Output,
    save: Option<Output>,
    log: Option<(LogSender, RequestLog)>,
}

impl Outputs {
    fn open(options: &ReportOptions) -> Result<Self, OutputError> {
        let save = options.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        let log = |path: &std::path::PathBuf| {
            let failed = |error| OutputError::new(path.display(), error);
            RequestLog::start(append_to(path)?).map_err(failed)
        };
        let log = options.log.as_ref().map(log).transpose()?;
        Ok(Self { report: options.paper.open()?, save, log })
    }

    fn print(self, document: &Document, options: &ReportOptions, talk: Talk) -> anyhow::Result<()> {
        options.paper.print(document, self.report, talk)?;
        keep(document, self.save)?;
        if let Some(path) = &options.save {
            talk.notice(format_args!("saved   {}", path.display()));
        }
        Ok(())
    }
}

fn traffic(
    wired: &Wired,
    (target, spread): (&TargetOptions, &SpreadOptions),
    (open, prompts): (Option<&OpenLoop>, Option<PromptsInfo>),
) -> Traffic {
    let prompt = match &wired.content {
        Content::Prompt(prompt) => Some(prompt),
        Content::Body(_) => None,
    };
    let is_set = prompts.as_ref().is_some_and(|prompts| prompts.source != "given");
    let limited = prompt.filter(|prompt| wired.call.dialect != Dialect::Raw && !prompt.bare);
    Traffic {
        api: wired.call.dialect.name().to_owned(),
        model: wired.site.settings.model.clone(),
        stream: wired.call.stream,
        prompt_chars: prompt.filter(|_| !is_set).map(|prompt| prompt.text.chars().count() as u64),
        prompts,
        max_tokens: limited.and_then(|prompt| prompt.max_tokens),
        attempts: wired.site.policy.attempts,
        mock: target.mock.as_ref().map(ToString::to_string),
        arrivals: open.map(|open| open.info.clone()),
        start_at: spread.start_at,
    }
}

/// What the run as a whole comes to.
fn ending(run: &Run, judgement: &Judgement<'_>, signal: Option<Signal>) -> anyhow::Result<()> {
    if let Some(signal) = signal {
        return Err(Ending::Stopped(signal).into());
    }
    if let (Ended::Bounded { what }, []) = (&run.ended, &run.levels[..]) {
        return Err(Ending::Capped(format!("{what} before anything was measured")).into());
    }
    let past = || run.levels.iter().filter_map(|level| level.direct.as_ref().map(|direct| &direct.classes));
    let nothing_past = past().next().is_some() && past().all(|classes| classes.ok() == 0);
    if nothing_past || run.levels.iter().all(|level| level.ok == 0) {
        return Err(Ending::NothingSucceeded.into());
    }
    let concluded = judgement.conclusion();
    if let Some(Err(ending)) = concluded {
        return Err(ending.into());
    }
    if let Ended::GaveUp { class, message } = &run.ended {
        return Err(Ending::GaveUp { class: *class, message: message.clone() }.into());
    }
    if let Ended::Bounded { what } = &run.ended {
        return Err(Ending::Capped(what.clone()).into());
    }
    if concluded.is_some() {
        // Whoever sets thresholds has said what counts.
        return Ok(());
    }
    let (past_failed, past_ok) =
        past().fold((0, 0), |(failed, ok), classes| (failed + classes.failures(), ok + classes.ok()));
    let failed = run.levels.iter().map(|level| level.errors).sum::<u64>() + past_failed;
    let all = run.levels.iter().map(|level| level.requests).sum::<u64>() + past_failed + past_ok;
    if failed > 0 { Err(Ending::SomeFailed { what: "requests", failed, all }.into()) } else { Ok(()) }
}
