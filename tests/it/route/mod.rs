//! Endpoints that die, fall silent, fail, slow down or lose their health path under the load of a batch.

#![cfg(unix)]

mod scene;

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::zones::Mock;

use self::scene::Scene;

/// How soon a refusal, a reset and a 5xx must be detected.
const SOON: Duration = Duration::from_secs(3);

/// How soon silence must be.
const LATER: Duration = Duration::from_secs(10);

/// Lets something befall the endpoint that traffic goes to; it must be ejected within the time, and no row lost.
fn befalls(strike: impl FnOnce(&Mock), within: Duration) {
    let mut scene = Scene::begin(&[]);
    let victim = scene.preferred();
    let struck = Instant::now();
    strike(&scene.mocks[victim]);
    let (detected, ejected) = scene.decision("ejected");
    assert!(scene.mocks[victim].url.starts_with(ejected.trim_end_matches('/')), "{ejected}");
    let took = detected.saturating_duration_since(struck);
    assert!(took < within, "detected after {took:?}");
    // Fewer than 0.1 % after detection: none of a thousand.
    assert_eq!(scene.rows(1000), 0);
    scene.end();
}

/// What must move nothing, for as long as the mock needs to be probed so often.
fn moves_nothing(strike: impl FnOnce(&Mock), probes: u64) {
    let mut scene = Scene::begin(&[]);
    // The first probes decide who is nearest, and that is no switch.
    let checks = |mock: &Mock| mock.stats()["health"].as_u64().unwrap();
    while scene.mocks.iter().any(|mock| checks(mock) < 2) {
        assert_eq!(scene.rows(100), 0);
    }
    let victim = scene.preferred();
    let settled = scene.events.len();
    strike(&scene.mocks[victim]);
    let before = scene.mocks[victim].stats()["health"].as_u64().unwrap();
    while scene.mocks[victim].stats()["health"].as_u64().unwrap() < before + probes {
        assert_eq!(scene.rows(100), 0);
    }
    let events = scene.end();
    assert!(
        events[settled..].iter().all(|event| event["change"] != "ejected" && event["change"] != "preferred"),
        "{events:#?}"
    );
}

#[test]
fn a_killed_endpoint_is_left_within_3_s() {
    befalls(|mock| mock.signal("KILL"), SOON);
}

#[test]
fn a_stopped_endpoint_is_left_within_10_s_and_its_requests_sent_elsewhere() {
    befalls(|mock| mock.signal("STOP"), LATER);
}

#[test]
fn an_endpoint_that_answers_503_is_left_within_3_s() {
    befalls(|mock| mock.change(&json!({ "error_share": 1 })), SOON);
}

#[test]
fn an_endpoint_that_refuses_connections_is_left_within_3_s() {
    befalls(|mock| mock.change(&json!({ "connections": "refused" })), SOON);
}

#[test]
fn an_endpoint_that_resets_connections_is_left_within_3_s() {
    befalls(|mock| mock.change(&json!({ "connections": "reset" })), SOON);
}

#[test]
fn a_broken_health_path_moves_nothing() {
    moves_nothing(|mock| mock.change(&json!({ "health": "failing" })), 4);
}

#[test]
fn a_silent_health_path_moves_nothing() {
    moves_nothing(|mock| mock.change(&json!({ "health": "silent" })), 4);
}

#[test]
fn no_row_is_lost_where_a_third_of_the_answers_are_503() {
    let mut scene = Scene::begin(&[]);
    let victim = scene.preferred();
    scene.mocks[victim].change(&json!({ "error_share": 0.3 }));
    assert_eq!(scene.rows(2000), 0);
    scene.end();
}
