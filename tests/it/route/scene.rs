//! Three relays that are processes of their own, a batch over them that never runs dry, and what routing says meanwhile.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::baton::baton;
use crate::zones::Mock;

/// How long anything is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is heard of a run.
#[derive(Debug)]
enum Heard {
    /// A decision of routing.
    Event(Value),
    /// A row of the output.
    Row(Value),
}

/// A batch over three mocks.
pub(super) struct Scene {
    pub(super) mocks: Vec<Mock>,
    batch: Child,
    heard: Receiver<(Instant, Heard)>,
    is_over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<usize>>,
    rows: Vec<Value>,
    pub(super) events: Vec<Value>,
    _folder: TempDir,
}

/// A pipe with a name, which tells each line at once.
fn pipe(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("events");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

impl Scene {
    pub(super) fn begin(more: &[&str]) -> Self {
        let mocks: Vec<Mock> = (0..3).map(|_| Mock::start("ttft=5ms,gap=0,tokens=2,slots=inf")).collect();
        Self::over(mocks, more)
    }

    pub(super) fn over(mocks: Vec<Mock>, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let events = pipe(&folder);
        let mut command = baton();
        command.args(["batch", "-m", "m", "--text", "-c", "10", "--attempts", "4", "--backoff-base", "1ms"]);
        command.arg("--events").arg(&events).args(more);
        for mock in &mocks {
            command.args(["-u", &mock.url]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut batch = command.spawn().unwrap();
        let (tell, heard) = channel();
        let tell_row = tell.clone();
        let out = BufReader::new(batch.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell_row.send((Instant::now(), Heard::Row(serde_json::from_str(&line).unwrap())));
            }
        });
        thread::spawn(move || {
            for line in BufReader::new(File::open(events).unwrap()).lines().map_while(Result::ok) {
                let _ = tell.send((Instant::now(), Heard::Event(serde_json::from_str(&line).unwrap())));
            }
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let (mut rows, over) = (batch.stdin.take().unwrap(), Arc::clone(&is_over));
        let feeder = thread::spawn(move || {
            // The pipe holds it back: it is never far ahead of what is asked.
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) && writeln!(rows, "question {asked}").is_ok() {
                asked += 1;
            }
            asked
        });
        Self {
            mocks,
            batch,
            heard,
            is_over,
            feeder: Some(feeder),
            rows: Vec::new(),
            events: Vec::new(),
            _folder: folder,
        }
    }

    /// Waits for what satisfies, and says when it came.
    fn until(&mut self, mut is_it: impl FnMut(&Self, &Heard) -> bool) -> Instant {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, heard) = match self.heard.recv_timeout(left) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => panic!("it never came; events: {:#?}", self.events),
                Err(RecvTimeoutError::Disconnected) => panic!("the batch ended; events: {:#?}", self.events),
            };
            let is_done = is_it(self, &heard);
            match heard {
                Heard::Event(event) => self.events.push(event),
                Heard::Row(row) => self.rows.push(row),
            }
            if is_done {
                return at;
            }
        }
    }

    /// Waits for a decision, and gives the endpoint it is about.
    pub(super) fn decision(&mut self, change: &str) -> (Instant, String) {
        let mut about = String::new();
        let at = self.until(|_, heard| match heard {
            Heard::Event(event) if event["change"] == change => {
                event["endpoint"].as_str().unwrap_or_default().clone_into(&mut about);
                true
            }
            _ => false,
        });
        (at, about)
    }

    /// The mock that most of the next rows go to.
    pub(super) fn preferred(&mut self) -> usize {
        let asked = |mock: &Mock| mock.stats()["requests"].as_u64().unwrap();
        let before: Vec<u64> = self.mocks.iter().map(asked).collect();
        assert_eq!(self.rows(100), 0);
        let since = |index: &usize| asked(&self.mocks[*index]) - before[*index];
        (0..self.mocks.len()).max_by_key(since).unwrap()
    }

    /// Waits for so many more rows; how many of them failed.
    pub(super) fn rows(&mut self, count: usize) -> usize {
        let before = self.rows.len();
        self.until(|scene, heard| matches!(heard, Heard::Row(_)) && scene.rows.len() + 1 >= before + count);
        failed(&self.rows[before..])
    }

    /// Asks nothing more, and checks that every row that was asked has come out once, and well.
    pub(super) fn end(mut self) -> Vec<Value> {
        self.is_over.store(true, Ordering::Relaxed);
        // A full pipe is emptied by reading on.
        while let Ok((_, heard)) = self.heard.recv_timeout(PATIENCE) {
            match heard {
                Heard::Event(event) => self.events.push(event),
                Heard::Row(row) => self.rows.push(row),
            }
        }
        let asked = self.feeder.take().unwrap().join().unwrap();
        assert_eq!(self.batch.wait().unwrap().code(), Some(0));
        let mut indexes: Vec<u64> = self.rows.iter().map(|row| row["index"].as_u64().unwrap()).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, (0..asked as u64).collect::<Vec<_>>());
        assert_eq!(failed(&self.rows), 0);
        std::mem::take(&mut self.events)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.batch.kill();
        let _ = self.batch.wait();
    }
}

fn failed(rows: &[Value]) -> usize {
    rows.iter().filter(|row| !row["error"].is_null()).count()
}
