//! A beat finer than a millisecond, which is the finest wait that the runtime's own timers and polls know.
//!
//! Tokio rounds a deadline up to a whole millisecond, and then again the time until it. The beat makes a serving
//! thread look at its timers in time, which halves how late events leave. It pauses while nobody is served.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::Notify;

/// The time between two beats.
const BEAT: Duration = Duration::from_micros(500);

/// What the beating thread and those that it beats for share.
#[derive(Debug, Default)]
pub(crate) struct Metronome {
    /// How many requests are being served.
    served: AtomicU64,
    /// Whether the relay has stopped.
    is_over: AtomicBool,
    /// The beating thread, once it runs.
    thread: OnceLock<Thread>,
}

impl Metronome {
    /// One more request is served.
    pub(crate) fn begin(&self) {
        if self.served.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
    }

    /// One request less is served.
    pub(crate) fn end(&self) {
        self.served.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many requests are being served.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    /// Ends the beating thread.
    pub(crate) fn stop(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Beats on this thread until it is stopped.
    pub(crate) fn run(&self, listeners: &[Arc<Notify>]) {
        self.thread.get_or_init(thread::current);
        while !self.is_over.load(Ordering::SeqCst) {
            if self.served() == 0 {
                // A wake-up between the question and the rest is kept: `unpark` leaves a token.
                thread::park();
            } else {
                thread::sleep(BEAT);
                for listener in listeners {
                    listener.notify_one();
                }
            }
        }
    }
}
