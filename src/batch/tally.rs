//! What a run has come to so far: counts that a progress line, a summary and the limits of the run are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::Exchange;
use crate::outcome::{BodySize, TokenTimes};
use crate::units::Money;

use super::record::UNREADABLE;

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Rows with a whole answer, those of earlier runs and twins included.
    pub done: u64,
    /// Rows that failed for good.
    pub failed: u64,
    /// Failed rows by class.
    pub failures: BTreeMap<&'static str, u64>,
    /// Rows that asked for the same as an earlier one and share its answer.
    pub duplicates: u64,
    /// Rows whose answer came from the cache.
    pub cached: u64,
    /// Rows that an earlier run had finished.
    pub earlier: u64,
    /// Requests sent, retries and repairs included.
    pub attempts: u64,
    /// Requests that were answered with 429.
    pub limited: u64,
    /// Prompt tokens of the answers.
    pub input_tokens: u64,
    /// Those of them that a cache of the vendor's held.
    pub cached_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
    /// What the bodies of all requests weighed.
    pub body: BodySize,
    /// What the answers cost, where every model's price is known.
    pub cost: Option<Money>,
}

/// What became of one row.
#[derive(Debug)]
pub(super) struct Fate {
    /// What failed; `None` for a whole answer.
    pub(super) failure: Option<&'static str>,
    attempts: u64,
    limited: u64,
    cached: bool,
    body: BodySize,
    tokens: [u64; 3],
    cost: Option<Money>,
}

impl Fate {
    pub(super) fn of_exchange(exchange: &Exchange, cost: Option<Money>) -> Self {
        let failed = !exchange.class.is_answered();
        let limited = exchange.attempts.iter().filter(|attempt| attempt.status == Some(429)).count();
        let counted = [exchange.tokens.input, exchange.usage.cache_read, exchange.tokens.output];
        Self {
            failure: failed.then(|| exchange.class.name()),
            attempts: exchange.attempts.len() as u64,
            limited: limited as u64,
            cached: exchange.cached,
            body: exchange.body(),
            tokens: counted.map(Option::unwrap_or_default),
            cost,
        }
    }

    pub(super) fn unreadable() -> Self {
        Self {
            failure: Some(UNREADABLE),
            attempts: 0,
            limited: 0,
            cached: false,
            body: BodySize::default(),
            tokens: [0; 3],
            cost: None,
        }
    }
}

impl Tally {
    /// Takes in a row that this run has brought to its end.
    pub(super) fn add(&mut self, fate: &Fate) {
        self.count(fate.failure);
        self.attempts += fate.attempts;
        self.limited += fate.limited;
        self.cached += u64::from(fate.cached);
        self.body = [self.body, fate.body].into_iter().sum();
        let [input, cached, output] = fate.tokens;
        self.input_tokens += input;
        self.cached_tokens += cached;
        self.output_tokens += output;
        if let Some(cost) = fate.cost {
            self.cost = Some([self.cost.unwrap_or_default(), cost].into_iter().sum());
        }
    }

    /// Takes in a row that shares the answer of another.
    pub(super) fn add_twin(&mut self, failure: Option<&'static str>) {
        self.duplicates += 1;
        self.count(failure);
    }

    /// Takes in a row that an earlier run had finished.
    pub(super) fn add_earlier(&mut self, failure: Option<&'static str>) {
        self.earlier += 1;
        self.count(failure);
    }

    /// Takes in what was counted elsewhere.
    pub(super) fn merge(&mut self, other: &Self) {
        let Self { done, failed, failures, duplicates, earlier, attempts, limited, .. } = other;
        self.done += done;
        self.failed += failed;
        for (class, rows) in failures {
            *self.failures.entry(class).or_default() += rows;
        }
        self.duplicates += duplicates;
        self.earlier += earlier;
        self.attempts += attempts;
        self.limited += limited;
        self.cached += other.cached;
        self.body = [self.body, other.body].into_iter().sum();
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        if let Some(cost) = other.cost {
            self.cost = Some([self.cost.unwrap_or_default(), cost].into_iter().sum());
        }
    }

    fn count(&mut self, failure: Option<&'static str>) {
        match failure {
            None => self.done += 1,
            Some(class) => {
                self.failed += 1;
                *self.failures.entry(class).or_default() += 1;
            }
        }
    }

    /// Rows that have come to an end.
    pub const fn finished(&self) -> u64 {
        self.done + self.failed
    }
}

/// The state of a run while it lasts.
#[derive(Debug, Clone)]
pub struct Live {
    /// The counts so far.
    pub tally: Tally,
    /// Rows of the whole input, once it has been read to its end.
    pub rows: Option<u64>,
    /// How much of the input has been read, from 0 to 1, where that can be known.
    pub read: Option<f64>,
    /// Time since the start.
    pub elapsed: Duration,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The counts.
    pub tally: Tally,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether every row of the input has come to an end.
    pub complete: bool,
    /// Rows whose answers wait in the journal for the rows before them.
    pub waiting: u64,
    /// How long tokens took; for whoever keeps them to fill in.
    pub token_times: TokenTimes,
}
