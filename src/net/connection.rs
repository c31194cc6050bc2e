//! How connections are made: the choices of the command line, as the pool needs them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Url;
use super::detour::{DetourError, Detours, Route, Way};
use super::follow::Names;

/// Which HTTP version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    #[default]
    Negotiated,
    /// HTTP/1.1 only.
    One,
    /// HTTP/2 only, without negotiation on a plain connection.
    Two,
}

/// Which proxy is used.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// The environment's (`HTTPS_PROXY`, `NO_PROXY`), but never for loopback.
    #[default]
    Environment,
    /// This one, for everything: `http`, `https`, `socks5` (names looked up here) or `socks5h` (names looked up there).
    Through(Url),
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The system's roots (`SSL_CERT_FILE` is read too).
    #[default]
    System,
    /// These PEM certificates only.
    Only(Vec<u8>),
    /// Anybody's: nothing is verified.
    Anyone,
}

/// A client certificate and its key in PEM form; never printed.
#[derive(Clone)]
pub struct ClientCertificate(pub Vec<u8>);

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClientCertificate(***)")
    }
}

/// Whether a connection serves more than one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Connections are kept for the next request.
    #[default]
    KeepAlive,
    /// Each request makes a connection and closes it.
    Never,
}

/// Whether the parts of making a connection are timed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phases {
    /// TCP and TLS together, over the library's pool.
    #[default]
    Together,
    /// Each by itself, over connections of our own, where no proxy stands between.
    Apart,
}

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The limit for name look-up, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The HTTP version.
    pub version: HttpVersion,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// The roots of trust.
    pub trust: Trust,
    /// What the client shows of itself.
    pub identity: Option<ClientCertificate>,
    /// Whether connections are kept.
    pub reuse: Reuse,
    /// Whether the parts of making one are timed apart.
    pub phases: Phases,
    /// The Unix socket that takes the place of TCP.
    pub unix_socket: Option<PathBuf>,
    /// Where to connect in place of what the address says.
    pub detours: Detours,
    /// How many requests may have a connection at once.
    pub most: Option<usize>,
    /// How many connections are made ahead of the requests that will need them, where they are our own and kept.
    pub ahead: usize,
    /// The names that are followed, shared by all pools that are made from this.
    pub names: Names,
}

impl Connection {
    /// Where connections for `target` go; refuses a detour that would have no effect.
    pub fn route(&self, target: &Url) -> Result<Route, DetourError> {
        let proxy = match &self.proxy {
            ProxyChoice::Environment => None,
            ProxyChoice::Through(proxy) => Some(proxy),
        };
        self.detours.route(Way { target, proxy, version: self.version })
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            version: HttpVersion::default(),
            proxy: ProxyChoice::default(),
            trust: Trust::default(),
            identity: None,
            reuse: Reuse::default(),
            phases: Phases::default(),
            unix_socket: None,
            detours: Detours::default(),
            most: None,
            ahead: 0,
            names: Names::default(),
        }
    }
}
