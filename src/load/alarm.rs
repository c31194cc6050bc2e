//! A wake-up finer than the runtime's own: its timers and polls round up to whole milliseconds, twice.
//!
//! A thread of its own sleeps from one due time to the next and rings; on Linux that is late by some 0.1 ms, at 1000 or
//! 5000 arrivals a second, where the runtime's timers are late by 1 ms and a busy wait takes a whole core. A timer
//! descriptor in the runtime's own poll was no better at TP99 and is Linux's alone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::sleep_until;

/// Rings at each of many moments.
#[derive(Debug)]
pub(super) struct Alarm {
    shared: Arc<Shared>,
    /// Absent where no thread could be started; then the runtime's timers must do.
    thread: Option<thread::Thread>,
}

#[derive(Debug, Default)]
struct Shared {
    bell: Notify,
    is_over: AtomicBool,
}

impl Alarm {
    /// An alarm that rings at each of these moments, which ascend.
    pub(super) fn at(moments: impl Iterator<Item = Instant> + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let ringer = Arc::clone(&shared);
        let thread = thread::Builder::new().name("load-alarm".into()).spawn(move || ringer.ring_at(moments));
        Self { shared, thread: thread.ok().map(|handle| handle.thread().clone()) }
    }

    /// Waits until a moment, which need not be one of the alarm's.
    pub(super) async fn until(&self, moment: Instant) {
        while Instant::now() < moment {
            tokio::select! {
                () = self.shared.bell.notified() => {}
                () = sleep_until(moment) => return,
            }
        }
    }
}

impl Shared {
    fn ring_at(&self, moments: impl Iterator<Item = Instant>) {
        for moment in moments {
            loop {
                if self.is_over.load(Ordering::Acquire) {
                    return;
                }
                let left = moment.saturating_duration_since(Instant::now());
                if left == Duration::ZERO {
                    break;
                }
                thread::park_timeout(left);
            }
            self.bell.notify_one();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_at_each_moment_and_never_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let start = Instant::now() + Duration::from_millis(5);
            let moments: Vec<_> = (0..40).map(|k| start + Duration::from_micros(500) * k).collect();
            let alarm = Alarm::at(moments.clone().into_iter());
            for moment in moments {
                alarm.until(moment).await;
                assert!(Instant::now() >= moment);
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_obeys_a_clock_that_is_paused() {
        let moment = Instant::now() + Duration::from_secs(3_600);
        Alarm::at(std::iter::once(moment)).until(moment).await;
        assert!(Instant::now() >= moment);
    }
}
