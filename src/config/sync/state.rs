//! What is kept between runs: the last-known-good file, and what each source served last; one private file, locked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::net::Url;

use super::super::{Error, FileLock, PrivateFile};
use super::Verdict;

/// How long another process may hold the lock: it only reads and writes meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the lock is tried: the system has no lock with a time limit.
const POLL: Duration = Duration::from_millis(5);
/// The file's form.
const SCHEMA: &str = "baton.sync/1";

/// Where the state lies.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    file: PrivateFile,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    schema: String,
    /// The key that all of it belongs to; another one begins anew.
    config_key: String,
    pub(super) kept: Option<Kept>,
    pub(super) sources: BTreeMap<String, Seen>,
    pub(super) out_of_step: Option<OutOfStep>,
}

/// The last-known-good file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) version: u64,
    /// The address that it came from.
    pub(super) from: String,
    pub(super) document: String,
    pub(super) signature: String,
    /// When a source served it last.
    pub(super) confirmed: Timestamp,
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) url: Url,
    pub(super) etag: Option<String>,
    /// When it was last read in full.
    pub(super) in_full: Option<Timestamp>,
    /// What it served last, of what was signed and could be read.
    pub(super) version: Option<u64>,
    /// The highest that it ever served.
    pub(super) highest: Option<u64>,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    /// When the look began that found all this.
    pub(super) looked: Timestamp,
}

/// Since when the sources have not all served what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfStep {
    /// The first poll that found it.
    pub since: Timestamp,
    /// The polls that found it, that one included.
    pub polls: u32,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(config_key: &str) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            config_key: config_key.to_owned(),
            kept: None,
            sources: BTreeMap::new(),
            out_of_step: None,
        }
    }
}

impl Shelf {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { file: PrivateFile::at(path) }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What is known under this key; nothing where there is no file, or one of another key.
    pub(super) fn read(&self, config_key: &str) -> Result<State, Error> {
        let bytes = self.file.read().map_err(|error| self.failed(error))?;
        let Some(bytes) = bytes else { return Ok(State::new(config_key)) };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| {
            self.failed(format_args!("this is no file of a synced configuration ({error})"))
                .hint("remove it to begin anew; until then no older version was accepted than it names")
        })?;
        let is_ours = state.schema == SCHEMA && state.config_key == config_key;
        Ok(if is_ours { state } else { State::new(config_key) })
    }

    /// Replaces it whole: whoever reads it sees the old or the new, also after a crash.
    pub(super) fn write(&self, state: &State) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(state).map_err(|error| self.failed(error))?;
        self.file.replace_for_good(&[text.as_slice(), b"\n"].concat()).map_err(|error| self.failed(error))
    }

    /// Waits for the right to change it.
    pub(super) async fn lock(&self) -> Result<FileLock, Error> {
        let began = Instant::now();
        loop {
            match self.file.try_lock().map_err(|error| self.failed(error))? {
                Some(lock) => return Ok(lock),
                None if began.elapsed() < PATIENCE => sleep(POLL).await,
                None => return Err(self.failed("another process has held its lock for 10 s")),
            }
        }
    }

    fn failed(&self, detail: impl std::fmt::Display) -> Error {
        Error::new(format!("{}: {detail}", self.path().display()))
    }
}
