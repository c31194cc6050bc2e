//! One plan over several processes: together they send what one would, begin when they are told, and add up.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::baton::{Said, relay, run};
use crate::front;

/// Runs a part of a plan; the log of its requests and its result are in the folder under the part's name.
fn part(url: &str, folder: &TempDir, (shard, plan): (&str, &[&str])) -> Said {
    let place = |end: &str| path(folder, &format!("{}.{end}", shard.replace('/', "of")));
    let (log, save) = (place("log"), place("json"));
    let mut arguments = vec!["bench", "-u", url, "-m", "m", "--log", &log, "--save", &save];
    arguments.extend(plan);
    if shard != "1/1" {
        arguments.extend(["--shard", shard]);
    }
    run(&arguments)
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

fn result(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The measured requests of a log: level, number and user of each, in order.
fn requests(folder: &TempDir, names: &[&str]) -> Vec<(u64, u64, u64)> {
    let mut all = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(path(folder, name)).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let number = |line: &Value, key: &str| line[key].as_u64().unwrap();
        all.extend(
            lines
                .filter(|line| line["warmup"].is_null())
                .map(|line| (number(&line, "level"), number(&line, "index"), number(&line, "user"))),
        );
    }
    all.sort_unstable();
    all
}

#[test]
fn processes_with_shards_send_the_requests_of_one_without() {
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    for plan in [
        &["-r", "100/s,200/s", "-d", "300ms", "--warmup", "50ms", "--arrival", "poisson", "--seed", "3"][..],
        &["-r", "300/s", "-n", "50", "--warmup", "0", "-c", "9"],
        &["-c", "4,7", "-n", "61", "--warmup", "20ms"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        for shard in ["1/1", "1/3", "2/3", "3/3"] {
            let said = part(&url, &folder, (shard, plan));
            assert_eq!(said.code, 0, "{plan:?} {shard}: {said:?}");
        }
        let whole = requests(&folder, &["1of1.log"]);
        let spread = requests(&folder, &["1of3.log", "2of3.log", "3of3.log"]);
        assert_eq!(spread, whole, "{plan:?}");
        assert!(whole.len() >= 50, "{plan:?}: {}", whole.len());
        for shard in ["1of3.log", "2of3.log", "3of3.log"] {
            let share = requests(&folder, &[shard]).len();
            assert!(share * 4 > whole.len(), "{shard} has {share} of {}", whole.len());
        }
        let files = ["1of3.json", "2of3.json", "3of3.json"].map(|name| path(&folder, name));
        let merged = path(&folder, "merged.json");
        let said = run(&["report", "merge", &files[2], &files[0], &files[1], "--save", &merged]);
        // The parts ran one after another, which is not the load that the plan asks for.
        assert!(said.code == 98 && said.err.contains("was measured when another had ended"), "{said:?}");
        let (merged, one) = (result(merged), result(path(&folder, "1of1.json")));
        for (sum, level) in merged["levels"].as_array().unwrap().iter().zip(one["levels"].as_array().unwrap())
        {
            for same in ["concurrency", "requests", "errors", "classes", "rate"] {
                assert_eq!(sum[same], level[same], "{plan:?}: {same}");
            }
            assert_eq!(sum["latency_ms"]["n"], level["latency_ms"]["n"]);
            assert_eq!(sum["gap_ms"]["n"], level["gap_ms"]["n"]);
        }
        assert_eq!(merged["levels"].as_array().unwrap().len(), one["levels"].as_array().unwrap().len());
    }
}

#[test]
fn each_prompt_of_a_trace_is_sent_by_exactly_one_shard() {
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    let tap = front::tap(&relay);
    let url = format!("http://127.0.0.1:{}", tap.port);
    let folder = tempfile::tempdir().unwrap();
    let trace = path(&folder, "trace.jsonl");
    let line = |at: u32| format!("{{\"offset_s\": {}, \"prompt\": \"word-{at}.\"}}\n", f64::from(at) / 100.0);
    std::fs::write(&trace, (0..20).map(line).collect::<String>()).unwrap();
    for shard in ["1/2", "2/2"] {
        let said = part(&url, &folder, (shard, &["--replay", &trace]));
        assert_eq!(said.code, 0, "{said:?}");
    }
    let wire = tap.notes().concat();
    for at in 0..20 {
        assert_eq!(wire.matches(&format!("word-{at}.")).count(), 1, "word-{at}");
    }
}

#[test]
fn a_sum_says_which_shard_is_missing_and_results_of_different_plans_are_refused() {
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf");
    let (url, folder) = (relay.base_url(), tempfile::tempdir().unwrap());
    let plan = &["-c", "4", "-n", "40", "--warmup", "0"][..];
    for shard in ["1/3", "3/3"] {
        assert_eq!(part(&url, &folder, (shard, plan)).code, 0);
    }
    let (one, three) = (path(&folder, "1of3.json"), path(&folder, "3of3.json"));
    let said = run(&["report", "merge", &one, &three, "--format", "json"]);
    assert_eq!(said.code, 98, "{said:?}");
    assert!(
        said.err.contains("missing 2/3") && said.err.contains("because: shard 2/3 has no result"),
        "{said:?}"
    );
    let sum: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&sum["merged"]["missing"], &sum["merged"]["of"]), (&serde_json::json!([2]), &3.into()));
    assert_eq!(sum["levels"][0]["requests"], 30);

    let other = tempfile::tempdir().unwrap();
    assert_eq!(part(&url, &other, ("2/3", &["-c", "4", "-n", "44", "--warmup", "0"])).code, 0);
    let said = run(&["report", "merge", &one, &path(&other, "2of3.json"), &three]);
    assert!(said.code == 2 && said.err.contains("requests: 40 and 44"), "{said:?}");
    assert_eq!(part(&url, &other, ("1/1", plan)).code, 0);
    let said = run(&["report", "merge", &one, &path(&other, "1of1.json")]);
    assert!(said.code == 2 && said.err.contains("1of1.json is no shard"), "{said:?}");
    let text = std::fs::read_to_string(&one).unwrap().replace("baton.bench/1", "baton.bench/7");
    std::fs::write(path(&other, "seven.json"), text).unwrap();
    let said = run(&["report", "merge", &one, &path(&other, "seven.json")]);
    assert!(said.code == 2 && said.err.contains("'baton.bench/7', and this version reads"), "{said:?}");
}

#[test]
fn levels_begin_in_their_slots_and_a_late_start_is_reported() {
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf");
    let (url, folder) = (relay.base_url(), tempfile::tempdir().unwrap());
    let plan = ["-c", "1,2", "-d", "100ms", "--warmup", "0", "--drain", "100ms", "--slot", "400ms"];
    let at = |ahead_ms: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(ahead_ms);
        format!("{time:.3}")
    };
    let soon = at(700);
    let said = part(&url, &folder, ("1/1", &[&plan[..], &["--start-at", &soon]].concat()));
    assert_eq!(said.code, 0, "{said:?}");
    let document = result(path(&folder, "1of1.json"));
    assert_eq!((&document["plan"]["start_at"], &document["plan"]["slot_s"]), (&soon.into(), &0.4.into()));
    let level = |at: usize, key: &str| document["levels"][at][key].as_f64().unwrap();
    // However late a busy machine begins a level, its slot is where the plan has it.
    let slot = |at: usize| level(at, "window_at_s") - level(at, "late_s");
    assert!((slot(1) - slot(0) - 0.4).abs() < 1e-4, "{} {}", slot(0), slot(1));
    assert!(level(0, "window_at_s") > 0.4, "{said:?}");

    let said = part(&url, &folder, ("1/1", &[&plan[..], &["--start-at", &at(-5_000)]].concat()));
    let document = result(path(&folder, "1of1.json"));
    let late = document["levels"][0]["late_s"].as_f64().unwrap();
    assert!((5.0..15.0).contains(&late) && said.err.contains("late    c=1 began "), "{late} {said:?}");
}

#[test]
fn a_plan_that_cannot_be_spread_is_refused_before_its_first_request() {
    let relay = relay("ttft=0,gap=0,tokens=1,slots=inf");
    let (url, folder) = (relay.base_url(), tempfile::tempdir().unwrap());
    for (plan, why) in [
        (&["-c", "8,3", "-n", "40"][..], "the level c=3 cannot be spread over 4 shards"),
        (&["-r", "5/s", "-d", "300ms"], "the 2 arrivals of 300 ms cannot be spread over 4 shards"),
        (&["-r", "5/s", "-n", "3"], "-n 3 cannot be spread over 4 shards"),
        (
            &["-c", "4,8", "-d", "5s", "--start-at", "2026-11-23T05:12:00Z", "--slot", "30s"],
            "a slot of 30 s is too short for a level of 37 s",
        ),
        (&["-c", "4,8", "-n", "50", "--start-at", "2026-11-23T05:12:00Z"], "needs --slot"),
    ] {
        let said = part(&url, &folder, ("2/4", plan));
        assert!(said.code == 2 && said.err.contains(why), "{plan:?}: {said:?}");
    }
    assert_eq!(relay.stats().requests, 0);
}
