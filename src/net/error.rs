//! What can go wrong with one attempt, told apart by type and never by message.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use hyper::http::uri::InvalidUri;
use hyper_util::client::legacy;

use crate::outcome::Class;
use crate::units::Span;

use super::line::{DialError, Fault};
use super::probe::LookupError;

/// Why an attempt brought no reply, or why a reply broke off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's name has no address.
    #[error("no address found for {host}")]
    Dns {
        /// The name that was looked up.
        host: String,
        /// The resolver's own words.
        detail: String,
    },
    /// No connection: refused, unreachable, reset during the handshake, or a proxy that would not connect.
    #[error("no connection{}: {detail}", via.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default())]
    Connect {
        /// The innermost cause.
        detail: String,
        /// The proxy that stood between, by its address or by the variable that names it.
        via: Option<String>,
        /// Whether a host said so, by a refusal or a reset.
        answered: bool,
    },
    /// The connection took longer than its limit.
    #[error("no connection within {}", Span(*limit))]
    ConnectTimeout {
        /// The limit of `--connect-timeout`.
        limit: Duration,
    },
    /// The TLS handshake or the certificate failed.
    #[error("TLS failed: {detail}")]
    Tls {
        /// What was wrong, in a person's words.
        detail: String,
        /// Where it failed.
        fault: TlsFault,
    },
    /// The client's certificate and key cannot be used, whatever the relay says of them.
    #[error("{detail}")]
    Identity {
        /// What is wrong with them.
        detail: String,
    },
    /// This machine has no descriptor, port or memory left for a connection.
    #[error("this machine has no room for another connection: {detail}")]
    Limit {
        /// The operating system's words.
        detail: String,
    },
    /// The answer is not HTTP.
    #[error("the answer is not HTTP: {detail}")]
    NotHttp {
        /// The parser's words.
        detail: String,
    },
    /// The connection ended after the request had begun to leave and before the response headers.
    #[error("the connection was closed before an answer: {detail}")]
    Closed {
        /// The innermost cause.
        detail: String,
        /// Whether the other side closed it.
        answered: bool,
    },
    /// The body broke off.
    #[error("the answer broke off: {detail}")]
    Broken {
        /// The innermost cause.
        detail: String,
    },
    /// The body's `content-encoding` could not be undone.
    #[error("the answer's compression is broken: {detail}")]
    Decode {
        /// The decoder's words.
        detail: String,
    },
    /// The client could not be set up or the request could not be built.
    #[error("{0}")]
    Setup(String),
}

/// Where TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// This side refused the relay's certificate.
    ServerCertificate,
    /// The relay refused this side's certificate, or the lack of one.
    ClientCertificate,
    /// Anything else of the handshake.
    Handshake,
}

impl Error {
    /// The outcome class of an attempt that ended so.
    pub fn class(&self) -> Class {
        match self {
            Self::Dns { .. } | Self::Connect { .. } | Self::Closed { .. } => Class::Connect,
            Self::ConnectTimeout { .. } => Class::TimeoutConnect,
            Self::Tls { .. } => Class::Tls,
            Self::Limit { .. } | Self::Setup(_) | Self::Identity { .. } => Class::ClientLimit,
            Self::NotHttp { .. } | Self::Decode { .. } => Class::Protocol,
            Self::Broken { .. } => Class::Truncated,
        }
    }

    /// Whether the request may have reached the relay, so that sending it again may pay twice.
    pub fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Broken { .. } | Self::NotHttp { .. } | Self::Decode { .. })
    }

    /// Whether anything of a host came back, be it a refusal, a reset or a TLS alert, so that the network between is well.
    pub fn host_answered(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::ConnectTimeout { .. }
            | Self::Limit { .. }
            | Self::Setup(_)
            | Self::Identity { .. } => false,
            // What a proxy answered says nothing of the host behind it.
            Self::Connect { answered, via, .. } => *answered && via.is_none(),
            Self::Closed { answered, .. } => *answered,
            Self::Tls { .. } | Self::NotHttp { .. } | Self::Broken { .. } | Self::Decode { .. } => true,
        }
    }

    /// The error of an attempt that brought no reply.
    pub(super) fn of_request(error: &(dyn StdError + 'static), connect_limit: Duration) -> Self {
        let detail = || innermost(error);
        if let Some(lookup) = find::<LookupError>(error) {
            return Self::Dns { host: lookup.host.clone(), detail: innermost(lookup) };
        }
        if let Some(tls) = find_tls(error) {
            return Self::Tls { detail: describe_tls(tls), fault: fault_of_tls(tls) };
        }
        if find_io(error).is_some_and(is_local_limit) {
            return Self::Limit { detail: detail() };
        }
        let is_connect = find::<legacy::Error>(error).is_some_and(legacy::Error::is_connect);
        if is_connect || find::<DialError>(error).is_some() {
            if is_timeout(error) {
                return Self::ConnectTimeout { limit: connect_limit };
            }
            return Self::Connect { detail: detail(), via: None, answered: is_answer(error) };
        }
        if find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_builder)
            || find::<InvalidUri>(error).is_some()
        {
            return Self::Setup(detail());
        }
        if let Some(Fault::NotHttp(detail)) = find(error) {
            return Self::NotHttp { detail: detail.clone() };
        }
        match find::<hyper::Error>(error) {
            Some(hyper) if hyper.is_parse() => Self::NotHttp { detail: hyper.to_string() },
            _ => Self::Closed { detail: detail(), answered: is_answer(error) },
        }
    }

    /// The error of a client certificate that the TLS library does not take.
    pub(super) fn of_identity(error: &(dyn StdError + 'static)) -> Self {
        let detail = match find_tls(error) {
            Some(rustls::Error::InconsistentKeys(_)) => "the key is not the certificate's".to_owned(),
            _ => innermost(error),
        };
        Self::Identity { detail }
    }

    /// The error of a body that ended before its time.
    pub(super) fn of_body(error: &(dyn StdError + 'static)) -> Self {
        let detail = innermost(error);
        // Two things read a body: HTTP and, after it, what unpacks it.
        if find::<hyper::Error>(error).is_some() || find::<Fault>(error).is_some() {
            return Self::Broken { detail };
        }
        Self::Decode { detail }
    }
}

/// The first error of a type in a chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// The error and its causes, outermost first; an I/O error's own payload counts as a cause.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        let payload = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match payload {
            Some(payload) => Some(payload as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}

fn find_io<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last()
}

/// Whether a limit of ours or the system's has passed.
fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout)
        || find_io(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether it was another host that ended it; a network that is gone or a time that passed is no answer.
fn is_answer(error: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind as Kind;
    find_io(error).is_none_or(|error| {
        !matches!(
            error.kind(),
            Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::NetworkDown | Kind::TimedOut
        )
    })
}

fn find_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    find::<rustls::Error>(error)
}

/// The words of the innermost cause, which is the one that a person can act on.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// EMFILE, ENFILE, ENOMEM, EADDRNOTAVAIL and ENOBUFS: this side's fault, never the relay's.
fn is_local_limit(error: &io::Error) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const LIMITS: [i32; 5] = [24, 23, 12, 99, 105];
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const LIMITS: [i32; 5] = [24, 23, 12, 49, 55];
    error.raw_os_error().is_some_and(|code| LIMITS.contains(&code))
        || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
}

/// The alerts by which a server says what it thinks of a client's certificate (RFC 8446, section 6.2).
fn fault_of_tls(error: &rustls::Error) -> TlsFault {
    use rustls::AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(_) => TlsFault::ServerCertificate,
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA,
        ) => TlsFault::ClientCertificate,
        _ => TlsFault::Handshake,
    }
}

/// A TLS failure in words that say what to look at.
fn describe_tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "the certificate's issuer is not trusted here".to_owned()
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "the certificate has expired".to_owned()
        }
        rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "the certificate is not valid yet (is this machine's clock right?)".to_owned()
        }
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "the certificate is for another host name".to_owned()
        }
        // The verifier's own error, which the library passes on without a type.
        rustls::Error::InvalidCertificate(Bad::Other(other)) if other.to_string() == "CaUsedAsEndEntity" => {
            "the server presents the certificate of a CA as its own".to_owned()
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            "the relay asks for a client certificate".to_owned()
        }
        rustls::Error::AlertReceived(alert) if fault_of_tls(error) == TlsFault::ClientCertificate => {
            format!("the relay refused the client certificate ({alert:?})")
        }
        rustls::Error::InvalidMessage(_) => "the answer is not TLS (is it an http:// address?)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_a_network_that_is_gone_is_none() {
        use io::ErrorKind as Kind;
        let answers = |kind: Kind| is_answer(&io::Error::from(kind));
        assert!(
            [Kind::ConnectionRefused, Kind::ConnectionReset, Kind::UnexpectedEof].into_iter().all(answers)
        );
        let gone = [Kind::NetworkUnreachable, Kind::HostUnreachable, Kind::NetworkDown, Kind::TimedOut];
        assert!(!gone.into_iter().any(answers));
        assert!(!Error::ConnectTimeout { limit: Duration::ZERO }.host_answered());
        assert!(Error::Closed { detail: String::new(), answered: true }.host_answered());
        let refused = |via| Error::Connect { detail: String::new(), via, answered: true };
        assert!(refused(None).host_answered());
        assert!(!refused(Some("proxy.example".to_owned())).host_answered(), "a proxy is not the host");
    }
}
