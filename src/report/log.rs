//! The per-request log: one JSON object a line, written by a thread of its own so that no request waits for a disk.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::load;
use crate::load::{LogSender, Side};
use crate::units::Clock;

/// How long a line may stay in memory.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// One line. Times are Unix nanoseconds, as in the embedded relay's own log; what never came is left out.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    endpoint: &'a str,
    level: u32,
    index: u64,
    user: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    direct: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    warmup: bool,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<u64>,
    start: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_delta: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_delta: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<u64>,
    over: u64,
    deltas: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stall_ns: Option<u64>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
}

impl<'a> Entry<'a> {
    fn of(line: &'a load::Line, clock: &Clock) -> Self {
        let start = clock.unix_nanos(line.marks.start);
        let at = |offset: Option<Duration>| offset.map(|offset| start + nanos(offset));
        // A warm-up is numbered apart, so that measured requests begin at 0.
        let warmup = line.ticket.is_warmup();
        Self {
            request_id: &line.request_id,
            endpoint: &line.endpoint,
            level: line.ticket.level,
            index: line.ticket.index,
            user: line.ticket.user,
            direct: line.ticket.side == Side::Direct,
            warmup,
            class: line.class.name(),
            status: line.status,
            planned: line.planned.map(|planned| clock.unix_nanos(planned)),
            start,
            headers: at(line.marks.headers),
            first_byte: at(line.marks.first_byte),
            first_delta: at(line.marks.first_delta),
            last_delta: at(line.marks.last_delta),
            end: at(line.marks.end),
            over: clock.unix_nanos(line.over),
            deltas: line.deltas,
            stall_ns: line.stall.map(nanos),
            bytes: line.bytes,
            input_tokens: line.tokens.input,
            output_tokens: line.tokens.output,
            estimated: line.tokens.estimated,
        }
    }
}

/// A log that is being written.
#[derive(Debug)]
pub struct RequestLog {
    thread: thread::JoinHandle<io::Result<()>>,
    lost: Arc<AtomicU64>,
}

impl RequestLog {
    /// Starts the thread that writes to a file; it ends when the last sender is gone.
    pub fn start(file: File) -> io::Result<(LogSender, Self)> {
        let (sender, batches) = load::log_channel();
        let lost = sender.lost();
        let thread =
            thread::Builder::new().name("request-log".into()).spawn(move || write(file, &batches))?;
        Ok((sender, Self { thread, lost }))
    }

    /// Waits for the last line, and says how many were lost because the disk could not keep up.
    pub fn finish(self) -> io::Result<u64> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes it panicked")))?;
        Ok(self.lost.load(Ordering::Relaxed))
    }
}

/// Writes batches until nobody can send any more.
fn write(out: impl Write, batches: &Receiver<Vec<load::Line>>) -> io::Result<()> {
    let clock = Clock::set();
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let mut flushed = Instant::now();
    loop {
        match batches.recv_timeout(FLUSH_INTERVAL.saturating_sub(flushed.elapsed())) {
            Ok(batch) => {
                for line in &batch {
                    serde_json::to_writer(&mut out, &Entry::of(line, &clock))?;
                    out.write_all(b"\n")?;
                }
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

/// A duration in nanoseconds.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
