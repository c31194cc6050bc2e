//! The heads of HTTP/1.1: writes a request's, reads a reply's (RFC 9112, sections 2 to 6).

use std::mem::MaybeUninit;

use bytes::BytesMut;
use httparse::{ParserConfig, Response, Status};
use hyper::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::super::headers::{Field, Headers};
use super::super::request_headers::write_line;
use super::super::{HeaderName, Method, Request};
use super::fault::Fault;
use super::framing::Framing;
use super::place::Place;
use super::unpack::ACCEPTED;

/// How many headers a reply may have.
const MOST_HEADERS: usize = 128;
/// How many bytes its head may have.
const MOST_BYTES: usize = 256 * 1024;

/// The head of a reply.
#[derive(Debug)]
pub(in super::super) struct ReplyHead {
    pub(in super::super) status: u16,
    /// As in `HTTP/1.1`.
    pub(in super::super) version: &'static str,
    pub(in super::super) headers: Headers,
}

/// The head of a reply as it stands on the wire.
#[derive(Debug)]
pub(super) struct WireHead {
    pub(super) reply: ReplyHead,
    /// Where its body ends.
    pub(super) framing: Framing,
    /// Whether the connection may carry another request after it.
    pub(super) keeps: bool,
}

impl WireHead {
    /// Whether another head follows in its stead.
    pub(super) fn is_interim(&self) -> bool {
        // After 101 whatever comes is HTTP no longer.
        (100..=199).contains(&self.reply.status) && self.reply.status != 101
    }
}

/// Appends the head of a request.
pub(super) fn write(out: &mut Vec<u8>, place: &Place, request: &Request) {
    let Request { method, headers, body, .. } = request;
    out.extend_from_slice(method.name().as_bytes());
    out.extend_from_slice(place.target.as_bytes());
    headers.write(out);
    if !headers.contains(&HOST) {
        out.extend_from_slice(place.host.as_bytes());
    }
    if !headers.contains(&ACCEPT_ENCODING) {
        write_line(out, &ACCEPT_ENCODING, &ACCEPTED);
    }
    // What has no body by its nature needs no word on it.
    if *method == Method::Post || !body.is_empty() {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Takes the head of a reply out of what has come, once it is whole; whatever cannot become one is refused at once.
pub(super) fn read(input: &mut BytesMut) -> Result<Option<WireHead>, Fault> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = Response::new(&mut []);
    let read = ParserConfig::default().parse_response_with_uninit_headers(&mut response, input, &mut room);
    let Status::Complete(length) = read.map_err(|error| Fault::not_http(&error))? else {
        if input.len() > MOST_BYTES {
            return Err(Fault::not_http(&"its head has no end"));
        }
        return Ok(None);
    };
    let mut terms = Terms::default();
    let mut fields = Vec::with_capacity(response.headers.len());
    for header in &*response.headers {
        terms.learn(header.name, header.value)?;
        fields.push(Field::of(input, header.name, header.value));
    }
    let status = response.code.unwrap_or_default();
    let version = if response.version == Some(0) { "HTTP/1.0" } else { "HTTP/1.1" };
    let (framing, keeps) = terms.of(status, version);
    let headers = Headers::of_head(input.split_to(length).freeze(), fields);
    Ok(Some(WireHead { reply: ReplyHead { status, version, headers }, framing, keeps }))
}

/// What a head says about its body and its connection.
#[derive(Debug, Default)]
struct Terms {
    length: Option<u64>,
    /// Whether a transfer coding is named, and whether the last one is `chunked`.
    coded: Option<bool>,
    says_close: bool,
    says_keep_alive: bool,
}

impl Terms {
    /// Learns from one header.
    fn learn(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.as_str());
        if is(&CONTENT_LENGTH) {
            for said in value.split(|byte| *byte == b',') {
                let length = length(said.trim_ascii());
                let length = length.ok_or_else(|| Fault::not_http(&"its content-length is no number"))?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(Fault::not_http(&"it has two lengths"));
                }
            }
        } else if is(&TRANSFER_ENCODING) {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            self.coded = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        } else if is(&CONNECTION) {
            for option in value.split(|byte| *byte == b',') {
                self.says_close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                self.says_keep_alive |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    /// Where the body ends (RFC 9112, section 6.3), and whether the connection is kept after it (section 9.3).
    fn of(&self, status: u16, version: &str) -> (Framing, bool) {
        let is_old = version == "HTTP/1.0";
        let framing = match (status, self.coded, self.length) {
            (100..=199 | 204 | 304, ..) => Framing::Ended,
            (_, Some(true), _) => Framing::ChunkSize,
            (_, None, Some(length)) => Framing::Length(length),
            (_, Some(false), _) | (_, None, None) => Framing::UntilClose,
        };
        // A length beside a coding, or a coding in HTTP/1.0, is a sign that somebody between has read it otherwise.
        let is_doubtful = self.coded.is_some() && (self.length.is_some() || is_old);
        let is_kept = if is_old { self.says_keep_alive } else { !self.says_close };
        let keeps = is_kept && !is_doubtful && framing != Framing::UntilClose && status != 101;
        (framing, keeps)
    }
}

/// A length: digits and nothing else.
fn length(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::super::{HeaderMap, HeaderValue, Journey, Url};
    use super::*;

    fn request(method: Method, headers: &[(&'static str, &'static str)], body: &'static str) -> String {
        let url: Url = "http://relay.example:4000/v1/messages?beta=true".parse().unwrap();
        let url = url.into();
        let place = Place::of(&url).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        let (headers, body) = (headers.into(), Bytes::from_static(body.as_bytes()));
        let mut out = Vec::new();
        write(&mut out, &place, &Request { method, url, headers, body, journey: Journey::default() });
        String::from_utf8(out).unwrap()
    }

    /// The first head that is no interim one, and what is left after it.
    fn reply(wire: &str) -> Result<Option<(WireHead, String)>, String> {
        let mut input = BytesMut::from(wire);
        loop {
            match read(&mut input).map_err(|fault| fault.to_string())? {
                Some(head) if head.is_interim() => {}
                head => return Ok(head.map(|head| (head, String::from_utf8_lossy(&input).into_owned()))),
            }
        }
    }

    #[test]
    fn a_request_names_its_target_its_host_and_its_length() {
        assert_eq!(
            request(Method::Post, &[("accept", "*/*"), ("accept-encoding", "identity")], "{}"),
            "POST /v1/messages?beta=true HTTP/1.1\r\naccept: */*\r\naccept-encoding: identity\r\n\
             host: relay.example:4000\r\ncontent-length: 2\r\n\r\n"
        );
        assert_eq!(
            request(Method::Get, &[("host", "other.example")], ""),
            "GET /v1/messages?beta=true HTTP/1.1\r\nhost: other.example\r\n\
             accept-encoding: zstd,gzip,deflate,br\r\n\r\n"
        );
        assert!(request(Method::Post, &[], "").contains("\r\ncontent-length: 0\r\n"));
    }

    #[test]
    fn what_a_head_says_tells_where_its_body_ends_and_whether_the_connection_is_kept() {
        for (head, framing, keeps) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n", Framing::Length(7), true),
            ("HTTP/1.1 200\r\nContent-Length: 7, 7\r\ncontent-length:7\r\n", Framing::Length(7), true),
            ("HTTP/1.1 200 OK\ncontent-length: 7\n", Framing::Length(7), true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: x, Close\r\n", Framing::Length(7), false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n", Framing::ChunkSize, true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n", Framing::ChunkSize, true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n", Framing::UntilClose, false),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 7\r\n",
                Framing::ChunkSize,
                false,
            ),
            ("HTTP/1.1 200 OK\r\n", Framing::UntilClose, false),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n", Framing::Ended, true),
            ("HTTP/1.1 304 Not Modified\r\n", Framing::Ended, true),
            ("HTTP/1.1 101 Switching\r\n", Framing::Ended, false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 7\r\n", Framing::Length(7), false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 7\r\nconnection: keep-alive\r\n", Framing::Length(7), true),
            (
                "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n",
                Framing::ChunkSize,
                false,
            ),
            (
                "\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n",
                Framing::Length(7),
                true,
            ),
        ] {
            let end = if head.contains('\r') { "\r\n" } else { "\n" };
            let (read, rest) = reply(&format!("{head}{end}body\n\n")).unwrap().unwrap();
            assert_eq!((read.framing, read.keeps, &*rest), (framing, keeps, "body\n\n"), "{head}");
        }
    }

    #[test]
    fn headers_keep_their_values_and_what_stands_twice_stands_twice() {
        let wire = "HTTP/1.0 429 Too Many\r\nRetry-After: 3 \r\nset-cookie: a\r\nset-cookie: b\r\n\r\n";
        let ReplyHead { status, version, headers } = reply(wire).unwrap().unwrap().0.reply;
        assert_eq!((status, version), (429, "HTTP/1.0"));
        assert_eq!((headers.text("retry-after"), headers.text("set-cookie")), (Some("3"), Some("a")));
        let map = headers.to_map();
        assert_eq!((map.len(), &map["retry-after"]), (3, &HeaderValue::from_static("3")));
        assert!(map.get_all("set-cookie").iter().eq(["a", "b"]));
        assert_eq!((headers.text("429"), headers.text("retry"), headers.text("")), (None, None, None));
    }

    #[test]
    fn what_cannot_become_a_head_is_refused_as_soon_as_that_is_seen() {
        for (wire, why) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "invalid HTTP version"),
            ("H3", "invalid HTTP version"),
            ("HTTP/2.0 200 OK\r\n\r\n", "invalid HTTP version"),
            ("HTTP/1.1 20x", "invalid response status"),
            ("HTTP/1.1 200 OK\r\na b: c", "invalid header name"),
            ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "its content-length is no number"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "it has two lengths"),
        ] {
            assert_eq!(reply(wire).unwrap_err(), why, "{wire:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MOST_HEADERS + 1));
        assert_eq!(reply(&many).unwrap_err(), "too many headers");
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MOST_BYTES));
        assert_eq!(reply(&long).unwrap_err(), "its head has no end");
    }

    #[test]
    fn a_head_that_is_not_whole_yet_is_waited_for() {
        let wire = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n";
        for end in 0..wire.len() {
            assert!(reply(&wire[..end]).unwrap().is_none(), "{end}");
        }
        assert!(reply(wire).unwrap().is_some());
    }
}
