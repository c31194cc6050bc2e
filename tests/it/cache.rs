//! The answer cache through the binary: what is asked once is answered twice.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use baton::mock::Relay;
use serde_json::Value;

use crate::baton::{Said, baton, relay, run, send};

const QUICK: &str = "ttft=0,gap=0,tokens=6,slots=inf";

/// Sends the usual prompt with the cache in a folder.
fn ask(relay: &Relay, folder: &Path, more: &[&str]) -> Said {
    let place = folder.join("cache");
    let cached = ["--cache", "exact", "--cache-dir", place.to_str().unwrap(), "--format", "json"];
    let more: Vec<&str> = if more.contains(&"--cache") { cached[2..].to_vec() } else { cached.to_vec() }
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    send(relay, "m", &more)
}

fn json(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn requests(relay: &Relay) -> u64 {
    relay.stats().requests
}

#[test]
fn an_answer_is_asked_for_once_and_says_that_it_was_kept() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let first = json(&ask(&relay, folder.path(), &[]));
    let second = json(&ask(&relay, folder.path(), &[]));
    assert_eq!((&first["cached"], &second["cached"]), (&Value::from(false), &Value::from(true)));
    assert_eq!(second["cache"], "exact");
    for same in ["text", "stop", "stop_reason", "model", "usage", "relay_request_id", "outcome"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_ne!(first["request_id"], second["request_id"]);
    assert_eq!(second["attempts"], Value::Array(vec![]));
    assert!(second["timing_ms"]["end"].as_f64().unwrap() < 20.0 && second["timing_ms"]["headers"].is_null());
    assert_eq!(requests(&relay), 1);
    // The relay is gone, and nobody notices.
    let url = relay.base_url();
    drop(relay);
    let place = folder.path().join("cache");
    let cached = ["--cache", "exact", "--cache-dir", place.to_str().unwrap()];
    let said = run(&[&["send", "--url", &url, "--model", "m", "--timing", "Hello"], &cached[..]].concat());
    assert_eq!((said.code, said.out.trim_end()), (0, first["text"].as_str().unwrap()), "{said:?}");
    assert!(said.err.contains("from the cache (exact)"), "{said:?}");
    let said = run(&["send", "--url", &url, "--model", "m", "--attempts", "1", "Hello"]);
    assert_eq!(said.code, 11, "and without the cache everybody does: {said:?}");
}

#[test]
fn a_streamed_answer_is_none_for_who_wants_the_body_and_a_whole_one_is_for_both() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    ask(&relay, folder.path(), &[]);
    assert_eq!(json(&ask(&relay, folder.path(), &["--no-stream"]))["cached"], false);
    assert_eq!(json(&ask(&relay, folder.path(), &["--no-stream"]))["cached"], true);
    assert_eq!(json(&ask(&relay, folder.path(), &[]))["cached"], true);
    assert_eq!(requests(&relay), 2);
}

#[test]
fn another_question_another_key_and_another_form_are_asked_anew() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let keys = ["a", "b"].map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, format!("sk-{name}")).unwrap();
        crate::oauth::hide(&file);
        file.to_str().unwrap().to_owned()
    });
    let mut seen = 0;
    for more in [
        &[][..],
        &["--max-tokens", "9"],
        &["--key-file", &keys[0]],
        &["--key-file", &keys[1]],
        &["--header", "x-tenant: blue"],
        &["--api", "chat"],
        &["--cache", "normalized"],
    ] {
        seen += 1;
        assert_eq!(json(&ask(&relay, folder.path(), more))["cached"], false, "{more:?}");
        assert_eq!(json(&ask(&relay, folder.path(), more))["cached"], true, "{more:?}");
        assert_eq!(requests(&relay), seen, "{more:?}");
    }
    for entry in walk(&folder.path().join("cache")) {
        let text = String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned();
        assert!(!text.contains("sk-"), "{}", entry.display());
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_normalized_answer_says_that_it_is_one() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    let url = relay.base_url();
    let ask = |prompt: &str, more: &[&str]| {
        let fixed = ["send", "--url", &url, "--model", "m", "--cache", "normalized", "--cache-dir"];
        run(&[&fixed[..], &[place.to_str().unwrap(), prompt], more].concat())
    };
    let first = ask("What is a Café?", &[]);
    let second = ask("  what is a\tCAFE\u{301}? ", &[]);
    assert_eq!((first.code, first.err.as_str(), second.out), (0, "", first.out));
    assert!(second.err.contains("white space, case or Unicode form"), "{}", second.err);
    let third = json(&ask("what is a café?", &["--format", "json"]));
    assert_eq!((&third["cached"], &third["cache"]), (&Value::from(true), &Value::from("normalized")));
    assert_eq!(requests(&relay), 1);
}

#[test]
fn only_whole_and_successful_answers_are_kept() {
    let relay = relay(QUICK);
    for model in ["mock-500", "mock-429", "mock-cut", "mock-refusal", "mock-empty"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("cache");
        let cached = ["--cache", "exact", "--cache-dir", place.to_str().unwrap(), "--attempts", "1"];
        send(&relay, model, &cached);
        let before = requests(&relay);
        send(&relay, model, &cached);
        assert_eq!(requests(&relay), before + 1, "{model}");
        let held =
            json(&run(&["cache", "stats", "--format", "json", "--cache-dir", place.to_str().unwrap()]));
        assert_eq!(held["answers"], 0, "{model}");
    }
}

#[test]
fn processes_share_a_cache_and_none_is_harmed() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    let url = relay.base_url();
    let start = |number: usize| {
        let prompt = format!("question {}", number % 4);
        let mut command = baton();
        command.args(["send", "--url", &url, "--model", "m", "--cache", "exact", "--cache-dir"]).arg(&place);
        command.arg(prompt).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = (0..16).map(start).collect();
    let said: Vec<Said> = all.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect();
    assert!(
        said.iter().all(|said| said.code == 0 && said.err.is_empty() && !said.out.is_empty()),
        "{said:?}"
    );
    let held = json(&run(&["cache", "stats", "--format", "json", "--cache-dir", place.to_str().unwrap()]));
    assert_eq!((held["answers"].as_u64(), held["bytes"].as_u64()), (Some(4), Some(4 * 4096)), "{held:#}");
}

#[test]
fn a_cache_is_looked_at_and_cleared() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    ask(&relay, folder.path(), &[]);
    let place = folder.path().join("cache");
    let cache = |what: &str, more: &[&str]| {
        run(&[&["cache", what, "--cache-dir", place.to_str().unwrap()], more].concat())
    };
    let said = cache("stats", &[]);
    let shown = format!("folder     {}\nanswers    1\nspace      4.10 kB\n", place.display());
    assert!(said.code == 0 && said.out.starts_with(&shown), "{said:?}");
    assert_eq!(json(&cache("clear", &["--format", "json"]))["removed"], 1);
    assert_eq!(json(&cache("stats", &["--format", "json"]))["answers"], 0);
    assert_eq!(json(&ask(&relay, folder.path(), &[]))["cached"], false);
    // The default place is the user's.
    let mut command = baton();
    command.env("XDG_CACHE_HOME", folder.path().join("xdg")).args(["send", "--cache", "exact", "--url"]);
    let said: Said = command.args([&relay.base_url(), "--model", "m", "Hello"]).output().unwrap().into();
    assert!(said.code == 0 && folder.path().join("xdg/baton/v1/salt").exists(), "{said:?}");
}

#[test]
fn what_would_have_no_effect_and_what_cannot_work_is_refused() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    let place = place.to_str().unwrap();
    for (more, words) in [
        (&["--cache-ttl", "1h"][..], "--cache-ttl has no effect without a cache"),
        (&["--cache-size", "1M", "--cache", "off"], "--cache-size has no effect"),
        (&["--cache", "exact", "--cache-dir", place, "--api", "raw"], "--api raw"),
        (&["--cache", "exact", "--cache-dir", place, "--format", "raw"], "--format raw"),
        (&["--cache", "exact"], "HOME is not set"),
        (&["--cache", "exact", "--cache-dir", "/proc/none"], "the cache cannot be used: /proc/none"),
    ] {
        let said = send(&relay, "m", more);
        assert_eq!(said.code, 2, "{more:?} {said:?}");
        assert!(said.err.contains(words), "{more:?} {said:?}");
    }
    assert_eq!(requests(&relay), 0);
}

#[test]
fn a_profile_may_ask_for_the_cache_and_a_flag_may_not_want_it() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "[profile.p]\nurl = '{}'\nmodel = 'm'\ncache = 'exact'\ncache-ttl = '1h'\ncache-size = '1MiB'\n",
        relay.base_url()
    );
    fs::write(&config, text).unwrap();
    let ask = |more: &[&str]| {
        let mut command = baton();
        command.env("XDG_CACHE_HOME", folder.path()).args(["--quiet", "send", "--profile", "p", "--config"]);
        json(&command.arg(&config).args(["--format", "json", "Hello"]).args(more).output().unwrap().into())
    };
    assert_eq!(ask(&[])["cached"], false);
    assert_eq!(ask(&[])["cached"], true);
    assert_eq!(ask(&["--cache", "off"])["cached"], Value::Null);
    let said = run(&["config", "show", "--config", config.to_str().unwrap(), "--profile", "p"]);
    for line in ["cache ", "cache-ttl ", "cache-size "] {
        let shown = said.out.lines().find(|shown| shown.starts_with(line)).unwrap();
        assert!(shown.contains("profile p, but not in bench"), "{shown}");
    }
}
