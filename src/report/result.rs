//! Turns what a run yielded into the document that is saved and printed.

use std::thread::available_parallelism;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use tokio::time::Instant;

use super::access::AccessTokens;
use super::capacity::Capacity;
use super::document::ArrivalCounts;
use super::document::ArrivalsInfo;
use super::document::BodyBytes;
use super::document::Distribution;
use super::document::Document;
use super::document::Endpoint;
use super::document::FailureNote;
use super::document::GaveUp;
use super::document::Level;
use super::document::Machine;
use super::document::PlanInfo;
use super::document::SCHEMA;
use super::document::Second;
use super::document::Tail;
use super::endpoints::EndpointEvent;
use super::endpoints::EndpointShare;
use super::health::Client;
use super::knee::Knee;
use super::prompts::PromptsInfo;
use super::selftest::Ceiling;
use super::tax::DirectSide;
use super::threshold::Goodput;
use crate::load;
use crate::load::Bound;
use crate::load::ClassCounts;
use crate::load::Delivery;
use crate::load::Ended;
use crate::load::Extent;
use crate::load::Failure;
use crate::load::Metric;
use crate::load::Percentile;
use crate::load::Plan;
use crate::load::Quantile;
use crate::load::Run;
use crate::load::Summary;
use crate::load::{Scale, Sides};
use crate::outcome::{BodySize, TokenTimes};
use crate::units::Shard;

/// What the caller knows about a run and the engine does not.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// What was to be done.
    pub plan: PlanInfo,
    /// Where it was done.
    pub machine: Machine,
    /// When the run began.
    pub started: Timestamp,
    /// The same moment on the clock of the engine.
    pub began: Instant,
    /// Base URLs that the requests went to, without credentials.
    pub urls: Vec<String>,
    /// Where partners of those requests went past the relay, if there were any.
    pub direct: Option<String>,
    /// What this machine made of a relay that answers at once, where that was tried.
    pub selftest: Vec<Ceiling>,
    /// What was decided about several endpoints, in order.
    pub events: Vec<EndpointEvent>,
    /// Along what a search went, if there was one.
    pub scale: Option<Scale>,
    /// What the bodies of all requests weighed.
    pub body: BodySize,
    /// How long access tokens took.
    pub token_times: TokenTimes,
}

/// What the requests of a run were like.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The dialect.
    pub api: String,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether answers were streamed.
    pub stream: bool,
    /// Length of the prompt in characters.
    pub prompt_chars: Option<u64>,
    /// What the requests say; `None` where each says the same.
    pub prompts: Option<PromptsInfo>,
    /// The limit on output tokens.
    pub max_tokens: Option<u64>,
    /// Attempts at each request, the first one included.
    pub attempts: u32,
    /// The embedded relay's description, where that is what is measured.
    pub mock: Option<String>,
    /// How arrivals are planned; `None` in a closed loop.
    pub arrivals: Option<ArrivalsInfo>,
    /// When the first level is to begin; `None` where that is at once.
    pub start_at: Option<Timestamp>,
}

impl PlanInfo {
    /// Describes a plan and its requests.
    pub fn of(plan: &Plan, traffic: Traffic) -> Self {
        let (window, requests) = match plan.extent {
            Extent::Window(window) => (Some(window), None),
            Extent::Requests(requests) => (None, Some(requests)),
        };
        Self {
            arrivals: traffic.arrivals,
            shape: if plan.levels.iter().any(|step| step.arrivals.is_some()) { "open" } else { "closed" }
                .to_owned(),
            api: traffic.api,
            model: traffic.model,
            stream: traffic.stream,
            prompt_chars: traffic.prompt_chars,
            prompts: traffic.prompts,
            max_tokens: traffic.max_tokens,
            attempts: traffic.attempts,
            mock: traffic.mock,
            levels: plan.levels.iter().map(|step| step.users).collect(),
            window_s: window.map(|window| window.as_secs_f64()),
            requests,
            warmup_s: plan.warmup.as_secs_f64(),
            drain_s: plan.drain.as_secs_f64(),
            workers: plan.workers,
            shard: (plan.shard != Shard::WHOLE).then(|| plan.shard.to_string()),
            start_at: traffic.start_at.map(|start_at| format!("{start_at:.3}")),
            slot_s: plan.slots.map(|slots| slots.length.as_secs_f64()),
            paired: plan.sides == Sides::Pairs,
        }
    }
}

impl Machine {
    /// The machine that this program runs on.
    pub fn here() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Document {
    /// The document of a run, before it is judged.
    pub fn of(info: RunInfo, run: &Run) -> Self {
        let gave_up = match &run.ended {
            Ended::GaveUp { class, message } => {
                Some(GaveUp { class: class.name().to_owned(), message: message.clone() })
            }
            Ended::Completed | Ended::Interrupted | Ended::Bounded { .. } => None,
        };
        let bounded = match &run.ended {
            Ended::Bounded { what } => Some(what.clone()),
            _ => None,
        };
        let levels: Vec<_> = run.levels.iter().map(|level| Level::of(level, info.began)).collect();
        // The levels of a search come as it needs them, some twice.
        let knee = if run.capacity.is_none() { Knee::of(&levels) } else { None };
        let capacity = run.capacity.as_ref().zip(info.scale.as_ref());
        Self {
            schema: SCHEMA.to_owned(),
            plan: info.plan,
            machine: info.machine,
            started: format!("{:.3}", info.started),
            interrupted: run.ended == Ended::Interrupted,
            gave_up,
            bounded,
            levels,
            objectives: Vec::new(),
            thresholds: Vec::new(),
            comparison: None,
            knee,
            capacity: capacity.map(|(capacity, scale)| Capacity::of(capacity, scale)),
            endpoints: info.urls.into_iter().map(|url| Endpoint { url }).collect(),
            direct: info.direct.map(|url| Endpoint { url }),
            selftest: info.selftest,
            events: info.events,
            merged: None,
            body_bytes: BodyBytes { plain: info.body.plain, sent: info.body.sent },
            access_tokens: AccessTokens::of(&info.token_times),
        }
    }
}

impl Level {
    /// The entry of one level of a run that began at `began`.
    fn of(summary: &Summary, began: Instant) -> Self {
        let metrics = &summary.metrics;
        let classes = summary.classes.iter().map(|(class, count)| (class.name().to_owned(), count));
        let mut level = Self {
            concurrency: summary.concurrency,
            rate: summary.rate,
            arrivals: summary.delivery.as_ref().map(ArrivalCounts::of),
            window_at_s: rounded(summary.window_from.saturating_duration_since(began).as_secs_f64()),
            window_s: rounded(summary.window_s),
            requests: summary.requests,
            errors: summary.errors,
            censored: summary.censored,
            classes: classes.collect(),
            rps: summary.rps.map(rounded),
            tokens_per_s: summary.tokens_per_s.map(rounded),
            tokens_estimated: summary.tokens_estimated,
            goodput: summary.goodput.map(Goodput::of),
            latency_ms: Distribution::of(&metrics.latency),
            ttft_ms: Distribution::of(&metrics.ttft),
            ttfa_ms: Distribution::of(&metrics.ttfa),
            ttfb_ms: Distribution::of(&metrics.ttfb),
            headers_ms: Distribution::of(&metrics.headers),
            tpot_ms: Distribution::of(&metrics.tpot),
            gap_ms: Distribution::of(&metrics.gap),
            stall_ms: Distribution::of(&metrics.stall),
            end_ms: Distribution::of(&metrics.end),
            dns_ms: Distribution::of(&metrics.dns),
            connect_ms: Distribution::of(&metrics.connect),
            tls_ms: Distribution::of(&metrics.tls),
            send_ms: Distribution::of(&metrics.send),
            response_ms: Distribution::of(&metrics.response),
            lag_ms: Distribution::of(&metrics.lag),
            failures: failures(&summary.failures, &summary.classes),
            client: Client { bound_by: summary.bottlenecks.clone(), ..Client::of(&summary.health) },
            ended_early: summary.ended_early,
            timeline: summary.timeline.0.iter().map(Second::of).collect(),
            late_s: summary.late.map(|late| rounded(late.as_secs_f64())),
            verdict: summary.verdict,
            endpoints: summary.shares.iter().map(EndpointShare::of).collect(),
            direct: None,
        };
        level.direct = summary.direct.as_ref().map(|direct| DirectSide::of(direct, &level));
        level
    }
}

impl Second {
    /// One second of a level.
    fn of(second: &load::Second) -> Self {
        let mean = u32::try_from(second.ttft_count).ok().and_then(|count| second.ttft_sum.checked_div(count));
        Self {
            ok: second.ok,
            errors: second.errors,
            in_flight: second.in_flight,
            ttft_n: second.ttft_count,
            ttft_avg_ms: mean.map(millis),
        }
    }
}

impl ArrivalCounts {
    /// What became of the arrivals.
    fn of(delivery: &Delivery) -> Self {
        Self {
            planned: delivery.planned(),
            sent: delivery.sent,
            late: delivery.late,
            capped: delivery.capped,
            unsent: delivery.unsent,
            planned_per_s: delivery.asked().map(rounded),
            sent_per_s: delivery.achieved().map(rounded),
            own_lag_p99_ms: delivery.own_lag_p99().map(millis),
        }
    }
}

impl Distribution {
    /// The figures of a metric; `None` where it has no value, so that what does not exist is never 0.
    pub(super) fn of(metric: &Metric) -> Option<Self> {
        let quantile = |percentile| metric.quantile(percentile);
        let (p50, p90) = (quantile(Percentile::P50), quantile(Percentile::P90));
        let (p95, p99) = (quantile(Percentile::P95), quantile(Percentile::P99));
        let ms = |quantile: Option<Quantile>| quantile.map(|quantile| millis(quantile.value));
        let interval = metric.p99_interval();
        Some(Self {
            n: metric.count(),
            avg: millis(metric.average()?),
            sd: metric.deviation_s().map(|seconds| rounded(seconds * 1e3)),
            sum: millis(metric.sum()),
            sum_of_squares_us2: metric.sum_of_squares_us().to_string(),
            min: millis(metric.min()?),
            p50: ms(p50),
            p90: ms(p90),
            p95: ms(p95),
            p99: ms(p99),
            max: millis(metric.max()?),
            p99_ci: interval.map(|(low, high)| [low.map(millis), high.map(millis)]),
            p50_bound: tail(p50),
            p90_bound: tail(p90),
            p95_bound: tail(p95),
            p99_bound: tail(p99),
            hdr: BASE64_STANDARD.encode(metric.encoded()?),
            censored_hdr: metric.encoded_censored().map(|bytes| BASE64_STANDARD.encode(bytes)),
            censored_max: metric.censored_max().map(millis),
        })
    }
}

/// The first failure of each class, with how many followed it.
pub(super) fn failures(failures: &[Failure], classes: &ClassCounts) -> Vec<FailureNote> {
    let note = |failure: &Failure| FailureNote {
        class: failure.class.name().to_owned(),
        count: classes[failure.class],
        message: failure.message.clone(),
        after_s: rounded(failure.after.as_secs_f64()),
        retry_after_s: failure.retry_after.map(|wait| wait.as_secs_f64()),
    };
    failures.iter().map(note).collect()
}

/// The mark of a percentile that is only bounded.
fn tail(quantile: Option<Quantile>) -> Option<Tail> {
    quantile.and_then(|quantile| match quantile.bound {
        Bound::Exact => None,
        Bound::Lower => Some(Tail::Lower),
    })
}

/// A duration in ms, to the µs.
#[expect(clippy::cast_precision_loss, reason = "2^52 µs are 142 years")]
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// A figure to six decimals: more digits than were measured, and fewer than a division makes up.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::super::json;
    use super::super::read;
    use super::*;
    use crate::load::read_histogram;
    use crate::outcome::Class;

    #[test]
    fn the_document_obeys_its_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/result.schema.json");
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for document in golden::all() {
            let value = serde_json::to_value(document).unwrap();
            let errors: Vec<_> =
                validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_refuses_what_the_document_does_not_have() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/result.schema.json");
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut value = serde_json::to_value(golden::streamed()).unwrap();
        value["levels"][0]["latency_ms"]["p42"] = 1.into();
        assert!(!jsonschema::draft202012::is_valid(&schema, &value));
    }

    #[test]
    fn the_schema_knows_every_class() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/result.schema.json");
        let schema: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let names = Class::ALL.map(Class::name);
        assert_eq!(schema["$defs"]["class"]["enum"], serde_json::json!(names));
    }

    #[test]
    fn a_document_is_read_back_as_it_was_written() {
        for document in golden::all() {
            assert_eq!(read(&json(&document)).unwrap(), document);
        }
    }

    #[test]
    fn the_saved_histogram_is_the_metric_itself() {
        let document = golden::streamed();
        let latency = document.levels[0].latency_ms.as_ref().unwrap();
        assert!(latency.hdr.starts_with("HISTFAA"));
        let read = read_histogram(&BASE64_STANDARD.decode(&latency.hdr).unwrap()).unwrap();
        assert_eq!(read.len(), latency.n);
    }

    #[test]
    fn what_a_closed_loop_or_a_whole_answer_cannot_have_is_null() {
        let value = serde_json::to_value(golden::whole()).unwrap();
        let level = &value["levels"][0];
        for absent in ["rate", "response_ms", "lag_ms", "ttft_ms", "tpot_ms", "gap_ms", "stall_ms"] {
            assert!(level[absent].is_null(), "{absent}");
        }
        assert!(level["latency_ms"].is_object());
    }
}
