//! A file of this user's alone that several processes change: replaced whole, under a lock.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::net::{make_folder_of, open_own};

/// A file that nobody else may read.
#[derive(Debug, Clone)]
pub struct PrivateFile {
    path: PathBuf,
}

/// The right to change it, given up when dropped.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl PrivateFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; none where there is no such file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces it whole, mode 0600: whoever reads it sees the old or the new.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes)?.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The same, so that it is whole after a crash, too.
    pub(super) fn replace_for_good(&self, bytes: &[u8]) -> io::Result<()> {
        let file = self.put(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The new name has to last, too.
        #[cfg(unix)]
        File::open(make_folder_of(&self.path)?)?.sync_all()?;
        Ok(())
    }

    /// Waits for the right to change it.
    ///
    /// # Errors
    ///
    /// When the lock's file cannot be made.
    pub fn lock(&self) -> io::Result<FileLock> {
        let file = self.lock_file()?;
        file.lock()?;
        Ok(FileLock { _file: file })
    }

    /// Takes the right to change it, unless another process has it.
    pub(super) fn try_lock(&self) -> io::Result<Option<FileLock>> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn put(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        // Such a file is made with mode 0600.
        let mut file = NamedTempFile::new_in(make_folder_of(&self.path)?)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// The lock's file; it stays, since removing it would let two in.
    fn lock_file(&self) -> io::Result<File> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        open_own(path.as_ref())
    }
}
