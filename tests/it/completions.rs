//! The completion scripts at work in the shells that are installed here.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// What bash offers for the last of these words.
fn offered_by_bash(words: &[&str]) -> Vec<String> {
    let script = Path::new(SCRIPTS).join("baton.bash");
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let program = format!(
        "source '{}'\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD={}\n_baton baton '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.len() - 1
    );
    let said = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", &program, "bash"])
        .args(words)
        .output()
        .unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect()
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
fn zsh_completes_dialects() {
    if !is_installed("zsh") {
        return;
    }
    let said = Command::new("zsh")
        .args(["-f", "-c", ZSH, "zsh", SCRIPTS, "baton send --api ", "*messages*responses*"])
        .env("TERM", "xterm")
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
}
