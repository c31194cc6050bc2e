//! `baton config sync` against two sources: what it believes, what it keeps, and what it says of sources out of step.

#[cfg(unix)]
mod runs;
mod world;

use std::fs;
use std::io::{BufRead, BufReader, Cursor};
use std::process::{Command, Stdio};

use minisign::KeyPair;
use serde_json::Value;

use crate::baton::Said;

use self::world::World;

fn file(version: u64) -> String {
    format!(
        "version = {version}\nnot-after = 2999-01-01T00:00:00Z\n\
         [[endpoint]]\nurl = \"http://127.0.0.1:8080\"\nzone = \"eu-1\"\nweight = 3\n[limits]\nrate = \"60/m\"\n"
    )
}

fn seen(code: i32, version: Option<u64>, verdicts: [&str; 2]) -> (i32, Option<u64>, [String; 2]) {
    (code, version, verdicts.map(str::to_owned))
}

#[test]
fn a_newer_version_is_followed_and_an_older_one_is_not() {
    let world = World::new("");
    assert_eq!(world.once(), seen(0, Some(7), ["new", "new"]));
    assert_eq!(world.once(), seen(0, Some(7), ["unchanged", "unchanged"]));
    let heads = world.eu.front.notes();
    assert_eq!(heads.len(), 3, "an unchanged file takes one request: {heads:?}");
    assert!(heads[2].contains("if-none-match: \""), "{}", heads[2]);
    world.eu.serve(&file(8), &world.sign(&file(8)));
    assert_eq!(world.once(), seen(0, Some(8), ["new", "stale"]));
    world.eu.serve(&file(7), &world.sign(&file(7)));
    assert_eq!(world.once(), seen(0, Some(8), ["rolled-back", "stale"]));
    world.us.serve(&file(9), &world.sign(&file(9)));
    assert_eq!(world.once(), seen(0, Some(9), ["rolled-back", "new"]));
    let shown = world.run(&["show"]);
    assert!(shown.out.contains("version 9"), "{shown:?}");
    assert!(shown.out.contains("holds until 2999-01-01T00:00:00Z"), "{shown:?}");
}

#[test]
fn what_is_not_to_be_believed_is_neither_used_nor_kept() {
    let stranger = KeyPair::generate_unencrypted_keypair().unwrap();
    let signed_by = |keys: &KeyPair, text: &str| {
        minisign::sign(None, &keys.sk, Cursor::new(text), None, None).unwrap().into_string()
    };
    let change = |from: &str, to: &str| file(8).replace(from, to);
    let world = World::new("");
    let good = file(8);
    let own = |text: &str| signed_by(&world.keys, text);
    let cases = [
        ("bad-signature", "another key", good.clone(), signed_by(&stranger, &good)),
        ("bad-signature", "does not fit", change("60/m", "61/m"), own(&good)),
        ("truncated", "ends within a line", good[..good.len() - 9].to_owned(), own(&good)),
        ("truncated", "broke off", format!("{good}CUT"), own(&good)),
        ("expired", "held until", change("2999", "2001"), own(&change("2999", "2001"))),
        ("refused", "not allowed on this machine", change(":8080", ":8081"), own(&change(":8080", ":8081"))),
        (
            "refused",
            ":6: endpoint.key-file",
            change("weight = 3", "key-file = 'k'"),
            own(&change("weight = 3", "key-file = 'k'")),
        ),
        (
            "refused",
            ":6: unknown key 'endpoint.wait'",
            change("weight", "wait"),
            own(&change("weight", "wait")),
        ),
    ];
    for (verdict, detail, document, signature) in &cases {
        let fresh = tempfile::tempdir().unwrap();
        for region in [&world.eu, &world.us] {
            region.serve(document, signature);
        }
        let said: Said =
            world.command(&["sync", "--once"]).env("XDG_STATE_HOME", fresh.path()).output().unwrap().into();
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.out.contains(verdict) && said.out.contains(detail), "{verdict}, {detail}: {said:?}");
        assert!(said.err.contains("none was ever accepted"), "{said:?}");
    }
    // The same beside a version that is good already.
    let world = World { home: tempfile::tempdir().unwrap(), ..world };
    world.configure("");
    world.us.serve(&file(7), &world.sign(&file(7)));
    for (verdict, _, document, signature) in &cases {
        world.eu.serve(document, signature);
        let (_, version, verdicts) = world.once();
        assert_eq!((version, verdicts[0].as_str()), (Some(7), *verdict));
    }
}

#[test]
fn with_both_sources_gone_the_last_version_is_used_for_a_time() {
    let world = World::new("");
    assert_eq!(world.once().0, 0);
    for region in [&world.eu, &world.us] {
        region.files.lock().unwrap().clear();
    }
    let said = world.run(&["sync", "--once"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("no source serves version 7 now; it is kept from"), "{said:?}");
    assert_eq!(world.once(), seen(0, Some(7), ["unreachable", "unreachable"]));
    world.configure("config-max-age = '1ms'");
    let said = world.run(&["sync", "--once"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("config-max-age is 1 ms"), "{said:?}");
    let shown = world.run(&["show"]);
    assert!(shown.out.contains("no source has served version 7"), "{shown:?}");
    for region in [&world.eu, &world.us] {
        region.serve(&file(7), &world.sign(&file(7)));
    }
    world.configure("");
    assert_eq!(world.once(), seen(0, Some(7), ["new", "new"]));
}

#[test]
fn a_version_that_soon_ends_is_remarked_on() {
    let world = World::new("");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(71);
    let text = file(8).replace("2999-01-01T00:00:00Z", &format!("{soon:.0}"));
    world.eu.serve(&text, &world.sign(&text));
    let said = world.run(&["sync", "--once"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("note: version 8 holds for"), "{said:?}");
    assert!(!world.run(&["sync", "--once", "--quiet"]).err.contains("note:"));
}

#[test]
fn many_processes_at_once_keep_one_whole_state_for_their_owner_alone() {
    let world = World::new("");
    let spawn = |_| {
        let mut command = world.command(&["sync", "--once", "--format", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(spawn).collect();
    world.eu.serve(&file(8), &world.sign(&file(8)));
    for child in children {
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(world.once().1, Some(8));
    let state: Value = serde_json::from_str(&fs::read_to_string(world.state()).unwrap()).unwrap();
    assert_eq!(state["kept"]["version"], 8);
    let names = fs::read_dir(world.state().parent().unwrap()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["work.json", "work.json.lock"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(world.state()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_watch_follows_and_fails_where_sources_stay_out_of_step() {
    let world = World::new("config-poll = '100ms'");
    let mut command = world.command(&["sync", "--watch", "--fail", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Option<Value> { Some(serde_json::from_str(&lines.next()?.unwrap()).unwrap()) };
    assert_eq!(next().unwrap()["in_force"]["version"], 7);
    world.eu.serve(&file(8), &world.sign(&file(8)));
    let polls: Vec<Value> = std::iter::from_fn(next).collect();
    let stray: Vec<_> = polls.iter().filter(|poll| !poll["out_of_step"].is_null()).collect();
    assert!(stray.len() > 2, "{polls:?}");
    assert_eq!(stray.last().unwrap()["out_of_step"]["too_long"], true);
    assert_eq!(stray.last().unwrap()["in_force"]["version"], 8);
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, 99, "{said:?}");
    assert!(said.err.contains("because: us is stale, version 7"), "{said:?}");
    // A single look says the same of them.
    let said = world.run(&["sync", "--once"]);
    assert_eq!(said.code, 99, "{said:?}");
    world.us.serve(&file(8), &world.sign(&file(8)));
    assert_eq!(world.once(), seen(0, Some(8), ["unchanged", "new"]));
}

#[cfg(unix)]
#[test]
fn a_watch_goes_on_until_a_signal_and_prints_a_table_for_each_change() {
    let world = World::new("config-poll = '50ms'");
    let mut command = world.command(&["sync", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("in force   version 7")));
    world.eu.serve(&file(8), &world.sign(&file(8)));
    assert!(lines.any(|line| line.starts_with("in force   version 8")));
    assert!(lines.any(|line| line.starts_with("us      7        stale")));
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn another_key_begins_anew_and_a_broken_state_is_told() {
    let mut world = World::new("");
    assert_eq!(world.once().0, 0);
    world.keys = KeyPair::generate_unencrypted_keypair().unwrap();
    world.configure("");
    assert_eq!(world.once(), seen(2, None, ["bad-signature", "bad-signature"]));
    for region in [&world.eu, &world.us] {
        region.serve(&file(3), &world.sign(&file(3)));
    }
    assert_eq!(world.once(), seen(0, Some(3), ["new", "new"]));
    fs::write(world.state(), "{\"schema\":").unwrap();
    let said = world.run(&["sync", "--once"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("work.json: this is no file of a synced configuration"), "{said:?}");
    assert!(said.err.contains("hint: remove it"), "{said:?}");
    let shown = world.run(&["show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("this is no file of a synced configuration"), "{shown:?}");
}
