//! The distributions of a level: which time of a request enters which.

use std::time::Duration;

use super::metric::Metric;
use crate::outcome::Sample;

/// The distributions of a level, over its successful requests; definitions in `docs/metrics.md`.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Start to the last generated delta.
    pub latency: Metric,
    /// Start to the terminal event.
    pub end: Metric,
    /// Start to the response headers.
    pub headers: Metric,
    /// Start to the first byte of the body.
    pub ttfb: Metric,
    /// Start to the first generated delta; streams only.
    pub ttft: Metric,
    /// Start to the first delta that is not reasoning; streams only.
    pub ttfa: Metric,
    /// Time per output token after the first; streams of two tokens or more.
    pub tpot: Metric,
    /// Between consecutive generated deltas; streams only.
    pub gap: Metric,
    /// The longest gap of each request.
    pub stall: Metric,
    /// Name look-ups; new connections only.
    pub dns: Metric,
    /// Connecting, TLS included where that is not timed apart; new connections only.
    pub connect: Metric,
    /// TLS handshakes that are timed apart; new connections only.
    pub tls: Metric,
    /// From having a connection until the request had left.
    pub send: Metric,
    /// Planned start to the last generated delta; open loop only.
    pub response: Metric,
    /// Planned start to the start, over all recorded requests; open loop only.
    pub lag: Metric,
}

impl Metrics {
    /// Adds everything that another level or worker measured.
    pub fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.end.merge(&other.end);
        self.headers.merge(&other.headers);
        self.ttfb.merge(&other.ttfb);
        self.ttft.merge(&other.ttft);
        self.ttfa.merge(&other.ttfa);
        self.tpot.merge(&other.tpot);
        self.gap.merge(&other.gap);
        self.stall.merge(&other.stall);
        self.dns.merge(&other.dns);
        self.connect.merge(&other.connect);
        self.tls.merge(&other.tls);
        self.send.merge(&other.send);
        self.response.merge(&other.response);
        self.lag.merge(&other.lag);
    }

    /// Adds a successful request.
    pub fn record(&mut self, sample: &Sample) {
        let marks = &sample.marks;
        note(&mut self.latency, marks.last_delta);
        note(&mut self.end, marks.end);
        note(&mut self.headers, marks.headers);
        note(&mut self.ttfb, marks.first_byte);
        note(&mut self.dns, marks.dns);
        note(&mut self.connect, marks.connect);
        note(&mut self.tls, marks.tls);
        note(&mut self.send, marks.send);
        if !sample.streamed {
            return;
        }
        note(&mut self.ttft, marks.first_delta);
        note(&mut self.ttfa, marks.first_answer);
        note(&mut self.tpot, sample.time_per_token());
        note(&mut self.stall, sample.gaps.iter().max().copied());
        for gap in &sample.gaps {
            self.gap.record(*gap);
        }
    }

    /// Adds a request that was cut after `age`. A mark it had reached bounds its metric too, but no more than that:
    /// nobody knows whether the request would have succeeded.
    pub(super) fn censor(&mut self, sample: &Sample, age: Duration) {
        let marks = &sample.marks;
        self.latency.censor(age);
        self.end.censor(age);
        self.headers.censor(marks.headers.unwrap_or(age));
        self.ttfb.censor(marks.first_byte.unwrap_or(age));
        self.ttft.censor(marks.first_delta.unwrap_or(age));
        self.ttfa.censor(marks.first_answer.unwrap_or(age));
    }
}

/// Records a duration that may be absent.
pub(super) fn note(metric: &mut Metric, value: Option<Duration>) {
    if let Some(value) = value {
        metric.record(value);
    }
}
