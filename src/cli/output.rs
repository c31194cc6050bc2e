//! Where data goes: standard output, or a file that takes its name only when it is whole.

use std::fmt;
use std::fs;
use std::io;
use std::io::{BufWriter, StdoutLock, Write, stdout};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

/// Data that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub struct OutputError {
    place: String,
    source: io::Error,
}

impl OutputError {
    pub(super) fn new(place: impl fmt::Display, source: io::Error) -> Self {
        Self { place: place.to_string(), source }
    }

    /// Whether the reader has gone away, which is a quiet end and no failure.
    pub fn is_closed_pipe(&self) -> bool {
        self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// An open output.
pub(super) enum Output {
    /// Standard output, flushed with each write so that text appears as it arrives.
    Stdout(StdoutLock<'static>),
    /// A pipe, a device or another place that is no file.
    Device { file: fs::File, path: PathBuf },
    /// A temporary file beside its final place. The library's own writer would name that file in its errors.
    File { file: BufWriter<fs::File>, twin: TempPath, path: PathBuf, written: bool },
}

impl Output {
    /// Opens a file's temporary twin, or standard output.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, OutputError> {
        match path {
            None => Ok(Self::Stdout(stdout().lock())),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout(stdout().lock())),
            Some(path) => Self::open_file(path).map_err(|source| OutputError::new(path.display(), source)),
        }
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            // A pipe or a device is written to, and keeps its place.
            let file = fs::File::options().write(true).open(path)?;
            return Ok(Self::Device { file, path: path.to_owned() });
        }
        // The file behind a link is replaced, not the link.
        let path = if existing.is_some() { path.canonicalize()? } else { path.to_owned() };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // With the rights that any new file of the user's has.
        let create = |path: &Path| fs::File::create_new(path);
        let (file, twin) = Builder::new().prefix(&format!(".{name}.")).make_in(folder, create)?.into_parts();
        if let Some(existing) = existing {
            file.set_permissions(existing.permissions())?;
        }
        Ok(Self::File { file: BufWriter::new(file), twin, path, written: false })
    }

    /// Writes data.
    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), OutputError> {
        match self {
            Self::Stdout(out) => out
                .write_all(data)
                .and_then(|()| out.flush())
                .map_err(|source| OutputError::new("standard output", source)),
            Self::Device { file, path } => {
                file.write_all(data).map_err(|source| OutputError::new(path.display(), source))
            }
            Self::File { file, path, written, .. } => {
                *written |= !data.is_empty();
                file.write_all(data).map_err(|source| OutputError::new(path.display(), source))
            }
        }
    }

    /// Ends the output; a file takes its name.
    pub(super) fn finish(self) -> Result<(), OutputError> {
        self.keep_as(Path::to_path_buf).map(|_| ())
    }

    /// Ends an output that did not become whole: what a file holds stays beside its place as `NAME.partial`.
    pub(super) fn keep_partial(self) -> Result<Option<PathBuf>, OutputError> {
        self.keep_as(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(".partial");
            PathBuf::from(name)
        })
    }

    fn keep_as(self, name: impl Fn(&Path) -> PathBuf) -> Result<Option<PathBuf>, OutputError> {
        let Self::File { file, twin, path, written } = self else { return Ok(None) };
        let final_path = name(&path);
        if final_path != path && !written {
            return Ok(None);
        }
        let failed = |source| OutputError::new(final_path.display(), source);
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        twin.persist(&final_path).map_err(|error| failed(error.error))?;
        Ok(Some(final_path))
    }
}

/// Opens a file that grows line by line and keeps what it holds.
pub(super) fn append_to(path: &Path) -> Result<fs::File, OutputError> {
    let open = fs::OpenOptions::new().create(true).append(true).open(path);
    open.map_err(|source| OutputError::new(path.display(), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.txt");
        let mut output = Output::open(Some(&path)).unwrap();
        output.write(b"whole").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_answer_is_kept_beside_the_place_it_was_meant_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.txt");
        let mut output = Output::open(Some(&path)).unwrap();
        output.write(b"half").unwrap();
        let partial = output.keep_partial().unwrap().unwrap();
        assert_eq!((path.exists(), fs::read(&partial).unwrap()), (false, b"half".to_vec()));
        assert_eq!(partial.file_name().unwrap(), "answer.txt.partial");
        assert_eq!(Output::open(Some(&path)).unwrap().keep_partial().unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_the_rights_of_a_file_outlive_its_replacement() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        let mut output = Output::open(Some(&link)).unwrap();
        output.write(b"new").unwrap();
        output.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_stays_a_device() {
        let mut output = Output::open(Some(Path::new("/dev/null"))).unwrap();
        output.write(b"gone").unwrap();
        output.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Output::open(Some(&folder.path().join("missing/answer.txt"))).err().unwrap();
        let message = error.to_string();
        assert!(message.contains("missing/answer.txt: ") && !message.contains(".answer.txt."), "{message}");
        assert!(Output::open(Some(folder.path())).is_err());
    }
}
