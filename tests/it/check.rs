//! Every check has a relay on which it passes and one on which it does not, and says so of the right one.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use baton::check::own::OWN;
use baton::check::{CHECKS, Finding, Gauge, Plan, Purse, SILENCE, Soak, Subject, Verdict, examine};
use baton::mock::{Gateway, GatewayOptions, Habit, Options, Personality, Relay};
use baton::net::{Connection, Credential, HeaderName, HeaderValue, Origin, Url};
use baton::wire::Dialect;
use tokio::time::Instant;

/// The key that the relays of these tests let in.
const KEY: &str = "sk-the-right-key";
/// What every wait is multiplied by.
const SCALE: f64 = 0.01;

/// A relay with known habits between a client and an upstream that is listened in on.
struct Scene {
    relay: Gateway,
    ear: Gateway,
    answers: Relay,
}

impl Scene {
    fn of(personality: Personality) -> Self {
        Self::before("ttft=5ms,gap=10ms,tokens=12,slots=inf", personality, 16)
    }

    /// The same before an upstream of this kind, with so many places.
    fn before(spec: &str, personality: Personality, places: usize) -> Self {
        let spec = spec.parse().unwrap();
        let answers = Relay::start(Options { spec, threads: 1, ..Options::default() }).unwrap();
        let ear = Gateway::start(GatewayOptions::ear(answers.address(), SILENCE.mul_f64(SCALE))).unwrap();
        let relay = Gateway::start(GatewayOptions {
            personality,
            key: Some(KEY.to_owned()),
            places,
            patience: Duration::from_millis(600),
            ..GatewayOptions::to(ear.address())
        });
        Self { relay: relay.unwrap(), ear, answers }
    }

    fn subject(&self, dialect: Dialect) -> Subject {
        let base: Url = format!("http://{}/", self.relay.address()).parse().unwrap();
        let mut subject = Subject::new(base.clone(), dialect, Connection::default()).unwrap();
        let (name, value) = match dialect {
            Dialect::Messages => ("x-api-key", KEY.to_owned()),
            _ => ("authorization", format!("Bearer {KEY}")),
        };
        let value = HeaderValue::from_str(&value).unwrap();
        subject.credential =
            Some(Credential::new(HeaderName::from_static(name), value, Origin::of(&base), "a test"));
        "claude-x".clone_into(&mut subject.model);
        subject.scale = SCALE;
        subject.upstream = Some(self.ear.sightings().clone());
        subject
    }
}

/// The findings of some checks; of all where none is named.
fn findings(subject: &Subject, only: &[&str]) -> Vec<Finding> {
    let only = only.iter().map(|id| (*id).to_owned()).collect();
    let plan = Plan { only, intrusive: true, ..Plan::default() };
    let mut found = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(examine(subject, &plan, &mut |finding| found.push(finding)));
    found
}

/// Which checks a habit breaks, in Anthropic's dialect.
fn broken() -> Vec<(Habit, Vec<&'static str>)> {
    let row = |line: &'static str| {
        let (name, ids) = line.split_once(": ").expect("a habit and what it breaks");
        let habit = Habit::all().find(|habit| habit.name() == name).expect("a habit that is known");
        (habit, ids.split(' ').collect())
    };
    include_str!("habits.txt").lines().map(row).collect()
}

#[test]
fn a_strict_relay_passes_every_check_in_both_vendors_dialects() {
    let scene = Scene::of(Personality::default());
    for dialect in [Dialect::Messages, Dialect::Chat] {
        assert_passes(&scene, dialect);
    }
}

/// No alarm on a relay without fault.
fn assert_passes(scene: &Scene, dialect: Dialect) {
    let found = findings(&scene.subject(dialect), &[]);
    assert_eq!(found.len(), CHECKS.len());
    for finding in &found {
        // Without TLS, a limit and a soak there is nothing to look at.
        let is_moot = ["C22", "C14", "C04"].contains(&finding.check.id);
        let expected = if is_moot { Verdict::Skip } else { Verdict::Pass };
        assert_eq!(finding.verdict, expected, "{dialect:?} {}: {:?}", finding.check.id, finding.evidence);
        assert!(!finding.evidence.is_empty(), "{} has no evidence", finding.check.id);
    }
}

#[test]
fn each_habit_is_found_by_its_checks() {
    assert_eq!(Habit::all().count(), broken().len());
    for (habit, ids) in broken() {
        let scene = Scene::of(Personality::of(&[habit]));
        let found = findings(&scene.subject(Dialect::Messages), &ids);
        assert_eq!(found.len(), ids.len());
        for finding in found {
            let bad = matches!(finding.verdict, Verdict::Warn | Verdict::Fail);
            assert!(bad, "{habit:?} {}: {:?}", finding.check.id, finding.evidence);
        }
    }
}

/// Runs of each personality, from the environment.
fn runs() -> usize {
    std::env::var("BATON_CHECK_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// How many runs of each personality go on at a time: most of a run is waiting.
const RUNS_AT_ONCE: usize = 5;

/// Keeps two cores busy for as long as it lives.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let over = Arc::clone(&over);
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        Self(over)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "takes minutes: BATON_CHECK_RUNS=200 cargo test --release --test it -- --ignored under_load"]
fn under_load_there_is_no_false_alarm_and_no_miss() {
    let _busy = Busy::start();
    let mut left = runs();
    while left > 0 {
        let now = left.min(RUNS_AT_ONCE);
        std::thread::scope(|scope| {
            for _ in 0..now {
                scope.spawn(|| assert_passes(&Scene::of(Personality::default()), Dialect::Messages));
                for (name, habits) in Personality::known() {
                    scope.spawn(move || assert_found(name, &habits));
                }
            }
        });
        left -= now;
    }
}

/// No miss on a relay with these habits.
fn assert_found(name: &str, habits: &[&str]) {
    let habits: Vec<Habit> = Habit::all().filter(|habit| habits.contains(&habit.name())).collect();
    let scene = Scene::of(Personality::of(&habits));
    let has = |(habit, _): &(Habit, Vec<&str>)| habits.contains(habit);
    let ids: BTreeSet<_> = broken().into_iter().filter(has).flat_map(|(_, ids)| ids).collect();
    let found = findings(&scene.subject(Dialect::Messages), &[]);
    for finding in found.iter().filter(|finding| ids.contains(finding.check.id)) {
        let bad = matches!(finding.verdict, Verdict::Warn | Verdict::Fail);
        assert!(bad, "{name} {}: {:?}", finding.check.id, finding.evidence);
    }
}

#[test]
fn the_golden_guide_is_the_one_that_the_catalogue_makes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let made = baton::report::check_docs(CHECKS.iter().chain(&OWN));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made, "UPDATE_GOLDEN=1 makes it anew");
}

#[test]
fn every_check_has_a_relay_on_which_it_does_not_hold() {
    let broken: BTreeSet<_> = broken().into_iter().flat_map(|(_, ids)| ids).collect();
    // These have tests of their own, below.
    let own = ["C21", "C22", "C14", "C04"];
    for check in &CHECKS {
        assert!(broken.contains(check.id) || own.contains(&check.id), "{} never fails", check.id);
    }
}

#[test]
fn a_relay_that_is_not_there_fails_one_check_and_leaves_the_others_undecided() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let mut subject = Subject::new(base, Dialect::Chat, Connection::default()).unwrap();
    "m".clone_into(&mut subject.model);
    let found = findings(&subject, &["C21", "C24", "C01"]);
    let verdicts: Vec<_> = found.iter().map(|finding| (finding.check.id, finding.verdict)).collect();
    assert_eq!(verdicts, [("C21", Verdict::Fail), ("C24", Verdict::Skip), ("C01", Verdict::Skip)]);
}

#[test]
fn an_address_without_tls_fails_unless_it_is_this_machine() {
    let verdict = |url: &str| {
        let subject = Subject::new(url.parse().unwrap(), Dialect::Chat, Connection::default()).unwrap();
        findings(&subject, &["C22"])[0].verdict
    };
    assert_eq!(verdict("http://relay.example/"), Verdict::Fail);
    assert_eq!(verdict("http://127.0.0.1:9/"), Verdict::Skip);
    assert_eq!(verdict("http://[::1]:9/"), Verdict::Skip);
}

#[test]
fn a_rate_limit_is_found_to_be_the_one_that_is_configured_or_another() {
    let scene =
        Scene::before("ttft=0,gap=0,tokens=2,slots=inf,rate=100/s,burst=30", Personality::default(), 500);
    let held = |limit: &str| {
        let mut subject = scene.subject(Dialect::Messages);
        subject.rate = Some(limit.parse().unwrap());
        findings(&subject, &["C14"]).remove(0)
    };
    let right = held("100/s");
    // A busy machine may be late with a request or a reply; the count is what is decided on.
    assert!(right.verdict <= Verdict::Warn, "{:?}", right.evidence);
    assert_eq!(held("50/s").verdict, Verdict::Fail);
}

/// A relay that counts in windows, each of which begins with the first request after the one before.
fn counts_in_windows(most: u32, window: Duration) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        let (mut began, mut count) = (Instant::now(), 0);
        for stream in listener.incoming() {
            if began.elapsed() >= window {
                (began, count) = (Instant::now(), 0);
            }
            count += 1;
            let status = if count <= most { "200 OK" } else { "429 Too Many Requests" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn a_limit_that_counts_in_windows_is_no_other_limit() {
    let url = counts_in_windows(40, Duration::from_secs(1));
    let held = |limit: &str| {
        let mut subject = Subject::new(url.clone(), Dialect::Messages, Connection::default()).unwrap();
        "m".clone_into(&mut subject.model);
        subject.rate = Some(limit.parse().unwrap());
        findings(&subject, &["C14"]).remove(0)
    };
    let right = held("40/s");
    assert!(right.verdict <= Verdict::Warn, "{:?}", right.evidence);
    assert_eq!(held("20/s").verdict, Verdict::Fail);
}

#[test]
fn a_scenario_that_the_relay_does_not_forward_is_not_decided() {
    let mut scene = Scene::of(Personality::default());
    // It asks somebody else than the upstream that is listened in on.
    let elsewhere =
        GatewayOptions { key: Some(KEY.to_owned()), ..GatewayOptions::to(scene.answers.address()) };
    scene.relay = Gateway::start(elsewhere).unwrap();
    let found =
        findings(&scene.subject(Dialect::Messages), &["C03", "C09", "C10", "C13", "C31", "C32", "C33"]);
    for finding in found {
        assert_eq!(finding.verdict, Verdict::Skip, "{}: {:?}", finding.check.id, finding.evidence);
        assert!(
            finding.evidence[0].contains("without the upstream that baton plays"),
            "{:?}",
            finding.evidence
        );
    }
}

#[test]
fn a_relay_without_a_limit_is_told_from_one_that_holds_it() {
    let scene = Scene::of(Personality::default());
    let mut subject = scene.subject(Dialect::Messages);
    subject.rate = Some("10/s".parse().unwrap());
    let finding = findings(&subject, &["C14"]).remove(0);
    assert_eq!(finding.verdict, Verdict::Fail, "{:?}", finding.evidence);
    assert!(finding.evidence[0].starts_with("none of "), "{:?}", finding.evidence);
}

/// A page that states the resident memory, more of it each time; it is served until the process ends.
fn page_that_grows(by: u64) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let page = format!("process_resident_memory_bytes {}\n", 50_000_000 + number as u64 * by);
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", page.len());
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all((head + &page).as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn memory_that_grows_with_requests_is_found() {
    let scene = Scene::before("ttft=0,gap=0,tokens=1,slots=inf", Personality::default(), 500);
    let watched = |by: u64| {
        let mut subject = scene.subject(Dialect::Messages);
        let gauge = Gauge::Page(page_that_grows(by));
        subject.soak = Some(Soak { time: Duration::from_secs(3), gauge, enough: 20 });
        findings(&subject, &["C04"]).remove(0)
    };
    let grown = watched(10_000_000);
    assert_eq!(grown.verdict, Verdict::Warn, "{:?}", grown.evidence);
    let flat = watched(0);
    assert!(flat.evidence[0].starts_with("+0.000 MB"), "{:?}", flat.evidence);
    let mut blind = scene.subject(Dialect::Messages);
    blind.soak = Some(Soak { time: Duration::from_secs(3), gauge: Gauge::Process(u32::MAX), enough: 20 });
    let blind = findings(&blind, &["C04"]).remove(0);
    assert_eq!(blind.verdict, Verdict::Skip);
    assert!(blind.evidence[0].contains("/proc/4294967295/status"), "{:?}", blind.evidence);
}

#[test]
fn a_purse_that_is_empty_leaves_the_rest_undecided() {
    let scene = Scene::of(Personality::default());
    let mut subject = scene.subject(Dialect::Chat);
    subject.purse = Purse::new(3);
    let found = findings(&subject, &["C21", "C24", "C26", "C27"]);
    let last = found.last().unwrap();
    assert_eq!((last.check.id, last.verdict), ("C27", Verdict::Skip));
    assert!(last.evidence[0].contains("--max-requests"), "{:?}", last.evidence);
}

#[test]
fn no_check_asks_more_often_than_it_says() {
    let scene = Scene::of(Personality::default());
    for check in &CHECKS {
        let mut subject = scene.subject(Dialect::Messages);
        subject.purse = Purse::new(1_000);
        findings(&subject, &[check.id]);
        let asked = 1_000 - subject.purse.requests();
        assert!(asked <= check.kind.requests(), "{} asked {asked} times", check.id);
    }
}
