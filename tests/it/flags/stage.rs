//! Where the rows of the flag tables are played: relays, fronts and files, and the names that stand for them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use baton::mock::Relay;
use tempfile::TempDir;

use crate::baton::{Said, baton, relay, run};
use crate::front;
use crate::front::{CONNECTED, Front};
use crate::papers::{Clients, Papers};

/// Everything that a row may need.
pub(super) struct Stage {
    _relay: Relay,
    /// A relay of profile `o`, which wants tokens.
    issuer: Relay,
    papers: Papers,
    /// `{url}`: the relay, everything sent to it noted.
    tap: Front,
    /// `{tls}`: a port that speaks TLS for relay.invalid.
    tls: Front,
    /// `{strict}`: the same, which lets only a certified client in.
    strict: Front,
    /// `{silent}`: a port that takes requests and never answers.
    silent: Front,
    /// `{half}`: one that answers with the beginning of a body.
    half: Front,
    /// `{none}`: one that answers with an empty list.
    none: Front,
    /// The source of profile `s`, which has nothing.
    source: Front,
    /// `{proxy}`: an HTTP proxy to the relay.
    proxy: Front,
    #[cfg(unix)]
    _socket: Front,
    /// `{fixed}`: files that no row changes, and the relay's Unix socket.
    fixed: TempDir,
}

/// What was seen of one run.
pub(super) struct Seen {
    pub(super) said: Said,
    /// Every byte that went to `{url}`.
    pub(super) wire: String,
    pub(super) connections: usize,
    /// The names and protocols of the connections to `{tls}`.
    pub(super) tls: String,
    /// `{tmp}`: a folder of this run's own, with nothing in it but a file `old`.
    pub(super) folder: TempDir,
    names: BTreeMap<&'static str, String>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Said { code, out: data, err } = &self.said;
        let Self { wire, connections, tls, .. } = self;
        write!(
            out,
            "exit {code}\n--- out\n{data}--- err\n{err}--- {connections} connections\n{wire}\n--- tls\n{tls}"
        )
    }
}

impl Seen {
    /// Puts what names in braces stand for in their place.
    pub(super) fn filled(&self, text: &str) -> String {
        fill(text, &self.names)
    }
}

fn fill(text: &str, names: &BTreeMap<&'static str, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Takes a line apart as a shell does, with single quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            if open {
                words.last_mut().unwrap().push_str(part);
            } else {
                words.push(part.to_owned());
            }
            open = true;
            continue;
        }
        for (at, word) in part.split(' ').enumerate() {
            open &= at == 0;
            match words.last_mut() {
                Some(last) if open => last.push_str(word),
                _ if word.is_empty() => {}
                _ => words.push(word.to_owned()),
            }
        }
        open = !part.is_empty() && !part.ends_with(' ');
    }
    words
}

/// Writes the results of both shards of a small plan, `1.json` and `2.json`.
fn write_shards(folder: &Path) {
    for number in ["1", "2"] {
        let (shard, place) = (format!("{number}/2"), folder.join(format!("{number}.json")));
        let plan = ["bench", "--mock=ttft=0,gap=0,tokens=2", "-c", "2", "-n", "8", "--warmup", "0"];
        let kept = ["--shard", &shard, "--save", place.to_str().unwrap()];
        assert_eq!(run(&[&plan[..], &kept].concat()).code, 0);
    }
}

/// The files that no row changes.
fn write_files(folder: &Path) {
    for (name, text) in [
        ("text.txt", "zebra from a file"),
        ("latin.txt", ""),
        ("talk.json", r#"[{"role":"user","content":"zebra"},{"role":"assistant","content":"ok"}]"#),
        ("body.json", r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"zebra"}]}"#),
        ("key", "sk-zebra\n"),
        ("secret", "mock-secret\n"),
        ("shown", "0123456789abcdef0123456789abcdef\n"),
        ("long", "0123456789abcdef0123456789abcdef\n"),
        ("signing", "0123456789abcdef\n"),
        ("empty", ""),
        ("rows.jsonl", "{\"prompt\":\"zebra\"}\n\"giraffe\"\n"),
        ("mix.jsonl", r#"{"weight":1,"model":"m","prompt":"zebra"}"#),
        ("trace.jsonl", r#"{"offset_s": 0, "prompt": "zebra"}"#),
        ("rows.jsonl", "{\"prompt\":\"zebra\"}\n{\"prompt\":\"lion\"}\n{\"prompt\":\"lion\"}\n"),
        ("many.jsonl", &(0..40).map(|row| format!("\"row {row}\"\n")).collect::<Vec<_>>().concat()),
        ("bad.jsonl", "no row\n"),
        ("ask.txt", "Greet the {{ prompt }}"),
        ("known.json", r#"{"schema":"baton.check/1","findings":[{"id":"C21","verdict":"fail"}]}"#),
        ("priced.toml", "[price.\"m\"]\ninput = 1000000\noutput = 0\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    for name in ["secret", "key", "long", "empty", "signing"] {
        crate::oauth::hide(&folder.join(name));
    }
    #[cfg(unix)]
    fs::set_permissions(folder.join("shown"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(folder.join("latin.txt"), b"caf\xe9").unwrap();
}

/// Saved results of the relay.
fn save_runs(relay: &Relay, folder: &Path) {
    for (name, count) in [("run.json", "1"), ("other.json", "3")] {
        let (url, path) = (relay.base_url(), folder.join(name));
        let ask =
            ["bench", "--url", &url, "--model", "m", "-c", "1", "--warmup", "0", "--workers", "1", "Hello"];
        run(&[&ask[..], &["-n", count, "--save", path.to_str().unwrap()]].concat());
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let relay = relay("ttft=0,gap=0,tokens=6,slots=inf");
        let papers = Papers::new();
        let fixed = tempfile::tempdir().unwrap();
        write_files(fixed.path());
        save_runs(&relay, fixed.path());
        papers.write("both.pem", &(papers.client.signing_key.serialize_pem() + &papers.client.cert.pem()));
        let stage = Self {
            tap: front::tap(&relay),
            tls: papers.front(&relay, Clients::Anyone),
            strict: papers.front(&relay, Clients::Certified),
            silent: front::canned(""),
            half: front::canned("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"id\":"),
            none: front::canned("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"data\":[]}"),
            source: front::answering(|_| "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n".to_owned()),
            proxy: front::http_proxy(&relay),
            #[cfg(unix)]
            _socket: front::unix_socket(&relay, &fixed.path().join("socket")),
            papers,
            fixed,
            _relay: relay,
            issuer: crate::baton::relay("ttft=0,gap=0,tokens=6,slots=inf,token-life=1h"),
        };
        let config = format!(
            "[profile.p]\nurl = 'http://127.0.0.1:{}'\nmodel = 'zebra'\n[profile.once]\nattempts = 1\n\
             [profile.o]\nurl = '{1}'\n[profile.o.oauth]\ngrant = 'client-credentials'\nissuer = '{1}'\n\
             client-id = 'baton'\nclient-secret-file = 'secret'\nstore = 'token.json'\n\
             [profile.s]\nconfig-url = 'http://127.0.0.1:{2}/b.toml'\nallowed-hosts = ['127.0.0.1']\n\
             config-key = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3'\n",
            stage.tap.port,
            stage.issuer.base_url(),
            stage.source.port
        );
        fs::write(stage.fixed.path().join("config.toml"), config).unwrap();
        write_shards(stage.fixed.path());
        stage
    }

    fn names(&self, folder: &TempDir) -> BTreeMap<&'static str, String> {
        // A port that was free a moment ago refuses.
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        BTreeMap::from([
            ("url", format!("http://127.0.0.1:{}", self.tap.port)),
            ("port", self.tap.port.to_string()),
            ("tls", self.tls.port.to_string()),
            ("strict", self.strict.port.to_string()),
            ("silent", self.silent.port.to_string()),
            ("half", self.half.port.to_string()),
            ("none", self.none.port.to_string()),
            ("proxy", format!("http://127.0.0.1:{}", self.proxy.port)),
            ("dead", dead.to_string()),
            ("papers", self.papers.path("")),
            ("fixed", self.fixed.path().to_str().unwrap().to_owned()),
            ("tmp", folder.path().to_str().unwrap().to_owned()),
        ])
    }

    /// Runs a line to its end; variables stand before the command, as in a shell.
    pub(super) fn run(&self, line: &str) -> Seen {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "old words").unwrap();
        let names = self.names(&folder);
        let mut words = words(&fill(line, &names));
        let before = (self.tap.notes().len(), self.tls.notes().len());
        let mut command = baton();
        command.env("BATON_MODEL", "m").current_dir(folder.path());
        while words[0].contains('=') {
            let word = words.remove(0);
            let (name, value) = word.split_once('=').unwrap();
            command.env(name, value);
        }
        command.args(&words);
        let said = if words[0] == "mock" { serve(command) } else { command.output().unwrap().into() };
        let notes = self.tap.notes().split_off(before.0);
        Seen {
            said,
            connections: notes.iter().filter(|note| *note == CONNECTED).count(),
            wire: notes.into_iter().filter(|note| note != CONNECTED).collect(),
            tls: self.tls.notes().split_off(before.1).join("\n"),
            folder,
            names,
        }
    }
}

/// Runs a server until it has answered one request; what it says is followed by the answer and the names of its threads.
fn serve(mut command: Command) -> Said {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    if let Some(at) = text.find("http://") {
        let url = text[at..].trim().to_owned();
        text += &run(&["send", "--url", &url, "--model", "m", "--format", "json", "Hi"]).out;
        for thread in fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten() {
            text += &fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        }
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    }
    out.read_to_string(&mut text).unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    Said { out: text, ..said }
}
