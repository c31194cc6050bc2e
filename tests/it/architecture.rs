//! Holds the table of rooms in docs/architecture.md against every file of `src`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest a file may be.
const LINES: usize = 400;

/// Each room with the rooms that it may import, as the design has them; a room not built yet is not listed.
fn rooms() -> BTreeMap<&'static str, Vec<&'static str>> {
    let below_cli = vec![
        "batch", "check", "client", "config", "load", "mock", "net", "outcome", "report", "units", "wire",
    ];
    BTreeMap::from([
        ("main", vec!["cli", "exit"]),
        (
            "exit",
            vec![
                "batch", "check", "cli", "client", "config", "load", "mock", "net", "outcome", "units",
                "wire",
            ],
        ),
        ("cli", below_cli),
        (
            "config",
            vec!["batch", "check", "client", "load", "mock", "net", "outcome", "report", "units", "wire"],
        ),
        ("report", vec!["batch", "check", "load", "outcome", "units"]),
        ("check", vec!["client", "load", "mock", "net", "outcome", "units", "wire"]),
        ("batch", vec!["client", "net", "outcome", "units", "wire"]),
        ("mock", vec!["net", "units", "wire"]),
        ("client", vec!["net", "outcome", "units", "wire"]),
        ("load", vec!["outcome", "units"]),
        ("net", vec!["outcome", "units"]),
        ("wire", vec!["units"]),
        ("outcome", vec!["units"]),
        ("units", vec![]),
    ])
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found.sort();
    assert!(found.len() > 20, "the sources were not found");
    found
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The room of a file: its folder, or its own name.
fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms named after every `crate::`, or `baton::` in the binary.
fn imports(text: &str) -> BTreeSet<String> {
    let prefixes = ["crate::", "baton::"];
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in code {
        for prefix in prefixes {
            for (at, _) in line.match_indices(prefix) {
                let preceded =
                    line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
                if preceded {
                    continue;
                }
                let rest = &line[at + prefix.len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(
                    !name.is_empty(),
                    "one `use crate::room::…` a line, without braces at the root: {line}"
                );
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn every_file_imports_only_what_its_room_may() {
    let rooms = rooms();
    for (path, text) in all_sources() {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        let allowed =
            rooms.get(room.as_str()).unwrap_or_else(|| panic!("{} stands in no room", path.display()));
        for import in imports(&text) {
            let fine = import == room || allowed.contains(&import.as_str());
            assert!(fine, "{} may not import {import}", path.display());
        }
    }
}

#[test]
fn the_table_of_rooms_has_no_cycle() {
    fn visit(room: &str, rooms: &BTreeMap<&str, Vec<&str>>, above: &mut Vec<String>) {
        assert!(!above.iter().any(|seen| seen == room), "a cycle: {above:?} {room}");
        above.push(room.to_owned());
        for below in &rooms[room] {
            visit(below, rooms, above);
        }
        above.pop();
    }
    let rooms = rooms();
    for room in rooms.keys() {
        visit(room, &rooms, &mut Vec::new());
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    for (path, text) in all_sources() {
        assert!(text.starts_with("//! "), "{} does not open with a //! sentence", path.display());
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines, more than {LINES}", path.display());
    }
}

#[test]
fn no_room_is_a_drawer() {
    let drawers = ["utils", "util", "helpers", "helper", "common", "manager", "types", "kinds"];
    for (path, _) in all_sources() {
        for part in path.components() {
            let name = part.as_os_str().to_string_lossy();
            assert!(!drawers.contains(&name.trim_end_matches(".rs")), "{}", path.display());
        }
    }
}
