//! TLS against a real server with a certificate of its own making.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use crate::baton::run;

/// A server that answers every request with one whole Messages reply.
struct Server {
    url: String,
    certificate: tempfile::NamedTempFile,
    _runtime: tokio::runtime::Runtime,
}

fn serve(name: &str) -> Server {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    serve_with(&made.cert, &made.signing_key)
}

fn serve_with(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Server {
    serve_over(tokio_rustls::rustls::DEFAULT_VERSIONS, (certificate, key))
}

fn serve_over(
    versions: &[&'static SupportedProtocolVersion],
    (certificate, key): (&rcgen::Certificate, &rcgen::KeyPair),
) -> Server {
    const BODY: &str = r#"{"type":"message","id":"msg_1","model":"m","content":[{"type":"text","text":"over TLS"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    runtime.spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let Ok(mut peer) = acceptor.accept(peer).await else { continue };
            let _ = peer.read(&mut vec![0; 65536]).await;
            let length = BODY.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = peer.write_all(format!("{head}{BODY}").as_bytes()).await;
            let _ = peer.shutdown().await;
        }
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate.pem()).unwrap();
    Server { url, certificate: file, _runtime: runtime }
}

fn send(server: &Server, more: &[&str]) -> crate::baton::Said {
    let mut arguments = vec!["send", "--url", &server.url, "--model", "m", "--no-stream", "Hello"];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn a_certificate_of_an_unknown_issuer_is_refused_with_the_way_to_trust_it() {
    let said = send(&serve("localhost"), &[]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("issuer is not trusted") && said.err.contains("--cacert"), "{said:?}");
}

#[test]
fn a_certificate_that_is_named_is_trusted_and_one_for_another_host_is_not() {
    let server = serve("localhost");
    let said = send(&server, &["--cacert", server.certificate.path().to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (0, "over TLS\n"), "{said:?}");
    let server = serve("other.example");
    let said = send(&server, &["--cacert", server.certificate.path().to_str().unwrap()]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("another host name"), "{said:?}");
    assert_eq!(send(&server, &["--insecure"]).code, 0);
}

#[test]
fn the_certificate_of_an_authority_is_named_where_a_server_presents_it_as_its_own() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = serve_with(&params.self_signed(&key).unwrap(), &key);
    let said = send(&server, &["--cacert", server.certificate.path().to_str().unwrap()]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("presents the certificate of a CA as its own"), "{said:?}");
}

#[test]
fn tls_where_none_is_spoken_is_named_as_that() {
    let relay = crate::baton::relay("ttft=0,gap=0,tokens=1");
    let url = relay.base_url().replace("http://", "https://");
    let said = run(&["send", "--url", &url, "--model", "m", "--attempts", "1", "Hello"]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("not TLS") && said.err.contains("http://"), "{said:?}");
}

/// A certificate that began so many days ago and has so many left.
fn dated(ago: u64, left: u64) -> (rcgen::Certificate, rcgen::KeyPair) {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let (now, days) = (std::time::SystemTime::now(), |days| std::time::Duration::from_secs(days * 86_400));
    params.not_before = (now - days(ago)).into();
    params.not_after = (now + days(left) + std::time::Duration::from_secs(3_600)).into();
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

/// What `check` finds about the certificate.
fn certified(server: &Server, more: &[&str]) -> (String, String) {
    let mut arguments =
        vec!["check", "--url", &server.url, "--model", "m", "--only", "C22", "--format", "json"];
    arguments.extend(more);
    let said = run(&arguments);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let finding = &report["findings"][0];
    (finding["verdict"].as_str().unwrap().to_owned(), finding["evidence"].to_string())
}

#[test]
fn check_tells_how_long_a_certificate_holds_and_warns_before_it_ends() {
    for (ago, left, wanted) in [(400, 400, "pass"), (70, 20, "pass"), (80, 10, "warn"), (3, 3, "pass")] {
        let (certificate, key) = dated(ago, left);
        let server = serve_with(&certificate, &key);
        let (verdict, evidence) =
            certified(&server, &["--cacert", server.certificate.path().to_str().unwrap()]);
        assert_eq!(verdict, wanted, "{left} days: {evidence}");
        assert!(evidence.contains(&format!("{left} days from now")), "{evidence}");
        assert!(evidence.contains("TLS 1.3 is spoken"), "{evidence}");
        let (verdict, evidence) = certified(&server, &["--insecure"]);
        assert_eq!(verdict, "warn", "{evidence}");
        assert!(evidence.contains("--insecure"), "{evidence}");
    }
}

#[test]
fn check_tells_that_a_relay_speaks_nothing_newer_than_tls_1_2() {
    let (certificate, key) = dated(10, 90);
    let server = serve_over(&[&TLS12], (&certificate, &key));
    let (verdict, evidence) = certified(&server, &["--cacert", server.certificate.path().to_str().unwrap()]);
    assert_eq!(verdict, "pass", "{evidence}");
    assert!(evidence.contains("TLS 1.2 is spoken"), "{evidence}");
}
