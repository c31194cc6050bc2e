//! Tokens that the client signs itself: what signs them, who verifies them, and which keys are refused.

use std::fs;

use baton::mock::{Options, Relay, ServiceKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use tempfile::TempDir;

use crate::baton::{Said, baton};
use crate::oauth::hide;

const SECRET: &str = "planted-0123456789abcdef0123456789";

/// A relay that lets in what this key verifies.
fn relay(key: &str) -> Relay {
    let spec = "ttft=0,gap=0,tokens=3,slots=inf".parse().unwrap();
    let service_key = Some(ServiceKey::read(key).unwrap());
    Relay::start(Options { spec, service_key, threads: 1, ..Options::default() }).unwrap()
}

/// Writes a profile with this table and this key, for the relay.
fn profile(relay: &Relay, table: &str, key: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), key).unwrap();
    hide(&folder.path().join("key"));
    let text = format!(
        "default-profile = 'p'\n[profile.p]\nurl = '{}'\nmodel = 'm'\n[profile.p.service-token]\nkey-file = 'key'\nissuer = 'baton-ci'\n{table}",
        relay.base_url()
    );
    fs::write(folder.path().join("config.toml"), text).unwrap();
    folder
}

fn run(folder: &TempDir, arguments: &[&str]) -> Said {
    let mut command = baton();
    command.args(arguments).env("BATON_CONFIG", folder.path().join("config.toml"));
    command.output().unwrap().into()
}

#[test]
fn each_algorithm_signs_what_its_own_key_verifies_and_nothing_of_it_is_shown() {
    let (ec, rsa) = (KeyPair::generate().unwrap(), KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());
    for (name, signs, verifies) in [
        ("HS256", SECRET.to_owned(), SECRET.to_owned()),
        ("RS256", rsa.serialize_pem(), rsa.public_key_pem()),
        ("ES256", ec.serialize_pem(), ec.public_key_pem()),
    ] {
        let relay = relay(&verifies);
        let table = format!("algorithm = '{name}'\naudience = 'mock-relay'\nlifetime = '1h'\n");
        let folder = profile(&relay, &table, &signs);
        for arguments in [&["send", "-v", "Hello"][..], &["models"], &["send", "--dry-run", "Hello"]] {
            let said = run(&folder, arguments);
            assert_eq!(said.code, 0, "{name}: {said:?}");
            // All such tokens begin so.
            assert!(!said.out.contains("eyJ") && !said.err.contains("eyJ"), "{said:?}");
        }
        // For another relay than this one.
        let folder = profile(&relay, &format!("algorithm = '{name}'\naudience = 'another'\n"), &signs);
        assert_eq!(run(&folder, &["send", "Hello"]).code, 3, "{name}");
        assert_eq!(run(&folder, &["models"]).code, 3, "{name}");
    }
}

#[test]
fn what_cannot_sign_is_refused_before_anything_is_sent_and_shows_no_secret() {
    let relay = relay(SECRET);
    let ec = KeyPair::generate().unwrap().serialize_pem();
    for (table, key, words) in [
        ("algorithm = 'HS256'\n", "planted-short", "wants at least 32"),
        ("algorithm = 'HS256'\n", "", "the file is empty"),
        ("algorithm = 'ES256'\n", SECRET, "holds no P-256 key"),
        ("algorithm = 'RS256'\n", SECRET, "holds no RSA key"),
        ("algorithm = 'RS256'\n", &ec, "holds no RSA key"),
        ("algorithm = 'none'\n", SECRET, "'none' is no algorithm"),
        ("", SECRET, "has no algorithm"),
        ("algorithm = 'HS256'\nlifetime = '2h'\n", SECRET, "10 s to an hour"),
        ("algorithm = 'HS256'\nsecret = 'x'\n", SECRET, "secret"),
    ] {
        let said = run(&profile(&relay, table, key), &["send", "Hello"]);
        assert!(said.code == 2 && said.err.contains(words), "{table}: {said:?}");
        assert!(!said.err.contains("planted"), "{said:?}");
    }
    assert_eq!(relay.stats().requests, 0);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let relay = relay(SECRET);
    let folder = profile(&relay, "algorithm = 'HS256'\naudience = 'mock-relay'\n", SECRET);
    assert_eq!(run(&folder, &["send", "Hello"]).code, 0);
    fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&folder, &["send", "Hello"]);
    assert!(said.code == 2 && said.err.contains("others can read it (mode 644)"), "{said:?}");
    assert_eq!(relay.stats().requests, 1);
}
