//! The engine's own connections: how many there are, what they carry, and the parts of making them.

use serde_json::Value;

use crate::baton::{relay, run};
use crate::front;
use crate::papers::{Clients, Papers};

const SPEC: &str = "ttft=20ms,gap=0,tokens=2,slots=inf";

/// The only level of a bench.
fn level(url: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["bench", "--url", url, "--model", "m", "--warmup", "0", "--workers", "1"];
    arguments.extend(["--format", "json"]);
    arguments.extend(more);
    let said = run(&arguments);
    let mut document: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    document["levels"][0].take()
}

#[test]
fn the_parts_of_making_a_connection_are_told_apart_over_tls() {
    let (relay, papers) = (relay(SPEC), Papers::new());
    let front = papers.front(&relay, Clients::Anyone);
    let url = format!("https://relay.invalid:{}", front.port);
    let resolve = format!("relay.invalid:{}:127.0.0.1", front.port);
    let trusted = papers.path("server.pem");
    let level = level(&url, &["-c", "4", "-n", "12", "--cacert", &trusted, "--resolve", &resolve]);
    assert_eq!(level["errors"], 0, "{level}");
    for (metric, values) in [("connect_ms", 4), ("tls_ms", 4), ("send_ms", 12)] {
        assert_eq!(level[metric]["n"], values, "{metric}: {}", level[metric]);
    }
    assert!(level["tls_ms"]["min"].as_f64() > level["connect_ms"]["min"].as_f64(), "{level}");
    let client = &level["client"];
    assert_eq!((&client["connections_made"], &client["connections_max"]), (&4.into(), &4.into()));
    assert_eq!(client["streams_per_connection_max"], 1);
}

#[test]
fn over_http_2_users_share_a_connection_and_the_report_says_how_many_do() {
    let relay = relay(SPEC);
    let shared = level(&relay.base_url(), &["--http2", "-c", "8", "-n", "32"]);
    let client = &shared["client"];
    assert_eq!((&client["connections_made"], &client["streams_per_connection_max"]), (&1.into(), &8.into()));
    assert!(shared["tls_ms"].is_null() && shared["send_ms"].is_null(), "{shared}");
}

#[test]
fn through_a_proxy_nobody_claims_to_know_the_connections() {
    let relay = relay(SPEC);
    let proxy = front::http_proxy(&relay);
    let through = format!("http://127.0.0.1:{}", proxy.port);
    let level = level("http://relay.invalid", &["-c", "2", "-n", "4", "--proxy", &through]);
    assert_eq!(level["errors"], 0, "{level}");
    assert!(level["client"]["connections_made"].is_null() && level["send_ms"].is_null(), "{level}");
}

#[test]
fn an_open_loop_makes_its_connections_ahead_of_the_requests_that_need_them() {
    let relay = relay(SPEC);
    let open = &["--rate", "50/s", "-c", "8", "-d", "1s", "--warmup", "500ms"];
    let mut arguments = vec!["bench", "--model", "m", "--workers", "1", "--format", "json"];
    let url = relay.base_url();
    arguments.extend(["--url", &url]);
    arguments.extend(open);
    let said = run(&arguments);
    let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let level = &document["levels"][0];
    assert!(level["requests"].as_u64() > Some(40) && level["connect_ms"].is_null(), "{level}");
    assert!(level["client"]["connections_made"].as_u64() >= Some(16), "{}", level["client"]);
}
