//! The relay around its answers: other routes, counters, the log, places, starting and stopping.

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::mock::Error;
use crate::mock::Options;
use crate::mock::Relay;

use super::wire::PATHS;
use super::wire::ask;
use super::wire::body;
use super::wire::post;
use super::wire::read_until;
use super::wire::receive;
use super::wire::relay;
use super::wire::send;

#[tokio::test]
async fn a_sign_of_life_the_models_and_the_tokens_of_a_prompt() {
    let relay = relay("");
    let get = async |line: &str, headers: &[&str], body: &str| {
        let got = receive(send(&relay, line, headers, body).await).await;
        (got.status(), serde_json::from_slice::<Value>(&got.body).unwrap())
    };
    assert_eq!(get("GET /health", &[], "").await, (200, json!({ "status": "ok" })));
    let (_, list) = get("GET /v1/models", &[], "").await;
    let model =
        json!({ "id": "mock-model", "object": "model", "created": 1_700_000_000, "owned_by": "mock" });
    assert_eq!((&list["object"], &list["data"][0]), (&json!("list"), &model));
    let (_, list) = get("GET /v1/models", &["anthropic-version: 2023-06-01"], "").await;
    assert_eq!(list["data"][0]["type"], "model");
    assert_eq!((&list["has_more"], &list["first_id"]), (&json!(false), &json!("mock-model")));
    let prompt = r#"{"model":"m","messages":[{"role":"user","content":"12345"}]}"#;
    let count = get("POST /v1/messages/count_tokens", &[], prompt).await;
    assert_eq!(count, (200, json!({ "input_tokens": 2 })));
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_clients_own_shape() {
    let relay = relay("");
    let got = receive(send(&relay, "POST /v1/nothing", &[], "{}").await).await;
    assert_eq!(got.status(), 404);
    assert!(
        got.text().starts_with(r#"{"error":{"message":"Invalid URL (POST /v1/nothing)""#),
        "{}",
        got.text()
    );
    let got = receive(send(&relay, "GET /v1/nothing", &["anthropic-version: 2023-06-01"], "").await).await;
    assert!(got.text().starts_with(r#"{"type":"error","error":{"type":"not_found_error""#), "{}", got.text());
    assert_eq!(receive(send(&relay, "GET /v1/messages", &[], "").await).await.status(), 405);
    for path in PATHS {
        assert_eq!(receive(post(&relay, path, "{").await).await.status(), 400);
        assert_eq!(receive(post(&relay, path, r#"{"model":"m"}"#).await).await.status(), 400);
    }
    let gzip = send(&relay, "POST /v1/messages", &["content-encoding: gzip"], "x").await;
    let got = receive(gzip).await;
    assert_eq!((got.status(), got.header("accept-encoding")), (415, Some("identity")));
}

#[tokio::test]
async fn the_counters_add_up() {
    let relay = relay("tokens=4");
    ask(&relay, PATHS[0], "m", true).await;
    ask(&relay, PATHS[1], "mock-429", true).await;
    ask(&relay, PATHS[1], "m", false).await;
    let got = receive(send(&relay, "GET /__mock/stats", &[], "").await).await;
    let stats: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(stats["requests"], 3);
    assert_eq!(stats["dialects"], json!({ "chat": 2, "messages": 1 }));
    assert_eq!(stats["statuses"], json!({ "200": 2, "429": 1 }));
    assert_eq!(stats["faults"], json!({ "mock-429": 1 }));
    let numbers =
        ["in_flight", "queued", "events", "connections", "aborted"].map(|name| stats[name].as_u64());
    assert_eq!(numbers, [0, 0, 4, 4, 0].map(Some));
    assert!(stats["lateness_ms"]["p99"].as_f64().unwrap() >= stats["lateness_ms"]["p50"].as_f64().unwrap());
    assert_eq!(serde_json::to_value(relay.stats()).unwrap()["requests"], 3);
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mock.jsonl");
    let options = Options {
        spec: "ttft=2ms,gap=1ms,tokens=3".parse().unwrap(),
        log: Some(path.clone()),
        ..Options::default()
    };
    let relay = Relay::start(options).unwrap();
    let stream = send(&relay, "POST /v1/messages", &["X-Request-ID: abc"], &body(PATHS[0], "m", true)).await;
    receive(stream).await;
    ask(&relay, PATHS[0], "mock-529", true).await;
    relay.stop().unwrap();
    let lines: Vec<Value> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    let times =
        ["read", "headers", "first_delta", "last_delta", "end"].map(|name| lines[0][name].as_u64().unwrap());
    assert!(times.is_sorted() && times[0] > 1_600_000_000_000_000_000, "{times:?}");
    // A late piece leaves together with the next, so only its place in the plan is sure: never before it is due.
    assert!(times[2] - times[0] >= 2_000_000 && times[3] - times[0] >= 4_000_000, "{times:?}");
    assert_eq!((&lines[0]["request_id"], &lines[0]["deltas"]), (&json!("abc"), &json!(3)));
    assert_eq!(
        (&lines[0]["model"], &lines[0]["status"], lines[0].get("fault")),
        (&json!("m"), &json!(200), None)
    );
    assert_eq!((&lines[1]["request_id"], &lines[1]["fault"]), (&Value::Null, &json!("mock-529")));
    assert!(lines[1].get("first_delta").is_none() && lines[1]["status"] == 529);
}

/// A relay with a single place, whose answers never begin.
fn slow_relay() -> Relay {
    Relay::start(Options { spec: "ttft=1h,slots=1".parse().unwrap(), ..Options::default() }).unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_at_once() {
    let relay = slow_relay();
    let mut holder = post(&relay, PATHS[0], &body(PATHS[0], "m", true)).await;
    read_until(&mut holder, "event: ping").await;
    let waiter = post(&relay, PATHS[0], &body(PATHS[0], "m", true)).await;
    while relay.stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    let mut last = post(&relay, PATHS[0], &body(PATHS[0], "m", true)).await;
    while relay.stats().queued < 2 {
        tokio::task::yield_now().await;
    }
    // One leaves the queue, the other its place: the last gets it.
    drop(waiter);
    drop(holder);
    read_until(&mut last, "event: ping").await;
    // That it left is counted apart from its leaving.
    while relay.stats().queued > 0 || relay.stats().aborted < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!((relay.stats().in_flight, relay.stats().aborted), (1, 2));
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let relay = relay("tokens=2");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/messages", relay.base_url());
    for _ in 0..3 {
        let reply = client.post(&url).body(body(PATHS[0], "m", true)).send().await.unwrap();
        assert!(reply.text().await.unwrap().contains("message_stop"));
    }
    assert_eq!((relay.stats().connections, relay.stats().requests), (1, 3));
}

#[tokio::test]
async fn http_2_is_spoken_without_tls() {
    let relay = relay("tokens=2");
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/v1/messages", relay.base_url());
    let post = |model: &str| client.post(&url).body(body(PATHS[0], model, true)).send();
    let (first, second) = tokio::join!(post("m"), post("mock-cut"));
    let first = first.unwrap();
    assert_eq!(first.version(), reqwest::Version::HTTP_2);
    assert!(first.text().await.unwrap().contains("message_stop"));
    assert!(second.unwrap().text().await.is_err());
    assert!(post("mock-reset").await.is_err());
    // One that stalls is given up, which frees it without closing the connection.
    drop(post("mock-stall").await.unwrap());
    while relay.stats().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((relay.stats().connections, relay.stats().aborted), (1, 1));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let relay = relay("");
    let problem = Relay::start(Options { listen: relay.address(), ..Options::default() }).unwrap_err();
    assert!(matches!(problem, Error::AddressInUse { address } if address == relay.address()));
    assert_eq!(problem.to_string(), format!("the address {} is in use", relay.address()));
    let log = Some("/nowhere/at/all".into());
    assert!(matches!(Relay::start(Options { log, ..Options::default() }), Err(Error::Log { .. })));
}

#[tokio::test]
async fn stopping_closes_what_is_open() {
    let relay = relay("");
    let mut stream = post(&relay, PATHS[0], &body(PATHS[0], "mock-silent", true)).await;
    while relay.stats().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    relay.stop().unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}
