//! Flags over environment, resolved once into [`Settings`] that the rest of the program trusts.
//!
//! [`resolve`] takes what was typed ([`Given`]) and the [`Environment`]. It decides the dialect, the relay's base
//! address, the model, the headers, and the one credential with the origin that it belongs to.

mod credential;
mod environment;
mod headers;
mod target;

use std::path::PathBuf;

use crate::net::{Credential, HeaderMap, Url};
use crate::wire::Dialect;

pub use self::environment::Environment;

/// What was typed on the command line, as far as it names the relay and how to speak to it.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--url`, unparsed.
    pub url: Option<String>,
    /// The address of an embedded relay, which wins over everything and is given no credential.
    pub embedded: Option<Url>,
    /// `--api`.
    pub api: Option<Dialect>,
    /// `--model`.
    pub model: Option<String>,
    /// Each `--header`, unparsed.
    pub headers: Vec<String>,
    /// Where an explicit key comes from.
    pub key: Option<KeySource>,
}

/// A key that the command line points at without holding it.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `--key-file`.
    File(PathBuf),
    /// `--key-command`, run by the shell.
    Command(String),
}

/// Everything that a request needs besides its prompt.
#[derive(Debug)]
pub struct Settings {
    /// The form of requests and answers.
    pub dialect: Dialect,
    /// The relay's base address.
    pub base: Url,
    /// The model, where one is named.
    pub model: Option<String>,
    /// The user's own headers.
    pub headers: HeaderMap,
    /// The one credential, where there is one for this relay.
    pub credential: Option<Credential>,
    /// Where the credential came from, or why none is sent, as a clause to follow "the key …".
    pub credential_story: String,
    /// What the user should know about how this was resolved.
    pub notices: Vec<String>,
}

/// Settings that cannot be used, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, naming the flag, variable or file.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Resolves flags over environment.
pub fn resolve(given: &Given, environment: &Environment) -> Result<Settings, Error> {
    let dialect = target::dialect(given, environment)?;
    let base = target::base(given, environment, dialect)?;
    let model = target::model(given, environment, dialect);
    let bound = target::bindings(environment, dialect, &base)?;
    let mut notices = Vec::new();
    let headers = headers::collect(given, environment, &bound)?;
    let chosen = credential::choose(given, environment, &bound, &headers)?;
    notices.extend(chosen.notices);
    Ok(Settings {
        dialect,
        base: base.url,
        model,
        headers,
        credential: chosen.credential,
        credential_story: chosen.story,
        notices,
    })
}
