//! What it costs to write down one successful request, and to add up two workers.

use std::hint::black_box;
use std::time::Duration;

use baton::load::Metrics;
use baton::outcome::{Class, Sample, Tokens};
use criterion::{Criterion, Throughput};
use tokio::time::Instant;

/// Generated pieces of a stream.
const PIECES: u32 = 64;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    record(&mut criterion);
    merge(&mut criterion);
    criterion.final_summary();
}

/// One request into the distributions.
fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    for (name, sample) in [("a whole answer", whole()), ("a stream of 64 pieces", streamed())] {
        let mut metrics = Metrics::default();
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| bencher.iter(|| metrics.record(black_box(&sample))));
        assert!(metrics.latency.count() > 0);
    }
}

/// What the live view and the end of a level do.
fn merge(criterion: &mut Criterion) {
    let mut metrics = Metrics::default();
    metrics.record(&streamed());
    criterion.bench_function("merge two workers", |bencher| {
        bencher.iter(|| {
            let mut sum = metrics.clone();
            sum.merge(black_box(&metrics));
            sum.latency.count()
        });
    });
}

/// A whole answer of 20 ms.
fn whole() -> Sample {
    let mut sample = Sample::starting(Instant::now());
    sample.class = Class::Ok;
    sample.tokens = Tokens { input: Some(12), output: Some(u64::from(PIECES)), estimated: false };
    let marks = &mut sample.marks;
    marks.headers = Some(Duration::from_micros(19_800));
    marks.first_byte = marks.headers;
    marks.last_delta = Some(Duration::from_millis(20));
    marks.end = marks.last_delta;
    sample
}

/// A stream whose pieces come every 20 ms, more or less.
fn streamed() -> Sample {
    let mut sample = whole();
    sample.streamed = true;
    sample.gaps = (1..PIECES).map(|piece| Duration::from_micros(u64::from(19_000 + 31 * piece))).collect();
    let marks = &mut sample.marks;
    marks.first_event = Some(Duration::from_millis(80));
    marks.first_delta = Some(Duration::from_millis(81));
    marks.first_answer = marks.first_delta;
    marks.last_delta = Some(Duration::from_millis(81) + sample.gaps.iter().sum::<Duration>());
    marks.end = marks.last_delta;
    sample
}
