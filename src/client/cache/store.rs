//! Where answers lie: a file each, in 256 folders, under names that nobody else can guess the meaning of.
//!
//! A file is written under another name and renamed, so that readers of any process see all of it or nothing. When a file was
//! last used is its time of modification. How much was written since anybody last looked at the size of the whole is the
//! length of a file of its own, to which every process appends; whoever finds it long enough sweeps.

use std::fs;
use std::fs::{File, FileTimes};
use std::io;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::Key;
use super::open::{Opener, about};

/// The folder of this form of files within the cache's.
const VERSION: &str = "v1";
/// The file with the salt of all keys.
const SALT: &str = "salt";
/// The file that grows with what was written.
const WRITTEN: &str = "written";
/// What each byte of it stands for, and what a file takes up at least.
const BLOCK: u64 = 4096;
/// A sweep is due when this share of the size was written since the last one, and leaves as much free.
const SLACK: u64 = 16;
/// How exactly the last use of a file is known.
const USED: Duration = Duration::from_secs(60);
/// How old a file must be that was never renamed for its writer to be gone.
const ABANDONED: Duration = Duration::from_secs(3600);
/// How a file is named before it is whole.
const UNFINISHED: &str = ".new-";

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Its folder cannot be made, read or written.
    #[error("{}: {source}", folder.display())]
    Folder {
        /// The folder or the file in it.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Other users could read the answers.
    #[error("{} can be read by other users (mode {mode:03o})", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Answers.
    pub entries: u64,
    /// Disk space, in whole blocks.
    pub bytes: u64,
    /// When the answer that was not used for longest was last used.
    pub oldest: Option<SystemTime>,
    /// When an answer was last used.
    pub newest: Option<SystemTime>,
}

/// An open folder of answers.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    opener: Opener,
    size: u64,
    salt: Vec<u8>,
    /// The sweep under way, which the end of the process waits for.
    sweep: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    pub(super) fn open(folder: &Path, size: u64) -> Result<Self, CacheError> {
        make_private(folder)?;
        let inner = folder.join(VERSION);
        make_private(&inner)?;
        let salt = salt(&inner).map_err(|source| CacheError::Folder { folder: inner.join(SALT), source })?;
        Ok(Self { opener: Opener::of(&inner), folder: inner, size, salt, sweep: Mutex::new(None) })
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// A file's content, if there is such a file; it counts as used.
    pub(super) fn read(&self, key: &Key) -> Option<Vec<u8>> {
        let (shard, name) = place(key);
        let mut file = self.opener.open([&shard, "/", &name].concat())?;
        let (size, used) = about(&file)?;
        let mut content = vec![0; size];
        file.read_exact(&mut content).ok()?;
        let now = SystemTime::now();
        if now.duration_since(used).is_ok_and(|unused| unused > USED) {
            // A time that cannot be set makes the answer go earlier, and is no reason to do without it.
            let _ = file.set_times(FileTimes::new().set_modified(now));
        }
        Some(content)
    }

    /// Writes a file, and sweeps where that is due.
    pub(super) fn write(&self, key: &Key, content: &[u8]) -> io::Result<()> {
        let (shard, name) = place(key);
        let shard = self.folder.join(shard);
        let mut file = match unfinished(&shard) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                private_folders().create(&shard)?;
                unfinished(&shard)?
            }
            made => made?,
        };
        file.write_all(content)?;
        file.persist(shard.join(name)).map_err(|error| error.error)?;
        self.grow((content.len() as u64).div_ceil(BLOCK))
    }

    /// Notes that so many blocks more were written.
    fn grow(&self, blocks: u64) -> io::Result<()> {
        let mut written = File::options().create(true).append(true).open(self.folder.join(WRITTEN))?;
        written.write_all(&vec![b'.'; usize::try_from(blocks).unwrap_or(1)])?;
        if written.metadata()?.len().saturating_mul(BLOCK) < self.size / SLACK {
            return Ok(());
        }
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        if sweep.as_ref().is_some_and(|sweep| !sweep.is_finished()) {
            return Ok(());
        }
        // From here on others count anew, so that few sweep at once; two who do remove the same.
        written.set_len(0)?;
        let (folder, size) = (self.folder.clone(), self.size);
        *sweep = Some(std::thread::spawn(move || make_room(&folder, size)));
        Ok(())
    }

    pub(super) fn stats(folder: &Path) -> Result<Stats, CacheError> {
        let folder = folder.join(VERSION);
        let files = files(&folder).map_err(|source| CacheError::Folder { folder, source })?;
        Ok(Stats::of(&files))
    }

    pub(super) fn clear(folder: &Path) -> Result<Stats, CacheError> {
        let stats = Self::stats(folder)?;
        let inner = folder.join(VERSION);
        match fs::remove_dir_all(&inner) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CacheError::Folder { folder: inner, source: error })
            }
            _ => Ok(stats),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let sweep = self.sweep.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A sweep that panicked has left answers where they were.
        let _ = sweep.map(JoinHandle::join);
    }
}

impl Stats {
    fn of(files: &[Found]) -> Self {
        Self {
            entries: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            oldest: files.iter().map(|file| file.used).min(),
            newest: files.iter().map(|file| file.used).max(),
        }
    }
}

/// The folder and the name of a key's file.
fn place(key: &Key) -> (String, String) {
    let mut shard = key.to_name();
    let name = shard.split_off(2);
    (shard, name)
}

/// One answer's file.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// All answers; a file that vanishes while it is looked at was somebody else's to remove.
fn files(folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let shards = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        shards => shards?,
    };
    for shard in shards.filter_map(Result::ok) {
        let Ok(entries) = fs::read_dir(shard.path()) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let Ok(about) = entry.metadata() else { continue };
            let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                if SystemTime::now().duration_since(used).is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            let bytes = about.len().max(1).div_ceil(BLOCK) * BLOCK;
            found.push(Found { path: entry.path(), bytes, used });
        }
    }
    Ok(found)
}

/// Removes what was not used for longest until there is room again.
fn make_room(folder: &Path, size: u64) {
    let Ok(mut files) = files(folder) else { return };
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let enough = size - size / SLACK;
    if bytes <= enough {
        return;
    }
    files.sort_unstable_by_key(|file| file.used);
    for file in files {
        if bytes <= enough {
            return;
        }
        let _ = fs::remove_file(&file.path);
        bytes -= file.bytes;
    }
}

/// The salt, made by whichever process comes first.
fn salt(folder: &Path) -> io::Result<Vec<u8>> {
    let path = folder.join(SALT);
    if let Ok(salt) = fs::read(&path)
        && salt.len() == 32
    {
        return Ok(salt);
    }
    let mut file = unfinished(folder)?;
    // Two random ids make 244 random bits.
    file.write_all(Uuid::new_v4().as_bytes())?;
    file.write_all(Uuid::new_v4().as_bytes())?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(&path)?.len() != 32 {
                // Damaged: no answer is found under a new one, which is no more than a miss.
                error.file.persist(&path)?;
            }
        }
        Err(error) => return Err(error.error),
    }
    fs::read(&path)
}

/// A new file, readable by its owner only.
fn unfinished(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

fn private_folders() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a folder that only its owner can read, or makes sure that it is one.
fn make_private(folder: &Path) -> Result<(), CacheError> {
    let failed = |source| CacheError::Folder { folder: folder.to_owned(), source };
    private_folders().create(folder).map_err(failed)?;
    #[cfg(unix)]
    {
        let about = fs::metadata(folder).map_err(failed)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(CacheError::Open { folder: folder.to_owned(), mode });
        }
    }
    Ok(())
}
