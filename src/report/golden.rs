//! Fixed documents and the golden files that hold their printed forms; `UPDATE_GOLDEN=1` rewrites the files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::compare::Comparison;
use super::compare::Plans;
use super::compare::Terms;
use tokio::time::Instant;

use super::access::AccessTokens;
use super::document::ArrivalCounts;
use super::document::ArrivalsInfo;
use super::document::BodyBytes;
use super::document::Document;
use super::document::Endpoint;
use super::document::Machine;
use super::document::PlanInfo;
use super::endpoints::EndpointEvent;
use super::result::RunInfo;
use super::result::Traffic;
use super::selftest::Ceiling;
use super::threshold::Threshold;
use crate::load::ClassCounts;
use crate::load::Criterion;
use crate::load::Direct;
use crate::load::Ended;
use crate::load::Evidence;
use crate::load::Extent;
use crate::load::Failure;
use crate::load::Goodput;
use crate::load::Health;
use crate::load::Metric;
use crate::load::Metrics;
use crate::load::Pairs;
use crate::load::Plan;
use crate::load::Ruling;
use crate::load::Run;
use crate::load::Second;
use crate::load::Step;
use crate::load::Summary;
use crate::load::judge;
use crate::load::{Share, Sides};
use crate::load::{Timeline, Vitals};
use crate::outcome::Connections;
use crate::outcome::{BodySize, Class, TokenTimes};
use crate::units::Shard;

/// Holds a text against its golden file.
pub(super) fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} is stale: run with UPDATE_GOLDEN=1", path.display());
}

/// One of each kind.
pub(super) fn all() -> [Document; 8] {
    [streamed(), whole(), stopped(), open(), judged(), compared(), spread(), paired()]
}

/// A streamed sweep of three levels: a healthy one, one with refusals, and a short one that was cut.
pub(super) fn streamed() -> Document {
    let mut cut = level(200, 180, 230);
    for age in [6_000, 7_000, 8_000] {
        cut.metrics.latency.censor(Duration::from_millis(age));
        cut.metrics.ttft.censor(Duration::from_millis(age / 10));
        cut.classes.count(Class::Cancelled);
    }
    cut.censored = 3;
    cut.tokens_estimated = true;
    let levels = vec![level(50, 4_162, 120), refused(level(100, 250, 180)), cut];
    let document = document(Traffic { stream: true, ..traffic() }, levels, Ended::Completed);
    Document {
        body_bytes: BodyBytes { plain: 98_200_000, sent: 31_400_000 },
        access_tokens: Some(AccessTokens { granted: 3, failed: 1, avg_ms: 34.0, max_ms: 51.2 }),
        ..document
    }
}

/// A sweep of whole answers, one level of it too short for a TP99.
pub(super) fn whole() -> Document {
    let mut levels = vec![level(1, 40, 8), level(2, 900, 9)];
    for level in &mut levels {
        level.metrics.ttft = Metric::default();
        level.metrics.ttfa = Metric::default();
        level.metrics.tpot = Metric::default();
        level.metrics.gap = Metric::default();
        level.metrics.stall = Metric::default();
        level.tokens_per_s = None;
    }
    document(Traffic { stream: false, model: None, ..traffic() }, levels, Ended::Completed)
}

/// An open loop of two rates, the second of which met its cap of requests in flight.
pub(super) fn open() -> Document {
    let mut levels = vec![level(500, 1_000, 120), level(500, 1_900, 240)];
    for level in &mut levels {
        for number in 0..level.requests {
            level.metrics.response.record(Duration::from_millis(150 + number / 10));
            level.metrics.lag.record(Duration::from_micros(number));
        }
    }
    let mut document = document(traffic(), levels, Ended::Completed);
    document.plan.shape = "open".to_owned();
    document.plan.arrivals = Some(ArrivalsInfo {
        spacing: "poisson".to_owned(),
        rates: vec![100.0, 200.0],
        stages: Vec::new(),
        seed: 7,
        replayed: None,
    });
    for (level, (rate, capped)) in document.levels.iter_mut().zip([(100.0, 0), (200.0, 31)]) {
        level.rate = Some(rate);
        level.arrivals = Some(ArrivalCounts {
            planned: level.requests + capped,
            sent: level.requests,
            late: 3,
            capped,
            unsent: capped,
            planned_per_s: Some(rate + 0.25),
            sent_per_s: Some(rate),
            own_lag_p99_ms: Some(0.31),
        });
    }
    document
}

/// A sweep that was judged: a threshold of each standing, and an objective.
pub(super) fn judged() -> Document {
    let mut levels = vec![level(50, 4_162, 120), level(100, 250, 180)];
    levels[0].goodput = Some(Goodput { met: 4_100, missed: 60, unjudged: 2 });
    levels[1].goodput = Some(Goodput { met: 0, missed: 0, unjudged: 250 });
    let texts = ["latency.p99 > 200ms", "error_rate > 1%", "dns.avg > 1s @c=100"];
    let criteria = texts.map(|text| Criterion::threshold(text).unwrap());
    let thresholds =
        criteria.iter().map(|criterion| Threshold::of(&Ruling::of(criterion, &levels))).collect();
    let mut document = document(traffic(), levels, Ended::Completed);
    document.thresholds = thresholds;
    document.objectives = vec!["latency < 180ms".to_owned()];
    document
}

/// A sweep compared with an earlier one, in which one level has become slower and one faster.
pub(super) fn compared() -> Document {
    let before = document(traffic(), vec![level(50, 4_000, 120), level(100, 4_000, 180)], Ended::Completed);
    let mut after =
        document(traffic(), vec![level(50, 3_300, 140), level(100, 4_800, 150)], Ended::Completed);
    let terms = Terms { noise: 0.05, plans: Plans::MustAgree };
    after.comparison = Some(Comparison::of(&before, &after, terms).unwrap());
    after
}

/// A sweep over two endpoints, one of which is lost.
pub(super) fn spread() -> Document {
    let mut levels = vec![level(50, 4_000, 120), level(100, 4_800, 150)];
    for (level, (near, far)) in levels.iter_mut().zip([(3_900, 100), (1_200, 3_600)]) {
        level.shares = vec![share("https://eu.example", near, 110), share("https://us.example", far, 210)];
    }
    let mut document = document(traffic(), levels, Ended::Completed);
    document.endpoints =
        ["https://eu.example", "https://us.example"].map(|url| Endpoint { url: url.to_owned() }).to_vec();
    let event = |at_s, endpoint: &str, change: &str, reason: &str| EndpointEvent {
        at_s,
        endpoint: Some(endpoint.to_owned()),
        change: change.to_owned(),
        reason: reason.to_owned(),
    };
    document.events = vec![
        event(17.2, "https://eu.example", "ejected", "5 requests in a row failed"),
        event(17.2, "https://us.example", "preferred", "the one before gets no traffic"),
    ];
    document
}

/// A level whose requests were made past the relay as well, where they took less and some failed.
pub(super) fn paired() -> Document {
    let mut through = level(50, 2_000, 120);
    let past = refused(level(50, 1_956, 110));
    let Summary { classes, metrics, failures, .. } = past;
    through.direct = Some(Box::new(Direct { classes, metrics, failures, pairs: Pairs::default() }));
    let mut document = document(traffic(), vec![through], Ended::Completed);
    document.plan.paired = true;
    document.selftest = vec![Ceiling::of(&level(50, 40_000, 4))];
    document.direct = Some(Endpoint { url: "https://upstream.example".to_owned() });
    document
}

fn share(endpoint: &str, ok: u32, average_ms: u32) -> Share {
    let level = level(1, ok, average_ms);
    let Metrics { latency, ttft, .. } = level.metrics;
    Share { endpoint: endpoint.to_owned(), classes: level.classes, rps: level.rps, latency, ttft }
}

/// A run that gave itself up before anything had succeeded.
pub(super) fn stopped() -> Document {
    let mut level = level(50, 0, 100);
    for _ in 0..23 {
        level.classes.count(Class::Auth);
    }
    level.failures = vec![failure(Class::Auth, "401 invalid x-api-key", 10, None)];
    level = Summary { requests: 23, errors: 23, window_s: 0.25, ended_early: true, ..level };
    let message = "401 invalid x-api-key".to_owned();
    document(traffic(), vec![level], Ended::GaveUp { class: Class::Auth, message })
}

pub(super) fn traffic() -> Traffic {
    Traffic {
        api: "messages".to_owned(),
        model: Some("claude-x".to_owned()),
        stream: true,
        prompt_chars: Some(48),
        prompts: None,
        max_tokens: Some(64),
        attempts: 1,
        mock: None,
        arrivals: None,
        start_at: None,
    }
}

pub(super) fn document(traffic: Traffic, mut levels: Vec<Summary>, ended: Ended) -> Document {
    let began = Instant::now();
    for (position, level) in (0..).zip(&mut levels) {
        level.window_from = began + Duration::from_secs(2 + 12 * position);
    }
    let plan = Plan {
        levels: levels.iter().map(|level| Step::closed(level.concurrency)).collect(),
        search: None,
        extent: Extent::Window(Duration::from_secs(10)),
        warmup: Duration::from_secs(2),
        drain: Duration::from_secs(30),
        workers: 2,
        objectives: Arc::default(),
        shard: Shard::WHOLE,
        slots: None,
        sides: Sides::One,
    };
    let info = RunInfo {
        plan: PlanInfo::of(&plan, traffic),
        machine: Machine {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cores: 2,
            version: "0.1.0".to_owned(),
        },
        started: "2026-11-23T05:12:00.25Z".parse().unwrap(),
        began,
        urls: vec!["https://relay.example".to_owned()],
        direct: None,
        selftest: Vec::new(),
        events: Vec::new(),
        scale: None,
        body: BodySize { plain: 420_000, sent: 420_000 },
        token_times: TokenTimes::default(),
    };
    Document::of(info, &Run { levels, ended, capacity: None })
}

/// A level of `ok` requests whose latencies spread evenly from half to one and a half times the average.
pub(super) fn level(concurrency: u32, ok: u32, average_ms: u32) -> Summary {
    let mut metrics = Metrics::default();
    let mut classes = ClassCounts::default();
    for number in 0..ok {
        let latency =
            Duration::from_millis(average_ms.into()).mul_f64(0.5 + f64::from(number) / f64::from(ok));
        metrics.latency.record(latency);
        metrics.end.record(latency + Duration::from_micros(200));
        metrics.headers.record(latency / 3);
        metrics.ttfb.record(latency / 3);
        metrics.ttft.record(latency * 2 / 5);
        metrics.ttfa.record(latency * 2 / 5);
        metrics.tpot.record(latency / 25);
        metrics.gap.record(latency / 25);
        metrics.stall.record(latency / 10);
        classes.count(Class::Ok);
    }
    let rps = f64::from(ok) / 10.0;
    let delay = Duration::from_micros(210);
    let verdict = judge(&Evidence { concurrency, ok: ok.into(), rps: Some(rps), ..Evidence::default() });
    Summary {
        concurrency,
        rate: None,
        delivery: None,
        window_from: Instant::now(),
        window_s: 10.0,
        requests: ok.into(),
        ok: ok.into(),
        errors: 0,
        censored: 0,
        classes,
        rps: Some(rps),
        tokens_per_s: (ok > 0).then_some(rps * 16.0),
        tokens_estimated: false,
        goodput: None,
        metrics,
        failures: Vec::new(),
        health: Health {
            workers: 2,
            delay: Metric::default(),
            delay_p99: Some(delay),
            busy_max: Some(0.214),
            cpu_max: Some(0.187),
            vitals: Vitals {
                descriptors: Some(312),
                descriptor_limit: Some(20_000),
                sockets: Some(301),
                ports: Some(640),
                port_range: Some(28_232),
                ..Vitals::default()
            },
            connections: Some(Connections { made: 150, most_open: 150, most_streams: 1 }),
        },
        verdict,
        bottlenecks: Vec::new(),
        ended_early: false,
        timeline: timeline(ok, average_ms),
        late: None,
        shares: Vec::new(),
        direct: None,
    }
}

/// Ten seconds of so many successes, the third of them with failures.
fn timeline(ok: u32, average_ms: u32) -> Timeline {
    let second = |number: u64| Second {
        ok: u64::from(ok) / 10,
        errors: u64::from(number == 2 && ok == 250) * 44,
        in_flight: 50,
        ttft_count: u64::from(ok) / 10,
        ttft_sum: Duration::from_millis(u64::from(ok) / 10 * (u64::from(average_ms) / 4 + number)),
    };
    Timeline((0..10).map(second).collect())
}

/// The same level with requests turned away.
fn refused(mut level: Summary) -> Summary {
    for number in 0..44 {
        level.classes.count(if number < 41 { Class::RateLimited } else { Class::Overloaded });
    }
    level.failures = vec![
        failure(Class::RateLimited, "429 rate_limit_error:\n slow down", 12_400, Some(7)),
        failure(Class::Overloaded, "529 overloaded_error", 13_000, None),
    ];
    let verdict = judge(&Evidence { ok: level.ok, turned_away: 44, ..Evidence::default() });
    Summary { requests: level.ok + 44, errors: 44, verdict, ..level }
}

fn failure(class: Class, message: &str, after_ms: u64, retry_after_s: Option<u64>) -> Failure {
    let (message, retry_after) = (message.to_owned(), retry_after_s.map(Duration::from_secs));
    Failure { class, message, after: Duration::from_millis(after_ms), retry_after }
}
