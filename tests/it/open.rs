//! `bench` in an open loop: what is due is sent, held back or counted, and a relay that stands still is seen to.

use serde_json::Value;

use crate::baton::{Said, relay, run};

fn bench(url: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["bench", "-u", url, "-m", "m", "--warmup", "0", "--format", "json"];
    arguments.extend(more);
    run(&arguments)
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

fn count(level: &Value, name: &str) -> u64 {
    level["arrivals"][name].as_u64().unwrap_or_else(|| panic!("{level}"))
}

#[test]
fn what_is_due_is_sent_at_every_rate_of_a_list() {
    let relay = relay("ttft=5ms,gap=0,tokens=1,slots=inf");
    let said = bench(&relay.base_url(), &["-r", "100/s,200/s", "-d", "500ms"]);
    let document = document(&said);
    assert_eq!(document["plan"]["loop"], "open");
    for (level, planned) in document["levels"].as_array().unwrap().iter().zip([50, 100]) {
        assert_eq!((count(level, "planned"), count(level, "sent")), (planned, planned), "{level}");
        assert_eq!((count(level, "capped"), count(level, "unsent")), (0, 0), "{level}");
        assert_eq!((&level["response_ms"]["n"], &level["lag_ms"]["n"]), (&planned.into(), &planned.into()));
        let avg = |metric: &str| level[metric]["avg"].as_f64().unwrap();
        assert!((avg("response_ms") - avg("latency_ms") - avg("lag_ms")).abs() < 0.01, "{level}");
    }
    assert_eq!(relay.stats().requests, 151);
}

#[test]
fn random_arrivals_depend_on_the_seed_alone() {
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    let planned = |seed: &str| {
        let more = ["-r", "200/s", "-d", "400ms", "--arrivals", "poisson", "--seed", seed];
        count(&document(&bench(&relay.base_url(), &more))["levels"][0], "planned")
    };
    let (one, again) = (planned("3"), planned("3"));
    assert_eq!(one, again);
    assert!((40..140).contains(&one), "{one}");
    assert!((4..10).any(|seed: u64| planned(&seed.to_string()) != one));
}

#[test]
fn arrivals_beyond_the_cap_wait_and_those_that_never_leave_are_counted() {
    // Two places of 100 ms each take 20 a second; 50 are due in the half second, and a drain of 500 ms follows.
    let relay = relay("ttft=100ms,gap=0,tokens=1,slots=inf");
    let said = bench(&relay.base_url(), &["-r", "100/s", "-d", "500ms", "-c", "2", "--drain", "500ms"]);
    let level = &document(&said)["levels"][0];
    let (planned, sent, unsent) = (count(level, "planned"), count(level, "sent"), count(level, "unsent"));
    assert_eq!((planned, sent + unsent), (50, 50), "{level}");
    assert!((14..=22).contains(&sent) && count(level, "capped") >= sent - 4, "{level}");
    // Service is quick; what was asked for took as long as it waited, and more than anyone can say.
    assert!(level["latency_ms"]["p50"].as_f64().unwrap() < 200.0, "{level}");
    assert_eq!(level["response_ms"]["p50_bound"], "lower", "{level}");
}

#[test]
fn stages_move_the_rate() {
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    let stages = ["--stage", "400ms:100/s", "--stage", "200ms:100/s", "--stage", "0:0/s"];
    let document = document(&bench(&relay.base_url(), &stages));
    // The area below 0 → 100/s in 0.4 s, and 100/s for 0.2 s.
    assert_eq!(count(&document["levels"][0], "planned"), 40);
    assert_eq!(document["levels"][0]["rate"], Value::Null);
    assert_eq!(document["plan"]["window_s"], 0.6);
}

#[test]
fn a_trace_is_replayed_with_its_own_prompts_at_its_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, log) = (folder.path().join("trace.jsonl"), folder.path().join("log.jsonl"));
    let line = |k: u8| {
        let (offset, word) = (f64::from(k) * 0.03, "x".repeat(k.into()));
        format!("{{\"offset_s\": {offset}, \"prompt\": \"word {word}\"}}")
    };
    let lines: Vec<String> = (0..12).map(line).collect();
    std::fs::write(&trace, lines.join("\n")).unwrap();
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    let url = relay.base_url();
    let arguments = ["bench", "-u", &url, "-m", "m", "--format", "json", "--log", log.to_str().unwrap()];
    let said = run(&[&arguments[..], &["--replay", trace.to_str().unwrap()]].concat());
    let document = document(&said);
    assert_eq!(document["plan"]["arrivals"]["replayed"], 12, "{said:?}");
    assert_eq!(count(&document["levels"][0], "sent"), 12);
    let lines: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let planned = |index: u64| {
        let line = lines.iter().find(|line| line["index"] == index).unwrap();
        assert!(line["start"].as_u64() >= line["planned"].as_u64(), "{line}");
        line["planned"].as_u64().unwrap()
    };
    let apart = planned(11) - planned(1);
    assert!(apart.abs_diff(300_000_000) < 1_000, "{apart}");
}

#[test]
fn mistakes_in_an_open_loop_are_named_before_the_first_request() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.jsonl");
    std::fs::write(&bad, "{\"offset_s\": 2, \"prompt\": \"a\"}\n\n{\"offset_s\": 1, \"prompt\": \"b\"}\n")
        .unwrap();
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    for (more, said) in [
        (&["--seed", "3"][..], "--seed has no effect"),
        (&["-r", "5/s", "--seed", "3"], "neither constant arrivals nor the prompts are random"),
        (&["--arrival", "poisson"], "--arrival has no effect"),
        (&["-r", "5/s,9/s", "--stage", "1s:5/s"], "--stage begins at one --rate"),
        (&["-r", "5/s", "-c", "1,2"], "-c is the most requests in flight"),
        (&["--stage", "1s:0/s"], "no request is due within 1 s"),
    ] {
        let refused = bench(&relay.base_url(), more);
        assert_eq!(refused.code, 2, "{more:?}: {refused:?}");
        assert!(refused.err.contains(said), "{more:?}: {refused:?}");
    }
    let refused = run(&["bench", "-u", &relay.base_url(), "-m", "m", "--replay", bad.to_str().unwrap()]);
    assert!(refused.code == 2 && refused.err.contains("line 3: its offset_s is smaller"), "{refused:?}");
    assert_eq!(relay.stats().requests, 0);
}

#[test]
fn a_relay_that_stands_still_is_seen_from_the_due_times_and_hidden_from_a_closed_loop() {
    // A fifth of the time stands still, so one in a hundred waits 380 of 400 ms; how exactly, tests/accuracy/ measures.
    let spec = "ttft=2ms,gap=0,tokens=1,slots=inf,freeze=400ms:2s";
    let first = relay(spec);
    let open = bench(&first.base_url(), &["-r", "200/s", "-d", "2s"]);
    let level = &document(&open)["levels"][0];
    let response = level["response_ms"]["p99"].as_f64().unwrap();
    assert!(response > 360.0, "{level}");
    let second = relay(spec);
    let closed = bench(&second.base_url(), &["-c", "1", "-d", "2s"]);
    let level = &document(&closed)["levels"][0];
    assert!(level["latency_ms"]["p90"].as_f64().unwrap() < 300.0, "{level}");
    assert!(level["latency_ms"]["max"].as_f64().unwrap() > 300.0, "{level}");
}
