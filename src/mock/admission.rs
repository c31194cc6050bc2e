//! Who is let in: by the address a request comes from, and by its key or its token.

use std::net::IpAddr;

use hyper::HeaderMap;

use crate::mock::failure::Failure;
use crate::mock::faults::Kind;
use crate::mock::server::Shared;

/// Why a request is turned away at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It comes from an address that is not let in.
    Address,
    /// No key, or one that is not known, or more than one.
    Key,
    /// No token, or one that is not or no longer good.
    Token,
    /// The token does not allow prompts.
    Scope,
}

impl Refusal {
    /// Its name among the faults in counters and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Key => "key",
            Self::Token | Self::Scope => "token",
        }
    }

    /// What the client is told.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Address => Failure::address(),
            Self::Key => Failure::of(Kind::Unauthorized, "").expect("the fault is a refusal"),
            Self::Token => Failure::token(),
            Self::Scope => Failure::scope(),
        }
    }
}

/// Holds a request against everything that decides who is let in. Where both keys and tokens are known, one of either does.
pub(crate) fn admit(shared: &Shared, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Refusal> {
    let guards = &shared.guards;
    if !guards.addresses.admit(peer, headers) {
        return Err(Refusal::Address);
    }
    match &guards.keys {
        Some(keys) if keys.admit(headers) => return Ok(()),
        Some(_) if shared.oauth.is_none() && shared.service_key.is_none() => return Err(Refusal::Key),
        _ => {}
    }
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let signed = shared.service_key.as_ref().zip(token).is_some_and(|(key, token)| key.admits(token));
    match &shared.oauth {
        _ if signed => Ok(()),
        Some(oauth) => oauth.admit(token),
        None if shared.service_key.is_some() => Err(Refusal::Token),
        None => Ok(()),
    }
}
