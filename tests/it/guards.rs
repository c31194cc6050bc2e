//! What a relay lets in, and what baton sends and refuses to send: keys, addresses, and files of secrets that others can read.

use std::fs;

use baton::mock::{Addresses, Guards, Keys};

use crate::baton::{Said, baton, guarded, run};
use crate::oauth::hide;

const SPEC: &str = "ttft=0,gap=0,tokens=2";

fn send(url: &str, more: &[&str]) -> Said {
    run(&[&["send", "--url", url, "--model", "m"], more, &["Hello"]].concat())
}

#[test]
fn the_key_of_a_file_opens_a_relay_that_wants_one() {
    let relay = guarded(SPEC, Guards { keys: Keys::read("sk-old\nsk-new").ok(), ..Guards::default() });
    let folder = tempfile::tempdir().unwrap();
    for (key, code) in [("sk-old", 0), ("sk-new", 0), ("sk-other", 3)] {
        let path = folder.path().join("key");
        fs::write(&path, key).unwrap();
        hide(&path);
        for api in ["messages", "chat"] {
            let said = send(&relay.base_url(), &["--api", api, "--key-file", path.to_str().unwrap()]);
            assert_eq!(said.code, code, "{key} {api} {said:?}");
        }
    }
    assert_eq!(send(&relay.base_url(), &[]).code, 3);
}

#[test]
fn an_address_is_forwarded_for_only_on_request_and_a_forged_one_opens_nothing() {
    let addresses = Addresses { allowed: vec!["203.0.113.0/24".parse().unwrap()], trusted_proxies: 1 };
    let relay = guarded(SPEC, Guards { addresses, ..Guards::default() });
    let url = relay.base_url();
    assert_eq!(send(&url, &[]).code, 3);
    assert_eq!(send(&url, &["--forwarded-for", "203.0.113.7"]).code, 0);
    assert_eq!(send(&url, &["--header", "X-Forwarded-For: 203.0.113.7, 198.51.100.9"]).code, 3);
    let said = send(&url, &["--forwarded-for", "203.0.113.7", "--header", "X-Forwarded-For: 203.0.113.7"]);
    assert!(said.code == 2 && said.err.contains("--forwarded-for and --header"), "{said:?}");
    let drawn = send(&url, &["--dry-run", "--forwarded-for", "2001:db8::7"]);
    assert!(drawn.code == 0 && drawn.out.contains("x-forwarded-for: 2001:db8::7"), "{drawn:?}");
    assert!(!send(&url, &["--dry-run"]).out.contains("forwarded"));
}

#[cfg(unix)]
#[test]
fn a_file_of_a_secret_that_others_can_read_is_refused_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let relay = guarded(SPEC, Guards::default());
    let url = relay.base_url();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let oauth = |grant: &str| {
        format!(
            "[profile.p.oauth]\nissuer = '{url}'\nclient-id = 'baton'\nstore = 'token.json'\ngrant = '{grant}'\n"
        )
    };
    let key = write("key", "0123456789abcdef0123456789abcdef", 0o640);
    let service = "[profile.p.service-token]\nkey-file = 'key'\nissuer = 'i'\nalgorithm = 'HS256'\n";
    let secret = oauth("client-credentials") + "client-secret-file = 'key'\n";
    for (table, arguments, code) in [
        (String::new(), vec!["send", "--key-file", &key, "Hello"], 2),
        (String::new(), vec!["bench", "-c", "1", "-n", "1", "--key-file", &key, "Hello"], 2),
        ("key-file = 'key'\n".to_owned(), vec!["send", "Hello"], 2),
        (service.to_owned(), vec!["send", "Hello"], 2),
        (oauth("refresh-token"), vec!["auth", "login", "--refresh-token-file", &key], 2),
        (secret, vec!["send", "Hello"], 2),
        (String::new(), vec!["mock", "--require-key", &key], 2),
    ] {
        let text = format!("default-profile = 'p'\n[profile.p]\nurl = '{url}'\nmodel = 'm'\n{table}");
        let config = write("config.toml", &text, 0o600);
        let said = Said::from(baton().args(&arguments).env("BATON_CONFIG", config).output().unwrap());
        assert_eq!(said.code, code, "{arguments:?} {text} {said:?}");
        assert!(said.err.contains("others can read it (mode 640)"), "{arguments:?} {said:?}");
        assert!(said.err.contains("hint: chmod 600 "), "{arguments:?} {said:?}");
    }
    assert_eq!(relay.stats().connections, 0);
}
