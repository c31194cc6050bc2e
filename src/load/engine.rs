//! Runs a plan: one thread a worker for the whole sweep, one common start a level, one summary each.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;

use super::Target;
use super::arrivals::Arrivals;
use super::control::Control;
use super::control::Ended;
use super::dispatch::Stripe;
use super::guard::panic_text;
use super::live::INTERVAL;
use super::live::Live;
use super::live::Slot;
use super::live::survey;
use super::log::LogSender;
use super::monitor::Health;
use super::objective::Objective;
use super::pairs::Sieve;
use super::plan::Plan;
use super::plan::PlanError;
use super::plan::Step;
use super::plan::share;
use super::plan::share_start;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::search::Agenda;
use super::search::Capacity;
use super::summary::Course;
use super::summary::Summary;
use super::vitals::Watcher;
use super::worker::Line;
use super::worker::Part;
use super::worker::Report;
use super::worker::Shift;
use super::worker::work;
use crate::units::Shard;

/// How far ahead of its start a level is announced, so that every worker is awake by then.
const NOTICE: Duration = Duration::from_millis(20);

/// How far ahead of its slot a level is waited for, so that a busy machine announces it in time.
const AHEAD: Duration = Duration::from_millis(100);

/// What a run yields.
#[derive(Debug)]
pub struct Run {
    /// One summary a level that was measured at all, in the order of the plan.
    pub levels: Vec<Summary>,
    /// How the run ended.
    pub ended: Ended,
    /// What a search has come to, if the plan was one.
    pub capacity: Option<Capacity>,
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A worker could not be started.
    #[error("a worker could not be started")]
    Worker(#[from] io::Error),
    /// A worker came to an end of its own before the run did.
    #[error("a worker was lost: {0}")]
    Lost(String),
}

/// Where a run shows itself while it lasts.
#[derive(Debug)]
pub struct Outlets<L> {
    /// Called about four times a second with the state of the level.
    pub on_live: L,
    /// Where each request gets its line, if that is wanted.
    pub log: Option<LogSender>,
}

/// Runs every level of a plan.
///
/// `make_target` is called once on each worker's thread with the number of the worker, inside its runtime.
pub async fn run<T, F>(
    plan: &Plan,
    make_target: F,
    control: Control,
    outlets: Outlets<impl FnMut(Live)>,
) -> Result<Run, LoadError>
where
    T: Target + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    plan.validate()?;
    let Outlets { mut on_live, log } = outlets;
    let mut crew = Crew::hire(plan, make_target, control, log.as_ref())?;
    let mut levels: Vec<Summary> = Vec::with_capacity(plan.levels.len());
    let mut agenda = Agenda::of(plan);
    let mut position = 0;
    // A search must not learn from a level that was stopped, nor from the one before it.
    while !crew.control.is_stopping()
        && let Some(step) = agenda.next(levels.last())
    {
        let due = plan.slots.map(|slots| slots.begin(position));
        if let Some(due) = due
            && crew.control.stops_before(due - AHEAD).await
        {
            break;
        }
        let soon = Instant::now() + NOTICE;
        let t0 = due.map_or(soon, |due| due.max(soon));
        let schedule = Schedule {
            level: position,
            users: step.users,
            rate: step.arrivals.as_ref().and_then(Arrivals::rate),
            t0,
            measured_from: t0 + plan.warmup,
            extent: plan.extent,
            drain: plan.drain,
            sides: plan.sides,
        };
        let Seen { recorder, direct, pairs, health } =
            crew.run_level(schedule, (&step, plan.shard), &mut on_live).await?;
        let stopped_at = crew.control.stopped_at();
        let arrivals = step.arrivals.as_ref();
        let course = Course {
            schedule,
            recorder,
            direct,
            pairs,
            health,
            stopped_at,
            arrivals,
            has_objectives: !plan.objectives.is_empty(),
            late: due.map(|due| t0 - due),
            previous: levels.last(),
        };
        let summary = Summary::of(course);
        levels.extend(summary);
        position += 1;
    }
    let ended = crew.control.ended();
    crew.dismiss().await?;
    Ok(Run { levels, ended, capacity: agenda.capacity() })
}

/// All workers of a run. Dropping it stops them, so that a run whose caller has gone away leaves no load behind.
struct Crew {
    control: Control,
    workers: Vec<Worker>,
    /// What the times of each request should be.
    objectives: Arc<[Objective]>,
    /// Reports of all workers; closed once the last of them has ended.
    reports: mpsc::UnboundedReceiver<Box<Report>>,
    /// Whether the workers were dismissed in good order.
    dismissed: bool,
}

/// What all workers saw of one level.
#[derive(Debug, Default)]
struct Seen {
    recorder: Recorder,
    /// The other side, where each request is made twice.
    direct: Recorder,
    /// Which requests of the two belong together.
    pairs: Sieve,
    health: Health,
}

struct Worker {
    shifts: mpsc::UnboundedSender<Shift>,
    slot: Arc<Slot>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Crew {
    /// Starts the workers.
    fn hire<T, F>(
        plan: &Plan,
        make_target: F,
        control: Control,
        log: Option<&LogSender>,
    ) -> Result<Self, LoadError>
    where
        T: Target + 'static,
        F: Fn(usize) -> T + Send + Sync + 'static,
    {
        let make_target = Arc::new(make_target);
        let (sender, reports) = mpsc::unbounded_channel();
        let objectives = Arc::clone(&plan.objectives);
        let mut crew = Self { control, workers: Vec::new(), objectives, reports, dismissed: false };
        for index in 0..plan.workers {
            let (shifts, to_do) = mpsc::unbounded_channel();
            let slot = Arc::new(Slot::default());
            let (control, reports) = (crew.control.clone(), sender.clone());
            let line = Line { shifts: to_do, reports, control, slot: Arc::clone(&slot), log: log.cloned() };
            let make_target = Arc::clone(&make_target);
            let thread = thread::Builder::new()
                .name(format!("load-{index}"))
                .spawn(move || work(line, || make_target(index)))?;
            crew.workers.push(Worker { shifts, slot, thread });
        }
        Ok(crew)
    }

    /// Runs this process's part of one level on all workers.
    async fn run_level(
        &mut self,
        schedule: Schedule,
        (step, shard): (&Step, Shard),
        on_live: &mut impl FnMut(Live),
    ) -> Result<Seen, LoadError> {
        // A worker without a place for a request would never send its share of the arrivals.
        let places = share(step.users.into(), shard.place(), shard.of());
        let carriers = (self.workers.len() as u64).min(places);
        for (index, worker) in (0..).zip(&self.workers) {
            // A worker that is gone is noticed below.
            let objectives = Arc::clone(&self.objectives);
            let part = part(step, shard, (index, carriers));
            let _ = worker.shifts.send(Shift { schedule, part, objectives });
        }
        let mut views = interval_at(schedule.t0 + INTERVAL, INTERVAL);
        views.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut seen, mut watcher) = (Seen::default(), Watcher::default());
        let mut missing = self.workers.len();
        while missing > 0 {
            tokio::select! {
                report = self.reports.recv() => {
                    let Some(report) = report else { return Err(self.post_mortem()) };
                    seen.recorder.merge(&report.recorder);
                    seen.direct.merge(&report.direct);
                    seen.pairs.merge(&report.pairs);
                    if let Some(watch) = &report.watch {
                        seen.health.add(watch);
                    }
                    missing -= 1;
                }
                _ = views.tick() => {
                    watcher.look();
                    if self.workers.iter().any(|worker| worker.thread.is_finished()) {
                        return Err(self.post_mortem());
                    }
                    on_live(survey(self.workers.iter().map(|worker| &*worker.slot), &schedule, &self.control));
                }
            }
        }
        seen.health.vitals = watcher.seen();
        Ok(seen)
    }

    /// Lets the workers go home and waits until they have closed their connections.
    async fn dismiss(mut self) -> Result<(), LoadError> {
        self.dismissed = true;
        let workers = std::mem::take(&mut self.workers);
        let threads: Vec<_> = workers.into_iter().map(|worker| worker.thread).collect();
        // The shifts are dropped by now; when the last report line is dropped too, the threads are at their end.
        while self.reports.recv().await.is_some() {}
        for thread in threads {
            thread.join().map_err(|payload| lost(payload.as_ref()))??;
        }
        Ok(())
    }

    /// Why a worker has ended before its time.
    fn post_mortem(&mut self) -> LoadError {
        let ended = self.workers.iter().position(|worker| worker.thread.is_finished());
        let Some(index) = ended else { return LoadError::Lost("no reason given".to_owned()) };
        match self.workers.swap_remove(index).thread.join() {
            Ok(Ok(())) => LoadError::Lost("it ended by itself".to_owned()),
            Ok(Err(error)) => LoadError::Worker(error),
            Err(payload) => lost(payload.as_ref()),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if !self.dismissed {
            self.control.abort();
        }
    }
}

/// What falls to one of so many workers of the process that carries a shard.
fn part(step: &Step, shard: Shard, (index, carriers): (u64, u64)) -> Part {
    let users = u64::from(step.users);
    let places = share(users, shard.place(), shard.of());
    let before = share_start(users, shard.place(), shard.of());
    let first = |index: u64| {
        let start = before + share_start(places, index.min(carriers), carriers);
        u32::try_from(start).expect("a share of a u32 is a u32")
    };
    let (from, to) = (first(index), first(index + 1));
    match &step.arrivals {
        None => Part::Users(from..to),
        Some(arrivals) => Part::Arrivals(Stripe {
            arrivals: arrivals.clone(),
            first: shard.place() + shard.of() * index,
            step: shard.of() * carriers,
            cap: to - from,
        }),
    }
}

/// The error of a worker that panicked.
fn lost(payload: &(dyn Any + Send)) -> LoadError {
    LoadError::Lost(panic_text(payload))
}

#[cfg(test)]
mod tests;
