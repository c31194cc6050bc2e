//! What choosing among endpoints, and following their names, costs a request: alone, and beside seven other threads.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::time::Duration;

use baton::net::route::{Endpoint, Report, Router, Strategy, Tried};
use baton::net::{Led, Names};
use baton::outcome::Class;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Endpoints to choose among.
const ENDPOINTS: u16 = 16;
/// Threads that choose at once.
const THREADS: usize = 8;
/// Sessions under way.
const SESSIONS: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("route");
    group.throughput(Throughput::Elements(1));
    for strategy in [Strategy::Nearest, Strategy::Balanced, Strategy::Priority, Strategy::Weighted] {
        choose(&mut group, strategy);
    }
    choose_for_sessions(&mut group);
    tell(&mut group);
    // A look-up that becomes due is made beside, as in a run.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _inside = runtime.enter();
    let led = led();
    follow(&mut group, &led);
    group.finish();
    choose_together(Strategy::Nearest);
    choose_together(Strategy::Balanced);
    together("ask whether a name has moved", || {
        black_box(led.is_current());
    });
    criterion.final_summary();
}

/// A choice and its end, where nobody else chooses.
fn choose(group: &mut BenchmarkGroup<'_, WallTime>, strategy: Strategy) {
    let router = router(strategy);
    let tried = Tried::default();
    group.bench_function(format!("choose by {strategy}"), |bencher| {
        bencher.iter(|| drop(black_box(router.choose(None, &tried))));
    });
}

/// The same for requests of sessions, each of which lives somewhere.
fn choose_for_sessions(group: &mut BenchmarkGroup<'_, WallTime>) {
    let router = router(Strategy::Nearest);
    let tried = Tried::default();
    let ids: Vec<String> = (0..SESSIONS).map(|number| format!("session-{number}")).collect();
    let mut next = ids.iter().cycle();
    group.bench_function("choose for a session", |bencher| {
        bencher.iter(|| drop(black_box(router.choose(next.next().map(String::as_str), &tried))));
    });
}

/// A choice with a report of what became of it.
fn tell(group: &mut BenchmarkGroup<'_, WallTime>) {
    let router = router(Strategy::Balanced);
    let tried = Tried::default();
    let first_byte = Some(Duration::from_millis(100));
    let report =
        Report { class: Class::Ok, status: Some(200), host_answered: true, first_byte, retry_after: None };
    group.bench_function("choose and report", |bencher| {
        bencher.iter(|| router.choose(None, &tried).report(black_box(&report)));
    });
}

/// What each request asks of the name that it goes to.
fn follow(group: &mut BenchmarkGroup<'_, WallTime>, led: &Led) {
    group.bench_function("ask whether a name has moved", |bencher| {
        bencher.iter(|| black_box(led).is_current());
    });
}

/// A name that connections have gone to.
fn led() -> Led {
    let led = Names::default().follow("localhost").led();
    led.went(Ipv4Addr::LOCALHOST.into());
    led
}

/// Many threads that do nothing but choose.
fn choose_together(strategy: Strategy) {
    let router = router(strategy);
    let tried = Tried::default();
    together(&format!("{strategy}: a choice"), || drop(black_box(router.choose(None, &tried))));
}

/// Many threads that do nothing but this: how long it keeps a processor busy, beside one thread alone.
fn together(what: &str, act: impl Fn() + Sync) {
    const TIMES: u32 = 1_000_000;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut alone, runtime) = (None, Handle::current());
    for threads in [1, THREADS] {
        let start_line = Barrier::new(threads + 1);
        let took = std::thread::scope(|scope| {
            let run = || {
                let _inside = runtime.enter();
                start_line.wait();
                (0..TIMES).for_each(|_| act());
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            start_line.wait();
            let start = Instant::now();
            for worker in workers {
                worker.join().expect("it does not panic");
            }
            start.elapsed()
        });
        let busy = u32::try_from(threads.min(processors)).expect("a few");
        let each = took * busy / (TIMES * u32::try_from(threads).expect("a few"));
        let beside = alone.map_or(String::new(), |alone: Duration| {
            format!(", {:.2} times one thread's", each.as_secs_f64() / alone.as_secs_f64())
        });
        let line = format!("{what}, {threads} threads on {processors} processors: {each:?}{beside}\n");
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("standard output");
        alone.get_or_insert(each);
    }
}

fn router(strategy: Strategy) -> Router {
    let endpoint = |port| {
        let url = format!("http://127.0.0.1:{port}/").parse().expect("an address");
        Endpoint { weight: u32::from(port), ..Endpoint::at(url) }
    };
    Router::new(strategy, (1..=ENDPOINTS).map(endpoint).collect()).expect("distinct addresses")
}
