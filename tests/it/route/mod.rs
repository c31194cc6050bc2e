//! Endpoints that die, fall silent, fail, slow down, move or lose their health path under the load of a batch and of a bench.

#![cfg(unix)]

mod cast;
mod drain;
mod front;
mod scene;
mod space;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::baton::run;
use crate::zones::Mock;

use self::cast::{CALM, Cast};
use self::front::{Face, Front};
use self::scene::Load::{Batch, Bench};
use self::scene::{Load, Scene};
use self::space::Space;

/// How soon a refusal, a reset and a 5xx must be detected.
const SOON: Duration = Duration::from_secs(3);

/// How soon silence must be.
const LATER: Duration = Duration::from_secs(10);

/// Lets something befall the endpoint that traffic goes to; it must be ejected within the time, and no row lost.
fn befalls(load: Load, strike: impl FnOnce(&Mock), within: Duration) {
    let mut scene = Scene::begin(load);
    let victim = scene.preferred();
    let struck = Timestamp::now();
    strike(&scene.cast.mocks[victim]);
    let url = scene.cast.mocks[victim].url.clone();
    is_left(scene, (struck, &url), within);
}

/// The endpoint must be ejected within the time of its strike, and nothing that begins then may fail.
fn is_left(mut scene: Scene, (struck, url): (Timestamp, &str), within: Duration) {
    let ejected = scene.decision("ejected");
    assert_eq!(ejected.endpoint.trim_end_matches('/'), url);
    let took = ejected.at.duration_since(struck).unsigned_abs();
    assert!(took < within, "detected after {took:?}");
    // Fewer than 0.1 % after detection: none of a thousand.
    assert_eq!(scene.rows_since(ejected.at, 1000), 0);
    scene.end();
}

/// What must move nothing, for as long as the mock needs to be probed so often.
fn moves_nothing(load: Load, strike: impl FnOnce(&Mock), probes: u64) {
    let mut scene = Scene::begin(load);
    // The first probes decide who is nearest, and that is no switch.
    let checks = |mock: &Mock| mock.stats()["health"].as_u64().unwrap();
    while scene.cast.mocks.iter().any(|mock| checks(mock) < 2) {
        assert_eq!(scene.rows(100), 0);
    }
    let victim = scene.preferred();
    let settled = scene.events.len();
    strike(&scene.cast.mocks[victim]);
    let before = checks(&scene.cast.mocks[victim]);
    while checks(&scene.cast.mocks[victim]) < before + probes {
        assert_eq!(scene.rows(100), 0);
    }
    let events = scene.end();
    let moves = |event: &&Value| event["change"] == "ejected" || event["change"] == "preferred";
    assert_eq!(events[settled..].iter().find(moves), None);
}

/// The first of three endpoints stands behind TLS, which goes wrong.
fn loses_its_tls(load: Load, face: Face) {
    let mocks: Vec<Mock> = (0..3).map(|_| Mock::start(CALM)).collect();
    let front = Front::of(&mocks[0].url);
    let urls = [front.url.clone(), mocks[1].url.clone(), mocks[2].url.clone()];
    let mut cast = Cast::in_order(mocks, &[&urls[0], &urls[1], &urls[2]]);
    cast.flags.extend(["--cacert".to_owned(), front.trusted.path().to_str().unwrap().to_owned()]);
    let mut scene = Scene::over(load, cast);
    assert_eq!(scene.preferred(), 0);
    let struck = Timestamp::now();
    front.show(face);
    is_left(scene, (struck, &urls[0]), SOON);
}

/// The first of three endpoints is at an address that swallows everything from one moment on.
fn is_swallowed(load: Load) {
    let Some(mut space) = Space::with_network() else { return };
    let within = |listen| Mock::start_as(listen, CALM, |command| space.door().enter(&command));
    let mut mocks = vec![within("10.9.0.1:0")];
    mocks.extend((0..2).map(|_| within("127.0.0.1:0")));
    let urls: Vec<String> = mocks.iter().map(|mock| mock.url.clone()).collect();
    let cast = Cast::in_order(mocks, &[&urls[0], &urls[1], &urls[2]]);
    let mut scene = Scene::over(load, cast.within(space.door()));
    assert_eq!(scene.rows(100), 0);
    let struck = Timestamp::now();
    space.swallow();
    is_left(scene, (struck, &urls[0]), LATER);
}

#[test]
fn a_killed_endpoint_is_left_within_3_s() {
    befalls(Batch, |mock| mock.signal("KILL"), SOON);
    befalls(Bench, |mock| mock.signal("KILL"), SOON);
}

#[test]
fn a_stopped_endpoint_is_left_within_10_s_and_its_requests_sent_elsewhere() {
    befalls(Batch, |mock| mock.signal("STOP"), LATER);
}

#[test]
fn a_stopped_endpoint_is_left_within_10_s_under_a_bench_too() {
    befalls(Bench, |mock| mock.signal("STOP"), LATER);
}

#[test]
fn an_endpoint_that_answers_503_is_left_within_3_s() {
    befalls(Batch, |mock| mock.change(&json!({ "error_share": 1 })), SOON);
    befalls(Bench, |mock| mock.change(&json!({ "error_share": 1 })), SOON);
}

#[test]
fn an_endpoint_that_refuses_connections_is_left_within_3_s() {
    befalls(Batch, |mock| mock.change(&json!({ "connections": "refused" })), SOON);
    befalls(Bench, |mock| mock.change(&json!({ "connections": "refused" })), SOON);
}

#[test]
fn an_endpoint_that_resets_connections_is_left_within_3_s() {
    befalls(Batch, |mock| mock.change(&json!({ "connections": "reset" })), SOON);
    befalls(Bench, |mock| mock.change(&json!({ "connections": "reset" })), SOON);
}

#[test]
fn an_endpoint_whose_certificate_is_wrong_or_that_speaks_no_tls_is_left_within_3_s() {
    loses_its_tls(Batch, Face::Expired);
    loses_its_tls(Batch, Face::Plain);
    loses_its_tls(Bench, Face::Strange);
}

#[test]
fn an_address_that_swallows_everything_is_left_within_10_s() {
    is_swallowed(Batch);
}

#[test]
fn an_address_that_swallows_everything_is_left_within_10_s_under_a_bench_too() {
    is_swallowed(Bench);
}

#[test]
fn a_broken_health_path_moves_nothing() {
    moves_nothing(Batch, |mock| mock.change(&json!({ "health": "failing" })), 4);
}

#[test]
fn a_silent_health_path_moves_nothing() {
    moves_nothing(Bench, |mock| mock.change(&json!({ "health": "silent" })), 4);
}

#[test]
fn no_row_is_lost_where_a_third_of_the_answers_are_503() {
    let mut scene = Scene::begin(Batch);
    let victim = scene.preferred();
    scene.cast.mocks[victim].change(&json!({ "error_share": 0.3 }));
    assert_eq!(scene.rows(2000), 0);
    scene.end();
}

#[test]
fn a_third_of_errors_is_left_under_a_bench_which_sends_nothing_again() {
    befalls(Bench, |mock| mock.change(&json!({ "error_share": 0.3 })), SOON);
}

#[test]
fn where_endpoints_are_balanced_one_that_becomes_slower_gets_next_to_nothing_and_is_not_ejected() {
    for load in [Batch, Bench] {
        let mut scene = Scene::over(load, Cast::of_three(&["--strategy", "balanced"]));
        let shares = scene.shares(600);
        assert!(shares.iter().all(|share| *share > 60), "{shares:?}");
        scene.cast.mocks[0].change(&json!({ "latency_ms": 500 }));
        // Requests that had left were met by it, and each user has one.
        assert_eq!(scene.rows(100), 0);
        let shares = scene.shares(1000);
        assert!(shares[0] < 50, "{shares:?}");
        assert!(!scene.end().iter().any(|event| event["change"] == "ejected"));
    }
}

#[test]
fn one_that_becomes_slower_is_not_left_within_the_dwell_where_the_nearest_is_asked() {
    moves_nothing(Bench, |mock| mock.change(&json!({ "latency_ms": 500 })), 1);
}

/// The first of two endpoints is found by a name, behind which the second of three relays takes the place of the first.
fn is_followed(space: &Space, cast: Cast, named: &str) {
    let mut scene = Scene::over(Batch, cast.within(space.door()));
    assert_eq!(scene.preferred(), 0);
    let struck = Timestamp::now();
    space.lead("relay.test", "127.0.0.2");
    let moved = scene.decision("address_changed");
    assert_eq!(moved.endpoint.trim_end_matches('/'), named);
    let took = moved.at.duration_since(struck).unsigned_abs();
    assert!(took < Duration::from_secs(30), "followed after {took:?}");
    // Those under way end where they are.
    assert_eq!(scene.rows(50), 0);
    let shares = scene.shares(200);
    assert!(shares[0] == 0 && shares[1] > 150, "{shares:?}");
    assert!(!scene.end().iter().any(|event| event["change"] == "ejected"));
}

#[test]
fn a_name_that_leads_elsewhere_is_followed_within_30_s_and_its_old_connections_are_given_up() {
    let Some(space) = Space::with_names() else { return };
    space.lead("relay.test", "127.0.0.1");
    let (old, beside) = (Mock::start(CALM), Mock::start(CALM));
    let port = old.url.rsplit_once(':').unwrap().1;
    let new = Mock::start_as(&format!("127.0.0.2:{port}"), CALM, |command| command);
    let (named, other) = (format!("http://relay.test:{port}"), beside.url.clone());
    is_followed(&space, Cast::in_order(vec![old, new, beside], &[&named, &other]), &named);
}

#[test]
fn a_name_is_followed_over_tls_too_where_connections_are_another_librarys() {
    let Some(space) = Space::with_names() else { return };
    space.lead("relay.test", "127.0.0.1");
    let mocks: Vec<Mock> = (0..3).map(|_| Mock::start(CALM)).collect();
    let old = Front::at(("127.0.0.1:0", "relay.test"), &mocks[0].url);
    let port = old.url.rsplit_once(':').unwrap().1;
    let new = Front::at((&format!("127.0.0.2:{port}"), "relay.test"), &mocks[1].url);
    let trusted = [&old, &new].map(|front| std::fs::read(front.trusted.path()).unwrap()).concat();
    std::fs::write(old.trusted.path(), trusted).unwrap();
    let other = mocks[2].url.clone();
    let mut cast = Cast::in_order(mocks, &[&old.url, &other]);
    cast.flags.extend(["--cacert".to_owned(), old.trusted.path().to_str().unwrap().to_owned()]);
    is_followed(&space, cast, &old.url);
}

#[test]
fn a_bench_has_a_row_for_each_endpoint_and_what_was_decided_about_them() {
    let (bad, good) = (Mock::start(CALM), Mock::start(CALM));
    bad.change(&json!({ "error_share": 1 }));
    let sweep = ["bench", "-m", "m", "-c", "10", "-n", "300", "--warmup", "0", "--quiet", "--format", "json"];
    let said = run(&[&sweep[..], &["--strategy", "weighted", "-u", &bad.url, "-u", &good.url]].concat());
    let result: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let level = &result["levels"][0];
    let row = |url: &str| {
        let rows = level["endpoints"].as_array().unwrap();
        rows.iter().find(|row| row["endpoint"].as_str().unwrap().trim_end_matches('/') == url).unwrap()
    };
    let (bad_row, good_row) = (row(&bad.url), row(&good.url));
    let count = |row: &Value, of: &str| row[of].as_u64().unwrap();
    assert_eq!(count(bad_row, "requests") + count(good_row, "requests"), 300);
    assert_eq!(count(bad_row, "errors"), count(bad_row, "requests"));
    assert_eq!((count(bad_row, "errors"), count(good_row, "errors")), (count(level, "errors"), 0));
    assert!(bad_row["latency_ms"].is_null());
    assert_eq!(good_row["latency_ms"], level["latency_ms"]);
    // That they were there at first is no decision.
    assert_ne!(result["events"][0]["change"], "added");
    let ejected = |event: &&Value| event["change"] == "ejected" && event["endpoint"] == bad_row["endpoint"];
    let ejected = result["events"].as_array().unwrap().iter().find(ejected).unwrap();
    assert!(ejected["at_s"].as_f64() > Some(0.0));
}
