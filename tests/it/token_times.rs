//! What access tokens take is a metric of its own, and no part of any request's time.

use serde_json::Value;

use crate::baton::Said;
use crate::oauth::{CLIENT, Desk};

/// How long the server takes for a token, in milliseconds.
const DELAY: f64 = 1_200.0;

/// A server that takes longer for a token than what is left of one when it is renewed, so that requests have to wait.
fn desk() -> Desk {
    Desk::new("token-life=2s,token-delay=1200ms", CLIENT)
}

fn json(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_bench_says_how_long_tokens_took_and_no_latency_has_any_of_it() {
    let desk = desk();
    let said = desk.run(&["bench", "-c", "2", "-d", "4s", "--warmup", "0", "--format", "json"]);
    let run = json(&said);
    let tokens = &run["access_tokens"];
    assert!(number(&tokens["granted"]) >= 2.0, "{tokens}");
    assert!(number(&tokens["avg_ms"]) >= DELAY && number(&tokens["max_ms"]) >= DELAY, "{tokens}");
    let latency = &run["levels"][0]["latency_ms"];
    // Had one of the waits for a token been counted, the slowest request would show it.
    assert!(number(&latency["max"]) < DELAY / 2.0, "{latency}");
    assert!(said.err.contains("access  ") && said.err.contains(" granted, in "), "{said:?}");
}

#[test]
fn a_prompt_and_a_batch_say_it_too() {
    let desk = desk();
    let answer = json(&desk.run(&["send", "--format", "json", "Hello"]));
    let timing = &answer["timing_ms"];
    assert!(number(&timing["token"]) >= DELAY && number(&timing["end"]) < DELAY, "{timing}");
    let again = Desk::new("token-life=1h", CLIENT);
    assert!(again.run(&["send", "--timing", "Hello"]).err.contains(" for an access token before"));
    let kept = again.run(&["send", "--timing", "Hello"]);
    assert!(kept.code == 0 && !kept.err.contains("access token"), "{kept:?}");
    let (rows, summary) = (desk.path("rows.jsonl"), desk.path("summary.json"));
    std::fs::write(&rows, "\"one\"\n\"two\"\n").unwrap();
    let said = desk.run(&["auth", "logout"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = desk.run(&["batch", &rows, "-o", &desk.path("out.jsonl"), "--summary", &summary]);
    assert!(said.code == 0 && said.err.contains("access    "), "{said:?}");
    let summed: Value = serde_json::from_str(&std::fs::read_to_string(summary).unwrap()).unwrap();
    assert!(number(&summed["access_tokens"]["avg_ms"]) >= DELAY, "{summed}");
    let out = std::fs::read_to_string(desk.path("out.jsonl")).unwrap();
    let total =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["timing_ms"]["total"].clone());
    assert!(total.map(|total| number(&total)).all(|total| total < DELAY), "{out}");
}
