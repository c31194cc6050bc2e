//! What a body really is, whatever its content type claims.

/// What kind of body the first bytes open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing but white space so far: ask again with more bytes, or take the body as empty at its end.
    Empty,
    /// The bytes so far fit two kinds, as a lone `d` or `<` does: ask again with more, or take it as text at its end.
    Undecided,
    /// A stream of server-sent events.
    Sse,
    /// A JSON document.
    Json,
    /// A web page, such as the error page of a proxy.
    Html,
    /// Anything else.
    Text,
}

/// The beginnings of a web page, in lower case.
const PAGES: [&[u8]; 4] = [b"<!doctype", b"<html", b"<head", b"<body"];

/// The beginnings of an event stream.
const STREAMS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// Judges a body by its first bytes and, where these say nothing, by its content type.
///
/// Relays serve JSON errors as `text/event-stream` and streams as `application/json`. A dozen bytes after leading
/// white space decide every case.
pub fn sniff(content_type: Option<&str>, head: &[u8]) -> BodyKind {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    if let [b'{' | b'[', ..] = head {
        return BodyKind::Json;
    }
    let claimed = claim(content_type.unwrap_or_default());
    let opens = |marks: &[&[u8]]| marks.iter().any(|mark| starts(head, mark));
    let may_open = |marks: &[&[u8]]| marks.iter().any(|mark| starts(mark, head));
    match head {
        [] => BodyKind::Empty,
        _ if opens(&PAGES) => BodyKind::Html,
        _ if opens(&STREAMS) => BodyKind::Sse,
        _ if claimed != BodyKind::Sse && may_open(&STREAMS) => BodyKind::Undecided,
        _ if claimed != BodyKind::Html && may_open(&PAGES) => BodyKind::Undecided,
        _ => claimed,
    }
}

/// What the content type claims the body to be.
fn claim(content_type: &str) -> BodyKind {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/event-stream" => BodyKind::Sse,
        "text/html" | "application/xhtml+xml" => BodyKind::Html,
        json if json.ends_with("json") => BodyKind::Json,
        _ => BodyKind::Text,
    }
}

/// Whether the bytes begin with `mark`, which is in lower case.
fn starts(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.get(..mark.len()).is_some_and(|head| head.eq_ignore_ascii_case(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_win_over_the_content_type() {
        assert_eq!(sniff(Some("text/event-stream"), b"{\"error\":1}"), BodyKind::Json);
        assert_eq!(sniff(Some("application/json"), b"event: message_start\n"), BodyKind::Sse);
        assert_eq!(sniff(Some("application/json"), b"\n<!DOCTYPE html>"), BodyKind::Html);
        assert_eq!(sniff(Some("text/plain"), b"<HTML><body>"), BodyKind::Html);
    }

    #[test]
    fn every_opening_is_known_without_a_content_type() {
        for head in ["data: x", "data:x", "event: x", ": ping", ":\n", "id: 1", "retry: 5"] {
            assert_eq!(sniff(None, head.as_bytes()), BodyKind::Sse, "{head}");
        }
        for head in ["{}", "[1]", " \r\n\t{", "\u{feff}{"] {
            assert_eq!(sniff(None, head.as_bytes()), BodyKind::Json, "{head}");
        }
        for head in ["\u{feff}\n<html lang=en>", "<head>", "<body>"] {
            assert_eq!(sniff(None, head.as_bytes()), BodyKind::Html, "{head}");
        }
        assert_eq!(sniff(None, b"Invalid API key"), BodyKind::Text);
        assert_eq!(sniff(None, b"dates and figures"), BodyKind::Text);
    }

    #[test]
    fn the_content_type_decides_where_the_bytes_do_not() {
        assert_eq!(sniff(Some("Application/JSON; charset=utf-8"), b"\"text\""), BodyKind::Json);
        assert_eq!(sniff(Some("application/problem+json"), b"12"), BodyKind::Json);
        assert_eq!(sniff(Some("text/event-stream;charset=utf-8"), b"x: y"), BodyKind::Sse);
        assert_eq!(sniff(Some("text/html"), b"Bad gateway"), BodyKind::Html);
    }

    #[test]
    fn too_few_bytes_are_not_guessed_at() {
        assert_eq!(sniff(Some("application/json"), b""), BodyKind::Empty);
        assert_eq!(sniff(None, b"\xEF\xBB\xBF \r\n"), BodyKind::Empty);
        assert_eq!(sniff(None, b"da"), BodyKind::Undecided);
        assert_eq!(sniff(Some("application/json"), b"<!"), BodyKind::Undecided);
        assert_eq!(sniff(Some("text/event-stream"), b"da"), BodyKind::Sse);
    }
}
