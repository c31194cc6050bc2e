//! The one string that describes the relay: `ttft=80ms,gap=20ms,tokens=64,slots=64,seed=1,fault=429:0.01`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::mock::faults;
use crate::mock::faults::Fault;
use crate::mock::freeze::Freeze;
use crate::mock::oauth::TokenFault;
use crate::mock::pace::Distribution;
use crate::units::Rate;
use crate::units::Size;
use crate::units::Span;
use crate::units::UnitError;

/// The settings a description may have.
const KEYS: [&str; 15] = [
    "ttft",
    "gap",
    "tokens",
    "chunk",
    "slots",
    "rate",
    "burst",
    "duplicate-window",
    "freeze",
    "token-life",
    "token-grace",
    "token-delay",
    "token-fault",
    "seed",
    "fault",
];

/// The longest time a setting may state.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The largest number of tokens a setting may state.
const MOST_TOKENS: u64 = 10_000_000;

/// The smallest piece a setting may state, which has room for any word.
const SMALLEST_PIECE: u64 = 16;

/// The largest piece a setting may state: what a client reads as one event has its limits.
const LARGEST_PIECE: u64 = 4 * 1024 * 1024;

/// How the relay answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// From getting a place to the first generated piece.
    pub ttft: Distribution<Duration>,
    /// Between two generated pieces.
    pub gap: Distribution<Duration>,
    /// How many tokens an answer has, unless the request allows fewer.
    pub tokens: Distribution<u64>,
    /// How many bytes of text a generated piece has; `None` makes it a word.
    pub chunk: Option<Size>,
    /// How many requests are answered at a time; the others queue. `None` is without a limit.
    pub slots: Option<usize>,
    /// How often requests are let through; the others get a 429. `None` is without a limit.
    pub rate: Option<Rate>,
    /// How many may come at once under that limit; `None` is as many as the rate names.
    pub burst: Option<u32>,
    /// How long the same content is refused after it was asked for.
    pub duplicate_window: Option<Duration>,
    /// Whether and when the relay stands still.
    pub freeze: Option<Freeze>,
    /// How long the access tokens live of which each prompt needs one; `None` is without an authorization server.
    pub token_life: Option<Duration>,
    /// How long a refresh token that was replaced serves once more; `None` is 5 s.
    pub token_grace: Option<Duration>,
    /// How long each request for a token takes.
    pub token_delay: Option<Duration>,
    /// What befalls the first requests for a token.
    pub token_fault: Option<TokenFault>,
    /// What all random draws grow from.
    pub seed: u64,
    /// Faults that befall requests by chance.
    pub faults: Vec<FaultRate>,
}

/// A fault and how often it occurs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRate {
    /// The fault.
    pub fault: &'static Fault,
    /// The share of requests that meet it, from 0 to 1.
    pub probability: f64,
}

/// Why a description of the relay was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A key that does not exist.
    #[error("'{key}' is no setting of the relay: it has {}", KEYS.join(", "))]
    UnknownKey {
        /// The key as written.
        key: String,
    },
    /// An item without `=`.
    #[error("'{item}' has no value: write KEY=VALUE, where KEY is one of {}", KEYS.join(", "))]
    NoValue {
        /// The item as written.
        item: String,
    },
    /// A key whose effect hangs on another.
    #[error("'{key}' has no effect without '{missing}'")]
    Alone {
        /// The key.
        key: &'static str,
        /// The key that is missing.
        missing: &'static str,
    },
    /// A key that may stand once stands twice.
    #[error("'{key}' is given twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A value that the key cannot take.
    #[error("{key}={value}: {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What would have been accepted.
        expected: String,
    },
}

/// What a time may be.
const TIME: &str =
    "write a time up to 1d (80ms), lognormal:MEDIAN:SIGMA (lognormal:80ms:0.3) or exp:MEAN (exp:80ms)";

/// What a length may be.
const LENGTH: &str =
    "write a number of at least 1 (64), lognormal:MEDIAN:SIGMA (lognormal:64:0.5) or exp:MEAN (exp:64)";

/// What the size of a piece may be.
const PIECE: &str = "write a number of bytes from 16 to 4Mi (64k, 64Ki)";

/// What a window may be.
const WINDOW: &str = "write a time above 0 and up to 1d (30s)";

impl Default for Spec {
    fn default() -> Self {
        Self {
            ttft: Distribution::LogNormal { median: Duration::from_millis(80), sigma: 0.3 },
            gap: Distribution::Constant(Duration::from_millis(5)),
            tokens: Distribution::Constant(16),
            chunk: None,
            slots: Some(64),
            rate: None,
            burst: None,
            duplicate_window: None,
            freeze: None,
            token_life: None,
            token_grace: None,
            token_delay: None,
            token_fault: None,
            seed: 1,
            faults: Vec::new(),
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    /// What the text leaves out keeps its default; an empty text is the default.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let Some((key, value)) = item.split_once('=') else {
                return Err(if KEYS.contains(&item) {
                    SpecError::NoValue { item: item.into() }
                } else {
                    SpecError::UnknownKey { key: item.into() }
                });
            };
            if key != "fault" && seen.contains(&key) {
                return Err(SpecError::Twice { key: key.into() });
            }
            seen.push(key);
            spec.set(key, value)?;
        }
        if spec.burst.is_some() && spec.rate.is_none() {
            return Err(SpecError::Alone { key: "burst", missing: "rate" });
        }
        let idle = [
            ("token-grace", spec.token_grace.is_some()),
            ("token-delay", spec.token_delay.is_some()),
            ("token-fault", spec.token_fault.is_some()),
        ];
        if let (Some((key, _)), None) = (idle.into_iter().find(|(_, given)| *given), spec.token_life) {
            return Err(SpecError::Alone { key, missing: "token-life" });
        }
        Ok(spec)
    }
}

impl Spec {
    /// The fault that befalls a request whose lot, from 0 to 1, this is.
    pub(crate) fn fault_by_chance(&self, lot: f64) -> Option<&'static Fault> {
        let mut below = 0.0;
        let mut rates = self.faults.iter();
        let rate = rates.find(|rate| {
            below += rate.probability;
            lot < below
        })?;
        Some(rate.fault)
    }

    /// Takes one setting over.
    fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        let refuse =
            |key, expected: &str| SpecError::Value { key, value: value.into(), expected: expected.into() };
        match key {
            "ttft" => self.ttft = distribution(value, time).ok_or_else(|| refuse("ttft", TIME))?,
            "gap" => self.gap = distribution(value, time).ok_or_else(|| refuse("gap", TIME))?,
            "tokens" => self.tokens = distribution(value, length).ok_or_else(|| refuse("tokens", LENGTH))?,
            "slots" => {
                self.slots = match value {
                    "inf" => None,
                    _ => Some(value.parse::<u32>().map_err(|_| refuse("slots", "write a number, 0 or inf"))?)
                        .filter(|slots| *slots > 0)
                        .map(|slots| slots as usize),
                }
            }
            "chunk" => self.chunk = Some(piece(value).ok_or_else(|| refuse("chunk", PIECE))?),
            "rate" => {
                self.rate =
                    Some(value.parse().map_err(|error: UnitError| refuse("rate", &error.to_string()))?);
            }
            "burst" => {
                let burst = value.parse().ok().filter(|burst| *burst > 0);
                self.burst = Some(burst.ok_or_else(|| refuse("burst", "write a number of at least 1"))?);
            }
            "duplicate-window" => {
                let window = time(value).filter(|window| !window.is_zero());
                self.duplicate_window = Some(window.ok_or_else(|| refuse("duplicate-window", WINDOW))?);
            }
            "freeze" => self.freeze = Some(value.parse().map_err(|expected| refuse("freeze", expected))?),
            "token-life" => {
                let life = time(value).filter(|life| !life.is_zero());
                self.token_life = Some(life.ok_or_else(|| refuse("token-life", WINDOW))?);
            }
            "token-grace" => {
                self.token_grace =
                    Some(time(value).ok_or_else(|| refuse("token-grace", "write a time up to 1d (5s)"))?);
            }
            "token-delay" => {
                self.token_delay =
                    Some(time(value).ok_or_else(|| refuse("token-delay", "write a time up to 1d (300ms)"))?);
            }
            "token-fault" => {
                self.token_fault = Some(value.parse().map_err(|expected| refuse("token-fault", expected))?);
            }
            "seed" => self.seed = value.parse().map_err(|_| refuse("seed", "write a whole number"))?,
            "fault" => self.faults.push(self.fault(value).map_err(|expected| refuse("fault", &expected))?),
            _ => return Err(SpecError::UnknownKey { key: key.into() }),
        }
        Ok(())
    }

    /// Reads `NAME:PROBABILITY`; all probabilities together may make 1.
    fn fault(&self, value: &str) -> Result<FaultRate, String> {
        let (name, probability) = value.split_once(':').ok_or("write NAME:PROBABILITY, as in 429:0.01")?;
        let fault = faults::by_name(name).ok_or_else(|| {
            let names: Vec<_> = faults::faults().iter().map(|fault| short(fault.name)).collect();
            format!("'{name}' is no fault; there are {}", names.join(", "))
        })?;
        let probability: f64 = probability.parse().unwrap_or(f64::NAN);
        let others: f64 = self.faults.iter().map(|rate| rate.probability).sum();
        if (0.0..=1.0).contains(&probability) && others + probability <= 1.0 + 1e-9 {
            Ok(FaultRate { fault, probability })
        } else {
            Err("a probability lies between 0 and 1, and all of them make at most 1".into())
        }
    }
}

/// Reads a constant or a distribution over whatever `base` reads.
fn distribution<T>(text: &str, base: impl Fn(&str) -> Option<T>) -> Option<Distribution<T>> {
    match text.split(':').collect::<Vec<_>>()[..] {
        [constant] => base(constant).map(Distribution::Constant),
        ["exp", mean] => base(mean).map(|mean| Distribution::Exponential { mean }),
        ["lognormal", median, sigma] => {
            let sigma = sigma.parse().ok().filter(|sigma| (0.0..=10.0).contains(sigma))?;
            base(median).map(|median| Distribution::LogNormal { median, sigma })
        }
        _ => None,
    }
}

/// Reads a time that is not absurd.
fn time(text: &str) -> Option<Duration> {
    text.parse::<Span>().ok().map(|span| span.0).filter(|time| *time <= LONGEST)
}

/// Reads a number of tokens.
fn length(text: &str) -> Option<u64> {
    text.parse().ok().filter(|tokens| (1..=MOST_TOKENS).contains(tokens))
}

impl FromStr for Distribution<u64> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        distribution(text, length).ok_or_else(|| LENGTH.to_owned())
    }
}

/// Reads the size of a piece: at least a word, at most what fits into an event.
fn piece(text: &str) -> Option<Size> {
    text.parse().ok().filter(|Size(bytes)| (SMALLEST_PIECE..=LARGEST_PIECE).contains(bytes))
}

/// A fault's name without what all of them begin with.
fn short(name: &str) -> &str {
    name.strip_prefix("mock-").unwrap_or(name)
}

impl fmt::Display for Spec {
    /// The text that reads back as this very description.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ttft={},gap={},", Shown(self.ttft, exact), Shown(self.gap, exact))?;
        write!(out, "tokens={},", Shown(self.tokens, |tokens| tokens.to_string()))?;
        if let Some(Size(bytes)) = self.chunk {
            write!(out, "chunk={bytes},")?;
        }
        match self.slots {
            Some(slots) => write!(out, "slots={slots},")?,
            None => out.write_str("slots=inf,")?,
        }
        if let Some(rate) = self.rate {
            write!(out, "rate={rate},")?;
        }
        if let Some(burst) = self.burst {
            write!(out, "burst={burst},")?;
        }
        if let Some(window) = self.duplicate_window {
            write!(out, "duplicate-window={},", exact(window))?;
        }
        if let Some(freeze) = self.freeze {
            write!(out, "freeze={freeze},")?;
        }
        if let Some(life) = self.token_life {
            write!(out, "token-life={},", exact(life))?;
        }
        if let Some(grace) = self.token_grace {
            write!(out, "token-grace={},", exact(grace))?;
        }
        if let Some(delay) = self.token_delay {
            write!(out, "token-delay={},", exact(delay))?;
        }
        if let Some(fault) = self.token_fault {
            write!(out, "token-fault={fault},")?;
        }
        write!(out, "seed={}", self.seed)?;
        self.faults
            .iter()
            .try_for_each(|rate| write!(out, ",fault={}:{}", short(rate.fault.name), rate.probability))
    }
}

/// A time without loss, unlike [`Span`]'s three digits for people.
fn exact(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0 => "0".into(),
        n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
        n => format!("{}.{:03}us", n / 1000, n % 1000),
    }
}

/// A distribution beside the way to write its base.
struct Shown<T>(Distribution<T>, fn(T) -> String);

impl<T: Copy> fmt::Display for Shown<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Distribution::Constant(value) => out.write_str(&self.1(value)),
            Distribution::LogNormal { median, sigma } => write!(out, "lognormal:{}:{sigma}", self.1(median)),
            Distribution::Exponential { mean } => write!(out, "exp:{}", self.1(mean)),
        }
    }
}

#[cfg(test)]
mod tests;
