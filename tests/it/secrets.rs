//! Plants a key in every place a key can come from, and looks for it in everything that is printed.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::baton::{Said, baton, relay};

const PLANTED: &str = "sk-planted-5e7c1d";

/// Every way to print and to save something, on a success and on failures of each kind; `{}` stands for a folder.
const COMMANDS: [&[&str]; 25] = [
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
    &["send", "--model", "m", "--cache", "exact", "--cache-dir", "{}/cache", "-o", "{}/answer", "Hello"],
    &["stream", "--model", "m", "-o", "{}/stream", "--overwrite", "--timing", "Hello"],
    &["stream", "--model", "mock-cut", "-o", "{}/cut", "--overwrite", "--attempts", "1", "-v", "Hello"],
    &["stream", "--model", "mock-401", "-o", "{}/refused", "--format", "events", "Hello"],
    &["batch", "{}/rows.jsonl", "--model", "m", "-o", "{}/rows.out", "--summary", "{}/rows.summary"],
    &["batch", "{}/rows.jsonl", "--model", "mock-401", "-o", "-", "-v"],
    &["check", "--model", "m", "--only", "C21,C24,C25,C26,C27,C28,C29,C38"],
    &["check", "--model", "mock-401", "--only", "C21,C24", "--format", "json", "-o", "{}/check.json"],
    &["check", "--model", "m", "--dry-run"],
    &["models", "--format", "json"],
    &[
        "bench", "-m", "m", "-c", "1", "-n", "2", "--warmup", "0", "--save", "{}/run", "--log", "{}/log",
        "Hello",
    ],
    &["bench", "--model", "m", "-c", "2", "-n", "4", "--warmup", "0", "--format", "json", "Hello"],
    &["bench", "--model", "mock-401", "-c", "2", "-n", "4", "--warmup", "0", "Hello"],
];

/// Runs every command with the key planted by `plant` and fails where it shows.
fn nothing_shows(plant: impl Fn(&mut std::process::Command)) {
    let relay = relay("ttft=0,gap=0,tokens=2");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.jsonl"), "\"one\"\n\"two\"\n").unwrap();
    for arguments in COMMANDS {
        let mut command = baton();
        command.args(in_folder(arguments, folder.path()));
        command.args(["--url", &relay.base_url()]).env("RUST_BACKTRACE", "1");
        plant(&mut command);
        let said: Said = command.output().unwrap().into();
        assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
    }
    let saved = saved_in(folder.path());
    for (path, text) in &saved {
        assert!(!text.contains(PLANTED), "{}: {text}", path.display());
    }
    // The rows themselves, an answer and its cache with a salt, two streams and what is beside the second, a batch and
    // its summary, a check, a run and its log.
    assert!(saved.len() >= 10, "{saved:?}");
}

fn in_folder(arguments: &[&str], folder: &Path) -> Vec<String> {
    arguments.iter().map(|argument| argument.replace("{}", folder.to_str().unwrap())).collect()
}

/// All files of a folder, and those within.
fn saved_in(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let (mut folders, mut saved) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                saved.push((path, text));
            }
        }
    }
    saved
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
fn a_signing_key_and_what_goes_beside_it_show_nowhere() {
    nothing_shows(|command| {
        command.args(["--sign", "simple"]).env("BATON_SIGN_KEY_ID", "reader").env("BATON_SIGN_KEY", PLANTED);
    });
    nothing_shows(|command| {
        command.args(["--sign", "sigv4", "--sign-region", "eu-west-1"]).env("AWS_ACCESS_KEY_ID", "reader");
        command.env("AWS_SECRET_ACCESS_KEY", PLANTED).env("AWS_SESSION_TOKEN", PLANTED);
    });
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
    let rows = folder.path().join("rows.jsonl");
    fs::write(&rows, "\"one\"\n").unwrap();
    let rows = rows.to_str().unwrap();
    let batch = ["batch", rows, "-o", "{}/rows.out", "--summary", "{}/summary", "--attempts", "1", "-v"];
    for arguments in [
        &["send", "-v", "--attempts", "2", "--backoff-base", "1ms"][..],
        &["stream", "-o", "{}/answer", "--attempts", "1", "-v"],
        &["check", "--only", "C21,C24,C25,C26,C27,C28"],
        &["check", "--only", "C21,C24,C25,C26,C27,C28", "--format", "json", "-o", "{}/check.json"],
        &["models"],
        &batch,
        &["send", "--format", "json", "--attempts", "1"],
        &["send", "--error-format", "json", "--attempts", "1"],
        &["send", "--dry-run"],
        &["send", "--curl"],
        &["bench", "-c", "1", "-n", "2", "--warmup", "0", "--save", save],
    ] {
        let mut command = baton();
        command.args(in_folder(arguments, folder.path()));
        command.args(["--url", &url]).env("ANTHROPIC_API_KEY", PLANTED);
        match arguments[0] {
            "models" => {}
            "batch" | "check" => drop(command.args(["--model", "m"])),
            _ => drop(command.args(["--model", "m", "Hello"])),
        }
        let said: Said = command.output().unwrap().into();
        assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
    }
    let saved = saved_in(folder.path());
    assert!(saved.iter().all(|(_, text)| !text.contains(PLANTED)), "{saved:?}");
    // The rows, what became of them and of the stream, the check and the run.
    assert!(saved.len() >= 5, "{saved:?}");
}

#[test]
fn what_stands_in_an_address_before_the_host_shows_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.jsonl"), "\"one\"\n").unwrap();
    let url = format!("http://user:{PLANTED}@127.0.0.1:9");
    let config = folder.path().join("config.toml");
    fs::write(&config, format!("[profile.p]\nurl = '{url}'\n")).unwrap();
    hide(&config);
    let shown = |command: &mut std::process::Command, code: Option<i32>| {
        let said: Said = command.env("RUST_BACKTRACE", "1").output().unwrap().into();
        assert!(!format!("{said:?}").contains(PLANTED), "{command:?}: {said:?}");
        assert!(code.is_none_or(|code| said.code == code), "{command:?}: {said:?}");
    };
    for arguments in COMMANDS {
        let arguments = in_folder(arguments, folder.path());
        shown(baton().args(&arguments).args(["--url", &url]), Some(2));
        shown(baton().args(&arguments).env("BATON_URL", &url), Some(2));
        shown(baton().args(&arguments).args(["--profile", "p"]).env("BATON_CONFIG", &config), Some(2));
        // A proxy of the environment may have a password: nobody answers there.
        let mut proxied = baton();
        proxied.args(&arguments).args(["--url", "http://relay.invalid"]).env("HTTP_PROXY", &url);
        shown(&mut proxied, None);
    }
    for (path, text) in saved_in(folder.path()) {
        assert!(path == config || !text.contains(PLANTED), "{}: {text}", path.display());
    }
}

#[test]
fn a_key_of_a_profile_shows_nowhere_and_is_sent() {
    let (folder, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(output.path().join("rows.jsonl"), "\"one\"\n").unwrap();
    fs::write(folder.path().join("relay.key"), PLANTED).unwrap();
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
            command.args(in_folder(arguments, output.path()));
            command.env("BATON_CONFIG", &config).env("RELAY_KEY", PLANTED);
            let said: Said = command.output().unwrap().into();
            assert!(!said.out.contains(PLANTED) && !said.err.contains(PLANTED), "{arguments:?}: {said:?}");
            if arguments[0] == "send" && arguments.contains(&"--dry-run") {
                assert!(said.out.contains("x-api-key: ***"), "{key}: {said:?}");
            }
        }
    }
    let saved = saved_in(output.path());
    assert!(saved.len() >= 10 && saved.iter().all(|(_, text)| !text.contains(PLANTED)), "{saved:?}");
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
