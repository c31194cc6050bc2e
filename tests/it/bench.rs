//! `baton bench` against the embedded relay: what it counts, what it times, how it ends.

use serde_json::Value;

use crate::baton::{Said, baton, relay, run};

fn bench(url: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["bench", "--url", url, "--model", "m", "--warmup", "0", "--format", "json"];
    arguments.extend(more);
    run(&arguments)
}

fn levels(said: &Said) -> Vec<Value> {
    let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    document["levels"].as_array().unwrap().clone()
}

#[test]
fn a_sweep_counts_exactly_what_was_asked_for_at_every_level() {
    let relay = relay("ttft=1ms,gap=0,tokens=4,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "1,3,5..7", "-n", "100"]);
    assert_eq!(said.code, 0, "{said:?}");
    let levels = levels(&said);
    let asked: Vec<_> = levels.iter().map(|level| level["concurrency"].as_u64().unwrap()).collect();
    assert_eq!(asked, [1, 3, 5, 6, 7]);
    for level in &levels {
        assert_eq!((level["requests"].as_u64(), level["errors"].as_u64()), (Some(100), Some(0)), "{level}");
        assert_eq!(level["latency_ms"]["n"], 100);
        assert_eq!(level["gap_ms"]["n"], 300);
    }
    // One request went before the load.
    assert_eq!(relay.stats().requests, 501);
}

#[test]
fn times_are_those_of_the_relay() {
    let relay = relay("ttft=40ms,gap=10ms,tokens=5,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "2", "-n", "10"]);
    let level = &levels(&said)[0];
    let figure = |metric: &str, name: &str| level[metric][name].as_f64().unwrap();
    assert!(figure("ttft_ms", "min") >= 40.0, "{level}");
    assert!(figure("latency_ms", "min") >= 80.0, "{level}");
    assert!(figure("end_ms", "min") >= figure("latency_ms", "min"), "{level}");
    assert!(figure("ttfb_ms", "min") >= figure("headers_ms", "min"), "{level}");
    // The gaps themselves may be shorter where the relay is late with one piece and on time with the next.
    assert!(figure("tpot_ms", "avg") > 0.0 && figure("stall_ms", "min") > 0.0, "{level}");
    assert_eq!(
        (&level["response_ms"], &level["lag_ms"], &level["rate"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn exactly_as_many_users_as_asked_for_are_at_work() {
    // With slots for all, the number in flight is the number of users, however they are spread over workers.
    for (users, workers) in [(1, 2), (3, 2), (7, 3)] {
        let relay = relay("ttft=30ms,gap=0,tokens=1,slots=inf");
        let (users, workers) = (users.to_string(), workers.to_string());
        let said = bench(&relay.base_url(), &["-c", &users, "-n", &users, "--workers", &workers]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(levels(&said)[0]["requests"].to_string(), users);
    }
}

#[test]
fn each_user_keeps_one_connection() {
    let relay = relay("ttft=2ms,gap=1ms,tokens=3,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "8", "-n", "400"]);
    assert_eq!(said.code, 0, "{said:?}");
    let opened = relay.stats().connections;
    assert!((8..=9).contains(&opened), "{opened} connections for 8 users and the preflight");
}

#[test]
fn failures_are_counted_by_class_and_never_timed() {
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf,fault=500:0.3,fault=cut:0.2,seed=3");
    let said = bench(&relay.base_url(), &["-c", "4", "-n", "200"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("of 200 requests failed"), "{said:?}");
    let level = &levels(&said)[0];
    let ok = level["classes"]["ok"].as_u64().unwrap();
    let (failed, cut) =
        (level["classes"]["http_5xx"].as_u64().unwrap(), level["classes"]["truncated"].as_u64().unwrap());
    assert_eq!((ok + failed + cut, level["errors"].as_u64().unwrap()), (200, failed + cut));
    assert!(failed > 20 && cut > 10, "{level}");
    assert_eq!(level["latency_ms"]["n"].as_u64().unwrap(), ok);
    assert!(level["failures"].as_array().unwrap().len() == 2);
}

#[test]
fn a_run_in_which_nothing_succeeded_is_not_trusted() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "2", "-n", "10", "--model", "mock-529"]);
    assert_eq!(said.code, 2, "a flag twice is refused: {said:?}");
    let url = relay.base_url();
    let said = run(&["bench", "--url", &url, "--model", "mock-529", "--warmup", "0", "-c", "2", "-n", "10"]);
    assert_eq!(said.code, 98, "{said:?}");
    assert!(said.out.contains("no-success") && said.out.contains("n/a"), "{said:?}");
    assert!(said.err.contains("overloaded 10"), "{said:?}");
}

#[test]
fn a_preflight_that_fails_ends_the_run_with_its_own_error() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    for (model, code) in [("mock-401", 3), ("mock-404", 4), ("mock-quota", 7), ("mock-html", 9)] {
        let url = relay.base_url();
        let before = relay.stats().requests;
        let said = run(&["bench", "--url", &url, "--model", model, "-c", "2", "-n", "10"]);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{model}: {said:?}");
        assert_eq!(relay.stats().requests - before, 1, "{model}");
    }
}

#[test]
fn a_silent_relay_ends_the_run_by_its_timeout() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let said = run(&[
        "bench",
        "--url",
        &url,
        "--model",
        "mock-silent",
        "-c",
        "2",
        "-n",
        "4",
        "--first-byte-timeout",
        "100ms",
    ]);
    assert_eq!(said.code, 8, "{said:?}");
}

#[test]
fn whole_answers_have_no_time_to_first_token() {
    let relay = relay("ttft=5ms,gap=1ms,tokens=5,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "2", "-n", "10", "--no-stream"]);
    let level = &levels(&said)[0];
    for metric in ["ttft_ms", "tpot_ms", "gap_ms", "stall_ms"] {
        assert_eq!(level[metric], Value::Null, "{metric}");
    }
    assert!(level["latency_ms"]["min"].as_f64().unwrap() >= 9.0, "{level}");
    let table = run(&[
        "bench",
        "--url",
        &relay.base_url(),
        "--model",
        "m",
        "--warmup",
        "0",
        "-c",
        "2",
        "-n",
        "10",
        "--no-stream",
    ]);
    assert!(!table.out.contains("TTFT"), "{table:?}");
}

#[test]
fn what_is_saved_fits_the_schema_and_its_histogram_reads_back() {
    let relay = relay("ttft=1ms,gap=0,tokens=3,slots=inf");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let said = run(&[
        "bench",
        "--url",
        &relay.base_url(),
        "--model",
        "m",
        "-c",
        "2",
        "-n",
        "150",
        "--warmup",
        "0",
        "--save",
        path.to_str().unwrap(),
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/result.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let problems: Vec<_> = validator.iter_errors(&saved).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let latency = &saved["levels"][0]["latency_ms"];
    assert!(latency["hdr"].as_str().unwrap().starts_with("HISTF"));
    assert!(latency["p99"].is_number() && latency["p99_ci"][0].is_number());
}

#[test]
fn every_form_is_printed_alone_on_standard_output() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    for (format, start) in
        [("table", " Concurrency"), ("json", "{"), ("csv", "concurrency,"), ("markdown", "| Concurrency")]
    {
        let said = run(&[
            "bench", "--url", &url, "--model", "m", "--warmup", "0", "-c", "1", "-n", "2", "--format", format,
        ]);
        assert_eq!(said.code, 0, "{format}: {said:?}");
        assert!(said.out.starts_with(start), "{format}: {said:?}");
    }
    let said =
        run(&["bench", "--url", &url, "--model", "m", "--warmup", "0", "-c", "1", "-n", "2", "--quiet"]);
    assert_eq!(said.err, "");
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_what_there_is() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let relay = relay("ttft=5ms,gap=0,tokens=2,slots=inf");
    let mut command = baton();
    command.args([
        "bench",
        "--url",
        &relay.base_url(),
        "--model",
        "m",
        "-c",
        "4",
        "-d",
        "10m",
        "--warmup",
        "0",
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The load is under way once the relay has seen more than the preflight request.
    while relay.stats().requests < 50 {
        std::thread::yield_now();
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.out.contains("Concurrency") && said.out.lines().count() == 2, "{said:?}");
    assert!(err.any(|line| line.unwrap().contains("ended   interrupted")));
}

#[test]
fn the_embedded_relay_needs_nothing_but_its_flag() {
    let said = run(&[
        "bench",
        "--mock=ttft=1ms,gap=0,tokens=2,slots=2",
        "-c",
        "1,2",
        "-d",
        "300ms",
        "--warmup",
        "100ms",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    assert!(said.err.contains("(embedded)"), "{said:?}");
}

#[test]
fn a_place_that_cannot_be_saved_to_takes_nothing_of_the_report_with_it() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone/run.json");
    let arguments =
        ["bench", "--url", &relay.base_url(), "--model", "m", "--warmup", "0", "-c", "1", "-n", "2"];
    let said = run(&[&arguments[..], &["--save", path.to_str().unwrap()]].concat());
    assert_eq!((said.code, relay.stats().requests), (12, 0), "{said:?}");
}

#[test]
fn a_line_for_each_attempt_is_printed_where_it_is_asked_for() {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let said = bench(&relay.base_url(), &["-c", "2", "-n", "6", "--verbose"]);
    assert_eq!(said.err.lines().filter(|line| line.contains("attempt 1: ok")).count(), 6, "{said:?}");
}
