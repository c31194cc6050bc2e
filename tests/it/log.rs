//! `bench --log`: a line for each request, joined by its id with the embedded relay's own log.

use std::collections::HashMap;
use std::path::Path;

use baton::mock::{Options, Relay};
use serde_json::Value;

use crate::baton::run;

fn logged_relay(spec: &str, log: &Path) -> Relay {
    let log = Some(log.to_owned());
    Relay::start(Options { spec: spec.parse().unwrap(), log, threads: 1, ..Options::default() }).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_request_has_one_line_that_the_relay_s_own_log_confirms() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("bench.jsonl"), folder.path().join("mock.jsonl"));
    let relay = logged_relay("ttft=10ms,gap=5ms,tokens=4,slots=inf,fault=500:0.2,seed=5", &theirs);
    let url = relay.base_url();
    let log = ours.to_str().unwrap();
    let said =
        run(&["bench", "-u", &url, "-m", "m", "-c", "1,3", "-n", "60", "--warmup", "100ms", "--log", log]);
    assert_eq!(said.code, 1, "{said:?}");
    relay.stop().unwrap();
    let theirs: HashMap<String, Value> = lines(&theirs)
        .into_iter()
        .map(|line| (line["request_id"].as_str().unwrap().to_owned(), line))
        .collect();
    let ours = lines(&ours);
    let measured: Vec<_> = ours.iter().filter(|line| line["warmup"].is_null()).collect();
    assert_eq!(measured.len(), 120);
    // The relay also saw the preflight request, which is no part of the load.
    assert_eq!(theirs.len(), ours.len() + 1);
    for line in &ours {
        let truth = &theirs[line["request_id"].as_str().unwrap()];
        assert_eq!(line["status"], truth["status"], "{line} {truth}");
        let ns = |value: &Value| value.as_u64().unwrap();
        assert!(ns(&line["start"]) <= ns(&line["headers"]) && ns(&line["headers"]) <= ns(&line["over"]));
        if line["class"] == "ok" {
            assert_eq!((&line["deltas"], &line["output_tokens"]), (&truth["deltas"], &Value::from(4)));
            let spread = |line: &Value| ns(&line["last_delta"]) - ns(&line["first_delta"]);
            assert!(spread(line).abs_diff(spread(truth)) < 100_000_000, "{line} {truth}");
            assert!(ns(&line["stall_ns"]) <= spread(line) && ns(&line["bytes"]) > 100, "{line}");
        } else {
            assert_eq!(line["class"], "http_5xx");
            assert!(line["first_delta"].is_null() && truth["fault"] == "mock-500", "{line} {truth}");
        }
    }
    // Levels and the requests in them are numbered from 0, without a gap.
    for level in 0..2 {
        let of_level = measured.iter().filter(|line| line["level"] == level);
        let mut numbers: Vec<_> = of_level.map(|line| line["index"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    }
}

#[test]
fn a_request_that_was_cut_has_its_line_and_its_id_too() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("bench.jsonl"), folder.path().join("mock.jsonl"));
    let relay = logged_relay("ttft=0,gap=2s,tokens=50,slots=inf", &theirs);
    let url = relay.base_url();
    // The preflight takes two seconds, and nothing of the load ends within its window.
    let arguments =
        ["bench", "-u", &url, "-m", "m", "-c", "2", "-d", "200ms", "--warmup", "0", "--drain", "0"];
    let said = run(&[&arguments[..], &["--max-tokens", "2", "--log", ours.to_str().unwrap()]].concat());
    assert_eq!(said.code, 98, "{said:?}");
    relay.stop().unwrap();
    let ours = lines(&ours);
    assert_eq!(ours.len(), 2);
    let theirs = lines(&theirs);
    for line in &ours {
        assert_eq!(line["class"], "cancelled");
        assert!(theirs.iter().any(|truth| truth["request_id"] == line["request_id"]), "{line}");
    }
}

#[test]
fn a_log_that_exists_is_appended_to_and_one_that_cannot_be_opened_ends_the_run_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.jsonl");
    std::fs::write(&path, "{\"mine\":1}\n").unwrap();
    let bench = |log: &Path| {
        let spec = "--mock=ttft=0,gap=0,tokens=2,slots=inf";
        run(&["bench", spec, "-c", "1", "-n", "3", "--warmup", "0", "--log", log.to_str().unwrap()])
    };
    assert_eq!(bench(&path).code, 0);
    let kept = lines(&path);
    assert_eq!((kept.len(), &kept[0]["mine"]), (4, &Value::from(1)));
    let refused = bench(&folder.path().join("gone/bench.jsonl"));
    assert_eq!((refused.code, refused.out.as_str()), (12, ""), "{refused:?}");
}
