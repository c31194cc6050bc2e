//! What a relay's headers say about trying again: `Retry-After` in all its forms and `x-should-retry`.

use std::time::{Duration, SystemTime};

use super::{HeaderMap, Headers};

/// How long the relay asks to wait: `retry-after-ms`, then `retry-after` in seconds (a fraction is allowed) or as an
/// HTTP date (RFC 9110, section 10.2.3). A date that has passed means no wait.
pub fn retry_after(headers: &Headers, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.text(name).map(str::trim);
    if let Some(wait) = text("retry-after-ms").and_then(|ms| seconds(ms.parse::<f64>().ok()? / 1000.0)) {
        return Some(wait);
    }
    let hint = text("retry-after")?;
    if let Ok(number) = hint.parse::<f64>() {
        return seconds(number);
    }
    let until = httpdate::parse_http_date(hint).ok()?;
    Some(until.duration_since(now()).unwrap_or_default())
}

/// A wait in seconds; one beyond all measure is still a wait, and longer than anybody has.
fn seconds(number: f64) -> Option<Duration> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX))
}

/// The relay's own word on whether trying again makes sense (a convention of both vendors' SDKs).
pub fn should_retry(headers: &Headers) -> Option<bool> {
    match headers.text("x-should-retry")? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// By how many seconds the clock of a reply's sender is ahead of ours, by its `Date`.
pub fn clock_ahead(date: Option<&str>, now: SystemTime) -> Option<i64> {
    let date = httpdate::parse_http_date(date?).ok()?;
    let seconds = |time: Duration| i64::try_from(time.as_secs()).ok();
    match date.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration()).map(|behind| -behind),
    }
}

/// Whether a refusal says that the token does not allow enough, which another like it would not either (RFC 6750, section
/// 3.1).
pub fn lacks_scope(headers: &HeaderMap) -> bool {
    let values = headers.get_all("www-authenticate").into_iter();
    values.filter_map(|value| value.to_str().ok()).any(|value| value.contains("insufficient_scope"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        // Sunday, 6 November 1994, 08:49:00 UTC.
        retry_after(&headers.into(), || SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740))
    }

    #[test]
    fn a_date_tells_whose_clock_is_ahead() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740);
        let ahead = |date| clock_ahead(Some(date), now);
        assert_eq!(ahead("Sun, 06 Nov 1994 08:59:00 GMT"), Some(600));
        assert_eq!(ahead("Sun, 06 Nov 1994 08:39:00 GMT"), Some(-600));
        assert_eq!(ahead("today"), None);
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        assert_eq!(hint("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(hint("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(hint("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(hint("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(hint("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(hint("retry-after", "99999999999999999999"), Some(Duration::MAX));
        for bad in ["soon", "-3", "", "NaN", "inf", "1e400"] {
            assert_eq!(hint("retry-after", bad), None, "{bad}");
        }
    }

    #[test]
    fn the_millisecond_form_wins_over_seconds() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        headers.insert("retry-after-ms", "250".parse().unwrap());
        assert_eq!(retry_after(&headers.clone().into(), SystemTime::now), Some(Duration::from_millis(250)));
        headers.insert("retry-after-ms", "-1".parse().unwrap());
        assert_eq!(retry_after(&headers.into(), SystemTime::now), Some(Duration::from_secs(7)));
    }

    #[test]
    fn only_a_plain_true_or_false_counts_as_the_relays_word() {
        let word = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-should-retry", value.parse().unwrap());
            should_retry(&headers.into())
        };
        assert_eq!((word("true"), word("false"), word("maybe")), (Some(true), Some(false), None));
        assert_eq!(should_retry(&HeaderMap::new().into()), None);
    }
}
