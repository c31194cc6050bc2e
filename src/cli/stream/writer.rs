//! A thread that writes, so that a slow disk stalls neither timeouts nor signals.
//!
//! Three buffers go round: one is filled from the wire, one waits, one is written. While the one that waits is full, the
//! relay is not read, and its own connection holds it back.

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

use crate::cli::OutputError;

use super::handover::Handover;

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
    handover: Arc<Handover>,
    thread: JoinHandle<Written>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(job: Job) -> io::Result<Self> {
        let handover = Arc::new(Handover::default());
        let here = Arc::clone(&handover);
        let thread = thread::Builder::new().name("write".into()).spawn(move || {
            let _taker = here.taker();
            job.run(&here)
        })?;
        Ok(Self { handover, thread })
    }

    /// Hands the bytes of a buffer over, once there is room, and empties it; breaks when nothing can be written any more.
    pub(super) async fn put(&self, buffer: &mut Vec<u8>) -> ControlFlow<()> {
        self.handover.put(buffer).await
    }

    /// Writes what is left and waits until all is written and, unless that is off, synced.
    pub(super) fn finish(self, rest: Vec<u8>) -> Written {
        let Self { handover, thread } = self;
        handover.end(rest);
        thread.join().unwrap_or_else(|_| {
            let failure = OutputError::new("the writing thread", io::Error::other("it panicked"));
            Written { failure: Some(failure), ..Written::default() }
        })
    }
}

impl Job {
    fn run(self, handover: &Handover) -> Written {
        let mut written = Written::default();
        let ended = Syncer::start(&self).and_then(|syncer| {
            let ended = self.write_each(handover, (&syncer, &mut written));
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
    fn write_each(&self, handover: &Handover, (syncer, written): (&Syncer, &mut Written)) -> io::Result<()> {
        let (mut tee, mut buffer) = (self.tee.then(stdout), Vec::new());
        loop {
            handover.take(&mut buffer);
            if buffer.is_empty() {
                return Ok(());
            }
            self.pen.write(&buffer, &mut written.bytes)?;
            if let Pen::File { file, .. } = &self.pen
                && self.sync == Sync::Always
            {
                file.sync_data()?;
            }
            if syncer.note(written.bytes).is_break() {
                return Ok(());
            }
            if let Some(Err(error)) =
                tee.as_mut().map(|out| out.write_all(&buffer).and_then(|()| out.flush()))
            {
                // The file is what was asked for and is paid for: it goes on.
                tee = None;
                let error = OutputError::new("standard output", error);
                written.tee_failure = Some(error).filter(|error| !error.is_closed_pipe());
            }
        }
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
