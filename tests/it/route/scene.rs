//! Relays that are processes of their own, a load over them that never runs dry, and what routing says meanwhile.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::baton::baton;
use crate::zones::Mock;

use super::cast::Cast;

/// How long anything is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What asks the relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// `batch`, which sends again what failed: each row must come out well.
    Batch,
    /// `bench`, which makes one attempt of each request.
    Bench,
}

/// What is heard of a run.
#[derive(Debug)]
enum Heard {
    /// A decision of routing.
    Event(Value),
    /// A row of the output, or a line of the log.
    Row(Value),
}

/// A decision: when it was made, by the run's own word, and about which endpoint.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) at: Timestamp,
    pub(super) endpoint: String,
}

/// A load over several relays.
pub(super) struct Scene {
    pub(super) cast: Cast,
    load: Load,
    run: Child,
    heard: Receiver<Heard>,
    is_over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<usize>>,
    rows: Vec<Value>,
    pub(super) events: Vec<Value>,
    _folder: TempDir,
}

/// A pipe with a name, which tells each line at once.
fn pipe(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Reads lines on a thread of its own until there are no more.
fn hear(from: impl Read + Send + 'static, tell: Sender<Heard>, as_heard: fn(Value) -> Heard) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = tell.send(as_heard(serde_json::from_str(&line).unwrap()));
        }
    });
}

/// The same from a pipe that somebody opens later.
fn hear_pipe(path: &Path, tell: Sender<Heard>, as_heard: fn(Value) -> Heard) {
    let path = path.to_owned();
    thread::spawn(move || hear(File::open(path).unwrap(), tell, as_heard));
}

impl Scene {
    /// Three relays on this machine, of which the nearest is asked.
    pub(super) fn begin(load: Load) -> Self {
        Self::over(load, Cast::of_three(&[]))
    }

    pub(super) fn over(load: Load, cast: Cast) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (events, log) = (pipe(&folder, "events"), pipe(&folder, "log"));
        let mut inner = baton();
        match load {
            Load::Batch => inner.args(["batch", "--text", "--attempts", "4", "--backoff-base", "1ms"]),
            Load::Bench => inner.args(["bench", "-n", "1m", "--warmup", "0", "--log"]).arg(&log),
        };
        inner.args(["-m", "m", "-c", "10", "--events"]).arg(&events);
        let mut command = cast.command(inner);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut run = command.spawn().unwrap();
        let (tell, heard) = channel();
        hear_pipe(&events, tell.clone(), Heard::Event);
        let is_over = Arc::new(AtomicBool::new(false));
        let mut feeder = None;
        let (mut rows, out) = (run.stdin.take().unwrap(), run.stdout.take().unwrap());
        match load {
            Load::Bench => hear_pipe(&log, tell, Heard::Row),
            Load::Batch => {
                hear(out, tell, Heard::Row);
                let over = Arc::clone(&is_over);
                feeder = Some(thread::spawn(move || {
                    // The pipe holds it back: with lines of this length it is never far ahead of what is asked.
                    let (mut asked, rest) = (0, "?".repeat(1000));
                    while !over.load(Ordering::Relaxed) && writeln!(rows, "question {asked}{rest}").is_ok() {
                        asked += 1;
                    }
                    asked
                }));
            }
        }
        Self {
            cast,
            load,
            run,
            heard,
            is_over,
            feeder,
            rows: Vec::new(),
            events: Vec::new(),
            _folder: folder,
        }
    }

    /// Waits for what satisfies.
    fn until(&mut self, mut is_it: impl FnMut(&Self, &Heard) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let heard = match self.heard.recv_timeout(left) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => panic!("it never came; events: {:#?}", self.events),
                Err(RecvTimeoutError::Disconnected) => panic!("the run ended; events: {:#?}", self.events),
            };
            let is_done = is_it(self, &heard);
            self.take(heard);
            if is_done {
                return;
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Event(event) => self.events.push(event),
            Heard::Row(row) => self.rows.push(row),
        }
    }

    /// Waits for a decision that has not been waited for.
    pub(super) fn decision(&mut self, change: &str) -> Decision {
        self.until(|_, heard| matches!(heard, Heard::Event(event) if event["change"] == change));
        let event = self.events.last().unwrap();
        Decision {
            at: event["time"].as_str().unwrap().parse().unwrap(),
            endpoint: event["endpoint"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// How many of the next rows each mock is asked for.
    pub(super) fn shares(&mut self, rows: usize) -> Vec<u64> {
        let asked = |mock: &Mock| mock.stats()["requests"].as_u64().unwrap();
        let before: Vec<u64> = self.cast.mocks.iter().map(asked).collect();
        assert_eq!(self.rows(rows), 0);
        self.cast.mocks.iter().zip(before).map(|(mock, before)| asked(mock) - before).collect()
    }

    /// The mock that most of the next rows go to.
    pub(super) fn preferred(&mut self) -> usize {
        let shares = self.shares(100);
        (0..shares.len()).max_by_key(|index| shares[*index]).unwrap()
    }

    /// Waits for so many more rows; how many of them failed.
    pub(super) fn rows(&mut self, count: usize) -> usize {
        self.rows_since(Timestamp::MIN, count)
    }

    /// The same of those that began later, where that is known.
    pub(super) fn rows_since(&mut self, then: Timestamp, count: usize) -> usize {
        let is_later =
            |row: &Value| row["start"].as_i64().is_none_or(|at| i128::from(at) >= then.as_nanosecond());
        let (mut seen, mut failed) = (0, 0);
        let load = self.load;
        self.until(|_, heard| {
            let row = match heard {
                Heard::Row(row) if is_later(row) => row,
                _ => return false,
            };
            seen += 1;
            failed += usize::from(load.is_failure(row));
            seen >= count
        });
        failed
    }

    /// Asks nothing more, and gives all that was decided. Of a batch each row that was asked has come out once, and well.
    pub(super) fn end(mut self) -> Vec<Value> {
        self.is_over.store(true, Ordering::Relaxed);
        if self.load == Load::Bench {
            let interrupt = Command::new("kill").args(["-INT", &self.run.id().to_string()]).status();
            assert!(interrupt.unwrap().success());
        }
        // A full pipe is emptied by reading on.
        while let Ok(heard) = self.heard.recv_timeout(PATIENCE) {
            self.take(heard);
        }
        let code = self.run.wait().unwrap().code();
        assert_eq!(code, Some(if self.load == Load::Batch { 0 } else { 130 }));
        if let Some(feeder) = self.feeder.take() {
            let asked = feeder.join().unwrap();
            let mut indexes: Vec<u64> = self.rows.iter().map(|row| row["index"].as_u64().unwrap()).collect();
            indexes.sort_unstable();
            assert_eq!(indexes, (0..asked as u64).collect::<Vec<_>>());
            assert!(!self.rows.iter().any(|row| self.load.is_failure(row)));
        }
        std::mem::take(&mut self.events)
    }
}

impl Load {
    fn is_failure(self, row: &Value) -> bool {
        match self {
            Self::Batch => !row["error"].is_null(),
            Self::Bench => row["class"] != "ok",
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}
