//! `baton batch` from outside: forms of rows, order, crashes, and that no finished row is sent twice.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use baton::mock::Relay;
use serde_json::Value;
use tempfile::TempDir;

use crate::baton::{Said, baton, relay, run_with_input};
use crate::front;
use crate::front::{CONNECTED, Front};

/// A relay whose requests are noted, and a folder.
struct Bench {
    _relay: Relay,
    tap: Front,
    folder: TempDir,
}

impl Bench {
    fn new(spec: &str) -> Self {
        let relay = relay(spec);
        Self { tap: front::tap(&relay), _relay: relay, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes so many rows, each of its own question.
    fn rows(&self, count: usize) -> PathBuf {
        let path = self.path("in.jsonl");
        let rows: Vec<String> =
            (0..count).map(|row| format!("{{\"id\":\"r{row}\",\"prompt\":\"question {row}\"}}\n")).collect();
        fs::write(&path, rows.concat()).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = baton();
        let url = format!("http://127.0.0.1:{}", self.tap.port);
        command
            .current_dir(self.folder.path())
            .env("BATON_MODEL", "m")
            .args(["batch", "--url", &url])
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Requests sent so far.
    fn sent(&self) -> usize {
        let notes = self.tap.notes();
        notes.iter().filter(|note| *note != CONNECTED).map(|note| note.matches("POST /v1").count()).sum()
    }

    fn output(&self) -> Vec<Value> {
        read(&self.path("out.jsonl"))
    }
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn indexes(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["index"].as_u64().unwrap()).collect()
}

const QUICK: &str = "ttft=lognormal:3ms:1,gap=0,tokens=3,slots=inf";

#[test]
fn every_row_is_answered_once_and_in_order_and_nothing_is_left_behind() {
    let bench = Bench::new(QUICK);
    bench.rows(300);
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl"]);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = bench.output();
    assert_eq!(indexes(&rows), (0..300).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["error"].is_null() && row["response"]["body"]["type"] == "message"));
    assert_eq!(rows[7]["custom_id"], "r7");
    assert_eq!(rows[7]["usage"]["output"], 3);
    assert_eq!(bench.sent(), 300);
    assert!(!bench.path("out.jsonl.journal").exists());
    assert!(said.err.contains("300 rows in ") && said.err.contains("300 done, 0 failed"), "{}", said.err);
}

#[test]
fn rows_are_written_as_they_finish_where_their_order_does_not_matter() {
    let bench = Bench::new("ttft=0,gap=20ms,slots=inf");
    let row = |tokens: u32| format!("{{\"prompt\":\"Name {tokens}\",\"max_tokens\":{tokens}}}\n");
    fs::write(bench.path("in.jsonl"), [50, 1, 1].map(row).concat().replacen("Name 1", "Name one", 1))
        .unwrap();
    let written = |more: &[&str]| {
        let said = bench.run(&[&["in.jsonl", "-o", "out.jsonl", "--overwrite"], more].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        indexes(&bench.output())
    };
    assert_eq!(written(&[]), [0, 1, 2]);
    // The first row's answer has fifty times the tokens of the others'.
    assert_eq!(written(&["--unordered"])[2], 0);
}

#[test]
fn rows_that_ask_for_the_same_are_sent_once_and_answered_each_under_its_own_name() {
    let bench = Bench::new(QUICK);
    let rows: Vec<String> =
        (0..60).map(|row| format!("{{\"id\":\"r{row}\",\"prompt\":\"{}\"}}\n", row % 20)).collect();
    fs::write(bench.path("in.jsonl"), rows.concat()).unwrap();
    assert_eq!(bench.run(&["in.jsonl", "-o", "out.jsonl", "-c", "5"]).code, 0);
    let rows = bench.output();
    assert_eq!(indexes(&rows), (0..60).collect::<Vec<_>>());
    assert_eq!((&rows[59]["custom_id"], &rows[59]["duplicate_of"]), (&"r59".into(), &19.into()));
    assert_eq!(rows[59]["text"], rows[19]["text"]);
    assert_eq!(bench.sent(), 20);
    assert_eq!(bench.run(&["in.jsonl", "--no-dedupe"]).code, 0);
    assert_eq!(bench.sent(), 80);
}

#[test]
fn a_streamed_row_has_the_body_that_a_whole_answer_would_have() {
    let bench = Bench::new(QUICK);
    bench.rows(1);
    for (api, field) in [
        ("messages", "/content/0/text"),
        ("chat", "/choices/0/message/content"),
        ("responses", "/output/0/content/0/text"),
    ] {
        let body = |arguments: &[&str]| -> Value {
            let said = bench.run(&[&["in.jsonl", "--api", api], arguments].concat());
            assert_eq!(said.code, 0, "{said:?}");
            serde_json::from_str(&said.out).unwrap()
        };
        let (whole, streamed) = (body(&[]), body(&["--stream"]));
        for row in [&whole, &streamed] {
            let body = &row["response"]["body"];
            assert_eq!(body.pointer(field), Some(&row["text"]), "{api}: {row}");
        }
        assert_eq!(whole["usage"], streamed["usage"], "{api}");
        assert_eq!(whole["response"]["body"]["object"], streamed["response"]["body"]["object"]);
        assert!(streamed["timing_ms"]["ttft"].is_number() && whole["timing_ms"]["ttft"].is_null());
    }
}

#[test]
fn a_line_that_is_no_row_becomes_a_failed_row_with_its_place_or_ends_a_strict_run() {
    let bench = Bench::new(QUICK);
    fs::write(bench.path("in.jsonl"), "{\"prompt\":\"a\"}\n\n{\"prompt\":\n\"b\"\n").unwrap();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl"]);
    assert_eq!(said.code, 1, "{said:?}");
    let rows = bench.output();
    assert_eq!(indexes(&rows), [0, 1, 2]);
    assert_eq!(rows[1]["error"]["code"], "unreadable");
    assert!(
        rows[1]["error"]["message"].as_str().unwrap().starts_with("in.jsonl line 3: no JSON"),
        "{}",
        rows[1]
    );
    let strict = bench.run(&["in.jsonl", "--strict"]);
    assert_eq!(strict.code, 2);
    assert!(strict.err.contains("error: in.jsonl line 3: no JSON"), "{}", strict.err);
}

/// Runs so many rows, kills the run after each of so many requests, goes on, and counts what was sent.
fn crash(rows: usize, steps: impl Iterator<Item = usize>) -> usize {
    let bench = Bench::new("ttft=lognormal:4ms:1,gap=0,tokens=3,slots=inf");
    bench.rows(rows);
    let mut kills = 0;
    for step in steps {
        let mut child = bench
            .command(&["in.jsonl", "-o", "out.jsonl", "-c", "10", "--resume", "--quiet"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The moment is one of progress: so many more requests have been sent.
        let goal = bench.sent() + step;
        while bench.sent() < goal && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        tear(&bench.path("out.jsonl.journal"), kills);
    }
    let last = bench.run(&["in.jsonl", "-o", "out.jsonl", "--resume", "--quiet"]);
    assert_eq!(last.code, 0, "{}", last.err);
    assert_eq!(indexes(&bench.output()), (0..rows as u64).collect::<Vec<_>>());
    // What is sent once more was in flight: a user books a row before it takes the next.
    let most = rows + kills * 10;
    assert!((rows..=most).contains(&bench.sent()), "{} requests, {rows} rows, {kills} kills", bench.sent());
    kills
}

#[test]
fn a_killed_run_goes_on_where_it_was_and_sends_nothing_finished_again() {
    let kills = crash(400, (0..).map(|kill| 20 + 13 * kill));
    assert!(kills >= 3, "only {kills} kills");
}

#[test]
#[ignore = "takes a minute: cargo test --release --test it -- --ignored crash"]
fn a_crash_at_two_hundred_points_loses_no_row_and_sends_none_again() {
    // From 1 to 18 requests further each time, in an order without a pattern.
    let kills = crash(2000, (1..=200).map(|kill: usize| 1 + kill * 7 % 18));
    assert_eq!(kills, 200);
}

/// A loss of power leaves a last line without its end.
fn tear(journal: &Path, kill: usize) {
    if kill % 2 == 1 && fs::metadata(journal).is_ok_and(|file| file.len() > 0) {
        let mut file = fs::File::options().append(true).open(journal).unwrap();
        file.write_all(b"{\"custom_id\":\"r399\",\"index\":399,\"resp").unwrap();
    }
}

#[test]
fn failed_rows_are_sent_again_alone_and_take_their_places() {
    let bench = Bench::new(QUICK);
    let model = |row: usize| if row % 4 == 3 { "mock-400" } else { "m" };
    let rows = |model: &dyn Fn(usize) -> &'static str| -> String {
        (0..20)
            .map(|row| format!("{{\"prompt\":\"q{row}\",\"model\":\"{}\"}}\n", model(row)))
            .collect::<Vec<_>>()
            .concat()
    };
    fs::write(bench.path("in.jsonl"), rows(&model)).unwrap();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("5 http_4xx") && said.err.contains("--retry-failed"), "{}", said.err);
    let sent = bench.sent();
    // The failed rows may be mended; an answered one may not change.
    fs::write(bench.path("in.jsonl"), rows(&|_| "m")).unwrap();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "--retry-failed"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bench.sent() - sent, 5);
    assert_eq!(indexes(&bench.output()), (0..20).collect::<Vec<_>>());
    fs::write(bench.path("in.jsonl"), rows(&|_| "other")).unwrap();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("in.jsonl line 1: the line has changed since row 0 was answered"),
        "{}",
        said.err
    );
    assert_eq!(bench.output().len(), 20);
}

#[test]
fn the_outputs_of_all_shards_are_one_runs() {
    let bench = Bench::new(QUICK);
    bench.rows(50);
    let mut all = BTreeSet::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let output = format!("out-{}", &shard[..1]);
        let said = bench.run(&["in.jsonl", "-o", &output, "--shard", shard, "--skip", "5", "--limit", "40"]);
        assert_eq!(said.code, 0, "{said:?}");
        for index in indexes(&read(&bench.path(&output))) {
            assert!(all.insert(index), "row {index} twice");
        }
    }
    assert_eq!(all, (5..45).collect());
}

#[test]
fn what_is_there_is_not_replaced_and_not_shared() {
    let bench = Bench::new("ttft=400ms,gap=0,tokens=3,slots=inf");
    bench.rows(2);
    fs::write(bench.path("out.jsonl"), "precious\n").unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let said = bench.run(&[&["in.jsonl", "-o", "out.jsonl"], arguments].concat());
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(words) && said.err.contains("hint: "), "{}", said.err);
        assert_eq!(fs::read_to_string(bench.path("out.jsonl")).unwrap(), "precious\n");
    };
    refused(&[], "it is there already");
    refused(&["--resume"], "not written by baton batch");
    fs::remove_file(bench.path("out.jsonl")).unwrap();
    let mut first = bench.command(&["in.jsonl", "-o", "out.jsonl"]).stderr(Stdio::null()).spawn().unwrap();
    while bench.sent() < 2 {
        std::thread::yield_now();
    }
    let second = bench.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.err.contains("another run is writing there"), "{}", second.err);
    assert!(first.wait().unwrap().success());
    assert_eq!(bench.output().len(), 2);
}

#[test]
fn a_file_made_for_another_dialect_is_refused_before_anything_is_sent() {
    let bench = Bench::new(QUICK);
    let line = r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[]}}"#;
    fs::write(bench.path("in.jsonl"), line).unwrap();
    let said = bench.run(&["in.jsonl"]);
    assert_eq!((said.code, bench.sent()), (2, 0));
    assert!(
        said.err.contains("in.jsonl line 1: the line is made for chat") && said.err.contains("--api chat")
    );
}

#[test]
fn limits_end_a_run_and_leave_the_rest_for_a_later_one() {
    let bench = Bench::new("ttft=0,gap=0,tokens=3,slots=inf");
    bench.rows(200);
    let run =
        |arguments: &[&str]| bench.run(&[&["in.jsonl", "-o", "out.jsonl", "-c", "2"], arguments].concat());
    let said = run(&["--max-requests", "30"]);
    assert_eq!((said.code, bench.sent()), (7, 30), "{said:?}");
    assert!(said.err.contains("--max-requests is reached") && said.err.contains("--resume sends the rest"));
    let said = run(&["--resume"]);
    assert_eq!((said.code, bench.sent()), (0, 200), "{said:?}");
    let said = bench.run(&["in.jsonl", "--model", "mock-400", "--max-errors", "5", "-c", "1"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("rows failed, which is the most that may"), "{}", said.err);
    assert!(bench.sent() < 230, "{}", bench.sent());
}

#[test]
fn refused_credentials_and_a_quota_end_the_run_with_every_row_kept_for_later() {
    let bench = Bench::new("ttft=0,gap=0,tokens=3,slots=inf");
    bench.rows(100);
    for (model, code) in [("mock-401", 3), ("mock-quota", 7)] {
        let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "-c", "1", "--model", model, "--overwrite"]);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains("the run ended early"), "{}", said.err);
        assert_eq!(bench.output().len(), 0);
    }
    assert!(bench.sent() < 10, "{}", bench.sent());
    assert_eq!(bench.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]).code, 0);
    assert_eq!(bench.output().len(), 100);
}

#[test]
fn a_broken_stream_is_asked_for_again_from_its_beginning() {
    let bench = Bench::new("ttft=0,gap=0,tokens=6,slots=inf,seed=7,fault=cut:0.5");
    bench.rows(20);
    let said =
        bench.run(&["in.jsonl", "--stream", "--attempts", "50", "--backoff-base", "0", "-o", "out.jsonl"]);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = bench.output();
    assert!(rows.iter().all(|row| row["response"]["body"]["content"][0]["text"] == row["text"]));
    assert!(rows.iter().all(|row| row["text"].as_str().unwrap().split(' ').count() == 6));
    assert!(rows.iter().any(|row| row["attempts"].as_u64() > Some(1)));
}

#[test]
fn text_in_is_text_out_line_by_line() {
    let bench = Bench::new(QUICK);
    let mut command = bench.command(&["--text", "--output-form", "text"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\nthree\n").unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!((said.code, said.out.lines().count()), (0, 3), "{said:?}");
    assert!(said.out.lines().all(|line| !line.is_empty()));
}

#[test]
fn the_first_signal_lets_rows_in_flight_finish_and_tells_how_to_go_on() {
    let bench = Bench::new("ttft=150ms,gap=0,tokens=3,slots=inf");
    bench.rows(500);
    let mut command = bench.command(&["in.jsonl", "-o", "out.jsonl", "-c", "5"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    while bench.sent() < 7 {
        std::thread::yield_now();
    }
    signal(&child, "-INT");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let sent = bench.sent();
    assert!(said.contains("--resume sends the rest"), "{said}");
    assert_eq!(bench.output().len() + waiting(&said), sent);
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "--resume"]);
    assert_eq!((said.code, bench.sent(), bench.output().len()), (0, 500, 500), "{said:?}");
}

/// How many finished rows wait in the journal, as a run says it.
fn waiting(said: &str) -> usize {
    let (before, _) = said.split_once(" finished rows wait").unwrap_or_default();
    before.split_whitespace().next_back().map_or(0, |number| number.parse().unwrap())
}

fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_the_journal_keeps_what_was_finished() {
    let bench = Bench::new(QUICK);
    bench.rows(50);
    let said = bench.run(&["in.jsonl", "-o", "/dev/full", "--journal", "kept.journal"]);
    assert_eq!(said.code, 12, "{said:?}");
    assert!(said.err.contains("/dev/full") && said.err.contains("No space left"), "{}", said.err);
    let sent = bench.sent();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "--journal", "kept.journal", "--resume"]);
    assert_eq!((said.code, bench.output().len()), (0, 50), "{said:?}");
    assert!(sent > 0 && bench.sent() <= 50 + 50, "{sent}, {}", bench.sent());
}

#[cfg(unix)]
#[test]
fn a_device_keeps_no_journal_and_is_not_gone_on_from() {
    let bench = Bench::new(QUICK);
    bench.rows(3);
    std::os::unix::fs::symlink("/dev/null", bench.path("device")).unwrap();
    let arguments = ["in.jsonl", "-o", "device"];
    let said = bench.run(&arguments);
    assert_eq!((said.code, bench.sent()), (0, 3), "{said:?}");
    assert!(!bench.path("device.journal").exists() && !said.err.contains("--resume"), "{said:?}");
    let said = bench.run(&[&arguments[..], &["--resume"]].concat());
    assert_eq!((said.code, bench.sent()), (2, 3), "{said:?}");
    assert!(said.err.contains("--resume: only a file keeps what there is to go on from"), "{said:?}");
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    let bench = Bench::new(QUICK);
    bench.rows(400);
    let mut child = bench
        .command(&["in.jsonl", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn no_rows_are_no_failure_and_no_input_is_one() {
    let url = ["--url", "http://127.0.0.1:9", "--model", "m"];
    let said = run_with_input(&[&["batch"], &url[..]].concat(), b"\n\n");
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let said = run_with_input(&[&["batch", "missing.jsonl"], &url[..]].concat(), b"");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("missing.jsonl: No such file"), "{}", said.err);
}

#[test]
fn a_template_makes_prompts_of_fields_and_names_a_missing_one() {
    let bench = Bench::new(QUICK);
    fs::write(bench.path("ask.txt"), "Greet {{ name }} of {{ city }}.\n").unwrap();
    fs::write(bench.path("in.jsonl"), "{\"name\":\"Ada\",\"city\":\"Turin\"}\n{\"name\":\"Bo\"}\n").unwrap();
    let said = bench.run(&["in.jsonl", "-o", "out.jsonl", "--template", "ask.txt"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(bench.tap.notes().concat().contains("Greet Ada of Turin."));
    let rows = bench.output();
    assert!(rows[1]["error"]["message"].as_str().unwrap().contains("no field city"), "{}", rows[1]);
}

#[test]
fn an_answer_that_is_kept_is_not_paid_for_by_a_later_run() {
    let bench = Bench::new(QUICK);
    bench.rows(20);
    let run = |output: &str| {
        let arguments = ["in.jsonl", "-o", output, "--cache", "exact", "--cache-dir", "kept"];
        let said = bench.run(&arguments);
        assert_eq!(said.code, 0, "{said:?}");
        read(&bench.path(output))
    };
    let (first, second) = (run("a.jsonl"), run("b.jsonl"));
    assert_eq!(bench.sent(), 20);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first["response"]["body"], second["response"]["body"]);
        assert_eq!((&first["text"], &first["usage"]), (&second["text"], &second["usage"]));
        assert_eq!((&second["cached"], &second["attempts"]), (&"exact".into(), &0.into()));
    }
    let said = bench.run(&["in.jsonl", "--stream", "--cache", "exact"]);
    assert!(said.code == 2 && said.err.contains("--cache does not go with --stream"), "{said:?}");
}
