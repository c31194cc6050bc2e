//! `bench --selftest`: what this machine can do is known before the relay is asked, and asks nothing of it.

use serde_json::Value;

use crate::baton::{relay, run};

#[test]
fn the_same_levels_are_carried_to_a_relay_of_its_own_first_and_the_figures_stand_beside_the_runs() {
    let relay = relay("ttft=40ms,gap=0,tokens=2,slots=inf");
    let url = relay.base_url();
    let load = ["bench", "-u", &url, "-m", "m", "-c", "1,3", "-d", "300ms", "--warmup", "0"];
    let said = run(&[&load[..], &["--selftest", "--format", "json"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    let document: Value = serde_json::from_str(&said.out).unwrap();
    let ceilings = document["selftest"].as_array().unwrap();
    let users: Vec<_> = ceilings.iter().map(|ceiling| ceiling["concurrency"].as_u64().unwrap()).collect();
    assert_eq!(users, [1, 3]);
    for (ceiling, level) in ceilings.iter().zip(document["levels"].as_array().unwrap()) {
        // A relay that takes 40 ms cannot be as quick as one that takes none; both figures are seen, not made up.
        let [most, reached] = [&ceiling["rps"], &level["rps"]].map(|rps| rps.as_f64().unwrap());
        assert!(reached > 0.0 && most > reached, "{ceiling} {level}");
        let users = ceiling["concurrency"].as_u64().unwrap();
        assert!(said.err.contains(&format!("selftest c={users}: ")), "{said:?}");
        assert!(said.err.contains(&format!("ceiling c={users}: ")), "{said:?}");
    }
    // The relay itself saw the levels' requests and the one before them.
    let measured: u64 =
        document["levels"].as_array().unwrap().iter().map(|level| level["requests"].as_u64().unwrap()).sum();
    assert_eq!(relay.stats().requests, measured + 1);
}

#[test]
fn what_a_selftest_cannot_go_before_is_refused_by_name() {
    let base = ["bench", "-u", "http://127.0.0.1:9", "-m", "m", "--selftest"];
    for (more, name) in [
        (&["--find-capacity", "--slo", "ttft < 1s"][..], "--find-capacity"),
        (&["--start-at", "2030-01-01T00:00:00Z"], "--start-at"),
        (&["--proxy", "http://127.0.0.1:8"], "--proxy"),
        (&["--prompts", "-"], "--prompts -"),
    ] {
        let said = run(&[&base[..], more].concat());
        assert!(said.code == 2 && said.err.contains(name) && said.err.contains("--selftest"), "{said:?}");
    }
}
