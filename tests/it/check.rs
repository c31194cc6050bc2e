//! Every check has a relay on which it passes and one on which it does not, and says so of the right one.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use baton::check::{CHECKS, Finding, Plan, SILENCE, Subject, Verdict, examine};
use baton::mock::{Gateway, GatewayOptions, Habit, Options, Personality, Relay};
use baton::net::{Connection, Credential, HeaderName, HeaderValue, Origin, Url};
use baton::wire::Dialect;

/// The key that the relays of these tests let in.
const KEY: &str = "sk-the-right-key";
/// What every wait is multiplied by.
const SCALE: f64 = 0.01;

/// A relay with known habits between a client and an upstream that is listened in on.
struct Scene {
    relay: Gateway,
    ear: Gateway,
    _answers: Relay,
}

impl Scene {
    fn of(personality: Personality) -> Self {
        let spec = "ttft=5ms,gap=10ms,tokens=12,slots=inf".parse().unwrap();
        let answers = Relay::start(Options { spec, threads: 1, ..Options::default() }).unwrap();
        let ear = Gateway::start(GatewayOptions::ear(answers.address(), SILENCE.mul_f64(SCALE))).unwrap();
        let relay = Gateway::start(GatewayOptions {
            personality,
            key: Some(KEY.to_owned()),
            places: 16,
            patience: Duration::from_millis(600),
            ..GatewayOptions::to(ear.address())
        });
        Self { relay: relay.unwrap(), ear, _answers: answers }
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
const BROKEN: [(Habit, &[&str]); 32] = [
    (Habit::Buffer, &["C01"]),
    (Habit::ZeroUsage, &["C02"]),
    (Habit::DropLimits, &["C03"]),
    (Habit::KeepUpstream, &["C05"]),
    (Habit::LeakSlots, &["C06"]),
    (Habit::CutSilence, &["C07", "C08"]),
    (Habit::PassEmpty, &["C09"]),
    (Habit::MaskErrors, &["C10"]),
    (Habit::CleanEnd, &["C31"]),
    (Habit::AddTerminal, &["C32"]),
    (Habit::RenameModel, &["C11"]),
    (Habit::ServeAnyModel, &["C27"]),
    (Habit::CompressedIsInvalid, &["C12"]),
    (Habit::CompressedIsFatal, &["C12"]),
    (Habit::RetryUpstream, &["C13"]),
    (Habit::SmallBodies, &["C15", "C37"]),
    (Habit::StrayDone, &["C16"]),
    (Habit::TrustForwarded, &["C18"]),
    (Habit::LoseRequestId, &["C19"]),
    (Habit::CloseConnections, &["C20"]),
    (Habit::RefuseHttpOne, &["C23"]),
    (Habit::NoDialect, &["C24"]),
    (Habit::AnyKey, &["C25"]),
    (Habit::KeyIsInvalid, &["C25"]),
    (Habit::TextErrors, &["C26"]),
    (Habit::LeakHeaders, &["C28"]),
    (Habit::WrongDate, &["C29"]),
    (Habit::FlattenOverload, &["C30"]),
    (Habit::LineLimit, &["C33"]),
    (Habit::MangleText, &["C36"]),
    (Habit::DropComments, &["C34"]),
    (Habit::DropHeaders, &["C35"]),
];

#[test]
fn a_strict_relay_passes_every_check_in_both_vendors_dialects() {
    let scene = Scene::of(Personality::default());
    for dialect in [Dialect::Messages, Dialect::Chat] {
        let found = findings(&scene.subject(dialect), &[]);
        assert_eq!(found.len(), CHECKS.len());
        for finding in &found {
            let expected = if finding.check.id == "C22" { Verdict::Skip } else { Verdict::Pass };
            assert_eq!(finding.verdict, expected, "{dialect:?} {}: {:?}", finding.check.id, finding.evidence);
            assert!(!finding.evidence.is_empty(), "{} has no evidence", finding.check.id);
        }
    }
}

#[test]
fn each_habit_is_found_by_its_checks() {
    assert_eq!(Habit::all().count(), BROKEN.len());
    for (habit, ids) in BROKEN {
        let scene = Scene::of(Personality::of(&[habit]));
        let found = findings(&scene.subject(Dialect::Messages), ids);
        assert_eq!(found.len(), ids.len());
        for finding in found {
            let bad = matches!(finding.verdict, Verdict::Warn | Verdict::Fail);
            assert!(bad, "{habit:?} {}: {:?}", finding.check.id, finding.evidence);
        }
    }
}

#[test]
fn the_golden_guide_is_the_one_that_the_catalogue_makes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let made = baton::report::check_docs(&CHECKS);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made, "UPDATE_GOLDEN=1 makes it anew");
}

#[test]
fn every_check_has_a_relay_on_which_it_does_not_hold() {
    let broken: BTreeSet<_> = BROKEN.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    // These two have a test of their own, below.
    let own = ["C21", "C22"];
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
fn a_purse_that_is_empty_leaves_the_rest_undecided() {
    let scene = Scene::of(Personality::default());
    let subject = scene.subject(Dialect::Chat);
    subject.purse.set(3);
    let found = findings(&subject, &["C21", "C24", "C26", "C27"]);
    let last = found.last().unwrap();
    assert_eq!((last.check.id, last.verdict), ("C27", Verdict::Skip));
    assert!(last.evidence[0].contains("--max-requests"), "{:?}", last.evidence);
}

#[test]
fn no_check_asks_more_often_than_it_says() {
    let scene = Scene::of(Personality::default());
    for check in &CHECKS {
        let subject = scene.subject(Dialect::Messages);
        subject.purse.set(1_000);
        findings(&subject, &[check.id]);
        let asked = 1_000 - subject.purse.get();
        assert!(asked <= check.kind.requests(), "{} asked {asked} times", check.id);
    }
}
