//! The answer cache: complete answers on disk, so that nobody pays twice for the same question.
//!
//! A [`Key`] is a hash of all that an answer depends on: the request, the dialect, the address, and, with a salt of this
//! cache's own, the credential and the other headers, so that one tenant's answers never reach another. An answer is a file
//! of its own, which takes its name only when it is whole; several processes may use a cache at once. A damaged file is a
//! miss. [`Cache::enter`] lets equal requests of this process follow one another, so that the first answers all of them.

mod flow;
mod key;
mod open;
mod record;
mod saved;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::OwnedMutexGuard;

use crate::net::Credential;
use crate::units::{Size, Span};

use self::store::Store;
use super::Call;

pub use self::key::Key;
pub use self::record::Recorder;
pub use self::saved::{Part, Saved};
pub use self::store::{CacheError, Stats};

/// How alike two questions must be to have the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The same request, whatever the order of its fields.
    Exact,
    /// The same but for white space, case and Unicode form of the prompt's text.
    Normalized,
}

impl Form {
    /// The form's name on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalized => "normalized",
        }
    }
}

/// Whether answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// They are not.
    Off,
    /// They are, for questions that are so alike.
    On(Form),
}

impl CacheUse {
    /// The names on the command line.
    pub const NAMES: [&str; 3] = ["off", Form::Exact.name(), Form::Normalized.name()];
}

/// A word that is none of [`CacheUse::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no use of the cache: write off, exact or normalized")]
pub struct UnknownUse(String);

impl FromStr for CacheUse {
    type Err = UnknownUse;

    fn from_str(text: &str) -> Result<Self, UnknownUse> {
        let form = [Form::Exact, Form::Normalized].into_iter().find(|form| form.name() == text);
        match form {
            Some(form) => Ok(Self::On(form)),
            None if text == "off" => Ok(Self::Off),
            None => Err(UnknownUse(text.to_owned())),
        }
    }
}

impl fmt::Display for CacheUse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Off => "off",
            Self::On(form) => form.name(),
        })
    }
}

/// Which answers a cache holds, for how long, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRules {
    /// How alike questions must be.
    pub form: Form,
    /// How long an answer is good.
    pub ttl: Duration,
    /// The disk space of all answers together; those that were not used for longest make room.
    pub size: u64,
}

impl CacheRules {
    /// How long an answer is good unless told otherwise: a day.
    pub const TTL: Span = Span::seconds(86_400);
    /// The disk space unless told otherwise.
    pub const SIZE: Size = Size(256 * 1024 * 1024);
}

/// An open cache.
#[derive(Debug)]
pub struct Cache {
    store: Store,
    rules: CacheRules,
    /// The requests under way, for equal ones to wait for.
    flights: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    /// Why an answer could not be kept, the first time.
    trouble: OnceLock<String>,
}

impl Cache {
    /// Opens a cache in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read, or others may read it.
    pub fn open(folder: &Path, rules: CacheRules) -> Result<Self, CacheError> {
        let store = Store::open(folder, rules.size)?;
        Ok(Self { store, rules, flights: Mutex::default(), trouble: OnceLock::new() })
    }

    /// How alike questions must be here.
    pub fn form(&self) -> Form {
        self.rules.form
    }

    /// The key of a call's answer; none where no cache can tell answers apart (no JSON object was asked).
    pub fn key(&self, call: &Call, credential: Option<&Credential>) -> Option<Key> {
        Key::of(call, credential, (self.rules.form, self.store.salt()))
    }

    /// The answer kept under a key, if it is still good.
    pub fn get(&self, key: &Key) -> Option<Saved> {
        let saved = Saved::read(&self.store.read(key)?)?;
        let age = SystemTime::now().duration_since(saved.saved_at).unwrap_or_default();
        (age < self.rules.ttl).then_some(saved)
    }

    /// Keeps an answer. That it cannot be kept is no failure of the request, and told by [`Cache::trouble`].
    pub fn put(&self, key: &Key, saved: &Saved) {
        if let Err(error) = self.store.write(key, &saved.to_bytes()) {
            self.trouble.get_or_init(|| error.to_string());
        }
    }

    /// Waits until no equal request of this process is under way; nobody else begins one while the flight lasts.
    pub async fn enter(&self, key: Key) -> Flight<'_> {
        let turn = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(flights.entry(key).or_default())
        };
        let turn = Entered { cache: self, key, turn };
        let guard = Arc::clone(&turn.turn).lock_owned().await;
        Flight { _guard: guard, _turn: turn }
    }

    /// Why an answer could not be kept, if one could not.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.get().map(String::as_str)
    }
}

/// What the cache in a folder holds; nothing where there is none.
///
/// # Errors
///
/// The folder cannot be read.
pub fn stats(folder: &Path) -> Result<Stats, CacheError> {
    Store::stats(folder)
}

/// Removes every answer in a folder, and the salt, and tells what was there.
///
/// # Errors
///
/// The folder cannot be read or changed.
pub fn clear(folder: &Path) -> Result<Stats, CacheError> {
    Store::clear(folder)
}

/// Where the user's cache is, from the variables of the XDG specification; none where no home is known.
pub fn default_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let own = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let folder = own.or_else(|| Some(Path::new(&variable("HOME")?).join(".cache")))?;
    Some(folder.join("baton"))
}

/// The turn of one request among equal ones.
#[derive(Debug)]
pub struct Flight<'a> {
    _guard: OwnedMutexGuard<()>,
    // After the guard, so that the turn is free when it is looked at for the last time.
    _turn: Entered<'a>,
}

#[derive(Debug)]
struct Entered<'a> {
    cache: &'a Cache,
    key: Key,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the map's and one this; whoever else waits has one, too, and will be the last.
        if Arc::strong_count(&self.turn) == 2 {
            flights.remove(&self.key);
        }
    }
}
