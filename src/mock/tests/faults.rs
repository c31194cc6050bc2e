//! Each fault as a client meets it.

use serde_json::Value;

use super::wire::PATHS;
use super::wire::Received;
use super::wire::ask;
use super::wire::body;
use super::wire::post;
use super::wire::read_until;
use super::wire::receive;
use super::wire::relay;
use super::wire::send;

/// What ends a stream of four pieces in each dialect.
const TERMINALS: [&str; 4] = [
    "event: message_stop\n",
    "data: [DONE]\n",
    "event: response.completed\n",
    r#""stop_reason":"stop_sequence""#,
];

/// How many generated pieces came.
fn pieces(path: &str, text: &str) -> usize {
    let mark = match path {
        "/v1/messages" => "\"text_delta\"",
        "/v1/chat/completions" => "\"delta\":{\"content\":",
        "/v1/responses" => "\"type\":\"response.output_text.delta\"",
        _ => "\"stop_reason\":null",
    };
    text.matches(mark).count()
}

#[tokio::test]
async fn refusals_have_their_status_and_the_vendors_shape() {
    let relay = relay("");
    for (name, status, anthropic, openai) in [
        ("mock-400", 400, "invalid_request_error", "invalid_request_error"),
        ("mock-401", 401, "authentication_error", "invalid_request_error"),
        ("mock-402", 402, "billing_error", "insufficient_quota"),
        ("mock-403", 403, "permission_error", "invalid_request_error"),
        ("mock-404", 404, "not_found_error", "invalid_request_error"),
        ("mock-413", 413, "request_too_large", "invalid_request_error"),
        ("mock-429", 429, "rate_limit_error", "requests"),
        ("mock-quota", 429, "rate_limit_error", "insufficient_quota"),
        ("mock-500", 500, "api_error", "server_error"),
        ("mock-503", 503, "api_error", "server_error"),
        ("mock-529", 529, "overloaded_error", "overloaded_error"),
    ] {
        for (path, kind) in PATHS.into_iter().zip([anthropic, openai, openai, anthropic]) {
            let got = ask(&relay, path, &format!("claude-{name}"), true).await;
            let error: Value = serde_json::from_slice(&got.body).unwrap();
            assert_eq!((got.status(), &error["error"]["type"]), (status, &kind.into()), "{name} {path}");
        }
    }
}

#[tokio::test]
async fn the_vendors_errors_are_letter_for_letter() {
    let relay = relay("");
    assert_eq!(
        ask(&relay, PATHS[0], "mock-quota", false).await.text(),
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"You exceeded your current quota, please check your plan and billing details.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_ID"}"#
    );
    assert_eq!(
        ask(&relay, PATHS[1], "mock-quota", false).await.text(),
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#
    );
}

#[tokio::test]
async fn only_a_rate_limit_says_when_to_come_back() {
    let relay = relay("");
    let got = ask(&relay, PATHS[0], "mock-429", true).await;
    assert_eq!(got.header("retry-after"), Some("1"));
    let reset = got.header("anthropic-ratelimit-requests-reset").unwrap();
    assert!(reset.len() == 20 && reset.ends_with('Z'), "{reset}");
    let got = ask(&relay, PATHS[1], "mock-429", true).await;
    assert_eq!(
        (got.header("retry-after"), got.header("x-ratelimit-reset-requests")),
        (Some("1"), Some("1s"))
    );
    for path in PATHS {
        assert_eq!(ask(&relay, path, "mock-quota", true).await.header("retry-after"), None);
    }
}

#[tokio::test]
async fn a_fault_that_strikes_once_spares_the_second_attempt_of_the_same_id() {
    let relay = relay("");
    for (name, status) in [("mock-429-once", 429), ("mock-500-once", 500), ("mock-529-once", 529)] {
        for (id, expected) in [("a", status), ("a", 200), ("b", status), ("a", 200), ("b", 200)] {
            let header = format!("x-request-id: {id}");
            let stream = send(&relay, "POST /v1/messages", &[&header], &body(PATHS[0], name, true)).await;
            assert_eq!(receive(stream).await.status(), expected);
        }
    }
    assert_eq!(relay.stats().faults["mock-429-once"], 2);
}

#[tokio::test]
async fn a_stream_breaks_halfway_in_each_way() {
    let relay = relay("tokens=4");
    for (path, terminal) in PATHS.into_iter().zip(TERMINALS) {
        for (name, is_whole, sent, error) in [
            ("mock-cut", false, 2, ""),
            ("mock-eof", true, 2, ""),
            ("mock-no-done", true, 4, ""),
            ("mock-error-event", true, 2, "Overloaded"),
            ("mock-error-first", true, 0, "Overloaded"),
        ] {
            let got = ask(&relay, path, name, true).await;
            let text = got.text();
            assert_eq!((got.is_whole, pieces(path, &text)), (is_whole, sent), "{name} {path}: {text}");
            assert!(!text.contains(terminal) && text.contains(error), "{name} {path}: {text}");
        }
    }
}

#[tokio::test]
async fn errors_inside_streams_are_the_vendors() {
    let relay = relay("");
    for (path, expected) in PATHS.into_iter().zip([
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"},\"request_id\":\"req_ID\"}\n\n",
        "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":4,\"code\":\"overloaded\",\"message\":\"Overloaded\",\"param\":null}\n\n",
        "event: error\ndata: {\"error\":{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    ]) {
        let text = ask(&relay, path, "mock-error-first", true).await.text();
        assert!(text.ends_with(expected), "{text}");
    }
}

#[tokio::test]
async fn a_stall_holds_the_connection_until_the_client_leaves() {
    let relay = relay("tokens=4,slots=1");
    for name in ["mock-stall", "mock-ping-stall"] {
        let mut stream = post(&relay, PATHS[0], &body(PATHS[0], name, true)).await;
        let mut text = read_until(&mut stream, "text_delta").await;
        while pieces(PATHS[0], &text) < 2 {
            text += &read_until(&mut stream, "text_delta").await;
        }
        if name == "mock-ping-stall" {
            let pings = read_until(&mut stream, "event: ping").await;
            assert_eq!(pings.matches("text_delta").count(), 0);
        }
        assert_eq!(relay.stats().in_flight, 1);
        drop(stream);
        // The only place is free again, or this would wait for ever.
        assert!(ask(&relay, PATHS[0], "m", true).await.is_whole);
    }
    assert_eq!(relay.stats().aborted, 2);
}

#[tokio::test]
async fn replies_that_are_no_answers() {
    let relay = relay("");
    let get = |name| ask(&relay, PATHS[0], name, true);
    let redirect = get("mock-redirect").await;
    assert_eq!((redirect.status(), redirect.header("location")), (307, Some("/elsewhere")));
    let empty = get("mock-empty").await;
    assert_eq!((empty.status(), empty.body.len(), empty.is_whole), (200, 0, true));
    for (name, status) in [("mock-html", 200), ("mock-html-502", 502)] {
        let page = get(name).await;
        assert_eq!((page.status(), page.header("content-type")), (status, Some("text/html; charset=utf-8")));
        assert!(page.text().starts_with("<!DOCTYPE html>"));
    }
    let error = get("mock-error-200").await;
    assert!(error.status() == 200 && error.text().starts_with(r#"{"type":"error""#));
    let json = get("mock-json-stream").await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert!(json.text().starts_with(r#"{"id":"msg_ID""#));
    let sse = ask(&relay, PATHS[0], "mock-sse-whole", false).await;
    assert!(sse.text().ends_with("data: {\"type\":\"message_stop\"}\n\n"));
    let Received { head, body, .. } = get("mock-reset").await;
    assert_eq!((head.as_str(), body.len()), ("", 0));
}

#[tokio::test]
async fn grammar_stays_valid_where_only_the_form_differs() {
    for (path, terminal) in PATHS.into_iter().zip(TERMINALS) {
        let get = async |name| ask(&relay("tokens=4"), path, name, true).await.text().replace(name, "m");
        let plain = get("m").await;
        let crlf = get("mock-crlf").await;
        assert!(
            crlf.matches("\r\n").count() == plain.matches('\n').count() && crlf.replace('\r', "") == plain
        );
        assert_eq!(get("mock-comments").await.replace(": keep-alive\n\n", ""), plain);
        let nameless = get("mock-no-event-names").await;
        assert!(!nameless.contains("event:"));
        let without: String =
            plain.split_inclusive('\n').filter(|line| !line.starts_with("event:")).collect();
        assert_eq!(nameless, without);
        let garbage = get("mock-garbage").await;
        assert_eq!((pieces(path, &garbage), garbage.matches("\"broken\"").count()), (4, 1));
        let empty = get("mock-empty-stream").await;
        assert!(pieces(path, &empty) == 0 && empty.contains(terminal), "{empty}");
        assert!(!get("mock-split-utf8").await.is_ascii());
    }
}

#[tokio::test]
async fn characters_are_split_between_chunks() {
    let relay = relay("tokens=2");
    let mut stream = post(&relay, PATHS[0], &body(PATHS[0], "mock-split-utf8", true)).await;
    let mut all = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut all).await.unwrap();
    let is_start = |byte: &u8| *byte >= 0xC0;
    assert!(all.windows(3).any(|bytes| is_start(&bytes[0]) && &bytes[1..] == b"\r\n"));
}

#[tokio::test]
async fn one_event_is_of_20_mib() {
    let got = ask(&relay("tokens=3"), PATHS[1], "mock-huge-event", true).await;
    let largest = got.text().lines().map(str::len).max().unwrap();
    assert!((20 * 1024 * 1024..21 * 1024 * 1024).contains(&largest), "{largest}");
}

#[tokio::test]
async fn stream_options_are_rejected_only_where_they_are() {
    let relay = relay("");
    let rejected = ask(&relay, PATHS[1], "mock-reject-stream-options", true).await;
    assert_eq!(rejected.status(), 400);
    assert!(rejected.text().contains("stream_options"));
    let body = body(PATHS[1], "mock-reject-stream-options", true)
        .replace(r#""stream_options":{"include_usage":true},"#, "");
    assert_eq!(receive(post(&relay, PATHS[1], &body).await).await.status(), 200);
}

#[tokio::test]
async fn usage_is_stated_twice_where_a_stream_has_it() {
    let relay = relay("");
    for (path, mark) in [(PATHS[0], "event: message_delta"), (PATHS[1], "\"choices\":[],")] {
        let text = ask(&relay, path, "mock-duplicate-usage", true).await.text();
        assert_eq!(text.matches(mark).count(), 2, "{text}");
    }
}

#[tokio::test]
async fn whole_answers_break_too() {
    let relay = relay("");
    for path in PATHS {
        let cut = ask(&relay, path, "mock-cut", false).await;
        assert!(!cut.is_whole && !cut.body.is_empty());
        let eof = ask(&relay, path, "mock-eof", false).await;
        assert!(eof.is_whole && serde_json::from_slice::<Value>(&eof.body).is_err());
        assert!(ask(&relay, path, "mock-error-event", false).await.text().contains("Overloaded"));
    }
}

#[tokio::test]
async fn chance_selects_faults_in_their_share_and_a_path_selects_them_for_raw_requests() {
    let relay = relay("fault=429:0.3,fault=eof:0.2,seed=5");
    for _ in 0..400 {
        ask(&relay, PATHS[1], "m", true).await;
    }
    let stats = relay.stats();
    let (limited, ended) = (stats.faults["mock-429"], stats.faults["mock-eof"]);
    assert!((90..150).contains(&limited) && (55..105).contains(&ended), "{limited} {ended}");
    assert_eq!(stats.statuses[&429], limited);
    let got = receive(send(&relay, "POST /raw/mock-503", &[], "hello").await).await;
    assert_eq!((got.status(), got.text().as_str()), (503, "api_error: Service unavailable\n"));
}
