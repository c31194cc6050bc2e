//! `baton models`: both vendors' forms, page by page, and the same exit codes as `send`.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::baton::{Said, baton, relay, run};

const ANTHROPIC: &str = include_str!("../fixtures/wire/models-anthropic.json");
const OPENAI: &str = include_str!("../fixtures/wire/models-openai.json");

/// Answers each of these requests once, in this order, and gives the heads of the requests it saw.
fn canned(replies: Vec<(u16, &'static str, String)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for (status, kind, body) in replies {
            let (mut peer, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && peer.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            heads.push(String::from_utf8(head).unwrap().to_lowercase());
            let length = body.len();
            let mut reply = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n");
            write!(reply, "content-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
            peer.write_all(reply.as_bytes()).unwrap();
        }
        heads
    });
    (url, server)
}

fn json(status: u16, body: &str) -> (u16, &'static str, String) {
    (status, "application/json", body.to_owned())
}

#[test]
fn the_embedded_relay_lists_its_models_in_both_forms() {
    for api in ["messages", "complete", "chat", "responses"] {
        let said = run(&["models", "--mock", "--api", api]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        let mut lines = said.out.lines();
        assert!(lines.next().unwrap().starts_with("Model"), "{said:?}");
        assert!(lines.next().unwrap().starts_with("mock-model"), "{said:?}");
        assert_eq!(said.out.contains("Owner"), matches!(api, "chat" | "responses"), "{said:?}");
        assert!(said.out.contains("2023-11-14"), "{said:?}");
        assert!(said.out.lines().all(|line| line == line.trim_end()), "{said:?}");
    }
}

#[test]
fn json_has_the_same_fields_for_both_vendors() {
    let relay = relay("");
    let url = relay.base_url();
    for (api, field) in [("messages", "display_name"), ("chat", "owned_by")] {
        let said = run(&["models", "--url", &url, "--api", api, "--format", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        let object: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(object["endpoint"], format!("{url}/v1/models"));
        let first = object["models"][0].as_object().unwrap();
        assert_eq!(first["id"], "mock-model");
        assert!(first[field].is_string(), "{first:?}");
        assert_eq!(first["created_at"], "2023-11-14T22:13:20Z");
        assert_eq!(first.keys().collect::<Vec<_>>(), ["id", "display_name", "owned_by", "created_at"]);
    }
}

#[test]
fn the_next_page_is_asked_for_by_the_last_id_with_the_vendors_headers_and_key() {
    let last = r#"{"data":[{"type":"model","id":"claude-last"}],"has_more":false,"last_id":"claude-last"}"#;
    let (url, server) = canned(vec![json(200, ANTHROPIC), json(200, last)]);
    let mut command = baton();
    command.env("ANTHROPIC_API_KEY", "sk-1").args(["models", "--url", &format!("{url}/v1?tenant=a")]);
    let said: Said = command.args(["-H", "x-team: blue"]).output().unwrap().into();
    assert_eq!(said.code, 0, "{said:?}");
    let ids: Vec<_> = said.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(ids, ["Model", "claude-sonnet-4-20250514", "claude-3-7-sonnet-20250219", "claude-last"]);
    let heads = server.join().unwrap();
    assert!(heads[0].starts_with("get /v1/models?tenant=a http/1.1"), "{}", heads[0]);
    assert!(
        heads[1].starts_with("get /v1/models?tenant=a&after_id=claude-3-7-sonnet-20250219 "),
        "{}",
        heads[1]
    );
    for head in &heads {
        for line in ["anthropic-version: 2023-06-01\r\n", "x-api-key: sk-1\r\n", "x-team: blue\r\n"] {
            assert!(head.contains(line), "{head}");
        }
        for name in ["content-type", "content-length", "idempotency-key", "authorization"] {
            assert!(!head.contains(name), "{head}");
        }
    }
}

#[test]
fn openais_form_is_asked_for_with_its_key_and_read() {
    let (url, server) = canned(vec![json(200, OPENAI)]);
    let mut command = baton();
    command.env("OPENAI_API_KEY", "sk-2").args(["models", "--api", "chat", "--url", &url]);
    let said: Said = command.output().unwrap().into();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("organization-owner  2023-06-16"), "{said:?}");
    assert!(!said.out.contains("Name"), "no model has one: {said:?}");
    let head = server.join().unwrap().remove(0);
    assert!(head.contains("authorization: bearer sk-2\r\n") && !head.contains("anthropic"), "{head}");
}

#[test]
fn a_relay_that_repeats_its_page_is_asked_no_further() {
    let (url, server) = canned(vec![json(200, ANTHROPIC), json(200, ANTHROPIC)]);
    let said = run(&["models", "--url", &url]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("another page"), "{said:?}");
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn each_failure_has_the_exit_code_that_send_gives_it() {
    let page = (200, "application/json", "<!doctype html><title>Log in</title>".to_owned());
    let refusal = r#"{"type":"error","error":{"type":"authentication_error","message":"no such key"}}"#;
    for (reply, code, word) in [
        (json(401, refusal), 3, "no such key"),
        (json(403, refusal), 3, "no such key"),
        (json(404, r#"{"detail":"Not Found"}"#), 4, "list of models"),
        ((404, "text/html", "<html>nothing</html>".to_owned()), 4, "list of models"),
        (json(302, ""), 4, "redirect"),
        (json(429, refusal), 6, "rate"),
        (json(500, refusal), 5, "the relay failed"),
        (json(529, refusal), 5, "overloaded"),
        (page, 9, "Log in"),
        (json(200, ""), 9, "empty"),
        (json(200, "hello"), 9, "hello"),
        (json(200, r#"{"models":[]}"#), 9, "list of models"),
        (json(200, r#"{"data":["#), 9, "not valid JSON"),
    ] {
        let (url, server) = canned(vec![reply.clone()]);
        let said = run(&["models", "--url", &url]);
        server.join().unwrap();
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{reply:?}: {said:?}");
        assert!(said.err.contains(word) && said.err.contains("GET http"), "{reply:?}: {said:?}");
        assert!(!said.err.contains("billed"), "a list costs nothing: {said:?}");
    }
}

#[test]
fn an_unreachable_relay_is_a_network_error() {
    // A port that was free a moment ago refuses.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let said = run(&["models", "--url", &url]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains(&url) && said.err.contains("hint:"), "{said:?}");
}

#[test]
fn a_relay_that_says_nothing_is_given_up_within_its_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let said = run(&["models", "--url", &url, "--first-byte-timeout", "50ms"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.contains("--first-byte-timeout"), "{said:?}");
}

#[test]
fn what_can_have_no_effect_on_a_list_is_refused() {
    for (arguments, word) in [
        (&["models", "--mock", "--api", "raw"][..], "--api"),
        (&["models", "--mock", "--stall-timeout", "5s"], "--stall-timeout"),
        (&["models", "--mock", "--first-token-timeout", "5s"], "--first-token-timeout"),
        (&["models", "--mock", "--format", "csv"], "--format"),
        (&["models"], "--mock"),
    ] {
        let said = run(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {said:?}");
        assert!(said.err.contains(word), "{arguments:?}: {said:?}");
    }
    let help = run(&["models", "--help"]).out;
    assert!(!help.contains("--stall-timeout") && help.contains("--idle-timeout"), "{help}");
}
