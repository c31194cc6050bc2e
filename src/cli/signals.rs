//! The signals that end a command, as something to wait for.

#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

/// A request from outside to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Listens from its making on, so that no signal is lost between two waits.
#[derive(Debug)]
pub(super) struct Signals {
    /// Once set, the next signal ends the process where it stands.
    #[cfg(unix)]
    armed: Arc<AtomicBool>,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use tokio::signal::unix::{SignalKind, signal};
        let armed = Arc::new(AtomicBool::new(false));
        for (number, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            signal_hook::flag::register_conditional_shutdown(number, code, Arc::clone(&armed))?;
        }
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { armed, interrupt, terminate })
    }

    /// Lets the next signal end the process at once, even while it waits for a reader that does not read.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Lets the first signal be heard and arms the next by itself.
    pub(super) fn arm_after_one(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        for number in [SIGINT, SIGTERM] {
            signal_hook::flag::register(number, Arc::clone(&self.armed))?;
        }
        Ok(())
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "listening can fail on other systems")]
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Elsewhere the system ends a process on the second signal by itself.
    pub(super) fn arm(&self) {}

    /// The same.
    #[expect(clippy::unnecessary_wraps, reason = "arming can fail on other systems")]
    pub(super) fn arm_after_one(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
