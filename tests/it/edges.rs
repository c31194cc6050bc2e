//! What a machine does to a command: bytes that are no text, streams that are closed, disks that are full or read-only.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::baton::{Said, baton, relay};

const QUICK: &str = "ttft=0,gap=0,tokens=6";

/// Latin-1, which is no UTF-8.
const LATIN: &[u8] = b"caf\xe9";

fn said(command: &mut Command) -> Said {
    command.output().unwrap().into()
}

#[test]
fn an_argument_that_is_no_text_is_named() {
    for format in ["text", "json"] {
        let said =
            said(baton().args(["send", "--mock", "--error-format", format]).arg(OsStr::from_bytes(LATIN)));
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        assert!(said.err.contains("argument 5, 'caf\u{fffd}', is not UTF-8 text"), "{said:?}");
        assert_eq!(said.err.starts_with('{'), format == "json", "{said:?}");
    }
}

#[test]
fn a_path_that_is_no_text_is_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(LATIN));
    fs::write(&path, "zebra").unwrap();
    let shown = said(baton().args(["send", "--mock", "--dry-run", "--file"]).arg(&path));
    assert!(shown.out.contains("zebra"), "{shown:?}");
    let written = said(baton().args(["send", "--mock=ttft=0", "Hello", "-o"]).arg(&path));
    assert_eq!((written.code, written.err.as_str()), (0, ""), "{written:?}");
    assert_ne!(fs::read(&path).unwrap(), b"zebra");
    let saved = said(
        baton().args(["bench", "--mock=ttft=0", "-c", "1", "-n", "1", "--warmup", "0", "--save"]).arg(&path),
    );
    assert_eq!(saved.code, 0, "{saved:?}");
    assert!(fs::read_to_string(&path).unwrap().starts_with('{'));
}

#[test]
fn a_home_that_is_no_text_has_its_configuration_read() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(OsStr::from_bytes(LATIN));
    fs::create_dir_all(home.join(".config/baton")).unwrap();
    fs::write(home.join(".config/baton/config.toml"), "[profile.p]\n").unwrap();
    let said = said(baton().args(["config", "profiles"]).env("HOME", home));
    assert_eq!((said.code, said.out.as_str()), (0, "p\n"), "{said:?}");
}

#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name_and_one_of_others_is_not() {
    for name in ["BATON_MODEL", "BATON_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL"] {
        let said = said(baton().args(["send", "--mock", "Hello"]).env(name, OsStr::from_bytes(LATIN)));
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(&format!("{name}: its value is not UTF-8 text")), "{said:?}");
    }
    let said = said(baton().args(["send", "--mock=ttft=0", "Hello"]).env("EDITOR", OsStr::from_bytes(LATIN)));
    assert_eq!(said.code, 0, "{said:?}");
}

/// Runs the binary by a shell that closes or leads away some of its streams.
fn redirected(redirections: &str, arguments: &[&str]) -> Said {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec \"$0\" \"$@\" {redirections}"), env!("CARGO_BIN_EXE_baton")])
        .args(arguments);
    shell.env_remove("BATON_CONFIG").env("HOME", "/nonexistent").stdin(Stdio::null());
    said(&mut shell)
}

#[test]
fn a_closed_input_is_an_empty_one_and_a_closed_error_stream_changes_no_exit_code() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let send =
        |model| ["send", "--url", &url, "--model", model, "--attempts", "1", "Hello"].map(str::to_owned);
    for (redirections, model, code) in [
        ("<&-", "m", 0),
        ("2>&-", "m", 0),
        ("<&- 2>&-", "m", 0),
        ("2>&-", "mock-401", 3),
        ("2>/dev/full", "mock-401", 3),
    ] {
        let arguments = send(model);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = redirected(redirections, &arguments);
        assert_eq!((said.code, said.out.is_empty()), (code, code != 0), "{redirections}: {said:?}");
    }
}

#[test]
fn a_file_gets_the_answer_and_nothing_else_where_every_stream_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.json");
    let name = path.to_str().unwrap();
    let arguments = ["send", "--mock=ttft=0", "--format", "json", "--timing", "-v", "-o", name, "Hello"];
    let said = redirected("<&- >&- 2>&-", &arguments);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_slice::<serde_json::Value>(&fs::read(&path).unwrap()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_a_command_prints_onto_a_full_disk_it_says_so() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let bench = ["bench", "--url", &url, "--model", "m", "-c", "1", "-n", "1", "--warmup", "0"];
    for arguments in [
        &["send", "--url", &url, "--model", "m", "Hello"][..],
        &["send", "--url", &url, "--model", "m", "--format", "json", "Hello"],
        &["send", "--url", &url, "--model", "m", "--dry-run", "Hello"],
        &bench,
        &["models", "--url", &url],
        &["config", "show"],
        &["config", "path", "--config", "x"],
        &["completions", "zsh"],
        &["man"],
        &["mock"],
        &["mock", "--list-faults"],
        &["--help"],
        &["send", "--help"],
        &["--version"],
    ] {
        let said = redirected(">/dev/full", arguments);
        assert_eq!(said.code, 12, "{arguments:?}: {said:?}");
    }
    for flag in ["--output", "--save"] {
        let said = redirected("", &[&bench[..], &[flag, "/dev/full"]].concat());
        assert_eq!(said.code, 12, "{flag}: {said:?}");
        assert!(said.err.contains("/dev/full") && said.err.contains("No space left"), "{flag}: {said:?}");
    }
}

/// Runs a script where a tiny file system is mounted at `$1`; says so, and gives nothing, where that is not allowed.
#[cfg(target_os = "linux")]
fn with_disk(options: &str, script: &str) -> Option<(Said, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "mount -t tmpfs -o {options} none \"$1\" || exit 99\nB={}\n{script}",
        env!("CARGO_BIN_EXE_baton")
    );
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", &program, "sh"])
        .arg(folder.path())
        .stdin(Stdio::null());
    let said: Option<Said> = command.output().ok().map(Into::into);
    let usable = said.filter(|said| said.code != 99 && !said.err.starts_with("unshare: "));
    if usable.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: no mount namespace can be made, disks are not tried");
    }
    usable.map(|said| (said, folder))
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_during_an_answer_keeps_no_rest_of_it() {
    let script = "$B send --mock=ttft=0,gap=0,tokens=20000 --max-tokens 20k -o \"$1/answer\" Hello; echo $?; ls -A \"$1\"";
    let Some((said, _)) = with_disk("size=32k", script) else { return };
    assert_eq!(said.out, "12\n", "{said:?}");
    assert!(said.err.contains("No space left") && said.err.contains("answer"), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_read_only_is_named_before_anything_is_sent() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let script = format!(
        "$B send --url {url} --model m -o \"$1/answer\" Hello; echo $?\n\
         $B bench --url {url} --model m -c 1 -n 1 --save \"$1/run.json\"; echo $?\n\
         $B mock --log \"$1/log\"; echo $?\n$B man \"$1/man\"; echo $?"
    );
    let Some((said, _)) = with_disk("ro", &script) else { return };
    assert_eq!(said.out, "12\n".repeat(4), "{said:?}");
    assert_eq!(said.err.matches("Read-only file system").count(), 4, "{said:?}");
    assert_eq!(relay.stats().requests, 0);
}

#[test]
fn a_prompt_of_many_megabytes_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompt.txt");
    fs::write(&path, "word ".repeat(4_000_000)).unwrap();
    let relay = relay(QUICK);
    let url = relay.base_url();
    let said =
        said(baton().args(["send", "--url", &url, "--model", "m", "--format", "json", "--file"]).arg(&path));
    assert_eq!(said.code, 0, "{}", said.err);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    // The relay counts a token for each four characters or so.
    assert!(answer["usage"]["input"].as_u64().unwrap() > 3_000_000, "{}", answer["usage"]);
}

#[test]
fn only_these_files_read_the_clock_on_the_wall_which_can_be_set_back() {
    // Each names a moment for people or reads one that a relay names; no duration is made of two of them, but where a moment
    // has to outlive the process.
    const READERS: [(&str, &str); 13] = [
        ("check/headers.rs", "how far a relay's Date is off"),
        ("check/reach.rs", "how long a certificate still holds"),
        ("check/seen.rs", "how far the Date of a refusal is off"),
        ("cli", "when a run began or ended, for people"),
        ("client", "how long it is until the date in a Retry-After"),
        ("config/sync", "when a source confirmed a version, which the next run reads"),
        ("load/vitals.rs", "whether it jumps"),
        ("mock", "when an answer was made"),
        ("net/auth/", "when a stored token ends, which other processes read, too"),
        ("net/hint.rs", "the same date, in tests"),
        (
            "net/limit/ledger.rs",
            "when the next request of a shared rate is due, where no clock since the start is read",
        ),
        ("net/sign/mod.rs", "when a request was signed, which its relay reads"),
        ("units/clock.rs", "one moment that a monotonic clock is set by"),
    ];
    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if fs::read_to_string(&path).is_ok_and(|text| {
                ["SystemTime::now", "Timestamp::now", "Zoned::now"].iter().any(|clock| text.contains(clock))
            }) {
                found.push(path.to_str().unwrap().split_once("/src/").unwrap().1.to_owned());
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.retain(|file| !READERS.iter().any(|(reader, _)| file.starts_with(reader)));
    assert!(found.is_empty(), "{found:?}: measure with tokio's Instant, which only goes forward");
}
