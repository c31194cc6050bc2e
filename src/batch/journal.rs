//! The journal: every finished row, appended as it finishes, so that a crash at any moment loses none.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::record::InputHash;
use super::{Error, Resume};

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// An open journal, locked against a second run; every thread of this one may append to it.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Its name; a journal without one ends with the run.
    path: Option<PathBuf>,
    /// Held while the file is read or written, but not while the disk is waited for.
    tail: Mutex<Tail>,
    /// The output that becomes the journal when the run begins, and the empty journal, locked until then.
    adopted: Option<(PathBuf, File)>,
}

/// How far a journal has come.
#[derive(Debug, Default)]
struct Tail {
    /// Bytes of whole records; what a failed write left behind them has been cut off.
    length: u64,
    /// Whether bytes have been written that may not be on the disk yet.
    dirty: bool,
}

impl Journal {
    /// A journal without a name, for a run that nobody can resume.
    pub(super) fn unnamed() -> Result<Self, Error> {
        let file = tempfile::tempfile()
            .map_err(|source| Error::Write { place: "a temporary file".into(), source })?;
        Ok(Self { file, path: None, tail: Mutex::default(), adopted: None })
    }

    /// Opens the journal of a run and locks it; the rows that it knows come with it. Nothing is changed before
    /// [`Self::begin`].
    ///
    /// Where there is none yet, the output that an earlier run finished becomes it: `adoptable` names that.
    pub(super) fn open(
        path: &Path,
        resume: Resume,
        adoptable: Option<&Path>,
    ) -> Result<(Self, Known), Error> {
        let mut journal = Self::lock(path)?;
        if resume == Resume::Afresh {
            return Ok((journal, Known::default()));
        }
        let adopted = adoptable.filter(|output| is_empty(path) && !is_empty(output));
        if let Some(output) = adopted {
            journal = Self {
                path: Some(path.to_owned()),
                adopted: Some((output.to_owned(), journal.file)),
                ..Self::lock(output)?
            };
        }
        let known = Known::read(&mut journal.file, adopted.unwrap_or(path))?;
        journal.tail().length = known.length;
        Ok((journal, known))
    }

    /// Makes the file ready for new records: what follows the last whole one is cut off.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if let (Some((output, _placeholder)), Some(path)) = (self.adopted.take(), &self.path) {
            std::fs::rename(&output, path).map_err(|source| write_error(&output, source))?;
        }
        let length = self.tail().length;
        self.file.set_len(length).map_err(|source| self.error(source))
    }

    /// Leaves everything as it was found.
    pub(super) fn abandon(self) {
        if let Some(path) = self.path.filter(|path| is_empty(path)) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Opens a file and locks it, unless another run has it.
    fn lock(path: &Path) -> Result<Self, Error> {
        let failed = |source| write_error(path, source);
        loop {
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.to_owned())),
                // A file system that knows no locks has no second user to fear.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // The run that held the lock may have removed the file meanwhile.
            if is_still_there(&file, path) {
                return Ok(Self { file, path: Some(path.to_owned()), tail: Mutex::default(), adopted: None });
            }
        }
    }

    /// Appends a record, all of it or, where the disk is full, nothing.
    pub(super) fn append(&self, record: &[u8]) -> Result<Extent, Error> {
        let mut tail = self.tail();
        let offset = tail.length;
        if let Err(source) = write_at(&self.file, record, offset) {
            let _ = self.file.set_len(offset);
            return Err(self.error(source));
        }
        tail.length += record.len() as u64;
        tail.dirty = true;
        Ok(Extent { offset, length: record.len() })
    }

    /// Reads a record back.
    pub(super) fn read(&self, extent: Extent) -> Result<Vec<u8>, Error> {
        let mut record = vec![0; extent.length];
        let (mut file, _tail) = (&self.file, self.tail());
        let read = file.seek(SeekFrom::Start(extent.offset)).and_then(|_| file.read_exact(&mut record));
        read.map(|()| record).map_err(|source| self.error(source))
    }

    /// Reads back a record of which only the beginning is known.
    pub(super) fn read_line(&self, offset: u64) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        let (mut file, _tail) = (&self.file, self.tail());
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| BufReader::with_capacity(4096, file).read_until(b'\n', &mut record));
        read.map(|_| record).map_err(|source| self.error(source))
    }

    /// Waits until everything appended so far is on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let dirty = std::mem::take(&mut self.tail().dirty);
        if dirty && self.path.is_some() {
            self.file.sync_data().map_err(|source| self.error(source))?;
        }
        Ok(())
    }

    /// Whether bytes have been written that may not be on the disk yet.
    #[cfg(test)]
    pub(super) fn is_dirty(&self) -> bool {
        self.tail().dirty
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name, where it has one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Removes it: the output says it all.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match &self.path {
            Some(path) => std::fs::remove_file(path).map_err(|source| self.error(source)),
            None => Ok(()),
        }
    }

    fn error(&self, source: io::Error) -> Error {
        let place =
            self.path.as_ref().map_or("a temporary file".to_owned(), |path| path.display().to_string());
        Error::Write { place, source }
    }
}

fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write { place: path.display().to_string(), source }
}

/// Whether there is nothing in a file, or no file.
fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| !file.is_file() || file.len() == 0)
}

/// Writes at a place of the file, with one call to the system where that is possible: it is made for every row.
#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::Write;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(held), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (named.dev(), named.ino())
}

#[cfg(not(unix))]
fn is_still_there(_: &File, _: &Path) -> bool {
    // An open file cannot be removed there.
    true
}

/// The finished rows of earlier runs: twelve bytes for each.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By index: where the record begins, plus one, and in the highest bit whether the row failed.
    places: Vec<u64>,
    /// By index: the beginning of the hash of the row's line.
    hashes: Vec<u32>,
    /// Bytes up to the end of the last whole record.
    length: u64,
    /// Rows that are known.
    pub(super) rows: u64,
    /// Lines that could not be read and were passed over.
    pub(super) damaged: u64,
    /// Whether a last line without an end was cut off.
    pub(super) torn: bool,
}

/// The bit that marks a failed row.
const FAILED: u64 = 1 << 63;

/// How every record begins.
const BEGINNING: &[u8] = b"{\"custom_id\":";

/// What an earlier run left of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Where its record begins.
    pub(super) offset: u64,
    /// Whether it failed.
    pub(super) failed: bool,
}

/// As much of a record as is needed to know the row again.
#[derive(Deserialize)]
struct Seen<'a> {
    index: u64,
    input_sha256: &'a str,
    error: Option<IgnoredAny>,
}

impl Known {
    /// Reads the records of a file from its beginning.
    fn read(file: &mut File, path: &Path) -> Result<Self, Error> {
        let failed = |source| write_error(path, source);
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let (mut known, mut line, mut number) = (Self::default(), Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 {
                return Ok(known);
            }
            number += 1;
            if !line.ends_with(b"\n") {
                // What looks like no record of ours is not cut away.
                let ours = line.iter().zip(BEGINNING).all(|(byte, begun)| byte == begun);
                known.torn = true;
                return if ours { Ok(known) } else { Err(Error::Foreign(path.to_owned())) };
            }
            let seen = serde_json::from_slice::<Seen<'_>>(&line).ok();
            let seen = seen.and_then(|seen| Some((InputHash::short_of_hex(seen.input_sha256)?, seen)));
            match seen {
                Some((hash, seen)) if seen.index < u64::from(u32::MAX) => {
                    known.note(&seen, hash, known.length);
                }
                // A file of another kind shows itself in its first line; later on it is damage.
                _ if number == 1 => return Err(Error::Foreign(path.to_owned())),
                _ => known.damaged += 1,
            }
            known.length += read as u64;
        }
    }

    fn note(&mut self, seen: &Seen<'_>, hash: u32, offset: u64) {
        let index = usize::try_from(seen.index).expect("bounded by the caller");
        if self.places.len() <= index {
            self.places.resize(index + 1, 0);
            self.hashes.resize(index + 1, 0);
        }
        self.rows += u64::from(self.places[index] == 0);
        self.places[index] = (offset + 1) | if seen.error.is_some() { FAILED } else { 0 };
        self.hashes[index] = hash;
    }

    /// What is known of the row at this place.
    pub(super) fn row(&self, index: u64) -> Option<Earlier> {
        let place = *self.places.get(usize::try_from(index).ok()?)?;
        (place != 0).then(|| Earlier { offset: (place & !FAILED) - 1, failed: place & FAILED != 0 })
    }

    /// Whether the row at this place had this line.
    pub(super) fn had(&self, index: u64, hash: InputHash) -> bool {
        usize::try_from(index).is_ok_and(|index| self.hashes.get(index) == Some(&hash.short()))
    }

    /// The number of places up to the last known row.
    pub(super) fn extent(&self) -> u64 {
        self.places.len() as u64
    }
}
