//! The client watches itself: how long a ready task waits for its turn, and how busy a worker's thread is.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::Target;
use super::desk::Desk;
use super::live::INTERVAL;
use super::live::Slot;
use super::live::Snapshot;
use super::log::Journal;
use super::metric::Metric;
use super::quantile::Percentile;
use super::schedule::Phase;
use super::vitals::Vitals;
use crate::outcome::Connections;

/// How often the wait of a ready task is measured.
const PERIOD: Duration = Duration::from_millis(10);

/// How late a timer may be without anyone being at fault: tokio's timers and epoll each round up to a whole ms.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// The client's own health at one level.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Workers that carried users.
    pub workers: usize,
    /// Waits of a ready task for its turn, over all workers.
    pub delay: Metric,
    /// TP99 of those waits on the worker where it is largest.
    pub delay_p99: Option<Duration>,
    /// Share of the window, between 0 and 1, in which the busiest worker's thread had no rest.
    pub busy_max: Option<f64>,
    /// Share of the window, between 0 and 1, that the worker's thread spent on a core where it spent most; absent where the
    /// system does not tell.
    pub cpu_max: Option<f64>,
    /// What the process had left.
    pub vitals: Vitals,
    /// What became of the connections of all workers, where each can tell.
    pub connections: Option<Connections>,
}

impl Health {
    /// Adds what one worker saw of itself.
    pub(super) fn add(&mut self, watch: &Watch) {
        let p99 = watch.delay.quantile_of_any(Percentile::P99).map(|quantile| quantile.value);
        self.connections = match (self.workers, self.connections.zip(watch.connections)) {
            (0, _) => watch.connections,
            (_, both) => both.map(|(seen, more)| seen.and(more)),
        };
        self.workers += 1;
        self.delay.merge(&watch.delay);
        self.delay_p99 = self.delay_p99.max(p99);
        let larger = |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
        self.busy_max = larger(self.busy_max, watch.busy());
        self.cpu_max = larger(self.cpu_max, watch.on_core());
    }
}

/// What one worker sees of itself during the measured part of a level.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    delay: Metric,
    /// First and last moment seen inside the window.
    first: Option<Moment>,
    last: Option<Moment>,
    /// What became of its connections; known at the end of the level.
    connections: Option<Connections>,
}

/// What the thread had done until a moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    /// How long it had been at work.
    busy: Duration,
    /// How long it had been on a core.
    on_core: Option<Duration>,
}

impl Watch {
    /// The same, knowing what became of its connections.
    pub(super) fn with_connections(self, connections: Option<Connections>) -> Self {
        Self { connections, ..self }
    }

    /// Share of the watched time in which the thread had no rest; absent where nothing was watched.
    fn busy(&self) -> Option<f64> {
        self.share(|moment| Some(moment.busy))
    }

    /// Share of the watched time that the thread spent on a core: less than it was busy where others had the core meanwhile.
    fn on_core(&self) -> Option<f64> {
        self.share(|moment| moment.on_core)
    }

    fn share(&self, of: fn(&Moment) -> Option<Duration>) -> Option<f64> {
        let (first, last) = (self.first?, self.last?);
        let watched = last.at.checked_duration_since(first.at).filter(|watched| !watched.is_zero())?;
        let spent = of(&last)?.saturating_sub(of(&first)?);
        Some((spent.as_secs_f64() / watched.as_secs_f64()).min(1.0))
    }
}

/// How long this thread has been on a core.
#[cfg(target_os = "linux")]
fn on_core() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

/// How long this thread has been on a core.
#[cfg(not(target_os = "linux"))]
const fn on_core() -> Option<Duration> {
    None
}

/// Watches one worker until it is dropped, and puts out a snapshot now and then.
pub(super) async fn monitor<T: Target>(desk: Rc<Desk<T>>, watch: Rc<RefCell<Watch>>, slot: impl AsRef<Slot>) {
    let runtime = Handle::current().metrics();
    let mut due = Instant::now() + PERIOD;
    let mut publish_at = due;
    loop {
        sleep_until(due).await;
        let woken = Instant::now();
        yield_now().await;
        let now = Instant::now();
        // A poll that blocks the thread keeps this task from being woken at all: that lateness counts as well.
        let late = woken.saturating_duration_since(due + TIMER_SLACK);
        if desk.schedule.phase(now) == Phase::Measuring && !desk.control.is_stopping() {
            let mut watch = watch.borrow_mut();
            watch.delay.record(late + now.saturating_duration_since(woken));
            let busy = runtime.worker_total_busy_duration(0);
            let state = Moment { at: now, busy, on_core: on_core() };
            watch.first.get_or_insert(state);
            watch.last = Some(state);
        }
        let in_flight = desk.in_flight.get();
        desk.recorder.borrow_mut().timeline.under_way(desk.schedule.measured_from, now, in_flight);
        if now >= publish_at {
            slot.as_ref().put(snapshot(&desk));
            desk.journal.iter().for_each(Journal::flush);
            publish_at = now + INTERVAL;
        }
        due = now + PERIOD;
    }
}

/// What there is to see on a desk.
fn snapshot<T: Target>(desk: &Desk<T>) -> Snapshot {
    let recorder = desk.recorder.borrow();
    Snapshot {
        in_flight: desk.in_flight.get(),
        finished: recorder.classes.ok() + recorder.classes.failures(),
        completions: recorder.completions,
        errors: recorder.classes.failures(),
        ttft_count: recorder.metrics.ttft.count(),
        ttft_sum: recorder.metrics.ttft.sum(),
        latency: recorder.metrics.latency.clone(),
    }
}
