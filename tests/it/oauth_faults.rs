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

#[test]
fn eight_processes_with_eight_tasks_each_share_one_token_that_rotates() {
    let desk = Desk::new("token-life=2s,token-grace=0", DEVICE);
    desk.log_in();
    let run = ["bench", "-c", "8", "-r", "40/s", "-d", "6s", "--warmup", "0", "--format", "json"];
    let children: Vec<_> = (0..8).map(|_| desk.command(&run).spawn().unwrap()).collect();
    let ended: Vec<Said> = children.into_iter().map(end).collect();
    for said in &ended {
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!((desk.count("reused"), desk.count("families_revoked"), desk.count("refused")), (0, 0, 0));
    // A token of 2 s is renewed when between 0.75 s and 1 s of it are left: at most once a second.
    let refreshed = desk.count("refreshed");
    assert!((4..=9).contains(&refreshed), "{refreshed}");
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
