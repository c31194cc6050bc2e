//! Why there is no token for the relay, told apart by who can help.

use std::path::PathBuf;

use crate::outcome::Class;

use super::GrantKind;

/// Why there is no token for the relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Only a person can help, by logging in.
    #[error("a login is required for profile {profile}: {why}")]
    LoginRequired {
        /// The profile whose login it is.
        profile: String,
        /// How it comes to its tokens.
        grant: GrantKind,
        /// What became of the last one.
        why: String,
    },
    /// The client's secret cannot be read.
    #[error("{message}")]
    Secret {
        /// Where it was to come from, and what is wrong.
        message: String,
        /// The next step.
        hint: Option<String>,
    },
    /// The authorization server refused (RFC 6749, section 5.2).
    #[error("{url} refused: {error}{}", description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// Its address.
        url: String,
        /// Its word for the reason: `invalid_client`.
        error: String,
        /// Its explanation.
        description: Option<String>,
    },
    /// It did not answer, or not as an authorization server does.
    #[error("{url}: {detail}")]
    Unavailable {
        /// Its address.
        url: String,
        /// What came instead.
        detail: String,
        /// The class of the failure.
        class: Class,
    },
    /// The token does not allow what is asked for.
    #[error(
        "the token grants {}, and --require-scope asks for {missing}",
        if granted.is_empty() { "no scope" } else { granted.as_str() }
    )]
    Scope {
        /// What it allows.
        granted: String,
        /// What is missing.
        missing: String,
    },
    /// The file of the token cannot be used.
    #[error("{}: {detail}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl AuthError {
    /// Whether it may pass by itself: a connection that failed, an answer that did not come in time, a 429 or a 5xx.
    pub(super) fn passes(&self) -> bool {
        matches!(
            self.class(),
            Class::Connect
                | Class::TimeoutConnect
                | Class::TimeoutFirstByte
                | Class::Truncated
                | Class::RateLimited
                | Class::Http5xx
        )
    }

    /// The class of a request that could not leave for it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unavailable { class, .. } => *class,
            _ => Class::Auth,
        }
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LoginRequired { profile, grant: GrantKind::RefreshToken, .. } => {
                Some(format!("baton auth login --profile {profile} --refresh-token-file PATH"))
            }
            Self::LoginRequired { profile, .. } => Some(format!("baton auth login --profile {profile}")),
            Self::Secret { hint, .. } => hint.clone(),
            Self::Refused { .. } => {
                Some("are client-id, client-secret and scope of the profile right?".to_owned())
            }
            Self::Unavailable { .. } => {
                Some("is the profile's issuer or token-url right, and is that server up?".to_owned())
            }
            Self::Scope { .. } => Some(
                "name the scope in the profile, and log in again where a person has to allow it".to_owned(),
            ),
            Self::Store { .. } => None,
        }
    }
}
