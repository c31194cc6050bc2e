//! Crashes a process whose structures hold a secret in every place, and looks for it in what the crash leaves behind.

use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use baton::config::{Environment, Given, Settings, resolve};
use baton::net::{Connection, Pool, Scheme, Signer, SigningKey};
use baton::units::Secret;

const PLANTED: &str = "sk-planted-5e7c1d";
/// Set in the process that is to crash: the place of the secret in the structure that it crashes with.
const CRASH: &str = "CRASH_WITH";
const PLACES: [&str; 9] = [
    "environment",
    "header",
    "profile",
    "profile's header",
    "login",
    "token store",
    "signature",
    "address",
    "proxy",
];

/// What was resolved with a key in the place with this name.
fn settings(place: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let key = write("key", PLANTED);
    let relay = "[profile.p]\nurl = 'http://127.0.0.1:9'\nmodel = 'm'\n";
    let text = match place {
        "profile" => format!("{relay}key-file = '{}'\n", key.display()),
        "profile's header" => format!("{relay}headers = {{ 'x-tenant-token' = '{PLANTED}' }}\n"),
        "login" => format!(
            "{relay}[profile.p.oauth]\ngrant = 'client-credentials'\ntoken-url = 'http://127.0.0.1:9/token'\nclient-id = 'c'\nclient-secret-file = '{}'\n",
            key.display()
        ),
        "token store" => format!(
            "{relay}[profile.p.oauth]\ngrant = 'device-code'\nissuer = 'http://127.0.0.1:9'\nclient-id = 'c'\nstore = '{}'\n",
            write("token.json", &stored()).display()
        ),
        _ => relay.to_owned(),
    };
    let config = write("config.toml", &text);
    let mut given = Given { config: Some(config), profile: Some("p".to_owned()), ..Given::default() };
    let home = folder.path().to_str().unwrap();
    let mut variables = vec![("HOME", home)];
    match place {
        "environment" => {
            (given.profile, given.urls) = (None, vec!["http://127.0.0.1:9".to_owned()]);
            given.model = Some("m".to_owned());
            variables.push(("BATON_KEY", PLANTED));
        }
        "header" => given.headers.push(format!("authorization: Bearer {PLANTED}")),
        _ => {}
    }
    let settings =
        resolve(&given, &Environment::of(&variables)).unwrap_or_else(|error| panic!("{place}: {error}"));
    if place == "token store" {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let credential = settings.credential.as_ref().unwrap();
        credential.keeper().unwrap().reach_by(&Connection::default());
        runtime.block_on(credential.ready(&settings.base)).unwrap();
        let mut headers = baton::net::RequestHeaders::default();
        credential.apply(&settings.base, &mut headers);
        assert!(headers["authorization"].to_str().unwrap().ends_with(PLANTED), "the token was read");
    }
    settings
}

/// What a login has left in its store.
fn stored() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    serde_json::json!({
        "authority": "http://127.0.0.1:9/", "client_id": "c", "access_token": PLANTED,
        "refresh_token": PLANTED, "scope": [], "obtained_ms": u64::try_from(now).unwrap(), "lifetime_ms": 3_600_000,
    })
    .to_string()
}

/// Crashes as code does that finds something else than it expected: the structure is in the words of the panic.
fn crash(with: impl Debug) {
    let result: Result<(), _> = std::hint::black_box(Err(with));
    result.expect("it holds no secret");
}

fn crash_in(place: &str) {
    if place == "signature" {
        let key = SigningKey { id: "client".parse().unwrap(), secret: Secret::new(PLANTED) };
        return crash(Signer::new(Scheme::Simple, vec![key]));
    }
    if place == "address" {
        let given = Given {
            urls: vec![format!("http://user:{PLANTED}@127.0.0.1:9")],
            model: Some("m".to_owned()),
            ..Given::default()
        };
        return crash(resolve(&given, &Environment::of(&[])).unwrap_err());
    }
    if place == "proxy" {
        let relay = "http://relay.example".parse().unwrap();
        return crash((Connection::default(), Pool::new(&Connection::default(), &relay).unwrap()));
    }
    let settings = settings(place);
    assert!(settings.credential.is_some() || !settings.headers.is_empty(), "there is no secret to be shown");
    crash(settings);
}

#[test]
fn a_crash_shows_no_secret() {
    if let Some(place) = std::env::var_os(CRASH) {
        return crash_in(place.to_str().unwrap());
    }
    for place in PLACES {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["crash::a_crash_shows_no_secret", "--exact", "--nocapture"]);
        command.env(CRASH, place).env("RUST_BACKTRACE", "full").stdin(Stdio::null());
        if place == "proxy" {
            command.env("HTTP_PROXY", format!("http://user:{PLANTED}@127.0.0.1:9"));
        }
        let output = command.output().unwrap();
        let said = format!("{output:?}");
        assert!(!output.status.success() && said.contains("it holds no secret"), "{place}: {said}");
        assert!(!said.contains(PLANTED), "{place}: {said}");
    }
}
