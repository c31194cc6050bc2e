//! Who grants tokens, to whom and for what: the authorization server and the client as it knows it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::net::Url;
use crate::outcome::Class;
use crate::units::Secret;

use super::AuthError;

/// How a client comes to its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    /// By its own id and secret (RFC 6749, section 4.4).
    ClientCredentials,
    /// By a refresh token that a person handed in (RFC 6749, section 6).
    RefreshToken,
    /// By a person who allows it in a browser (RFC 8628), and a refresh token from then on.
    DeviceCode,
}

impl GrantKind {
    /// All of them, as a configuration file names them.
    pub const NAMES: [&str; 3] = ["client-credentials", "refresh-token", "device-code"];

    /// The grant of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "client-credentials" => Some(Self::ClientCredentials),
            "refresh-token" => Some(Self::RefreshToken),
            "device-code" => Some(Self::DeviceCode),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client-credentials",
            Self::RefreshToken => "refresh-token",
            Self::DeviceCode => "device-code",
        }
    }
}

/// A client's secret, which is read when it is first needed: what asks for no token reads none.
#[derive(Clone)]
pub struct ClientSecret(Arc<LazyLock<Result<Secret, AuthError>, Reading>>);

/// How it is read.
type Reading = Box<dyn FnOnce() -> Result<Secret, AuthError> + Send>;

impl ClientSecret {
    /// A secret that is read so.
    pub fn read_by(read: impl FnOnce() -> Result<Secret, AuthError> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(read))))
    }

    /// The secret, or why it cannot be read.
    pub(super) fn read(&self) -> Result<&Secret, AuthError> {
        LazyLock::force(&self.0).as_ref().map_err(AuthError::clone)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClientSecret(***)")
    }
}

/// An authorization server, and the client that asks it for tokens.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Who asks, in a person's words: the profile's name.
    pub profile: String,
    /// How tokens are asked for.
    pub grant: GrantKind,
    /// The server, whose metadata names its addresses (RFC 8414).
    pub issuer: Option<Url>,
    /// Where tokens are asked for, if not where the metadata says.
    pub token_url: Option<Url>,
    /// Where a login begins, if not where the metadata says.
    pub device_url: Option<Url>,
    /// The client's id.
    pub client_id: String,
    /// The client's secret, where it has one.
    pub client_secret: Option<ClientSecret>,
    /// What the token is to allow; empty leaves it to the server.
    pub scope: Vec<String>,
    /// Whom the token is for, where the server asks for it.
    pub audience: Option<String>,
}

impl Authority {
    /// The server's name.
    pub(super) fn name(&self) -> String {
        self.server().to_string()
    }

    /// The same as it may be shown.
    fn shown(&self) -> String {
        super::shown_url(self.server())
    }

    fn server(&self) -> &Url {
        let url = self.issuer.as_ref().or(self.token_url.as_ref());
        url.expect("the configuration demands one of the two")
    }

    /// What a client's own token is asked for; a login stays one whatever else is asked for.
    pub(super) fn asked(&self) -> Option<String> {
        let audience = self.audience.as_deref().unwrap_or_default();
        let asked = || format!("scope={} audience={audience}", self.scope.join(" "));
        (self.grant == GrantKind::ClientCredentials).then(asked)
    }

    /// The client's name at the server and to its user, which stays the same while tokens come and go.
    pub(super) fn client(&self) -> String {
        let Self { profile, client_id, scope, audience, .. } = self;
        format!("{:?}", (profile, self.name(), client_id, scope, audience))
    }

    /// That a renewal came to nothing by this client's own doing.
    pub(super) fn broken(&self, (class, detail): (Class, &str)) -> AuthError {
        AuthError::Unavailable { url: self.shown(), detail: detail.to_owned(), class }
    }

    /// What to say where a person has to log in.
    pub fn login_required(&self, why: impl Into<String>) -> AuthError {
        AuthError::LoginRequired { profile: self.profile.clone(), grant: self.grant, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_one_server_that_may_be_told_different_things_have_different_names() {
        let client = |profile: &str, audience: Option<&str>| {
            let authority = Authority {
                profile: profile.to_owned(),
                grant: GrantKind::ClientCredentials,
                issuer: Some(Url::parse("https://id.example").unwrap()),
                token_url: None,
                device_url: None,
                client_id: "c".to_owned(),
                client_secret: None,
                scope: Vec::new(),
                audience: audience.map(str::to_owned),
            };
            authority.client()
        };
        assert_eq!(client("p", None), client("p", None));
        assert_ne!(client("p", None), client("q", None));
        assert_ne!(client("p", Some("one")), client("p", Some("two")));
    }
}
