//! What bounds a `baton bench`: requests, money and time, each of which ends a run that says so.

use serde_json::Value;

use crate::baton::{Said, baton, relay, run};

const QUICK: &str = "ttft=1ms,gap=0,tokens=2,slots=inf";

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

#[test]
fn no_request_beyond_the_bound_is_made_by_however_many_users_and_workers() {
    for load in [&["-c", "8", "-d", "60s"][..], &["-r", "400/s", "-d", "60s", "--max-requests", "60"]] {
        // So slow that no machine is quick enough to spend the bound in the warm-up.
        let relay = relay("ttft=30ms,gap=0,tokens=2,slots=inf");
        let url = relay.base_url();
        let mut arguments = vec!["bench", "-u", &url, "-m", "m", "--workers", "3", "--format", "json"];
        arguments.extend(["--warmup", "50ms"]);
        arguments.extend(load);
        if !load.contains(&"--max-requests") {
            arguments.extend(["--max-requests", "60"]);
        }
        let refused = run(&arguments);
        if load.contains(&"-r") {
            // So many are due that the bound is certain to be passed.
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.err.contains("--max-requests 60: more than 120"), "{refused:?}");
            assert_eq!(relay.stats().requests, 0);
            continue;
        }
        assert_eq!(refused.code, 7, "{refused:?}");
        assert_eq!(relay.stats().requests, 60, "{refused:?}");
        let document = document(&refused);
        assert_eq!(document["bounded"], "--max-requests 60 is reached");
        assert_eq!(
            (&document["interrupted"], &document["levels"][0]["censored"]),
            (&false.into(), &0.into())
        );
        assert!(refused.err.contains("error: --max-requests 60 is reached"), "{refused:?}");
    }
}

#[test]
fn an_open_loop_ends_at_its_bound_and_holds_nothing_against_the_relay() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let stages = ["--stage", "1s:60/s", "--max-requests", "40", "--warmup", "0"];
    let said = run(&[&["bench", "-u", &url, "-m", "m", "--format", "json"][..], &stages].concat());
    // 30 arrivals are due, and one request goes before them.
    assert_eq!((said.code, relay.stats().requests), (0, 31), "{said:?}");
    let stages = ["-r", "100/s", "-n", "100", "--max-time", "300ms", "--warmup", "0"];
    let said = run(&[&["bench", "-u", &url, "-m", "m", "--format", "json"][..], &stages].concat());
    assert_eq!(said.code, 7, "{said:?}");
    let arrivals = &document(&said)["levels"][0]["arrivals"];
    let count = |name: &str| arrivals[name].as_u64().unwrap();
    // What was due in the last moment is not sent where this machine is busy; what was due later is nobody's.
    assert_eq!((count("planned"), count("capped")), (count("sent") + count("unsent"), 0), "{arrivals}");
    assert!((10..=40).contains(&count("planned")) && count("sent") >= 10, "{arrivals}");
}

#[test]
fn a_bound_that_is_reached_in_the_warm_up_is_said_to_be_what_ended_the_run() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let load = ["-c", "2", "-d", "60s", "--warmup", "30s", "--max-requests", "20"];
    let said = run(&[&["bench", "-u", &url, "-m", "m"][..], &load].concat());
    assert_eq!((said.code, relay.stats().requests), (7, 20), "{said:?}");
    assert!(said.err.contains("--max-requests 20 is reached before anything was measured"), "{said:?}");
}

#[test]
fn a_retry_counts_against_the_bound() {
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf,fault=500:0.5,seed=4");
    let url = relay.base_url();
    let said = run(&[
        "bench",
        "-u",
        &url,
        "-m",
        "m",
        "-c",
        "1",
        "-d",
        "60s",
        "--warmup",
        "0",
        "--attempts",
        "3",
        "--backoff-base",
        "0",
        "--max-requests",
        "100",
        "--format",
        "json",
    ]);
    assert_eq!(said.code, 7, "{said:?}");
    let made = relay.stats().requests;
    assert!((95..=104).contains(&made), "{made}");
}

#[test]
fn a_search_and_a_threshold_that_a_bound_cuts_short_decide_nothing_in_favour_of_the_relay() {
    // Slow enough that no delay of a busy machine counts: levels of 1, 2 and 4 users, and half of one of 8.
    let relay = relay("ttft=2s,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let base = ["bench", "-u", &url, "-m", "m", "--warmup", "0", "--max-requests", "12"];
    let search = ["-d", "100ms", "--find-capacity", "--slo", "latency < 20s"];
    let said = run(&[&base[..], &search].concat());
    assert_eq!(said.code, 98, "{said:?}");
    assert!(
        said.err.contains("ended   --max-requests 12 is reached: 4 levels, the last one cut short"),
        "{said:?}"
    );
    assert!(said.err.contains("c=4 passes (not confirmed: the search was stopped)"), "{said:?}");
    assert_eq!(relay.stats().requests, 12);
    let said = run(&[&base[..], &["-c", "2", "-d", "60s", "--fail-if", "error_rate > 50%"]].concat());
    assert_eq!(said.code, 7, "a threshold that holds so far is no success of the run: {said:?}");
}

#[test]
fn money_is_bounded_where_there_is_a_price_and_refused_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[price.m]\ninput = 0\noutput = 1000\n").unwrap();
    let relay = relay(QUICK);
    let bench = |model: &str| -> Said {
        let load = ["-c", "1", "-d", "60s", "--warmup", "0", "--max-cost", "0.05", "--format", "json"];
        let mut command = baton();
        command.args(["bench", "-u", &relay.base_url(), "-m", model]).args(load);
        command.env("BATON_CONFIG", &config).output().unwrap().into()
    };
    let said = bench("other");
    assert!(said.code == 2 && said.err.contains("the model other has no price"), "{said:?}");
    // Two tokens are 0.2 cents, so that the 25th answer is the last, the one before the load included.
    let said = bench("m");
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(relay.stats().requests, 25, "{said:?}");
    assert!(said.err.contains(" if each takes as long as the first ("), "{said:?}");
    let document = document(&said);
    assert_eq!(document["bounded"], "--max-cost 0.050 USD is reached: 0.050 USD");
}

#[test]
fn a_plan_that_is_certain_to_pass_its_bounds_is_refused_with_numbers() {
    let refused = |more: &[&str], said_of: &str| {
        let said = run(&[&["bench", "--mock"][..], more].concat());
        // Large numbers have a thin space in them.
        let err = said.err.replace(char::is_whitespace, " ");
        assert!(said.code == 2 && err.contains(said_of), "{more:?}: {said:?}");
    };
    refused(&["-c", "1,2", "-n", "500", "--max-requests", "1000"], "--max-requests 1 000: at least 1 001");
    refused(&["-c", "100", "-d", "1s", "--max-requests", "50"], "--max-requests 50: more than 100");
    refused(
        &["-c", "1,2", "-d", "5s", "--max-time", "10s"],
        "takes 14 s at least, and --max-time allows 10 s",
    );
    refused(&["--max-cost", "1"], "no model has a price");
}
