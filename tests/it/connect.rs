//! How connections are made, seen from the other end of them.

use std::path::{Path, PathBuf};

use crate::baton::{Said, baton, relay, run};
use crate::front;
use crate::front::Front;
use crate::papers::{Clients, Papers};

const SPEC: &str = "ttft=0,gap=0,tokens=3";

fn send_to(url: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["send", "--url", url, "--model", "m", "--attempts", "1", "Hello"];
    arguments.extend(more);
    run(&arguments)
}

/// Runs a bench of one level and gives the connections that the relay saw.
fn connections_of_bench(users: &str, requests: &str, more: &[&str]) -> u64 {
    let relay = relay("ttft=2ms,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let mut arguments = vec!["bench", "--url", &url, "--model", "m", "-c", users, "-n", requests];
    arguments.extend(["--warmup", "0", "--workers", "2"]);
    arguments.extend(more);
    let said = run(&arguments);
    assert_eq!(said.code, 0, "{said:?}");
    relay.stats().connections
}

#[test]
fn a_connection_serves_many_requests_unless_each_is_to_make_its_own() {
    // The one more is the request that goes before the levels.
    assert_eq!(connections_of_bench("1", "10", &[]), 1 + 1);
    assert_eq!(connections_of_bench("1", "10", &["--no-keepalive"]), 1 + 10);
    assert_eq!(connections_of_bench("1", "10", &["--no-keepalive", "--http2"]), 1 + 10);
}

#[test]
fn no_more_connections_are_made_than_are_allowed() {
    assert_eq!(connections_of_bench("8", "80", &[]), 1 + 8);
    assert_eq!(connections_of_bench("8", "80", &["--max-connections", "3"]), 1 + 3);
    assert_eq!(connections_of_bench("8", "80", &["--max-connections", "1"]), 1 + 1);
    let said = run(&["bench", "--mock", "--max-connections", "2", "--http2"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn waiting_for_a_connection_is_no_fault_of_the_relays() {
    let relay = relay("ttft=40ms,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let mut arguments = vec!["bench", "--url", &url, "--model", "m", "-c", "10", "-n", "20", "--warmup", "0"];
    arguments.extend(["--max-connections", "1", "--first-byte-timeout", "200ms", "--format", "json"]);
    let said = run(&arguments);
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let level = &document["levels"][0];
    assert_eq!(level["errors"], 0, "{said:?}");
    assert!(level["latency_ms"]["max"].as_f64().unwrap() > 300.0, "the wait is part of what a user feels");
}

#[test]
fn a_proxy_carries_the_request_and_looks_the_name_up_itself() {
    let relay = relay(SPEC);
    let proxy = front::http_proxy(&relay);
    let said = send_to("http://relay.invalid", &["-x", &format!("http://127.0.0.1:{}", proxy.port)]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        proxy.notes(),
        ["POST http://relay.invalid/v1/messages HTTP/1.1 | host: relay.invalid".to_owned()]
    );
    let proxy = front::socks_proxy(&relay);
    let said = send_to("http://relay.invalid:81", &["-x", &format!("socks5h://127.0.0.1:{}", proxy.port)]);
    assert_eq!((said.code, proxy.notes()), (0, vec!["1 relay.invalid:81".to_owned()]), "{said:?}");
}

#[test]
fn a_socks5_proxy_is_given_the_address_that_was_looked_up_here() {
    let relay = relay(SPEC);
    let proxy = front::socks_proxy(&relay);
    let address = format!("socks5://127.0.0.1:{}", proxy.port);
    let detour = "relay.invalid:81:192.0.2.7";
    let said = send_to("http://relay.invalid:81", &["-x", &address, "--resolve", detour]);
    assert_eq!((said.code, proxy.notes()), (0, vec!["1 192.0.2.7:81".to_owned()]), "{said:?}");
    let said = send_to("http://relay.invalid:81", &["-x", &address]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("no address found for relay.invalid"), "{said:?}");
}

#[test]
fn a_proxy_of_another_kind_or_with_a_password_is_refused() {
    for (proxy, word) in [("ftp://127.0.0.1", "'ftp'"), ("socks5://a:b@127.0.0.1", "password")] {
        let said = send_to("http://relay.invalid", &["-x", proxy]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("--proxy") && said.err.contains(word), "{said:?}");
    }
}

fn send_with_environment(url: &str, names: &[(&str, &str)]) -> Said {
    let mut command = baton();
    command.args(["send", "--url", url, "--model", "m", "--attempts", "1", "Hello"]);
    command.envs(names.iter().copied());
    command.output().unwrap().into()
}

#[test]
fn the_environments_proxy_is_used_but_never_for_loopback() {
    let relay = relay(SPEC);
    let proxy = front::http_proxy(&relay);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let names = [("HTTP_PROXY", address.as_str()), ("HTTPS_PROXY", &address), ("ALL_PROXY", &address)];
    let port = relay.base_url().rsplit_once(':').unwrap().1.to_owned();
    for url in [relay.base_url(), format!("http://localhost:{port}")] {
        assert_eq!(send_with_environment(&url, &names).code, 0);
    }
    assert_eq!(proxy.notes(), Vec::<String>::new());
    assert_eq!(send_with_environment("http://relay.invalid", &names).code, 0);
    assert_eq!(proxy.notes().len(), 1);
    let mut names = names.to_vec();
    names.push(("NO_PROXY", "relay.invalid"));
    let said = send_with_environment("http://relay.invalid", &names);
    assert_eq!((said.code, proxy.notes().len()), (11, 1), "{said:?}");
}

#[test]
fn a_name_is_connected_to_at_the_address_given_for_it() {
    let relay = relay(SPEC);
    let port = relay.base_url().rsplit_once(':').unwrap().1.to_owned();
    let url = format!("http://relay.invalid:{port}");
    let said = send_to(&url, &["--resolve", &format!("relay.invalid:{port}:127.0.0.1")]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = send_to(&url, &["--resolve", "relay.invalid:1:127.0.0.1"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--resolve relay.invalid:1:127.0.0.1"), "{said:?}");
    assert_eq!(send_to(&url, &["--resolve", "relay.invalid"]).code, 2);
}

#[test]
fn another_place_is_connected_to_under_the_first_ones_name() {
    let relay = relay(SPEC);
    let front = front::http_proxy(&relay);
    let detour = format!("relay.invalid:81:127.0.0.1:{}", front.port);
    let said = send_to("http://relay.invalid:81", &["--connect-to", &detour]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(front.notes(), ["POST /v1/messages HTTP/1.1 | host: relay.invalid:81"]);
    let said = send_to("http://relay.invalid:82", &["--connect-to", &detour]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(&format!("--connect-to {detour}")), "{said:?}");
    assert_eq!(send_to("http://127.0.0.1:81", &["--connect-to", "::127.0.0.1:82"]).code, 2);
    let said = send_to("http://relay.invalid:81", &["--connect-to", &detour, "--http2"]);
    assert!(said.code == 2 && said.err.contains("--http1"), "{said:?}");
}

/// Sends to `https://relay.invalid` at this front.
fn send_by(papers: &Papers, front: &Front, more: &[&str]) -> Said {
    let detour = format!("relay.invalid:443:127.0.0.1:{}", front.port);
    let roots = papers.path("server.pem");
    let mut arguments = vec!["--connect-to", &detour, "--cacert", &roots];
    arguments.extend(more);
    send_to("https://relay.invalid", &arguments)
}

#[test]
fn the_http_version_is_negotiated_unless_one_is_asked_for() {
    let relay = relay(SPEC);
    let papers = Papers::new();
    let front = papers.front(&relay, Clients::Anyone);
    for more in [&[][..], &["--http1"], &["--http2"]] {
        let said = send_by(&papers, &front, more);
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(front.notes(), ["relay.invalid h2", "relay.invalid http/1.1", "relay.invalid h2"]);
}

#[test]
fn tls_goes_through_a_proxy_unread() {
    let relay = relay(SPEC);
    let papers = Papers::new();
    let front = papers.front(&relay, Clients::Anyone);
    let roots = papers.path("server.pem");
    let url = format!("https://relay.invalid:{}", front.port);
    let proxy = front::http_proxy_to(front.port);
    let http = format!("http://127.0.0.1:{}", proxy.port);
    let said = send_to(&url, &["-x", &http, "--cacert", &roots]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(proxy.notes()[0].starts_with(&format!("CONNECT relay.invalid:{} ", front.port)));
    let proxy = front::socks_proxy_to(front.port);
    let socks = format!("socks5h://127.0.0.1:{}", proxy.port);
    let said = send_to(&url, &["-x", &socks, "--cacert", &roots]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(proxy.notes(), [format!("1 relay.invalid:{}", front.port)]);
}

#[test]
fn the_way_to_a_proxy_may_be_encrypted_too() {
    let relay = relay(SPEC);
    let papers = Papers::new();
    let proxy = front::http_proxy(&relay);
    let mut config = papers.config(Clients::Anyone);
    config.alpn_protocols.clear();
    let front = front::tls_to(proxy.port, config);
    let address = format!("https://127.0.0.1:{}", front.port);
    let said = send_to("http://relay.invalid", &["-x", &address, "--insecure"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((front.notes().len(), proxy.notes().len()), (1, 1));
}

#[test]
fn a_client_certificate_is_shown_to_a_relay_that_asks_for_one() {
    let relay = relay(SPEC);
    let papers = Papers::new();
    let front = papers.front(&relay, Clients::Certified);
    // HTTP/2 keeps only the words of the alert, and not its type, which makes it a lost connection.
    let said = send_by(&papers, &front, &[]);
    assert!(said.code == 11 && said.err.contains("CertificateRequired"), "{said:?}");
    let said = send_by(&papers, &front, &["--http1"]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(
        said.err.contains("asks for a client certificate") && said.err.contains("--cert FILE"),
        "{said:?}"
    );
    let (cert, key) = (papers.path("client.pem"), papers.path("client.key"));
    let said = send_by(&papers, &front, &["--cert", &cert, "--cert-key", &key]);
    assert_eq!(said.code, 0, "{said:?}");
    let both = papers.client.signing_key.serialize_pem() + &papers.client.cert.pem();
    let both = papers.write("both.pem", &both);
    assert_eq!(send_by(&papers, &front, &["--cert", &both]).code, 0);
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_named_with_its_file() {
    let papers = Papers::new();
    let (cert, key) = (papers.path("client.pem"), papers.path("client.key"));
    let other = papers.write("other.key", &papers.server.signing_key.serialize_pem());
    let locked = papers.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n");
    let broken = papers.write("broken.key", "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n");
    let missing = papers.path("missing.pem");
    let url = "https://relay.invalid";
    for (more, flag, file, word) in [
        (vec!["--cert", &cert], "--cert", &cert, "no private key"),
        (vec!["--cert", &key], "--cert", &key, "no certificate"),
        (vec!["--cert", &missing], "--cert", &missing, "No such file"),
        (vec!["--cert", &cert, "--cert-key", &missing], "--cert-key", &missing, "No such file"),
        (vec!["--cert", &cert, "--cert-key", &cert], "--cert-key", &cert, "no private key"),
        (vec!["--cert", &cert, "--cert-key", &locked], "--cert-key", &locked, "encrypted"),
        (vec!["--cert", &cert, "--cert-key", &broken], "--cert-key", &broken, ""),
        (vec!["--cert", &cert, "--cert-key", &other], "--cert-key", &other, "not the certificate's"),
    ] {
        let said = send_to(url, &more);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(&format!("{flag} {file}: ")) && said.err.contains(word), "{said:?}");
    }
    assert_eq!(send_to(url, &["--cert-key", &key]).code, 2);
    let said = send_to("http://127.0.0.1:1", &["--cert", &cert, "--cert-key", &key]);
    assert!(said.code == 2 && said.err.contains("not spoken to over TLS"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_takes_the_place_of_tcp() {
    let relay = relay(SPEC);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.socket");
    let front = front::unix_socket(&relay, &path);
    let said = send_to("http://relay.invalid", &["--unix-socket", path.to_str().unwrap()]);
    assert_eq!((said.code, front.notes().len()), (0, 1), "{said:?}");
    let missing = shown(folder.path(), "missing.socket");
    let said = send_to("http://relay.invalid", &["--unix-socket", &missing]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains(&missing), "{said:?}");
    for other in [["--proxy", "http://127.0.0.1:1"], ["--resolve", "relay.invalid:80:127.0.0.1"]] {
        let said = send_to("http://relay.invalid", &["--unix-socket", &missing, other[0], other[1]]);
        assert_eq!(said.code, 2, "{said:?}");
    }
}

#[cfg(unix)]
fn shown(folder: &Path, name: &str) -> String {
    let path: PathBuf = folder.join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_curl_command_connects_in_the_same_way() {
    let papers = Papers::new();
    let (cert, key) = (papers.path("client.pem"), papers.path("client.key"));
    let mut more = vec!["--curl", "--cert", &cert, "--cert-key", &key, "--no-keepalive", "--http1"];
    more.extend(["--resolve", "other.invalid:8443:127.0.0.1"]);
    more.extend(["--connect-to", "relay.invalid:443:other.invalid:8443"]);
    let said = send_to("https://relay.invalid", &more);
    assert_eq!(said.code, 0, "{said:?}");
    for part in [
        format!("--cert '{cert}'"),
        format!("--key '{key}'"),
        "--resolve 'other.invalid:8443:127.0.0.1'".to_owned(),
        "--connect-to 'relay.invalid:443:other.invalid:8443'".to_owned(),
        "--noproxy '*'".to_owned(),
        "--header 'connection: close'".to_owned(),
    ] {
        assert!(said.out.contains(&part), "{part} in {said:?}");
    }
    let said = send_to("http://relay.invalid", &["--curl", "--unix-socket", "relay.socket"]);
    assert!(said.out.contains("--unix-socket 'relay.socket'"), "{said:?}");
    let said = send_to("http://relay.invalid", &["--curl", "--proxy", "socks5h://127.0.0.1"]);
    assert!(said.out.contains("--proxy 'socks5h://127.0.0.1:1080'"), "{said:?}");
}

#[test]
fn a_proxy_that_does_not_answer_is_named_in_place_of_the_relay() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = format!("http://127.0.0.1:{port}/");
    let url = ["send", "--url", "https://relay.invalid", "--model", "m", "--attempts", "1", "Hello"];
    let said = run(&[&url[..], &["--proxy", &proxy]].concat());
    assert_eq!(said.code, 11, "{said:?}");
    assert!(
        said.err.contains(&format!("through the proxy {proxy}")) && said.err.contains("is the proxy running"),
        "{said:?}"
    );
    let said: Said = baton().args(url).env("HTTPS_PROXY", &proxy).output().unwrap().into();
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("through the proxy of HTTPS_PROXY"), "{said:?}");
}
