//! A batch under way to which a test puts one row after the other.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::baton::Said;

/// A batch whose rows are asked one after the other, and whose decisions are heard as they are made.
pub(crate) struct Run {
    child: Child,
    rows: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    events: Receiver<Value>,
}

impl Run {
    /// One of this command, whose pipe lies in a folder.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        let pipe = folder.join("events");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        command.args(["batch", "--text", "--unordered", "--attempts", "1", "--events"]).arg(&pipe);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, events) = channel();
        thread::spawn(move || {
            for line in BufReader::new(File::open(pipe).unwrap()).lines().map_while(Result::ok) {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        let (rows, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, rows, answers: BufReader::new(answers).lines(), events }
    }

    /// Asks so many rows, and gives them once all are answered.
    pub(crate) fn ask(&mut self, count: usize) -> Vec<Value> {
        (0..count).for_each(|row| writeln!(self.rows, "row {row} {}", fastrand::u64(..)).unwrap());
        self.answers.by_ref().take(count).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    /// All of them must be good.
    pub(crate) fn serve(&mut self, count: usize) {
        let rows = self.ask(count);
        assert!(rows.iter().all(|row| row["error"].is_null()), "{rows:?}");
    }

    /// Whether a decision was made since this was last asked, or waited for.
    pub(crate) fn has_heard(&self, change: &str, about: &str) -> bool {
        let is_it = |event: &Value| {
            event["change"] == change && event["reason"].as_str().unwrap_or_default().contains(about)
        };
        self.events.try_iter().any(|event| is_it(&event))
    }

    /// Waits for a decision.
    pub(crate) fn hear(&self, change: &str, about: &str) -> Value {
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(60)).unwrap();
            let said = format!("{} {}", event["endpoint"], event["reason"]);
            if event["change"] == change && said.contains(about) {
                return event;
            }
        }
    }

    pub(crate) fn end(self) -> Said {
        let Self { child, rows, answers, .. } = self;
        drop(rows);
        assert_eq!(answers.count(), 0);
        child.wait_with_output().unwrap().into()
    }
}
