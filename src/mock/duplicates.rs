//! The refusal of content that was already asked for a moment ago, as some relays guard against clients that repeat.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// Fields that say how or for whom to answer, and nothing of what is asked.
const MANNERS: [&str; 4] = ["stream", "stream_options", "metadata", "user"];

/// What was asked for within the window.
#[derive(Debug)]
pub(crate) struct Duplicates {
    window: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When each content came first.
    since: HashMap<u64, Instant>,
    /// The same in order of arrival.
    order: VecDeque<(Instant, u64)>,
}

impl Duplicates {
    /// Nothing was asked for yet.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, seen: Mutex::default() }
    }

    /// How long this content is still refused because it was asked for before; otherwise it is remembered from now on.
    pub(crate) fn rest(&self, body: &[u8], now: Instant) -> Option<Duration> {
        let meaning = meaning(body);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { since, order } = &mut *seen;
        while let Some((at, old)) = order.front().copied()
            && now.saturating_duration_since(at) >= self.window
        {
            order.pop_front();
            since.remove(&old);
        }
        if let Some(at) = since.get(&meaning) {
            return Some(self.window.saturating_sub(now.saturating_duration_since(*at)));
        }
        since.insert(meaning, now);
        order.push_back((now, meaning));
        None
    }
}

/// What a body means: the order of its fields, its white space and its manners play no part; a body that is no JSON
/// means its bytes.
fn meaning(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| !MANNERS.contains(&name.as_str()));
            add(&Value::Object(fields), &mut hasher);
        }
        _ => body.hash(&mut hasher),
    }
    hasher.finish()
}

fn add(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort_unstable();
            ("{", names.len()).hash(hasher);
            for name in names {
                name.hash(hasher);
                add(&fields[name], hasher);
            }
        }
        Value::Array(items) => {
            ("[", items.len()).hash(hasher);
            for item in items {
                add(item, hasher);
            }
        }
        plain => plain.to_string().hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;

    #[test]
    fn the_same_content_is_refused_for_what_remains_of_the_window() {
        let duplicates = Duplicates::new(Duration::from_secs(10));
        let now = Instant::now();
        let rest = |body: &str, seconds| {
            duplicates.rest(body.as_bytes(), now + Duration::from_secs(seconds)).map(|rest| rest.as_secs())
        };
        assert_eq!(rest(BODY, 0), None);
        assert_eq!(rest(BODY, 4), Some(6));
        assert_eq!(rest("another", 4), None);
        // A refusal does not begin the window anew.
        assert_eq!(rest(BODY, 9), Some(1));
        assert_eq!(rest(BODY, 10), None);
        assert_eq!((rest("another", 13), rest("another", 14)), (Some(1), None));
    }

    #[test]
    fn what_is_past_the_window_is_forgotten() {
        let duplicates = Duplicates::new(Duration::from_secs(10));
        let now = Instant::now();
        for k in 0..1000 {
            assert_eq!(duplicates.rest(k.to_string().as_bytes(), now + Duration::from_secs(k)), None);
        }
        let seen = duplicates.seen.lock().unwrap();
        assert_eq!((seen.since.len(), seen.order.len()), (10, 10));
    }

    #[test]
    fn order_white_space_and_manners_are_not_part_of_the_meaning() {
        let same = r#" {"stream":true,"metadata":{"user_id":"7"},
            "messages":[{"content":"Hi","role":"user"}],"max_tokens":9,"model":"m"}"#;
        assert_eq!(meaning(BODY.as_bytes()), meaning(same.as_bytes()));
        for other in [
            BODY.replace("Hi", "Ho"),
            BODY.replace('9', "8"),
            BODY.replace("\"m\"", "\"n\""),
            BODY.replace("\"Hi\"", "[\"Hi\"]"),
            "{}".to_owned(),
        ] {
            assert_ne!(meaning(BODY.as_bytes()), meaning(other.as_bytes()), "{other}");
        }
        assert_ne!(meaning(b"raw bytes"), meaning(b"raw  bytes"));
    }
}
