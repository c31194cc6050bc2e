//! A wake-up finer than the runtime's own: its timers and polls round up to whole milliseconds, twice.
//!
//! On Linux a timer of the kernel's is among the descriptors that the runtime polls. benches/pacing.rs has it beside the
//! runtime's timers, a thread that sleeps and rings, and a busy wait; docs/accuracy.md has the figures.

use tokio::time::Instant;
use tokio::time::sleep_until;

/// Rings at one moment after another.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Absent where the kernel gives none; then the runtime's timers must do.
    #[cfg(target_os = "linux")]
    timer: Option<descriptor::Timer>,
}

impl Alarm {
    /// An alarm of the runtime that this is called in.
    pub(super) fn set_up() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            timer: descriptor::Timer::new().ok(),
        }
    }

    /// Waits until a moment.
    pub(super) async fn until(&self, moment: Instant) {
        tokio::select! {
            biased;
            () = self.fine(moment) => {}
            // A clock that is paused knows of no kernel's timer.
            () = sleep_until(moment) => {}
        }
    }

    #[cfg(target_os = "linux")]
    async fn fine(&self, moment: Instant) {
        match &self.timer {
            Some(timer) if timer.until(moment).await.is_ok() => {}
            _ => sleep_until(moment).await,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn fine(&self, moment: Instant) {
        sleep_until(moment).await;
    }
}

#[cfg(target_os = "linux")]
mod descriptor {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::Itimerspec;
    use rustix::time::TimerfdClockId;
    use rustix::time::TimerfdFlags;
    use rustix::time::TimerfdTimerFlags;
    use rustix::time::Timespec;
    use rustix::time::timerfd_create;
    use rustix::time::timerfd_settime;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    /// A timer of the kernel's (`timerfd_create(2)`) among the descriptors that the runtime polls.
    #[derive(Debug)]
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

        /// Waits until a moment, and never returns before it.
        pub(super) async fn until(&self, moment: Instant) -> io::Result<()> {
            loop {
                let left = moment.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                // Setting it takes back what it has rung for, so that nothing has to be read.
                let once = Timespec {
                    tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: left.subsec_nanos().into(),
                };
                let never_again = Timespec { tv_sec: 0, tv_nsec: 0 };
                let setting = Itimerspec { it_interval: never_again, it_value: once };
                timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
                self.0.readable().await?.clear_ready();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_alarm_rings_at_each_moment_and_never_before() {
        let start = Instant::now() + Duration::from_millis(5);
        let alarm = Alarm::set_up();
        for moment in (0..40).map(|k| start + Duration::from_micros(500) * k) {
            alarm.until(moment).await;
            assert!(Instant::now() >= moment);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_obeys_a_clock_that_is_paused() {
        let moment = Instant::now() + Duration::from_secs(3_600);
        Alarm::set_up().until(moment).await;
        assert!(Instant::now() >= moment);
    }
}
