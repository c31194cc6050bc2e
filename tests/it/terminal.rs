//! What is seen on a terminal: narrow ones, dumb ones, and people who want no colour.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::front;

/// Runs the binary on a terminal of so many columns, and gives everything that the terminal was sent.
fn seen(columns: u16, variables: &[(&str, &str)], arguments: &str) -> Option<String> {
    let line = format!("stty cols {columns} rows 24; exec '{}' {arguments}", env!("CARGO_BIN_EXE_baton"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
    command.env_clear().env("PATH", std::env::var_os("PATH")?).env("SHELL", "/bin/sh").env("TERM", "xterm");
    let output = command.envs(variables.iter().copied()).output().ok();
    if output.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no `script`, terminals are not tried");
    }
    Some(String::from_utf8_lossy(&output?.stdout).replace("\r\n", "\n"))
}

const BENCH: &str = "bench --mock=fault=500:0.3,ttft=5ms,gap=0,slots=inf -c 5 -d 1s --warmup 0";

#[test]
fn a_narrow_terminal_gets_whole_lines_with_the_errors_and_is_told_what_has_no_room() {
    let Some(text) = seen(40, &[], BENCH) else { return };
    let live: Vec<&str> = text
        .split(['\r', '\n'])
        .map(|line| line.trim_start_matches("\u{1b}[2K"))
        .filter(|line| line.starts_with("c="))
        .collect();
    assert!(live.len() > 1 && live.iter().all(|line| line.chars().count() <= 40), "{text}");
    assert!(live.iter().any(|line| line.contains("errors ")), "{text}");
    assert!(text.contains("\n Concurrency  Avg (ms)  TP99 (ms)\n"), "{text}");
    assert!(text.contains("no room in 40 columns for Req/s, Errors, "), "{text}");
    let Some(text) = seen(80, &[], BENCH) else { return };
    let heading = text.lines().find(|line| line.starts_with(" Concurrency")).unwrap();
    assert!(heading.ends_with("Verdict") && heading.len() <= 80, "{text}");
}

#[test]
fn a_dumb_terminal_gets_no_escape_sequence() {
    for arguments in [BENCH, "send --url http://127.0.0.1:1 -m m --attempts 1 x", "send --nonsense", "--help"]
    {
        let Some(text) = seen(80, &[("TERM", "dumb")], arguments) else { return };
        assert!(!text.is_empty() && !text.contains('\u{1b}'), "{arguments}: {text:?}");
    }
}

#[test]
fn colour_is_left_out_where_it_is_not_wanted() {
    // Erasing a line is no colour.
    let colours = |text: &str| text.replace("\u{1b}[2K", "").contains('\u{1b}');
    for arguments in [BENCH, "send --url http://127.0.0.1:1 -m m --attempts 1 x", "send --nonsense"] {
        let Some(text) = seen(80, &[], arguments) else { return };
        assert!(colours(&text), "{arguments}: {text:?}");
        let Some(text) = seen(80, &[("NO_COLOR", "1")], arguments) else { return };
        assert!(!colours(&text), "{arguments}: {text:?}");
    }
}

#[test]
fn the_request_before_the_load_is_seen_and_leaves_nothing_behind() {
    let silent = front::canned("");
    let bench =
        format!("bench -u http://127.0.0.1:{} -m m -c 1 -n 1 --first-byte-timeout 300ms", silent.port);
    let Some(text) = seen(80, &[], &bench) else { return };
    let (before, after) =
        text.split_once("preflight  one request, 0 s").unwrap_or_else(|| panic!("{text:?}"));
    assert!(before.contains("relay ") && after.contains("\r\u{1b}[2K"), "{text:?}");
    assert!(after.rsplit("\u{1b}[2K").next().unwrap().contains("did not answer in time"), "{text:?}");
}

#[test]
fn lines_of_attempts_are_not_torn_by_a_line_that_is_rewritten() {
    let Some(text) = seen(80, &[], &format!("{BENCH} -v")) else { return };
    assert!(!text.contains("\u{1b}[2K") && text.matches(" attempt 1: ").count() > 10, "{text:?}");
}
