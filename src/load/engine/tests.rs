//! Runs of every kind on real threads: whole ones, stopped ones, searches, and workers that are lost.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::time::sleep;

use super::super::Criterion;
use super::super::Extent;
use super::super::Phase;
use super::super::Scale;
use super::super::Search;
use super::super::SearchEnd;
use super::super::Sides;
use super::super::Ticket;
use super::*;
use crate::outcome::Class;
use crate::outcome::Sample;

/// Sleeps 5 ms; holds an `Rc`, as a target made on its own thread may.
struct Napper {
    calls: Rc<Cell<u64>>,
    /// The run that the first request of its second level stops.
    stops: Option<Control>,
}

impl Target for Napper {
    async fn run(&self, ticket: Ticket, sample: &mut Sample) {
        self.calls.set(self.calls.get() + 1);
        if let Some(run) = self.stops.as_ref().filter(|_| ticket.level == 1) {
            run.stop();
        }
        sleep(Duration::from_millis(5)).await;
        sample.class = Class::Ok;
        sample.marks.last_delta = Some(sample.marks.start.elapsed());
    }
}

fn napper(_: usize) -> Napper {
    Napper { calls: Rc::default(), stops: None }
}

fn unseen() -> Outlets<impl FnMut(Live)> {
    Outlets { on_live: |_| {}, log: None }
}

fn plan(levels: &[u32], extent: Extent) -> Plan {
    let (warmup, drain) = (Duration::from_millis(20), Duration::from_secs(5));
    let levels = levels.iter().copied().map(Step::closed).collect();
    let (shard, objectives) = (Shard::WHOLE, Arc::default());
    Plan {
        levels,
        search: None,
        extent,
        warmup,
        drain,
        workers: 2,
        objectives,
        shard,
        slots: None,
        sides: Sides::One,
    }
}

#[tokio::test]
async fn a_sweep_runs_every_level_with_its_users_on_workers_that_live_throughout() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let make = |index| {
        MADE.fetch_add(1, Ordering::Relaxed);
        napper(index)
    };
    let plan = plan(&[1, 3], Extent::Requests(30));
    let run = run(&plan, make, Control::new(), unseen()).await.unwrap();
    assert_eq!(run.ended, Ended::Completed);
    let seen: Vec<_> = run.levels.iter().map(|level| (level.concurrency, level.ok)).collect();
    assert_eq!(seen, [(1, 30), (3, 30)]);
    assert_eq!(MADE.load(Ordering::Relaxed), 2);
    // A single user has one worker; the other one has nothing to say about itself.
    let workers: Vec<_> = run.levels.iter().map(|level| level.health.workers).collect();
    assert_eq!(workers, [1, 2]);
}

#[tokio::test]
async fn the_live_view_follows_a_level() {
    let plan = plan(&[4], Extent::Window(Duration::from_millis(900)));
    let mut views = Vec::new();
    run(&plan, napper, Control::new(), Outlets { on_live: |live| views.push(live), log: None })
        .await
        .unwrap();
    assert!((2..=5).contains(&views.len()), "{}", views.len());
    let last = &views[views.len() - 1];
    assert!(last.level == 4 && last.finished > 50, "{last:?}");
    assert!(views.iter().any(|live| live.phase == Phase::Measuring && live.rps > Some(50.0)));
}

#[tokio::test]
async fn a_stopped_run_reports_what_it_has_and_starts_no_further_level() {
    let control = Control::new();
    let stopper = control.clone();
    let plan = plan(&[2, 4], Extent::Window(Duration::from_secs(60)));
    let on_live = |live: Live| {
        if live.finished > 0 {
            stopper.stop();
        }
    };
    let run = run(&plan, napper, control, Outlets { on_live, log: None }).await.unwrap();
    assert_eq!((run.ended, run.levels.len()), (Ended::Interrupted, 1));
    assert!(run.levels[0].ended_early && run.levels[0].window_s < 10.0);
}

#[tokio::test]
async fn a_worker_that_cannot_make_its_target_fails_the_run() {
    let make = |index| {
        assert!(index == 0, "no pool for worker {index}");
        napper(index)
    };
    let plan = plan(&[2], Extent::Window(Duration::from_secs(60)));
    let error = run(&plan, make, Control::new(), unseen()).await.unwrap_err();
    assert_eq!(error.to_string(), "a worker was lost: no pool for worker 1");
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_not_begun() {
    let error = run(&plan(&[], Extent::Requests(1)), napper, Control::new(), unseen()).await.unwrap_err();
    assert!(matches!(error, LoadError::Plan(PlanError::NoLevels)));
}

/// Searches by users from 1 on where every load passes.
fn search(extent: Extent) -> Plan {
    let objectives = vec![Criterion::objective("latency < 10s").unwrap()];
    let search = Some(Search { scale: Scale::Users, first: 1.0, most: 64.0, objectives });
    Plan { search, warmup: Duration::from_secs(1), ..plan(&[1], extent) }
}

#[tokio::test]
async fn a_search_learns_nothing_from_a_level_that_was_cut() {
    let control = Control::new();
    let stopper = control.clone();
    let on_live = |live: Live| {
        if live.finished > 0 {
            stopper.stop();
        }
    };
    let plan = search(Extent::Window(Duration::from_secs(60)));
    let run = run(&plan, napper, control, Outlets { on_live, log: None }).await.unwrap();
    assert!(run.levels.len() == 1 && run.levels[0].ended_early && run.levels[0].ok > 0);
    let found = run.capacity.unwrap();
    assert_eq!((found.passing, found.ended), (None, SearchEnd::Stopped));
}

#[tokio::test]
async fn a_search_stopped_in_a_warm_up_does_not_take_the_level_before_for_the_one_being_tried() {
    let control = Control::new();
    let stopper = control.clone();
    let make = move |index| Napper { stops: Some(stopper.clone()), ..napper(index) };
    let plan = search(Extent::Requests(5));
    let run = run(&plan, make, control, unseen()).await.unwrap();
    assert_eq!(run.levels.len(), 1);
    let found = run.capacity.unwrap();
    assert_eq!((found.passing, found.ended), (Some(1.0), SearchEnd::Stopped));
}
