//! The file of an answer: what may be replaced, the name it has until it is whole, and what is left if it never is.

use std::fs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::cli::{OutputError, Usage};

use super::FileOptions;
use super::writer::{Pen, Sync};

/// Where an answer goes.
#[derive(Debug)]
pub(super) enum Place {
    /// Standard output, a pipe or a device: what is written is gone.
    Passing,
    /// A file.
    Draft(Draft),
}

impl Place {
    /// Leaves no trace of a request that was never made.
    pub(super) fn abandon(&self) {
        if let Self::Draft(draft) = self {
            draft.keep();
        }
    }
}

/// A file on its way to being whole.
#[derive(Debug)]
pub(super) struct Draft {
    /// The name it takes when it is whole.
    path: PathBuf,
    /// The name it has until then.
    partial: PathBuf,
    manner: Manner,
    sync: Sync,
}

/// What becomes of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Refuse,
    Replace,
    Extend,
}

/// Opens the place before anything is sent; what exists is refused unless the flags say otherwise.
pub(super) fn open(options: &FileOptions) -> anyhow::Result<(Place, Pen)> {
    let path = &options.output;
    let failed = |source| OutputError::new(path.display(), source);
    if path.as_os_str() == "-" {
        options.refuse_for_passing("standard output")?;
        if options.tee {
            return Err(Usage::new("--tee: the answer goes to standard output already").into());
        }
        return Ok((Place::Passing, Pen::Stdout));
    }
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")).into());
    }
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        options.refuse_for_passing("a pipe or a device")?;
        let file = File::options().write(true).open(path).map_err(failed)?;
        return Ok((Place::Passing, Pen::File { file, name: path.display().to_string() }));
    }
    let (draft, file) = Draft::begin(options, existing.as_ref())?;
    let name = draft.partial.display().to_string();
    Ok((Place::Draft(draft), Pen::File { file, name }))
}

impl Draft {
    fn begin(options: &FileOptions, existing: Option<&fs::Metadata>) -> anyhow::Result<(Self, File)> {
        let manner = match (options.append, options.overwrite) {
            (true, _) => Manner::Extend,
            (_, true) => Manner::Replace,
            _ => Manner::Refuse,
        };
        // The file behind a link is meant, not the link.
        let path =
            if existing.is_some() { options.output.canonicalize() } else { Ok(options.output.clone()) }
                .map_err(|source| OutputError::new(options.output.display(), source))?;
        if existing.is_some() && manner == Manner::Refuse {
            let hint = "--overwrite replaces it, --append adds the answer to its end";
            return Err(Usage::new(format!("--output {}: it exists", path.display())).hint(hint).into());
        }
        let partial = with_ending(&path, ".partial");
        let taken = || {
            let hint =
                "an earlier run left it, or one is writing it: move it away, or replace it with --overwrite";
            let hint = if manner == Manner::Extend {
                hint.replace(", or replace it with --overwrite", "")
            } else {
                hint.into()
            };
            Usage::new(format!("--output {}: {} exists", path.display(), partial.display())).hint(hint)
        };
        if manner == Manner::Replace {
            // A process that still writes to the old one is not written into.
            forget(&partial);
            forget(&side_of(&partial));
        }
        let file = match File::options().write(true).create_new(true).open(&partial) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken().into()),
            Err(error) => return Err(OutputError::new(partial.display(), error).into()),
        };
        if let Some(existing) = existing {
            file.set_permissions(existing.permissions())
                .map_err(|source| OutputError::new(partial.display(), source))?;
        }
        Ok((Self { path, partial, manner, sync: options.sync() }, file))
    }

    /// Gives the file its name, or adds it to the one that has it.
    pub(super) fn finish(&self) -> Result<(), OutputError> {
        let exists = || self.path.try_exists().unwrap_or(true);
        let named = match self.manner {
            Manner::Replace => fs::rename(&self.partial, &self.path),
            Manner::Extend if exists() => self.extend(),
            Manner::Refuse | Manner::Extend => self.take_free_name(),
        };
        named.map_err(|source| OutputError::new(self.path.display(), source))?;
        if self.sync != Sync::Off {
            sync_folder(&self.path);
        }
        Ok(())
    }

    /// Takes a name that nobody has taken meanwhile.
    fn take_free_name(&self) -> io::Result<()> {
        let partial = TempPath::try_from_path(&self.partial)?;
        partial.persist_noclobber(&self.path).map_err(|refused| {
            // Dropping it would delete the answer; a path that cannot be kept was never to be deleted.
            let _ = refused.path.keep();
            refused.error
        })
    }

    /// Adds the whole answer to the file, or leaves the file as it was.
    fn extend(&self) -> io::Result<()> {
        let mut answer = File::open(&self.partial)?;
        let mut file = File::options().append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let mut added = io::copy(&mut answer, &mut file).map(|_| ());
        if self.sync != Sync::Off {
            added = added.and_then(|()| file.sync_all());
        }
        if added.is_err() {
            // The answer is still whole under the other name.
            let _ = file.set_len(before);
        }
        added.and_then(|()| fs::remove_file(&self.partial))
    }

    /// Leaves the file of an answer that did not become whole; an empty one is deleted.
    pub(super) fn keep(&self) -> Option<&Path> {
        let is_empty = fs::metadata(&self.partial).map_or(true, |partial| partial.len() == 0);
        if is_empty {
            forget(&self.partial);
            return None;
        }
        Some(&self.partial)
    }
}

/// The file beside a partial one that says what happened.
pub(super) fn side_of(partial: &Path) -> PathBuf {
    with_ending(partial, ".json")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Deletes a file if there is one; what cannot be deleted shows itself when its name is taken.
fn forget(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Makes a new name survive a power cut where the system can sync folders.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
