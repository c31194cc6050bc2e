//! Whom connections trust and what they show of themselves, as the TLS library wants it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::super::Error;
use super::super::connection::{ClientCertificate, Connection, HttpVersion, Trust};

/// What encrypts connections.
pub(super) fn connector(connection: &Connection) -> Result<TlsConnector, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| set_up(&error))?;
    let builder = match &connection.trust {
        Trust::System => {
            let verifier = Verifier::new(provider).map_err(|error| set_up(&error))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        Trust::Only(pem) => builder.with_root_certificates(roots(pem)?),
        Trust::Anyone => {
            let schemes = provider.signature_verification_algorithms.supported_schemes();
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(schemes)))
        }
    };
    let mut config = match &connection.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity_of(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| Error::of_identity(&error))?
        }
    };
    config.alpn_protocols = match connection.version {
        HttpVersion::One => vec![b"http/1.1".to_vec()],
        HttpVersion::Two => vec![b"h2".to_vec()],
        HttpVersion::Negotiated => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The certificates of a PEM file as the only roots.
fn roots(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| set_up(&error))?;
        roots.add(certificate).map_err(|error| set_up(&error))?;
    }
    Ok(roots)
}

/// The chain and the key of a client certificate.
fn identity_of(
    ClientCertificate(pem): &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
    let chain = chain.map_err(|error| Error::of_identity(&error))?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| Error::of_identity(&error))?;
    Ok((chain, key))
}

fn set_up(error: &dyn std::error::Error) -> Error {
    Error::Setup(error.to_string())
}

/// Trusts whatever a server shows.
#[derive(Debug)]
struct Anyone(Vec<SignatureScheme>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
