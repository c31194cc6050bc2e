//! Each `--help` is a file under `tests/golden/help`, and completions and manual pages are those of the repository;
//! `UPDATE_GOLDEN=1` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::baton::run;

/// Compares a text with its file in the repository, or rewrites that.
fn check(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{} is stale; look at the difference and rewrite it with UPDATE_GOLDEN=1\n--- golden\n{golden}\n--- now\n{text}",
        path.display()
    );
}

#[test]
fn the_help_of_every_command_is_the_one_that_was_reviewed() {
    let mut root = baton::cli::command().term_width(100);
    // Without this the usage lines lack the program's name and the global flags.
    root.build();
    check("tests/golden/help/baton.txt", &root.render_long_help().to_string());
    let names: Vec<String> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert!(names.len() >= 3);
    for name in names {
        let command = root.find_subcommand_mut(&name).unwrap();
        check(&format!("tests/golden/help/{name}.txt"), &command.render_long_help().to_string());
        for below in command.get_subcommands_mut() {
            let name = format!("tests/golden/help/{name}-{}.txt", below.get_name());
            check(&name, &below.render_long_help().to_string());
        }
    }
}

#[test]
fn the_command_tree_is_sound() {
    baton::cli::command().debug_assert();
}

/// The names of the files in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_completions_of_every_shell_are_the_ones_in_the_repository() {
    for (shell, file) in [
        ("bash", "baton.bash"),
        ("zsh", "_baton"),
        ("fish", "baton.fish"),
        ("powershell", "_baton.ps1"),
        ("elvish", "baton.elv"),
    ] {
        let said = run(&["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
        check(&format!("completions/{file}"), &said.out);
    }
}

#[test]
fn the_manual_pages_are_the_ones_in_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    // A folder that is not there yet is made.
    let written = folder.path().join("man/man1");
    let said = run(&["man", written.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let pages = names(&written);
    assert!(pages.contains("baton.1") && pages.contains("baton-send.1"), "{pages:?}");
    for page in &pages {
        check(&format!("docs/man/{page}"), &fs::read_to_string(written.join(page)).unwrap());
    }
    let kept = names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man"));
    assert_eq!(kept, pages, "a page of a command that is gone must go, too");
    assert_eq!(run(&["man"]).out, fs::read_to_string(written.join("baton.1")).unwrap());
}

/// The saved run of docs/examples in every form for people and scripts.
#[test]
fn the_examples_are_what_the_saved_run_is_in_every_form() {
    let saved = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/litellm.json");
    for (form, file) in
        [("table", "txt"), ("markdown", "md"), ("csv", "csv"), ("junit", "junit.xml"), ("html", "html")]
    {
        let said = run(&["report", "show", saved, "--format", form]);
        assert_eq!(said.code, 0, "{said:?}");
        check(&format!("docs/examples/litellm.{file}"), &said.out);
    }
}
