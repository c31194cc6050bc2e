//! What the process and its machine have left while a level runs: descriptors, sockets, ports, and a clock that does not jump.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How often descriptors are counted.
const PERIOD: Duration = Duration::from_secs(1);

/// Descriptors from which on nobody looks what each of them is: it would take a visible part of a core.
const MOST_LOOKED_AT: usize = 4_096;

/// A difference of both clocks that is no jump: a wall clock that is corrected runs faster or slower by less.
const STEADY: Duration = Duration::from_millis(5);

/// How long the reading of both clocks may take for them to count as read at once.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What was seen at one level; what a system does not tell is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Most descriptors that were open at once.
    pub descriptors: Option<u64>,
    /// How many may be open.
    pub descriptor_limit: Option<u64>,
    /// Most sockets that were open at once, those of an embedded relay included.
    pub sockets: Option<u64>,
    /// Most TCP ports of the machine that were taken at once, those that wait for late packets included.
    pub ports: Option<u64>,
    /// How many ports connections may leave from.
    pub port_range: Option<u64>,
    /// By how much the wall clock jumped against the monotonic one, all jumps together.
    pub clock_step: Duration,
}

/// Watches a level; asked now and then.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    seen: Vitals,
    /// Whether there once were too many descriptors for their sockets to be counted: how many there were is not known then.
    was_crowded: bool,
    counted: Option<Instant>,
    clocks: Option<(Instant, SystemTime)>,
}

impl Watcher {
    /// Takes a look.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        self.look_at_clocks((now, SystemTime::now()), Instant::now());
        if self.counted.is_none_or(|last| now.duration_since(last) >= PERIOD) {
            self.counted = Some(now);
            self.count();
        }
    }

    /// What was seen.
    pub(super) const fn seen(&self) -> Vitals {
        self.seen
    }

    /// Notes how many descriptors are open, and looks at the sockets among them where there may be more than before: 1000 of
    /// them take 2 ms of a core that a worker may need, and would be a gap in what it sees once a second.
    fn note(&mut self, open: u64, sockets: impl FnOnce() -> Option<u64>) {
        if self.seen.descriptors.is_some_and(|most| open <= most) {
            return;
        }
        let sockets = sockets();
        self.was_crowded |= sockets.is_none();
        self.seen.descriptors = Some(open);
        self.seen.sockets = self.seen.sockets.max(sockets).filter(|_| !self.was_crowded);
    }

    /// Compares how far both clocks have gone since the last look; `after` is when both had been read.
    fn look_at_clocks(&mut self, read: (Instant, SystemTime), after: Instant) {
        if after.duration_since(read.0) > AT_ONCE {
            return;
        }
        if let Some((instant, time)) = self.clocks.replace(read) {
            let passed = read.0.duration_since(instant);
            let off = match read.1.duration_since(time) {
                Ok(shown) => shown.abs_diff(passed),
                Err(back) => back.duration() + passed,
            };
            if off > STEADY {
                self.seen.clock_step += off;
            }
        }
    }

    fn count(&mut self) {
        if let Some(paths) = open_descriptors() {
            // One of them is the folder itself.
            self.note(paths.len().saturating_sub(1) as u64, || sockets_among(&paths));
        }
        let seen = &mut self.seen;
        seen.descriptor_limit = rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft);
        let text = |path: &str| fs::read_to_string(path).ok();
        seen.ports = seen.ports.max(text("/proc/net/sockstat").and_then(|text| taken_ports(&text)));
        seen.port_range = text("/proc/sys/net/ipv4/ip_local_port_range").and_then(|text| width(&text));
    }
}

/// The descriptors that are open; a system that does not tell gives none.
fn open_descriptors() -> Option<Vec<PathBuf>> {
    let folder = fs::read_dir(Path::new("/proc/self/fd")).ok()?;
    Some(folder.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

/// How many of them are sockets, where they are few enough to be looked at.
fn sockets_among(paths: &[PathBuf]) -> Option<u64> {
    let is_socket = |path: &&PathBuf| {
        fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    (paths.len() <= MOST_LOOKED_AT).then(|| paths.iter().filter(is_socket).count() as u64)
}

/// TCP sockets in use and those that wait (`tw`), out of `/proc/net/sockstat`.
fn taken_ports(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let of = |name: &str| words.chunks(2).find(|pair| pair[0] == name)?.get(1)?.parse::<u64>().ok();
    Some(of("inuse")? + of("tw")?)
}

/// How many numbers a range of two has.
fn width(text: &str) -> Option<u64> {
    let (from, to) = text.trim().split_once(char::is_whitespace)?;
    let (from, to) = (from.parse::<u64>().ok()?, to.trim().parse::<u64>().ok()?);
    (to >= from).then(|| to - from + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_either_way_is_seen_and_one_that_is_corrected_is_not() {
        let (began, time) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        let ms = Duration::from_millis;
        let mut watcher = Watcher::default();
        let mut look = |after: Duration, shown: SystemTime| {
            watcher.look_at_clocks((began + after, shown), began + after);
            watcher.seen().clock_step
        };
        assert_eq!(look(ms(0), time), Duration::ZERO);
        assert_eq!(look(ms(250), time + ms(251)), Duration::ZERO);
        assert_eq!(look(ms(500), time + ms(2_501)), ms(2_000));
        assert_eq!(look(ms(750), time + ms(1_751)), ms(3_000));
        assert_eq!(look(ms(1_000), time + ms(2_001)), ms(3_000));
    }

    #[test]
    fn sockets_that_were_not_all_counted_are_not_told() {
        let mut watcher = Watcher::default();
        watcher.note(2_000, || Some(1_990));
        assert_eq!(watcher.seen().sockets, Some(1_990));
        watcher.note(8_000, || None);
        watcher.note(9_000, || Some(8_990));
        assert_eq!((watcher.seen().descriptors, watcher.seen().sockets), (Some(9_000), None));
    }

    #[test]
    fn sockets_are_looked_at_again_only_where_more_descriptors_are_open_than_ever() {
        let mut watcher = Watcher::default();
        watcher.note(2_000, || Some(1_990));
        watcher.note(2_000, || unreachable!("there are no more than before"));
        watcher.note(1_000, || unreachable!("there are fewer"));
        watcher.note(2_001, || Some(1_991));
        assert_eq!((watcher.seen().descriptors, watcher.seen().sockets), (Some(2_001), Some(1_991)));
    }

    #[test]
    fn clocks_that_were_not_read_at_once_say_nothing() {
        let (began, time) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut watcher = Watcher::default();
        watcher.look_at_clocks((began, time), began);
        watcher.look_at_clocks((began, time + Duration::from_secs(9)), began + Duration::from_millis(2));
        assert_eq!(watcher.seen().clock_step, Duration::ZERO);
    }

    #[test]
    fn ports_are_read_from_what_linux_says() {
        let text = "sockets: used 290\nTCP: inuse 31 orphan 0 tw 12 alloc 40 mem 3\nUDP: inuse 4 mem 2\n";
        assert_eq!(taken_ports(text), Some(43));
        assert_eq!(
            (taken_ports("UDP: inuse 4"), width("32768\t60999\n"), width("9 1")),
            (None, Some(28_232), None)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_that_is_opened_is_counted() {
        let count = || open_descriptors().map(|paths| (paths.len(), sockets_among(&paths))).unwrap();
        let before = count();
        let sockets: Vec<_> = (0..50).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let after = count();
        drop(sockets);
        // Other tests open and close some meanwhile.
        assert!(after.0 > before.0 + 20 && after.1.unwrap() > 20, "{before:?} {after:?}");
    }
}
