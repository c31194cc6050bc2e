//! A thread that writes, so that a slow disk stalls neither timeouts nor signals; its queue is short and makes the
//! reader wait.
//!
//! Three buffers go round: one is filled from the wire, one waits, one is written. When no buffer is free, the relay is not
//! read, and its own connection holds it back.

use std::fs::File;
use std::io;
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use tokio::sync::mpsc;

use crate::cli::OutputError;

/// Buffers that wait to be written.
const WAITING: usize = 1;

/// A buffer that has grown larger than this is not used again.
const LARGEST_KEPT: usize = 1024 * 1024;

/// The time between two syncs of `interval`.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// When what was written is made to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sync {
    /// After each piece.
    Always,
    /// Once a second, and at the end.
    Interval,
    /// Whenever the system sees fit.
    Off,
}

/// What data is written to.
#[derive(Debug)]
pub(super) enum Pen {
    Stdout,
    /// A pipe, a device or a file, under the name that errors give it.
    File {
        file: File,
        name: String,
    },
}

/// What the thread is to do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) pen: Pen,
    pub(super) sync: Sync,
    /// Whether standard output gets a copy.
    pub(super) tee: bool,
}

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Bytes that arrived at their place.
    pub(super) bytes: u64,
    /// Why no more could be written.
    pub(super) failure: Option<OutputError>,
    /// Why standard output got no whole copy; a reader that has seen enough is no reason.
    pub(super) tee_failure: Option<OutputError>,
}

/// The writing thread, seen from the reader.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Vec<u8>>,
    /// Buffers that were written.
    spare: std_mpsc::Receiver<Vec<u8>>,
    thread: JoinHandle<Written>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(job: Job) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING);
        let (used, spare) = std_mpsc::channel();
        let thread = thread::Builder::new().name("write".into()).spawn(move || job.run(waiting, &used))?;
        Ok(Self { queue, spare, thread })
    }

    /// Hands a buffer over, once there is room, and leaves an empty one; breaks when nothing can be written any more.
    pub(super) async fn put(&mut self, buffer: &mut Vec<u8>) -> ControlFlow<()> {
        let Ok(room) = self.queue.reserve().await else { return ControlFlow::Break(()) };
        room.send(std::mem::replace(buffer, self.spare.try_recv().unwrap_or_default()));
        ControlFlow::Continue(())
    }

    /// Writes what is left and waits until all is written and, unless that is off, synced.
    pub(super) fn finish(self, rest: Vec<u8>) -> Written {
        let Self { queue, thread, .. } = self;
        if !rest.is_empty() {
            // A thread that has given up tells why below.
            queue.blocking_send(rest).ok();
        }
        drop(queue);
        thread.join().unwrap_or_else(|_| {
            let failure = OutputError::new("the writing thread", io::Error::other("it panicked"));
            Written { failure: Some(failure), ..Written::default() }
        })
    }
}

impl Job {
    fn run(self, mut waiting: mpsc::Receiver<Vec<u8>>, used: &std_mpsc::Sender<Vec<u8>>) -> Written {
        let mut written = Written::default();
        let ended = Syncer::start(&self).and_then(|syncer| {
            let ended = self.write_each(&mut waiting, used, (&syncer, &mut written));
            ended.and(syncer.finish())
        });
        let ended = ended.and_then(|()| match &self.pen {
            Pen::File { file, .. } if self.sync != Sync::Off => file.sync_all(),
            _ => Ok(()),
        });
        written.failure = ended.err().map(|error| OutputError::new(self.pen.name(), error));
        written
    }

    /// Writes buffers until there are no more or syncing has failed, which the syncer tells about.
    fn write_each(
        &self,
        waiting: &mut mpsc::Receiver<Vec<u8>>,
        used: &std_mpsc::Sender<Vec<u8>>,
        (syncer, written): (&Syncer, &mut Written),
    ) -> io::Result<()> {
        let mut tee = self.tee.then(stdout);
        while let Some(mut buffer) = waiting.blocking_recv() {
            self.pen.write(&buffer, &mut written.bytes)?;
            if let Pen::File { file, .. } = &self.pen
                && self.sync == Sync::Always
            {
                file.sync_data()?;
            }
            if syncer.note(written.bytes).is_break() {
                break;
            }
            if let Some(Err(error)) =
                tee.as_mut().map(|out| out.write_all(&buffer).and_then(|()| out.flush()))
            {
                // The file is what was asked for and is paid for: it goes on.
                tee = None;
                let error = OutputError::new("standard output", error);
                written.tee_failure = Some(error).filter(|error| !error.is_closed_pipe());
            }
            buffer.clear();
            if buffer.capacity() <= LARGEST_KEPT {
                used.send(buffer).ok();
            }
        }
        Ok(())
    }
}

impl Pen {
    fn name(&self) -> &str {
        match self {
            Self::Stdout => "standard output",
            Self::File { name, .. } => name,
        }
    }

    /// Writes all of the bytes, counting those that found their place even if others do not.
    fn write(&self, bytes: &[u8], written: &mut u64) -> io::Result<()> {
        match self {
            Self::Stdout => write_counted(&mut stdout().lock(), bytes, written),
            Self::File { file, .. } => write_counted(&mut &*file, bytes, written),
        }
    }
}

fn write_counted(out: &mut impl Write, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                *written += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// Syncs once a second beside the writing, which goes on meanwhile.
struct Syncer(Option<Syncing>);

struct Syncing {
    /// Dropped to end the thread.
    over: std_mpsc::Sender<()>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncer {
    /// Starts the thread where the job wants one.
    fn start(job: &Job) -> io::Result<Self> {
        let Pen::File { file, .. } = &job.pen else { return Ok(Self(None)) };
        if job.sync != Sync::Interval {
            return Ok(Self(None));
        }
        let (file, written) = (file.try_clone()?, Arc::new(AtomicU64::new(0)));
        let (over, ended) = std_mpsc::channel();
        let shared = Arc::clone(&written);
        let thread = thread::Builder::new().name("sync".into()).spawn(move || {
            let mut synced = 0;
            while ended.recv_timeout(SYNC_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let written = shared.load(Ordering::Acquire);
                if written > synced {
                    file.sync_data()?;
                    synced = written;
                }
            }
            Ok(())
        })?;
        Ok(Self(Some(Syncing { over, written, thread })))
    }

    /// Notes how much is written; breaks where syncing has failed.
    fn note(&self, written: u64) -> ControlFlow<()> {
        let Some(syncing) = &self.0 else { return ControlFlow::Continue(()) };
        syncing.written.store(written, Ordering::Release);
        if syncing.thread.is_finished() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Ends the thread and says why it ended before, if it did.
    fn finish(self) -> io::Result<()> {
        let Some(Syncing { over, thread, .. }) = self.0 else { return Ok(()) };
        drop(over);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the syncing thread panicked")))
    }
}
