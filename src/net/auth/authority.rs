//! Who grants tokens, to whom and for what: the authorization server and the client as it knows it.

use crate::net::Url;
use crate::units::Secret;

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
    pub client_secret: Option<Secret>,
    /// What the token is to allow; empty leaves it to the server.
    pub scope: Vec<String>,
    /// Whom the token is for, where the server asks for it.
    pub audience: Option<String>,
}

impl Authority {
    /// The server's name.
    pub(super) fn name(&self) -> String {
        let url = self.issuer.as_ref().or(self.token_url.as_ref());
        url.expect("the configuration demands one of the two").to_string()
    }

    /// What a stored token belongs to: a login stays one whatever else is asked for, and a client's own token does not.
    pub(super) fn mark(&self) -> String {
        if self.grant != GrantKind::ClientCredentials {
            return self.name();
        }
        let audience = self.audience.as_deref().unwrap_or_default();
        format!("{} scope={} audience={audience}", self.name(), self.scope.join(" "))
    }

    /// The client's name at the server, which stays the same while tokens come and go.
    pub(super) fn client(&self) -> String {
        format!("{} {} {}", self.name(), self.client_id, self.scope.join(" "))
    }

    /// What to say where a person has to log in.
    pub(super) fn login_required(&self, why: impl Into<String>) -> super::AuthError {
        super::AuthError::LoginRequired { profile: self.profile.clone(), why: why.into() }
    }
}
