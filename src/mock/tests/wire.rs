//! A client that knows no more of HTTP than it must, so that nothing hides what was sent.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::mock::Options;
use crate::mock::Relay;

/// A relay that answers at once.
pub(super) fn relay(spec: &str) -> Relay {
    let spec = format!("ttft=0,gap=0,{spec}").parse().unwrap();
    Relay::start(Options { spec, threads: 1, ..Options::default() }).unwrap()
}

/// What came back.
pub(super) struct Received {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the body ended as HTTP demands.
    pub(super) is_whole: bool,
}

impl Received {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap_or("0").parse().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body with what differs from run to run made the same: ids and times.
    pub(super) fn text(&self) -> String {
        let id = self.header("request-id").or(self.header("x-request-id")).unwrap_or("req_?");
        let text = String::from_utf8(self.body.clone()).unwrap().replace(&id["req_".len()..], "ID");
        let mut out = String::new();
        let mut rest = &text[..];
        for mark in ["\"created\":", "\"created_at\":"] {
            while let Some(at) = rest.find(mark) {
                let (before, after) = rest.split_at(at + mark.len());
                out += before;
                out += "0";
                rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            }
        }
        out + rest
    }
}

/// A connection that has sent a request.
pub(super) async fn post(relay: &Relay, path: &str, body: &str) -> TcpStream {
    send(relay, &format!("POST {path}"), &["content-type: application/json"], body).await
}

/// A connection that has sent a request with these headers.
pub(super) async fn send(relay: &Relay, line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> TcpStream {
    send_to(relay.address(), line, headers, body).await
}

/// The same to any address.
pub(super) async fn send_to(
    address: SocketAddr,
    line: &str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    let length = body.as_ref().len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_ref()].concat()).await.unwrap();
    stream
}

/// Reads until these bytes have come.
pub(super) async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(mark) {
        assert!(stream.read_buf(&mut all).await.unwrap() > 0, "{}", String::from_utf8_lossy(&all));
    }
    String::from_utf8(all).unwrap()
}

/// Reads all there is.
pub(super) async fn receive(mut stream: TcpStream) -> Received {
    let mut all = Vec::new();
    // A reset is an end like any other here.
    stream.read_to_end(&mut all).await.ok();
    let Some(at) = all.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Received { head: String::new(), body: all, is_whole: false };
    };
    let head = String::from_utf8(all[..at].to_vec()).unwrap();
    let rest = &all[at + 4..];
    let mut received = Received { head, body: rest.to_vec(), is_whole: true };
    if let Some(length) = received.header("content-length") {
        received.is_whole = length.parse() == Ok(rest.len());
    } else {
        (received.body, received.is_whole) = unchunk(rest);
    }
    received
}

/// Undoes the chunks; says whether the last one came.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        let data = &rest[at + 2..];
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

/// The body of a request for a stream in each dialect.
pub(super) fn body(path: &str, model: &str, is_stream: bool) -> String {
    let fields = match path {
        "/v1/messages" => r#""max_tokens":99,"messages":[{"role":"user","content":"Hello"}]"#,
        "/v1/chat/completions" => {
            r#""stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello"}]"#
        }
        "/v1/responses" => r#""input":"Hello""#,
        "/v1/complete" => r#""max_tokens_to_sample":99,"prompt":"Hello""#,
        _ => unreachable!("{path}"),
    };
    format!(r#"{{"model":"{model}","stream":{is_stream},{fields}}}"#)
}

/// Asks for an answer and reads it.
pub(super) async fn ask(relay: &Relay, path: &str, model: &str, is_stream: bool) -> Received {
    receive(post(relay, path, &body(path, model, is_stream)).await).await
}

/// The dialects with a grammar.
pub(super) const PATHS: [&str; 4] = ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/complete"];
