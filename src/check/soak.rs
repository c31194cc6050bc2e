//! Whether a relay's memory grows with the number of its requests.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, interval, sleep};

use crate::net::{Url, shown_url};

use super::subject::{Subject, Trouble};
use super::{Ruling, Verdict};

/// How many ask at once.
const USERS: usize = 4;
/// The pause after a request that failed.
const REFUSED: Duration = Duration::from_millis(100);
/// How often the memory is read, at most.
const OFTEN: Duration = Duration::from_millis(100);
/// How many readings there are otherwise.
const READINGS: u32 = 120;
/// The growth for each request that is too much: 1 MB for 1,000.
const SLOPE: f64 = 1_000.0;
/// Requests after the first third below which a slope says nothing, as a rule.
pub const ENOUGH: usize = 1_000;
/// A soak below this only warns.
const LONG: Duration = Duration::from_secs(600);

/// For how long a relay is asked, and how its memory is read.
#[derive(Debug, Clone)]
pub struct Soak {
    /// For how long.
    pub time: Duration,
    /// Where its memory is read.
    pub gauge: Gauge,
    /// Requests after the first third below which nothing is said; as a rule [`ENOUGH`].
    pub enough: usize,
}

/// Where a relay's memory is read.
#[derive(Debug, Clone)]
pub enum Gauge {
    /// The resident memory of this process of this machine.
    Process(u32),
    /// `process_resident_memory_bytes` of a page in Prometheus' form.
    Page(Url),
}

impl Gauge {
    /// The resident memory in bytes, or why it cannot be read.
    async fn read(&self) -> Result<f64, String> {
        match self {
            Self::Process(pid) => {
                let path = format!("/proc/{pid}/status");
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
                resident_of(&text).ok_or_else(|| format!("{path} states no VmRSS"))
            }
            Self::Page(url) => {
                let page =
                    Subject::fetch(url).await.map_err(|error| format!("{}: {error}", shown_url(url)))?;
                let missing = || format!("{} states no process_resident_memory_bytes", shown_url(url));
                metric_of(&String::from_utf8_lossy(&page)).ok_or_else(missing)
            }
        }
    }
}

/// `VmRSS` of a status page of the kernel's, in bytes.
fn resident_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// The resident memory of a metrics page; with several processes, of all of them.
fn metric_of(page: &str) -> Option<f64> {
    let values: Vec<f64> = page
        .lines()
        .filter_map(|line| line.strip_prefix("process_resident_memory_bytes"))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// What a soak has seen: memory by requests done, and how long each took.
#[derive(Debug, Default)]
struct Log {
    memory: Vec<(f64, f64)>,
    /// Of requests that were answered.
    times: Vec<Duration>,
    /// What the others came to.
    failed: u64,
    said: String,
    /// Why the memory could not be read.
    blind: Option<String>,
}

/// C04: memory does not grow with the number of requests.
pub(super) async fn memory(subject: &Subject) -> Result<Ruling, Trouble> {
    let Some(soak) = &subject.soak else {
        return Ok(Ruling::skip("--soak TIME with --pid or --metrics-url watches the relay's memory"));
    };
    let log = RefCell::new(Log::default());
    let end = Instant::now() + soak.time;
    let users = join_all((0..USERS).map(|_| ask_until(subject, end, &log)));
    let mut ticks = interval((soak.time / READINGS).max(OFTEN));
    let watch = async {
        loop {
            ticks.tick().await;
            let read = soak.gauge.read().await;
            let mut log = log.borrow_mut();
            match read {
                #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
                Ok(bytes) => {
                    let done = log.times.len() as f64;
                    log.memory.push((done, bytes));
                }
                Err(why) => {
                    log.blind = Some(why);
                    return;
                }
            }
        }
    };
    tokio::select! {
        // What was seen until the money was spent is ruled on.
        asked = users => for asked in asked {
            match asked {
                Ok(()) | Err(Trouble::Cost(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        },
        () = watch => {}
    }
    Ok(log.into_inner().rule(soak.time, soak.enough))
}

async fn ask_until(subject: &Subject, end: Instant, log: &RefCell<Log>) -> Result<(), Trouble> {
    while Instant::now() < end {
        let said = match subject.ask_endlessly(&subject.question()).await {
            Ok(seen) if seen.is_success() => {
                log.borrow_mut().times.push(seen.took());
                continue;
            }
            Ok(seen) => seen.quote(),
            Err(Trouble::Net(error)) => error.to_string(),
            Err(trouble) => return Err(trouble),
        };
        log.borrow_mut().note_failure(said);
        // A relay that refuses at once must not be asked as fast as it refuses.
        sleep(REFUSED).await;
    }
    Ok(())
}

impl Log {
    fn note_failure(&mut self, said: String) {
        self.failed += 1;
        self.said = said;
    }

    fn rule(self, time: Duration, enough: usize) -> Ruling {
        if let Some(why) = self.blind {
            return Ruling::skip(why);
        }
        let done = self.times.len();
        if self.failed > done as u64 {
            return Ruling::skip(format!("{} of the requests failed, the last: {}", self.failed, self.said));
        }
        let third = done / 3;
        if done - third < enough {
            return Ruling::skip(format!(
                "{done} requests say nothing of a slope: {enough} after the first third do"
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let later: Vec<_> = self.memory.into_iter().filter(|(done, _)| *done >= third as f64).collect();
        let Some(slope) = slope(&later) else { return Ruling::skip("the memory was read too seldom") };
        let line = format!(
            "{:+.3} MB for 1,000 requests, of {done} requests in {} s",
            slope / 1_000.0,
            time.as_secs()
        );
        let mut ruling = Ruling::pass(line);
        if slope > SLOPE {
            ruling.verdict = if time >= LONG { Verdict::Fail } else { Verdict::Warn };
        }
        let (first, last) = (tp99(&self.times[..third]), tp99(&self.times[done - third..]));
        if last > first * 2 {
            ruling.verdict = ruling.verdict.max(Verdict::Warn);
        }
        if self.failed > 0 {
            ruling = ruling.and(format!("{} other requests failed, the last: {}", self.failed, self.said));
        }
        ruling.and(format!(
            "TP99 {} ms in the first third, {} ms in the last",
            first.as_millis(),
            last.as_millis()
        ))
    }
}

fn tp99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// The slope of a line through these points, by least squares.
#[expect(clippy::cast_precision_loss, reason = "a count of readings")]
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let common: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (points.len() >= 3 && spread > 0.0).then(|| common / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes_each: f64) -> Log {
        let memory = (0..30)
            .map(|reading| (f64::from(reading) * 100.0, 5e7 + f64::from(reading) * 100.0 * bytes_each));
        Log { memory: memory.collect(), times: vec![Duration::from_millis(2); 3_000], ..Log::default() }
    }

    #[test]
    fn a_slope_is_found_and_a_short_soak_only_warns() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(log(900.0).rule(hour, ENOUGH).verdict, Verdict::Pass);
        assert_eq!(log(1_100.0).rule(hour, ENOUGH).verdict, Verdict::Fail);
        assert_eq!(log(1_100.0).rule(Duration::from_secs(60), ENOUGH).verdict, Verdict::Warn);
        assert_eq!(log(-5_000.0).rule(hour, ENOUGH).verdict, Verdict::Pass);
    }

    #[test]
    fn too_few_requests_decide_nothing_and_slower_ones_warn() {
        let hour = Duration::from_secs(3_600);
        let few = Log { times: vec![Duration::from_millis(2); 900], ..log(9_000.0) };
        assert_eq!(few.rule(hour, ENOUGH).verdict, Verdict::Skip);
        let mut slow = log(0.0);
        slow.times[2_500..].fill(Duration::from_millis(5));
        assert_eq!(slow.rule(hour, ENOUGH).verdict, Verdict::Warn);
    }

    #[test]
    fn refusals_are_no_requests_that_memory_is_measured_by() {
        let refused = Log { failed: 3_001, said: "429".into(), ..log(9_000.0) };
        assert_eq!(refused.rule(Duration::from_secs(3_600), ENOUGH).verdict, Verdict::Skip);
        let some = Log { failed: 5, said: "a reset".into(), ..log(0.0) };
        let ruling = some.rule(Duration::from_secs(3_600), ENOUGH);
        assert_eq!(ruling.verdict, Verdict::Pass);
        assert!(ruling.evidence[1].contains("5 other requests failed, the last: a reset"));
    }

    #[test]
    fn memory_is_read_from_both_kinds_of_pages() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    12 kB\n"), Some(12_288.0));
        let page = "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 1.5e+07\n";
        assert_eq!(metric_of(page), Some(1.5e7));
        let many = "process_resident_memory_bytes{pid=\"1\"} 2\nprocess_resident_memory_bytes{pid=\"2\"} 3\n";
        assert_eq!(metric_of(many), Some(5.0));
        assert_eq!(metric_of("up 1\n"), None);
    }
}
