//! Endpoints with a key, a signing region, a service token or a login of their own, and what goes to which of them.

use std::fs;
use std::sync::Arc;

use baton::mock::{Guards, Keys, Options, Relay, ServiceKey, Signatures};
use baton::net::SigningKey;
use baton::units::Secret;
use tempfile::TempDir;

use crate::baton::{Said, baton, guarded, relay};
use crate::front;
use crate::oauth::{CLIENT, Desk, hide};

const CALM: &str = "ttft=0,gap=0,tokens=3,slots=inf";
/// What lets nobody pass whom its guards do not let in, and answers the others with a 503.
const DOWN: &str = "ttft=0,gap=0,tokens=3,slots=inf,fault=503:1";
const SECRETS: [&str; 2] = ["planted-first-0123456789abcdef0123", "planted-second-0123456789abcdef012"];

/// A folder with both secrets and a configuration.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("first", SECRETS[0]), ("second", SECRETS[1]), ("config.toml", text)] {
        fs::write(folder.path().join(name), text).unwrap();
        hide(&folder.path().join(name));
    }
    folder
}

fn run(folder: &TempDir, arguments: &[&str]) -> Said {
    let mut command = baton();
    command.args(arguments).env("BATON_CONFIG", folder.path().join("config.toml"));
    // A variable speaks of one region and one key: what an endpoint says for itself is stronger.
    command.env("AWS_REGION", "ap-south-1").env("AWS_SECRET_ACCESS_KEY", "planted-of-the-shell");
    command.env("AWS_SESSION_TOKEN", "planted-session").env("SECRET", "mock-secret");
    command.env("FIRST", SECRETS[0]).env("SECOND", SECRETS[1]);
    let said: Said = command.output().unwrap().into();
    assert!(!format!("{said:?}").contains("planted"), "{said:?}");
    said
}

/// A request that the first relay fails is served by the second: each let it in, for what was sent there is its own.
fn goes_over(folder: &TempDir, relays: [&Relay; 2]) {
    let said = run(folder, &["send", "-v", "--format", "json", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(relays[0].stats().statuses, [(503, 1)].into(), "{said:?}");
    assert_eq!(relays[1].stats().statuses, [(200, 1)].into(), "{said:?}");
}

fn signed(spec: &str, secret: &str, region: &str) -> Relay {
    let by = Signatures::new(
        "sigv4".parse().unwrap(),
        vec![SigningKey { id: "reader".parse().unwrap(), secret: Secret::new(secret) }],
    );
    let signatures = Some(Arc::new(by.for_region(region)));
    guarded(spec, Guards { signatures, ..Guards::default() })
}

#[test]
fn each_endpoint_is_signed_for_its_own_region_by_its_own_key_within_one_request() {
    let relays = [signed(DOWN, SECRETS[0], "eu-west-1"), signed(CALM, SECRETS[1], "us-east-1")];
    let taps = relays.each_ref().map(front::tap);
    let urls = taps.each_ref().map(|tap| format!("http://127.0.0.1:{}", tap.port));
    let text = format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\nsign = 'sigv4'\nsign-key-id = 'reader'\n\
         sign-key-file = 'first'\nsign-region = 'eu-west-1'\n[[profile.p.endpoint]]\nurl = '{}'\n\
         sign-key-id = 'reader'\nsign-key-file = 'first'\nsign-region = 'eu-west-1'\n\
         [[profile.p.endpoint]]\nurl = '{}'\nsign-key-id = 'reader'\nsign-key-file = 'second'\n\
         sign-region = 'us-east-1'\n",
        urls[0], urls[1]
    );
    let folder = folder(&text);
    goes_over(&folder, relays.each_ref());
    let nonces = taps.each_ref().map(|tap| {
        let wire = tap.notes().concat();
        assert!(
            !wire.contains("x-amz-security-token"),
            "the token of the shell's key is not this key's: {wire}"
        );
        wire.lines().find(|line| line.starts_with("x-nonce: ")).unwrap().to_owned()
    });
    assert_ne!(nonces[0], nonces[1]);
    let shown = run(&folder, &["config", "show"]);
    assert!(shown.out.contains("sign-key-file") && shown.out.contains("sign-region us-east-1"), "{shown:?}");
    let flag = run(&folder, &["send", "--attempts", "1", "--sign-region", "us-east-1", "Hello"]);
    assert_eq!(flag.code, 3, "a flag is for all endpoints: {flag:?}");
}

#[test]
fn each_endpoint_gets_its_own_key_within_one_request() {
    let own =
        |spec, secret| guarded(spec, Guards { keys: Some(Keys::read(secret).unwrap()), ..Guards::default() });
    let relays = [own(DOWN, SECRETS[0]), own(CALM, SECRETS[1])];
    let text = format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\n[[profile.p.endpoint]]\nurl = '{}'\nkey-env = 'FIRST'\n\
         [[profile.p.endpoint]]\nurl = '{}'\ncredential-of = 'other'\n\
         [profile.other]\nurl = 'http://127.0.0.1:1'\nkey-file = 'second'\n",
        relays[0].base_url(),
        relays[1].base_url()
    );
    let folder = folder(&text);
    goes_over(&folder, relays.each_ref());
    let shown = run(&folder, &["config", "show"]).out;
    assert!(shown.contains("key-env FIRST") && shown.contains("credential-of other"), "{shown}");
}

#[test]
fn each_endpoint_gets_a_service_token_of_its_own_key_within_one_request() {
    let own = |spec: &str, secret| {
        let service_key = Some(ServiceKey::read(secret).unwrap());
        let spec = spec.parse().unwrap();
        Relay::start(Options { spec, service_key, threads: 1, ..Options::default() }).unwrap()
    };
    let relays = [own(DOWN, SECRETS[0]), own(CALM, SECRETS[1])];
    let table = |relay: &Relay, key: &str| {
        format!(
            "[[profile.p.endpoint]]\nurl = '{}'\n[profile.p.endpoint.service-token]\nalgorithm = 'HS256'\n\
             key-file = '{key}'\nissuer = 'ci'\naudience = 'mock-relay'\n",
            relay.base_url()
        )
    };
    let (first, second) = (table(&relays[0], "first"), table(&relays[1], "second"));
    let folder = folder(&format!("default-profile = 'p'\n[profile.p]\nmodel = 'm'\n{first}{second}"));
    goes_over(&folder, relays.each_ref());
    let shown = run(&folder, &["config", "show"]).out;
    assert_eq!(shown.matches("service-token key-file ").count(), 3, "both endpoints and the key: {shown}");
}

#[test]
fn each_endpoint_gets_the_token_of_its_own_login_within_one_request() {
    let own = |spec: &str| relay(&format!("{spec},token-life=1h"));
    let relays = [own(DOWN), own(CALM)];
    let login = |name: &str, relay: &Relay| {
        let url = relay.base_url();
        format!(
            "[profile.{name}]\nurl = '{url}'\nmodel = 'm'\n[profile.{name}.oauth]\nstore = '{name}.json'\nissuer = '{url}'\n{CLIENT}"
        )
    };
    let text = format!(
        "default-profile = 'p'\n[profile.p]\nmodel = 'm'\n[[profile.p.endpoint]]\nurl = '{}'\ncredential-of = 'eu'\n\
         [[profile.p.endpoint]]\nurl = '{}'\ncredential-of = 'us'\n{}{}",
        relays[0].base_url(),
        relays[1].base_url(),
        login("eu", &relays[0]),
        login("us", &relays[1])
    );
    let folder = folder(&text);
    let said = run(&folder, &["send", "-v", "--timing", "Hello"]);
    assert_eq!(said.code, 0, "{said:?}");
    for (relay, status) in relays.iter().zip([503, 200]) {
        assert_eq!(relay.stats().statuses.get(&status), Some(&1), "{:?}", relay.stats());
        assert_eq!(relay.stats().statuses.get(&401), None, "{:?}", relay.stats());
    }
    // The logins are kept where their own profiles have them, and `auth` goes on as it is.
    for name in ["eu", "us"] {
        assert!(folder.path().join(format!("{name}.json")).exists(), "{name}");
        assert_eq!(run(&folder, &["auth", "status", "--profile", name]).code, 0);
    }
    let none = run(&folder, &["auth", "status"]);
    assert!(none.code == 2 && none.err.contains("--profile eu"), "{none:?}");
}

#[test]
fn a_lent_login_that_the_relay_refuses_is_renewed_for_its_own_endpoint() {
    let (down, desk) = (relay(DOWN), Desk::new("token-life=1h", CLIENT));
    let more = format!(
        "[profile.two]\nmodel = 'm'\n[[profile.two.endpoint]]\nurl = '{}'\nkey-env = 'SECRET'\n\
         [[profile.two.endpoint]]\nurl = '{}'\ncredential-of = 'p'\n",
        down.base_url(),
        desk.relay.base_url()
    );
    let config = desk.path("config.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap() + &more).unwrap();
    assert_eq!(desk.run(&["auth", "refresh"]).code, 0);
    desk.tamper("access_token", "no.such.token".into());
    let said = desk.run(&["send", "-v", "--profile", "two", "Hello"]);
    assert!(said.code == 0 && said.err.contains("sent again with a new token"), "{said:?}");
    assert_eq!(down.stats().statuses, [(503, 1)].into());
    assert_eq!(desk.count("issued"), 2);
}
