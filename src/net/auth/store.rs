//! Where a token lies between runs: one file for its owner's eyes, a lock beside it, and never less in it than before.

use std::fs;
use std::fs::File;
use std::io;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::units::{Secret, Span};

use super::super::own_file::{lock, make_folder_of, open_own};
use super::renewal::LONGEST;
use super::secrecy::exposed_mode;
use super::token::Token;
use super::{AuthError, Authority};

/// How long another process may take over its renewal.
const PATIENCE: Duration = LONGEST.saturating_add(Duration::from_secs(10));
/// How often the lock is tried: the system has no lock with a time limit.
const POLL: Duration = Duration::from_millis(10);

/// How much of the disk is taken before a token is asked for: more than any token needs.
const ROOM: [u8; 16_384] = [b' '; 16_384];

/// The file of one token.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// What the file says.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredToken {
    /// The authorization server that it belongs to.
    authority: String,
    client_id: String,
    /// What a client's own token was asked for; a login stays one whatever else is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<String>,
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: Vec<String>,
    /// Milliseconds since 1970.
    obtained_ms: u64,
    lifetime_ms: u64,
    /// Why the refresh token is of no use any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) login_required: Option<String>,
    /// See the token's.
    #[serde(skip)]
    unsaved: Option<AuthError>,
}

/// Room for what will take the place of the file; given up when dropped.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    store: &'a Store,
    file: NamedTempFile,
}

/// The right to change the file, given up when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Store {
    /// The file at a path; its folder is made when something is written.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds for this client of this server; nothing where there is no file, or a token for something else.
    pub(super) fn read(&self, authority: &Authority) -> Result<Option<StoredToken>, AuthError> {
        let Some((file, stored)) = self.open(authority)? else { return Ok(None) };
        self.refuse_readable(&file)?;
        Ok(Some(stored).filter(|stored| stored.asked == authority.asked()))
    }

    /// Its file and what that says; one that is another's, or no token's, is neither used nor replaced nor removed.
    fn open(&self, authority: &Authority) -> Result<Option<(File, StoredToken)>, AuthError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let stored: StoredToken = serde_json::from_reader(io::BufReader::new(&file)).map_err(|error| {
            self.failed(format_args!("it is no file of a token ({error}); remove it and log in"))
        })?;
        let is_login = |asked: &Option<String>| asked.is_none();
        if stored.authority != authority.name()
            || stored.client_id != authority.client_id
            || (is_login(&stored.asked) && !is_login(&authority.asked()))
        {
            return Err(self.failed("it holds the token of another client, server or grant, and is left as it is; store in the profile's oauth table names another file"));
        }
        Ok(Some((file, stored)))
    }

    /// Makes sure that it can be replaced, before there is anything that could be lost; under the lock.
    pub(super) fn draft(&self, authority: &Authority) -> Result<Draft<'_>, AuthError> {
        self.open(authority)?;
        let file = self.make_room().map_err(|error| self.failed(error))?;
        Ok(Draft { store: self, file })
    }

    fn make_room(&self) -> io::Result<NamedTempFile> {
        let folder = make_folder_of(&self.path)?;
        // One that a process left which was killed.
        let _ = fs::remove_file(self.beside(".new"));
        // Such a file is made with mode 0600.
        let mut builder = tempfile::Builder::new();
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut file = builder.prefix(name).suffix(".new").rand_bytes(0).tempfile_in(folder)?;
        file.write_all(&ROOM)?;
        Ok(file)
    }

    /// A file beside it.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    /// Waits for the right to change the file; the lock's file stays, since removing it would let two in.
    pub(super) async fn lock(&self) -> Result<Lock, AuthError> {
        let file = open_own(&self.beside(".lock")).map_err(|error| self.failed(error))?;
        if lock(&file, (PATIENCE, POLL)).await.map_err(|error| self.failed(error))? {
            return Ok(Lock { _file: file });
        }
        Err(self.failed(format_args!("another process has held its lock for {}", Span(PATIENCE))))
    }

    /// Removes the token, if there is one.
    pub(super) fn remove(&self, authority: &Authority) -> Result<bool, AuthError> {
        self.open(authority)?;
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Refuses a file that other users of the machine can read.
    fn refuse_readable(&self, file: &File) -> Result<(), AuthError> {
        let path = self.path.display();
        match exposed_mode(file).map_err(|error| self.failed(error))? {
            None => Ok(()),
            Some(mode) => Err(self.failed(format_args!(
                "others can read it (mode {mode:03o}): chmod 600 {path}, and log in again if others may have"
            ))),
        }
    }

    fn failed(&self, detail: impl std::fmt::Display) -> AuthError {
        AuthError::Store { path: self.path.clone(), detail: detail.to_string() }
    }
}

impl Draft<'_> {
    /// Replaces what the store holds; whoever reads it sees the old or the new, also after a crash.
    pub(super) fn write(self, stored: &StoredToken) -> Result<(), AuthError> {
        let Self { store, mut file } = self;
        let whole = || {
            file.rewind()?;
            file.write_all(&serde_json::to_vec_pretty(stored)?)?;
            file.write_all(b"\n")?;
            let end = file.stream_position()?;
            file.as_file().set_len(end)?;
            file.as_file().sync_all()?;
            file.persist(&store.path).map_err(|error| error.error)?;
            // The new name has to last, too.
            #[cfg(unix)]
            File::open(make_folder_of(&store.path)?)?.sync_all()?;
            Ok(())
        };
        whole().map_err(|error: io::Error| store.failed(error))
    }
}

impl StoredToken {
    /// A token of a client of this server.
    pub(super) fn new(authority: &Authority, token: &Token) -> Self {
        let since = token.obtained.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            authority: authority.name(),
            client_id: authority.client_id.clone(),
            asked: authority.asked(),
            access_token: token.access.expose().to_owned(),
            refresh_token: token.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
            scope: token.scope.clone(),
            obtained_ms: millis(since),
            lifetime_ms: millis(token.lifetime),
            login_required: None,
            unsaved: token.unsaved.clone(),
        }
    }

    /// When it was asked for, in milliseconds since 1970.
    pub(super) fn obtained(&self) -> u64 {
        self.obtained_ms
    }

    pub(super) fn token(&self) -> Token {
        let now = SystemTime::now();
        let obtained = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.obtained_ms));
        Token {
            access: Secret::new(&self.access_token),
            refresh: self.refresh_token.as_deref().map(Secret::new),
            scope: self.scope.clone(),
            // One from the future was written by another clock: it is as good as ended.
            obtained: obtained.filter(|moment| *moment <= now + POLL).unwrap_or(SystemTime::UNIX_EPOCH),
            lifetime: Duration::from_millis(self.lifetime_ms),
            unsaved: self.unsaved.clone(),
        }
    }
}

impl std::fmt::Debug for StoredToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("StoredToken").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
