//! Plants a key in every place a key can come from, and looks for it in everything that is printed.

use std::io::Write;

use crate::baton::{Said, baton, relay};

const PLANTED: &str = "sk-planted-5e7c1d";

/// Every way to print something, on a success and on failures of each kind.
const COMMANDS: [&[&str]; 15] = [
    &["send", "--model", "m", "Hello"],
    &["send", "--model", "m", "-v", "--timing", "Hello"],
    &["send", "--model", "m", "--format", "json", "Hello"],
    &["send", "--model", "m", "--format", "events", "Hello"],
    &["send", "--model", "m", "--format", "raw", "Hello"],
    &["send", "--model", "m", "--dry-run", "Hello"],
    &["send", "--model", "m", "--curl", "Hello"],
    &["send", "--model", "mock-401", "-v", "Hello"],
    &["send", "--model", "mock-401", "--error-format", "json", "Hello"],
    &["send", "--model", "mock-500", "--attempts", "2", "--backoff-base", "1ms", "-v", "Hello"],
    &["send", "--model", "mock-reset", "--attempts", "1", "-v", "Hello"],
    &["send", "--model", "m", "--nonsense", "Hello"],
    &["models", "--format", "json"],
    &["bench", "--model", "m", "-c", "2", "-n", "4", "--warmup", "0", "--format", "json", "Hello"],
    &["bench", "--model", "mock-401", "-c", "2", "-n", "4", "--warmup", "0", "Hello"],
];

/// Runs every command with the key planted by `plant` and fails where it shows.
fn nothing_shows(plant: impl Fn(&mut std::process::Command)) {
    let relay = relay("ttft=0,gap=0,tokens=2");
    for arguments in COMMANDS {
        let mut command = baton();
        command.args(arguments).args(["--url", &relay.base_url()]).env("RUST_BACKTRACE", "1");
        plant(&mut command);
        let said: Said = command.output().unwrap().into();
        assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
    }
}

#[test]
fn a_key_of_the_environment_shows_nowhere() {
    for variable in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "BATON_KEY"] {
        nothing_shows(|command| {
            command.env(variable, PLANTED);
        });
    }
}

#[test]
fn a_key_of_a_file_a_command_or_a_header_shows_nowhere() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{PLANTED}").unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    nothing_shows(|command| {
        command.args(["--key-file", &path]);
    });
    let print = format!("cat '{path}'");
    nothing_shows(|command| {
        command.args(["--key-command", &print]);
    });
    for header in ["authorization: Bearer ", "x-api-key: ", "x-tenant-token: "] {
        let header = format!("{header}{PLANTED}");
        nothing_shows(|command| {
            command.args(["-H", &header]);
        });
    }
}

#[test]
fn a_saved_result_holds_no_key() {
    let relay = relay("ttft=0,gap=0,tokens=2");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let mut command = baton();
    command.args([
        "bench",
        "--url",
        &relay.base_url(),
        "--model",
        "m",
        "-c",
        "1",
        "-n",
        "2",
        "--warmup",
        "0",
    ]);
    command.args(["--save", path.to_str().unwrap()]).env("BATON_KEY", PLANTED);
    let said: Said = command.output().unwrap().into();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!std::fs::read_to_string(&path).unwrap().contains(PLANTED));
}

#[test]
fn the_key_is_sent_all_the_same_to_its_own_origin_and_only_there() {
    use std::io::Read;
    let seen = |bound: Option<&str>| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = vec![0; 65536];
            let read = peer.read(&mut request).unwrap();
            let _ = peer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let mut command = baton();
        command.args(["send", "--url", &url, "--model", "m", "Hello"]).env("ANTHROPIC_API_KEY", PLANTED);
        if let Some(bound) = bound {
            command.env("ANTHROPIC_BASE_URL", bound);
        }
        command.output().unwrap();
        server.join().unwrap()
    };
    assert!(seen(None).contains(&format!("x-api-key: {PLANTED}")));
    assert!(!seen(Some("https://elsewhere.example")).contains(PLANTED));
}

#[test]
fn a_key_that_the_relay_echoes_is_masked_wherever_its_words_go() {
    use std::io::Read;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/?api_key={PLANTED}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut peer, _)) = listener.accept() {
            std::thread::spawn(move || {
                while let Ok(1..) = peer.read(&mut vec![0; 65536]) {
                    let body =
                        format!(r#"{{"error":{{"type":"{PLANTED}","message":"bad key: {PLANTED}"}}}}"#);
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 503 No\r\nx-request-id: {PLANTED}\r\ncontent-length: {length}\r\n\r\n"
                    );
                    let _ = peer.write_all(format!("{head}{body}").as_bytes());
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let save = folder.path().join("run.json");
    let save = save.to_str().unwrap();
    for arguments in [
        &["send", "-v", "--attempts", "2", "--backoff-base", "1ms"][..],
        &["send", "--format", "json", "--attempts", "1"],
        &["send", "--error-format", "json", "--attempts", "1"],
        &["send", "--dry-run"],
        &["send", "--curl"],
        &["bench", "-c", "1", "-n", "2", "--warmup", "0", "--save", save],
    ] {
        let mut command = baton();
        command
            .args(arguments)
            .args(["--url", &url, "--model", "m", "Hello"])
            .env("ANTHROPIC_API_KEY", PLANTED);
        let said: Said = command.output().unwrap().into();
        assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
    }
    assert!(!std::fs::read_to_string(save).unwrap().contains(PLANTED));
}

#[test]
fn a_key_of_a_profile_shows_nowhere_and_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("relay.key"), PLANTED).unwrap();
    hide(&folder.path().join("relay.key"));
    let relay = relay("ttft=0,gap=0,tokens=2");
    let config = folder.path().join("config.toml");
    for key in [
        "key-file = 'relay.key'".to_owned(),
        format!("key-command = 'echo {PLANTED}'"),
        "key-env = 'RELAY_KEY'".to_owned(),
        format!("headers = {{ x-api-key = '{PLANTED}', x-tenant-token = '{PLANTED}' }}"),
    ] {
        let text = format!("default-profile = 'p'\n[profile.p]\nurl = '{}'\n{key}\n", relay.base_url());
        std::fs::write(&config, text).unwrap();
        hide(&config);
        let shows: &[&[&str]] = &[&["config", "show"], &["config", "show", "--format", "json"]];
        for arguments in COMMANDS.iter().chain(shows) {
            let mut command = baton();
            command.args(*arguments).env("BATON_CONFIG", &config).env("RELAY_KEY", PLANTED);
            let said: Said = command.output().unwrap().into();
            assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
            if arguments.contains(&"--dry-run") {
                assert!(said.out.contains("x-api-key: ***"), "{key}: {said:?}");
            }
        }
    }
}

/// Takes the file from the eyes of others, as the configuration asks for where it holds a secret.
fn hide(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}
