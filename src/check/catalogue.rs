//! What a check is: its id, its weight, what it takes, and its words.

use std::str::FromStr;

/// One check.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its id, such as `C03`; ids are never given anew.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub title: &'static str,
    /// How much it hurts where it does not hold.
    pub severity: Severity,
    /// What it takes to decide it.
    pub needs: Needs,
    /// Why it matters, with what was seen in the wild.
    pub why: &'static str,
    /// How it is decided.
    pub how: &'static str,
    /// How it is mended.
    pub fix: &'static str,
    /// What the code branches on.
    pub kind: Kind,
}

/// How much a failure hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Inconvenient.
    Low,
    /// Some clients suffer.
    Medium,
    /// Answers, money or keys are lost.
    High,
}

impl Severity {
    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Low, Self::Medium, Self::High];
        let found = all.into_iter().find(|severity| severity.name() == text);
        found.ok_or_else(|| "write low, medium or high".to_owned())
    }
}

/// What it takes to decide a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The relay alone.
    Relay,
    /// Both ends: baton plays the upstream.
    Upstream,
    /// Leave to load the relay.
    Intrusive,
    /// This machine only; `--self`.
    Nothing,
}

impl Needs {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "the relay alone",
            Self::Upstream => "--upstream",
            Self::Intrusive => "--intrusive",
            Self::Nothing => "--self",
        }
    }
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the catalogue says what each is, in its titles")]
pub enum Kind {
    Reachable,
    Tls,
    HttpVersions,
    Answers,
    WrongKey,
    ErrorShape,
    UnknownModel,
    Buffered,
    Usage,
    ModelName,
    Grammar,
    Compressed,
    BodySize,
    LargeBodies,
    Forwarded,
    RequestId,
    KeepAlive,
    Leakage,
    Date,
    OwnHeaders,
    RetryAfter,
    Overload,
    Retries,
    EmptyAnswer,
    ErrorEvent,
    Reset,
    NoTerminal,
    HugeEvent,
    SplitText,
    Comments,
    LongSilence,
    SlowFirstByte,
    Disconnect,
    Slots,
    Dialects,
    Bomb,
    RateLimit,
    Memory,
    Own,
}

impl Kind {
    /// The most requests that it makes; those of a rate and of a soak depend on what is asked for, and are not in it.
    pub const fn requests(self) -> u32 {
        match self {
            Self::HttpVersions
            | Self::Usage
            | Self::ModelName
            | Self::Compressed
            | Self::BodySize
            | Self::Retries
            | Self::Dialects => 2,
            Self::Buffered | Self::LargeBodies => 3,
            Self::Forwarded | Self::WrongKey => 4,
            Self::KeepAlive => 7,
            Self::Slots => 32,
            Self::Own | Self::RateLimit | Self::Memory => 0,
            _ => 1,
        }
    }
}

/// A check's id, its title, and what else the table below says of it.
pub(super) const fn check(
    id: &'static str,
    kind: Kind,
    weight: (Severity, Needs),
    words: [&'static str; 4],
) -> Check {
    let [title, why, how, fix] = words;
    Check { id, title, severity: weight.0, needs: weight.1, why, how, fix, kind }
}
