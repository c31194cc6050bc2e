//! How a request gets there: one attempt's request and reply, what can go wrong with it, and the pooled client.
//!
//! [`Transport`] sends one HTTP attempt. [`Pool`] does it over reqwest's keep-alive pool; tests play a script of
//! replies. [`Limiter`] is the policy that says when a request may leave; [`Credential`] is the one that adds exactly one
//! credential, and only for the origin it belongs to. [`Compressor`] packs bodies for relays that take them so.

mod auth;
mod compress;
mod connection;
mod detour;
mod error;
mod follow;
mod headers;
mod hint;
mod lane;
mod lanes;
mod limit;
mod line;
mod own_file;
mod pool;
mod probe;
mod request_headers;
pub mod route;
#[cfg(test)]
pub(crate) mod script;
mod sign;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use crate::outcome::Connections;
pub use url::Url;

pub use self::auth::{
    AuthError, Authority, ClientSecret, Credential, GrantKind, Invitation, Keeper, Origin, Standing,
};
pub use self::auth::{ServiceClaims, ServiceError, ServiceToken, Signature};
pub use self::auth::{Store, exposed_mode, is_private, is_secret_header, log_in, shown_url};
pub use self::compress::{Coding, Compress, CompressRules, Compressor, Refusals, Trial};
pub use self::connection::{ClientCertificate, Connection, HttpVersion, Phases, ProxyChoice, Reuse, Trust};
pub use self::detour::{ConnectTo, DetourError, Detours, Resolve, Route};
pub use self::error::{Error, TlsFault};
pub use self::follow::{Followed, Led, Moved, Names};
pub use self::headers::Headers;
pub use self::hint::{clock_ahead, lacks_scope, retry_after, should_retry};
pub use self::limit::{Adapt, Advice, Cost, Grant, Limiter, Limits, Report, TokenRateError, TokenRates};
pub use self::limit::{Ledger, LedgerError, RateScope, Refusal, TooLarge, UnknownScope, Used};
pub use self::own_file::{make_folder_of, open_own};
pub use self::pool::{Body, Pool, environment_proxy};
pub use self::probe::Journey;
pub use self::request_headers::{RequestHeaders, SharedHeaders};
pub use self::sign::UnknownScheme;
pub use self::sign::{BadName, KeyName, KeyNames, Scheme, SchemeName, Scope, ScopeName};
pub use self::sign::{SignedBy, Signer, SigningKey};
pub use self::tls::{Handshake, handshake};

/// One HTTP attempt as it leaves.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute address.
    pub url: Arc<Url>,
    /// All headers but those that the HTTP library owns (`host`, `content-length`).
    pub headers: RequestHeaders,
    /// The body, exactly as it leaves; empty with [`Method::Get`].
    pub body: Bytes,
    /// Tells how far it has come.
    pub journey: Journey,
}

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Something is fetched; asking twice changes nothing.
    Get,
    /// Something is made, and perhaps paid for.
    Post,
}

impl Method {
    /// The method's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The head of a reply, with its body still to be read.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The response headers.
    pub headers: Headers,
    /// The HTTP version spoken, as in `HTTP/1.1`.
    pub version: &'static str,
    /// What making the connection took, if one was made.
    pub connection: ConnectionTimes,
    /// The body.
    pub body: Body,
}

/// What making a connection took, and the way onto it; absent parts were not needed, or are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionTimes {
    /// The name look-up.
    pub dns: Option<Duration>,
    /// The TCP handshake; with the TLS handshake where [`Phases::Together`] holds.
    pub connect: Option<Duration>,
    /// The TLS handshake, where it is timed apart.
    pub tls: Option<Duration>,
    /// How long the request took to leave once it had a connection, where that is timed.
    pub sent: Option<Duration>,
}

/// Sends one HTTP attempt.
pub trait Transport {
    /// Sends the request and returns once the response headers are in.
    fn send(&self, request: Request) -> impl Future<Output = Result<Reply, Error>>;

    /// A place for a request, waited for where the number of connections is limited; held until the body is read.
    fn place(&self) -> impl Future<Output = Place> {
        std::future::ready(Place::default())
    }

    /// What became of connections since this was last asked; nothing where that is hidden.
    fn take_lines(&self) -> Option<Connections> {
        None
    }

    /// Which names lead elsewhere since this was last asked.
    fn take_moves(&self) -> Vec<Moved> {
        Vec::new()
    }
}

/// A request's place among those that may have a connection at once.
#[derive(Debug, Default)]
pub struct Place(Option<OwnedSemaphorePermit>);

impl Place {
    /// Gives the place to the next request.
    pub async fn leave(self) {
        if self.0.is_some() {
            // The pool takes a connection back on tasks of its own; without a turn for them the next request would
            // find none and open one too many.
            yield_now().await;
        }
    }
}
