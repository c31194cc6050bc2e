//! Signed requests, end to end: what relays let in, what they do not, and that no secret is shown.

use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton::mock::{Guards, Relay, Signatures};
use baton::net::SigningKey;
use baton::units::Secret;

use crate::baton::{Said, baton, guarded, run};
use crate::front;

const SPEC: &str = "ttft=0,gap=0,tokens=3,slots=inf";
const KEY: &str = "planted-signing-key-0123456789";

fn relay(scheme: &str, ahead: Duration) -> Relay {
    knowing(scheme, &[("reader", KEY)], ahead)
}

/// One that knows these keys, each by its name.
fn knowing(scheme: &str, keys: &[(&str, &str)], ahead: Duration) -> Relay {
    let key = |(id, key): &(&str, &str)| SigningKey { id: id.parse().unwrap(), secret: Secret::new(*key) };
    let signatures = Signatures::new(scheme.parse().unwrap(), keys.iter().map(key).collect());
    let accept_encoding = "gzip".parse().unwrap();
    guarded(
        SPEC,
        Guards {
            accept_encoding,
            signatures: Some(Arc::new(signatures.ahead_by(ahead))),
            ..Guards::default()
        },
    )
}

fn key_file(folder: &Path, text: &str) -> String {
    let path = folder.join("sign.key");
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

fn send(relay: &Relay, scheme: &str, more: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let (url, key) = (relay.base_url(), key_file(folder.path(), KEY));
    let mut arguments = vec!["send", "--url", &url, "--model", "m", "Hello"];
    arguments.extend(["--sign", scheme, "--sign-key-id", "reader", "--sign-key-file", &key]);
    if scheme == "sigv4" {
        arguments.extend(["--sign-region", "eu-west-1"]);
    }
    arguments.extend(more);
    let said = run(&arguments);
    assert!(!format!("{said:?}").contains("planted"), "{said:?}");
    said
}

#[test]
fn a_signed_request_is_let_in_and_another_is_not() {
    for scheme in ["simple", "kong", "sigv4"] {
        let relay = relay(scheme, Duration::ZERO);
        assert_eq!(send(&relay, scheme, &[]).code, 0, "{scheme}");
        let packed = send(
            &relay,
            scheme,
            &["--compress", "gzip", "--compress-above", "1", "--system", &"river ".repeat(90)],
        );
        assert_eq!(packed.code, 0, "{scheme}: {packed:?}");
        let url = relay.base_url();
        let bare = run(&["send", "--url", &url, "--model", "m", "Hello"]);
        assert!(bare.code != 0 && bare.err.contains("not signed"), "{scheme}: {bare:?}");
    }
}

#[test]
fn a_clock_that_is_ten_minutes_off_costs_one_request() {
    for scheme in ["simple", "kong", "sigv4"] {
        let relay = relay(scheme, Duration::from_secs(600));
        let said = send(&relay, scheme, &["--verbose", "--attempts", "1"]);
        assert_eq!(said.code, 0, "{scheme}: {said:?}");
        assert!(said.err.contains("signed anew by the relay's clock"), "{said:?}");
        assert_eq!(relay.stats().statuses, [(200, 1), (401, 1)].into(), "{scheme}");
    }
    let far = relay("simple", Duration::from_secs(3600));
    assert_ne!(send(&far, "simple", &[]).code, 0);
    assert_eq!(far.stats().statuses, [(401, 1)].into());
}

/// Asks with the planted key, and finds it in nothing that is said.
fn ask(relay: &Relay, scheme: &str, command: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let (url, key) = (relay.base_url(), key_file(folder.path(), KEY));
    let region: &[&str] = if scheme == "sigv4" { &["--sign-region", "eu-west-1"] } else { &[] };
    let sign = ["--url", &url, "--sign", scheme, "--sign-key-id", "reader", "--sign-key-file", &key];
    let said = run(&[command, &sign, region].concat());
    assert!(!format!("{said:?}").contains("planted"), "{said:?}");
    said
}

#[test]
fn models_are_listed_to_whom_signs() {
    for scheme in ["simple", "kong", "sigv4"] {
        let slow = relay(scheme, Duration::from_secs(600));
        let said = ask(&slow, scheme, &["models"]);
        assert!(said.code == 0 && said.out.contains("mock-model"), "{scheme}: {said:?}");
        let bare = run(&["models", "--url", &slow.base_url()]);
        assert!(bare.code == 3 && bare.err.contains("not signed"), "{scheme}: {bare:?}");
    }
}

#[test]
fn a_relay_that_wants_signatures_can_be_checked() {
    let command = ["check", "-m", "m", "--only", "C21,C24,C25,C26,C27,C36,C38", "--format", "json"];
    for scheme in ["simple", "kong", "sigv4"] {
        let slow = relay(scheme, Duration::from_secs(600));
        let said = ask(&slow, scheme, &command);
        assert!(said.out.contains("a signature by a wrong key was answered 401"), "{scheme}: {said:?}");
        assert!(said.out.contains("no signature was answered 401"), "{scheme}: {said:?}");
        assert_eq!(said.code, 0, "{scheme}: {said:?}");
        let bare = run(&["check", "-u", &slow.base_url(), "-m", "m", "--only", "C24"]);
        assert_ne!(bare.code, 0, "{scheme}: {bare:?}");
    }
}

/// The flags of a client that has two keys.
fn with_two(scheme: &str, folder: &Path) -> Vec<String> {
    let key = key_file(folder, &format!("{NEW}\n{OLD}\n"));
    let id = if scheme == "simple" { "new" } else { "new,old" };
    ["--sign", scheme, "--sign-key-id", id, "--sign-key-file", &key, "--sign-region", "eu-west-1"]
        .iter()
        .take(if scheme == "sigv4" { 8 } else { 6 })
        .map(ToString::to_string)
        .collect()
}

const NEW: &str = "planted-new-key-0123456789";
const OLD: &str = "planted-old-key-0123456789";

#[test]
fn keys_are_changed_at_either_end_first_without_a_request_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    fs::write(&rows, "\"one\"\n\"two\"\n\"three\"\n").unwrap();
    for scheme in ["simple", "kong", "sigv4"] {
        let old = if scheme == "simple" { "new" } else { "old" };
        let flags = with_two(scheme, folder.path());
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for (known, refused) in [
            (&[(old, OLD)][..], u64::from(scheme != "simple")),
            (&[("new", NEW), (old, OLD)], 0),
            (&[("new", NEW)], 0),
        ] {
            let relay = knowing(scheme, known, Duration::ZERO);
            let url = relay.base_url();
            let batch = [
                "batch",
                rows.to_str().unwrap(),
                "-o",
                "-",
                "--url",
                &url,
                "-m",
                "m",
                "-c",
                "1",
                "--attempts",
                "1",
            ];
            let said = run(&[&batch[..], &flags].concat());
            assert_eq!(said.code, 0, "{scheme}: {said:?}");
            assert!(!format!("{said:?}").contains("planted"), "{said:?}");
            let statuses = relay.stats().statuses;
            assert_eq!(
                (statuses[&200], statuses.get(&401).copied().unwrap_or_default()),
                (3, refused),
                "{scheme}"
            );
            for command in [&["models"][..], &["check", "-m", "m", "--only", "C21,C24"]] {
                let said = run(&[command, &["--url", &url], &flags].concat());
                assert_eq!(said.code, 0, "{scheme}: {said:?}");
            }
        }
    }
}

#[test]
fn the_other_key_is_tried_once_and_not_for_a_clock_that_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let flags = with_two("kong", folder.path());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let ask = |relay: &Relay| {
        run(&[&["send", "--url", &relay.base_url(), "-m", "m", "-v", "Hello"], &flags[..]].concat())
    };
    let strange = knowing("kong", &[("new", KEY)], Duration::ZERO);
    let said = ask(&strange);
    assert!(said.code == 3 && said.err.contains("signed anew by the other key"), "{said:?}");
    assert_eq!(strange.stats().statuses, [(401, 2)].into());
    let late = knowing("kong", &[("old", OLD)], Duration::from_secs(600));
    assert_eq!(ask(&late).code, 0);
    assert_eq!(late.stats().statuses, [(200, 1), (401, 2)].into(), "first the clock, then the key");
    let far = knowing("kong", &[("old", OLD)], Duration::from_secs(3600));
    assert_eq!(ask(&far).code, 3);
    assert_eq!(far.stats().statuses, [(401, 1)].into());
}

#[test]
fn a_dry_run_shows_that_a_request_is_signed_and_no_signature() {
    let relay = relay("simple", Duration::ZERO);
    for (scheme, shown) in
        [("simple", "x-signature: ***"), ("kong", "authorization: ***"), ("sigv4", "authorization: ***")]
    {
        let said = send(&relay, scheme, &["--dry-run"]);
        assert!(said.out.contains(shown) && said.out.contains("x-nonce: "), "{said:?}");
    }
    let kong = send(&relay, "kong", &["--dry-run", "--header", "x-api-key: sk-planted-too"]);
    assert!(kong.out.contains("proxy-authorization: ***"), "{kong:?}");
    assert!(relay.stats().statuses.is_empty());
}

#[test]
fn keys_that_cannot_sign_are_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay("simple", Duration::ZERO);
    let url = relay.base_url();
    let ask = |more: &[&str]| {
        let said = run(&[&["send", "--url", &url, "--model", "m", "Hello"], more].concat());
        assert!([2, 3].contains(&said.code), "{said:?}");
        said.err
    };
    let signed = |scheme: &str, text: &str| {
        let key = key_file(folder.path(), text);
        ask(&["--sign", scheme, "--sign-key-id", "reader", "--sign-key-file", &key])
    };
    assert!(signed("simple", "short").contains("at least 16"));
    assert!(signed("simple", "").contains("empty"));
    let two = format!("{KEY}\n{KEY}\n");
    assert!(signed("kong", &two).contains("--sign-key-id NEW,OLD"));
    assert!(signed("simple", &format!("{two}{KEY}\n")).contains("3 keys"));
    let two = key_file(folder.path(), &two);
    assert!(ask(&["--sign", "simple", "--sign-key-id", "a,b", "--sign-key-file", &two]).contains("one name"));
    let one = key_file(folder.path(), KEY);
    assert!(
        ask(&["--sign", "kong", "--sign-key-id", "a,b", "--sign-key-file", &one]).contains("a line for each")
    );
    assert!(signed("sigv4", KEY).contains("--sign-region"));
    assert!(ask(&["--sign", "simple"]).contains("--sign-key-id"));
    assert!(ask(&["--sign", "simple", "--sign-key-id", "reader"]).contains("--sign-key-file"));
    assert!(ask(&["--sign-key-id", "reader"]).contains("no effect"));
    let key = key_file(folder.path(), KEY);
    let both =
        ["--sign", "sigv4", "--sign-key-id", "AKID", "--sign-key-file", &key, "--sign-region", "eu-west-1"];
    assert!(ask(&[&both[..], &["--key-file", &key]].concat()).contains("exactly one credential"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let open = ask(&["--sign", "simple", "--sign-key-id", "reader", "--sign-key-file", &key]);
        assert!(open.contains("others can read it") && open.contains("chmod 600"), "{open}");
    }
    assert!(relay.stats().statuses.is_empty());
}

#[test]
fn a_profile_signs_for_its_own_relay_and_a_flag_wins() {
    let folder = tempfile::tempdir().unwrap();
    key_file(folder.path(), KEY);
    let (own, other) = (relay("simple", Duration::ZERO), relay("simple", Duration::ZERO));
    let config = folder.path().join("config.toml");
    let write = |more: &str| {
        let text = format!("[profile.p]\nurl = '{}'\nmodel = 'm'\nsign = 'simple'\n{more}\n", own.base_url());
        fs::write(&config, text).unwrap();
    };
    let ask = |more: &[&str]| {
        let place = config.to_str().unwrap();
        run(&[&["send", "--config", place, "--profile", "p", "Hello"], more].concat())
    };
    write("sign-key-id = 'reader'\nsign-key-file = 'sign.key'");
    assert_eq!(ask(&[]).code, 0);
    assert_eq!(ask(&["--sign-key-id", "writer"]).code, 3, "the flag's name is not known there");
    assert_eq!(ask(&["--sign", "off"]).code, 3);
    assert_eq!(ask(&["--url", &other.base_url()]).code, 3, "what is the profile's goes to its relay");
    assert_eq!(own.stats().statuses, [(200, 1), (401, 2)].into());
    for (wrong, told) in [
        ("sign-key-id = 'a b'", "config.toml:5"),
        ("sign-region = 'eu-west-1'", "sigv4 alone"),
        ("sign-key = 'planted'", "unknown key"),
        ("sign-key-file = 'none'\nsign-key-id = 'reader'", "No such file"),
    ] {
        write(wrong);
        let said = ask(&[]);
        assert!(said.code == 2 && said.err.contains(told), "{wrong}: {said:?}");
    }
    let text = "[profile.p]\nurl = 'http://127.0.0.1:1'\nsign = 'sigv4'\nkey-env = 'KEY'\n";
    fs::write(&config, text).unwrap();
    let twice = ask(&[]);
    assert!(twice.code == 2 && twice.err.contains("leave one of them out"), "{twice:?}");
}

#[test]
fn a_replayed_request_and_a_changed_byte_are_refused_on_the_wire() {
    for (scheme, header) in [("simple", "x-signature"), ("kong", "authorization"), ("sigv4", "authorization")]
    {
        let relay = relay(scheme, Duration::ZERO);
        let tap = crate::front::tap(&relay);
        let folder = tempfile::tempdir().unwrap();
        let (url, key) = (format!("http://127.0.0.1:{}", tap.port), key_file(folder.path(), KEY));
        let ask = ["send", "--url", &url, "--model", "m", "Hello", "--sign-key-id", "reader", "--no-stream"];
        let sign = ["--sign", scheme, "--sign-key-file", &key];
        let region: &[&str] = if scheme == "sigv4" { &["--sign-region", "eu-west-1"] } else { &[] };
        assert_eq!(run(&[&ask[..], &sign, region].concat()).code, 0, "{scheme}");
        let sent: String = tap.notes().into_iter().filter(|note| note != crate::front::CONNECTED).collect();
        assert!(sent.contains(header), "{sent}");
        let again = |text: &str| {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", tap.port)).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            let mut line = String::new();
            std::io::BufReader::new(stream).read_line(&mut line).unwrap();
            line
        };
        assert!(again(&sent.replace("Hello", "Hallo")).contains(" 401 "), "{scheme}: a changed byte");
        assert!(again(&sent).contains(" 401 "), "{scheme}: a replay");
        assert_eq!(relay.stats().statuses, [(200, 1), (401, 2)].into(), "{scheme}");
    }
}

#[test]
fn a_signature_that_is_the_credential_is_the_only_one_at_every_endpoint() {
    let (one, other) = (relay("sigv4", Duration::ZERO), relay("sigv4", Duration::ZERO));
    let taps = [front::tap(&one), front::tap(&other)];
    let urls = taps.each_ref().map(|tap| format!("http://127.0.0.1:{}", tap.port));
    let folder = tempfile::tempdir().unwrap();
    let key = key_file(folder.path(), KEY);
    let mut command = baton();
    command.env("BATON_KEY", "sk-planted").args(["send", "-u", &urls[0], "-u", &urls[1], "-m", "m", "Hello"]);
    command.args(["--sign", "sigv4", "--sign-key-id", "reader", "--sign-key-file", &key]);
    let said: Said = command.args(["--sign-region", "eu-west-1"]).output().unwrap().into();
    assert_eq!(said.code, 0, "{said:?}");
    let wire: String = taps.iter().map(|tap| tap.notes().concat()).collect();
    assert!(wire.contains("AWS4-HMAC-SHA256") && !wire.contains("sk-planted"), "{wire}");
}
