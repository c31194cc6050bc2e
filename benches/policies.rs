//! What the limiter and the answer cache cost a request.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton::client::cache::{Cache, CacheRules, Form, Part, Saved};
use baton::client::{Call, Content};
use baton::net::{Adapt, Cost, Limiter, Limits, Report, Url};
use baton::outcome::{Class, Tokens};
use baton::wire::{Dialect, Prompt, Stop, Usage};
use criterion::{Criterion, Throughput};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Answers in the cache, each of about 2 KB.
const ANSWERS: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    grant(&mut criterion, &runtime);
    hold(&runtime);
    look_up(&mut criterion);
    criterion.final_summary();
}

/// A grant that nobody else wants, and its report.
fn grant(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("limiter");
    group.throughput(Throughput::Elements(1));
    for (name, adapt) in [("a rate", Adapt::Never), ("a rate and the relay's pace", Adapt::Relay)] {
        let rate = Some("1000m/s".parse().expect("a rate"));
        let limiter = Limiter::new(&Limits { requests: rate, burst: u32::MAX, adapt, ..Limits::default() });
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(pass(&limiter))));
    }
}

async fn pass(limiter: &Limiter) {
    let mut grant = limiter.grant(black_box(Cost::default())).await.expect("it fits");
    grant.depart();
    grant.report(&Report { class: Class::Ok, retry_after: None, advice: None, used: None });
}

/// Whether rates hold on this machine's clock, with a hundred users.
fn hold(runtime: &Runtime) {
    for (rate, requests) in [("60/m", 6), ("1000/s", 5_000), ("20000/s", 100_000)] {
        let limits = Limits { requests: Some(rate.parse().expect("a rate")), ..Limits::default() };
        let limiter = Arc::new(Limiter::new(&limits));
        let took = runtime.block_on(async {
            let start = Instant::now();
            let mut users = tokio::task::JoinSet::new();
            for user in 0..100 {
                let limiter = Arc::clone(&limiter);
                users.spawn(async move {
                    for _ in requests * user / 100..requests * (user + 1) / 100 {
                        pass(&limiter).await;
                    }
                });
            }
            users.join_all().await;
            start.elapsed()
        });
        let per_second = f64::from(requests - 1) / took.as_secs_f64();
        let wanted = limits.requests.map_or(1.0, baton::units::Rate::per_second);
        let mut out = std::io::stdout();
        let line = format!(
            "limiter/hold {rate}: {per_second:.3}/s, {:+.3} %\n",
            (per_second / wanted - 1.0) * 100.0
        );
        std::io::Write::write_all(&mut out, line.as_bytes()).expect("standard output");
    }
}

/// Keys and look-ups, from disk, over more answers than any processor's cache holds.
fn look_up(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = CacheRules { form: Form::Exact, ttl: Duration::from_secs(3600), size: 1 << 30 };
    let cache = Cache::open(&folder.path().join("cache"), rules).expect("a cache");
    let base = Url::parse("http://relay.example").expect("an address");
    let call = |number: usize| {
        let prompt = Prompt { text: format!("What is {number}?"), ..Prompt::default() };
        Call::new(Dialect::Messages, &base, &Content::Prompt(Box::new(prompt)), true).expect("a call")
    };
    let calls: Vec<Call> = (0..ANSWERS).map(call).collect();
    let keys: Vec<_> = calls.iter().map(|call| cache.key(call, None).expect("a key")).collect();
    let answer = answer();
    for key in &keys {
        cache.put(key, &answer);
    }
    assert_eq!(cache.trouble(), None);
    let mut group = criterion.benchmark_group("cache");
    group.throughput(Throughput::Elements(1));
    let mut step = 0;
    let mut next = || {
        step = (step + 7919) % ANSWERS;
        step
    };
    group.bench_function("key", |bencher| bencher.iter(|| cache.key(&calls[next()], None)));
    group.bench_function("look-up", |bencher| {
        bencher.iter(|| assert!(cache.get(&keys[next()]).is_some()));
    });
    group.bench_function("put", |bencher| bencher.iter(|| cache.put(&keys[next()], &answer)));
}

fn answer() -> Saved {
    Saved {
        saved_at: SystemTime::now(),
        status: 200,
        relay_request_id: Some("req_011CSHoEeqs5C35K2UUqR7Fy".to_owned()),
        model: Some("claude-x".to_owned()),
        stop: Some(Stop::of("end_turn")),
        usage: Usage { input: Some(12), output: Some(420), ..Usage::default() },
        tokens: Tokens { input: Some(12), output: Some(420), estimated: false },
        parts: vec![Part::Text("A river is water that goes somewhere. ".repeat(45))],
        body: None,
    }
}
