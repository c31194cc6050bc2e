//! The client's own health at each level: what is saved of it, what the worst of several machines was, and what is worth a word.

use serde::{Deserialize, Serialize};

use super::document::{Document, Level};
use super::result::{millis, rounded};
use super::threshold::place;
use crate::load::{Bottleneck, Health};
use crate::outcome::Class;
use crate::units::grouped;

/// The share of descriptors or ports from which on a level is near the end of them.
const NEAR: f64 = 0.8;

/// The share of connections that may be missing where each user should have one.
const MISSING: f64 = 0.05;

/// The client's own health at a level; what a system does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Workers that carried users.
    pub workers: usize,
    /// TP99 of the wait of a ready task, on the slowest worker.
    pub event_loop_delay_p99_ms: Option<f64>,
    /// Busy share of the busiest worker's thread, between 0 and 1.
    pub busy_max: Option<f64>,
    /// The largest share of the window that a worker's thread spent on a core.
    #[serde(default)]
    pub cpu_max: Option<f64>,
    /// Most descriptors that were open at once.
    #[serde(default)]
    pub descriptors_max: Option<u64>,
    /// How many may be open.
    #[serde(default)]
    pub descriptors_limit: Option<u64>,
    /// Most sockets that were open at once, those of an embedded relay included.
    #[serde(default)]
    pub sockets_max: Option<u64>,
    /// Connections to the relay that were made, in the warm-up too; `None` through a proxy.
    #[serde(default)]
    pub connections_made: Option<u64>,
    /// Most of them that were open at once.
    #[serde(default)]
    pub connections_max: Option<u64>,
    /// Most requests that one of them carried at once.
    #[serde(default)]
    pub streams_per_connection_max: Option<u64>,
    /// Most TCP ports of the machine that were taken at once.
    #[serde(default)]
    pub ports_max: Option<u64>,
    /// How many ports connections may leave from.
    #[serde(default)]
    pub ports_limit: Option<u64>,
    /// By how much the wall clock jumped.
    #[serde(default)]
    pub clock_step_ms: Option<f64>,
    /// What of it is a visible part of the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_by: Vec<Bottleneck>,
}

impl Client {
    /// What was seen at a level.
    pub(super) fn of(health: &Health) -> Self {
        let vitals = health.vitals;
        Self {
            workers: health.workers,
            event_loop_delay_p99_ms: health.delay_p99.map(millis),
            busy_max: health.busy_max.map(rounded),
            cpu_max: health.cpu_max.map(rounded),
            descriptors_max: vitals.descriptors,
            descriptors_limit: vitals.descriptor_limit,
            sockets_max: vitals.sockets,
            connections_made: health.connections.map(|lines| lines.made),
            connections_max: health.connections.map(|lines| lines.most_open),
            streams_per_connection_max: health.connections.map(|lines| lines.most_streams),
            ports_max: vitals.ports,
            ports_limit: vitals.port_range,
            clock_step_ms: (!vitals.clock_step.is_zero()).then(|| millis(vitals.clock_step)),
            bound_by: Vec::new(),
        }
    }

    /// The worst of several machines, figure by figure.
    pub(super) fn worst<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        all.fold(Self::default(), |worst, one| {
            let larger = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
            let fuller = |used: fn(&Self) -> Option<u64>, limit: fn(&Self) -> Option<u64>| {
                let of = |client: &Self| used(client).zip(limit(client));
                let fullest = [of(&worst), of(one)]
                    .into_iter()
                    .flatten()
                    .max_by(|a, b| share(*a).total_cmp(&share(*b)));
                fullest.unzip()
            };
            let (descriptors_max, descriptors_limit) =
                fuller(|client| client.descriptors_max, |client| client.descriptors_limit);
            let (ports_max, ports_limit) = fuller(|client| client.ports_max, |client| client.ports_limit);
            Self {
                workers: worst.workers + one.workers,
                event_loop_delay_p99_ms: larger(worst.event_loop_delay_p99_ms, one.event_loop_delay_p99_ms),
                busy_max: larger(worst.busy_max, one.busy_max),
                cpu_max: larger(worst.cpu_max, one.cpu_max),
                descriptors_max,
                descriptors_limit,
                // Users of all shards have connections of their own.
                sockets_max: sum(worst.sockets_max, one.sockets_max),
                connections_made: sum(worst.connections_made, one.connections_made),
                connections_max: sum(worst.connections_max, one.connections_max),
                streams_per_connection_max: worst
                    .streams_per_connection_max
                    .max(one.streams_per_connection_max),
                ports_max,
                ports_limit,
                clock_step_ms: larger(worst.clock_step_ms, one.clock_step_ms),
                bound_by: Vec::new(),
            }
        })
    }

    /// All of it in words.
    fn told(&self) -> String {
        let ms = |name: &str, value: Option<f64>| value.map(|ms| format!("{name} {ms:.2} ms"));
        let percent =
            |name: &str, share: Option<f64>| share.map(|share| format!("{name} {:.0} %", share * 100.0));
        let of = |name: &str, used: Option<u64>, limit: Option<u64>| {
            let limit = limit.map(|limit| format!(" of {}", grouped(limit))).unwrap_or_default();
            used.map(|used| format!("{} {name}{limit}", grouped(used)))
        };
        let parts = [
            Some(format!("{} workers", self.workers)),
            ms("event-loop delay TP99", self.event_loop_delay_p99_ms),
            percent("busiest thread busy", self.busy_max),
            percent("on a core", self.cpu_max),
            of("descriptors", self.descriptors_max, self.descriptors_limit),
            of("sockets", self.sockets_max, None),
            of("connections made", self.connections_made, None),
            of("open at once", self.connections_max, None),
            of("requests at once on one", self.streams_per_connection_max.filter(|most| *most > 1), None),
            of("TCP connections of the machine", self.ports_max, None),
            ms("wall clock jumped by", self.clock_step_ms),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// The sum of what is known.
fn sum(some: Option<u64>, more: Option<u64>) -> Option<u64> {
    some.zip(more).map(|(some, more)| some + more).or(some).or(more)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 descriptors")]
fn share((used, limit): (u64, u64)) -> f64 {
    used as f64 / limit.max(1) as f64
}

/// How the client fared at each level.
pub(super) fn health(document: &Document) -> Vec<(String, String)> {
    let row = |level: &Level| (place(level.concurrency, level.rate), level.client.told());
    document.levels.iter().map(row).collect()
}

/// What of the client's own health casts a doubt on a level, a line each.
pub(super) fn suspicions(document: &Document) -> Vec<String> {
    document.levels.iter().flat_map(|level| doubts(document, level)).collect()
}

fn doubts(document: &Document, level: &Level) -> Vec<String> {
    let (name, client) = (place(level.concurrency, level.rate), &level.client);
    let mut lines = Vec::new();
    let bound: Vec<_> = client.bound_by.iter().map(|bottleneck| bound(*bottleneck, level)).collect();
    if !bound.is_empty() {
        lines.push(format!("client  {name}: client-bound: {}", bound.join(", ")));
    }
    let near = |used: Option<u64>, limit: Option<u64>| {
        let near = used.zip(limit).filter(|used| share(*used) >= NEAR);
        near.map(|(used, limit)| (grouped(used), grouped(limit)))
    };
    if let Some((used, limit)) = near(client.descriptors_max, client.descriptors_limit) {
        lines.push(format!("client  {name}: {used} of {limit} descriptors were taken"));
    }
    // Both ends of a connection on one machine count, so that there may be more of them than ports.
    if let Some((used, limit)) = near(client.ports_max, client.ports_limit) {
        lines.push(format!(
            "client  {name}: this machine had {used} TCP connections, closed ones in TIME_WAIT included, and {limit} ports to make them from"
        ));
    }
    let users = f64::from(level.concurrency);
    let is_watched = document.plan.arrivals.is_none() && level.requests > 0;
    let (what, open) = match client.connections_max {
        Some(open) => ("connection", Some(open)),
        None => ("socket", client.sockets_max),
    };
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 sockets")]
    if let Some(open) = open.filter(|open| is_watched && (*open as f64) < users * (1.0 - MISSING)) {
        let shared = client.streams_per_connection_max.filter(|most| *most > 1);
        let shared = shared.map(|most| format!(", which shared them, up to {} on one", grouped(most)));
        let were = if open == 1 { " was" } else { "s were" };
        lines.push(format!(
            "client  {name}: no more than {} {what}{were} open at once, for {} users{}",
            grouped(open),
            grouped(level.concurrency.into()),
            shared.unwrap_or_default()
        ));
    }
    if let Some(step) = client.clock_step_ms {
        lines.push(format!(
            "client  {name}: the wall clock jumped by {step:.0} ms, or this machine slept: times of --log are of the clock before"
        ));
    }
    lines
}

/// What a bottleneck was seen by, and from where on it is one.
fn bound(bottleneck: Bottleneck, level: &Level) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), |ms| format!("{ms:.2} ms"));
    let arrivals = level.arrivals.as_ref();
    let waits = if level.ttft_ms.is_some() { "TTFT" } else { "latency" };
    match bottleneck {
        Bottleneck::EventLoopDelay => {
            let delay = ms(level.client.event_loop_delay_p99_ms);
            format!("event-loop delay TP99 {delay}, above 1 ms and 5 % of the {waits} TP99")
        }
        Bottleneck::OwnLag => {
            let lag = ms(arrivals.and_then(|arrivals| arrivals.own_lag_p99_ms));
            format!("requests left late, TP99 {lag}, above 1 ms and 5 % of the {waits} TP99")
        }
        Bottleneck::RateShort => {
            let rate =
                |rate: Option<f64>| rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{rate:.1}/s"));
            let (sent, planned) =
                arrivals.map_or((None, None), |arrivals| (arrivals.sent_per_s, arrivals.planned_per_s));
            format!("{} left where {} were due", rate(sent), rate(planned))
        }
        Bottleneck::BusyThread => {
            let busy = level
                .client
                .busy_max
                .map_or_else(|| "n/a".to_owned(), |busy| format!("{:.0} %", busy * 100.0));
            format!("a worker's thread {busy} busy, above 90 %")
        }
        Bottleneck::ClientLimit => {
            let count = level.classes.get(Class::ClientLimit.name()).copied().unwrap_or(0);
            format!("{} requests had no descriptor, port or memory", grouped(count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    fn doubted(client: Client) -> Vec<String> {
        let mut document = golden::streamed();
        document.levels.truncate(1);
        document.levels[0].client = client;
        suspicions(&document)
    }

    #[test]
    fn a_client_that_is_well_is_not_spoken_of() {
        let well = Client {
            descriptors_max: Some(70),
            descriptors_limit: Some(1_024),
            sockets_max: Some(51),
            ports_max: Some(60),
            ports_limit: Some(28_232),
            ..Client::default()
        };
        assert_eq!(doubted(well), [""; 0]);
        assert_eq!(doubted(Client::default()), [""; 0]);
    }

    #[test]
    fn what_is_scarce_shared_or_out_of_step_is_named_with_its_numbers() {
        let client = Client {
            descriptors_max: Some(900),
            descriptors_limit: Some(1_024),
            sockets_max: Some(2),
            ports_max: Some(27_000),
            ports_limit: Some(28_000),
            clock_step_ms: Some(1_200.0),
            ..Client::default()
        };
        let lines = doubted(client);
        for (line, said) in lines.iter().zip([
            "c=50: 900 of 1 024 descriptors were taken",
            "this machine had 27 000 TCP connections, closed ones in TIME_WAIT included, and 28 000 ports to make them from",
            "no more than 2 sockets were open at once, for 50 users",
            "the wall clock jumped by 1200 ms",
        ]) {
            assert!(line.replace('\u{202f}', " ").contains(said), "{line}");
        }
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn users_who_share_connections_are_told_how_many_do() {
        let shared = Client {
            sockets_max: Some(70),
            connections_max: Some(2),
            streams_per_connection_max: Some(25),
            ..Client::default()
        };
        let lines = doubted(shared.clone());
        let said =
            "no more than 2 connections were open at once, for 50 users, which shared them, up to 25 on one";
        assert!(lines.len() == 1 && lines[0].ends_with(said), "{lines:?}");
        let own = Client { connections_max: Some(50), streams_per_connection_max: Some(1), ..shared };
        assert_eq!(doubted(own), [""; 0]);
    }

    #[test]
    fn a_level_that_the_client_bounds_says_by_what() {
        let bound_by = vec![Bottleneck::EventLoopDelay, Bottleneck::BusyThread, Bottleneck::ClientLimit];
        let client = Client {
            event_loop_delay_p99_ms: Some(6.111),
            busy_max: Some(0.96),
            bound_by,
            ..Client::default()
        };
        assert_eq!(
            doubted(client),
            [
                "client  c=50: client-bound: event-loop delay TP99 6.11 ms, above 1 ms and 5 % of the TTFT TP99, \
              a worker's thread 96 % busy, above 90 %, 0 requests had no descriptor, port or memory"
            ]
        );
        let mut open = golden::open();
        open.levels[1].client.bound_by = vec![Bottleneck::OwnLag, Bottleneck::RateShort];
        let lines = suspicions(&open);
        assert!(lines[0].contains("rate=200/s: client-bound: requests left late, TP99 0.31 ms"), "{lines:?}");
        assert!(lines[0].ends_with("200.0/s left where 200.2/s were due"), "{lines:?}");
    }

    #[test]
    fn the_worst_of_several_machines_is_the_one_that_is_nearest_to_its_own_limit() {
        let of = |used, limit, sockets| Client {
            workers: 2,
            descriptors_max: Some(used),
            descriptors_limit: Some(limit),
            sockets_max: Some(sockets),
            ..Client::default()
        };
        let worst = Client::worst([of(900, 20_000, 30), of(800, 1_000, 20)].iter());
        assert_eq!((worst.descriptors_max, worst.descriptors_limit), (Some(800), Some(1_000)));
        assert_eq!((worst.sockets_max, worst.workers), (Some(50), 4));
    }
}
