//! `baton stream` against the embedded relay: every form to the byte, every way an answer can break off, every file in
//! its way.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use baton::mock::Relay;

use crate::baton::{Said, baton, relay, run};
use crate::front;

const QUICK: &str = "ttft=0,gap=0,tokens=6";

/// A folder with the places of an answer in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the answer goes.
    fn file(&self) -> String {
        self.path("answer").to_str().unwrap().to_owned()
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// What the side file says.
    fn side(&self) -> Value {
        serde_json::from_str(&self.read("answer.partial.json")).unwrap()
    }

    /// The beginning of a command line whose answer goes here.
    fn arguments(&self, relay: &Relay, model: &str) -> Vec<String> {
        let file = self.file();
        let url = relay.base_url();
        ["stream", "--url", &url, "--model", model, "--backoff-base", "1ms", "-o", &file, "Hello"]
            .map(str::to_owned)
            .to_vec()
    }

    fn stream(&self, relay: &Relay, model: &str, more: &[&str]) -> Said {
        baton().args(self.arguments(relay, model)).args(more).output().unwrap().into()
    }
}

/// The text that a fresh relay's first request is answered with.
fn answer_of(spec: &str, model: &str) -> String {
    let relay = relay(spec);
    let url = relay.base_url();
    let said = run(&["send", "--url", &url, "--model", model, "--max-tokens", "100000", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    said.out.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn each_form_is_exact_to_the_byte() {
    const WIRE: &str = include_str!("../fixtures/wire/messages.sse");
    let words = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{WIRE}",
        WIRE.len()
    );
    let front = front::canned(words.leak());
    let url = format!("http://127.0.0.1:{}", front.port);
    let desk = Desk::new();
    for form in ["text", "events", "raw"] {
        let file = desk.path(form);
        let file = file.to_str().unwrap();
        let said = run(&["stream", "--url", &url, "--model", "m", "--format", form, "-o", file, "Hi"]);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{form}: {said:?}");
        let said = run(&["stream", "--url", &url, "--model", "m", "--format", form, "-o", "-", "Hi"]);
        let timeless = |text: &str| match form {
            "events" => text.lines().map(|line| line[line.find(',').unwrap()..].to_owned() + "\n").collect(),
            _ => text.to_owned(),
        };
        assert_eq!((said.code, timeless(&said.out)), (0, timeless(&desk.read(form))), "{form}: {said:?}");
    }
    assert_eq!(desk.names(), ["events", "raw", "text"]);
    assert_eq!(desk.read("text"), "Hello there!\n");
    assert_eq!(desk.read("raw"), WIRE);
    let lines = desk.read("events");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "model", "usage", "ping", "text", "text", "usage", "stop", "terminal"]);
    assert_eq!((&lines[4]["text"], &lines[5]["text"]), (&"Hello".into(), &" there!\n".into()));
    assert!(lines.iter().all(|line| line["attempt"] == 1 && line["t_ms"].is_number()));
}

#[test]
fn a_long_answer_of_every_dialect_is_the_one_that_send_prints() {
    let spec = "ttft=0,gap=0,tokens=3000,chunk=1k";
    for api in ["messages", "chat", "complete"] {
        let (relay, desk) = (relay(spec), Desk::new());
        let said = desk.stream(&relay, "m", &["--api", api, "--max-tokens", "100000"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{api}: {said:?}");
        let text = desk.read("answer");
        assert_eq!(text.len(), 3_000_000, "{api}");
        assert!(text == answer_of(spec, "m"), "{api}: the text differs");
        assert_eq!(desk.names(), ["answer"]);
    }
}

#[test]
fn an_answer_that_breaks_off_stays_with_its_story() {
    let relay = relay(QUICK);
    for (model, code, outcome, words) in [
        ("mock-cut", 9, "truncated", "broke off"),
        ("mock-eof", 9, "truncated", "message_stop"),
        ("mock-no-done", 9, "truncated", "message_stop"),
        ("mock-error-event", 9, "stream_error", "overloaded_error: Overloaded"),
        ("mock-garbage", 9, "protocol", "not valid JSON"),
        ("mock-stall", 8, "timeout_idle", "not a byte more"),
        ("mock-ping-stall", 8, "timeout_stall", "nothing more was generated"),
    ] {
        let desk = Desk::new();
        let limit = if model == "mock-ping-stall" {
            ["--stall-timeout", "200ms"]
        } else {
            ["--idle-timeout", "200ms"]
        };
        let said = desk.stream(&relay, model, &limit);
        assert_eq!(said.code, code, "{model}: {said:?}");
        assert!(said.err.contains(words) && said.err.contains("answer.partial"), "{model}: {said:?}");
        assert_eq!(desk.names(), ["answer.partial", "answer.partial.json"], "{model}");
        let (text, side) = (desk.read("answer.partial"), desk.side());
        let pieces = if model == "mock-no-done" { 6 } else { 3 };
        assert_eq!(text.split_whitespace().count(), pieces, "{model}: {text}");
        assert_eq!((&side["outcome"], &side["bytes"]), (&outcome.into(), &text.len().into()), "{side}");
        assert!(side["message"].as_str().unwrap().contains(words), "{side}");
        assert_eq!(side["attempts"].as_array().unwrap().len(), 1, "{side}");
        for name in ["partial", "request_id", "relay_request_id", "ended", "endpoint"] {
            assert!(side[name].is_string(), "{name}: {side}");
        }
        assert!(side["last_event"]["event"].is_string() && side["last_event"]["t_ms"].is_number(), "{side}");
    }
}

#[test]
fn what_never_began_leaves_nothing_behind() {
    let relay = relay(QUICK);
    for (model, code) in
        [("mock-400", 4), ("mock-401", 3), ("mock-500", 5), ("mock-html", 9), ("mock-reset", 11)]
    {
        let desk = Desk::new();
        let said = desk.stream(&relay, model, &["--format", "raw"]);
        assert_eq!((said.code, desk.names()), (code, vec![]), "{model}: {said:?}");
    }
    let desk = Desk::new();
    let said = desk.stream(&relay, "mock-silent", &["--first-byte-timeout", "80ms", "--attempts", "1"]);
    assert_eq!((said.code, desk.names()), (8, vec![]), "{said:?}");
}

#[test]
fn an_attempt_that_generated_nothing_leaves_nothing_in_the_file() {
    let relay = relay(QUICK);
    let desk = Desk::new();
    let said = desk.stream(&relay, "mock-529-once", &["--format", "events"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = desk.read("answer");
    assert!(lines.lines().count() > 6 && lines.lines().all(|line| line.contains("\"attempt\":2")), "{lines}");
    // What came instead of an answer is kept of the last attempt alone.
    let desk = Desk::new();
    let said = desk.stream(&relay, "mock-error-first", &["--format", "raw"]);
    assert_eq!((said.code, desk.read("answer.partial").matches("event: error").count()), (9, 1), "{said:?}");
    assert_eq!(desk.side()["attempts"].as_array().unwrap().len(), 3);
}

#[test]
fn what_exists_is_refused_before_anything_is_sent() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    fs::write(desk.path("answer"), "precious").unwrap();
    let said = desk.stream(&relay, "m", &[]);
    assert_eq!((said.code, desk.read("answer").as_str()), (2, "precious"), "{said:?}");
    assert!(said.err.contains("--overwrite") && said.err.contains("--append"), "{said:?}");
    fs::remove_file(desk.path("answer")).unwrap();
    fs::write(desk.path("answer.partial"), "paid for").unwrap();
    for flags in [&[][..], &["--append"]] {
        let said = desk.stream(&relay, "m", flags);
        assert_eq!((said.code, desk.read("answer.partial").as_str()), (2, "paid for"), "{said:?}");
        assert!(said.err.contains("answer.partial exists"), "{said:?}");
    }
    assert_eq!((relay.stats().requests, desk.names()), (0, vec!["answer.partial".to_owned()]));
}

#[test]
fn overwriting_replaces_the_file_and_what_an_earlier_run_left() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    assert_eq!(desk.stream(&relay, "mock-cut", &[]).code, 9);
    fs::write(desk.path("answer"), "old").unwrap();
    let said = desk.stream(&relay, "m", &["--overwrite"]);
    assert_eq!((said.code, desk.names()), (0, vec!["answer".to_owned()]), "{said:?}");
    assert_eq!(desk.read("answer").split_whitespace().count(), 6);
    // The old file stays until the new one is whole.
    let said = desk.stream(&relay, "mock-cut", &["--overwrite"]);
    assert_eq!((said.code, desk.read("answer").split_whitespace().count()), (9, 6), "{said:?}");
}

#[test]
fn appending_adds_whole_answers_only() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    assert_eq!(desk.stream(&relay, "m", &["--append"]).code, 0);
    let first = desk.read("answer");
    assert_eq!(desk.stream(&relay, "m", &["--append", "--sync", "always"]).code, 0);
    let both = desk.read("answer");
    assert!(both.starts_with(&first) && both.len() > first.len(), "{both}");
    assert_eq!(desk.names(), ["answer"]);
    assert_eq!(desk.stream(&relay, "mock-cut", &["--append"]).code, 9);
    assert_eq!(desk.read("answer"), both);
    assert_eq!(desk.names(), ["answer", "answer.partial", "answer.partial.json"]);
    assert_eq!(desk.stream(&relay, "m", &["--append", "--overwrite"]).code, 2);
}

#[test]
fn a_name_that_is_taken_meanwhile_is_not_taken_away() {
    let (relay, desk) = (relay("ttft=0,gap=0,tokens=4,slots=1"), Desk::new());
    // The one place is held by a request that never ends until its client goes.
    let mut holder = baton()
        .args(["send", "--url", &relay.base_url(), "--model", "mock-stall", "Hello"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait(|| relay.stats().events == 2);
    let mut command = baton();
    command.args(desk.arguments(&relay, "m")).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    wait(|| relay.stats().queued == 1);
    fs::write(desk.path("answer"), "somebody else's").unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!((said.code, desk.read("answer").as_str()), (12, "somebody else's"), "{said:?}");
    assert_eq!(desk.read("answer.partial").split_whitespace().count(), 4);
    assert_eq!(desk.side()["outcome"], "ok");
}

/// Waits for something that other threads bring about.
fn wait(until: impl Fn() -> bool) {
    while !until() {
        std::thread::yield_now();
    }
}

#[test]
fn a_copy_goes_to_standard_output_and_its_end_is_not_the_files() {
    use std::io::Read;
    let (relay, desk) = (relay("ttft=0,gap=0,tokens=500,chunk=10k"), Desk::new());
    let more = ["--tee", "--max-tokens", "100000"];
    let said = desk.stream(&relay, "m", &more);
    assert!(said.code == 0 && said.out == desk.read("answer"), "the copy differs");
    let mut command = baton();
    command.args(desk.arguments(&relay, "m")).args(more).arg("--overwrite");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    assert_eq!(desk.read("answer").len(), 5_000_000);
}

#[cfg(unix)]
#[test]
fn a_reader_of_standard_output_that_leaves_is_a_quiet_end() {
    use std::io::Read;
    let relay = relay("ttft=0,gap=0,tokens=5000,chunk=10k");
    let mut command = baton();
    command.args([
        "stream",
        "--url",
        &relay.base_url(),
        "-m",
        "m",
        "--max-tokens",
        "100000",
        "-o",
        "-",
        "Hi",
    ]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_whether_it_is_the_place_or_the_copy() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    let said = run(&["stream", "--url", &relay.base_url(), "-m", "m", "-o", "/dev/full", "Hello"]);
    assert_eq!(said.code, 12, "{said:?}");
    assert!(said.err.contains("/dev/full: No space left"), "{said:?}");
    let mut command = baton();
    command.args(desk.arguments(&relay, "m")).arg("--tee");
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    let said: Said = command.output().unwrap().into();
    assert!(said.code == 12 && said.err.contains("standard output: No space left"), "{said:?}");
    assert_eq!(desk.read("answer").split_whitespace().count(), 6, "the file is whole all the same");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_can_grow_no_more_stays_readable_and_says_why() {
    let (relay, desk) = (relay("ttft=0,gap=0,tokens=100,chunk=10k"), Desk::new());
    let mut command = std::process::Command::new("sh");
    // A limit of 100 blocks of 1024 bytes on any file; its signal is ignored, so that the write fails.
    command.args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_baton")]);
    let said: Said = command
        .env_clear()
        .stdin(std::process::Stdio::null())
        .args(desk.arguments(&relay, "m"))
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 12, "{said:?}");
    assert!(said.err.contains("answer.partial: File too large"), "{said:?}");
    let (text, side) = (desk.read("answer.partial"), desk.side());
    assert_eq!((text.len() % 512, &side["bytes"]), (0, &text.len().into()), "{side}");
    assert!(!text.is_empty() && side["message"].as_str().unwrap().contains("File too large"), "{side}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let (relay, desk) = (relay(QUICK), Desk::new());
    let folder = desk.path("shut");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let is_shut = fs::write(folder.join("probe"), "").is_err();
    // The superuser writes everywhere; a folder that is none stands in for it.
    let place = if is_shut { folder.join("answer") } else { Path::new("/proc/answer").to_owned() };
    let url = relay.base_url();
    for place in [place, desk.path("missing/answer"), desk.folder.path().to_owned()] {
        let said = run(&["stream", "--url", &url, "-m", "m", "-o", place.to_str().unwrap(), "Hello"]);
        assert_eq!(said.code, 12, "{said:?}");
        assert!(said.err.contains(place.to_str().unwrap()), "{said:?}");
    }
    assert_eq!(relay.stats().requests, 0);
}

#[test]
fn a_flag_that_only_a_file_can_heed_is_refused_elsewhere() {
    let relay = relay(QUICK);
    for flags in [&["--append"][..], &["--overwrite"], &["--sync", "always"], &["--tee"]] {
        let base = ["stream", "--url", &relay.base_url(), "-m", "m", "-o", "-", "Hello"];
        let said = run(&[&base[..], flags].concat());
        assert!(said.code == 2 && said.err.contains(flags[0]), "{said:?}");
    }
    assert_eq!(relay.stats().requests, 0);
}

#[cfg(unix)]
#[test]
fn a_signal_keeps_what_there_was() {
    use std::process::{Command, Stdio};
    let relay = relay(QUICK);
    for (signal, code, word) in [("-INT", 130, "interrupted"), ("-TERM", 143, "terminated")] {
        let desk = Desk::new();
        let mut command = baton();
        command.args(desk.arguments(&relay, "mock-stall")).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let partial = desk.path("answer.partial");
        wait(|| fs::read_to_string(&partial).is_ok_and(|text| text.split_whitespace().count() == 3));
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.code, code, "{said:?}");
        assert_eq!(desk.names(), ["answer.partial", "answer.partial.json"]);
        let side = desk.side();
        assert_eq!((&side["outcome"], &side["deltas"]), (&"cancelled".into(), &3.into()), "{side}");
        assert!(side["message"].as_str().unwrap().contains(word), "{side}");
    }
}

#[cfg(unix)]
#[test]
fn what_had_arrived_is_in_the_file_even_if_the_process_is_killed() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    let mut child = baton().args(desk.arguments(&relay, "mock-stall")).spawn().unwrap();
    let partial = desk.path("answer.partial");
    wait(|| fs::read_to_string(&partial).is_ok_and(|text| text.split_whitespace().count() == 3));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(desk.names(), ["answer.partial"]);
    assert_eq!(desk.read("answer.partial").split_whitespace().count(), 3);
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_it_while_a_reader_does_not_read() {
    use std::process::{Command, Stdio};
    let (relay, desk) = (relay("ttft=0,gap=0,tokens=100000,chunk=10k,slots=inf"), Desk::new());
    let mut command = baton();
    command.args(desk.arguments(&relay, "m")).args(["--tee", "--max-tokens", "100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // What the relay has sent may still be on its way.
    let partial = desk.path("answer.partial");
    wait(|| fs::metadata(&partial).is_ok_and(|file| file.len() > 0));
    let ended = loop {
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(ended.code(), Some(130));
    assert!(fs::metadata(&partial).unwrap().len() > 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_does_not_read_holds_the_relay_back_and_memory_stays_flat() {
    use std::process::Stdio;
    let relay = relay("ttft=0,gap=0,tokens=100000,chunk=10k,slots=inf");
    let mut command = baton();
    let url = relay.base_url();
    command.args(["stream", "--url", &url, "-m", "m", "--max-tokens", "100000", "-o", "-", "Hello"]);
    command.args(["--idle-timeout", "100ms", "--stall-timeout", "100ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // The relay stops sending although it has a gigabyte left, and nobody blames it for the silence.
    let mut before = 0;
    let mut quiet = 0;
    while quiet < 20 {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        let events = relay.stats().events;
        quiet = if events == before && events > 0 { quiet + 1 } else { 0 };
        before = events;
    }
    assert!(before < 10_000, "{before} of 100000 pieces were taken although nobody reads");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 40_000, "{kilobytes} kB");
    std::io::copy(&mut std::io::Read::take(&mut out, 50_000_000), &mut std::io::sink()).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it goes on where it was");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn timing_and_a_line_for_each_attempt_are_those_of_send() {
    let (relay, desk) = (relay(QUICK), Desk::new());
    let said = desk.stream(&relay, "mock-529-once", &["--timing", "-v"]);
    for words in ["attempt 1: overloaded", "again in", "attempt 2: ok", "first token", "6 out", "2 attempts"]
    {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    let desk = Desk::new();
    let said = desk.stream(&relay, "mock-tool", &[]);
    assert!(said.code == 0 && said.err.contains("--format events"), "{said:?}");
    assert_eq!(desk.read("answer"), "");
}
