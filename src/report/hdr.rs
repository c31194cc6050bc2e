//! The histograms of a result as an HdrHistogram log, which HdrHistogram's own tools plot: one interval a level and metric.

use std::time::Duration;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use hdrhistogram::serialization::interval_log::Tag;
use jiff::Timestamp;

use super::document::Distribution;
use super::document::Document;
use super::document::Level;
use crate::load::read_histogram;

/// A metric of a level.
type Pick = fn(&Level) -> Option<&Distribution>;

/// The metrics in the log.
const METRICS: [(&str, Pick); 6] = [
    ("latency", |level| level.latency_ms.as_ref()),
    ("ttft", |level| level.ttft_ms.as_ref()),
    ("tpot", |level| level.tpot_ms.as_ref()),
    ("gap", |level| level.gap_ms.as_ref()),
    ("response", |level| level.response_ms.as_ref()),
    ("lag", |level| level.lag_ms.as_ref()),
];

/// µs in a ms: the log's own column of the largest value is in ms.
const US_PER_MS: f64 = 1e3;

/// The log. Values are µs; the tag of an interval is the metric and the level, as in `ttft/c=50`.
pub fn hdr(document: &Document) -> String {
    String::from_utf8(log(document)).unwrap_or_default()
}

/// The bytes of the log, all of them ASCII.
fn log(document: &Document) -> Vec<u8> {
    let began = document.started.parse::<Timestamp>().ok();
    let since = began.and_then(|began| u64::try_from(began.as_millisecond()).ok()).unwrap_or_default();
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(since);
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("baton bench: values in us, one interval a level and metric")
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(US_PER_MS)
        .begin_log_with(&mut bytes, &mut serializer)
        .expect("writing to memory cannot fail");
    for level in &document.levels {
        let span = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        for (metric, pick) in METRICS {
            let saved = pick(level).and_then(|saved| BASE64_STANDARD.decode(&saved.hdr).ok());
            let Some(histogram) = saved.and_then(|bytes| read_histogram(&bytes)) else { continue };
            let place =
                level.rate.map_or_else(|| format!("c={}", level.concurrency), |rate| format!("{rate}/s"));
            let tag = format!("{metric}/{place}");
            log.write_histogram(&histogram, span(level.window_at_s), span(level.window_s), Tag::new(&tag))
                .expect("writing to memory cannot fail and the bounds are within the format's");
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::super::golden;
    use super::*;

    #[test]
    fn the_log_is_read_back_with_every_level_and_metric() {
        let document = golden::open();
        let text = hdr(&document);
        let mut tags = Vec::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).unwrap();
                let tag = interval.tag().unwrap().as_str().to_owned();
                assert_eq!(interval.duration(), Duration::from_secs(10));
                if tag == "latency/100/s" {
                    assert_eq!(read_histogram(&bytes).unwrap().len(), 1_000);
                }
                tags.push(tag);
            }
        }
        assert_eq!(tags.len(), 12, "{tags:?}");
        assert!(tags.contains(&"ttft/200/s".to_owned()));
    }
}
