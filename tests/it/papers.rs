//! Certificates and keys of the tests' own making, and the TLS server that shows them.

use std::sync::Arc;

use baton::mock::Relay;
use rcgen::{CertifiedKey, KeyPair};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::front;
use crate::front::Front;

/// Certificates and keys in files: a server's for `relay.invalid` and a client's.
pub(crate) struct Papers {
    folder: tempfile::TempDir,
    pub(crate) server: CertifiedKey<KeyPair>,
    pub(crate) client: CertifiedKey<KeyPair>,
}

impl Papers {
    /// Makes them.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let papers = Self { folder, server: make("relay.invalid"), client: make("client") };
        papers.write("server.pem", &papers.server.cert.pem());
        papers.write("client.pem", &papers.client.cert.pem());
        papers.write("client.key", &papers.client.signing_key.serialize_pem());
        papers
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        crate::oauth::hide(&self.folder.path().join(name));
        self.path(name)
    }

    /// TLS before a relay.
    pub(crate) fn front(&self, relay: &Relay, clients: Clients) -> Front {
        front::tls(relay, self.config(clients))
    }

    /// A server's side of TLS; where clients must show a certificate, only the one of these papers will do.
    pub(crate) fn config(&self, clients: Clients) -> ServerConfig {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.server.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            Clients::Anyone => builder.with_no_client_auth(),
            Clients::Certified => {
                let mut roots = RootCertStore::empty();
                roots.add(self.client.cert.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let mut config = builder.with_single_cert(vec![self.server.cert.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// Which clients a server lets in.
#[derive(Clone, Copy)]
pub(crate) enum Clients {
    Anyone,
    Certified,
}
