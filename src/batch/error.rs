//! What can go wrong with the files of a run, each in words that name its place.

use std::path::PathBuf;

use crate::wire::Dialect;

/// Why a run could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Input that cannot be read.
    #[error("{place}: {source}")]
    Input {
        /// File and line.
        place: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line that is no row, where none may be.
    #[error("{place}: {message}")]
    Unreadable {
        /// File and line.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file of requests in another dialect than is spoken.
    #[error("{place}: the line is made for {made_for}")]
    Dialect {
        /// File and line.
        place: String,
        /// Its dialect.
        made_for: Dialect,
    },
    /// A finished row whose line is another one now.
    #[error("{place}: the line has changed since row {index} was answered")]
    Changed {
        /// File and line.
        place: String,
        /// The row's index.
        index: u64,
    },
    /// An input that has fewer rows than have been finished.
    #[error("the input has {rows} rows, and an earlier run finished {known}, some of them beyond its end")]
    Shorter {
        /// Rows of the input.
        rows: u64,
        /// Rows finished.
        known: u64,
    },
    /// A file that no run of this program has written.
    #[error("{0}: it was not written by baton batch in its own form")]
    Foreign(PathBuf),
    /// An output that another run writes to.
    #[error("{0}: another run is writing there")]
    InUse(PathBuf),
    /// Output that cannot be written.
    #[error("{place}: {source}")]
    Write {
        /// The file.
        place: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A record of the journal that cannot be read back.
    #[error("a record of the journal cannot be read back: {0}")]
    Record(serde_json::Error),
    /// A thread of the run that could not begin.
    #[error("a thread of the run could not begin: {0}")]
    Start(std::io::Error),
    /// A defect of this program.
    #[error("a part of the run panicked, which is a defect of baton's; what was finished is kept")]
    Panicked,
}
