//! Whether the figures of a level may be believed, and whom they speak about: the relay or this client.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// What a level's figures are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing succeeded, so nothing was measured.
    NoSuccess,
    /// The client was the bottleneck: its own delays are in the figures.
    ClientBound,
    /// Too few successes for a TP99.
    WeakN,
    /// The relay refused load, or more users brought hardly more throughput.
    RelaySaturated,
    /// The figures speak of the relay, and it carried the load.
    Ok,
}

impl Verdict {
    /// The name used in every table and document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSuccess => "no-success",
            Self::ClientBound => "client-bound",
            Self::WeakN => "weak-n",
            Self::RelaySaturated => "relay-saturated",
            Self::Ok => "ok",
        }
    }
}

/// What of the client stood in the way of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// Work that was ready waited for its turn.
    EventLoopDelay,
    /// Requests left later than they were due.
    OwnLag,
    /// Fewer requests left than were due.
    RateShort,
    /// A worker's thread had no rest.
    BusyThread,
    /// Requests had no descriptor, port or memory.
    ClientLimit,
}

/// What a verdict is based on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    /// Users of the level.
    pub concurrency: u32,
    /// Successful requests.
    pub ok: u64,
    /// TP99 of TTFT, or of latency where nothing was streamed.
    pub wait_p99: Option<Duration>,
    /// TP99 of the client's event-loop delay on its slowest worker.
    pub delay_p99: Option<Duration>,
    /// Busy share of the busiest worker, between 0 and 1.
    pub busy_max: Option<f64>,
    /// Requests in the class `client_limit`.
    pub client_limited: u64,
    /// Requests in the classes `rate_limited` and `overloaded`.
    pub turned_away: u64,
    /// Successful requests per second.
    pub rps: Option<f64>,
    /// TP99 of how late the client itself sent what was due; open loop only.
    pub own_lag_p99: Option<Duration>,
    /// Arrivals of an open loop that waited for a place or were never sent.
    pub held_back: u64,
    /// Share of the planned rate that was not delivered; open loop only.
    pub shortfall: Option<f64>,
    /// Users and successful requests per second of the level before.
    pub previous: Option<(u32, f64)>,
}

/// Successes below which a level has no TP99.
const FEWEST: u64 = 100;

/// The share of the measured time that the client's own delay may make up.
const DELAY_SHARE: f64 = 0.05;

/// A delay that is never blamed on the client.
const HARMLESS_DELAY: Duration = Duration::from_millis(1);

/// The busy share above which a worker's thread is a bottleneck.
const BUSY: f64 = 0.9;

/// The share of a planned rate that may be missing.
const RATE_SLACK: f64 = 0.005;

/// The least growth of throughput, as a share of the growth of concurrency, that is no saturation.
const GROWTH_SHARE: f64 = 0.1;

/// Judges a level; the first rule that applies decides, in the order of [`Verdict`].
pub fn judge(evidence: &Evidence) -> Verdict {
    if evidence.ok == 0 {
        Verdict::NoSuccess
    } else if !bottlenecks(evidence).is_empty() {
        Verdict::ClientBound
    } else if evidence.ok < FEWEST {
        Verdict::WeakN
    } else if evidence.turned_away > 0 || evidence.held_back > 0 || has_stopped_growing(evidence) {
        Verdict::RelaySaturated
    } else {
        Verdict::Ok
    }
}

/// What of the client is a visible part of what was measured; a level with any such is not the relay's.
pub fn bottlenecks(evidence: &Evidence) -> Vec<Bottleneck> {
    let is_visible = |delay: Duration| {
        let share = evidence.wait_p99.map_or(0.0, |wait| DELAY_SHARE * wait.as_secs_f64());
        delay > HARMLESS_DELAY && delay.as_secs_f64() > share
    };
    let is_short = evidence.held_back == 0 && evidence.shortfall.is_some_and(|share| share > RATE_SLACK);
    let all = [
        (Bottleneck::EventLoopDelay, evidence.wait_p99.and(evidence.delay_p99).is_some_and(is_visible)),
        (Bottleneck::OwnLag, evidence.own_lag_p99.is_some_and(is_visible)),
        (Bottleneck::RateShort, is_short),
        (Bottleneck::BusyThread, evidence.busy_max.is_some_and(|busy| busy > BUSY)),
        (Bottleneck::ClientLimit, evidence.client_limited > 0),
    ];
    all.into_iter().filter(|(_, is_seen)| *is_seen).map(|(bottleneck, _)| bottleneck).collect()
}

/// Whether throughput grew by less than a tenth of what concurrency did.
fn has_stopped_growing(evidence: &Evidence) -> bool {
    evidence.previous.zip(evidence.rps).is_some_and(|((users, before), now)| {
        let more_users = f64::from(evidence.concurrency) / f64::from(users) - 1.0;
        more_users > 0.0 && before > 0.0 && now / before - 1.0 < GROWTH_SHARE * more_users
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Option<Duration> = |ms| Some(Duration::from_millis(ms));

    fn healthy() -> Evidence {
        Evidence {
            concurrency: 100,
            ok: 1_000,
            wait_p99: MS(100),
            delay_p99: MS(1),
            busy_max: Some(0.5),
            turned_away: 0,
            rps: Some(180.0),
            previous: Some((50, 100.0)),
            ..Evidence::default()
        }
    }

    #[test]
    fn an_open_loop_answers_for_its_own_lateness_and_the_relay_for_arrivals_held_back() {
        let open = Evidence { own_lag_p99: MS(1), shortfall: Some(0.004), ..healthy() };
        assert_eq!(judge(&open), Verdict::Ok);
        assert_eq!(judge(&Evidence { own_lag_p99: MS(5), ..open }), Verdict::Ok);
        assert_eq!(judge(&Evidence { own_lag_p99: MS(6), ..open }), Verdict::ClientBound);
        let quick = Evidence { wait_p99: MS(2), ..open };
        assert_eq!(judge(&Evidence { own_lag_p99: MS(2), ..quick }), Verdict::ClientBound);
        assert_eq!(judge(&Evidence { shortfall: Some(0.006), ..open }), Verdict::ClientBound);
        let held_back = Evidence { held_back: 3, shortfall: Some(0.3), ..open };
        assert_eq!(judge(&held_back), Verdict::RelaySaturated);
    }

    #[test]
    fn a_healthy_level_is_ok() {
        assert_eq!(judge(&healthy()), Verdict::Ok);
    }

    #[test]
    fn a_level_without_a_success_says_nothing_else() {
        assert_eq!(judge(&Evidence { ok: 0, busy_max: Some(1.0), ..healthy() }), Verdict::NoSuccess);
    }

    #[test]
    fn the_client_is_blamed_for_delay_only_above_a_twentieth_and_a_millisecond() {
        assert_eq!(judge(&Evidence { delay_p99: MS(6), ..healthy() }), Verdict::ClientBound);
        assert_eq!(judge(&Evidence { delay_p99: MS(5), ..healthy() }), Verdict::Ok);
        assert_eq!(judge(&Evidence { delay_p99: MS(1), wait_p99: MS(2), ..healthy() }), Verdict::Ok);
        assert_eq!(judge(&Evidence { busy_max: Some(0.91), ..healthy() }), Verdict::ClientBound);
        assert_eq!(judge(&Evidence { busy_max: Some(0.90), ..healthy() }), Verdict::Ok);
    }

    #[test]
    fn a_request_that_this_machine_had_no_room_for_is_never_charged_to_the_relay() {
        let limited = Evidence { client_limited: 1, turned_away: 5, ..healthy() };
        assert_eq!(judge(&limited), Verdict::ClientBound);
    }

    #[test]
    fn a_busy_client_outranks_a_small_sample_and_that_a_saturated_relay() {
        let few = Evidence { ok: 99, turned_away: 5, ..healthy() };
        assert_eq!(judge(&few), Verdict::WeakN);
        assert_eq!(judge(&Evidence { busy_max: Some(1.0), ..few }), Verdict::ClientBound);
    }

    #[test]
    fn each_bottleneck_of_the_client_is_named() {
        assert_eq!(bottlenecks(&healthy()), []);
        let worn = Evidence {
            delay_p99: MS(6),
            own_lag_p99: MS(7),
            shortfall: Some(0.02),
            busy_max: Some(0.95),
            client_limited: 1,
            ..healthy()
        };
        let names = serde_json::to_value(bottlenecks(&worn)).unwrap();
        let expected = ["event-loop-delay", "own-lag", "rate-short", "busy-thread", "client-limit"];
        assert_eq!(names, serde_json::json!(expected));
    }

    #[test]
    fn a_relay_that_turns_requests_away_is_saturated() {
        assert_eq!(judge(&Evidence { turned_away: 1, ..healthy() }), Verdict::RelaySaturated);
    }

    #[test]
    fn throughput_that_grows_by_less_than_a_tenth_of_the_users_is_saturation() {
        assert_eq!(judge(&Evidence { rps: Some(109.0), ..healthy() }), Verdict::RelaySaturated);
        assert_eq!(judge(&Evidence { rps: Some(111.0), ..healthy() }), Verdict::Ok);
        let fewer_users = Evidence { concurrency: 25, rps: Some(60.0), ..healthy() };
        assert_eq!(judge(&fewer_users), Verdict::Ok);
    }

    #[test]
    fn every_verdict_is_written_as_its_name() {
        for verdict in
            [Verdict::NoSuccess, Verdict::ClientBound, Verdict::WeakN, Verdict::RelaySaturated, Verdict::Ok]
        {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }
}
