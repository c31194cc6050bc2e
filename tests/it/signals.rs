//! An interrupt in each phase of a command: it ends within its drain, with its own exit code and what it has.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::baton::{Said, baton, relay};

fn start(arguments: &[&str]) -> Child {
    baton().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
}

fn end(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

/// A server that this test itself is, and its address.
fn server(scheme: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Takes the next request whole.
fn take(listener: &TcpListener) -> TcpStream {
    let (mut peer, _) = listener.accept().unwrap();
    read_request(&mut peer);
    peer
}

fn read_request(peer: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.windows(2).any(|end| end == b"}]" || end == b"}}") {
        let mut bytes = [0; 4096];
        let count = peer.read(&mut bytes).unwrap();
        assert!(count > 0, "the request broke off");
        read.extend_from_slice(&bytes[..count]);
    }
}

const WHOLE: &str = r#"{"type":"message","id":"msg_1","model":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;

fn answer(peer: &mut TcpStream) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        WHOLE.len()
    );
    peer.write_all(format!("{head}{WHOLE}").as_bytes()).unwrap();
}

#[test]
fn a_send_is_interrupted_while_it_connects() {
    // The TCP connection stands, and the answer to the TLS hello never comes.
    let (listener, url) = server("https");
    let child = start(&["send", "--url", &url, "--model", "m", "--connect-timeout", "1h", "Hello"]);
    let peer = listener.accept().unwrap();
    interrupt(&child);
    let said = end(child);
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{said:?}");
    assert!(said.err.contains("interrupted before the end"), "{said:?}");
    drop(peer);
}

#[test]
fn a_send_is_interrupted_while_it_waits_for_the_headers() {
    let (listener, url) = server("http");
    let child = start(&["send", "--url", &url, "--model", "m", "Hello"]);
    let peer = take(&listener);
    interrupt(&child);
    let said = end(child);
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{said:?}");
    drop(peer);
}

#[test]
fn a_send_is_interrupted_in_the_middle_of_its_answer_and_keeps_what_it_has() {
    let relay = relay("ttft=0,gap=0,tokens=6");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.txt");
    let name = path.to_str().unwrap();
    let child = start(&[
        "send",
        "--url",
        &relay.base_url(),
        "--model",
        "mock-stall",
        "-o",
        name,
        "--format",
        "events",
        "Hello",
    ]);
    while relay.stats().events < 3 {
        std::thread::yield_now();
    }
    interrupt(&child);
    let said = end(child);
    assert_eq!(said.code, 130, "{said:?}");
    assert!(!path.exists(), "{said:?}");
}

#[test]
fn a_send_is_interrupted_while_it_backs_off() {
    let relay = relay("ttft=0,gap=0,tokens=2");
    let url = relay.base_url();
    let patience = ["--backoff-base", "300d", "--backoff-max", "300d", "--max-wait", "300d"];
    let mut child =
        start(&[&["send", "--url", &url, "--model", "mock-529", "-v", "Hello"][..], &patience].concat());
    let mut line = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut line).unwrap();
    assert!(line.contains("again in "), "{line}");
    interrupt(&child);
    assert_eq!(end(child).code, 130);
    assert_eq!(relay.stats().requests, 1);
}

#[test]
fn a_bench_is_interrupted_during_the_request_before_the_load() {
    let (listener, url) = server("http");
    let child = start(&["bench", "--url", &url, "--model", "m", "-c", "1", "-n", "1"]);
    let peer = take(&listener);
    interrupt(&child);
    let said = end(child);
    assert_eq!((said.code, said.out.as_str()), (130, ""), "{said:?}");
    drop(peer);
}

#[test]
fn a_bench_is_interrupted_in_its_warm_up_and_prints_that_nothing_was_measured() {
    let relay = relay("ttft=1ms,gap=0,tokens=2");
    let child = start(&[
        "bench",
        "--url",
        &relay.base_url(),
        "--model",
        "m",
        "-c",
        "2",
        "-d",
        "1h",
        "--warmup",
        "1h",
    ]);
    while relay.stats().requests < 20 {
        std::thread::yield_now();
    }
    interrupt(&child);
    let said = end(child);
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.out.contains("Concurrency") && said.err.contains("interrupted: "), "{said:?}");
}

#[test]
fn a_bench_is_interrupted_while_it_measures_and_a_second_time_while_it_drains() {
    let (listener, url) = server("http");
    let mut child = start(&[
        "bench",
        "--url",
        &url,
        "--model",
        "m",
        "-c",
        "1",
        "-d",
        "1h",
        "--warmup",
        "0",
        "--drain",
        "1h",
        "--no-stream",
    ]);
    answer(&mut take(&listener));
    // The first request of the level has its answer, the second never gets one.
    let mut peer = take(&listener);
    answer(&mut peer);
    read_request(&mut peer);
    interrupt(&child);
    // The drain lasts until the second signal, however soon that comes; the first may still be on its way.
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        std::thread::yield_now();
    }
    let said = end(child);
    assert_eq!(said.code, 130, "{said:?}");
}
