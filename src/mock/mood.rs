//! How a relay is at the moment, beyond its [`Spec`](crate::mock::Spec): what can be changed while it runs.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// The longest latency that can be added, in milliseconds: a day.
const LONGEST: u64 = 86_400_000;

/// What a relay does beyond its description, until it is told otherwise. The default is nothing.
///
/// As JSON it is an object with these names; those that are left out have their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mood {
    /// What every reply is late by, in milliseconds.
    pub latency_ms: u64,
    /// The share of prompts that are refused, from 0 to 1.
    pub error_share: f64,
    /// The status they are refused with, from 400 to 599.
    pub error_status: u16,
    /// After how many seconds the refusals say that it is worth trying again.
    pub retry_after_s: Option<u32>,
    /// What becomes of connections.
    pub connections: Connections,
    /// Whether it asks its clients to leave: each reply says `Connection: close`, the health path 503.
    pub drain: bool,
    /// What the health path says; prompts are answered whatever it says.
    pub health: Health,
}

/// What becomes of a relay's connections, those that are open and those that come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// They are served.
    #[default]
    Open,
    /// They are accepted, and nothing is read or written any more, as by a process that is stopped.
    Silent,
    /// They are accepted and reset.
    Reset,
    /// Nothing listens, and those that were open are reset.
    Refused,
}

/// What the health path says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// That all is well.
    #[default]
    Ok,
    /// 503.
    Failing,
    /// Nothing, for ever.
    Silent,
}

/// A value that a mood cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}")]
pub struct MoodError {
    field: &'static str,
    expected: &'static str,
}

impl Default for Mood {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            error_share: 0.0,
            error_status: 503,
            retry_after_s: None,
            connections: Connections::Open,
            drain: false,
            health: Health::Ok,
        }
    }
}

impl Mood {
    /// Waits for as long as every reply is late.
    pub(crate) async fn wait(&self) {
        if self.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.latency_ms)).await;
        }
    }

    /// Whether the values are ones that a relay can have.
    pub(crate) fn check(&self) -> Result<(), MoodError> {
        let wrong = |field, expected| Err(MoodError { field, expected });
        if self.latency_ms > LONGEST {
            return wrong("latency_ms", "write a number of milliseconds up to 86400000");
        }
        if !(0.0..=1.0).contains(&self.error_share) {
            return wrong("error_share", "write a share from 0 to 1, as in 0.3");
        }
        if !(400..=599).contains(&self.error_status) {
            return wrong("error_status", "write a status from 400 to 599, as in 503");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_refused() {
        let read = |text: &str| serde_json::from_str::<Mood>(text);
        assert_eq!(read("{}").unwrap(), Mood::default());
        let mood = read(r#"{"latency_ms":500,"connections":"refused","health":"silent"}"#).unwrap();
        assert_eq!((mood.latency_ms, mood.error_status), (500, 503));
        assert_eq!((mood.connections, mood.health), (Connections::Refused, Health::Silent));
        assert_eq!(read(&serde_json::to_string(&mood).unwrap()).unwrap(), mood);
        let problem = read(r#"{"latency":500}"#).unwrap_err().to_string();
        assert!(problem.contains("unknown field `latency`") && problem.contains("latency_ms"), "{problem}");
    }

    #[test]
    fn values_outside_their_bounds_are_named() {
        let check =
            |text: &str| serde_json::from_str::<Mood>(text).unwrap().check().map_err(|e| e.to_string());
        for (text, field) in [
            (r#"{"latency_ms":86400001}"#, "latency_ms"),
            (r#"{"error_share":1.1}"#, "error_share"),
            (r#"{"error_share":-0.1}"#, "error_share"),
            (r#"{"error_status":399}"#, "error_status"),
            (r#"{"error_status":600}"#, "error_status"),
        ] {
            let problem = check(text).unwrap_err();
            assert!(problem.starts_with(&format!("{field}: write a ")), "{problem}");
        }
        assert_eq!(check(r#"{"error_share":1,"error_status":529,"latency_ms":86400000}"#), Ok(()));
    }
}
