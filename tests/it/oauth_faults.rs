//! Tokens when things go wrong: many processes at once, answers that are lost, servers that fail.

use std::process::Child;

use crate::baton::Said;
use crate::oauth::{DEVICE, Desk};

fn end(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_lost_answer_is_asked_for_again_while_the_server_forgives_it() {
    let desk = Desk::new("token-life=1h,token-fault=lost:1,token-grace=1h", DEVICE);
    desk.log_in();
    let said = desk.run(&["auth", "refresh"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((desk.count("refreshed"), desk.count("families_revoked")), (2, 0));
    assert_eq!(desk.run(&["auth", "refresh"]).code, 0);
}

#[test]
fn a_lost_answer_that_is_not_forgiven_needs_a_login_and_leaves_the_store_whole() {
    let desk = Desk::new("token-life=1h,token-fault=lost:1,token-grace=0", DEVICE);
    desk.log_in();
    let before = desk.stored();
    let said = desk.run(&["auth", "refresh"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("perhaps because the answer that replaced it was lost"), "{said:?}");
    let mut after = desk.stored();
    assert!(after.as_object_mut().unwrap().remove("login_required").is_some());
    assert_eq!(after, before);
    // Nobody knocks again with a token that is known to be of no use.
    desk.tamper("lifetime_ms", 1.into());
    let requests = desk.count("token_requests");
    assert_eq!((desk.run(&["send", "Hello"]).code, desk.count("token_requests")), (3, requests));
    assert_eq!(desk.log_in().code, 0);
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);
}

#[test]
fn a_server_that_fails_once_or_answers_with_anything_else_is_asked_again() {
    for fault in ["500", "garbage", "html"] {
        let desk = Desk::new(&format!("token-life=1h,token-fault={fault}:1"), DEVICE);
        desk.log_in();
        desk.tamper("lifetime_ms", 1.into());
        let said = desk.run(&["send", "Hello"]);
        assert_eq!((said.code, desk.count("refreshed")), (0, 1), "{fault}: {said:?}");
    }
}

#[test]
fn an_answer_that_comes_after_all_patience_is_asked_for_again() {
    let desk = Desk::new("token-life=1h,token-fault=late:1,token-grace=1h", DEVICE);
    desk.log_in();
    desk.tamper("lifetime_ms", 1.into());
    let said = desk.run(&["send", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((desk.count("refreshed"), desk.count("families_revoked")), (2, 0));
}

#[test]
fn a_token_that_still_serves_outlives_a_server_that_is_down() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    // Due for its renewal, and good for a while yet, from a server that is not there.
    desk.tamper("lifetime_ms", 40_000.into());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.configure(&format!("{DEVICE}token-url = 'http://{gone}/t'\ndevice-url = 'http://{gone}/d'\n"));
    desk.tamper("authority", format!("http://{gone}/t").into());
    let obtained = desk.stored()["obtained_ms"].as_u64().unwrap();
    desk.tamper("obtained_ms", (obtained - 25_000).into());
    let said = desk.run(&["send", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    desk.tamper("obtained_ms", (obtained - 39_000).into());
    let said = desk.run(&["send", "Hello"]);
    assert_eq!(said.code, 11, "{said:?}");
}

/// Eight processes with so many tasks each share one login whose tokens live 2 s, for so many seconds.
#[expect(clippy::print_stderr, reason = "the long form is run to be read")]
fn share_one_login(tasks: u64, seconds: u64) {
    // A refresh token serves once: a second process that comes with the same one would end the family.
    let desk = Desk::new("token-life=2s,token-grace=0", DEVICE);
    desk.log_in();
    let (tasks, window) = (tasks.to_string(), format!("{seconds}s"));
    let run = ["bench", "-c", &tasks, "-r", "40/s", "-d", &window, "--warmup", "0", "--format", "json"];
    let began = tokio::time::Instant::now();
    let children: Vec<_> = (0..8).map(|_| desk.command(&run).spawn().unwrap()).collect();
    let ended: Vec<Said> = children.into_iter().map(end).collect();
    let took = began.elapsed().as_secs();
    let mut requests = 0;
    for said in &ended {
        assert_eq!(said.code, 0, "{said:?}");
        let run: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(run["levels"][0]["errors"], 0, "{said:?}");
        requests += run["levels"][0]["requests"].as_u64().unwrap();
    }
    let counts = ["refreshed", "reused", "families_revoked", "refused"].map(|name| desk.count(name));
    eprintln!("{requests} requests in {took} s; refreshed, reused, revoked, refused: {counts:?}");
    assert_eq!(counts[1..], [0, 0, 0]);
    // A token of 2 s is renewed when between 0.75 s and 1 s of it are left: at most once a second, whoever does it.
    assert!((seconds / 2..=took + 2).contains(&counts[0]), "{counts:?} in {took} s");
}

#[test]
fn eight_processes_with_eight_tasks_each_share_one_token_that_rotates() {
    share_one_login(8, 6);
}

#[test]
#[ignore = "takes 30 s of both cores: cargo test --release --test it -- --ignored --nocapture eight_processes_with_64"]
fn eight_processes_with_64_tasks_each_share_one_token_that_rotates_for_half_a_minute() {
    share_one_login(64, 30);
}

#[test]
fn a_clock_that_was_or_is_ten_minutes_off_costs_one_renewal_at_most_and_no_login() {
    // A store from ten minutes ahead tells nothing of its end; one from ten minutes ago has most of an hour left.
    for (shift, renewals) in [(600_000, 1), (-600_000, 0)] {
        let desk = Desk::new("token-life=1h", DEVICE);
        desk.log_in();
        let obtained = desk.stored()["obtained_ms"].as_i64().unwrap();
        desk.tamper("obtained_ms", (obtained + shift).into());
        let said = desk.run(&["send", "Hello"]);
        assert_eq!((said.code, desk.count("refreshed")), (0, renewals), "{shift}: {said:?}");
        assert_eq!(desk.run(&["send", "Hello"]).code, 0);
    }
}

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_before_it_stores_a_new_token_costs_no_login_within_the_grace() {
    for (grace, code) in [("1h", 0), ("0", 3)] {
        let desk = Desk::new(&format!("token-life=1h,token-fault=late:1,token-grace={grace}"), DEVICE);
        desk.log_in();
        let before = desk.stored();
        let mut child = desk.command(&["auth", "refresh"]).spawn().unwrap();
        // The server has replaced the token, and its answer is on the way.
        while desk.count("refreshed") == 0 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(desk.stored(), before);
        desk.tamper("lifetime_ms", 1.into());
        let said = desk.run(&["send", "Hello"]);
        assert_eq!(said.code, code, "{said:?}");
        assert_eq!(desk.stored()["refresh_token"] == before["refresh_token"], code == 3);
    }
}
