//! Runs the built binary in a clean environment, and the embedded relay in this process.

use std::process::{Command, Output, Stdio};

use baton::mock::{Guards, Options, Relay};

/// The binary, with nothing of this machine's environment that could leak into a test.
pub(crate) fn baton() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Said {
    baton().args(arguments).output().unwrap().into()
}

/// Runs it with something piped into it.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Said {
    use std::io::Write;
    let mut command = baton();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its flags never reads, and closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// An embedded relay on a free port.
pub(crate) fn relay(spec: &str) -> Relay {
    guarded(spec, Guards::default())
}

/// The same behind guards.
pub(crate) fn guarded(spec: &str, guards: Guards) -> Relay {
    Relay::start(Options { spec: spec.parse().unwrap(), guards, threads: 1, ..Options::default() }).unwrap()
}

/// Runs the binary against a relay, with a model whose name chooses what happens.
pub(crate) fn send(relay: &Relay, model: &str, more: &[&str]) -> Said {
    let url = relay.base_url();
    let mut arguments = vec!["send", "--url", &url, "--model", model, "--backoff-base", "1ms", "Hello"];
    arguments.extend(more);
    run(&arguments)
}
