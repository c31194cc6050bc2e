//! The environment as a value, so that resolving it can be tested without touching the process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Error;

/// The variables of the environment.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(named).collect())
    }

    /// An environment of these variables alone.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect())
    }

    /// A variable's value; an empty one counts as unset, as shells use it to switch a variable off.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().map(str::trim).filter(|value| !value.is_empty())
    }

    /// A variable's value as a path, which need not be text.
    pub(super) fn path(&self, name: &str) -> Option<&Path> {
        self.0.get(name).filter(|value| !value.is_empty()).map(Path::new)
    }

    /// Where a profile's state of this kind lies: `$XDG_STATE_HOME/baton/KIND/PROFILE.json`, or under `~/.local/state`; none
    /// where not even a home is known. A name that is no plain word has a hash in place of what would mean something in
    /// a path.
    pub(super) fn state_file(&self, kind: &str, profile: &str) -> Option<PathBuf> {
        let own = self.path("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = own.or_else(|| Some(self.path("HOME")?.join(".local").join("state")))?;
        let is_plain = profile.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let name = if is_plain && !profile.is_empty() {
            profile.to_owned()
        } else {
            let hash = Sha256::digest(profile.as_bytes());
            let beginning = hash.first_chunk().expect("it has 32 bytes");
            format!("profile-{:016x}", u64::from_be_bytes(*beginning))
        };
        Some(folder.join("baton").join(kind).join(Path::new(&name).with_extension("json")))
    }

    /// Refuses a variable that holds no text, rather than pass by what its user has set.
    pub(super) fn refuse_unreadable(&self) -> Result<(), Error> {
        let ours = |name: &str| {
            name != "BATON_CONFIG"
                && ["BATON_", "ANTHROPIC_", "OPENAI_"].iter().any(|own| name.starts_with(own))
        };
        match self.0.iter().find(|(name, value)| ours(name) && value.to_str().is_none()) {
            None => Ok(()),
            Some((name, _)) => {
                Err(Error::new(format!("{name}: its value is not UTF-8 text"))
                    .hint("set it anew, or unset it"))
            }
        }
    }
}

impl std::fmt::Debug for Environment {
    /// Only names: values may be secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}
