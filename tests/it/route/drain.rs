//! An endpoint that is drained by hand under a run, and what several runs keep of endpoints.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::asked::Run;
use crate::baton::{Said, baton};
use crate::zones::Mock;

/// A machine with a profile of two endpoints.
struct Machine {
    home: TempDir,
    mocks: [Mock; 2],
}

impl Machine {
    fn new() -> Self {
        let (home, mocks) =
            (tempfile::tempdir().unwrap(), [(); 2].map(|()| Mock::start("ttft=0,gap=0,tokens=2")));
        let [a, b] = [0, 1].map(|at: usize| mocks[at].url.as_str());
        let config = format!(
            "[profile.work]\nmodel = 'm'\nstrategy = 'priority'\nendpoint = [{{ url = '{a}' }}, {{ url = '{b}', priority = 1 }}]\n"
        );
        fs::write(home.path().join("config.toml"), config).unwrap();
        Self { home, mocks }
    }

    fn baton(&self) -> Command {
        let mut command = baton();
        command.env("XDG_STATE_HOME", self.home.path()).env("BATON_PROFILE", "work");
        command.env("BATON_CONFIG", self.home.path().join("config.toml"));
        command
    }

    fn route(&self, arguments: &[&str]) -> Said {
        self.baton().arg("route").args(arguments).output().unwrap().into()
    }

    fn asked(&self) -> [u64; 2] {
        [0, 1].map(|at: usize| self.mocks[at].stats()["requests"].as_u64().unwrap())
    }

    /// The health of the first endpoint and its share, as `route status` has them.
    fn health(&self) -> (String, u64) {
        let said = self.route(&["status", "--format", "json"]);
        let status: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let first = &status["endpoints"][0];
        (first["health"].as_str().unwrap().to_owned(), first["share_percent"].as_u64().unwrap())
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        let folder = Path::new(self.home.path()).join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }
}

#[test]
fn a_drain_by_hand_reaches_runs_under_way_and_those_to_come_until_it_is_taken_back() {
    let machine = Machine::new();
    let a = machine.mocks[0].url.as_str();
    let mut runs = ["one", "two"].map(|name| Run::start(machine.baton(), &machine.folder(name)));
    for run in &mut runs {
        run.serve(3);
    }
    assert_eq!(machine.asked(), [6, 0]);
    assert_eq!(machine.route(&["drain", a]).code, 0);
    for run in &mut runs {
        run.hear("drained", a);
        run.serve(3);
    }
    assert_eq!((machine.asked(), machine.health()), ([6, 6], ("drained".to_owned(), 0)));
    // One that begins now knows it from the start.
    let said: Said = machine.baton().args(["send", "Hello"]).output().unwrap().into();
    assert_eq!((said.code, machine.asked()), (0, [6, 7]));
    let again = machine.route(&["drain", &format!("{a}/")]);
    assert!(again.code == 0 && again.err.contains("drained already"), "{again:?}");
    assert_eq!(machine.route(&["resume", a]).code, 0);
    for mut run in runs {
        run.hear("restored", a);
        run.serve(1);
        assert_eq!(run.end().code, 0);
    }
    assert_eq!(machine.asked(), [8, 7]);
    assert_eq!(machine.health(), ("well".to_owned(), 100));
}

#[test]
fn an_endpoint_that_is_none_is_not_drained_and_a_drain_of_all_is_remarked_on() {
    let machine = Machine::new();
    let said = machine.route(&["drain", "http://127.0.0.1:1"]);
    assert!(said.code == 2 && said.err.contains(&machine.mocks[1].url), "{said:?}");
    assert!(!machine.home.path().join("baton/route/work.json").exists());
    for mock in &machine.mocks {
        let said = machine.route(&["drain", &mock.url]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.err.contains("all endpoints are drained"), mock.url == machine.mocks[1].url);
    }
    let said: Said = machine.baton().args(["send", "Hello"]).output().unwrap().into();
    assert_eq!(said.code, 0, "a request needs an endpoint: {said:?}");
}
