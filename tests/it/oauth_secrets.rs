//! Secrets of OAuth 2: where they lie, who may read them, and that none is shown.

use std::fs;

use crate::oauth::{CLIENT, DEVICE, Desk};

#[test]
fn what_is_printed_and_kept_holds_no_secret() {
    let desk = Desk::new("token-life=1h", CLIENT);
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);
    let token = desk.stored()["access_token"].as_str().unwrap().to_owned();
    let save = desk.folder.path().join("run.json");
    fs::write(desk.path("rows"), "\"one\"\n").unwrap();
    for arguments in [
        &["send", "-v", "--timing", "Hello"][..],
        &["send", "--dry-run", "Hello"],
        &["send", "--curl", "Hello"],
        &["send", "--format", "json", "--model", "mock-401", "Hello"],
        &["send", "--error-format", "json", "--model", "mock-500", "--attempts", "1", "Hello"],
        &["stream", "-o", &desk.path("stream"), "-v", "Hello"],
        &["stream", "-o", &desk.path("refused"), "-v", "--model", "mock-401", "Hello"],
        &["batch", &desk.path("rows"), "-o", &desk.path("rows.out"), "-v"],
        &["batch", &desk.path("rows"), "-o", "-", "-v", "--model", "mock-401"],
        &["check", "--only", "C21,C24,C25,C26,C27,C28"],
        &["check", "--only", "C21,C24", "--format", "json", "--model", "mock-401"],
        &["models"],
        &["auth", "status"],
        &["auth", "status", "--format", "json"],
        &["auth", "refresh"],
        &["config", "show"],
        &["bench", "-c", "1", "-n", "2", "--warmup", "0", "--save", save.to_str().unwrap()],
    ] {
        let said = desk.run(arguments);
        let now = desk.stored()["access_token"].as_str().unwrap().to_owned();
        for secret in [&token, &now, "mock-secret"] {
            assert!(!said.out.contains(secret) && !said.err.contains(secret), "{arguments:?}: {said:?}");
        }
    }
    assert!(!fs::read_to_string(&save).unwrap().contains(&token));
}

#[test]
fn no_file_that_is_written_holds_a_token() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    fs::write(desk.path("rows.jsonl"), "\"one\"\n{\"prompt\":\"two\",\"model\":\"mock-400\"}\n").unwrap();
    let cache = desk.path("cache");
    for (arguments, code) in [
        (&["send", "--cache", "exact", "--cache-dir", &cache, "-o", &desk.path("answer"), "Hello"][..], 0),
        (&["stream", "-o", &desk.path("cut"), "--model", "mock-cut", "--attempts", "1", "Hello"], 9),
        (
            &["batch", &desk.path("rows.jsonl"), "-o", &desk.path("out"), "--summary", &desk.path("summary")],
            1,
        ),
        (&["check", "--only", "C21,C24", "--format", "json", "-o", &desk.path("found")], 0),
        (
            &[
                "bench",
                "-c",
                "1",
                "-n",
                "2",
                "--warmup",
                "0",
                "--save",
                &desk.path("run"),
                "--log",
                &desk.path("log"),
            ],
            0,
        ),
    ] {
        let said = desk.run(arguments);
        assert_eq!(said.code, code, "{arguments:?} {said:?}");
    }
    let stored = desk.stored();
    let secrets = ["access_token", "refresh_token"].map(|name| stored[name].as_str().unwrap());
    let (mut folders, mut looked_at) = (vec![desk.folder.path().to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "token.json" {
                let bytes = fs::read(entry.path()).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                assert!(secrets.iter().all(|secret| !text.contains(secret)), "{entry:?}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 10, "{looked_at}");
}

#[test]
fn a_server_that_repeats_what_it_was_told_is_shown_without_the_secrets() {
    let desk = Desk::new("token-life=1h,token-fault=echo:9", CLIENT);
    let said = desk.run(&["send", "Hello"]);
    assert!(said.code == 3 && said.err.contains("Basic ***"), "{said:?}");
    let pair = "YmF0b246bW9jay1zZWNyZXQ=";
    assert!(!said.err.contains(pair) && !said.err.contains("mock-secret"), "{said:?}");

    let desk = Desk::new("token-life=1h,token-fault=echo:9", DEVICE);
    desk.log_in();
    let said = desk.run(&["auth", "refresh"]);
    assert!(said.code == 3 && said.err.contains("refresh_token=***"), "{said:?}");
    assert!(!said.err.contains(desk.stored()["refresh_token"].as_str().unwrap()), "{said:?}");
}

#[test]
fn what_needs_no_token_reads_no_secret_of_the_client() {
    let ran = tempfile::tempdir().unwrap();
    let ran = ran.path().join("ran");
    let command = format!("client-secret-command = 'touch {}; echo mock-secret'", ran.display());
    let desk = Desk::new("token-life=1h", &CLIENT.replace("client-secret-env = 'SECRET'", &command));
    for (arguments, code) in
        [(&["auth", "status"][..], 3), (&["auth", "logout"], 0), (&["send", "--dry-run", "Hello"], 0)]
    {
        let said = desk.run(arguments);
        assert_eq!((said.code, ran.exists()), (code, false), "{arguments:?}: {said:?}");
    }
    assert_eq!((desk.run(&["send", "Hello"]).code, ran.exists()), (0, true));
}

#[test]
fn a_file_of_the_clients_secret_that_others_can_read_is_refused_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let file = CLIENT.replace("client-secret-env = 'SECRET'", "client-secret-file = 'secret'");
    let desk = Desk::new("token-life=1h", &file);
    let path = desk.folder.path().join("secret");
    fs::write(&path, "mock-secret\n").unwrap();
    for (mode, code) in [(0o604, 2), (0o640, 2), (0o600, 0)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let said = desk.run(&["send", "Hello"]);
        assert_eq!(said.code, code, "{said:?}");
        assert_eq!(
            said.err.contains(&format!("others can read it (mode {mode:03o})")),
            code == 2,
            "{said:?}"
        );
        assert_eq!(desk.count("token_requests"), u64::from(code == 0));
    }
}

#[test]
fn a_file_of_another_clients_token_is_neither_used_nor_replaced_nor_removed() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    let before = desk.stored();
    desk.configure(CLIENT);
    for arguments in [&["send", "Hello"][..], &["auth", "login"], &["auth", "logout"], &["auth", "refresh"]] {
        let said = desk.run(arguments);
        assert!(said.code == 3 && said.err.contains("is left as it is"), "{arguments:?}: {said:?}");
    }
    assert_eq!((desk.stored(), desk.count("issued")), (before, 1));
}

#[test]
fn a_store_that_others_can_read_or_that_is_damaged_is_refused_and_left_as_it_is() {
    let desk = Desk::new("token-life=1h", CLIENT);
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);
    let path = desk.folder.path().join("token.json");
    let whole = fs::read(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let said = desk.run(&["send", "Hello"]);
        assert!(said.code == 3 && said.err.contains("others can read it (mode 640)"), "{said:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let said = desk.run(&["send", "Hello"]);
    assert!(said.code == 3 && said.err.contains("it is no file of a token"), "{said:?}");
    assert_eq!(fs::read(&path).unwrap(), whole[..whole.len() / 2]);
}
