//! `baton report compare` and `bench --baseline`: what is a regression, what is noise, and what is not compared.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::Value;
use tempfile::TempDir;

use crate::baton::{Said, relay, run};

/// Saves a result of a relay that answers after so many ms; judged to be the relay's own, whatever this machine was at.
fn saved(folder: &TempDir, name: &str, ttft: &str, more: &[&str]) -> PathBuf {
    let relay = relay(&format!("ttft={ttft},gap=0,tokens=2,slots=inf"));
    let (url, path) = (relay.base_url(), folder.path().join(name));
    let mut arguments =
        vec!["bench", "--url", &url, "--model", "m", "--warmup", "0", "-c", "50", "-n", "150"];
    arguments.extend(more);
    arguments.extend(["--save", path.to_str().unwrap()]);
    let said = run(&arguments);
    assert!(path.exists(), "{said:?}");
    change(&path, |document| document["levels"][0]["verdict"] = "ok".into());
    path
}

fn change(path: &Path, with: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    with(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

fn compare(before: &Path, after: &Path, more: &[&str]) -> Said {
    run(&[&["report", "compare", before.to_str().unwrap(), after.to_str().unwrap()], more].concat())
}

#[test]
fn a_slower_relay_is_a_regression_and_a_faster_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let slow = saved(&folder, "slow.json", "900ms", &[]);
    let fast = saved(&folder, "fast.json", "300ms", &[]);
    let worse = compare(&fast, &slow, &["--format", "json"]);
    assert_eq!(worse.code, 99, "{worse:?}");
    assert!(worse.err.contains("because: c=50 latency.avg: 3"), "{worse:?}");
    let document: Value = serde_json::from_str(&worse.out).unwrap();
    assert_eq!(document["schema"], "baton.compare/1");
    let changes = document["comparison"]["changes"].as_array().unwrap();
    let of = |metric: &str| changes.iter().find(|change| change["metric"] == metric).unwrap();
    for metric in ["latency.avg", "latency.p99", "ttft.p50", "rate"] {
        let change = of(metric);
        assert_eq!(change["verdict"], "regression", "{change}");
        let (low, high) = (change["interval"][0].as_f64().unwrap(), change["interval"][1].as_f64().unwrap());
        let by = change["change"].as_f64().unwrap();
        assert!(low <= by + 1e-6 && by <= high + 1e-6, "{change}");
    }
    assert_eq!(of("error_rate")["verdict"], "unchanged");
    let better = compare(&slow, &fast, &[]);
    assert_eq!(better.code, 0, "{better:?}");
    assert!(better.out.contains("improvement") && better.err.contains("compare 0 regressions"), "{better:?}");
    // What is three times as slow is noise to whoever says so.
    let quiet = compare(&fast, &slow, &["--noise", "500%"]);
    assert_eq!(quiet.code, 0, "{quiet:?}");
}

#[test]
fn a_result_is_as_good_as_itself_and_a_client_bound_one_decides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = saved(&folder, "one.json", "50ms", &[]);
    let same = compare(&one, &one, &["--format", "markdown"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.out.starts_with("| Level | Figure |") && same.out.contains("unchanged"), "{same:?}");
    change(&one, |document| document["levels"][0]["verdict"] = "client-bound".into());
    let lost = compare(&one, &one, &[]);
    assert_eq!(lost.code, 98, "{lost:?}");
    assert!(lost.err.contains("c=50: client-bound in one of the results"), "{lost:?}");
}

#[test]
fn results_of_different_plans_versions_or_bounds_are_refused_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let one = saved(&folder, "one.json", "5ms", &[]);
    let other = saved(&folder, "other.json", "5ms", &["--max-tokens", "7"]);
    let refused = |said: &Said, words: &str| {
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
    };
    refused(&compare(&one, &other, &[]), "the plans differ: max_tokens: 64 and 7");
    let forced = compare(&one, &other, &["--force", "--noise", "1000%"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(forced.err.contains("differ  max_tokens: 64 and 7"), "{forced:?}");
    // A threads' number is this machine's business alone.
    change(&other, |document| {
        document["plan"]["max_tokens"] = 64.into();
        document["plan"]["workers"] = 77.into();
    });
    assert_eq!(compare(&one, &other, &["--noise", "1000%"]).code, 0);
    let mut histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 2).unwrap();
    histogram.record(5).unwrap();
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    let narrow = base64::prelude::BASE64_STANDARD.encode(&bytes);
    change(&other, |document| document["levels"][0]["ttft_ms"]["hdr"] = narrow.into());
    refused(
        &compare(&one, &other, &["--force"]),
        "1 to 86400000000 µs in 3 digits and, in the second file, 1 to 3600000000 µs in 2",
    );
    change(&other, |document| document["levels"][0]["ttft_ms"]["hdr"] = "HISTFAAA".into());
    refused(&compare(&one, &other, &["--force"]), "a histogram in it is damaged");
    change(&other, |document| document["schema"] = "baton.bench/9".into());
    refused(
        &compare(&one, &other, &["--force"]),
        "this document is 'baton.bench/9', and this version reads baton.bench/1",
    );
}

#[test]
fn a_bench_is_held_against_its_baseline_and_refuses_another_plan_before_the_first_request() {
    let folder = tempfile::tempdir().unwrap();
    let before = saved(&folder, "before.json", "100ms", &[]);
    // Beside other work this client may be the bottleneck itself; a slow relay makes its delays small.
    let relay = relay("ttft=2s,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let bench = |more: &[&str]| {
        let common = ["bench", "--url", &url, "--model", "m", "--warmup", "0", "-c", "50"];
        run(&[&common[..], &["--baseline", before.to_str().unwrap()], more].concat())
    };
    let refused = bench(&["-n", "151"]);
    assert_eq!((refused.code, relay.stats().requests), (2, 0), "{refused:?}");
    assert!(refused.err.contains("the plans differ: requests: 150 and 151"), "{refused:?}");
    let said = bench(&["-n", "150", "--format", "junit"]);
    assert_eq!(said.code, 99, "{said:?}");
    assert!(said.err.contains("because: c=50 latency.avg: 1"), "{said:?}");
    assert!(said.out.contains("<testsuite name=\"baseline\"") && said.out.contains("<failure"), "{said:?}");
}
