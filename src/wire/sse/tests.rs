//! The laws of server-sent events, by example and by property.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// What a decoder says to the chunks, as text that compares.
fn told<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<String> {
    let mut decoder = Decoder::new(DEFAULT_LIMIT);
    let mut out = Vec::new();
    let mut note = |frame: Frame<'_>| out.push(described(frame));
    for chunk in chunks {
        decoder.feed(chunk, &mut note).unwrap();
    }
    decoder.finish(&mut note);
    out
}

fn described(frame: Frame<'_>) -> String {
    let (mark, name, data) = match frame {
        Frame::Comment => return ":".to_owned(),
        Frame::Event { name, data } => ("", name, data),
        Frame::Unterminated { name, data } => ("cut ", name, data),
    };
    let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
    format!("{mark}{}={}", name.unwrap_or_default(), String::from_utf8_lossy(data))
}

fn whole(stream: &str) -> Vec<String> {
    told([stream.as_bytes()])
}

const MIXED: &str = "\u{feff}: hello\ndata: one\n\nevent: two\r\ndata: a\r\ndata:b\r\ndata\r\n\r\nid: 7\rretry: 5\r\
data: dreißig 🙂\revent: x\revent: three\r\r:\n\ndata:  two spaces\nunknown: y\ndata : z\n\nevent: dropped\n\ndata\n\n\
data: last\n";

#[test]
fn a_mixed_stream_is_read_as_the_standard_says() {
    let expected = [":", "=one", "two=a\nb\n", "three=dreißig 🙂", ":", "= two spaces", "=", "cut =last"];
    assert_eq!(whole(MIXED), expected);
}

#[test]
fn every_single_cut_gives_the_same_frames() {
    for at in 0..=MIXED.len() {
        let (head, tail) = MIXED.as_bytes().split_at(at);
        assert_eq!(told([head, tail]), whole(MIXED), "cut at {at}");
    }
    assert_eq!(told(MIXED.as_bytes().chunks(1)), whole(MIXED));
}

#[test]
fn only_one_byte_order_mark_is_stripped() {
    assert_eq!(whole("\u{feff}\u{feff}data: a\n\ndata: b\n\n"), ["=b"]);
    assert_eq!(told([&b"\xEF\xBB"[..], b"data: a\n\ndata: b\n\n"]), ["=b"]);
    assert_eq!(whole("\u{feff}"), Vec::<String>::new());
}

#[test]
fn a_name_does_not_outlive_its_event() {
    assert_eq!(whole("event: a\ndata: 1\n\ndata: 2\n\nevent: b\nevent:\ndata: 3\n\n"), ["a=1", "=2", "=3"]);
    assert_eq!(told([&b"event: a\n"[..], b"event: b\ndata: 1\n\n"]), ["b=1"]);
    assert_eq!(told([&b"event: a\n"[..], b"event:\ndata: 1\n\n"]), ["=1"]);
}

#[test]
fn an_event_within_one_chunk_is_not_copied() {
    let chunk = b"data: first\n\nevent: e\ndata: second\n\n".to_vec();
    let range = chunk.as_ptr_range();
    let mut decoder = Decoder::new(100);
    let mut seen = 0;
    let check = &mut |frame: Frame<'_>| {
        let Frame::Event { data, .. } = frame else { panic!("{frame:?}") };
        assert!(range.contains(&data.as_ptr()), "{frame:?}");
        seen += 1;
    };
    decoder.feed(&chunk, check).unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn a_decoder_that_has_finished_starts_afresh() {
    let mut decoder = Decoder::new(100);
    let mut out = Vec::new();
    decoder.feed(b"data: a", &mut |frame| out.push(described(frame))).unwrap();
    decoder.finish(&mut |frame| out.push(described(frame)));
    decoder.finish(&mut |frame| out.push(described(frame)));
    assert_eq!(out, ["cut =a"]);
}

#[test]
fn the_cap_is_raised_as_soon_as_it_is_passed() {
    let mut decoder = Decoder::new(10);
    let mut frames = 0;
    let mut count = |_: Frame<'_>| frames += 1;
    assert_eq!(decoder.feed(b"data: 4567\n\ndata: 4567", &mut count), Ok(()));
    assert_eq!(decoder.feed(b"8", &mut count), Err(WireError::EventTooLarge { limit: 10 }));
    assert_eq!(frames, 1);
}

#[test]
fn the_cap_covers_an_event_of_many_lines_but_not_a_life_of_comments() {
    let refused = |stream: &str| {
        let mut decoder = Decoder::new(10);
        stream.as_bytes().chunks(3).any(|chunk| decoder.feed(chunk, &mut |_| {}).is_err())
    };
    assert!(!refused(&": ping\n".repeat(100)));
    assert!(!refused(&"data: 1\n\n".repeat(100)));
    assert!(refused("data: 1\ndata: 2\n"));
    assert!(refused(": a long comment"));
    assert!(refused("id: 1\nid: 2\nid: 3\n"));
}

/// A stream of lines that mean something, each with a random end.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => Just(String::new()),
        3 => "data:? ?[a-z🙂é:]{0,6}",
        1 => "event: ?[a-z]{0,3}",
        1 => ":[a-zé]{0,3}",
        1 => "[a-zé: ]{0,8}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
    let mark = prop_oneof![3 => Just(""), 1 => Just("\u{feff}")];
    (mark, prop::collection::vec((line, end), 0..20)).prop_map(|(mark, lines)| {
        let mut out = mark.to_owned();
        for (line, end) in lines {
            write!(out, "{line}{end}").unwrap();
        }
        out.into_bytes()
    })
}

/// The standard's algorithm in its own words, without any regard to speed.
fn by_the_book(stream: &[u8]) -> Vec<String> {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut out, mut name, mut data) = (Vec::new(), String::new(), None::<String>);
    for line in text.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                let name = std::mem::take(&mut name);
                out.extend(data.take().map(|data| format!("{name}={data}")));
            }
            "" => out.push(":".to_owned()),
            "event" => value.clone_into(&mut name),
            "data" => data = Some(data.map_or(value.to_owned(), |data| format!("{data}\n{value}"))),
            _ => {}
        }
    }
    out
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_chunk_boundaries(stream in streams(), sizes in prop::collection::vec(0usize..9, 1..9)) {
        let mut rest = stream.as_slice();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle().take(stream.len() * 9) {
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        chunks.push(rest);
        prop_assert_eq!(told(chunks), told([stream.as_slice()]));
    }

    #[test]
    fn frames_are_those_of_the_standard(mut stream in streams()) {
        stream.extend_from_slice(b"\n\n");
        prop_assert_eq!(told([stream.as_slice()]), by_the_book(&stream));
    }

    #[test]
    fn any_bytes_are_survived(stream in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::new(50);
        let mut longest = 0;
        let mut measure = |frame: Frame<'_>| if let Frame::Event { data, .. } = frame { longest = longest.max(data.len()) };
        for chunk in stream.chunks(7) {
            if decoder.feed(chunk, &mut measure).is_err() {
                break;
            }
        }
        prop_assert!(longest <= 50);
    }
}
