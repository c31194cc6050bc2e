//! A rate that the processes of one machine share: a file tells when the next request of any of them is due.

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::units::Rate;

use super::super::own_file::{lock, open_own};
use super::{LATE, LONGEST_PARK};

/// How long another process may hold the lock, which it needs for microseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the lock is tried.
const POLL: Duration = Duration::from_millis(1);
/// The length of a page is a multiple of this.
const UNIT: usize = 512;
/// The most that such a file holds.
const ROOM: u64 = 16 * UNIT as u64;

/// Whose requests a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateScope {
    /// Those of this process.
    #[default]
    Process,
    /// Those of all processes on this machine that ask the same relay with this scope.
    Machine,
}

/// A word that names no [`RateScope`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scope of a rate: write process or machine")]
pub struct UnknownScope(String);

impl RateScope {
    /// The names on the command line.
    pub const NAMES: [&str; 2] = ["process", "machine"];
}

impl FromStr for RateScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        match text {
            "process" => Ok(Self::Process),
            "machine" => Ok(Self::Machine),
            _ => Err(UnknownScope(text.to_owned())),
        }
    }
}

impl fmt::Display for RateScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Process => "process",
            Self::Machine => "machine",
        })
    }
}

/// The file is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the shared rate's file {}: {detail}", path.display())]
pub struct LedgerError {
    path: PathBuf,
    detail: String,
}

impl LedgerError {
    /// What to do about it.
    pub const HINT: &str = "where the file is damaged, remove it while no run uses it";
}

/// The shared state of a rate. Its decision is the generic cell rate algorithm (ITU-T I.371) in its form of a theoretical
/// arrival time, which each process moves on by the interval of its own rate: processes of unlike rates share the time.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    /// Whose rate it is; a file of another's is refused.
    relay: String,
    /// The boot that moments are of.
    boot: String,
    clock: Clock,
    /// Nanoseconds from one request to the next.
    interval: AtomicU64,
    /// Nanoseconds by which requests may come before their time: what a burst takes.
    tolerance: AtomicU64,
    /// How many nanoseconds later than it was due the last request of this process left.
    behind: AtomicU64,
}

/// What the file says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    relay: String,
    boot: String,
    /// When the next request is due without a burst, in nanoseconds since the machine was started.
    due_ns: u64,
}

impl Ledger {
    /// Opens the file, or makes it with mode 0600, for the rate towards a relay.
    ///
    /// # Errors
    ///
    /// That the file cannot be opened, or is no file of this relay's rate.
    pub fn open(path: &Path, relay: &str, rate: Rate, burst: u32) -> Result<Self, LedgerError> {
        let file =
            open_own(path).map_err(|error| LedgerError { path: path.into(), detail: error.to_string() })?;
        let ledger = Self {
            path: path.into(),
            file,
            relay: relay.into(),
            boot: boot().map_err(|error| LedgerError { path: path.into(), detail: error.to_string() })?,
            clock: Clock::Machine,
            interval: AtomicU64::new(0),
            tolerance: AtomicU64::new(0),
            behind: AtomicU64::new(0),
        };
        ledger.turn(rate, burst);
        // One that is locked is in use by another process, which has read it.
        if ledger.file.try_lock().is_ok() {
            let _lock = Lock(&ledger.file);
            ledger.read(ledger.clock.now())?;
        }
        Ok(ledger)
    }

    /// Goes by another rate from now on.
    pub(super) fn turn(&self, rate: Rate, burst: u32) {
        let nanos = rate.period().as_nanos().div_ceil(u128::from(rate.count()));
        let interval = u64::try_from(nanos).unwrap_or(u64::MAX);
        let tolerance = interval.saturating_mul(burst.max(1).saturating_sub(1).into());
        self.interval.store(interval, Ordering::Relaxed);
        self.tolerance.store(tolerance, Ordering::Relaxed);
    }

    /// Waits for the next moment that is free on this machine, for a request that has waited so long already; false where
    /// the moment has passed meanwhile and is lost. One that is given up while it waits loses its moment, too.
    pub(super) async fn slot(&self, waited: Duration) -> Result<bool, LedgerError> {
        let slot = {
            let _lock = self.lock().await?;
            let late = nanos(LATE).min(nanos(waited).max(self.behind.load(Ordering::Relaxed)));
            let now = self.clock.now();
            self.reserve(now, now.saturating_sub(late))?
        };
        sleep(Duration::from_nanos(slot.saturating_sub(self.clock.now()))).await;
        let behind = self.clock.now().saturating_sub(slot);
        self.behind.store(behind, Ordering::Relaxed);
        Ok(behind <= nanos(LATE))
    }

    /// Reserves the next free moment that is not before the earliest; under the lock.
    fn reserve(&self, now: u64, earliest: u64) -> Result<u64, LedgerError> {
        let due = self.read(now)?;
        let slot = due.saturating_sub(self.tolerance.load(Ordering::Relaxed)).max(earliest);
        let due_ns = due.max(slot).saturating_add(self.interval.load(Ordering::Relaxed));
        let page = Page { relay: self.relay.clone(), boot: self.boot.clone(), due_ns };
        let mut text = serde_json::to_vec(&page).expect("text and a number are JSON");
        // Pages are of one length, so that one write replaces what was there.
        text.resize(text.len().next_multiple_of(UNIT), b' ');
        let mut file = &self.file;
        file.rewind().and_then(|()| file.write_all(&text)).map_err(|error| self.failed(error))?;
        Ok(slot)
    }

    /// When the next request is due; at once in a new file, and in one of before the machine was started anew.
    fn read(&self, now: u64) -> Result<u64, LedgerError> {
        let (mut file, mut text) = (&self.file, Vec::new());
        let read = file.rewind().and_then(|()| file.take(ROOM).read_to_end(&mut text));
        if read.map_err(|error| self.failed(error))? == 0 {
            return Ok(0);
        }
        let page: Page = serde_json::from_slice(&text)
            .map_err(|error| self.failed(format_args!("it is damaged or no such file ({error})")))?;
        if page.relay != self.relay {
            return Err(self.failed(format_args!("it is of {}", page.relay.escape_debug())));
        }
        if page.boot != self.boot {
            return Ok(0);
        }
        if page.due_ns.saturating_sub(now) > nanos(LONGEST_PARK) {
            return Err(self.failed("it is damaged: its next request is due in more than a year"));
        }
        Ok(page.due_ns)
    }

    async fn lock(&self) -> Result<Lock<'_>, LedgerError> {
        if lock(&self.file, (PATIENCE, POLL)).await.map_err(|error| self.failed(error))? {
            return Ok(Lock(&self.file));
        }
        Err(self.failed("another process holds its lock and does not give it up"))
    }

    fn failed(&self, detail: impl std::fmt::Display) -> LedgerError {
        LedgerError { path: self.path.clone(), detail: detail.to_string() }
    }
}

/// The right to change the file, given up when dropped.
struct Lock<'a>(&'a File);

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // A lock that cannot be given up ends with the process.
        let _ = self.0.unlock();
    }
}

/// What tells the time.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// The clock that all processes share.
    Machine,
    /// The runtime's, for tests in which it stands still.
    #[cfg(test)]
    Runtime(tokio::time::Instant),
}

impl Clock {
    /// Nanoseconds since a moment that all who share the file agree on.
    fn now(self) -> u64 {
        match self {
            Self::Machine => now(),
            #[cfg(test)]
            Self::Runtime(origin) => nanos(origin.elapsed()),
        }
    }
}

/// What tells this boot of the machine from any other.
fn boot() -> io::Result<String> {
    if cfg!(target_os = "linux") {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        return Ok(text.trim().to_owned());
    }
    // The wall clock, which is read elsewhere, knows no boot.
    Ok(String::new())
}

/// Nanoseconds of the clock that all processes of the machine share: since its start, sleep included.
#[cfg(target_os = "linux")]
fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Nanoseconds of the clock that all processes of the machine share: the wall's, for want of a better one.
#[cfg(not(target_os = "linux"))]
fn now() -> u64 {
    nanos(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::task::{Context, Waker};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn open(path: &Path, rate: &str, burst: u32) -> Ledger {
        Ledger::open(path, "http://relay", rate.parse().unwrap(), burst).unwrap()
    }

    #[test]
    fn three_that_share_a_file_get_the_moments_of_one_rate_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rate").join("relay.json");
        let all = [open(&path, "50/s", 1), open(&path, "50/s", 1), open(&path, "50/s", 1)];
        for turn in 0..300 {
            let slot = all[turn % 3].reserve(100 * SECOND, 100 * SECOND).unwrap();
            assert_eq!(slot, 100 * SECOND + turn as u64 * SECOND / 50);
        }
        // What was not used is not made up for.
        assert_eq!(all[0].reserve(200 * SECOND, 200 * SECOND), Ok(200 * SECOND));
        assert_eq!(all[1].reserve(200 * SECOND, 200 * SECOND), Ok(200 * SECOND + SECOND / 50));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_burst_is_one_of_all_and_unlike_rates_share_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.json");
        let (one, two) = (open(&path, "1/s", 3), open(&path, "1/s", 3));
        let slots =
            [&one, &two, &one, &two, &one].map(|ledger| ledger.reserve(9 * SECOND, 9 * SECOND).unwrap());
        assert_eq!(slots, [9, 9, 9, 10, 11].map(|at| at * SECOND));
        let path = folder.path().join("other.json");
        let (slow, fast) = (open(&path, "1/s", 1), open(&path, "10/s", 1));
        let slots = [&slow, &fast, &slow].map(|ledger| ledger.reserve(SECOND, SECOND).unwrap());
        assert_eq!(slots, [SECOND, 2 * SECOND, 2 * SECOND + SECOND / 10]);
    }

    #[test]
    fn another_boot_begins_anew_and_a_file_of_anything_else_is_refused_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.json");
        fs::write(&path, r#"{"relay":"http://relay","boot":"another","due_ns":99000000000000}"#).unwrap();
        assert_eq!(open(&path, "1/s", 1).reserve(5, 5), Ok(5));
        let boot = boot().unwrap();
        for text in [
            "x".repeat(10_000),
            "\0\0\0".to_owned(),
            r#"{"relay":"http://relay"}"#.to_owned(),
            format!(r#"{{"relay":"http://other","boot":"{boot}","due_ns":1}}"#),
            format!(r#"{{"relay":"http://relay","boot":"{boot}","due_ns":{}}}"#, u64::MAX),
        ] {
            fs::write(&path, &text).unwrap();
            let error = Ledger::open(&path, "http://relay", "1/s".parse().unwrap(), 1).unwrap_err();
            assert!(error.to_string().contains("relay.json"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    /// Ledgers of several processes on a clock that stands still unless somebody waits.
    fn paused<const N: usize>(path: &Path, rate: &str) -> ([Ledger; N], tokio::time::Instant) {
        let origin = tokio::time::Instant::now();
        let ledger = |_| Ledger { clock: Clock::Runtime(origin), ..open(path, rate, 1) };
        (std::array::from_fn(ledger), origin)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_waited_for_in_turn_and_one_that_is_given_up_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let ([one, two], origin) = paused(&folder.path().join("relay.json"), "10/s");
        let at = || origin.elapsed().as_millis();
        for turn in 0..6 {
            let ledger = if turn % 2 == 0 { &one } else { &two };
            assert_eq!((ledger.slot(Duration::ZERO).await, at()), (Ok(true), turn * 100));
        }
        let both = tokio::join!(one.slot(Duration::ZERO), two.slot(Duration::ZERO));
        assert_eq!((both, at()), ((Ok(true), Ok(true)), 700));
        let given_up = tokio::time::timeout(Duration::from_millis(30), one.slot(Duration::ZERO)).await;
        assert!(given_up.is_err());
        assert_eq!((two.slot(Duration::ZERO).await, at()), (Ok(true), 900));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(
            (one.slot(Duration::ZERO).await, at()),
            (Ok(true), 5900),
            "what was not used is not saved"
        );
        assert_eq!((two.slot(Duration::ZERO).await, at()), (Ok(true), 6000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_timer_slows_nothing_down_and_a_slot_that_was_slept_through_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let ([one, two], origin) = paused(&folder.path().join("relay.json"), "10/s");
        let at = || origin.elapsed().as_millis();
        assert_eq!(one.slot(Duration::ZERO).await, Ok(true));
        for (due, late, is_good) in [(100, 30, true), (200, 51, false)] {
            let mut slot = std::pin::pin!(one.slot(Duration::ZERO));
            assert!(slot.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::time::advance(Duration::from_millis(due + late).saturating_sub(origin.elapsed())).await;
            assert_eq!(slot.await, Ok(is_good), "{late} ms late at {}", at());
        }
        assert_eq!((two.slot(Duration::ZERO).await, at()), (Ok(true), 300), "moments stay where they were");
    }
}
