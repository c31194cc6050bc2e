//! Thresholds and objectives of `baton bench` against the embedded relay: what holds, what fails, what decides nothing.

use serde_json::Value;

use crate::baton::{Said, run};

fn bench(mock: &str, more: &[&str]) -> Said {
    let mock = format!("--mock={mock}");
    let mut arguments = vec!["bench", &mock, "--warmup", "0", "--workers", "1", "--format", "json"];
    arguments.extend(more);
    run(&arguments)
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

const QUICK: &str = "ttft=2ms,gap=0,tokens=2,slots=inf";

/// A relay slow enough that this client's own delays never count.
const SLOW: &str = "ttft=3s,gap=0,tokens=2,slots=inf";

#[test]
fn thresholds_that_hold_make_a_run_that_is_done_whatever_single_requests_did() {
    let faulty = format!("{SLOW},fault=500:0.5,seed=3");
    let said = bench(&faulty, &["-c", "10", "-n", "10", "--fail-if", "error_rate > 90%"]);
    assert_eq!(said.code, 0, "{said:?}");
    let document = document(&said);
    assert!(document["levels"][0]["errors"].as_u64().unwrap() > 0);
    assert_eq!(document["thresholds"][0]["verdict"], "holds");
    let without = bench(&faulty, &["-c", "10", "-n", "10"]);
    assert_eq!(without.code, 1, "{without:?}");
}

#[test]
fn a_threshold_that_fails_names_the_level_and_what_was_seen_there() {
    let thresholds = ["--fail-if", "latency.avg > 100ms @c=10", "--fail-if", "error_rate > 1%"];
    let said = bench(SLOW, &[&["-c", "8,10", "-n", "10"], &thresholds[..]].concat());
    assert_eq!(said.code, 99, "{said:?}");
    assert!(said.err.contains("error: 1 of 2 thresholds failed"), "{said:?}");
    assert!(said.err.contains("because: latency.avg > 100ms @c=10: 3"), "{said:?}");
    assert!(said.err.contains(" s at c=10\n"), "{said:?}");
    let document = document(&said);
    let first = &document["thresholds"][0];
    assert_eq!((&first["verdict"], first["levels"].as_array().unwrap().len()), (&"failed".into(), 1));
    assert!(first["levels"][0]["value"].as_f64().unwrap() >= 3000.0, "{first}");
    assert_eq!(document["thresholds"][1]["levels"].as_array().unwrap().len(), 2);
}

#[test]
fn a_threshold_without_enough_samples_is_not_to_be_trusted() {
    let said = bench(SLOW, &["-c", "20", "-n", "20", "--fail-if", "ttft.p99 > 10s"]);
    assert_eq!(said.code, 98, "{said:?}");
    assert!(said.err.contains("too few samples (20) at c=20"), "{said:?}");
    assert_eq!(document(&said)["thresholds"][0]["verdict"], "undecided");
    let absent = bench(
        SLOW,
        &["-c", "20", "-n", "20", "--fail-if", "class.refused >= 0", "--fail-if", "dns.avg > 1s"],
    );
    assert_eq!(absent.code, 98, "an undecided threshold outranks a failed one: {absent:?}");
    assert!(absent.err.contains("dns.avg > 1s: no sample at c=20"), "{absent:?}");
}

#[test]
fn what_the_plan_can_never_decide_is_refused_before_the_first_request() {
    let refused = |more: &[&str], words: &str| {
        let said = bench(QUICK, &[&["-c", "2,3", "-n", "5"], more].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{more:?}: {said:?}");
        assert!(said.err.contains(words), "{more:?}: {said:?}");
    };
    refused(&["--fail-if", "ttft.p99 > 1s @c=4"], "the plan has the levels c=2, c=3");
    refused(&["--fail-if", "ttft.p99 > 1s", "--no-stream"], "--no-stream asks for whole answers");
    refused(&["--fail-if", "response.p99 > 1s"], "no --rate says so");
    refused(&["--fail-if", "goodput < 99%"], "goodput needs an --slo");
    refused(&["--slo", "tpot < 5ms", "--no-stream"], "--no-stream asks for whole answers");
    refused(&["--slo", "error_rate < 1%"], "--slo 'error_rate < 1%': no single request has that");
    refused(
        &["--fail-if", "tttf.p99 > 1s"],
        "there is no metric 'tttf.p99', did you mean ttft; write one of latency,",
    );
}

#[test]
fn goodput_is_the_share_of_requests_that_met_every_objective() {
    let relay = "ttft=2ms,gap=0,tokens=2,slots=inf,fault=500:0.5,seed=7";
    let objectives = ["--slo", "ttft < 10s", "--slo", "latency < 20s"];
    let said = bench(relay, &[&["-c", "4", "-n", "200"], &objectives[..]].concat());
    let document = document(&said);
    assert_eq!(document["objectives"], serde_json::json!(["ttft < 10s", "latency < 20s"]));
    let level = &document["levels"][0];
    let (goodput, ok) = (&level["goodput"], level["classes"]["ok"].as_u64().unwrap());
    assert_eq!((goodput["met"].as_u64(), goodput["missed"].as_u64()), (Some(ok), Some(200 - ok)), "{level}");
    assert_eq!(goodput["unjudged"], 0);
    let too_strict =
        bench(QUICK, &["-c", "4", "-n", "100", "--slo", "ttft < 1us", "--fail-if", "goodput < 50%"]);
    let level = &self::document(&too_strict)["levels"][0];
    assert_eq!(
        (level["goodput"]["met"].as_u64(), level["goodput"]["share"].as_f64()),
        (Some(0), Some(0.0)),
        "{level}"
    );
}

#[test]
fn a_rate_is_a_level_that_a_threshold_can_name() {
    let open = ["--rate", "40/s", "-d", "1s", "--fail-if", "response.avg > 100ms @rate=40/s"];
    let said = bench(SLOW, &open);
    // Beside other work this client may be late itself, which is then said behind what was seen.
    assert!([98, 99].contains(&said.code) && said.err.contains(" at rate=40/s"), "{said:?}");
    assert!(said.err.contains("because: response.avg > 100ms @rate=40/s: 3"), "{said:?}");
}

#[test]
fn the_capacity_of_a_relay_with_slots_is_its_slots() {
    let slots = "ttft=500ms,gap=0,tokens=2,slots=4";
    let search = ["--find-capacity", "--slo", "latency.p99 < 800ms", "-c", "2", "-d", "700ms"];
    let said = bench(slots, &search);
    assert_eq!(said.code, 0, "{said:?}");
    let document = document(&said);
    let capacity = &document["capacity"];
    assert_eq!((&capacity["unit"], &capacity["ended"]), (&"users".into(), &"confirmed".into()), "{capacity}");
    assert_eq!(
        (capacity["passing"].as_f64(), capacity["failing"].as_f64()),
        (Some(4.0), Some(5.0)),
        "{said:?}"
    );
    assert!(capacity["binding"][0].as_str().unwrap().starts_with("latency.p99 < 800ms: "), "{capacity}");
    assert!(said.err.contains("plan    search from c=2, up to c="), "{said:?}");
    assert!(said.err.contains("slo     latency.p99 < 800ms · error_rate <= 1%"), "{said:?}");
    assert!(said.err.contains("capacity c=4 passes; c=5 fails latency.p99 < 800ms"), "{said:?}");
    let tried: Vec<_> = document["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|level| level["concurrency"].as_u64().unwrap())
        .collect();
    assert_eq!(tried[tried.len() - 2..], [4, 5], "both are confirmed: {tried:?}");
}

#[test]
fn a_search_that_cannot_succeed_says_why() {
    let hopeless = ["--find-capacity", "--slo", "latency.p99 < 1ms", "-c", "2", "-n", "4"];
    let said = bench("ttft=300ms,gap=0,tokens=2,slots=4", &hopeless);
    assert_eq!(said.code, 99, "{said:?}");
    assert!(said.err.contains("because: no load passes; c=1 fails latency.p99 < 1ms: 3"), "{said:?}");
    let refused = |more: &[&str], words: &str| {
        let said = bench(QUICK, &[&["--find-capacity"], more].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{more:?}: {said:?}");
        assert!(said.err.contains(words), "{more:?}: {said:?}");
    };
    refused(&[], "needs to know what must hold");
    refused(&["--slo", "ttft < 1s", "-r", "2000000/s"], "at most 1000000 arrivals a second");
    refused(&["--slo", "ttft < 1s", "-c", "1,2"], "begins at one load, and several are given");
    refused(&["--slo", "ttft < 1s", "--rate", "1/s,2/s"], "begins at one load, and several are given");
    refused(&["--slo", "ttft < 1s", "--fail-if", "errors > 0"], "cannot be used with");
    refused(&["--slo", "goodput > 99%"], "goodput needs an --slo on a time");
    refused(&["--slo", "goodput > 99%", "--slo", "error_rate < 1%"], "goodput needs an --slo on a time");
    // An answer of one token has no time between tokens at any load.
    let absent = ["--find-capacity", "--slo", "tpot < 50ms", "-c", "2", "-n", "4"];
    let said = bench("ttft=3s,gap=0,tokens=1,slots=4", &absent);
    assert_eq!(said.code, 98, "{said:?}");
    assert!(said.err.contains("c=2 cannot be judged by tpot < 50ms: no sample"), "{said:?}");
}
