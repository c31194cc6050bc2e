//! Tokens: how they are come by, kept, renewed and shared, against the mock's authorization server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use baton::mock::Relay;
use serde_json::Value;
use tempfile::TempDir;

use crate::baton::{Said, baton, relay};

/// A relay that wants tokens, and a client's folder with its configuration and its token.
pub(crate) struct Desk {
    pub(crate) relay: Relay,
    pub(crate) folder: TempDir,
}

pub(crate) const CLIENT: &str =
    "grant = 'client-credentials'\nclient-id = 'baton'\nclient-secret-env = 'SECRET'\n";
pub(crate) const DEVICE: &str = "grant = 'device-code'\nclient-id = 'baton-public'\n";

impl Desk {
    pub(crate) fn new(spec: &str, oauth: &str) -> Self {
        let relay = relay(&format!("ttft=0,gap=0,tokens=3,slots=inf,{spec}"));
        let desk = Self { relay, folder: tempfile::tempdir().unwrap() };
        desk.configure(oauth);
        desk
    }

    pub(crate) fn configure(&self, oauth: &str) {
        let url = self.relay.base_url();
        let issuer = if oauth.contains("token-url") { String::new() } else { format!("issuer = '{url}'\n") };
        let text = format!(
            "default-profile = 'p'\n[profile.p]\nurl = '{url}'\nmodel = 'm'\n[profile.p.oauth]\nstore = 'token.json'\n{issuer}{oauth}"
        );
        fs::write(self.folder.path().join("config.toml"), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = baton();
        command.args(arguments).env("BATON_CONFIG", self.folder.path().join("config.toml"));
        command.env("SECRET", "mock-secret").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Logs in as a person does who opens the address that is printed.
    pub(crate) fn log_in(&self) -> Said {
        let mut child = self.command(&["auth", "login"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address =
            lines.find_map(|line| line.unwrap().strip_prefix("or open ").map(str::to_owned)).unwrap();
        let path = address.strip_prefix(&self.relay.base_url()).unwrap();
        assert_eq!(self.get(path)["allowed"], true);
        let err: Vec<String> = lines.map(Result::unwrap).collect();
        Said { err: err.join("\n"), ..child.wait_with_output().unwrap().into() }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(self.relay.address()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.relay.address())
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.get("/oauth/counts")[name].as_u64().unwrap()
    }

    /// The path of a file in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn stored(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("token.json")).unwrap()).unwrap()
    }

    /// Puts something else in place of a field of the store.
    pub(crate) fn tamper(&self, field: &str, value: Value) {
        let mut stored = self.stored();
        stored[field] = value;
        fs::write(self.folder.path().join("token.json"), stored.to_string()).unwrap();
    }
}

/// Takes a file from the eyes of others.
pub(crate) fn hide(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[test]
fn a_clients_secret_brings_one_token_for_any_number_of_runs() {
    let desk = Desk::new("token-life=1h", CLIENT);
    for _ in 0..3 {
        let said = desk.run(&["send", "Hello"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    }
    assert_eq!((desk.count("token_requests"), desk.count("issued")), (1, 1));
    #[cfg(unix)]
    for name in ["token.json", "token.json.lock"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(desk.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn every_subcommand_sends_the_token() {
    let desk = Desk::new("token-life=1h", CLIENT);
    let rows = desk.folder.path().join("rows.jsonl");
    fs::write(&rows, "\"one\"\n\"two\"\n").unwrap();
    for arguments in [
        &["send", "Hello"][..],
        &["stream", "-o", "-", "Hello"],
        &["models"],
        &["batch", rows.to_str().unwrap()],
        &["bench", "-c", "2", "-n", "4", "--warmup", "0"],
    ] {
        let said = desk.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
    }
    assert_eq!(desk.count("issued"), 1);
    let said = desk.run(&["check", "--format", "json"]);
    assert!(!said.out.contains(r#""status": 401"#) && said.code != 3, "{said:?}");
}

#[test]
fn a_secret_that_the_server_takes_only_in_the_form_is_sent_there() {
    let desk = Desk::new("token-life=1h", &CLIENT.replace("'baton'", "'baton-post'"));
    let said = desk.run(&["send", "Hello"]);
    assert_eq!((said.code, desk.count("refused"), desk.count("issued")), (0, 1, 1), "{said:?}");
}

#[test]
fn a_wrong_secret_is_said_so_before_anything_is_sent() {
    let desk = Desk::new("token-life=1h", CLIENT);
    let said: Said = desk.command(&["send", "Hello"]).env("SECRET", "planted-wrong").output().unwrap().into();
    assert_eq!(said.code, 3);
    assert!(said.err.contains("invalid_client") && !said.err.contains("planted"), "{said:?}");
    assert_eq!(desk.relay.stats().requests, 0);
}

#[test]
fn a_person_logs_in_by_a_code_and_the_login_outlives_its_tokens() {
    let desk = Desk::new("token-life=1h", DEVICE);
    let before = desk.run(&["send", "Hello"]);
    assert_eq!(before.code, 3);
    assert!(before.err.contains("hint: baton auth login --profile p"), "{before:?}");
    assert_eq!(desk.run(&["auth", "status"]).code, 3);

    let login = desk.log_in();
    assert_eq!(login.code, 0, "{login:?}");
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);
    let status: Value = serde_json::from_str(&desk.run(&["auth", "status", "--format", "json"]).out).unwrap();
    assert_eq!(
        (&status["renewable"], &status["scope"][0]),
        (&Value::Bool(true), &"prompts".into()),
        "{status}"
    );

    let first = desk.stored();
    assert_eq!(desk.run(&["auth", "refresh"]).code, 0);
    let second = desk.stored();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);

    assert_eq!(desk.run(&["auth", "logout"]).code, 0);
    assert_eq!(desk.run(&["auth", "status"]).code, 3);
    assert!(desk.run(&["auth", "logout"]).err.contains("there was no token"));
}

#[test]
fn a_refresh_token_that_is_handed_in_begins_a_login() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    let token = desk.folder.path().join("handed-in");
    fs::write(&token, format!("{}\n", desk.stored()["refresh_token"].as_str().unwrap())).unwrap();
    hide(&token);
    desk.run(&["auth", "logout"]);
    desk.configure("grant = 'refresh-token'\nclient-id = 'baton-public'\n");
    let said = desk.run(&["auth", "login", "--refresh-token-file", token.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(desk.run(&["send", "Hello"]).code, 0);
}

#[test]
fn a_token_that_the_relay_refuses_is_replaced_once_and_the_request_sent_again() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    desk.tamper("access_token", "withdrawn".into());
    let said = desk.run(&["send", "-v", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("sent again with a new token"), "{said:?}");
    assert_eq!((desk.relay.stats().requests, desk.count("refreshed")), (2, 1));
}

#[test]
fn a_relay_that_refuses_every_token_gets_two_requests_and_no_more() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    let said = desk.run(&["send", "--model", "mock-401", "Hello"]);
    assert_eq!((said.code, desk.relay.stats().requests, desk.count("refreshed")), (3, 2, 1), "{said:?}");
}

#[test]
fn a_scope_that_is_missing_is_said_before_a_prompt_leaves() {
    let desk = Desk::new("token-life=1h", &format!("{CLIENT}scope = 'models'\n"));
    let said = desk.run(&["send", "--require-scope", "prompts", "Hello"]);
    assert_eq!((said.code, desk.relay.stats().requests), (3, 0), "{said:?}");
    assert!(said.err.contains("the token grants models, and --require-scope asks for prompts"), "{said:?}");
    // Without the demand the relay says it, and another token would not help.
    let said = desk.run(&["send", "Hello"]);
    assert_eq!((said.code, desk.relay.stats().requests, desk.count("issued")), (3, 1, 1), "{said:?}");
}

#[test]
fn a_token_of_a_long_life_is_warned_about_once() {
    let desk = Desk::new("token-life=2h", CLIENT);
    let said = desk.run(&["bench", "-c", "2", "-n", "4", "--warmup", "0"]);
    assert_eq!(said.err.matches("the token is good for").count(), 1, "{said:?}");
}

#[cfg(unix)]
#[test]
fn what_keeps_a_refused_token_from_being_replaced_is_said() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    desk.tamper("access_token", "withdrawn".into());
    desk.tamper("refresh_token", "withdrawn".into());
    for command in [&["send", "Hello"][..], &["models"]] {
        let said = desk.run(command);
        assert!(said.code == 3 && said.err.contains("a login is required for profile p"), "{said:?}");
        assert!(said.err.contains("hint: baton auth login --profile p"), "{said:?}");
    }
    assert_eq!((desk.relay.stats().requests, desk.count("refreshed")), (1, 0));
}

#[test]
fn a_list_of_models_gets_another_token_where_the_first_is_refused() {
    let desk = Desk::new("token-life=1h", DEVICE);
    desk.log_in();
    desk.tamper("access_token", "withdrawn".into());
    let said = desk.run(&["models"]);
    assert_eq!((said.code, desk.count("refreshed")), (0, 1), "{said:?}");
    assert!(said.out.contains("mock"), "{said:?}");
}

#[test]
fn a_profile_that_begins_with_a_refresh_token_says_so() {
    let desk = Desk::new("token-life=1h", "grant = 'refresh-token'\nclient-id = 'baton-public'\n");
    for arguments in [&["send", "Hello"][..], &["auth", "login"]] {
        let said = desk.run(arguments);
        let flag = "hint: baton auth login --profile p --refresh-token-file PATH";
        assert!(said.code == 3 && said.err.contains(flag), "{arguments:?}: {said:?}");
    }
    assert_eq!(desk.count("token_requests"), 0);
}

#[test]
fn a_dry_run_asks_for_no_token() {
    let desk = Desk::new("token-life=1h", CLIENT);
    let said = desk.run(&["send", "--dry-run", "Hello"]);
    assert!(said.code == 0 && said.out.contains("authorization: Bearer ***"), "{said:?}");
    assert_eq!(desk.count("token_requests"), 0);
}

#[test]
fn a_table_that_cannot_work_is_refused_with_its_line() {
    let desk = Desk::new("token-life=1h", CLIENT);
    for (oauth, words) in [
        ("client-id = 'baton'\n", "has no grant"),
        ("grant = 'password'\nclient-id = 'baton'\n", "'password' is no grant"),
        ("grant = 'device-code'\n", "has no client-id"),
        ("grant = 'client-credentials'\nclient-id = 'baton'\n", "has no client's secret"),
        ("grant = 'device-code'\nclient-id = 'b'\ntoken-url = 'http://id.example/t'\n", "for all to read"),
        ("grant = 'device-code'\nclient-id = 'b'\ntoken-url = 'https://id.example/t'\n", "no device-url"),
        ("grant = 'device-code'\nclient-id = 'b'\nsecret = 'x'\n", "secret"),
    ] {
        desk.configure(oauth);
        let said = desk.run(&["send", "Hello"]);
        assert!(
            said.code == 2 && said.err.contains(words) && said.err.contains("config.toml"),
            "{oauth}: {said:?}"
        );
    }
}
