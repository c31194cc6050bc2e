//! A mock with zones as a process of its own, changed over its control address while other commands use it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::baton::{baton, run};

/// A mock process with a zone `a` and a control address; dropping it kills it.
pub(crate) struct Mock {
    child: Child,
    pub(crate) url: String,
    control: String,
}

impl Mock {
    pub(crate) fn start(spec: &str) -> Self {
        Self::start_as("127.0.0.1:0", spec, |command| command)
    }

    /// One at this address, whose command is run in another way.
    pub(crate) fn start_as(listen: &str, spec: &str, wrapped: impl FnOnce(Command) -> Command) -> Self {
        let mut command = baton();
        command.args(["mock", "--zones", "a", "--control", "--threads", "1", "--listen", listen, spec]);
        let mut command = wrapped(command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |name: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(name).unwrap().trim_start_matches(" http://").to_owned()
        };
        let (relay, control) = (address("a"), address("control"));
        Self { child, url: format!("http://{relay}"), control }
    }

    /// Sends the process a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Changes what the body names; when this returns, what comes next meets it.
    pub(crate) fn change(&self, body: &Value) {
        self.ask("POST", &body.to_string());
    }

    /// What the zone has counted.
    pub(crate) fn stats(&self) -> Value {
        self.ask("GET", "")["stats"].clone()
    }

    fn ask(&self, method: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        let length = body.len();
        let head = format!(
            "{method} /__mock/zones/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_batch_outlives_a_relay_that_refuses_for_a_while() {
    let mock = Mock::start("ttft=1ms,gap=0,tokens=2");
    let mut command = baton();
    command.args(["batch", "--url", &mock.url, "--model", "m", "--text", "-v", "-c", "4"]);
    command.args(["--attempts", "8", "--backoff-base", "20ms"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut rows = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut attempts = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut ask = |from: usize| (from..from + 20).for_each(|row| writeln!(rows, "question {row}").unwrap());
    ask(0);
    let before: Vec<bool> = answers.by_ref().take(20).map(|line| is_answered(&line.unwrap())).collect();
    mock.change(&json!({ "connections": "refused" }));
    ask(20);
    let refused = attempts.by_ref().find(|line| line.as_ref().unwrap().contains("Connection refused"));
    assert!(refused.is_some());
    mock.change(&json!({ "connections": "open", "error_share": 0.3 }));
    ask(40);
    drop(rows);
    let after: Vec<bool> = answers.map(|line| is_answered(&line.unwrap())).collect();
    attempts.for_each(drop);
    assert_eq!((before, after.len()), (vec![true; 20], 40), "every row has its line");
    // How many find their way depends on how long the relay refused: retries have a budget.
    let all_answered = after.iter().all(|answered| *answered);
    assert_eq!(child.wait().unwrap().code(), Some(i32::from(!all_answered)));
    assert!(after[20..].iter().any(|answered| *answered), "it goes on once the relay is back");
    assert!(mock.stats()["faults"]["zone"].as_u64().unwrap() > 0);
}

/// Whether a row of the output has an answer.
fn is_answered(line: &str) -> bool {
    let row: Value = serde_json::from_str(line).unwrap();
    row["error"].is_null() && row["response"]["status_code"] == 200
}

#[test]
fn latency_that_is_added_as_it_runs_is_seen_by_the_next_request() {
    let mock = Mock::start("ttft=0,gap=0,tokens=2");
    let first_token = || {
        let said = run(&["send", "--url", &mock.url, "--model", "m", "--format", "json", "Hello"]);
        serde_json::from_str::<Value>(&said.out).unwrap()["timing_ms"]["first_token"].as_f64().unwrap()
    };
    mock.change(&json!({ "latency_ms": 500 }));
    assert!(first_token() >= 500.0);
    mock.change(&json!({ "latency_ms": 0 }));
    assert!(first_token() < 500.0);
}

#[test]
fn flags_say_which_of_two_endpoints_is_asked_and_nothing_of_it_is_sent() {
    let mocks = [(); 2].map(|()| Mock::start("ttft=0,gap=0,tokens=2"));
    let asked = || [0, 1].map(|at: usize| mocks[at].stats()["requests"].as_u64().unwrap());
    let send = |said: [&str; 2], strategy: &str| {
        let urls = [0, 1].map(|at| format!("{}{}", mocks[at].url, said[at]));
        let route = ["--strategy", strategy, "--model", "m", "Hello"];
        run(&[&["send", "--url", &urls[0], "--url", &urls[1]], &route[..]].concat())
    };
    assert_eq!(send(["#priority=1&zone=a", "#zone=b"], "priority").code, 0);
    assert_eq!(asked(), [0, 1]);
    assert_eq!(send(["", "#drain"], "pinned").code, 0);
    assert_eq!(send(["#drain", ""], "nearest").code, 0);
    assert_eq!(asked(), [1, 2]);
    let said = send(["#weigth=2", ""], "weighted");
    assert!(said.code == 2 && said.err.contains("#weigth=2") && said.err.contains("weight"), "{said:?}");
}
