//! The result document `baton.bench/1`: plain data, as it is saved and read back; schema in `docs/result.schema.json`.

use std::collections::BTreeMap;

use super::access::AccessTokens;
use serde::Deserialize;
use serde::Serialize;

use super::capacity::Capacity;
use super::compare::Comparison;
use super::endpoints::EndpointEvent;
use super::endpoints::EndpointShare;
use super::health::Client;
use super::knee::Knee;
use super::merge::Merged;
use super::prompts::PromptsInfo;
use super::selftest::Ceiling;
use super::tax::DirectSide;
use super::threshold::Goodput;
use super::threshold::Threshold;
use crate::load::Verdict;

/// The name and version of the document, in its field `schema`.
pub const SCHEMA: &str = "baton.bench/1";

/// The result of a run. Times are in ms where a name ends in `_ms` and in seconds where it ends in `_s`; what does not
/// exist is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was to be done.
    pub plan: PlanInfo,
    /// Where it was done.
    pub machine: Machine,
    /// When the run began, RFC 3339 in UTC.
    pub started: String,
    /// Whether someone stopped the run before its end.
    pub interrupted: bool,
    /// Why the run ended itself, if it did.
    pub gave_up: Option<GaveUp>,
    /// Which bound of its own it reached, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounded: Option<String>,
    /// One entry a level, in the order in which they ran.
    pub levels: Vec<Level>,
    /// What the times of each request should have been, as it was written.
    pub objectives: Vec<String>,
    /// Thresholds and what became of them.
    pub thresholds: Vec<Threshold>,
    /// The difference from an earlier result, where there is one.
    pub comparison: Option<Comparison>,
    /// The knee of the sweep; `None` for fewer than three levels.
    pub knee: Option<Knee>,
    /// What a capacity search has come to; `None` where there was none.
    pub capacity: Option<Capacity>,
    /// Where the requests went.
    pub endpoints: Vec<Endpoint>,
    /// Where their partners went past the relay; `None` where each request was made once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Endpoint>,
    /// What this machine made of a relay that answers at once, level by level; empty where that was not tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selftest: Vec<Ceiling>,
    /// What was decided about several endpoints, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EndpointEvent>,
    /// The parts that were added up, where this is the sum of several runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
    /// What the bodies of all requests weighed, those outside of the windows included.
    #[serde(default)]
    pub body_bytes: BodyBytes,
    /// How long access tokens took; `None` where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_tokens: Option<AccessTokens>,
}

/// What a run was to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanInfo {
    /// Whether each user waits for its answer (`closed`) or requests are sent when they are due (`open`).
    #[serde(rename = "loop")]
    pub shape: String,
    /// The dialect.
    pub api: String,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether answers were streamed.
    pub stream: bool,
    /// Length of the prompt in characters.
    pub prompt_chars: Option<u64>,
    /// What the requests said; `None` where each said the same.
    pub prompts: Option<PromptsInfo>,
    /// The limit on output tokens.
    pub max_tokens: Option<u64>,
    /// Attempts at each request, the first one included.
    pub attempts: u32,
    /// The embedded relay's description, where that is what was measured.
    pub mock: Option<String>,
    /// Users of each level; in an open loop the most requests in flight.
    pub levels: Vec<u32>,
    /// How arrivals are planned; `None` in a closed loop.
    pub arrivals: Option<ArrivalsInfo>,
    /// Length of the measured window, where it was a time.
    pub window_s: Option<f64>,
    /// Number of measured requests, where it was a count.
    pub requests: Option<u64>,
    /// Length of the warm-up.
    pub warmup_s: f64,
    /// How long requests in flight could go on after the last start.
    pub drain_s: f64,
    /// Threads that carried the users.
    pub workers: usize,
    /// The part of the plan that was carried, as in `2/4`; `None` where it was all of it.
    pub shard: Option<String>,
    /// When the first level was to begin, RFC 3339 in UTC; `None` where it began at once.
    pub start_at: Option<String>,
    /// From the beginning of one level to that of the next, where levels had slots.
    pub slot_s: Option<f64>,
    /// Whether each request was made twice, once through the relay and once past it.
    #[serde(default)]
    pub paired: bool,
}

/// How the arrivals of an open loop are planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArrivalsInfo {
    /// `constant`, `poisson` or `replay`.
    pub spacing: String,
    /// Arrivals per second, one for each level; with stages the rate at which they begin.
    pub rates: Vec<f64>,
    /// The ramp, where there is one.
    pub stages: Vec<StageInfo>,
    /// What random arrivals grow from.
    pub seed: u64,
    /// Arrivals of a replayed trace.
    pub replayed: Option<u64>,
}

/// A part of a ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageInfo {
    /// How long it takes.
    pub length_s: f64,
    /// Arrivals per second at its end.
    pub rate: f64,
}

/// What became of the arrivals of an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArrivalCounts {
    /// Arrivals that were due.
    pub planned: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Those that the client itself sent more than 1 ms late.
    pub late: u64,
    /// Those that waited because as many as allowed were in flight.
    pub capped: u64,
    /// Those never sent, for the same reason.
    pub unsent: u64,
    /// Due times per second.
    pub planned_per_s: Option<f64>,
    /// Starts per second.
    pub sent_per_s: Option<f64>,
    /// TP99 of how late the client itself was.
    pub own_lag_p99_ms: Option<f64>,
}

/// The machine that made the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Architecture of the processor.
    pub arch: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Version of baton.
    pub version: String,
}

/// Why a run ended itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaveUp {
    /// The class that repeated itself.
    pub class: String,
    /// What the last of those requests said.
    pub message: String,
}

/// Where requests went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its base URL, without credentials.
    pub url: String,
}

/// What request bodies weighed, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BodyBytes {
    /// Before compression.
    pub plain: u64,
    /// As they left.
    pub sent: u64,
}

/// The result of one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Users of the level.
    pub concurrency: u32,
    /// Planned arrivals per second; `None` in a closed loop, and where the rate changes.
    pub rate: Option<f64>,
    /// What became of the arrivals; `None` in a closed loop.
    pub arrivals: Option<ArrivalCounts>,
    /// When the window to which rates refer began, counted from `started`.
    pub window_at_s: f64,
    /// Length of that window.
    pub window_s: f64,
    /// Recorded requests that ended by themselves, failures included.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Recorded requests that were cut before they ended.
    pub censored: u64,
    /// Recorded requests by class.
    pub classes: BTreeMap<String, u64>,
    /// Successful requests per second.
    pub rps: Option<f64>,
    /// Output tokens per second.
    pub tokens_per_s: Option<f64>,
    /// Whether some of the tokens were estimated.
    pub tokens_estimated: bool,
    /// How many requests met the objectives; `None` where there are none.
    pub goodput: Option<Goodput>,
    /// Start to the last generated delta.
    pub latency_ms: Option<Distribution>,
    /// Start to the first generated delta.
    pub ttft_ms: Option<Distribution>,
    /// Start to the first delta that is not reasoning.
    pub ttfa_ms: Option<Distribution>,
    /// Start to the first byte of the body.
    pub ttfb_ms: Option<Distribution>,
    /// Start to the response headers.
    pub headers_ms: Option<Distribution>,
    /// Time per output token after the first.
    pub tpot_ms: Option<Distribution>,
    /// Between consecutive generated deltas.
    pub gap_ms: Option<Distribution>,
    /// The longest gap of each request.
    pub stall_ms: Option<Distribution>,
    /// Start to the terminal event.
    pub end_ms: Option<Distribution>,
    /// Name look-ups of new connections.
    pub dns_ms: Option<Distribution>,
    /// Connecting, of new connections; TLS included where a proxy stands between.
    pub connect_ms: Option<Distribution>,
    /// TLS handshakes of new connections, where they are timed apart.
    #[serde(default)]
    pub tls_ms: Option<Distribution>,
    /// From having a connection until the request had left, where that is timed.
    #[serde(default)]
    pub send_ms: Option<Distribution>,
    /// Planned start to the last generated delta; `None` in a closed loop.
    pub response_ms: Option<Distribution>,
    /// Planned start to the start; `None` in a closed loop.
    pub lag_ms: Option<Distribution>,
    /// The first failure of each class.
    pub failures: Vec<FailureNote>,
    /// The client's own health.
    pub client: Client,
    /// Whether the level was stopped before its planned end.
    pub ended_early: bool,
    /// How long after its slot began the level did; `None` where there are no slots.
    pub late_s: Option<f64>,
    /// Each second from the beginning of the measured part on, the drain included.
    pub timeline: Vec<Second>,
    /// What the figures are worth.
    pub verdict: Verdict,
    /// What each of several endpoints did, in the order of their names; empty where there is no choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointShare>,
    /// The requests that went past the relay, of which no figure above has any, and what it adds; `None` where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<DirectSide>,
}

/// What happened in one second of a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Requests that succeeded in it.
    pub ok: u64,
    /// Requests that failed in it.
    pub errors: u64,
    /// Requests under way when it was last looked at.
    pub in_flight: u32,
    /// Successes in it with a time to the first token.
    pub ttft_n: u64,
    /// The mean of those times.
    pub ttft_avg_ms: Option<f64>,
}

/// The distribution of one duration, in ms to the µs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of values.
    pub n: u64,
    /// Arithmetic mean.
    pub avg: f64,
    /// Sample standard deviation; `None` below two values.
    pub sd: Option<f64>,
    /// Exact sum of the values.
    pub sum: f64,
    /// Exact sum of the squares of the values in µs, a whole number of more digits than a JSON number keeps.
    pub sum_of_squares_us2: String,
    /// Smallest value.
    pub min: f64,
    /// Half of the values are at most this; `None` below 2 samples.
    pub p50: Option<f64>,
    /// Nine in ten are at most this; `None` below 10 samples.
    pub p90: Option<f64>,
    /// Nineteen in twenty are at most this; `None` below 20 samples.
    pub p95: Option<f64>,
    /// Ninety-nine in a hundred are at most this; `None` below 100 samples.
    pub p99: Option<f64>,
    /// Largest value.
    pub max: f64,
    /// 95 % interval of `p99`; an end that no sample reaches is `None`.
    pub p99_ci: Option<[Option<f64>; 2]>,
    /// Set where `p50` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_bound: Option<Tail>,
    /// Set where `p90` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_bound: Option<Tail>,
    /// Set where `p95` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_bound: Option<Tail>,
    /// Set where `p99` is only a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_bound: Option<Tail>,
    /// The values in µs as an HDR histogram, V2 with deflate, in base64.
    pub hdr: String,
    /// Ages in µs at which requests were cut, in the same form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censored_hdr: Option<String>,
    /// The largest of those ages, exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censored_max: Option<f64>,
}

/// What a percentile says about the truth where it is not the truth itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tail {
    /// The true value is this or more.
    Lower,
}

/// The first failure of a class at a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureNote {
    /// The class.
    pub class: String,
    /// How many requests of the level ended in it.
    pub count: u64,
    /// What the first of them said.
    pub message: String,
    /// When that one ended, counted from the start of the level.
    pub after_s: f64,
    /// How long the relay asked to wait.
    pub retry_after_s: Option<f64>,
}
