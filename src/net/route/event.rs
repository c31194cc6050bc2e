//! What routing decided, and why: each decision is one event.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::units::Span;

/// One decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, counted from the router's start.
    pub at: Duration,
    /// The endpoint it is about, by its name; none where it is about all of them.
    pub endpoint: Option<String>,
    /// What was decided.
    pub change: Change,
    /// Why.
    pub reason: Reason,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It gets no traffic for a time.
    Ejected,
    /// It would have been ejected and was not.
    Kept,
    /// It gets one request at a time.
    Trial,
    /// It serves again, at first only where the others cannot.
    Recovered,
    /// It takes a part of its share.
    Ramped,
    /// It takes its whole share.
    Restored,
    /// It is asked last for a time, because it limits the rate.
    Cooled,
    /// It has become the preferred one.
    Preferred,
    /// It gets nothing new.
    Drained,
    /// Its name leads elsewhere, so that connections to where it led are given up.
    AddressChanged,
    /// The endpoints, or what is said of them, changed by the configuration.
    Configured,
    /// The configuration may not be used any more; what it said last stays.
    ConfigLapsed,
    /// It is part of the set.
    Added,
    /// It is no part of the set any more.
    Removed,
    /// The local network is under suspicion, so that nothing is ejected.
    SuspicionRaised,
    /// It is not any more.
    SuspicionLifted,
    /// Fewer than half are well, so that all may be asked.
    PanicBegun,
    /// At least half are well again.
    PanicEnded,
}

impl Change {
    /// The name in logs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ejected => "ejected",
            Self::Kept => "kept",
            Self::Trial => "trial",
            Self::Recovered => "recovered",
            Self::Ramped => "ramped",
            Self::Restored => "restored",
            Self::Cooled => "cooled",
            Self::Preferred => "preferred",
            Self::Drained => "drained",
            Self::AddressChanged => "address_changed",
            Self::Configured => "configured",
            Self::ConfigLapsed => "config_lapsed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::SuspicionRaised => "local_network_suspected",
            Self::SuspicionLifted => "local_network_well",
            Self::PanicBegun => "panic",
            Self::PanicEnded => "panic_ended",
        }
    }
}

/// Why something was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// So many requests in a row failed.
    Consecutive(u32),
    /// So many of so many requests failed in the window.
    Ratio(u32, u32),
    /// Probes and a request agree that it is down.
    Agreed,
    /// It sent no byte for this time while others did, and its probes failed.
    Silent(Duration),
    /// The trial request failed.
    TrialFailed,
    /// As many are ejected as may be.
    MostEjected,
    /// Its time is over.
    TimeOver,
    /// Its trials succeeded.
    Trials(u32),
    /// No request came to try it, and its probes pass.
    Probes,
    /// This percentage of its share.
    Share(u8),
    /// It answered 429, and is left alone for this time.
    RateLimited(Duration),
    /// It is faster than the one before by this time.
    Faster(Duration),
    /// The one before gets no traffic.
    Unavailable,
    /// Somebody asked for it.
    Asked,
    /// Its name led to the first of these addresses and leads to the second.
    Moved(IpAddr, IpAddr),
    /// The set of endpoints was changed.
    Configured,
    /// No source has confirmed it, or its end has passed.
    Unconfirmed,
    /// The synced configuration has this version.
    Version(u64),
    /// Nothing replies, whichever endpoint is asked.
    NothingReplies,
    /// Something replied.
    Replied,
    /// So many of so many endpoints are well.
    Well(usize, usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consecutive(count) => write!(out, "{count} requests in a row failed"),
            Self::Ratio(failed, all) => write!(out, "{failed} of {all} requests failed within 30s"),
            Self::Agreed => out.write_str("its probes and a request failed, and none succeeded"),
            Self::Silent(time) => write!(out, "no byte for {} while others sent some", Span(*time)),
            Self::TrialFailed => out.write_str("the trial request failed"),
            Self::MostEjected => out.write_str("no more endpoints may be ejected"),
            Self::TimeOver => out.write_str("its time is over"),
            Self::Trials(count) => write!(out, "{count} trial requests succeeded"),
            Self::Probes => out.write_str("no request came to try it, and its probes pass"),
            Self::Share(percent) => write!(out, "{percent} % of its share"),
            Self::RateLimited(time) => write!(out, "it answered 429: left alone for {}", Span(*time)),
            Self::Faster(time) => write!(out, "faster by {}", Span(*time)),
            Self::Unavailable => out.write_str("the one before gets no traffic"),
            Self::Asked => out.write_str("asked for"),
            Self::Moved(from, to) => write!(out, "its name led to {from} and leads to {to}"),
            Self::Configured => out.write_str("the configuration changed"),
            Self::Unconfirmed => out.write_str("no version may be used any more"),
            Self::Version(version) => write!(out, "version {version} of the synced configuration"),
            Self::NothingReplies => out.write_str("nothing replies, whichever endpoint is asked"),
            Self::Replied => out.write_str("an endpoint replied"),
            Self::Well(well, all) => write!(out, "{well} of {all} endpoints are well"),
        }
    }
}
