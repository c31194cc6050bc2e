//! A machine that follows two regions, and an operator who signs what they serve.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use minisign::KeyPair;
use serde_json::Value;

use crate::baton::{Said, baton};
use crate::front::{Front, answering};

use super::file;

/// A source: files that can be replaced while it serves them.
pub(super) struct Region {
    pub(super) front: Front,
    pub(super) files: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Region {
    fn start() -> Self {
        let files: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let served = Arc::clone(&files);
        let front = answering(move |head| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let close = "connection: close\r\n";
            let Some(text) = served.lock().unwrap().get(path).cloned() else {
                return format!("HTTP/1.1 404 Not Found\r\n{close}\r\n");
            };
            let etag = format!("\"{:x}\"", crc32fast::hash(text.as_bytes()));
            if head.contains(&etag) {
                return format!("HTTP/1.1 304 Not Modified\r\n{close}\r\n");
            }
            // A file that is cut on its way ends before its announced end.
            let (text, missing) = match text.strip_suffix("CUT") {
                Some(text) => (text.to_owned(), 100),
                None => (text, 0),
            };
            let length = text.len() + missing;
            format!("HTTP/1.1 200 OK\r\n{close}etag: {etag}\r\ncontent-length: {length}\r\n\r\n{text}")
        });
        Self { front, files }
    }

    pub(super) fn serve(&self, document: &str, signature: &str) {
        let mut files = self.files.lock().unwrap();
        files.insert("/b.toml".to_owned(), document.to_owned());
        files.insert("/b.toml.minisig".to_owned(), signature.to_owned());
    }
}

/// A machine that follows two regions, whose files an operator signs.
pub(super) struct World {
    pub(super) home: tempfile::TempDir,
    pub(super) keys: KeyPair,
    pub(super) eu: Region,
    pub(super) us: Region,
}

impl World {
    /// Both regions serve version 7.
    pub(super) fn new(more: &str) -> Self {
        let world = Self::bare(&format!("allowed-hosts = ['127.0.0.1:8080']\n{more}"));
        world.serve(&file(7));
        world
    }

    /// Neither serves anything.
    pub(super) fn bare(profile: &str) -> Self {
        let keys = KeyPair::generate_unencrypted_keypair().unwrap();
        let world =
            Self { home: tempfile::tempdir().unwrap(), keys, eu: Region::start(), us: Region::start() };
        world.write(profile);
        world
    }

    /// Signs a file, which both regions serve from now on.
    pub(super) fn serve(&self, text: &str) {
        for region in [&self.eu, &self.us] {
            region.serve(text, &self.sign(text));
        }
    }

    pub(super) fn configure(&self, more: &str) {
        self.write(&format!("allowed-hosts = ['127.0.0.1:8080']\n{more}"));
    }

    /// Writes the profile, `allowed-hosts` and all.
    pub(super) fn write(&self, profile: &str) {
        let config = format!(
            "[profile.work]\nconfig-key = '{}'\n{profile}\n[profile.work.config-url]\n\
             eu = 'http://127.0.0.1:{}/b.toml'\nus = 'http://127.0.0.1:{}/b.toml'\n",
            self.keys.pk.to_base64(),
            self.eu.front.port,
            self.us.front.port
        );
        fs::write(self.home.path().join("config.toml"), config).unwrap();
    }

    pub(super) fn sign(&self, text: &str) -> String {
        minisign::sign(None, &self.keys.sk, Cursor::new(text), None, None).unwrap().into_string()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.home.path().join("baton/sync/work.json")
    }

    /// A command of `baton config`.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.baton();
        command.args(["config"]).args(arguments);
        command
    }

    /// Any command.
    pub(super) fn baton(&self) -> Command {
        let mut command = baton();
        command
            .env("XDG_STATE_HOME", self.home.path())
            .env("BATON_CONFIG", self.home.path().join("config.toml"))
            .env("BATON_PROFILE", "work");
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// One poll: the exit code, the version in force, and the verdicts on eu and us.
    pub(super) fn once(&self) -> (i32, Option<u64>, [String; 2]) {
        let said = self.run(&["sync", "--once", "--format", "json"]);
        let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let verdict = |at: usize| report["sources"][at]["verdict"].as_str().unwrap().to_owned();
        (said.code, report["in_force"]["version"].as_u64(), [verdict(0), verdict(1)])
    }
}
