//! Each `--help` is a file under `tests/golden/help`; `UPDATE_GOLDEN=1` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

/// Compares a text with its golden file, or rewrites that.
fn check(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
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
    check("help/baton.txt", &root.render_long_help().to_string());
    let names: Vec<String> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert!(names.len() >= 3);
    for name in names {
        let command = root.find_subcommand_mut(&name).unwrap();
        check(&format!("help/{name}.txt"), &command.render_long_help().to_string());
        for below in command.get_subcommands_mut() {
            let name = format!("help/{name}-{}.txt", below.get_name());
            check(&name, &below.render_long_help().to_string());
        }
    }
}

#[test]
fn the_command_tree_is_sound() {
    baton::cli::command().debug_assert();
}
