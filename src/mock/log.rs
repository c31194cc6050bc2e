//! The log of requests: one JSON line each, written by a thread of its own so that no stream waits for a disk.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::mock::server::Error;

/// How long a line may stay in memory.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// One line of the log. Times are Unix nanoseconds; those that never came are left out.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// The zone that was asked, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) read: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) headers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_delta: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_delta: Option<u64>,
    /// The longest time between two pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<u64>,
    pub(crate) deltas: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<&'static str>,
}

/// The way to the log's thread; the log ends when the last of them is gone.
pub(crate) type Sender = mpsc::Sender<Line>;

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    /// Yields what went wrong with the file.
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Journal {
    /// Opens the file for appending and starts the thread that writes to it.
    pub(crate) fn open(path: PathBuf) -> Result<(Sender, Self), Error> {
        let (sender, lines) = mpsc::channel();
        let started = OpenOptions::new().create(true).append(true).open(&path).and_then(|file| {
            thread::Builder::new().name("mock-log".into()).spawn(move || write(file, &lines))
        });
        match started {
            Ok(thread) => Ok((sender, Self { path, thread })),
            Err(source) => Err(Error::Log { path, source }),
        }
    }

    /// Waits for the last line, when all senders are gone, and says what went wrong.
    pub(crate) fn close(self) -> Result<(), Error> {
        let Self { path, thread } = self;
        let outcome = thread.join().unwrap_or_else(|_| Err(io::Error::other("the log's thread panicked")));
        outcome.map_err(|source| Error::Log { path, source })
    }
}

/// Writes lines until nobody can send any more.
fn write(file: File, lines: &mpsc::Receiver<Line>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let mut flushed = Instant::now();
    loop {
        match lines.recv_timeout(FLUSH_INTERVAL.saturating_sub(flushed.elapsed())) {
            Ok(line) => {
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return out.flush(),
        }
        if flushed.elapsed() >= FLUSH_INTERVAL {
            out.flush()?;
            flushed = Instant::now();
        }
    }
}
