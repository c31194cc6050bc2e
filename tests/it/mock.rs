//! `baton mock` as a server of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::baton::{baton, run};

/// A mock process; dropping it stops it.
struct Mock {
    child: Child,
    url: String,
}

impl Mock {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            baton().arg("mock").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn its_first_line_is_its_address_and_it_answers_there() {
    let mock = Mock::start(&["ttft=0,gap=0,tokens=3"]);
    assert!(mock.url.starts_with("http://127.0.0.1:"), "{}", mock.url);
    let said = run(&["send", "--url", &mock.url, "--model", "m", "Hello"]);
    assert_eq!((said.code, said.out.split_whitespace().count()), (0, 3), "{said:?}");
}

#[test]
fn its_faults_are_listed_and_every_one_listed_is_known() {
    let said = run(&["mock", "--list-faults"]);
    assert_eq!(said.code, 0);
    let names: Vec<_> = said.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 30, "{said:?}");
    for name in [
        "mock-429",
        "mock-500-once",
        "mock-529",
        "mock-cut",
        "mock-stall",
        "mock-no-done",
        "mock-error-event",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_slip_in_the_name_of_a_fault_is_answered_with_the_nearest_one() {
    for api in ["messages", "chat", "responses", "complete"] {
        let said = run(&["send", "--mock", "--api", api, "--model", "mock-529-onec", "Hello"]);
        assert_eq!((said.code, said.out.as_str()), (4, ""), "{api}: {said:?}");
        assert!(said.err.contains("did you mean mock-529-once?"), "{api}: {said:?}");
    }
}

#[test]
fn a_request_that_is_too_large_is_read_and_then_told_so() {
    use std::io::{Read, Write};
    let relay = crate::baton::relay("ttft=0");
    let mut peer = std::net::TcpStream::connect(relay.base_url().trim_start_matches("http://")).unwrap();
    let size = 257 << 20;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
    );
    peer.write_all(head.as_bytes()).unwrap();
    for _ in 0..257 {
        peer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn an_address_in_use_is_named() {
    let mock = Mock::start(&[]);
    let address = mock.url.strip_prefix("http://").unwrap();
    let said = run(&["mock", "--listen", address]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(address) && said.err.contains("--listen"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order_with_its_log_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mock.jsonl");
    let mut mock = Mock::start(&["--log", log.to_str().unwrap(), "ttft=0,gap=0,tokens=3"]);
    let said = run(&["send", "--url", &mock.url, "--model", "m", "--format", "json", "Hello"]);
    std::process::Command::new("kill").args(["-TERM", &mock.child.id().to_string()]).status().unwrap();
    assert_eq!(mock.child.wait().unwrap().code(), Some(0));
    let sent: Value = serde_json::from_str(&said.out).unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    let entry: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(entry["request_id"], sent["request_id"]);
    let at = |name: &str| entry[name].as_u64().unwrap();
    assert!(at("read") <= at("headers") && at("headers") <= at("first_delta"), "{entry}");
    assert!(at("first_delta") <= at("last_delta") && at("last_delta") <= at("end"), "{entry}");
}
