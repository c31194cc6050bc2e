//! A server of TLS in front of a mock, whose certificate can go wrong while clients use it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{Certificate, CertificateParams, KeyPair};
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a client meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// A certificate that holds.
    Good,
    /// One whose days are over.
    Expired,
    /// One for another host.
    Strange,
    /// No TLS at all.
    Plain,
}

/// The server.
pub(super) struct Front {
    pub(super) url: String,
    /// The certificates that are trusted.
    pub(super) trusted: NamedTempFile,
    face: watch::Sender<Face>,
    _runtime: Runtime,
}

const DAY: Duration = Duration::from_secs(86_400);

/// A certificate for a host that began nine days ago and ends then.
fn certificate(host: &str, end: SystemTime) -> (Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = (SystemTime::now() - 9 * DAY).into();
    params.not_after = end.into();
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

fn acceptor((certificate, key): &(Certificate, KeyPair)) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Front {
    /// In front of what listens at this address.
    pub(super) fn of(mock: &str) -> Self {
        Self::at(("127.0.0.1:0", "localhost"), mock)
    }

    /// The same at an address and under a name.
    pub(super) fn at((listen, host): (&str, &str), mock: &str) -> Self {
        let (past, ahead) = (SystemTime::now() - DAY, SystemTime::now() + 90 * DAY);
        let made =
            [(host, ahead), (host, past), ("other.example", ahead)].map(|(host, end)| certificate(host, end));
        let trusted = NamedTempFile::new().unwrap();
        std::fs::write(trusted.path(), made.iter().map(|(one, _)| one.pem()).collect::<String>()).unwrap();
        let acceptors: Vec<TlsAcceptor> = made.iter().map(acceptor).collect();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(listen)).unwrap();
        let url = format!("https://{host}:{}", listener.local_addr().unwrap().port());
        let (face, faces) = watch::channel(Face::Good);
        let behind = mock.trim_start_matches("http://").to_owned();
        runtime.spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let (behind, acceptors, mut faces) = (behind.clone(), acceptors.clone(), faces.clone());
                tokio::spawn(async move {
                    let face = *faces.borrow_and_update();
                    tokio::select! {
                        () = serve(peer, (face, &acceptors), &behind) => {}
                        // What is open ends, as where a server starts anew.
                        _ = faces.changed() => {}
                    }
                });
            }
        });
        Self { url, trusted, face, _runtime: runtime }
    }

    /// What clients meet from now on.
    pub(super) fn show(&self, face: Face) {
        self.face.send_replace(face);
    }
}

async fn serve(mut peer: TcpStream, (face, acceptors): (Face, &[TlsAcceptor]), behind: &str) {
    let acceptor = match face {
        Face::Good => &acceptors[0],
        Face::Expired => &acceptors[1],
        Face::Strange => &acceptors[2],
        Face::Plain => {
            let _ = peer.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
            return;
        }
    };
    if let (Ok(mut peer), Ok(mut relay)) = (acceptor.accept(peer).await, TcpStream::connect(behind).await) {
        let _ = copy_bidirectional(&mut peer, &mut relay).await;
    }
}
