//! Opens the files of a cache and asks for their size and last use, in as few and as short calls to the system as it has.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Opens files of one folder.
#[derive(Debug)]
pub(super) struct Opener {
    folder: PathBuf,
    /// The folder itself, so that the way to it is not looked up each time.
    #[cfg(target_os = "linux")]
    open: Option<File>,
}

impl Opener {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            #[cfg(target_os = "linux")]
            open: File::open(folder).ok(),
        }
    }

    /// Opens a file of the folder to read it, if it is there.
    #[cfg(target_os = "linux")]
    pub(super) fn open(&self, name: String) -> Option<File> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let at =
            self.open.as_ref().and_then(|folder| openat(folder, name.as_str(), flags, Mode::empty()).ok());
        // The folder may have been removed since, and made anew.
        at.map(File::from).or_else(|| File::open(self.folder.join(name)).ok())
    }

    /// Opens a file of the folder to read it, if it is there.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn open(&self, name: String) -> Option<File> {
        File::open(self.folder.join(name)).ok()
    }
}

/// The size of a file and when it was last used.
#[cfg(target_os = "linux")]
pub(super) fn about(file: &File) -> Option<(usize, SystemTime)> {
    use std::time::Duration;
    let about = rustix::fs::fstat(file).ok()?;
    let nanos = u32::try_from(about.st_mtime_nsec).ok()?;
    let since = Duration::new(u64::try_from(about.st_mtime).ok()?, nanos);
    Some((usize::try_from(about.st_size).ok()?, SystemTime::UNIX_EPOCH + since))
}

/// The size of a file and when it was last used.
#[cfg(not(target_os = "linux"))]
pub(super) fn about(file: &File) -> Option<(usize, SystemTime)> {
    let about = file.metadata().ok()?;
    Some((usize::try_from(about.len()).ok()?, about.modified().ok()?))
}
