//! What is believed of a source, what is kept of it, and when that may be used.

mod fetch;
mod files;

use std::io::Cursor;

use jiff::ToSpan;
use minisign::KeyPair;

use super::super::document::Document;
use super::fetch::{Look, Signed};
use super::*;

const FILE: &str = "version = 7
not-after = 2030-01-01T00:00:00Z
[[endpoint]]
url = \"https://eu.relay.example/v1\"
zone = \"eu-1\"
region = \"eu\"
weight = 3
priority = 1
[limits]
rate = \"60/m\"
burst = 5
token-rate = \"input=40000/m\"
";

/// An operator with a key.
struct Operator(KeyPair);

impl Operator {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    fn sign(&self, text: &str) -> String {
        minisign::sign(None, &self.0.sk, Cursor::new(text), None, None).unwrap().into_string()
    }

    fn signed(&self, text: &str) -> Look {
        let (document, signature) = (text.to_owned(), self.sign(text));
        Look::Signed(Signed { document, signature, etag: Some(format!("\"{}\"", text.len())) })
    }

    /// The sources eu and us, whose files this operator signs.
    fn subscription(&self) -> Subscription {
        let text = format!(
            "[profile.p]\nconfig-key = '{}'\nallowed-hosts = ['*.relay.example']\nconfig-max-age = '24h'\n\
             config-url = {{ eu = 'https://eu.example/b.toml', us = 'https://us.example/b.toml' }}",
            self.0.pk.to_base64()
        );
        subscribed(&text).unwrap()
    }

    fn follower(&self) -> Follower {
        let (profile, kept) = ("p".to_owned(), Shelf::at("unused".into()));
        Follower { profile, subscription: self.subscription(), shelf: kept }
    }

    fn key(&self) -> minisign_verify::PublicKey {
        self.subscription().key
    }
}

fn subscribed(text: &str) -> Result<Subscription, Error> {
    let document = Document { path: Path::new("/c/config.toml"), text };
    let file = File::parse(document, None)?;
    let given = Given { profile: Some("p".to_owned()), ..Given::default() };
    let (profile, _) = file.choose(&given, &Environment::of(&[]))?.unwrap();
    Ok(profile.subscription.clone().unwrap())
}

fn version(number: u64) -> String {
    FILE.replace("version = 7", &format!("version = {number}"))
}

fn noon() -> Timestamp {
    "2029-06-01T12:00:00Z".parse().unwrap()
}

/// The state of a machine, to which things happen.
struct Machine {
    by: Subscription,
    state: State,
    now: Timestamp,
}

impl Machine {
    fn of(operator: &Operator) -> Self {
        let by = operator.subscription();
        Self { state: State::new(&by.key_text), by, now: noon() }
    }

    /// Polls half a minute later, and gives each source's verdict.
    fn poll(&mut self, looks: [Look; 2]) -> [&'static str; 2] {
        self.now += 30.seconds();
        let looked = |(site, look): (&Site, Look)| Looked { site: site.clone(), began: self.now, look };
        let looks = self.by.sites.iter().zip(looks).map(looked).collect();
        self.state = judge(self.state.clone(), looks, &self.by, self.now);
        ["eu", "us"].map(|name| self.state.sources[name].verdict.name())
    }

    fn in_force(&self) -> Result<u64, Refusal> {
        usable(&self.state, &self.by, self.now).map(|synced| synced.version)
    }
}

fn gone() -> Look {
    Look::Failed(Verdict::Unreachable, "no connection".to_owned())
}

#[test]
fn the_newest_version_is_in_force_and_each_source_is_told_where_it_stands() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    let file = |number| operator.signed(&version(number));
    assert_eq!(machine.in_force(), Err(Refusal::Nothing));
    assert_eq!(machine.poll([file(7), file(7)]), ["new", "new"]);
    assert_eq!(machine.poll([Look::Unmodified, file(7)]), ["unchanged", "unchanged"]);
    assert_eq!(machine.poll([file(9), Look::Unmodified]), ["new", "stale"]);
    assert_eq!(machine.in_force(), Ok(9));
    assert_eq!(machine.poll([file(8), file(9)]), ["rolled-back", "new"]);
    assert_eq!(machine.in_force(), Ok(9));
    assert_eq!(machine.poll([gone(), Look::Unmodified]), ["unreachable", "unchanged"]);
    assert_eq!(machine.in_force(), Ok(9));
}

#[test]
fn a_rolled_back_version_is_refused_even_where_all_sources_agree_on_it() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(&version(9)), operator.signed(&version(9))]);
    let old = || operator.signed(&version(8));
    assert_eq!(machine.poll([old(), old()]), ["rolled-back", "rolled-back"]);
    assert_eq!(machine.poll([Look::Unmodified, old()]), ["rolled-back", "rolled-back"]);
    assert_eq!(machine.in_force(), Ok(9));
    assert_eq!(machine.state.kept.as_ref().unwrap().confirmed, noon() + 30.seconds());
}

#[test]
fn a_changed_file_under_the_same_version_is_refused() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    let other = FILE.replace("weight = 3", "weight = 9");
    assert_eq!(machine.poll([operator.signed(FILE), operator.signed(&other)]), ["new", "refused"]);
    assert!(machine.state.sources["us"].detail.contains("a higher one"));
    assert_eq!(machine.state.kept.as_ref().unwrap().document, FILE);
}

#[test]
fn with_all_sources_gone_the_last_version_is_used_within_its_bound_and_then_refused() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(FILE), gone()]);
    machine.now += 23.hours();
    assert_eq!(machine.poll([gone(), gone()]), ["unreachable", "unreachable"]);
    assert_eq!(machine.in_force(), Ok(7));
    machine.now += 1.hours();
    machine.poll([gone(), gone()]);
    let Err(Refusal::TooOld { version: 7, .. }) = machine.in_force() else {
        panic!("{:?}", machine.in_force())
    };
    // One source that serves it again is enough.
    machine.poll([gone(), operator.signed(FILE)]);
    assert_eq!(machine.in_force(), Ok(7));
}

#[test]
fn a_version_is_not_used_after_its_end_whoever_serves_it() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(FILE), operator.signed(FILE)]);
    machine.now = "2030-01-01T00:00:00Z".parse().unwrap();
    let Err(Refusal::Expired { version: 7, .. }) = machine.in_force() else {
        panic!("{:?}", machine.in_force())
    };
    assert_eq!(machine.poll([operator.signed(FILE), operator.signed(&version(8))]), ["expired", "expired"]);
    let next = version(8).replace("2030", "2031");
    assert_eq!(machine.poll([operator.signed(&next), gone()]), ["new", "unreachable"]);
    assert_eq!(machine.in_force(), Ok(8));
}

#[test]
fn what_is_kept_is_checked_against_the_profile_and_the_key_of_today() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(FILE), operator.signed(FILE)]);
    machine.by.hosts = hosts::Hosts(vec!["us.relay.example".parse().unwrap()]);
    let error = machine.in_force().unwrap_err().to_string();
    assert!(error.contains("eu.relay.example is not allowed"), "{error}");
    assert_eq!(machine.poll([operator.signed(FILE), gone()]), ["refused", "unreachable"]);

    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(FILE), operator.signed(FILE)]);
    machine.state.kept.as_mut().unwrap().document = version(1000);
    assert!(matches!(machine.in_force(), Err(Refusal::Unfit { .. })));
    // What was damaged on the disk is mended by the same version.
    machine.poll([operator.signed(FILE), operator.signed(FILE)]);
    assert_eq!(machine.in_force(), Ok(7));
}

#[test]
fn polls_out_of_step_are_counted_in_a_row() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    let polls = |machine: &Machine| machine.state.out_of_step.map(|out| out.polls);
    let file = || operator.signed(FILE);
    machine.poll([file(), gone()]);
    machine.poll([file(), gone()]);
    assert_eq!(polls(&machine), Some(2));
    machine.poll([file(), file()]);
    assert_eq!(polls(&machine), None);
    machine.poll([file(), operator.signed(&version(8))]);
    let first = machine.now;
    for _ in 0..2 {
        machine.poll([file(), Look::Unmodified]);
    }
    assert_eq!(machine.state.out_of_step, Some(OutOfStep { since: first, polls: 3 }));
}

#[test]
fn out_of_step_is_a_failure_after_more_than_two_polls_and_not_for_quick_ones() {
    let operator = Operator::new();
    let follower = operator.follower();
    let out = |polls| OutOfStep { since: noon(), polls };
    assert!(!follower.is_too_long(out(2), noon() + 60.seconds()));
    assert!(follower.is_too_long(out(3), noon() + 60.seconds()));
    assert!(follower.is_too_long(out(3), noon() + 48.seconds()));
    assert!(!follower.is_too_long(out(300), noon() + 47.seconds()));
    for _ in 0..100 {
        assert!((24.0..=36.0).contains(&follower.pause().as_secs_f64()));
    }
}

#[test]
fn a_source_is_read_in_full_now_and_then_whatever_its_tag_says() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(FILE), operator.signed(FILE)]);
    let read = machine.now;
    machine.poll([Look::Unmodified, Look::Unmodified]);
    let follower = operator.follower();
    let seen = &machine.state.sources["eu"];
    assert!(follower.etag(seen, read + 299.seconds()).is_some());
    assert_eq!(follower.etag(seen, read + 300.seconds()), None);
    // A clock that was set back is no reason to wait for it.
    assert_eq!(follower.etag(seen, read - 1.seconds()), None);
}

#[test]
fn a_look_that_another_process_has_overtaken_counts_for_nothing() {
    let operator = Operator::new();
    let mut machine = Machine::of(&operator);
    machine.poll([operator.signed(&version(9)), operator.signed(&version(9))]);
    let before = machine.state.clone();
    let late = |site: &Site, seconds: i64| Looked {
        site: site.clone(),
        began: machine.now - seconds.seconds(),
        look: operator.signed(&version(8)),
    };
    let sites = &machine.by.sites;
    let looks = vec![late(&sites[0], 1), late(&sites[1], 1)];
    assert_eq!(judge(before.clone(), looks, &machine.by, machine.now + 1.seconds()), before);
    // A state of tomorrow was written by another clock, and hides nothing.
    let looks = vec![late(&sites[0], 7200), late(&sites[1], 7200)];
    let state = judge(before, looks, &machine.by, machine.now - 1.hours());
    assert_eq!(state.sources["eu"].verdict, Verdict::RolledBack);
}
