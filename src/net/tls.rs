//! What a server shows of itself when a connection is encrypted: the protocol's version and the dates of its certificate.

use std::time::{Duration, SystemTime};

use reqwest::tls::{TlsInfo, Version};
use x509_parser::parse_x509_certificate;

use super::lane::{builder, connector};
use super::probe::TimedResolver;
use super::{Connection, Error, TlsFault, Url};

/// What a handshake has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// The newest version of the protocol that both ends speak, as in `TLS 1.3`.
    pub version: &'static str,
    /// From when the server's certificate holds.
    pub from: SystemTime,
    /// Until when it holds.
    pub until: SystemTime,
}

/// Connects as a request would, and asks for the address without a key and without a prompt.
///
/// # Errors
/// What keeps a request from its reply, and a certificate that cannot be read.
pub async fn handshake(connection: &Connection, target: &Url) -> Result<Handshake, Error> {
    match over(connection, target, Version::TLS_1_3).await {
        Err(Error::Tls { fault: TlsFault::Handshake, .. }) => {
            over(connection, target, Version::TLS_1_2).await
        }
        shown => shown,
    }
}

async fn over(connection: &Connection, target: &Url, version: Version) -> Result<Handshake, Error> {
    let route = connection.route(target).map_err(|error| Error::Setup(error.to_string()))?;
    let failed = |error: reqwest::Error| Error::of_request(&error, connection.connect_timeout);
    let client = builder(connection, target, TimedResolver::new(route))?
        .connector_layer(connector(connection, None))
        .tls_version_min(version)
        .tls_version_max(version)
        .tls_info(true)
        .build()
        .map_err(failed)?;
    let reply = client.get(target.clone()).send().await.map_err(failed)?;
    let info = reply.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    let unread = || Error::Setup("the server's certificate cannot be read".to_owned());
    let (_, certificate) = parse_x509_certificate(info.ok_or_else(unread)?).map_err(|_| unread())?;
    let time = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
    let dates = certificate.validity();
    Ok(Handshake {
        version: if version == Version::TLS_1_3 { "TLS 1.3" } else { "TLS 1.2" },
        from: time(dates.not_before.timestamp()),
        until: time(dates.not_after.timestamp()),
    })
}
