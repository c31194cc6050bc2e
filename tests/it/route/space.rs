//! Namespaces of the kernel in which a test may change names and routes: without any right, and seen by nobody else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::NamedTempFile;

use crate::baton::baton;

/// The shell within, which does what it is told line by line.
pub(super) struct Space {
    shell: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    hosts: NamedTempFile,
    door: Door,
}

/// The way into a space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    shell: u32,
    kind: &'static str,
}

impl Door {
    /// A command with its arguments and environment, run within.
    pub(super) fn enter(self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--preserve-credentials", "--user", self.kind, "--target", &self.shell.to_string()]);
        command.arg("--").arg(inner.get_program()).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }
}

impl Space {
    /// A space of its own with its own `/etc/hosts`; where none can be made, says so.
    pub(super) fn with_names() -> Option<Self> {
        let space = Self::open("--mount")?;
        space.set_up("mount --bind \"$HOSTS\" /etc/hosts")
    }

    /// The same with a network of its own, in which 10.9.0.1 is this machine.
    pub(super) fn with_network() -> Option<Self> {
        // Nobody listens at the end of the cable.
        const CABLE: &str = "ip link set lo up && ip addr add 10.9.0.1/32 dev lo && ip link add v0 type veth peer v1 \
                             && ip addr add 10.9.1.1/24 dev v0 && ip link set v0 up && ip link set v1 up \
                             && ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:09 dev v0 nud permanent";
        Self::open("--net")?.set_up(CABLE)
    }

    /// From now on whatever is sent to 10.9.0.1 vanishes, on connections that are open, too.
    pub(super) fn swallow(&mut self) {
        assert!(self.order("ip addr del 10.9.0.1/32 dev lo && ip route add 10.9.0.1/32 dev v0"));
    }

    /// From now on the name leads to this address, which has as many letters as the one before: a reader finds one or the other.
    pub(super) fn lead(&self, name: &str, address: &str) {
        use std::os::unix::fs::FileExt;
        let file = fs::OpenOptions::new().write(true).open(self.hosts.path()).unwrap();
        file.write_all_at(format!("{address} {name}\n").as_bytes(), 0).unwrap();
    }

    /// The way in.
    pub(super) fn door(&self) -> Door {
        self.door
    }

    fn open(kind: &'static str) -> Option<Self> {
        let hosts = NamedTempFile::new().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", kind, "sh"]).env("HOSTS", hosts.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().ok()?;
        let (orders, answers) = (shell.stdin.take()?, BufReader::new(shell.stdout.take()?));
        let door = Door { shell: shell.id(), kind };
        Some(Self { shell, orders, answers, hosts, door })
    }

    fn set_up(mut self, order: &str) -> Option<Self> {
        let is_usable = self.order(order)
            && self.door.enter(baton().arg("--version")).output().is_ok_and(|said| said.status.success());
        if !is_usable {
            let _ =
                writeln!(std::io::stderr(), "skipped: no namespace can be made, what needs one is not tried");
        }
        is_usable.then_some(self)
    }

    /// Whether the shell could do it.
    fn order(&mut self, order: &str) -> bool {
        let mut answer = String::new();
        let is_told = writeln!(self.orders, "{order} >&2 && echo done || echo failed").is_ok();
        is_told && self.answers.read_line(&mut answer).is_ok() && answer == "done\n"
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
