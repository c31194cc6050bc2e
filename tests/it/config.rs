//! The configuration file through the binary: profiles, their precedence, prices, and `baton config`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::baton::{Said, baton, relay, run};

const QUICK: &str = "ttft=0,gap=0,tokens=6";

/// A home folder with a configuration file in its default place.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn with(text: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.file().parent().unwrap()).unwrap();
        fs::write(home.file(), text).unwrap();
        home
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(".config/baton/config.toml")
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
        let mut command = baton();
        command.env("HOME", self.folder.path()).envs(variables.iter().copied()).args(arguments);
        command.output().unwrap().into()
    }
}

/// What `send --dry-run` would send.
fn shown(home: &Home, variables: &[(&str, &str)], more: &[&str]) -> String {
    let said = home.run(variables, &[&["send", "--dry-run"], more, &["Hello"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    said.out
}

#[test]
fn a_profile_names_the_relay_the_dialect_the_model_the_key_and_headers() {
    let relay = relay(QUICK);
    let home = Home::with(&format!(
        "[profile.work]\napi = 'chat'\nmodel = 'gpt-x'\nkey-file = 'relay.key'\n[[profile.work.endpoint]]\nurl = '{}'\n\
         [profile.work.headers]\nx-tenant = 'blue'\n",
        relay.base_url()
    ));
    fs::write(home.file().with_file_name("relay.key"), "sk-1\n").unwrap();
    crate::oauth::hide(&home.file().with_file_name("relay.key"));
    let text = shown(&home, &[], &["--profile", "work"]);
    assert!(text.starts_with("POST /v1/chat/completions"), "{text}");
    assert!(text.contains("authorization: Bearer ***") && text.contains("x-tenant: blue"), "{text}");
    assert!(text.contains("\"model\":\"gpt-x\""), "{text}");
    let said = home.run(&[("BATON_PROFILE", "work")], &["send", "Hello"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let said =
        home.run(&[], &["bench", "--profile", "work", "-c", "1", "-n", "2", "--warmup", "0", "-q", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_profile() {
    let home =
        Home::with("default-profile = 'p'\n[profile.p]\nmodel = 'of-profile'\nurl = 'http://p.example'\n");
    let model = |variables: &[(&str, &str)], more: &[&str]| shown(&home, variables, more);
    assert!(model(&[], &[]).contains("of-profile"));
    let variable = [("ANTHROPIC_MODEL", "of-variable")];
    assert!(model(&variable, &[]).contains("of-variable"));
    assert!(model(&variable, &["--model", "of-flag"]).contains("of-flag"));
    let said = home.run(&[("BATON_URL", "http://v.example")], &["send", "--dry-run", "Hello"]);
    assert!(said.out.contains("host: v.example"), "{said:?}");
    assert!(said.err.contains("BATON_URL wins over the url of profile p"), "{said:?}");
}

#[test]
fn a_profiles_key_is_not_sent_to_the_address_of_another() {
    let home = Home::with(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\nurl = 'http://p.example'\nkey-command = 'echo sk-1'\n",
    );
    assert!(shown(&home, &[], &[]).contains("x-api-key: ***"));
    assert!(shown(&home, &[], &["--url", "http://p.example/v1"]).contains("x-api-key: ***"));
    assert!(!shown(&home, &[], &["--url", "http://q.example"]).contains("x-api-key"));
    assert!(!shown(&home, &[("ANTHROPIC_API_KEY", "sk-2")], &["--mock"]).contains("x-api-key"));
}

#[test]
fn the_policy_of_a_profile_is_carried_out_and_flags_win_over_it() {
    let relay = relay(QUICK);
    let home = Home::with(&format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'mock-500'\nurl = '{}'\nattempts = 2\nbackoff-base = '1ms'\n\
         first-token-timeout = '200ms'\nconnect-timeout = '7s'\ntimeout = '9s'\n",
        relay.base_url()
    ));
    let attempts = |said: &Said| {
        let error: Value = serde_json::from_str(said.err.lines().last().unwrap()).unwrap();
        error["attempts"].as_array().unwrap().len()
    };
    let said = home.run(&[], &["send", "--error-format", "json", "Hello"]);
    assert_eq!((said.code, attempts(&said)), (5, 2), "{said:?}");
    let said = home.run(&[], &["send", "--error-format", "json", "--attempts", "3", "Hello"]);
    assert_eq!((said.code, attempts(&said)), (5, 3), "{said:?}");
    let said = home.run(&[], &["send", "--mock=ttft=5s", "--attempts", "1", "Hello", "--model", "m"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.contains("--first-token-timeout"), "{said:?}");
    let curl = home.run(&[], &["send", "--curl", "Hello"]);
    assert!(curl.out.contains("--connect-timeout '7'") && curl.out.contains("--max-time '9'"), "{curl:?}");
}

#[test]
fn bench_makes_one_attempt_whatever_the_profile_says_and_tells_so() {
    let relay = relay(QUICK);
    let home = Home::with(&format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\nurl = '{}'\nattempts = 4\n",
        relay.base_url()
    ));
    let load = ["bench", "-c", "1", "-n", "2", "--warmup", "0", "--format", "json", "Hello"];
    let said = home.run(&[], &load);
    assert_eq!(said.code, 0, "{said:?}");
    let saved: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(saved["plan"]["attempts"], 1, "{}", saved["plan"]);
    assert!(said.err.contains("attempts = 4"), "{said:?}");
}

#[test]
fn an_answer_of_a_model_with_a_price_has_a_cost() {
    let relay = relay(QUICK);
    let home = Home::with(&format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\nurl = '{}'\n\
         [price.m]\ninput = 1000\noutput = 2000.5\ncache-read = 1\ncache-write = 1\n",
        relay.base_url()
    ));
    let said = home.run(&[], &["send", "--format", "json", "--timing", "Hello"]);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let tokens = |kind: &str| answer["usage"][kind].as_f64().unwrap();
    let expected = (tokens("input") * 1000.0 + tokens("output") * 2000.5) / 1e6;
    assert!(expected > 0.0);
    assert!((answer["cost_usd"].as_f64().unwrap() - expected).abs() < 1e-12, "{answer}");
    assert!(said.err.contains(" · 1 attempt · 0.0") && said.err.contains(" USD · "), "{said:?}");
    let said = home.run(&[], &["send", "--format", "json", "--model", "other", "Hello"]);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    assert!(answer.as_object().unwrap().contains_key("cost_usd") && answer["cost_usd"].is_null(), "{answer}");
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_line_before_anything_is_sent() {
    for (text, words) in [
        (
            "[profile.p]\nmodle = 'x'\n",
            "config.toml:2: unknown key 'profile.p.modle'\nhint: did you mean model?",
        ),
        ("[profile.p]\n\nidle-timeout = 5\n", "config.toml:3: profile.p.idle-timeout"),
        ("[profile.p\n", "config.toml:1:"),
    ] {
        let home = Home::with(text);
        for arguments in [&["send", "--mock", "Hello"][..], &["bench", "--mock"], &["config", "show"]] {
            let said = home.run(&[], arguments);
            assert_eq!(said.code, 2, "{said:?}");
            assert!(said.err.contains(words), "{said:?}");
            assert!(said.out.is_empty(), "{said:?}");
        }
    }
    for (arguments, words) in [
        (&["send", "--config", "/no/such.toml", "Hello"][..], "--config /no/such.toml"),
        (&["send", "--profile", "work", "Hello"], "no profile 'work'"),
        (&["config", "path"], "HOME is not set"),
    ] {
        let said = run(arguments);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(words) && said.err.contains("error: "), "{said:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_refused_with_the_command_that_hides_it() {
    use std::os::unix::fs::PermissionsExt;
    let text = "[profile.p]\nurl = 'http://p.example'\nmodel = 'm'\nheaders = {x-api-key = 'sk-planted'}\n";
    let home = Home::with(text);
    let send = || home.run(&[("BATON_PROFILE", "p")], &["send", "--dry-run", "Hello"]);
    fs::set_permissions(home.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let said = send();
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(&format!("hint: chmod 600 {}", home.file().display())), "{said:?}");
    fs::set_permissions(home.file(), fs::Permissions::from_mode(0o600)).unwrap();
    let said = send();
    assert!(said.out.contains("x-api-key: ***") && !said.out.contains("planted"), "{said:?}");
}

#[test]
fn config_show_says_where_each_setting_comes_from_and_runs_no_command() {
    let home = Home::with(
        "default-profile = 'p'\n[profile.p]\nurl = 'http://p.example'\nidle-timeout = '7s'\n\
         key-command = 'touch \"$HOME/ran\"; echo sk-planted'\n[price.m]\ninput = 3\noutput = 15\n",
    );
    let said = home.run(&[("BATON_MODEL", "m")], &["config", "show"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let line = |name: &str| {
        let line = said.out.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("config"), format!("config {} default", home.file().display()));
    assert_eq!(line("profile"), "profile p file");
    assert_eq!(line("model"), "model m BATON_MODEL");
    assert_eq!(line("url"), "url http://p.example/ profile p");
    assert_eq!(line("key"), "key *** profile p, key-command");
    assert_eq!(line("idle-timeout"), "idle-timeout 7 s profile p");
    assert_eq!(line("timeout"), "timeout – default");
    assert_eq!(line("price.\"m\".input"), "price.\"m\".input 3 USD file");
    assert!(!home.folder.path().join("ran").exists());

    let path = home.file();
    let arguments = ["config", "show", "--config", path.to_str().unwrap(), "--format", "json"];
    let all: Value = serde_json::from_str(&run(&arguments).out).unwrap();
    assert_eq!(all["file"], path.to_str().unwrap());
    let key = all["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == "key").unwrap();
    assert_eq!(key["value"], "***");
    assert_eq!(key["source"], serde_json::json!({"kind": "profile", "name": "p"}));
}

#[test]
fn config_path_prints_the_file_that_is_or_would_be_read() {
    let home = Home::with("");
    let said = home.run(&[], &["config", "path"]);
    assert_eq!((said.out.trim_end(), said.err.as_str()), (home.file().to_str().unwrap(), ""));
    let said = home.run(&[("XDG_CONFIG_HOME", "/no/such")], &["config", "path"]);
    assert_eq!(said.out, "/no/such/baton/config.toml\n");
    assert!(said.err.contains("no such file yet"), "{said:?}");
    let said = home.run(&[("BATON_CONFIG", "/b.toml")], &["config", "path", "--config", "/f.toml", "-q"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("/f.toml\n", ""));
}

#[test]
fn the_example_of_the_documentation_is_a_file_that_works() {
    let page = include_str!("../../docs/config.md");
    let example = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let home = Home::with(example);
    for (profile, words) in [("work", "https://relay.example/"), ("lab", "http://10.0.0.7:4000/v1")] {
        let said = home.run(&[("LAB_KEY", "sk-1")], &["config", "show", "--profile", profile]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(words), "{said:?}");
    }
    let said = home.run(&[], &["send", "--mock", "--profile", "patient", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    // What is commented out is right as well, each in place of the key that stands there.
    for setting in ["key-file", "key-env", "headers"] {
        let other = example
            .replace("key-command = ", "# ")
            .replace(&format!("# {setting} = "), &format!("{setting} = "));
        // TOML allows the headers only one form at a time.
        let other = if setting == "headers" {
            other.replace("[profile.work.headers]\nx-tenant = \"blue\"", "")
        } else {
            other
        };
        let other = other.replace("x-api-key = \"…\"", "x-tenant = \"…\"");
        let other = other.replace("\"…\"", "\"red\"");
        let said = Home::with(&other).run(&[], &["config", "show"]);
        assert_eq!(said.code, 0, "{setting}: {said:?}");
    }
}
