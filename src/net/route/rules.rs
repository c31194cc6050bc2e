//! Every number of routing, with where it comes from; `docs/routing.md` lists them for users.

use std::time::Duration;

/// Endpoints that one router keeps at most: they fit the bits of a word.
pub const MOST_ENDPOINTS: usize = 64;

/// The time constant of the averages of latency (brpc's and Finagle's peak-EWMA).
pub(super) const LATENCY_TAU: Duration = Duration::from_secs(10);

/// Failures in a row that eject (Envoy, `consecutive_5xx`).
pub(super) const CONSECUTIVE: u32 = 5;
/// A pause between two failures that ends the row.
pub(super) const CONSECUTIVE_PAUSE: Duration = Duration::from_secs(60);
/// The window of the failure ratio.
pub(super) const RATIO_WINDOW_S: u64 = 30;
/// Requests that the window must hold before its ratio means anything.
pub(super) const RATIO_REQUESTS: u32 = 20;
/// Failures among the last [`LATEST`] requests, all of the window, that eject: more than a quarter. Retries may be a fifth of
/// all requests, so that an endpoint that fails more often would cost requests for as long as it is kept. Where a tenth fail, 64
/// requests come to it by chance once in 7,000 times.
pub(super) const LATEST_FAILED: u32 = 17;
/// How many requests are the last ones.
pub(super) const LATEST: u32 = u64::BITS;
/// The first ejection; the n-th takes n times as long (Envoy, `base_ejection_time`).
pub(super) const EJECTION: Duration = Duration::from_secs(30);
/// The longest ejection (Envoy, `max_ejection_time`).
pub(super) const EJECTION_MOST: Duration = Duration::from_secs(300);
/// What is added at random to an ejection (Envoy, `max_ejection_time_jitter`), so that clients do not return together.
pub(super) const EJECTION_JITTER: Duration = Duration::from_secs(10);
/// How long an endpoint is well before one of its ejections is forgotten.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_secs(300);
/// Successful trials that end an ejection.
pub(super) const TRIALS: u32 = 2;
/// How long a trial waits for requests; then probes that pass stand in for them.
pub(super) const TRIAL_PATIENCE: Duration = Duration::from_secs(60);
/// How long an ejection waits for another endpoint to be heard, where nothing at all came of its requests. Longer than the
/// longest probe, so that by then all have been heard or have not.
pub(super) const NEWS_PATIENCE: Duration = Duration::from_secs(4);
/// How old that wait may be to mean anything: after a clock that jumped it means nothing.
pub(super) const NEWS_AGE: Duration = Duration::from_secs(10);

/// The pause between two probes of an endpoint (`HAProxy` has 2 s; 5 s costs a relay less).
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(5);
/// The same while its state is changing (`HAProxy`, `fastinter`).
pub(super) const PROBE_FAST: Duration = Duration::from_secs(1);
/// The same while it is down (`HAProxy`, `downinter`).
pub(super) const PROBE_DOWN: Duration = Duration::from_secs(10);
/// The share by which pauses vary.
pub(super) const PROBE_JITTER: f64 = 0.2;
/// The time limit of a probe.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The time limit of a probe of an endpoint that is suspected to be silent.
pub const PROBE_TIMEOUT_SILENT: Duration = Duration::from_secs(1);
/// How much later than its time limit a probe that nobody told of is given up.
pub(super) const PROBE_GRACE: Duration = Duration::from_secs(1);
/// Probes in a row that change what is thought of an endpoint (`HAProxy`, `fall` and `rise`).
pub(super) const PROBE_RUN: u32 = 3;

/// How recent a success must be to outweigh failing probes.
pub(super) const SUCCESS_COUNTS: Duration = Duration::from_secs(10);
/// How recent a failure must be for probes to agree with it.
pub(super) const FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// No byte for so long is silence.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// How long before it a probe may have been answered last, so that unanswered ones are news.
pub(super) const SILENCE_NEWS: Duration = Duration::from_secs(15);
/// Requests under way that make silence telling.
pub(super) const SILENCE_REQUESTS: u32 = 5;
/// Unanswered probes that confirm it.
pub(super) const SILENCE_PROBES: usize = 2;

/// The cool-down after a 429 that names no time.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(5);
/// The longest cool-down that is believed.
pub(super) const COOL_DOWN_MOST: Duration = Duration::from_secs(3600);

/// How much better another endpoint must be to become the preferred one: a share …
pub(super) const BETTER_SHARE: f64 = 0.2;
/// … and a time.
pub(super) const BETTER_BY: Duration = Duration::from_millis(10);
/// In so many windows in a row.
pub(super) const BETTER_WINDOWS: u32 = 3;
/// The length of such a window.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// How long a preferred endpoint stays preferred at least, unless it fails.
pub(super) const DWELL: Duration = Duration::from_secs(60);

/// How long a recovered endpoint waits before it takes its share again.
pub(super) const HOLD_DOWN: Duration = Duration::from_secs(120);
/// The shares, in percent, in which it takes it.
pub(super) const RAMP: [u8; 4] = [10, 25, 50, 100];
/// The time of each share; 60 s for all.
pub(super) const RAMP_STEP: Duration = Duration::from_secs(15);

/// How long a session is remembered after its last renewal.
pub(super) const SESSION_TTL: Duration = Duration::from_secs(3600);
/// How old a renewal must be for the next request to renew it.
pub(super) const SESSION_RENEWAL: Duration = Duration::from_secs(900);
/// Sessions remembered at most; further ones follow the hash alone.
pub(super) const SESSIONS: usize = 100_000;
/// How long sessions may still come to an endpoint that is being drained.
pub(super) const DRAIN: Duration = Duration::from_secs(30);

/// Events that are kept for who takes them.
pub(super) const EVENTS_KEPT: usize = 4096;

/// How often what is due by the clock alone is looked at.
pub(super) const TICK: Duration = Duration::from_millis(250);
