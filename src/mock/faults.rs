//! The catalogue of faults: their names, what each does, and how a model's name or chance selects one.

use crate::units::nearest;

/// One way in which the relay can misbehave.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name that a model's name ends with, such as `mock-429`.
    pub name: &'static str,
    /// What happens, in a few words.
    pub what: &'static str,
    /// What the code branches on.
    pub(crate) kind: Kind,
    /// Which attempts it strikes.
    pub(crate) strikes: Strikes,
}

/// Which attempts of one request a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strikes {
    /// All.
    Always,
    /// The first attempt of each request id, or every other request without one.
    First,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    Unauthorized,
    PaymentRequired,
    Forbidden,
    NotFound,
    TooLarge,
    RateLimited,
    Quota,
    ServerError,
    Unavailable,
    Overloaded,
    Redirect,
    Cut,
    Eof,
    NoDone,
    ErrorEvent,
    ErrorFirst,
    Stall,
    PingStall,
    Empty,
    EmptyStream,
    Html,
    HtmlBadGateway,
    JsonStream,
    SseWhole,
    ErrorBody,
    Garbage,
    SlowFirstByte,
    Silent,
    Reset,
    NoEventNames,
    Crlf,
    SplitUtf8,
    Comments,
    Reasoning,
    Tool,
    Refusal,
    Filter,
    Length,
    HugeEvent,
    RejectStreamOptions,
    DuplicateUsage,
}

/// A fault that strikes every attempt.
const fn always(name: &'static str, kind: Kind, what: &'static str) -> Fault {
    Fault { name, what, kind, strikes: Strikes::Always }
}

/// A fault that strikes the first attempt.
const fn first(name: &'static str, kind: Kind, what: &'static str) -> Fault {
    Fault { name, what, kind, strikes: Strikes::First }
}

/// Every fault, in the order in which they are listed.
static FAULTS: [Fault; 45] = [
    always("mock-400", Kind::BadRequest, "400, the request is invalid"),
    always("mock-401", Kind::Unauthorized, "401, the key is invalid"),
    always("mock-402", Kind::PaymentRequired, "402, billing"),
    always("mock-403", Kind::Forbidden, "403, not permitted"),
    always("mock-404", Kind::NotFound, "404, unknown model"),
    always("mock-413", Kind::TooLarge, "413, the request is too large"),
    always("mock-429", Kind::RateLimited, "429, rate limited, with retry-after: 1 and rate-limit headers"),
    first("mock-429-once", Kind::RateLimited, "429 at the first attempt of a request id"),
    always("mock-quota", Kind::Quota, "429, quota or spending cap used up: waiting does not help"),
    always("mock-500", Kind::ServerError, "500, internal error"),
    first("mock-500-once", Kind::ServerError, "500 at the first attempt of a request id"),
    always("mock-503", Kind::Unavailable, "503, unavailable"),
    always("mock-529", Kind::Overloaded, "529, overloaded"),
    first("mock-529-once", Kind::Overloaded, "529 at the first attempt of a request id"),
    always("mock-redirect", Kind::Redirect, "307 to /elsewhere"),
    always("mock-cut", Kind::Cut, "the connection drops after half of the answer"),
    always("mock-eof", Kind::Eof, "the body ends cleanly after half of the answer"),
    always("mock-no-done", Kind::NoDone, "a whole stream without its terminal event"),
    always("mock-error-event", Kind::ErrorEvent, "an error event after half of the answer, then the end"),
    always("mock-error-first", Kind::ErrorFirst, "an error event before the first delta, then the end"),
    always("mock-stall", Kind::Stall, "silence for ever after half of the answer"),
    always("mock-ping-stall", Kind::PingStall, "nothing but pings after half of the answer"),
    always("mock-empty", Kind::Empty, "200 and an empty body"),
    always("mock-empty-stream", Kind::EmptyStream, "a complete stream without a single delta"),
    always("mock-html", Kind::Html, "200 and an HTML page"),
    always("mock-html-502", Kind::HtmlBadGateway, "502 and an HTML page"),
    always("mock-json-stream", Kind::JsonStream, "a whole JSON reply although a stream was asked for"),
    always("mock-sse-whole", Kind::SseWhole, "a stream although none was asked for"),
    always("mock-error-200", Kind::ErrorBody, "an error's body under status 200"),
    always("mock-garbage", Kind::Garbage, "an event of broken JSON after half of the answer"),
    always("mock-slow-first-byte", Kind::SlowFirstByte, "headers, then nothing for 60 s"),
    always("mock-silent", Kind::Silent, "the request is taken and never answered"),
    always("mock-reset", Kind::Reset, "the connection is closed before the headers"),
    always("mock-no-event-names", Kind::NoEventNames, "no `event:` lines"),
    always("mock-crlf", Kind::Crlf, "lines end in CR LF"),
    always("mock-split-utf8", Kind::SplitUtf8, "writes that end inside of characters"),
    always("mock-comments", Kind::Comments, "a comment after every event"),
    always("mock-reasoning", Kind::Reasoning, "the first third of the answer is reasoning"),
    always("mock-tool", Kind::Tool, "the answer is a tool call"),
    always("mock-refusal", Kind::Refusal, "the model declines"),
    always("mock-filter", Kind::Filter, "a content filter ends the answer"),
    always("mock-length", Kind::Length, "the answer ends at the token limit"),
    always("mock-huge-event", Kind::HugeEvent, "one event of 20 MiB"),
    always("mock-reject-stream-options", Kind::RejectStreamOptions, "400 where stream_options is present"),
    always("mock-duplicate-usage", Kind::DuplicateUsage, "usage is stated twice"),
];

/// Every fault, for `--list-faults`.
pub fn faults() -> &'static [Fault] {
    &FAULTS
}

/// The fault of this name, with or without its `mock-`.
pub(crate) fn by_name(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name || fault.name.strip_prefix("mock-") == Some(name))
}

/// The fault that a model's name, or a path, is or ends with after a `-` or a `/`; the longest where several fit.
pub(crate) fn named_in(name: &str) -> Option<&'static Fault> {
    let fits = |fault: &&Fault| {
        name.strip_suffix(fault.name).is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '/']))
    };
    FAULTS.iter().filter(fits).max_by_key(|fault| fault.name.len())
}

/// What a model's name that asks for a fault must have meant, where there is no such fault.
pub(crate) fn missed_in(name: &str) -> Option<String> {
    let last = name.rsplit('/').next().unwrap_or(name);
    if !last.starts_with("mock-") || last == MODEL || named_in(name).is_some() {
        return None;
    }
    let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).chain([MODEL]).collect();
    Some(match nearest(last, &names) {
        Some(near) => format!("there is no fault '{last}': did you mean {near}?"),
        None => format!("there is no fault '{last}': `baton mock --list-faults` lists them"),
    })
}

/// The model without a fault.
pub(crate) const MODEL: &str = "mock-model";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_does_not_exist_is_missed_with_the_nearest_one() {
        let missed = |name| missed_in(name).unwrap_or_default();
        assert_eq!(missed("mock-529-onec"), "there is no fault 'mock-529-onec': did you mean mock-529-once?");
        assert_eq!(missed("anthropic/mock-stal"), "there is no fault 'mock-stal': did you mean mock-stall?");
        assert!(missed("mock-").contains("mock-") && missed("mock-429-now").contains("mock-429"));
        for fine in ["mock-model", "mock-429", "a/mock-cut", "claude-x", "m", "", "hammock-429", "mock"] {
            assert_eq!(missed_in(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_model_selects_the_fault_that_its_name_ends_with() {
        let select = |name| named_in(name).map(|fault| fault.name);
        assert_eq!(select("mock-429"), Some("mock-429"));
        assert_eq!(select("claude-mock-429"), Some("mock-429"));
        assert_eq!(select("anthropic/mock-429-once"), Some("mock-429-once"));
        assert_eq!(select("a-mock-html-502"), Some("mock-html-502"));
        assert_eq!(select("/raw/mock-cut"), Some("mock-cut"));
        for innocent in ["", "claude-opus", "hammock-429", "mock-429-now", "gpt-500", "mock"] {
            assert_eq!(select(innocent), None, "{innocent}");
        }
    }

    #[test]
    fn names_are_unique_and_described() {
        let mut names: Vec<_> = faults().iter().map(|fault| fault.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), faults().len());
        assert!(faults().iter().all(|fault| fault.name.starts_with("mock-") && !fault.what.is_empty()));
        assert_eq!(by_name("429"), by_name("mock-429"));
        assert_eq!(by_name("nonsense"), None);
    }
}
