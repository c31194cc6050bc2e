//! The log of requests: one JSON line each, written by a thread of its own so that no stream waits for a disk.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// How long a line may stay in memory.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// One line of the log. Times are Unix nanoseconds; those that never came are left out.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
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

/// The log's thread, which yields what went wrong with the file.
pub(crate) type Thread = thread::JoinHandle<io::Result<()>>;

/// Opens the file for appending and starts the thread that writes to it.
pub(crate) fn start(path: &Path) -> io::Result<(Sender, Thread)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let (sender, lines) = mpsc::channel();
    let thread = thread::Builder::new().name("mock-log".into()).spawn(move || write(file, &lines))?;
    Ok((sender, thread))
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
