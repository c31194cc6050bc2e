//! `bench --direct`: each request twice, what the relay adds, and whose key goes where.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use baton::mock::{Guards, Keys, Options, Relay};
use serde_json::Value;

use crate::baton::{Said, baton, guarded, relay, run};
use crate::front;
use crate::oauth::hide;

/// A relay that writes down its own times.
fn logged(spec: &str, log: &Path) -> Relay {
    let log = Some(log.to_owned());
    Relay::start(Options { spec: spec.parse().unwrap(), log, threads: 1, ..Options::default() }).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

/// What was measured of each request, and what its server did: ms to the first delta, by id.
fn first_deltas(log: &Path, from: &str) -> HashMap<String, f64> {
    let ms = |line: &Value| {
        let nanos = line["first_delta"].as_u64().unwrap() - line[from].as_u64().unwrap();
        u32::try_from(nanos / 1_000).map(|micros| f64::from(micros) / 1e3).unwrap()
    };
    lines(log).iter().map(|line| (line["request_id"].as_str().unwrap().to_owned(), ms(line))).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[test]
fn the_tax_is_the_difference_that_the_servers_themselves_wrote_down() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let relay = logged("ttft=60ms,gap=2ms,tokens=4,slots=inf", &at("relay.jsonl"));
    let upstream = logged("ttft=20ms,gap=2ms,tokens=4,slots=inf", &at("direct.jsonl"));
    let (url, direct, log) = (relay.base_url(), upstream.base_url(), at("bench.jsonl"));
    let arguments =
        ["bench", "-u", &url, "-m", "m", "--direct", &direct, "-c", "4", "-n", "120", "--warmup", "0"];
    let said = run(&[&arguments[..], &["--format", "json", "--log", log.to_str().unwrap()]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    relay.stop().unwrap();
    upstream.stop().unwrap();
    let document = document(&said);
    let level = &document["levels"][0];
    assert_eq!((&level["requests"], &level["direct"]["requests"]), (&120.into(), &120.into()));
    // The two servers wrote down the requests of their own side and a preflight request each, and no other.
    let truth = ["relay.jsonl", "direct.jsonl"].map(|name| first_deltas(&at(name), "read"));
    let ours = first_deltas(&log, "start");
    let sides: HashMap<bool, HashSet<String>> =
        lines(&log).into_iter().fold(HashMap::new(), |mut sides, line| {
            let id = line["request_id"].as_str().unwrap().to_owned();
            sides.entry(line["direct"] == true).or_default().insert(id);
            sides
        });
    for (is_direct, truth) in [(false, &truth[0]), (true, &truth[1])] {
        assert_eq!((sides[&is_direct].len(), truth.len()), (120, 121));
        assert!(sides[&is_direct].iter().all(|id| truth.contains_key(id)));
    }
    // What bench sees is later than what a server did, by the way between them; how much later, both logs say. What it
    // prints cannot be further from the truth than the two sides are together, however busy the machine.
    let seen = |is_direct: bool| mean(sides[&is_direct].iter().map(|id| ours[id]));
    let was = |is_direct: bool| {
        let truth = &truth[usize::from(is_direct)];
        mean(sides[&is_direct].iter().map(|id| truth[id]))
    };
    let late = |is_direct: bool| seen(is_direct) - was(is_direct);
    let taxes = level["direct"]["tax"].as_array().unwrap();
    let tax = taxes.iter().find(|tax| tax["metric"] == "ttft.avg").unwrap();
    let added = tax["added_ms"].as_f64().unwrap();
    let true_tax = was(false) - was(true);
    assert!(true_tax > 30.0, "the servers differ by 40 ms: {true_tax}");
    let late = [late(false), late(true)];
    assert!(late.iter().all(|late| *late >= 0.0), "{late:?}");
    assert!((added - true_tax).abs() <= late[0] + late[1] + 0.01, "{added} {true_tax} {late:?}");
    let interval: Vec<f64> = serde_json::from_value(tax["interval_ms"].clone()).unwrap();
    assert!(interval[0] <= added && added <= interval[1], "{tax}");
}

#[test]
fn both_of_a_pair_say_the_same_and_the_first_changes() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("bench.jsonl");
    let prompts = folder.path().join("rows.jsonl");
    std::fs::write(&prompts, "\"one\"\n\"two two\"\n\"three three three\"\n").unwrap();
    let [relay, upstream] = ["ttft=1ms,gap=0,tokens=2,slots=inf"; 2].map(relay);
    let taps = [front::tap(&relay), front::tap(&upstream)];
    let [url, direct] = [0, 1].map(|side: usize| format!("http://127.0.0.1:{}", taps[side].port));
    // Several workers would be woken in an order of the system's.
    let common =
        ["-m", "m", "--prompts", prompts.to_str().unwrap(), "--warmup", "0", "--quiet", "--workers", "1"];
    let place = ["-u", &url, "--direct", &direct, "--log", log.to_str().unwrap()];
    for load in [&["-c", "2", "-n", "12"][..], &["-r", "400/s", "-n", "12"]] {
        let _ = std::fs::remove_file(&log);
        let before = taps.each_ref().map(|tap| tap.notes().len());
        let said = run(&[&["bench"], &common[..], &place, load].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let lines = lines(&log);
        for is_direct in [false, true] {
            let of_side = lines.iter().filter(|line| (line["direct"] == true) == is_direct);
            let mut numbers: Vec<_> = of_side.map(|line| line["index"].as_u64().unwrap()).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..12).collect::<Vec<_>>(), "{load:?}");
        }
        let first = |number: u64| {
            let of_pair = lines.iter().filter(|line| line["index"] == number);
            of_pair.min_by_key(|line| line["start"].as_u64()).unwrap()["direct"] == true
        };
        let leading = (0..12).filter(|number| first(*number)).count();
        assert!((4..=8).contains(&leading), "{leading} of 12 pairs begin past the relay: {load:?}");
        // Four times each row, and one more of the first before the load.
        for (tap, before) in taps.iter().zip(before) {
            let wire = tap.notes()[before..].concat();
            let counts =
                ["\"one\"", "\"two two\"", "\"three three three\""].map(|row| wire.matches(row).count());
            assert_eq!(counts, [5, 4, 4], "{load:?}");
        }
    }
}

#[test]
fn each_side_is_sent_its_own_key_and_nothing_of_the_others() {
    let keyed = |key: &str| {
        let guards = Guards { keys: Keys::read(key).ok(), ..Guards::default() };
        guarded("ttft=1ms,gap=0,tokens=2,slots=inf", guards)
    };
    let (relay, upstream) = (keyed("sk-of-the-relay"), keyed("sk-of-the-upstream"));
    let taps = [front::tap(&relay), front::tap(&upstream)];
    let [url, direct] = [0, 1].map(|side: usize| format!("http://127.0.0.1:{}", taps[side].port));
    let folder = tempfile::tempdir().unwrap();
    let (config, key) = (folder.path().join("config.toml"), folder.path().join("key"));
    std::fs::write(&key, "sk-of-the-upstream\n").unwrap();
    let headers = "headers = { x-own = \"upstream\" }";
    let own =
        format!("[profile.up]\nurl = \"{direct}\"\nkey-file = \"key\"\nmodel = \"m-upstream\"\n{headers}\n");
    let of_variable = format!("[profile.var]\nurl = \"{direct}\"\nkey-env = \"ANTHROPIC_API_KEY\"\n");
    std::fs::write(&config, own + &of_variable).unwrap();
    hide(&key);
    hide(&config);
    let load = ["-m", "m-relay", "-c", "1", "-n", "2", "--warmup", "0", "-H", "x-tenant: relay"];
    let bench = |more: &[&str], variables: &[(&str, &str)]| -> Said {
        let mut command = baton();
        command.args(["bench", "-u", &url, "--direct", &direct]).args(load).args(more);
        command.envs(variables.iter().copied()).env("BATON_CONFIG", &config).output().unwrap().into()
    };
    let relays_key =
        [("ANTHROPIC_AUTH_TOKEN", "sk-of-the-relay"), ("ANTHROPIC_CUSTOM_HEADERS", "x-custom: relay")];
    let said = bench(&["--direct-profile", "up"], &relays_key);
    assert_eq!(said.code, 0, "{said:?}");
    let wires = taps.each_ref().map(|tap| tap.notes().concat());
    for (wire, own, others) in [
        (
            &wires[0],
            ["sk-of-the-relay", "x-tenant: relay", "x-custom: relay", "\"m-relay\""],
            ["upstream"; 4],
        ),
        (
            &wires[1],
            ["sk-of-the-upstream", "x-own: upstream", "\"m-upstream\"", "POST"],
            ["sk-of-the-relay", "x-tenant", "x-custom", "m-relay"],
        ),
    ] {
        assert!(own.iter().all(|text| wire.contains(text)), "{own:?}: {wire}");
        assert!(others.iter().all(|text| !wire.contains(text)), "{others:?}: {wire}");
    }
    // A profile may name a variable that would else be the relay's.
    let both = [("ANTHROPIC_AUTH_TOKEN", "sk-of-the-relay"), ("ANTHROPIC_API_KEY", "sk-of-the-upstream")];
    assert_eq!(bench(&["--direct-profile", "var"], &both).code, 0);
    // Without a profile no key goes there, and who refused is said.
    let said = bench(&[], &relays_key);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("past the relay, at") && said.err.contains("--direct-profile"), "{said:?}");
    assert!(!taps[1].notes().concat().contains("sk-of-the-relay"));
}

#[test]
fn a_failure_past_the_relay_is_counted_there_and_not_as_the_relays() {
    let upstream = relay("ttft=1ms,gap=0,tokens=2,slots=inf,fault=500:0.5,seed=4");
    let relay = relay("ttft=1ms,gap=0,tokens=2,slots=inf");
    let (url, direct) = (relay.base_url(), upstream.base_url());
    let arguments =
        ["bench", "-u", &url, "-m", "m", "--direct", &direct, "-c", "2", "-n", "100", "--warmup", "0"];
    let said = run(&[&arguments[..], &["--format", "json"]].concat());
    let level = &document(&said)["levels"][0];
    assert_eq!((said.code, &level["errors"], &level["requests"]), (1, &0.into(), &100.into()), "{said:?}");
    let side = &level["direct"];
    assert!(side["errors"].as_u64().unwrap() > 20 && side["failures"][0]["class"] == "http_5xx", "{side}");
    let failed = side["errors"].as_u64().unwrap();
    assert_eq!(side["ttft_ms"]["n"].as_u64().unwrap(), 100 - failed);
    assert!(said.err.contains(&format!("{failed} of 200 requests failed")), "{said:?}");
}

#[test]
fn what_cannot_be_made_twice_is_refused_by_name() {
    let base = ["bench", "-u", "http://127.0.0.1:9", "-m", "m", "--direct", "http://127.0.0.1:9"];
    let refused = |more: &[&str], names: &[&str]| {
        let said = run(&[&base[..], more].concat());
        assert_eq!(said.code, 2, "{more:?}: {said:?}");
        assert!(names.iter().all(|name| said.err.contains(name)), "{more:?}: {said:?}");
    };
    refused(&["--turns", "3"], &["--direct", "--turns"]);
    refused(&["--shard", "1/2"], &["--direct", "--shard"]);
    refused(&["--replay", "trace.jsonl"], &["--direct", "--replay"]);
    refused(&["--unix-socket", "/nowhere"], &["--direct", "--unix-socket"]);
    refused(&["--max-connections", "3"], &["--direct", "--max-connections"]);
    refused(&["--find-capacity", "--slo", "ttft < 1s"], &["--direct", "--find-capacity"]);
    refused(&["--prompts", "-"], &["--prompts -", "--direct"]);
    refused(&["-u", "http://127.0.0.1:8"], &["--direct", "several endpoints"]);
    refused(&["--direct-profile", "nobody", "--config", "/nowhere.toml"], &["/nowhere.toml"]);
    let said = run(&["bench", "--mock", "--direct-profile", "up"]);
    assert!(said.code == 2 && said.err.contains("--direct <URL>"), "{said:?}");
}
