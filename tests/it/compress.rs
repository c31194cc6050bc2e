//! Compressed request bodies, end to end: relays that take them and relays that do not.

use baton::mock::{Guards, Relay};
use serde_json::Value;

use crate::baton::{Said, guarded, run};

const SPEC: &str = "ttft=0,gap=0,tokens=3,slots=inf";

/// A relay that takes these codings.
fn taking(codings: &str) -> Relay {
    guarded(SPEC, Guards { accept_encoding: codings.parse().unwrap(), ..Guards::default() })
}

fn prompt() -> String {
    "The river flows through the valley to the sea. ".repeat(100)
}

fn send(relay: &Relay, more: &[&str]) -> Said {
    let (url, prompt) = (relay.base_url(), prompt());
    let mut arguments = vec!["send", "--url", &url, "--model", "m", &prompt];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn a_relay_that_takes_it_gets_a_smaller_body_and_timing_says_how_much() {
    for coding in ["gzip", "zstd"] {
        let relay = taking(coding);
        let said = send(&relay, &["--compress", coding, "--timing"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.err.contains("body 4.79 kB sent as ") && said.err.contains(" % saved)"), "{said:?}");
        let json: Value =
            serde_json::from_str(&send(&relay, &["--compress", coding, "--format", "json"]).out).unwrap();
        let bytes = |side: &str| json["body_bytes"][side].as_u64().unwrap();
        assert!(bytes("plain") > 4_700 && bytes("sent") * 10 < bytes("plain"), "{json}");
        assert!(!send(&relay, &["--timing"]).err.contains("saved"));
    }
}

#[test]
fn auto_goes_on_without_compression_where_the_relay_refuses_it() {
    let relay = guarded(SPEC, Guards::default());
    let said = send(&relay, &["--compress", "auto", "--verbose"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err.contains("attempt 1: http_4xx") && said.err.contains("sent again without compression"),
        "{said:?}"
    );
    assert_eq!(relay.stats().statuses, [(200, 1), (415, 1)].into());
    let refused = send(&relay, &["--compress", "gzip"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("--compress auto"), "{refused:?}");
}

#[test]
fn a_batch_learns_once_for_all_its_rows_and_sums_up_what_it_saved() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..40).map(|row| format!("{{\"prompt\":\"{row} {}\"}}\n", prompt())).collect();
    let input = folder.path().join("rows.jsonl");
    std::fs::write(&input, rows.concat()).unwrap();
    let batch = |relay: &Relay, output: &str| {
        let (url, summary) = (relay.base_url(), folder.path().join("summary.json"));
        let output = folder.path().join(output);
        let [input, output, summary] = [&input, &output, &summary].map(|path| path.to_str().unwrap());
        let said = run(&[
            "batch",
            input,
            "-o",
            output,
            "--url",
            &url,
            "--model",
            "m",
            "--compress",
            "auto",
            "--summary",
            summary,
        ]);
        assert_eq!(said.code, 0, "{said:?}");
        (said, serde_json::from_str::<Value>(&std::fs::read_to_string(summary).unwrap()).unwrap())
    };
    let refusing = guarded(SPEC, Guards::default());
    let (said, _) = batch(&refusing, "refused.jsonl");
    assert!(!said.err.contains("bodies"), "{said:?}");
    assert_eq!(refusing.stats().statuses, [(200, 40), (415, 1)].into());
    let taking = taking("gzip");
    let (said, summary) = batch(&taking, "taken.jsonl");
    assert!(said.err.contains("bodies    "), "{said:?}");
    let bytes = &summary["body_bytes"];
    assert!(bytes["sent"].as_u64().unwrap() < bytes["plain"].as_u64().unwrap(), "{bytes}");
}

#[test]
fn a_bench_learns_before_its_levels_and_reports_what_it_saved() {
    let relay = taking("gzip");
    let (url, prompt) = (relay.base_url(), prompt());
    let said = run(&[
        "bench",
        "--url",
        &url,
        "--model",
        "m",
        "-c",
        "2",
        "-n",
        "20",
        "--warmup",
        "0",
        "--compress",
        "auto",
        "--format",
        "json",
        &prompt,
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("bodies  "), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let (plain, sent) =
        (json["body_bytes"]["plain"].as_u64().unwrap(), json["body_bytes"]["sent"].as_u64().unwrap());
    // Every one of the recorded requests was compressed: none of them found out whether it could be.
    assert!(plain > 20 * 4_700 && sent * 10 < plain, "{plain} {sent}");
    let refusing = guarded(SPEC, Guards::default());
    let url = refusing.base_url();
    let said = run(&[
        "bench",
        "--url",
        &url,
        "--model",
        "m",
        "-c",
        "2",
        "-n",
        "20",
        "--warmup",
        "0",
        "--compress",
        "auto",
        &prompt,
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(refusing.stats().statuses.get(&415), Some(&1));
}

#[test]
fn a_dry_run_shows_the_length_that_leaves_and_the_body_that_people_read() {
    let relay = taking("gzip");
    let shown = send(&relay, &["--compress", "gzip", "--dry-run"]);
    assert!(shown.out.contains("content-encoding: gzip\n") && shown.out.contains("flows through the valley"));
    let length = shown.out.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(length.parse::<usize>().unwrap() < 500, "{length}");
    let curl = send(&relay, &["--compress", "zstd", "--curl"]).out;
    assert!(curl.starts_with("printf %s '{") && curl.contains(" | zstd -c | curl "), "{curl}");
    assert_eq!(relay.stats().requests, 0);
}

#[test]
fn flags_that_cannot_work_are_refused() {
    let relay = taking("gzip");
    let said = send(&relay, &["--compress", "gzip", "--compress-level", "12"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("--compress-level 12 is more than gzip has") && said.err.contains("from 1 to 9"),
        "{said:?}"
    );
}
