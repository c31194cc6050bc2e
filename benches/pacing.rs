//! How late each way of waking up starts what is due, and what it costs: the runtime's timers, a thread, a timer descriptor.
//!
//! `cargo bench --bench pacing`: one thread with one runtime starts tasks of 20 µs at constant distances and notes when each
//! is first polled, as the open loop of `bench` does. Pin it to one core to see what a worker beside a busy relay sees.

#![expect(clippy::print_stdout, reason = "a table on standard output is what this program is for")]

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

/// Arrivals a second.
const RATES: [u32; 3] = [200, 1_000, 5_000];

/// How long each way is tried at each rate.
const WINDOW: Duration = Duration::from_secs(4);

/// What each task does once it has started, as a request costs about so much before it waits.
const WORK: Duration = Duration::from_micros(20);

fn main() -> io::Result<()> {
    println!("| arrivals | woken by | lag TP50 (µs) | TP99 (µs) | most (µs) | CPU (% of a core) |");
    println!("|---:|:---|---:|---:|---:|---:|");
    for rate in RATES {
        for way in Way::ALL {
            let Outcome { lags, busy } = run(way, rate)?;
            let at = |share: usize| lags[(lags.len() - 1) * share / 100].as_micros();
            let name = way.name();
            println!("| {rate}/s | {name} | {} | {} | {} | {:.1} |", at(50), at(99), at(100), busy * 100.0);
        }
    }
    Ok(())
}

/// A way of waking up when something is due.
#[derive(Debug, Clone, Copy)]
enum Way {
    Runtime,
    Thread,
    #[cfg(target_os = "linux")]
    Descriptor,
    #[cfg(target_os = "linux")]
    DescriptorAndSpin,
    Spin,
}

impl Way {
    #[cfg(target_os = "linux")]
    const ALL: [Self; 5] =
        [Self::Runtime, Self::Thread, Self::Descriptor, Self::DescriptorAndSpin, Self::Spin];
    #[cfg(not(target_os = "linux"))]
    const ALL: [Self; 3] = [Self::Runtime, Self::Thread, Self::Spin];

    const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "the runtime's timers",
            Self::Thread => "a thread that sleeps and rings",
            #[cfg(target_os = "linux")]
            Self::Descriptor => "a timer descriptor",
            #[cfg(target_os = "linux")]
            Self::DescriptorAndSpin => "the same 100 µs early, then yielding",
            Self::Spin => "yielding all the time",
        }
    }
}

/// What one way came to at one rate.
struct Outcome {
    /// Start after due time, ascending.
    lags: Vec<Duration>,
    /// CPU time of the whole process for the time that passed, the work of the tasks taken off.
    busy: f64,
}

fn run(way: Way, rate: u32) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lags = Rc::new(RefCell::new(Vec::new()));
    let step = Duration::from_secs(1) / rate;
    let count = u32::try_from(WINDOW.as_nanos() / step.as_nanos()).expect("a window has few arrivals");
    let (began, spent) = (Instant::now(), processor_time());
    LocalSet::new().block_on(&runtime, async {
        let first = Instant::now() + Duration::from_millis(5);
        let moments = (0..count).map(move |k| first + step * k);
        let mut bell = Bell::hang(way, moments.clone())?;
        let mut tasks = tokio::task::JoinSet::new();
        for due in moments {
            bell.until(due).await?;
            let lags = Rc::clone(&lags);
            tasks.spawn_local(async move {
                let start = Instant::now();
                lags.borrow_mut().push(start - due);
                while start.elapsed() < WORK {}
            });
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
        io::Result::Ok(())
    })?;
    let spent = processor_time().saturating_sub(spent + WORK * count);
    let busy = spent.as_secs_f64() / began.elapsed().as_secs_f64();
    let mut lags = lags.take();
    lags.sort_unstable();
    Ok(Outcome { lags, busy })
}

/// What wakes the dispatcher.
enum Bell {
    Runtime,
    Thread(ringer::Ringer),
    #[cfg(target_os = "linux")]
    Descriptor {
        timer: descriptor::Timer,
        /// How long before the due time it rings; the rest is spun.
        early: Duration,
    },
    Spin,
}

impl Bell {
    fn hang(way: Way, moments: impl Iterator<Item = Instant> + Send + 'static) -> io::Result<Self> {
        Ok(match way {
            Way::Runtime => Self::Runtime,
            Way::Thread => Self::Thread(ringer::Ringer::at(moments)?),
            #[cfg(target_os = "linux")]
            Way::Descriptor => Self::Descriptor { timer: descriptor::Timer::new()?, early: Duration::ZERO },
            #[cfg(target_os = "linux")]
            Way::DescriptorAndSpin => {
                Self::Descriptor { timer: descriptor::Timer::new()?, early: Duration::from_micros(100) }
            }
            Way::Spin => Self::Spin,
        })
    }

    async fn until(&mut self, due: Instant) -> io::Result<()> {
        match self {
            Self::Runtime => tokio::time::sleep_until(due).await,
            Self::Thread(ringer) => ringer.until(due).await,
            #[cfg(target_os = "linux")]
            Self::Descriptor { timer, early } => {
                timer.until(due - *early).await?;
                spin(due).await;
            }
            Self::Spin => spin(due).await,
        }
        Ok(())
    }
}

async fn spin(due: Instant) {
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}

/// The CPU time of this process, all threads together.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
const fn processor_time() -> Duration {
    Duration::ZERO
}

mod ringer {
    use std::io;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::Instant;

    /// A thread that sleeps from one moment to the next and rings.
    pub(super) struct Ringer(Arc<Notify>);

    impl Ringer {
        pub(super) fn at(moments: impl Iterator<Item = Instant> + Send + 'static) -> io::Result<Self> {
            let bell = Arc::new(Notify::new());
            let ringer = Arc::clone(&bell);
            thread::Builder::new().spawn(move || {
                for moment in moments {
                    loop {
                        let left = moment.saturating_duration_since(Instant::now());
                        if left == Duration::ZERO {
                            break;
                        }
                        thread::park_timeout(left);
                    }
                    ringer.notify_one();
                }
            })?;
            Ok(Self(bell))
        }

        pub(super) async fn until(&self, moment: Instant) {
            while Instant::now() < moment {
                self.0.notified().await;
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod descriptor {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    /// A timer of the kernel's among the descriptors that the runtime polls.
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe to call, and an owned descriptor stays open as it demands"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
        }

        pub(super) async fn until(&self, moment: Instant) -> io::Result<()> {
            loop {
                let left = moment.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                let value = Timespec {
                    tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: i64::from(left.subsec_nanos()),
                };
                let once = Itimerspec { it_interval: zero, it_value: value };
                timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
                self.0.readable().await?.clear_ready();
            }
        }
    }
}
