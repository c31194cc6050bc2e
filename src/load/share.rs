//! What each of several endpoints did at a level: requests by the endpoint of their last attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::metric::Metric;
use super::tally::ClassCounts;
use super::throughput::Throughput;
use crate::outcome::{Class, Sample, Tokens};

/// What one endpoint did of a level.
#[derive(Debug, Clone)]
pub struct Share {
    /// Its name.
    pub endpoint: String,
    /// Recorded requests by class, cut ones as `cancelled`.
    pub classes: ClassCounts,
    /// Successful requests per second, by overlap; absent where the window has no length.
    pub rps: Option<f64>,
    /// Start to the last generated delta.
    pub latency: Metric,
    /// Start to the first generated delta; streams only.
    pub ttft: Metric,
}

/// What endpoints did, by name; empty where there is no choice.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(BTreeMap<String, Deeds>);

/// What one worker saw of one endpoint.
#[derive(Debug, Clone, Default)]
struct Deeds {
    classes: ClassCounts,
    latency: Metric,
    ttft: Metric,
    throughput: Throughput,
}

impl Shares {
    /// Adds a success that lies wholly inside the window.
    pub(super) fn whole(&mut self, endpoint: &str, tokens: Tokens) {
        self.alter(endpoint, |deeds| deeds.throughput.whole(tokens));
    }

    /// Adds a success that may reach beyond the window.
    pub(super) fn edge(&mut self, endpoint: &str, (start, end): (Instant, Instant), tokens: Tokens) {
        self.alter(endpoint, |deeds| deeds.throughput.edge(start, end, tokens));
    }

    /// Adds a recorded request that ended by itself.
    pub(super) fn ended(&mut self, sample: &Sample) {
        self.alter(&sample.endpoint, |deeds| {
            deeds.classes.count(sample.class);
            if !sample.class.is_ok() {
                return;
            }
            let marks = &sample.marks;
            if let Some(latency) = marks.last_delta {
                deeds.latency.record(latency);
            }
            if let Some(ttft) = marks.first_delta.filter(|_| sample.streamed) {
                deeds.ttft.record(ttft);
            }
        });
    }

    /// Adds a recorded request that was cut after `age`.
    pub(super) fn cut(&mut self, sample: &Sample, age: Duration) {
        self.alter(&sample.endpoint, |deeds| {
            deeds.classes.count(Class::Cancelled);
            deeds.latency.censor(age);
            deeds.ttft.censor(sample.marks.first_delta.unwrap_or(age));
        });
    }

    /// Adds what another worker saw of the same level.
    pub(super) fn merge(&mut self, other: &Self) {
        for (endpoint, theirs) in &other.0 {
            self.alter(endpoint, |mine| {
                mine.classes.merge(&theirs.classes);
                mine.latency.merge(&theirs.latency);
                mine.ttft.merge(&theirs.ttft);
                mine.throughput.merge(&theirs.throughput);
            });
        }
    }

    /// What each endpoint did of the window between two moments, in the order of their names.
    pub(super) fn within(self, from: Instant, to: Instant) -> Vec<Share> {
        let of = |(endpoint, deeds): (String, Deeds)| Share {
            endpoint,
            classes: deeds.classes,
            rps: deeds.throughput.rates(from, to).map(|rates| rates.requests),
            latency: deeds.latency,
            ttft: deeds.ttft,
        };
        self.0.into_iter().map(of).collect()
    }

    fn alter(&mut self, endpoint: &str, act: impl FnOnce(&mut Deeds)) {
        if endpoint.is_empty() {
            return;
        }
        match self.0.get_mut(endpoint) {
            Some(deeds) => act(deeds),
            None => act(self.0.entry(endpoint.to_owned()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_counts_at_its_endpoint_and_nowhere_where_there_is_no_choice() {
        let began = Instant::now();
        let mut sample = Sample::starting(began);
        (sample.class, sample.streamed) = (Class::Ok, true);
        sample.marks.first_delta = Some(Duration::from_millis(30));
        sample.marks.last_delta = Some(Duration::from_millis(90));
        let (mut one, mut other) = (Shares::default(), Shares::default());
        one.ended(&sample);
        assert!(one.0.is_empty());
        "a".clone_into(&mut sample.endpoint);
        one.ended(&sample);
        one.whole("a", Tokens::default());
        other.cut(&sample, Duration::from_secs(7));
        "b".clone_into(&mut sample.endpoint);
        sample.class = Class::Http5xx;
        other.ended(&sample);
        one.merge(&other);
        let shares = one.within(began, began + Duration::from_secs(2));
        let figures = |share: &Share| (share.endpoint.clone(), share.classes.ok(), share.classes.failures());
        let figures: Vec<_> = shares.iter().map(figures).collect();
        assert_eq!(figures, [("a".to_owned(), 1, 0), ("b".to_owned(), 0, 1)]);
        assert_eq!((shares[0].rps, shares[1].rps), (Some(0.5), Some(0.0)));
        assert_eq!((shares[0].latency.count(), shares[0].ttft.count()), (1, 1));
        assert_eq!(shares[0].latency.censored_max(), Some(Duration::from_secs(7)));
        assert_eq!((shares[0].classes[Class::Cancelled], shares[1].latency.count()), (1, 0));
    }
}
