//! What this machine made of a relay that answers at once: the most that it can say of any other.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::columns::whole;
use super::document::{Document, Level};
use super::result::{millis, rounded};
use super::threshold::place;
use crate::load::{Delivery, Percentile, Summary, Verdict};
use crate::units::grouped;

/// The share of its ceiling from which on a level may be this machine's doing.
const NEAR: f64 = 0.8;

/// One level of a test of the client by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Users of the level; in an open loop the most requests in flight.
    pub concurrency: u32,
    /// Planned arrivals per second; `None` in a closed loop, and where the rate changes.
    pub rate: Option<f64>,
    /// Successful requests per second.
    pub rps: Option<f64>,
    /// TP99 of latency, which is the client's and its machine's alone.
    pub latency_p99_ms: Option<f64>,
    /// TP99 of the wait of a ready task, on the slowest worker.
    pub event_loop_delay_p99_ms: Option<f64>,
    /// Busy share of the busiest worker's thread, between 0 and 1.
    pub busy_max: Option<f64>,
    /// TP99 of how late the client sent what was due; `None` in a closed loop.
    pub own_lag_p99_ms: Option<f64>,
}

impl Ceiling {
    /// What a level came to.
    pub fn of(level: &Summary) -> Self {
        let p99 = level.metrics.latency.quantile_of_any(Percentile::P99);
        Self {
            concurrency: level.concurrency,
            rate: level.rate,
            rps: level.rps.map(rounded),
            latency_p99_ms: p99.map(|p99| millis(p99.value)),
            event_loop_delay_p99_ms: level.health.delay_p99.map(millis),
            busy_max: level.health.busy_max.map(rounded),
            own_lag_p99_ms: level.delivery.as_ref().and_then(Delivery::own_lag_p99).map(millis),
        }
    }

    /// The same in words, without a line's end.
    pub fn told(&self) -> String {
        let mut told = format!("{}:", place(self.concurrency, self.rate));
        match self.rps {
            Some(rps) => _ = write!(told, " {} requests/s", grouped(whole(rps))),
            None => told += " nothing succeeded",
        }
        let times = [
            ("latency", self.latency_p99_ms),
            ("event-loop delay", self.event_loop_delay_p99_ms),
            ("own lag", self.own_lag_p99_ms),
        ];
        for (name, time) in times {
            if let Some(ms) = time {
                let _ = write!(told, " · {name} TP99 {ms:.2} ms");
            }
        }
        if let Some(busy) = self.busy_max {
            let _ = write!(told, " · busiest thread {:.0} % busy", busy * 100.0);
        }
        told
    }

    fn is_of(&self, level: &Level) -> bool {
        place(self.concurrency, self.rate) == place(level.concurrency, level.rate)
    }
}

/// How near each level came to what this machine made of a relay that answers at once.
pub(super) fn ceilings(document: &Document) -> Vec<String> {
    let line = |level: &Level| {
        let ceiling = document.selftest.iter().find(|ceiling| ceiling.is_of(level))?;
        let (reached, most) = level.rps.zip(ceiling.rps.filter(|most| *most > 0.0))?;
        let (name, share) = (place(level.concurrency, level.rate), reached / most);
        // An open loop sends what is asked for, whoever answers.
        let is_near =
            document.plan.arrivals.is_none() && share >= NEAR && level.verdict != Verdict::ClientBound;
        let doubt = if is_near { ": it may be this machine that this row is about" } else { "" };
        let [reached, most] = [reached, most].map(|rate| grouped(whole(rate)));
        Some(format!("ceiling {name}: {reached} of {most} requests/s ({:.0} %){doubt}", share * 100.0))
    };
    document.levels.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    fn tested(rps: f64) -> Vec<String> {
        let mut document = golden::whole();
        document.selftest = vec![Ceiling::of(&golden::level(2, 5_000, 4))];
        document.selftest[0].rps = Some(rps);
        ceilings(&document)
    }

    #[test]
    fn a_level_that_comes_near_the_ceiling_of_this_machine_is_doubted() {
        assert_eq!(tested(900.0), ["ceiling c=2: 90 of 900 requests/s (10 %)"]);
        assert_eq!(
            tested(100.0),
            ["ceiling c=2: 90 of 100 requests/s (90 %): it may be this machine that this row is about"]
        );
    }

    #[test]
    fn a_ceiling_tells_what_there_is() {
        let told = Ceiling::of(&golden::level(2, 5_000, 4)).told();
        assert_eq!(
            told,
            "c=2: 500 requests/s · latency TP99 5.96 ms · event-loop delay TP99 0.21 ms · busiest thread 21 % busy"
        );
    }
}
