//! A token, how long it is good, and when it is to be renewed.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::units::Secret;

use super::AuthError;

/// How long a token is taken to be good where neither the server nor the token says.
pub(super) const UNTOLD: Duration = Duration::from_secs(300);
/// A token that is good for longer than this is worth a warning: whoever steals it has that long.
pub(super) const LONG: Duration = Duration::from_secs(3600);
/// A token is renewed when less than this is left, or less than a tenth of its lifetime, whichever is more; but not in the first
/// half of it.
const EARLY: Duration = Duration::from_secs(60);
/// How much later it may be, so that processes that share a token do not all come at once.
const JITTER: Duration = Duration::from_secs(10);
/// A request does not leave with less than this left: it may be on its way for that long.
const LAST: Duration = Duration::from_secs(10);

/// What the authorization server granted.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    pub(super) scope: Vec<String>,
    /// When it was asked for, by this machine's clock: its life began no earlier.
    pub(super) obtained: SystemTime,
    pub(super) lifetime: Duration,
    /// Why the store could not take it, where it serves this process alone.
    pub(super) unsaved: Option<AuthError>,
}

impl Token {
    /// How much of its lifetime is left.
    pub(super) fn left(&self, now: SystemTime) -> Duration {
        let end = self.obtained.checked_add(self.lifetime).unwrap_or(now);
        end.duration_since(now).unwrap_or_default()
    }

    /// Whether this is the same token.
    pub(super) fn is(&self, access: &Secret) -> bool {
        self.access.expose() == access.expose()
    }

    /// Whether it needs no renewal yet.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        self.left(now) >= Margins::of(self.lifetime, 0.0).early
    }

    /// The scopes among these that it does not grant.
    pub(super) fn lacks<'a>(&self, required: &'a [String]) -> Vec<&'a str> {
        required.iter().filter(|scope| !self.scope.contains(scope)).map(String::as_str).collect()
    }
}

/// How much of a lifetime must be left for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Margins {
    /// With less left it is renewed while it is still in use.
    pub(super) early: Duration,
    /// With less left no request leaves with it.
    pub(super) last: Duration,
}

impl Margins {
    /// The margins of a token with this lifetime: never before half of it, and `random`, uniform in 0..1, later than that by
    /// up to 10 s.
    pub(super) fn of(lifetime: Duration, random: f64) -> Self {
        let early = EARLY.max(lifetime / 10).min(lifetime / 2);
        let jitter = JITTER.min(early / 4).mul_f64(random.clamp(0.0, 1.0));
        Self { early: early.saturating_sub(jitter), last: LAST.min(lifetime / 8) }
    }
}

/// How long a token that is a JWT is still good at a moment of its server's clock. Nothing is verified: a client cannot, and
/// only schedules by it.
pub(super) fn jwt_lifetime(token: &str, now: SystemTime) -> Option<Duration> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let ends = claims["exp"].as_f64().filter(|seconds| (0.0..1e11).contains(seconds))?;
    (SystemTime::UNIX_EPOCH + Duration::from_secs_f64(ends)).duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(seconds: u64) -> f64 {
        Margins::of(Duration::from_secs(seconds), 0.0).early.as_secs_f64()
    }

    #[test]
    fn a_token_is_renewed_a_minute_or_a_tenth_before_its_end_and_never_before_half_of_it() {
        for (lifetime, left) in
            [(2, 1.0), (100, 50.0), (300, 60.0), (600, 60.0), (3600, 360.0), (86_400, 8640.0)]
        {
            assert!((early(lifetime) - left).abs() < 1e-9, "{lifetime}: {}", early(lifetime));
        }
    }

    proptest::proptest! {
        #[test]
        fn jitter_only_makes_it_later_and_a_request_always_has_its_margin(seconds in 1_u64..1_000_000, random in 0.0..1.0_f64) {
            let lifetime = Duration::from_secs(seconds);
            let margins = Margins::of(lifetime, random);
            assert!(margins.early <= Margins::of(lifetime, 0.0).early);
            assert!(margins.last < margins.early && margins.early <= lifetime / 2);
        }
    }

    #[test]
    fn a_jwt_tells_its_end_and_anything_else_tells_nothing() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(jwt_lifetime(&jwt(r#"{"exp":1090}"#), now), Some(Duration::from_secs(90)));
        assert_eq!(jwt_lifetime(&jwt(r#"{"exp":900}"#), now), None);
        for text in ["opaque", "a.b.c", &jwt("{}"), &jwt(r#"{"exp":"soon"}"#), &jwt(r#"{"exp":1e300}"#)] {
            assert_eq!(jwt_lifetime(text, now), None, "{text}");
        }
    }
}
