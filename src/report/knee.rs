//! The knee of a sweep: the level above which more load buys little throughput for much waiting.

use serde::Deserialize;
use serde::Serialize;

use super::columns::signed;
use super::document::Document;
use super::document::Level;
use super::threshold::place;
use crate::load::Verdict;

/// Levels below which a sweep has no shape.
const FEWEST: usize = 3;

/// The level with the most throughput per waiting time, `rps` ÷ TP99 of latency (of response in an open loop; the average
/// where a level has no TP99): the *power*
/// of L. Kleinrock, *Power and deterministic rules of thumb for probabilistic problems in computer communications*, ICC 1979.
/// Users that find a free slot raise it in proportion, users that queue lower it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The level: `c=100` or `rate=50/s`.
    pub level: String,
    /// The next larger level; `None` where the knee is the largest, so that it may lie beyond.
    pub next: Option<String>,
    /// How much more throughput that brings, as a share.
    pub rps_change: Option<f64>,
    /// How much more waiting it costs, as a share.
    pub wait_change: Option<f64>,
}

impl Knee {
    /// The knee of a sweep; `None` for fewer than three levels of which the figures are the relay's own.
    pub(super) fn of(levels: &[Level]) -> Option<Self> {
        let mut levels: Vec<&Level> = levels.iter().collect();
        levels.sort_by(|a, b| load(a).total_cmp(&load(b)));
        // From where the client is the bottleneck on, the shape is the client's.
        let end =
            levels.iter().position(|level| level.verdict == Verdict::ClientBound).unwrap_or(levels.len());
        let levels = &levels[..end];
        if levels.len() < FEWEST {
            return None;
        }
        // One figure for all, for an average and a TP99 do not compare.
        let waits: Vec<f64> = levels
            .iter()
            .map(|level| tp99(level))
            .collect::<Option<_>>()
            .or_else(|| levels.iter().map(|level| average(level)).collect())?;
        let rates: Vec<f64> = levels.iter().map(|level| level.rps).collect::<Option<_>>()?;
        let power = |at: &usize| rates[*at] / waits[*at];
        let at = (0..levels.len()).max_by(|a, b| power(a).total_cmp(&power(b)))?;
        let name = |at: usize| levels.get(at).map(|level| place(level.concurrency, level.rate));
        let change = |values: &[f64]| values.get(at + 1).map(|next| rounded(next / values[at] - 1.0));
        Some(Self {
            level: name(at)?,
            next: name(at + 1),
            rps_change: change(&rates),
            wait_change: change(&waits),
        })
    }

    /// The knee in words.
    pub(super) fn story(&self) -> String {
        match (&self.next, self.rps_change, self.wait_change) {
            (Some(next), Some(rps), Some(wait)) => format!(
                "{}: {next} changes requests/s by {} % and waiting by {} %",
                self.level,
                signed(rps * 100.0, 0),
                signed(wait * 100.0, 0)
            ),
            _ => format!("{} or beyond: larger levels would tell", self.level),
        }
    }
}

/// The line of the knee.
pub(super) fn knee(document: &Document) -> Option<String> {
    document.knee.as_ref().map(|knee| format!("knee    {}", knee.story()))
}

fn load(level: &Level) -> f64 {
    level.rate.unwrap_or(f64::from(level.concurrency))
}

fn tp99(level: &Level) -> Option<f64> {
    let waits = level.response_ms.as_ref().or(level.latency_ms.as_ref())?;
    waits.p99.filter(|p99| *p99 > 0.0 && waits.p99_bound.is_none())
}

fn average(level: &Level) -> Option<f64> {
    let waits = level.response_ms.as_ref().or(level.latency_ms.as_ref())?;
    Some(waits.avg).filter(|average| *average > 0.0)
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    /// Levels of a relay with 20 slots of 100 ms, as queueing theory has them.
    fn levels(users: &[u32]) -> Vec<Level> {
        let model = golden::judged().levels.remove(0);
        let level = |users: &u32| {
            let mut level = Level { concurrency: *users, verdict: Verdict::Ok, ..model.clone() };
            let users = f64::from(*users);
            level.rps = Some(users.min(20.0) / 0.1);
            level.latency_ms.as_mut().unwrap().p99 = Some(100.0 * (users / 20.0).max(1.0));
            level
        };
        users.iter().map(level).collect()
    }

    #[test]
    fn the_knee_of_a_relay_with_slots_is_at_its_slots() {
        let knee = Knee::of(&levels(&[40, 5, 10, 20, 80])).unwrap();
        assert_eq!((knee.level.as_str(), knee.next.as_deref()), ("c=20", Some("c=40")));
        assert_eq!((knee.rps_change, knee.wait_change), (Some(0.0), Some(1.0)));
        assert_eq!(knee.story(), "c=20: c=40 changes requests/s by 0 % and waiting by +100 %");
    }

    #[test]
    fn a_sweep_that_does_not_reach_the_knee_says_so() {
        let knee = Knee::of(&levels(&[5, 10, 15])).unwrap();
        assert_eq!((knee.level.as_str(), knee.next.as_deref()), ("c=15", None));
        assert_eq!(knee.story(), "c=15 or beyond: larger levels would tell");
        assert_eq!(Knee::of(&levels(&[5, 10])), None);
    }

    #[test]
    fn a_client_that_is_the_bottleneck_has_no_say() {
        let mut levels = levels(&[5, 10, 20, 40]);
        levels[3].verdict = Verdict::ClientBound;
        assert_eq!(Knee::of(&levels).unwrap().next, None);
        levels[2].verdict = Verdict::ClientBound;
        assert_eq!(Knee::of(&levels), None);
    }
}
