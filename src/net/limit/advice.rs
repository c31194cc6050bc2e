//! What a reply's headers announce of the relay's rate limits, in both vendors' forms.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::Kind;
use crate::net::HeaderMap;

/// From here on a number of a reset is a moment (Unix time) and no length of time.
const EPOCH_SECONDS: f64 = 1e9;
/// From here on it is one in milliseconds.
const EPOCH_MILLIS: f64 = 1e12;

/// One limit, as a reply announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// What is limited.
    pub(super) kind: Kind,
    /// The limit.
    pub(super) limit: u64,
    /// How much of it is left.
    pub(super) remaining: u64,
    /// The time until all of it is back.
    pub(super) reset: Duration,
}

/// All limits that a reply announces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice(pub(super) Vec<Standing>);

/// The parts of one limit, in the order in which the headers happen to come.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
}

impl Advice {
    /// Reads `anthropic-ratelimit-…` and `x-ratelimit-…`; a limit of which a part is missing, malformed or not positive
    /// is left out (some relays send -1 for "none").
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        const NAMES: [(Kind, &str, &str); 6] = [
            (Kind::Requests, "anthropic-ratelimit-requests-", ""),
            (Kind::Input, "anthropic-ratelimit-input-tokens-", ""),
            (Kind::Output, "anthropic-ratelimit-output-tokens-", ""),
            (Kind::Requests, "x-ratelimit-", "-requests"),
            (Kind::Both, "x-ratelimit-", "-tokens"),
            (Kind::Both, "x-ratelimit-", "-project-tokens"),
        ];
        let mut found = [Parts::default(); NAMES.len()];
        // The relay's clock counts for the relay's moments.
        let date = headers.get("date").and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
        for (name, value) in headers {
            let (name, Ok(value)) = (name.as_str(), value.to_str()) else { continue };
            for ((_, before, after), parts) in NAMES.iter().zip(&mut found) {
                let part = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                match part {
                    Some("limit") => parts.limit = value.parse().ok().filter(|limit| *limit > 0),
                    Some("remaining") => parts.remaining = value.parse().ok(),
                    Some("reset") => parts.reset = reset(value, date.unwrap_or(now)),
                    _ => {}
                }
            }
        }
        let mut advice = Self::default();
        for ((kind, ..), parts) in NAMES.into_iter().zip(found) {
            let Parts { limit: Some(limit), remaining: Some(remaining), reset: Some(reset) } = parts else {
                continue;
            };
            advice.add(Standing { kind, limit, remaining, reset });
        }
        advice
    }

    /// Keeps the stricter of two limits on the same thing.
    fn add(&mut self, standing: Standing) {
        match self.0.iter_mut().find(|known| known.kind == standing.kind) {
            Some(known) if standing.remaining < known.remaining => *known = standing,
            Some(_) => {}
            None => self.0.push(standing),
        }
    }
}

/// The time until a reset: RFC 3339, Go's durations (`6m0s`), seconds, or Unix time in seconds or milliseconds.
fn reset(text: &str, now: SystemTime) -> Option<Duration> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let until = |moment: Duration| moment.saturating_sub(since_epoch);
    if let Ok(number) = text.parse::<f64>() {
        let length = |number| Duration::try_from_secs_f64(number).ok();
        return match number {
            number if number >= EPOCH_MILLIS => length(number / 1e3).map(until),
            number if number >= EPOCH_SECONDS => length(number).map(until),
            number => length(number),
        };
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(until(Duration::try_from(moment.as_duration()).unwrap_or_default()));
    }
    go_duration(text)
}

/// A time as Go writes it: `12ms`, `1s`, `4m12.172s`, `23h18m29.144s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{HeaderName, HeaderValue};

    /// 2025-08-21T12:40:00Z.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_755_780_000)
    }

    fn read(fields: &[(&'static str, &'static str)]) -> Vec<Standing> {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Advice::read(&fields.iter().map(field).collect(), now()).0
    }

    fn standing(kind: Kind, limit: u64, remaining: u64, seconds: u64) -> Standing {
        Standing { kind, limit, remaining, reset: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_headers_of_anthropic_are_read() {
        let found = read(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2025-08-21T12:40:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "40000"),
            ("anthropic-ratelimit-input-tokens-remaining", "38000"),
            ("anthropic-ratelimit-input-tokens-reset", "2025-08-21T12:40:03Z"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2025-08-21T12:41:00Z"),
            ("anthropic-ratelimit-tokens-limit", "48000"),
        ]);
        let expected = [
            standing(Kind::Requests, 50, 49, 1),
            standing(Kind::Input, 40_000, 38_000, 3),
            standing(Kind::Output, 8_000, 0, 60),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_headers_of_openai_are_read() {
        let found = read(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-limit-project-tokens", "900000"),
            ("x-ratelimit-remaining-project-tokens", "150000"),
            ("x-ratelimit-reset-project-tokens", "50s"),
        ]);
        assert_eq!(found, [standing(Kind::Requests, 60, 59, 1), standing(Kind::Both, 150_000, 149_984, 360)]);
    }

    #[test]
    fn a_moment_counts_by_the_clock_of_the_relay_that_names_it() {
        let fields = [
            ("date", "Thu, 21 Aug 2025 12:50:00 GMT"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "1"),
            ("anthropic-ratelimit-requests-reset", "2025-08-21T12:50:30Z"),
        ];
        assert_eq!(read(&fields), [standing(Kind::Requests, 50, 1, 30)]);
    }

    #[test]
    fn a_reset_is_read_in_all_its_forms() {
        let millis = |text| reset(text, now()).map(|time| time.as_millis());
        assert_eq!([millis("12ms"), millis("4m12.172s")], [Some(12), Some(252_172)]);
        assert_eq!(millis("23h18m29.144s"), Some(83_909_144));
        assert_eq!([millis("0.25"), millis("30"), millis("0")], [Some(250), Some(30_000), Some(0)]);
        assert_eq!([millis("1755780002"), millis("1755780002500")], [Some(2000), Some(2500)]);
        assert_eq!(millis("2025-08-21T12:39:00Z"), Some(0), "a moment that has passed is no wait");
        assert_eq!(millis("2025-08-21T14:40:00.5+02:00"), Some(500));
        for bad in ["", "soon", "-1", "5x", "1s2", "NaN", "inf"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_limit_is_no_advice() {
        for (limit, remaining, reset) in
            [("-1", "-1", "1s"), ("0", "0", "1s"), ("60", "59", "soon"), ("many", "59", "1s")]
        {
            let fields = [
                ("x-ratelimit-limit-requests", limit),
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-reset-requests", reset),
            ];
            assert_eq!(read(&fields), [], "{limit} {remaining} {reset}");
        }
        assert_eq!(read(&[("x-ratelimit-limit-requests", "60")]), []);
    }
}
