//! Requests and tokens per second by overlap: each request counts with the share of its duration inside the window.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Tokens;

/// A successful request that may reach beyond the window.
#[derive(Debug, Clone, Copy)]
struct Edge {
    start: Instant,
    end: Instant,
    output: Option<u64>,
}

/// What successful requests contributed to a window whose bounds may become known only at its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Throughput {
    /// Requests that lie wholly inside.
    whole: u64,
    /// Their output tokens.
    whole_tokens: u64,
    /// Whether any request stated or estimated its tokens.
    tokens_known: bool,
    /// Whether any of those was an estimate.
    estimated: bool,
    /// Requests across a bound: at most one per user and bound, so memory does not grow with the run.
    edges: Vec<Edge>,
}

/// Requests and tokens per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub requests: f64,
    /// Absent where no request told its tokens.
    pub tokens: Option<f64>,
}

impl Throughput {
    /// Adds a request that lies wholly inside the window.
    pub(super) fn whole(&mut self, tokens: Tokens) {
        self.whole += 1;
        self.whole_tokens += tokens.output.unwrap_or(0);
        self.note(tokens);
    }

    /// Adds a request that may reach beyond the window.
    pub(super) fn edge(&mut self, start: Instant, end: Instant, tokens: Tokens) {
        self.edges.push(Edge { start, end, output: tokens.output });
        self.note(tokens);
    }

    /// Adds everything that another one holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.whole += other.whole;
        self.whole_tokens += other.whole_tokens;
        self.tokens_known |= other.tokens_known;
        self.estimated |= other.estimated;
        self.edges.extend_from_slice(&other.edges);
    }

    /// Whether some of the tokens were estimated.
    pub(super) const fn is_estimated(&self) -> bool {
        self.estimated
    }

    /// Rates within a window; absent where it has no length.
    pub(super) fn rates(&self, from: Instant, to: Instant) -> Option<Rates> {
        let window = to.checked_duration_since(from).filter(|window| !window.is_zero())?;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let (mut requests, mut tokens) = (self.whole as f64, self.whole_tokens as f64);
        for edge in &self.edges {
            let share = overlap(edge, from, to);
            requests += share;
            #[expect(clippy::cast_precision_loss, reason = "tokens of one request stay far below 2^52")]
            let output = edge.output.unwrap_or(0) as f64;
            tokens += share * output;
        }
        let seconds = window.as_secs_f64();
        Some(Rates { requests: requests / seconds, tokens: self.tokens_known.then_some(tokens / seconds) })
    }

    /// Remembers where token figures come from.
    fn note(&mut self, tokens: Tokens) {
        self.tokens_known |= tokens.output.is_some();
        self.estimated |= tokens.output.is_some() && tokens.estimated;
    }
}

/// The share of a request's duration that lies in the window; one without duration lies where it starts.
fn overlap(edge: &Edge, from: Instant, to: Instant) -> f64 {
    let length = edge.end.saturating_duration_since(edge.start);
    if length.is_zero() {
        return if from <= edge.start && edge.start < to { 1.0 } else { 0.0 };
    }
    let inside: Duration = edge.end.min(to).saturating_duration_since(edge.start.max(from));
    inside.as_secs_f64() / length.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_closed_loop_of_constant_latency_has_exactly_users_over_latency_whatever_the_phase(
            latency_us in 1_000_u64..3_000_000,
            window_us in 100_000_u64..5_000_000,
            phases in prop::collection::vec(0.0_f64..1.0, 1..20),
        ) {
            let latency = Duration::from_micros(latency_us);
            let from = Instant::now() + Duration::from_secs(10);
            let to = from + Duration::from_micros(window_us);
            let tokens = Tokens { output: Some(7), ..Tokens::default() };
            let mut sum = Throughput::default();
            for phase in &phases {
                let mut start = from - latency.mul_f64(*phase);
                while start < to {
                    let end = start + latency;
                    if from <= start && end <= to { sum.whole(tokens) } else { sum.edge(start, end, tokens) }
                    start = end;
                }
            }
            let rates = sum.rates(from, to).unwrap();
            #[expect(clippy::cast_precision_loss, reason = "a handful of users")]
            let law = phases.len() as f64 / latency.as_secs_f64();
            prop_assert!((rates.requests / law - 1.0).abs() < 1e-9, "{} {}", rates.requests, law);
            prop_assert!((rates.tokens.unwrap() / (7.0 * law) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_window_without_length_has_no_rate() {
        let now = Instant::now();
        assert_eq!(Throughput::default().rates(now, now), None);
    }

    #[test]
    fn tokens_that_nobody_stated_are_absent_rather_than_zero() {
        let now = Instant::now();
        let mut sum = Throughput::default();
        sum.whole(Tokens::default());
        let rates = sum.rates(now, now + Duration::from_secs(2)).unwrap();
        assert_eq!(rates, Rates { requests: 0.5, tokens: None });
    }
}
