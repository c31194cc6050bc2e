//! What answers say, streamed and whole, held against fixtures written from the vendors' documents.

use super::super::{Delta, Usage};
use super::*;

mod relays;
mod streams;
mod wholes;

/// What a stream says, cut into the chunks given; an error of the decoder is the last entry.
fn streamed<'c>(dialect: Dialect, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<String> {
    let mut decoder = StreamDecoder::new(dialect);
    let mut out = Vec::new();
    let mut note = |event: Event<'_>| out.push(described(&event));
    let mut outcome = chunks.into_iter().try_for_each(|chunk| decoder.feed(chunk, &mut note));
    if outcome.is_ok() {
        outcome = decoder.finish(&mut note);
    }
    out.extend(outcome.err().map(|error| format!("{error:?}")));
    out
}

/// What a stream says that came in one chunk.
fn told(dialect: Dialect, stream: &str) -> Vec<String> {
    streamed(dialect, [stream.as_bytes()])
}

/// What a whole reply says.
fn whole(dialect: Dialect, body: &str) -> Vec<String> {
    let mut out = Vec::new();
    let outcome = decode_whole(dialect, body.as_bytes(), &mut |event| out.push(described(&event)));
    out.extend(outcome.err().map(|error| error.to_string()));
    out
}

/// An event in a few words.
fn described(event: &Event<'_>) -> String {
    match event {
        Event::Model(name) => format!("model {name}"),
        Event::Id(id) => format!("id {id}"),
        Event::Delta(Delta::Text(text)) => format!("text {text}"),
        Event::Delta(Delta::Reasoning(text)) => format!("reasoning {text}"),
        Event::Delta(Delta::ToolArguments(text)) => format!("tool {text}"),
        Event::Delta(Delta::Bytes(bytes)) => format!("bytes {}", String::from_utf8_lossy(bytes)),
        Event::Usage(Usage { input, cache_read, cache_write, output, reasoning }) => {
            let counts = [input, cache_read, cache_write, output, reasoning];
            let words = counts.map(|count| count.map_or("-".to_owned(), |count| count.to_string()));
            format!("usage {}", words.join(" "))
        }
        Event::Stop(stop) => format!("stop {:?} {}", stop.kind, stop.word),
        Event::Error(error) => {
            let kind = error.kind.as_deref().or(error.code.as_deref()).unwrap_or("-");
            format!("error {kind}: {}", error.message)
        }
        Event::Ping => "ping".to_owned(),
        Event::Terminal => "end".to_owned(),
    }
}
