//! One worker: a thread with its own runtime, its own target and its share of the users, for the whole sweep.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::task::spawn_local;
use tokio::time::sleep_until;

use super::Target;
use super::control::Control;
use super::desk::Desk;
use super::desk::user;
use super::dispatch::Stripe;
use super::dispatch::Tasks;
use super::dispatch::dispatch;
use super::live::Slot;
use super::log::Journal;
use super::log::LogSender;
use super::monitor::Watch;
use super::monitor::monitor;
use super::objective::Objective;
use super::pairs::Sieve;
use super::recorder::Recorder;
use super::schedule::Schedule;

/// One worker's part in one level.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    pub schedule: Schedule,
    pub part: Part,
    /// What the times of each request should be.
    pub objectives: Arc<[Objective]>,
}

/// What a worker carries of a level.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Users of a closed loop, numbered over all workers.
    Users(Range<u32>),
    /// Arrivals of an open loop.
    Arrivals(Stripe),
}

impl Part {
    fn is_empty(&self) -> bool {
        match self {
            Self::Users(users) => users.is_empty(),
            Self::Arrivals(stripe) => stripe.cap == 0,
        }
    }
}

/// What one worker saw of one level.
#[derive(Debug)]
pub(super) struct Report {
    pub recorder: Recorder,
    /// What it saw of the other side, where each request is made twice.
    pub direct: Recorder,
    /// Its part of what belongs together of the two.
    pub pairs: Sieve,
    /// Absent where the worker carried no user.
    pub watch: Option<Watch>,
}

/// What connects a worker to the engine.
#[derive(Debug)]
pub(super) struct Line {
    /// Levels to run, in order; closed when there are no more.
    pub shifts: mpsc::UnboundedReceiver<Shift>,
    /// Where each level's report goes.
    pub reports: mpsc::UnboundedSender<Box<Report>>,
    pub control: Control,
    pub slot: Arc<Slot>,
    /// Where each request gets its line, if that is wanted.
    pub log: Option<LogSender>,
}

/// A runtime as every worker has one: a single thread, so that nothing it runs needs a lock.
pub(super) fn worker_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Runs all levels on this thread; the target lives as long, so that its connections survive from level to level.
pub(super) fn work<T: Target + 'static>(mut line: Line, make_target: impl FnOnce() -> T) -> io::Result<()> {
    let runtime = worker_runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let target = Rc::new(make_target());
        while let Some(shift) = line.shifts.recv().await {
            let report = level(&target, shift, &line).await;
            if line.reports.send(Box::new(report)).is_err() {
                break;
            }
        }
    });
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    Ok(())
}

/// Runs one worker's part of one level; must be called inside a [`LocalSet`].
pub(super) async fn level<T: Target + 'static>(target: &Rc<T>, shift: Shift, line: &Line) -> Report {
    let schedule = shift.schedule;
    let journal = line.log.clone().map(Journal::new);
    let desk = Desk::new(Rc::clone(target), schedule, line.control.clone(), journal);
    let desk = Rc::new(desk.with_objectives(shift.objectives));
    let watch = Rc::new(RefCell::new(Watch::default()));
    let carries_users = !shift.part.is_empty();
    sleep_until(schedule.t0).await;
    let monitoring = spawn_local(monitor(Rc::clone(&desk), Rc::clone(&watch), Arc::clone(&line.slot)));
    let tasks = Tasks::default();
    match shift.part {
        Part::Arrivals(stripe) if stripe.cap > 0 => {
            let started = dispatch(Rc::clone(&desk), stripe, Rc::clone(&tasks));
            tasks.borrow_mut().spawn_local(started);
        }
        Part::Arrivals(_) => {}
        Part::Users(users) => users.for_each(|number| {
            tasks.borrow_mut().spawn_local(user(Rc::clone(&desk), number));
        }),
    }
    tokio::select! {
        () = all(&tasks) => {}
        () = schedule.cut(line.control.orders()) => {
            // Dropping a task writes its request down as cut; nothing has to be raced on each poll.
            tasks.borrow_mut().abort_all();
            all(&tasks).await;
        }
    }
    monitoring.abort();
    desk.journal.iter().for_each(Journal::flush);
    line.slot.put(super::live::Snapshot::default());
    let (recorder, direct, pairs) = (desk.recorder.take(), desk.direct.take(), desk.pairs.take());
    let connections = target.take_connections();
    let watch = carries_users.then(|| watch.take().with_connections(connections));
    Report { recorder, direct, pairs, watch }
}

/// Waits until every task is done; more may be added meanwhile.
async fn all(tasks: &Tasks) {
    while poll_fn(|context| tasks.borrow_mut().poll_join_next(context)).await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::Instant;
    use tokio::time::sleep;

    use super::super::Ended;
    use super::super::Extent;
    use super::super::Health;
    use super::super::Summary;
    use super::super::Ticket;
    use super::super::Verdict;
    use super::super::metric::Bound;
    use super::super::quantile::Percentile;
    use super::super::side::Sides;
    use super::super::summary::Course;
    use super::*;
    use crate::outcome::Class;
    use crate::outcome::Sample;

    /// Sleeps for a while and ends in the class that a rule names; the rule may panic.
    struct Sleeper<R> {
        latency: Duration,
        rule: R,
        calls: Cell<u64>,
    }

    impl<R: Fn(Ticket) -> Class> Target for Sleeper<R> {
        async fn run(&self, ticket: Ticket, sample: &mut Sample) {
            self.calls.set(self.calls.get() + 1);
            if !self.latency.is_zero() {
                sleep(self.latency).await;
            }
            sample.class = (self.rule)(ticket);
            sample.message = sample.class.name().to_owned();
            sample.tokens.output = Some(10);
            sample.marks.last_delta = Some(sample.marks.start.elapsed());
        }
    }

    fn sleeper<R: Fn(Ticket) -> Class>(latency_ms: u64, rule: R) -> Rc<Sleeper<R>> {
        Rc::new(Sleeper { latency: Duration::from_millis(latency_ms), rule, calls: Cell::new(0) })
    }

    fn schedule(users: u32, extent: Extent) -> Schedule {
        let t0 = Instant::now() + Duration::from_millis(5);
        let measured_from = t0 + Duration::from_millis(150);
        Schedule {
            level: 0,
            users,
            rate: None,
            t0,
            measured_from,
            extent,
            drain: Duration::from_secs(5),
            sides: Sides::One,
        }
    }

    fn window(ms: u64) -> Extent {
        Extent::Window(Duration::from_millis(ms))
    }

    /// Runs one level on this thread; what the whole engine does for one worker.
    async fn run_level<T: Target + 'static>(
        target: &Rc<T>,
        schedule: Schedule,
        control: &Control,
    ) -> Option<Summary> {
        let (_, shifts) = mpsc::unbounded_channel();
        let (reports, _) = mpsc::unbounded_channel();
        let line = Line { shifts, reports, control: control.clone(), slot: Arc::default(), log: None };
        let shift = Shift { schedule, part: Part::Users(0..schedule.users), objectives: Arc::default() };
        let report = LocalSet::new().run_until(level(target, shift, &line)).await;
        let mut health = Health::default();
        health.add(&report.watch.expect("the worker carried users"));
        let stopped_at = control.stopped_at();
        Summary::of(Course {
            schedule,
            recorder: report.recorder,
            direct: report.direct,
            pairs: report.pairs,
            health,
            stopped_at,
            arrivals: None,
            has_objectives: false,
            late: None,
            previous: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_of_constant_latency_yields_users_over_latency() {
        // Neither warm-up nor window is a multiple of the latency.
        let target = sleeper(70, |_| Class::Ok);
        let level = run_level(&target, schedule(7, window(1_000)), &Control::new()).await.unwrap();
        let law = 7.0 / 0.070;
        assert!((level.rps.unwrap() / law - 1.0).abs() < 0.005, "{:?}", level.rps);
        assert!((level.tokens_per_s.unwrap() / (10.0 * law) - 1.0).abs() < 0.005);
        assert_eq!((level.errors, level.censored, level.ended_early), (0, 0, false));
        // Starts at 60, 130, … 1040 ms of a window that runs from 0 to 1000 ms.
        assert_eq!(level.requests, 7 * 14);
        assert_eq!(level.metrics.latency.min(), level.metrics.latency.max());
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_of_requests_is_made_exactly() {
        let target = sleeper(20, |ticket| if ticket.index == 3 { Class::RateLimited } else { Class::Ok });
        let level = run_level(&target, schedule(4, Extent::Requests(203)), &Control::new()).await.unwrap();
        assert_eq!((level.requests, level.ok, level.errors), (203, 202, 1));
        assert_eq!(level.failures[0].message, "rate_limited");
        assert_eq!(level.verdict, Verdict::RelaySaturated);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_running_after_the_drain_is_cut_and_bounds_the_percentiles() {
        let target = sleeper(60_000, |_| Class::Ok);
        let mut schedule = schedule(3, window(1_000));
        schedule.measured_from = schedule.t0;
        let level = run_level(&target, schedule, &Control::new()).await.unwrap();
        assert_eq!((level.requests, level.censored, level.verdict), (0, 3, Verdict::NoSuccess));
        let reached = level.metrics.latency.quantile_of_any(Percentile::P50).unwrap();
        assert_eq!((reached.bound, reached.value.as_secs()), (Bound::Lower, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_lets_requests_drain_and_shortens_the_window() {
        let target = sleeper(100, |_| Class::Ok);
        let control = Control::new();
        let stopper = control.clone();
        let stop = tokio::spawn(async move {
            sleep(Duration::from_millis(655)).await;
            stopper.stop();
        });
        let level = run_level(&target, schedule(2, window(60_000)), &control).await.unwrap();
        stop.await.unwrap();
        assert!(level.ended_early && level.censored == 0);
        assert!((level.window_s - 0.5).abs() < 0.01, "{}", level.window_s);
        assert!((level.rps.unwrap() - 20.0).abs() < 0.2, "{:?}", level.rps);
        assert_eq!(control.ended(), Ended::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn an_abort_cuts_what_is_in_flight_at_once() {
        let target = sleeper(3_600_000, |_| Class::Ok);
        let control = Control::new();
        let stopper = control.clone();
        let began = Instant::now();
        tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            stopper.abort();
        });
        let mut schedule = schedule(50, window(60_000));
        schedule.measured_from = schedule.t0;
        let level = run_level(&target, schedule, &control).await.unwrap();
        assert_eq!((level.censored, level.ended_early), (50, true));
        assert!(began.elapsed() < Duration::from_millis(520), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_stopped_in_its_warm_up_has_no_summary() {
        let target = sleeper(10, |_| Class::Ok);
        let control = Control::new();
        control.stop();
        assert!(run_level(&target, schedule(2, window(1_000)), &control).await.is_none());
        assert_eq!(target.calls.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_refusals_in_a_row_end_the_run() {
        let target = sleeper(10, |_| Class::Auth);
        let control = Control::new();
        let mut schedule = schedule(2, window(60_000));
        schedule.measured_from = schedule.t0;
        let level = run_level(&target, schedule, &control).await.unwrap();
        assert!(target.calls.get() <= 22, "{}", target.calls.get());
        assert!(level.errors >= 20 && level.ended_early);
        assert_eq!(control.ended(), Ended::GaveUp { class: Class::Auth, message: "auth".into() });
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_restarted_is_waited_for_and_one_that_stays_away_is_not() {
        let target = sleeper(10, |ticket| if ticket.index < 500 { Class::Connect } else { Class::Ok });
        let control = Control::new();
        let from_now = || {
            let schedule = schedule(1, window(20_000));
            Schedule { measured_from: schedule.t0, ..schedule }
        };
        let level = run_level(&target, from_now(), &control).await.unwrap();
        assert!(level.ok > 1_000 && level.errors == 500 && !level.ended_early, "{}", level.errors);
        let target = sleeper(10, |_| Class::Connect);
        let level = run_level(&target, from_now(), &control).await.unwrap();
        assert!((1_000..1_005).contains(&level.errors) && level.ended_early, "{}", level.errors);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_between_successes_end_nothing() {
        let target = sleeper(10, |ticket| if ticket.index % 5 == 0 { Class::Ok } else { Class::Connect });
        let control = Control::new();
        let level = run_level(&target, schedule(1, window(5_000)), &control).await.unwrap();
        assert!(level.errors > 100 && !level.ended_early);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_request_is_a_failure_of_its_own_and_the_user_goes_on() {
        let target = sleeper(10, |ticket| {
            assert!(ticket.iteration % 2 == 0, "odd");
            Class::Ok
        });
        let level = run_level(&target, schedule(1, Extent::Requests(10)), &Control::new()).await.unwrap();
        assert_eq!((level.ok, level.classes[Class::ClientLimit]), (5, 5));
        assert_eq!(level.failures[0].message, "the client panicked: odd");
    }

    #[test]
    fn a_target_that_fails_at_once_leaves_others_their_turn() {
        // On a running clock: a paused one stands still while anything is ready.
        worker_runtime().unwrap().block_on(async {
            let target = sleeper(0, |_| Class::Http5xx);
            let mut schedule = schedule(4, window(120));
            schedule.measured_from = schedule.t0;
            let level = run_level(&target, schedule, &Control::new()).await.unwrap();
            assert!(level.errors > 100, "{}", level.errors);
            assert!((level.window_s - 0.12).abs() < 1e-9);
            // The monitor had its turns, and saw a thread without rest.
            assert!(level.health.delay.count() >= 3, "{}", level.health.delay.count());
            assert_eq!(level.verdict, Verdict::NoSuccess);
        });
    }

    #[test]
    fn a_request_that_blocks_the_thread_is_seen_as_delay_of_the_client() {
        worker_runtime().unwrap().block_on(async {
            let target = sleeper(5, |_| {
                std::thread::sleep(Duration::from_millis(40));
                Class::Ok
            });
            let mut schedule = schedule(1, window(300));
            schedule.measured_from = schedule.t0;
            let level = run_level(&target, schedule, &Control::new()).await.unwrap();
            assert!(level.health.delay_p99.unwrap() > Duration::from_millis(15), "{:?}", level.health);
            assert_eq!(level.verdict, Verdict::ClientBound);
        });
    }
}
