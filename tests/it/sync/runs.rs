//! Runs that go by a synced file: at their start, while versions follow one another, and where there is none to use.

use std::fs;
use std::sync::Arc;

use baton::mock::{Guards, Keys, Signatures};
use baton::net::SigningKey;
use baton::units::Secret;

use crate::asked::Run;
use crate::baton::{Said, guarded, relay};
use crate::oauth::hide;
use crate::zones::Mock;

use super::world::World;

const SPEC: &str = "ttft=0,gap=0,tokens=2";

/// The profile of a machine on which any relay of it is allowed.
const HERE: &str = "allowed-hosts = ['127.0.0.1']\nconfig-poll = '50ms'\nmodel = 'm'";

/// A file with these endpoints, each an address and more of its table.
fn file(version: u64, endpoints: &[(&str, &str)], more: &str) -> String {
    let of = |(url, more): &(&str, &str)| format!("[[endpoint]]\nurl = \"{url}\"\n{more}\n");
    let endpoints: String = endpoints.iter().map(of).collect();
    format!("version = {version}\nnot-after = 2999-01-01T00:00:00Z\n{endpoints}{more}\n")
}

#[test]
fn a_newer_version_moves_a_run_under_way_drains_endpoints_and_limits_it() {
    let (a, b) = (Mock::start(SPEC), Mock::start(SPEC));
    let asked = |mock: &Mock| mock.stats()["requests"].as_u64().unwrap();
    let world = World::bare(HERE);
    let (left, right) = ((a.url.as_str(), ""), (b.url.as_str(), ""));
    world.serve(&file(1, &[left], ""));
    let mut run = Run::start(world.baton(), world.home.path());
    run.hear("configured", "version 1 of");
    run.serve(5);
    assert_eq!((asked(&a), asked(&b)), (5, 0));
    world.serve(&file(2, &[right], ""));
    run.hear("configured", "version 2 of");
    run.serve(5);
    assert_eq!((asked(&a), asked(&b)), (5, 5));
    world.serve(&file(3, &[left, (b.url.as_str(), "drain = true")], ""));
    run.hear("drained", &b.url);
    run.serve(5);
    assert_eq!((asked(&a), asked(&b)), (10, 5));
    // One token an hour lets no prompt through, and says so.
    world.serve(&file(4, &[left, right], "[limits]\ntoken-rate = \"input=1/h\""));
    run.hear("configured", "version 4 of");
    let rows = run.ask(1);
    assert!(rows[0]["error"].to_string().contains("token-rate"), "{rows:?}");
    world.serve(&file(5, &[left, right], ""));
    run.hear("configured", "version 5 of");
    run.serve(5);
    let said = run.end();
    assert!(said.code == 1 && said.err.contains("20 done, 1 failed"), "{said:?}");
}

#[test]
fn no_request_is_lost_while_versions_take_an_endpoint_away_and_give_it_back() {
    let (a, b) = (Mock::start(SPEC), Mock::start(SPEC));
    let world = World::bare(HERE);
    world.serve(&file(1, &[(a.url.as_str(), "")], ""));
    let mut run = Run::start(world.baton(), world.home.path());
    for version in 2..12 {
        let there = if version % 2 == 0 { &b } else { &a };
        world.serve(&file(version, &[(there.url.as_str(), "")], ""));
        // With one attempt each, a row that met an endpoint in between would fail.
        while !run.has_heard("configured", &format!("version {version} of")) {
            run.serve(50);
        }
    }
    run.serve(50);
    let asked = [&a, &b].map(|mock| mock.stats()["requests"].as_u64().unwrap());
    assert!(asked.iter().all(|count| *count >= 50), "{asked:?}");
    assert_eq!(run.end().code, 0);
}

#[test]
fn a_run_goes_on_by_what_it_has_where_what_comes_may_not_be_used() {
    let (a, b) = (Mock::start(SPEC), Mock::start(SPEC));
    let world = World::bare(&format!("{HERE}\nconfig-max-age = '300ms'"));
    world.serve(&file(2, &[(a.url.as_str(), "")], ""));
    let mut run = Run::start(world.baton(), world.home.path());
    run.serve(1);
    // An older version, and one of a stranger.
    let old = file(1, &[(b.url.as_str(), "")], "");
    world.eu.serve(&old, &world.sign(&old));
    let forged = file(3, &[(b.url.as_str(), "")], "");
    world.us.serve(&forged, &world.sign(&old));
    run.hear("config_lapsed", "");
    run.serve(3);
    assert_eq!(b.stats()["requests"], 0);
    world.serve(&file(3, &[(b.url.as_str(), "")], ""));
    run.hear("configured", "version 3 of");
    run.serve(1);
    let said = run.end();
    assert!(said.code == 0 && said.err.contains("what it said last was gone by"), "{said:?}");
    assert_eq!(b.stats()["requests"], 1);
}

#[test]
fn what_was_kept_is_used_without_asking_and_the_sources_are_asked_where_nothing_was() {
    let (mock, own) = (relay(SPEC), relay(SPEC));
    let send = |world: &World| -> Said { world.baton().args(["send", "Hello"]).output().unwrap().into() };
    let world = World::bare("allowed-hosts = ['127.0.0.1']\nmodel = 'm'");
    let nothing = send(&world);
    assert!(nothing.code == 2 && nothing.err.contains("no synced configuration to use"), "{nothing:?}");
    assert!(nothing.err.contains("baton config sync --once --profile work"), "{nothing:?}");
    world.write(&format!("allowed-hosts = ['127.0.0.1']\nmodel = 'm'\nurl = '{}'", own.base_url()));
    let fallen = send(&world);
    assert!(fallen.code == 0 && fallen.err.contains("its own address is used"), "{fallen:?}");
    assert_eq!((mock.stats().requests, own.stats().requests), (0, 1));
    world.serve(&file(1, &[(mock.base_url().as_str(), "")], ""));
    assert_eq!(send(&world).code, 0);
    assert_eq!((mock.stats().requests, own.stats().requests), (1, 1));
    let questions = world.eu.front.notes().len();
    for region in [&world.eu, &world.us] {
        region.files.lock().unwrap().clear();
    }
    assert_eq!(send(&world).code, 0);
    assert_eq!(world.eu.front.notes().len(), questions, "what was confirmed just now is not asked for again");
    // Whoever names an address goes there.
    let elsewhere: Said =
        world.baton().args(["send", "--url", &own.base_url(), "Hello"]).output().unwrap().into();
    assert_eq!((elsewhere.code, own.stats().requests), (0, 2));
    let shown = world.run(&["show"]);
    assert!(shown.out.contains(&mock.base_url()) && shown.out.contains("synced version 1"), "{shown:?}");
}

#[test]
fn the_profiles_key_goes_to_synced_endpoints_and_an_endpoints_own_key_stays_its_own() {
    let wanting = |key: &str| guarded(SPEC, Guards { keys: Keys::read(key).ok(), ..Guards::default() });
    let (common, own) = (wanting("sk-common"), wanting("sk-own"));
    let key = |world: &World, name: &str| {
        let path = world.home.path().join(name);
        fs::write(&path, format!("sk-{name}")).unwrap();
        hide(&path);
        path.display().to_string()
    };
    let world = World::bare("");
    let (common_key, own_key) = (key(&world, "common"), key(&world, "own"));
    world.write(&format!(
        "{HERE}\nkey-file = '{common_key}'\nendpoint = [{{ url = '{}', key-file = '{own_key}' }}]",
        own.base_url()
    ));
    let (common_url, own_url) = (common.base_url(), own.base_url());
    world.serve(&file(1, &[(&common_url, "")], ""));
    let mut run = Run::start(world.baton(), world.home.path());
    run.serve(2);
    world.serve(&file(2, &[(&own_url, "")], ""));
    run.hear("configured", "version 2 of");
    run.serve(2);
    world.serve(&file(3, &[(&common_url, "weight = 2")], ""));
    run.hear("configured", "version 3 of");
    run.serve(2);
    assert_eq!((common.stats().requests, own.stats().requests), (4, 2));
    assert_eq!(run.end().code, 0);
}

#[test]
fn an_endpoint_that_a_newer_version_brings_is_sent_signed_requests() {
    const KEY: &str = "planted-0123456789abcdef0123456789";
    let wanting = || {
        let key = SigningKey { id: "team".parse().unwrap(), secret: Secret::new(KEY) };
        let signatures = Some(Arc::new(Signatures::new("simple".parse().unwrap(), vec![key])));
        guarded(SPEC, Guards { signatures, ..Guards::default() })
    };
    let (first, second) = (wanting(), wanting());
    let world = World::bare("");
    let path = world.home.path().join("sign.key");
    fs::write(&path, KEY).unwrap();
    hide(&path);
    world.write(&format!(
        "{HERE}\nsign = 'simple'\nsign-key-id = 'team'\nsign-key-file = '{}'",
        path.display()
    ));
    world.serve(&file(1, &[(&first.base_url(), "")], ""));
    let mut run = Run::start(world.baton(), world.home.path());
    run.serve(2);
    world.serve(&file(2, &[(&second.base_url(), "")], ""));
    run.hear("configured", "version 2 of");
    run.serve(2);
    assert_eq!((first.stats().requests, second.stats().requests), (2, 2));
    assert_eq!(run.end().code, 0);
}
