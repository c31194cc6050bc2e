//! Every flag of every subcommand has a row in a table; each row is played against the binary and its effect is seen.
//!
//! `flags/COMMAND.txt` holds the rows of one subcommand, `flags/shared.txt` those of every subcommand with an `ask:` line
//! (how the rows begin it). A row is one line of four columns:
//!
//! `FLAG VALUE | what is seen with it and not without it | the command line without it | values that are refused`
//!
//! What is seen are clauses joined by ` & `: `out TEXT`, `err TEXT` (or `err` for anything), `code N`, `wire TEXT` (sent to the relay), `tls TEXT`
//! (noted by the TLS server: name and protocol), `times N TEXT` (on the wire), `connections N`, `file NAME TEXT`; `not`
//! before one denies it, and a first clause `alone` leaves the run without the flag out, because the default is the same or
//! takes long. Refused values stand between ` ; `; `any` means that no text is wrong, `-` that the flag takes no
//! value, `12:VALUE` that the exit code is that and not 2. `stage.rs` says what the names in braces stand for.

mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use self::stage::{Seen, Stage};

/// One line of a table, for one subcommand.
#[derive(Debug, Clone)]
struct Row {
    /// The flag or the positional argument with its value, as words.
    given: String,
    seen: String,
    base: String,
    refused: String,
}

/// The rows of one subcommand.
#[derive(Debug, Default)]
struct Table {
    /// How shared rows begin the subcommand; without it they are none of its.
    ask: Option<String>,
    rows: Vec<Row>,
}

impl Row {
    fn parse(line: &str) -> Self {
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [given, seen, base, refused] = columns[..] else { panic!("not four columns: {line}") };
        Self { given: given.into(), seen: seen.into(), base: base.into(), refused: refused.into() }
    }

    /// The flag's name, `--name` or that of a positional argument.
    fn name(&self) -> &str {
        self.given.split([' ', '=']).next().unwrap_or_default()
    }

    /// The words that the row adds to its base.
    fn added(&self) -> &str {
        if self.given.starts_with('-') {
            return &self.given;
        }
        self.given.split_once(' ').map_or("", |(_, value)| value)
    }

    /// The words that give this value in place of the row's own.
    fn with(&self, value: &str) -> String {
        if self.given.starts_with('-') { format!("{}={value}", self.name()) } else { value.to_owned() }
    }
}

fn tables() -> BTreeMap<String, Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/flags");
    let mut tables = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let mut table = Table::default();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("ask:") {
                Some(ask) => table.ask = Some(ask.trim().to_owned()),
                None => table.rows.push(Row::parse(line)),
            }
        }
        tables.insert(path.file_stem().unwrap().to_str().unwrap().replace('-', " "), table);
    }
    tables
}

/// A flag of the command tree.
struct Flag {
    name: String,
    takes_value: bool,
    is_global: bool,
}

/// Each subcommand that does something, with its flags.
fn commands() -> BTreeMap<String, Vec<Flag>> {
    fn visit(command: &clap::Command, path: &str, found: &mut BTreeMap<String, Vec<Flag>>) {
        for below in command.get_subcommands() {
            visit(below, format!("{path} {}", below.get_name()).trim(), found);
        }
        if command.has_subcommands() {
            return;
        }
        let flags =
            command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"));
        let flag = |arg: &clap::Arg| Flag {
            name: match arg.get_long() {
                Some(long) => format!("--{long}"),
                None => arg.get_value_names().unwrap()[0].to_string(),
            },
            takes_value: arg.get_action().takes_values(),
            is_global: arg.is_global_set(),
        };
        found.insert(path.to_owned(), flags.map(flag).collect());
    }
    let mut root = baton::cli::command();
    root.build();
    let mut found = BTreeMap::new();
    visit(&root, "", &mut found);
    found
}

/// Every row with its subcommand, shared ones begun as that subcommand says.
fn plays() -> Vec<(String, Row)> {
    let (tables, commands) = (tables(), commands());
    let shared = &tables["shared"];
    let mut plays = Vec::new();
    for (command, flags) in &commands {
        let Some(table) = tables.get(command) else { continue };
        let own: BTreeSet<&str> = table.rows.iter().map(Row::name).collect();
        let fits = |row: &&Row| !own.contains(row.name()) && flags.iter().any(|flag| flag.name == row.name());
        let lent = shared.rows.iter().filter(|_| table.ask.is_some()).filter(fits);
        for row in table.rows.iter().chain(lent) {
            let base = row.base.replace("{ask}", table.ask.as_deref().unwrap_or(command));
            let base = base.replace("{once}", "BATON_CONFIG={fixed}/config.toml BATON_PROFILE=once");
            plays.push((command.clone(), Row { base, ..row.clone() }));
        }
    }
    plays
}

/// Plays every row on a few stages at once and gives what each finds wrong.
fn play_all(play: impl Fn(&Stage, &Row) -> Vec<String> + Sync) {
    let waiting = Mutex::new(plays());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stage = Stage::new();
                loop {
                    let Some((command, row)) = waiting.lock().unwrap().pop() else { return };
                    let found = play(&stage, &row);
                    wrong
                        .lock()
                        .unwrap()
                        .extend(found.iter().map(|text| format!("{command} {}: {text}", row.given)));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_flag_of_every_subcommand_has_a_row_and_every_row_a_flag() {
    let (tables, commands) = (tables(), commands());
    let mut wrong = Vec::new();
    for (command, flags) in &commands {
        let file = format!("tests/it/flags/{}.txt", command.replace(' ', "-"));
        let Some(table) = tables.get(command) else {
            wrong.push(format!("{file} is missing: each flag of `baton {command}` needs a row"));
            continue;
        };
        let lent = tables["shared"].rows.iter().filter(|_| table.ask.is_some());
        let rows: BTreeMap<&str, &Row> = lent.chain(&table.rows).map(|row| (row.name(), row)).collect();
        for flag in flags {
            match rows.get(flag.name.as_str()) {
                // What a command has nothing to say of, it need not silence.
                None if flag.is_global && table.ask.is_none() => {}
                None => wrong.push(format!("{file}: {} has no row", flag.name)),
                Some(row) if flag.takes_value == (row.refused == "-") => {
                    wrong.push(format!("{file}: {} must say which values are refused", flag.name));
                }
                Some(_) => {}
            }
        }
        let known: BTreeSet<&str> = flags.iter().map(|flag| flag.name.as_str()).collect();
        for row in table.rows.iter().filter(|row| !known.contains(row.name())) {
            wrong.push(format!("{file}: there is no {}", row.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_flag_has_an_effect_that_is_seen_from_outside() {
    play_all(|stage, row| {
        let alone = row.seen.strip_prefix("alone & ");
        let expected = alone.unwrap_or(&row.seen);
        let with = stage.run(&format!("{} {}", row.base, row.added()));
        let mut wrong = Vec::new();
        if !holds(expected, &with) {
            wrong.push(format!("with it, '{expected}' is not seen:\n{with:?}"));
        }
        let without = alone.is_none().then(|| stage.run(&row.base));
        if let Some(without) = without.filter(|without| holds(expected, without)) {
            wrong.push(format!("without it, '{expected}' is seen too:\n{without:?}"));
        }
        wrong
    });
}

/// What a refusal says so that its reader knows what to write. A file that is not there and a value that is left out need
/// no more words.
const GUIDANCE: [&str; 10] = [
    "hint: ",
    "possible values: ",
    "write ",
    "as in ",
    "must be ",
    "at least ",
    "it has ",
    "has no effect",
    "No such file",
    "a value is required",
];

#[test]
fn every_wrong_value_is_refused_by_the_flags_name_and_with_guidance() {
    play_all(|stage, row| {
        let values = row.refused.split(" ; ").filter(|value| !matches!(*value, "any" | "-"));
        let mut wrong = Vec::new();
        for value in values {
            let code =
                value.split_once(':').and_then(|(code, value)| Some((code.parse::<i32>().ok()?, value)));
            let (code, value) = code.unwrap_or((2, value));
            let seen = stage.run(&format!("{} {}", row.base, row.with(value)));
            let named = code != 2 || !row.given.starts_with('-') || seen.said.err.contains(row.name());
            let guided = code != 2 || GUIDANCE.iter().any(|words| seen.said.err.contains(words));
            if seen.said.code != code || !seen.said.out.is_empty() || !named || !guided {
                wrong.push(format!("'{value}' is not refused with {code}, name and guidance:\n{seen:?}"));
            }
        }
        wrong
    });
}

/// Whether every clause is true of what was seen.
fn holds(clauses: &str, seen: &Seen) -> bool {
    clauses.split(" & ").all(|clause| match clause.strip_prefix("not ") {
        Some(denied) => !is_true(denied, seen),
        None => is_true(clause, seen),
    })
}

fn is_true(clause: &str, seen: &Seen) -> bool {
    let (kind, text) = clause.split_once(' ').unwrap_or((clause, ""));
    let number = |text: &str| text.parse::<usize>().unwrap_or_else(|_| panic!("no number in: {clause}"));
    let text = &seen.filled(text);
    match kind {
        "out" => seen.said.out.contains(text),
        "err" if text.is_empty() => !seen.said.err.is_empty(),
        "err" => seen.said.err.contains(text),
        "wire" => seen.wire.contains(text),
        "tls" => seen.tls.contains(text),
        "code" => seen.said.code == text.parse::<i32>().unwrap(),
        "connections" => seen.connections == number(text),
        "times" => {
            let (count, words) = text.split_once(' ').unwrap();
            seen.wire.matches(words).count() == number(count)
        }
        "file" => {
            let (name, words) = text.split_once(' ').unwrap();
            fs::read_to_string(seen.folder.path().join(name)).is_ok_and(|file| file.contains(words))
        }
        other => panic!("no kind of clause: {other}"),
    }
}
