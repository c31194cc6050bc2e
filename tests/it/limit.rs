//! The client's own limits through the binary, against a relay that enforces and announces its own.

use std::fs;
use std::process::Stdio;

use baton::mock::{Options, Relay};
use serde_json::Value;

use crate::baton::{Said, baton, relay, run, send};

const QUICK: &str = "ttft=0,gap=0,tokens=6";

#[test]
fn each_attempt_waits_for_its_leave_and_the_answer_says_how_long() {
    let relay = relay(QUICK);
    let said = send(&relay, "mock-500-once", &["--rate", "1/s", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let of = |attempt: usize, what: &str| answer["attempts"][attempt][what].as_f64().unwrap();
    let (limited, ended) = (of(1, "limited_ms"), of(1, "ended_ms"));
    assert!(answer["attempts"][0]["limited_ms"] == 0.0 && limited > 0.0 && ended > 950.0, "{answer:#}");
    assert_eq!(answer["timing_ms"]["limited"].as_f64(), Some(limited));
    let end = answer["timing_ms"]["end"].as_f64().unwrap();
    assert!(end + limited <= ended + 1.0, "the wait is in no timing: {answer:#}");
}

#[test]
fn a_request_larger_than_the_limit_is_refused_before_it_is_sent() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["--token-rate", "output=100/m", "--max-tokens", "101"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("101 generated tokens") && said.err.contains("--token-rate"), "{said:?}");
    assert_eq!(send(&relay, "m", &["--token-rate", "output=100/m", "--max-tokens", "100"]).code, 0);
    let said = send(&relay, "m", &["--burst", "5"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--burst has no effect without a rate"), "{said:?}");
}

#[test]
fn the_profile_sets_limits_too_and_a_measurement_leaves_them_out() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let config = file.to_str().unwrap();
    let profile = |more: &str| {
        let text = format!(
            "[profile.p]\nurl = '{}'\nmodel = 'mock-500-once'\nbackoff-base = '1ms'\n{more}",
            relay.base_url()
        );
        fs::write(&file, text).unwrap();
    };
    profile("rate = '5/s'\nburst = 1\ntoken-rate = 'input=40000/m'\n");
    let said = run(&["send", "--config", config, "--profile", "p", "--timing", "Hello"]);
    assert!(said.code == 0 && said.err.contains("held back by the limits"), "{said:?}");
    let said = run(&["send", "--config", config, "--profile", "p", "--timing", "--rate", "1000/s", "Hello"]);
    assert!(said.code == 0 && !said.err.contains("0.2 s held"), "{said:?}");
    let said = run(&["config", "show", "--config", config, "--profile", "p"]);
    for line in ["rate", "burst", "token-rate"] {
        let shown = said.out.lines().find(|shown| shown.starts_with(&format!("{line} "))).unwrap();
        assert!(shown.contains("profile p, but not in bench"), "{shown}");
    }
    let bench =
        ["bench", "--config", config, "--profile", "p", "-m", "m", "-c", "2", "-n", "20", "--warmup", "0"];
    let said = baton().args(bench).output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success() && err.contains("rate = \"5/s\" is left out of a measurement"), "{err}");
    profile("rate = 'often'\n");
    let said = run(&["config", "show", "--config", config]);
    assert!(
        said.code == 2 && said.err.contains("config.toml:5: profile.p.rate: 'often' is not a rate"),
        "{said:?}"
    );
    profile("rate-scope = 'machine'\n");
    let said = run(&["config", "show", "--config", config]);
    assert!(said.code == 2 && said.err.contains("profile.p.rate-scope: a scope without a rate"), "{said:?}");
    profile("burst = 5\n");
    let said = run(&["config", "show", "--config", config]);
    assert!(said.code == 2 && said.err.contains("profile.p.burst: a burst without a rate"), "{said:?}");
}

#[test]
fn processes_that_share_a_rate_stay_within_it_together() {
    const EACH: usize = 30;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mock.jsonl");
    let options =
        Options { spec: QUICK.parse().unwrap(), log: Some(log.clone()), threads: 1, ..Options::default() };
    let relay = Relay::start(options).unwrap();
    let rows = folder.path().join("in.jsonl");
    let prompts: Vec<String> = (0..EACH).map(|number| format!("\"Hello {number}\"")).collect();
    fs::write(&rows, prompts.join("\n")).unwrap();
    let start = || {
        let mut command = baton();
        command.env("XDG_STATE_HOME", folder.path().join("state")).arg("batch").arg(&rows);
        command.args(["-u", &relay.base_url(), "-m", "m", "--rate", "50/s", "--rate-scope", "machine"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [start(), start(), start()];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    relay.stop().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap()["read"].as_u64().unwrap();
    let mut arrivals: Vec<u64> = text.lines().map(read).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals.len(), 3 * EACH);
    // 90 requests at 50 in a second are 89 intervals of 20 ms; the first and the last may each be late on their way. Three
    // rates of their own would take a third of that.
    let took = arrivals[arrivals.len() - 1] - arrivals[0];
    assert!(took > 1_650_000_000, "{took} ns for all of them");
    // Nor do they crowd: in any half second at most 25 and one, and what the 50 ms of late timers let through on top.
    for (index, first) in arrivals.iter().enumerate() {
        let within = arrivals[index..].iter().take_while(|at| *at - first < 500_000_000).count();
        assert!(within <= 35, "{within} in half a second");
    }
}

#[test]
fn a_rate_of_the_machine_wants_a_rate_a_relay_of_others_and_a_sound_file() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["--rate-scope", "machine", "--token-rate", "40000/m"]);
    assert!(said.code == 2 && said.err.contains("no effect without a rate"), "{said:?}");
    let said = run(&["send", "--mock", "--rate", "9/s", "--rate-scope", "machine", "Hello"]);
    assert!(said.code == 2 && said.err.contains("no effect with --mock"), "{said:?}");
    let said = send(&relay, "m", &["--rate", "9/s", "--rate-scope", "machine"]);
    assert!(said.code == 2 && said.err.contains("XDG_STATE_HOME"), "{said:?}");
    let folder = tempfile::tempdir().unwrap();
    let url = relay.base_url();
    let ask = || {
        let mut command = baton();
        command.env("XDG_STATE_HOME", folder.path());
        command.args(["send", "-u", &url, "-m", "m", "--rate", "9/s", "--rate-scope", "machine", "Hello"]);
        Said::from(command.output().unwrap())
    };
    assert_eq!(ask().code, 0);
    assert_eq!(fs::read_dir(folder.path().join("baton/rate")).unwrap().count(), 1);
    let file = fs::read_dir(folder.path().join("baton/rate")).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "not ours").unwrap();
    let said = ask();
    assert!(said.code == 2 && said.err.contains(file.to_str().unwrap()), "{said:?}");
    let config = folder.path().join("config.toml");
    let profile = format!("[profile.p]\nurl = '{url}'\nmodel = 'm'\nrate = '9/s'\nrate-scope = 'machine'\n");
    fs::write(&config, profile).unwrap();
    let by_profile = |more: &[&str]| {
        let mut command = baton();
        command.env("XDG_STATE_HOME", folder.path()).env("BATON_CONFIG", &config);
        Said::from(command.args(["send", "--profile", "p", "Hello"]).args(more).output().unwrap())
    };
    let said = by_profile(&[]);
    assert!(
        said.code == 2 && said.err.contains(file.to_str().unwrap()),
        "the profile shares it, too: {said:?}"
    );
    assert_eq!(by_profile(&["--rate-scope", "process"]).code, 0);
    assert_eq!(by_profile(&["--mock"]).code, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "not ours");
}
