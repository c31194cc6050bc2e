//! One address of a relay as the user describes it, and how one of several is chosen.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::net::{Url, shown_url};

/// One address of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The base address; two endpoints never have the same.
    pub url: Url,
    /// The zone it stands in.
    pub zone: Option<String>,
    /// The region it stands in.
    pub region: Option<String>,
    /// Its part of the traffic beside the others', from 1; used by [`Strategy::Weighted`].
    pub weight: u32,
    /// Its rank, the lowest first; used by [`Strategy::Priority`].
    pub priority: u32,
    /// Whether it is to get nothing new.
    pub drain: bool,
}

impl Endpoint {
    /// What a weight may be.
    pub const WEIGHTS: RangeInclusive<u32> = 1..=1_000_000;
    /// What a priority may be.
    pub const PRIORITIES: RangeInclusive<u32> = 0..=1_000;

    /// An endpoint of which nothing but its address is said.
    pub fn at(url: Url) -> Self {
        Self { url, zone: None, region: None, weight: 1, priority: 0, drain: false }
    }

    /// How it is called in reports: its address without anything secret.
    pub fn name(&self) -> String {
        shown_url(&self.url)
    }
}

/// How one of several endpoints is chosen among those that are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// One preferred endpoint, the fastest, changed only with hysteresis and dwell.
    #[default]
    Nearest,
    /// The better of two drawn at random, by recent time to first byte times requests under way.
    Balanced,
    /// The lowest priority number that is well, balanced among equals.
    Priority,
    /// Drawn at random by weight.
    Weighted,
    /// The first endpoint and no other, whatever happens to it.
    Pinned,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 5] = [Self::Nearest, Self::Balanced, Self::Priority, Self::Weighted, Self::Pinned];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Balanced => "balanced",
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::Pinned => "pinned",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A word that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no strategy; known are nearest, balanced, priority, weighted and pinned")]
pub struct UnknownStrategy(String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.name() == text);
        found.ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}
