//! The relays of a scene, the flags that name them, and what the load runs in.

use std::io::Write;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::zones::Mock;

use super::space::Door;

/// How quickly the relays answer where nothing else matters.
pub(super) const QUICK: &str = "ttft=5ms,gap=0,tokens=2,slots=inf";

/// The same for what takes seconds, so that fewer requests are made meanwhile.
pub(super) const CALM: &str = "ttft=20ms,gap=0,tokens=2,slots=inf";

/// The relays of a scene.
pub(super) struct Cast {
    pub(super) mocks: Vec<Mock>,
    /// What names them on the command line.
    pub(super) flags: Vec<String>,
    door: Option<Door>,
    _profile: Option<NamedTempFile>,
}

impl Cast {
    /// Three relays on this machine.
    pub(super) fn of_three(more: &[&str]) -> Self {
        let mocks: Vec<Mock> = (0..3).map(|_| Mock::start(QUICK)).collect();
        let mut flags: Vec<String> = more.iter().map(ToString::to_string).collect();
        flags.extend(mocks.iter().flat_map(|mock| ["-u".to_owned(), mock.url.clone()]));
        Self { mocks, flags, door: None, _profile: None }
    }

    /// The first of these addresses, and the others where it does not serve.
    pub(super) fn in_order(mocks: Vec<Mock>, urls: &[&str]) -> Self {
        let mut profile = NamedTempFile::new().unwrap();
        writeln!(profile, "[profile.p]\nstrategy = \"priority\"").unwrap();
        for (rank, url) in urls.iter().enumerate() {
            writeln!(profile, "[[profile.p.endpoint]]\nurl = \"{url}\"\npriority = {}", rank.min(1)).unwrap();
        }
        let path = profile.path().to_str().unwrap().to_owned();
        let flags = ["--config".to_owned(), path, "--profile".to_owned(), "p".to_owned()].into();
        Self { mocks, flags, door: None, _profile: Some(profile) }
    }

    /// The same load within a namespace.
    pub(super) fn within(self, door: Door) -> Self {
        Self { door: Some(door), ..self }
    }

    /// A command of the binary with the flags that name the relays, where it is to run.
    pub(super) fn command(&self, mut inner: Command) -> Command {
        inner.args(&self.flags);
        match self.door {
            None => inner,
            Some(door) => door.enter(&inner),
        }
    }
}
