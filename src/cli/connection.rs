//! The flags of the connection group: how connections are made, and how long each stage may take.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, Args};

use crate::client::Timeouts;
use crate::config;
use crate::config::PolicyDefaults;
use crate::net;
use crate::net::{
    ClientCertificate, ConnectTo, Connection, DetourError, Detours, HttpVersion, Phases, ProxyChoice,
};
use crate::net::{Names, Resolve, Reuse, Trust, Url};
use crate::units::{Span, whole};

use super::Usage;

/// Where a SOCKS proxy listens unless its address says otherwise (RFC 1928, section 3).
const SOCKS_PORT: u16 = 1080;

/// What the first line of a private key in PEM form ends with.
const KEY_MARK: &str = "PRIVATE KEY-----";

/// How connections are made, and how long each stage may take.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionOptions {
    /// Limit for name look-up, TCP and TLS together [default: 5s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<Span>,
    /// Limit for the first byte of the answer; 0 for none [default: 600s for whole answers, 30s otherwise]
    #[arg(long, value_name = "TIME")]
    first_byte_timeout: Option<Span>,
    /// Limit for the first generated delta of a stream; 0 for none [default: 600s]
    #[arg(long, value_name = "TIME")]
    first_token_timeout: Option<Span>,
    /// Limit between any two bytes; 0 for none [default: 60s]
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<Span>,
    /// Limit between two generated deltas of a stream (a ping does not count); 0 for none [default: 120s]
    #[arg(long, value_name = "TIME")]
    stall_timeout: Option<Span>,
    /// Limit for the whole request, attempts and waits included [default: none]
    #[arg(short, long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Speak HTTP/1.1 only
    #[arg(long, conflicts_with = "http2")]
    http1: bool,
    /// Speak HTTP/2 only, also without TLS
    #[arg(long)]
    http2: bool,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "PATH", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Verify no certificate
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Show the relay this client certificate (PEM); it may hold the key too
    #[arg(long, value_name = "PATH")]
    cert: Option<PathBuf>,
    /// Read the client certificate's key (PEM, not encrypted) from this file
    #[arg(long, value_name = "PATH", requires = "cert")]
    cert_key: Option<PathBuf>,
    /// Use this proxy for everything, in place of the environment's: http, https, socks5 or socks5h
    #[arg(short = 'x', long, value_name = "URL")]
    proxy: Option<String>,
    /// Take this address for a host and port instead of looking it up (repeatable, as in curl); the environment's
    /// proxy is not used then
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    resolve: Vec<Resolve>,
    /// Connect to HOST2:PORT2 for HOST1:PORT1, whose name is still asked for (repeatable, as in curl); the
    /// environment's proxy is not used then
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", conflicts_with = "proxy")]
    connect_to: Vec<ConnectTo>,
    /// Connect to this Unix socket
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "resolve", "connect_to"])]
    unix_socket: Option<PathBuf>,
    /// Have at most this many requests, and so connections, under way at once [default: no limit]
    #[arg(long, value_name = "N", conflicts_with = "http2", value_parser = |text: &str| whole::<u16>(text, 1..=65_535))]
    max_connections: Option<u16>,
    /// Make a new connection for each request
    #[arg(long)]
    no_keepalive: bool,
}

/// What a subcommand speaks where neither `--http1` nor `--http2` is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Whatever TLS negotiates.
    Negotiated,
    /// HTTP/1.1, so that each user has a connection of its own, the parts of whose making are timed apart.
    HttpOne,
}

impl ConnectionOptions {
    /// How the pool connects; `own` is what the profile sets.
    pub(super) fn connection(&self, unasked: Unasked, own: &PolicyDefaults) -> anyhow::Result<Connection> {
        let version = match (self.http1, self.http2, unasked) {
            (true, ..) | (_, false, Unasked::HttpOne) => HttpVersion::One,
            (_, true, _) => HttpVersion::Two,
            (..) => HttpVersion::Negotiated,
        };
        let trust = match &self.cacert {
            _ if self.insecure => Trust::Anyone,
            None => Trust::System,
            Some(path) => Trust::Only(read_pem(path, "--cacert", "-----BEGIN CERTIFICATE-----")?),
        };
        let proxy = match &self.proxy {
            None => ProxyChoice::Environment,
            Some(text) => ProxyChoice::Through(read_proxy(text)?),
        };
        Ok(Connection {
            connect_timeout: self.connect_timeout(own).0,
            version,
            proxy,
            trust,
            identity: self.cert.as_deref().map(|path| self.read_identity(path)).transpose()?,
            reuse: if self.no_keepalive { Reuse::Never } else { Reuse::KeepAlive },
            phases: match unasked {
                Unasked::Negotiated => Phases::Together,
                Unasked::HttpOne => Phases::Apart,
            },
            unix_socket: self.unix_socket.clone(),
            detours: Detours { resolve: self.resolve.clone(), connect_to: self.connect_to.clone() },
            most: self.max_connections.map(usize::from),
            ahead: 0,
            names: Names::default(),
        })
    }

    /// Refuses what would have no effect on the way to `target`.
    pub(super) fn fits(&self, connection: &Connection, target: &Url) -> Result<(), Usage> {
        connection.route(target).map_err(|error| {
            let hint = match &error {
                DetourError::Port { .. } => "add --http1",
                DetourError::Number { .. } => "give the relay's address with a host name",
                _ => "every --resolve and --connect-to must be for the relay's host and port",
            };
            Usage::new(error.to_string()).hint(hint)
        })?;
        let encrypted = |url: &Url| url.scheme() == "https";
        let tls =
            encrypted(target) || matches!(&connection.proxy, ProxyChoice::Through(proxy) if encrypted(proxy));
        match &self.cert {
            Some(path) if !tls => {
                let message = format!("--cert {}: {target} is not spoken to over TLS", path.display());
                Err(Usage::new(message).hint("write https:// if the relay speaks TLS"))
            }
            _ => Ok(()),
        }
    }

    /// An error of setting up the pool, in terms of these flags.
    pub(super) fn explain(&self, error: net::Error) -> anyhow::Error {
        match (error, self.cert_key.as_ref().or(self.cert.as_ref())) {
            (net::Error::Identity { detail }, Some(path)) => {
                let flag = if self.cert_key.is_some() { "--cert-key" } else { "--cert" };
                Usage::new(format!("{flag} {}: {detail}", path.display())).into()
            }
            (error, _) => error.into(),
        }
    }

    /// The client certificate with its key.
    fn read_identity(&self, path: &Path) -> anyhow::Result<ClientCertificate> {
        let mut pem = read_pem(path, "--cert", "-----BEGIN CERTIFICATE-----")?;
        let (flag, path) = match &self.cert_key {
            None => ("--cert", path),
            Some(path) => ("--cert-key", path.as_path()),
        };
        if self.cert_key.is_none() && !contains(&pem, KEY_MARK) {
            let hint = "--cert-key FILE names the key where the certificate's file does not hold it";
            return Err(Usage::new(format!("{flag} {}: no private key in it", path.display()))
                .hint(hint)
                .into());
        }
        let key = read_pem(path, flag, KEY_MARK)?;
        if contains(&key, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(&key, "Proc-Type: 4,ENCRYPTED")
        {
            let hint = "write it without its passphrase to a file only you can read: openssl pkey -in KEY -out PLAIN";
            return Err(Usage::new(format!("{flag} {}: the key is encrypted", path.display()))
                .hint(hint)
                .into());
        }
        if self.cert_key.is_some() {
            pem.push(b'\n');
            pem.extend(key);
        }
        Ok(ClientCertificate(pem))
    }

    /// How many of these users have a connection at once.
    pub(super) fn at_most(&self, users: u32) -> u32 {
        self.max_connections.map_or(users, |most| users.min(u32::from(most)))
    }

    fn connect_timeout(&self, own: &PolicyDefaults) -> Span {
        self.connect_timeout.or(own.connect_timeout).unwrap_or(Span(Connection::default().connect_timeout))
    }

    /// The limits of an attempt; `own` is what the profile sets.
    pub(super) fn timeouts(&self, own: &PolicyDefaults) -> Timeouts {
        let limit = |span: Span| Some(span.0).filter(|limit| *limit > Duration::ZERO);
        let defaults = Timeouts::default();
        let first_byte = self.first_byte_timeout.or(own.first_byte_timeout);
        let first_token = self.first_token_timeout.or(own.first_token_timeout);
        Timeouts {
            first_byte_stream: first_byte.map_or(defaults.first_byte_stream, limit),
            first_byte_whole: first_byte.map_or(defaults.first_byte_whole, limit),
            first_token: first_token.map_or(defaults.first_token, limit),
            idle: self.idle_timeout.or(own.idle_timeout).map_or(defaults.idle, limit),
            stall: self.stall_timeout.or(own.stall_timeout).map_or(defaults.stall, limit),
            total: self.timeout.or(own.timeout).and_then(limit),
        }
    }

    /// These flags as curl spells them; `own` is what the profile sets.
    pub(super) fn as_curl(&self, own: &PolicyDefaults) -> Vec<String> {
        let connect_timeout = self.connect_timeout(own).0.as_secs_f64().to_string();
        let mut flags = vec!["--connect-timeout".to_owned(), connect_timeout];
        let mut add = |name: &str, value: Option<String>| {
            flags.push(name.to_owned());
            flags.extend(value);
        };
        if let Some(total) = self.timeout.or(own.timeout) {
            add("--max-time", Some(total.0.as_secs_f64().to_string()));
        }
        if self.http1 {
            add("--http1.1", None);
        }
        if self.http2 {
            add("--http2-prior-knowledge", None);
        }
        if self.insecure {
            add("--insecure", None);
        }
        let path = |path: &PathBuf| Some(path.display().to_string());
        if let Some(file) = &self.cacert {
            add("--cacert", path(file));
        }
        if let Some(file) = &self.cert {
            add("--cert", path(file));
        }
        if let Some(file) = &self.cert_key {
            add("--key", path(file));
        }
        if let Some(proxy) = &self.proxy {
            // Without a port curl takes 1080 for every scheme.
            add("--proxy", Some(read_proxy(proxy).map_or_else(|_| proxy.clone(), |proxy| with_port(&proxy))));
        }
        for detour in &self.resolve {
            add("--resolve", Some(detour.to_string()));
        }
        for detour in &self.connect_to {
            add("--connect-to", Some(detour.to_string()));
        }
        if let Some(file) = &self.unix_socket {
            add("--unix-socket", path(file));
        }
        if self.proxy.is_none() && !(self.resolve.is_empty() && self.connect_to.is_empty()) {
            add("--noproxy", Some("*".to_owned()));
        }
        if self.no_keepalive {
            // A curl command makes its own connection anyway; this tells the relay to close it.
            add("--header", Some("connection: close".to_owned()));
        }
        flags
    }
}

/// A command that has one request under way at a time meets no limit of them: it refuses and does not show the flag.
pub(super) fn without_limit_of_requests(arg: Arg) -> Arg {
    if arg.get_id() != "max_connections" {
        return arg;
    }
    arg.hide(true).value_parser(|_: &str| {
        Err::<u16, _>("there is one request at a time, so that this limit has no effect".to_owned())
    })
}

/// A PEM file that holds what is looked for.
fn read_pem(path: &Path, flag: &str, mark: &str) -> anyhow::Result<Vec<u8>> {
    let source = format!("{flag} {}", path.display());
    let refused = |error| Usage::new(format!("{source}: {error}"));
    let mut file = File::open(path).map_err(refused)?;
    let mut pem = Vec::new();
    file.read_to_end(&mut pem).map_err(refused)?;
    let what = if mark.contains("KEY") { "private key" } else { "certificate" };
    if contains(&pem, mark) {
        if what == "private key" {
            config::refuse_exposed(&file, path, &source)?;
        }
        return Ok(pem);
    }
    let hint = format!("it must hold a {what} in PEM form, which has a line with {mark}");
    Err(Usage::new(format!("{source}: no {what} in it")).hint(hint).into())
}

fn contains(pem: &[u8], mark: &str) -> bool {
    memchr::memmem::find(pem, mark.as_bytes()).is_some()
}

/// A proxy's address with the port that is connected to.
fn with_port(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    let port = proxy.port_or_known_default().unwrap_or(SOCKS_PORT);
    format!("{}://{host}:{port}", proxy.scheme())
}

fn read_proxy(text: &str) -> anyhow::Result<Url> {
    let mut url = Url::parse(text).map_err(|error| {
        Usage::new(format!("--proxy: not an address: {error}"))
            .hint("write it with its scheme, as in http://127.0.0.1:3128")
    })?;
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || url.host().is_none() {
        let message = format!("--proxy: the scheme '{}' is not supported", url.scheme());
        return Err(Usage::new(message)
            .hint("http://, https://, socks5:// and socks5h:// proxies work")
            .into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "a secret is never an argument: put the proxy with its password into HTTPS_PROXY";
        return Err(Usage::new("--proxy: the address holds a user name or password").hint(hint).into());
    }
    if url.port_or_known_default().is_none() {
        // Refused only by addresses without a host.
        let _ = url.set_port(Some(SOCKS_PORT));
    }
    Ok(url)
}
