//! The completion scripts at work in the shells that are installed here.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The folder of the generated scripts, which the golden test holds fresh.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions");

/// Whether a shell can be tried; where it cannot, the test says so even without `--nocapture`.
fn is_installed(shell: &str) -> bool {
    let probe = Command::new(shell).args(["-c", "exit"]).stdin(Stdio::null()).status();
    let found = probe.is_ok_and(|status| status.success());
    if !found {
        // `eprintln!` would be captured, and a test that was skipped unseen looks like one that passed.
        let _ =
            writeln!(std::io::stderr(), "skipped: {shell} is not installed, its completions are not tried");
    }
    found
}

/// A home with profiles, one of them with a name that a shell would take apart, and one beside it in another file.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/baton");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "[profile.work]\n[profile.lab]\n[profile.'la $(x)']\n")
        .unwrap();
    std::fs::write(home.path().join("other.toml"), "[profile.elsewhere]\n").unwrap();
    home
}

/// A shell that finds the binary, at home there.
fn shell(name: &str, home: &TempDir) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_baton")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new(name);
    shell.env("PATH", path).env("HOME", home.path()).current_dir(home.path());
    for name in ["BATON_CONFIG", "XDG_CONFIG_HOME"] {
        shell.env_remove(name);
    }
    shell
}

fn lines(said: &Output) -> Vec<String> {
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
}

/// What bash offers for the last of these words.
fn offered_by_bash(words: &[&str]) -> Vec<String> {
    let script = Path::new(SCRIPTS).join("baton.bash");
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let program = format!(
        "source '{}'\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD={}\n_baton baton '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.len() - 1
    );
    let said = shell("bash", &home())
        .args(["--norc", "--noprofile", "-c", &program, "bash"])
        .args(words)
        .output()
        .unwrap();
    lines(&said)
}

#[test]
fn bash_completes_the_profiles_of_the_file_that_is_named() {
    if !is_installed("bash") {
        return;
    }
    let all = ["la\\ \\$\\(x\\)", "lab", "work"];
    for command in [&["send"][..], &["bench"], &["models"], &["config", "show"]] {
        assert_eq!(offered_by_bash(&[&["baton"], command, &["--profile", ""]].concat()), all);
    }
    assert_eq!(offered_by_bash(&["baton", "send", "--profile", "wo"]), ["work"]);
    let elsewhere = ["baton", "send", "--config", "other.toml", "--profile", ""];
    assert_eq!(offered_by_bash(&elsewhere), ["elsewhere"]);
    let elsewhere = ["baton", "send", "--config", "=", "other.toml", "--profile", ""];
    assert_eq!(offered_by_bash(&elsewhere), ["elsewhere"]);
    let broken = ["baton", "send", "--config", "none.toml", "--profile", ""];
    assert_eq!(offered_by_bash(&broken), [""]);
}

#[test]
fn fish_completes_dialects_and_profiles() {
    if !is_installed("fish") {
        return;
    }
    let offered = |line: &str| {
        let script = Path::new(SCRIPTS).join("baton.fish");
        let program = format!("source '{}'; complete -C '{line}'", script.display());
        let said = shell("fish", &home()).args(["--no-config", "-c", &program]).output().unwrap();
        // A description may follow after a tab.
        lines(&said).iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(offered("baton send --api c"), ["chat", "complete"]);
    let mut all = offered("baton bench --profile ");
    all.sort();
    assert_eq!(all, ["la $(x)", "lab", "work"]);
    assert_eq!(offered("baton send --profile wo"), ["work"]);
    assert_eq!(offered("baton send --config other.toml --profile "), ["elsewhere"]);
    assert_eq!(offered("baton send --config=other.toml --profile "), ["elsewhere"]);
}

#[test]
fn bash_completes_commands_flags_and_dialects() {
    if !is_installed("bash") {
        return;
    }
    let dialects = ["messages", "chat", "responses", "complete", "raw"];
    assert_eq!(offered_by_bash(&["baton", "send", "--api", ""]), dialects);
    assert_eq!(offered_by_bash(&["baton", "send", "-a", "c"]), ["chat", "complete"]);
    assert!(offered_by_bash(&["baton", "be"]).contains(&"bench".to_owned()));
    assert_eq!(offered_by_bash(&["baton", "send", "--max-t"]), ["--max-tokens"]);
    assert_eq!(offered_by_bash(&["baton", "completions", "pow"]), ["powershell"]);
}

/// Types a line and two tabs into an interactive zsh and waits until the expected words are on its screen.
const ZSH: &str = r#"
zmodload zsh/zpty zsh/zselect
await() {
  local seen= piece=
  while (( SECONDS < 30 )); do
    zpty -r -t shell piece && seen+=$piece
    [[ $seen == $~1 ]] && return
    zselect -t 5
  done
  print -r -- "$seen"
  exit 1
}
zpty shell zsh -f -i
# The word is split, so that the echo of the command cannot be mistaken for its result.
zpty -w shell "PS1=; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; print read''y"
await '*ready*'
zpty -w -n shell "$2"$'\t\t'
await "$3"
zpty -d shell
"#;

#[test]
fn zsh_completes_dialects_and_profiles() {
    if !is_installed("zsh") {
        return;
    }
    for (line, offered) in [
        ("baton send --api ", "*messages*responses*"),
        ("baton bench --profile ", "*la*x*lab*work*"),
        ("baton send --config other.toml --profile ", "*elsewhere*"),
    ] {
        let said = shell("zsh", &home())
            .args(["-f", "-c", ZSH, "zsh", SCRIPTS, line, offered])
            .env("TERM", "xterm")
            .output()
            .unwrap();
        assert!(said.status.success(), "{line}: {said:?}");
    }
}
