//! How fast the bytes of a stream become frames and events, as they arrive one event at a time and in full reads.

use std::hint::black_box;

use baton::wire::sse::{DEFAULT_LIMIT, Decoder};
use baton::wire::{Delta, Dialect, Event, StreamDecoder};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Events of one stream.
const EVENTS: usize = 1000;
/// What a full read of a socket brings.
const READ: usize = 8 * 1024;

/// One generated piece in each dialect, worded as in the vendors' documents.
const PIECES: [(Dialect, &str); 5] = [
    (
        Dialect::Messages,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
         \"text_delta\",\"text\":\" river\"}}\n\n",
    ),
    (
        Dialect::Chat,
        "data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\
         \"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\
         \" river\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    ),
    (
        Dialect::Responses,
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":5,\
         \"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c5\",\"output_index\":0,\"content_index\":0,\"delta\":\
         \" river\",\"logprobs\":[]}\n\n",
    ),
    (
        Dialect::Complete,
        "event: completion\ndata: {\"type\":\"completion\",\"completion\":\" river\",\"stop_reason\":null,\"model\":\
         \"claude-2.1\",\"log_id\":\"compl_01CamSHrZVRGkdJmnVT1\"}\n\n",
    ),
    (Dialect::Raw, " river"),
];

/// A way in which a stream's bytes may be cut up.
struct Cut {
    name: &'static str,
    bytes: fn(piece: &str) -> usize,
}

const CUTS: [Cut; 2] =
    [Cut { name: "one event a read", bytes: str::len }, Cut { name: "full reads", bytes: |_| READ }];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    framing(&mut criterion);
    events(&mut criterion);
    criterion.final_summary();
}

/// Bytes to frames.
fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    let (_, piece) = PIECES[0];
    let stream = piece.repeat(EVENTS);
    for cut in CUTS {
        group.throughput(throughput(&stream));
        group.bench_function(cut.name, |bencher| {
            bencher.iter(|| {
                let mut frames = 0;
                let mut decoder = Decoder::new(DEFAULT_LIMIT);
                for chunk in black_box(stream.as_bytes()).chunks((cut.bytes)(piece)) {
                    decoder.feed(chunk, &mut |_| frames += 1).expect("no event is too large");
                }
                assert_eq!(frames, EVENTS);
            });
        });
    }
}

/// Bytes to events, in each dialect.
fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("events");
    for (dialect, piece) in PIECES {
        let stream = piece.repeat(EVENTS);
        for cut in CUTS {
            group.throughput(throughput(&stream));
            group.bench_function(BenchmarkId::new(dialect.name(), cut.name), |bencher| {
                bencher.iter(|| {
                    let mut bytes = 0;
                    let mut decoder = StreamDecoder::new(dialect);
                    for chunk in black_box(stream.as_bytes()).chunks((cut.bytes)(piece)) {
                        let fed = decoder.feed(chunk, &mut |event| bytes += generated(&event));
                        fed.expect("the events are the dialect's");
                    }
                    assert_eq!(bytes, EVENTS * " river".len());
                });
            });
        }
    }
}

/// What an event adds to the answer, in bytes.
fn generated(event: &Event<'_>) -> usize {
    match event {
        Event::Delta(Delta::Text(text)) => text.len(),
        Event::Delta(Delta::Bytes(bytes)) => bytes.len(),
        _ => 0,
    }
}

/// Both the events and the bytes of a stream count.
fn throughput(stream: &str) -> Throughput {
    Throughput::ElementsAndBytes { elements: EVENTS as u64, bytes: stream.len() as u64 }
}
