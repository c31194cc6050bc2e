//! Finds the pace that a relay bears: from the limits it announces and, where it announces none, from its refusals.

use std::time::Duration;

use crate::outcome::Class;

use super::advice::Standing;
use super::bucket::{Bucket, Speed};
use super::{KINDS, Report};

/// Requests a second before the first answer.
const START: f64 = 10.0;
/// Requests that may go at once, as TCP begins with ten segments (RFC 6928).
const AT_ONCE: u64 = 10;
/// What each answer to a request that had to wait adds to the pace, in requests a second, until the first refusal.
const GAIN: f64 = 20.0;
/// What a refusal leaves of the pace.
const CUT: f64 = 0.5;
/// The share by which the pace grows in a second after a refusal: 5 % in ten seconds.
const RECOVERY: f64 = 0.005;
/// The share of the pace before a refusal that is soon tried again.
const RETURN: f64 = 0.8;
/// How long that takes, in seconds: the gap closes by its e-th part in that time.
const RETURN_TIME: f64 = 20.0;
/// The slowest pace, in requests a second.
const SLOWEST: f64 = 0.1;
/// The share of an announced limit that is asked for even where all of it is used up, because how much has come back by
/// then only an answer can tell.
const PROBE: f64 = 0.05;

/// The pace so far.
#[derive(Debug)]
pub(super) struct Adapt {
    /// Requests a second, by what became of them.
    per_second: f64,
    /// The requests at that pace.
    own: Bucket,
    /// What the last refusal taught.
    cut: Option<Cut>,
    /// What the relay announced, by kind.
    announced: [Option<Announced>; KINDS],
}

/// The last time that the relay refused.
#[derive(Debug)]
struct Cut {
    /// When that was.
    at: Duration,
    /// The pace before it. Refusals that follow one another without an answer between them are one event.
    before: f64,
    /// When the pace was last raised since; the time of the refusal, if it was not.
    raised: Duration,
    /// Whether an answer has come since.
    answered: bool,
}

/// What may go by the relay's own word, until that word is stale.
#[derive(Debug)]
struct Announced {
    bucket: Bucket,
    until: Duration,
}

impl Adapt {
    /// Begins slowly, except where a rate was given, which is not to be passed anyway.
    pub(super) fn new(given: Option<f64>) -> Self {
        let per_second = given.unwrap_or(START);
        let own = Bucket::new(Speed::per_second(per_second), AT_ONCE);
        Self { per_second, own, cut: None, announced: Default::default() }
    }

    /// The earliest moment at which a request that takes so much may go.
    pub(super) fn due(&self, amounts: [u64; KINDS]) -> Duration {
        let announced = self.announced.iter().zip(amounts).filter_map(|(announced, amount)| {
            let announced = announced.as_ref()?;
            Some(announced.bucket.due(amount).min(announced.until))
        });
        announced.fold(self.own.due(1), Duration::max)
    }

    /// Whether the relay has announced a limit on tokens.
    pub(super) fn counts_tokens(&self) -> bool {
        let [_, tokens @ ..] = &self.announced;
        tokens.iter().any(Option::is_some)
    }

    /// Lets it go.
    pub(super) fn take(&mut self, at: Duration, amounts: [u64; KINDS]) {
        self.own.take(at, 1);
        for (announced, amount) in self.announced.iter_mut().zip(amounts) {
            if let Some(announced) = announced {
                announced.bucket.take(at, amount);
            }
        }
    }

    /// Counts what was used in place of what was expected.
    pub(super) fn settle(&mut self, at: Duration, expected: [u64; KINDS], used: [u64; KINDS]) {
        self.own.settle(at, expected[0], used[0]);
        for ((announced, expected), used) in self.announced.iter_mut().zip(expected).zip(used) {
            if let Some(announced) = announced {
                announced.bucket.settle(at, expected, used);
            }
        }
    }

    /// Begins anew at a rate that is given; where none is any more, the relay alone sets the pace from here on.
    pub(super) fn set(&mut self, now: Duration, given: Option<f64>) {
        if let Some(given) = given {
            self.per_second = given;
            self.own.turn(now, Speed::per_second(given));
        }
    }

    /// Learns from what became of a request that was let go at `granted`, after a wait or not.
    pub(super) fn learn(&mut self, now: Duration, report: &Report<'_>, history: History) {
        for standing in report.advice.iter().flat_map(|advice| &advice.0) {
            self.announce(now, standing);
        }
        if let Some(cut) = self.cut.as_mut().filter(|_| report.class.is_ok()) {
            cut.answered = true;
        }
        match report.class {
            Class::RateLimited | Class::Overloaded => self.refused(now, history.granted),
            class if class.is_ok() && history.waited => self.bore(now),
            _ => {}
        }
        self.own.turn(now, Speed::per_second(self.per_second));
    }

    /// Takes the relay's word: what remains is spread over the time until all is back. That spends the rest of a fixed
    /// window evenly, and holds a bucket that refills all the time half full, at the full rate of its refilling.
    #[expect(clippy::cast_precision_loss, reason = "a pace is an estimate")]
    fn announce(&mut self, now: Duration, standing: &Standing) {
        let slot = &mut self.announced[standing.kind as usize];
        if standing.reset.is_zero() {
            *slot = None;
            return;
        }
        let left = (standing.remaining as f64).max(standing.limit as f64 * PROBE);
        let speed = Speed::per_second(left / standing.reset.as_secs_f64());
        let until = now.saturating_add(standing.reset);
        match slot {
            Some(announced) => {
                announced.bucket.turn(now, speed);
                announced.until = until;
            }
            None => *slot = Some(Announced { bucket: Bucket::new(speed, 1), until }),
        }
    }

    /// Slows down, once for all requests that were under way at the time.
    fn refused(&mut self, now: Duration, granted: Duration) {
        let before = match &self.cut {
            Some(cut) if granted <= cut.at => return,
            Some(cut) if !cut.answered => cut.before,
            _ => self.per_second,
        };
        self.cut = Some(Cut { at: now, before, raised: now, answered: false });
        self.per_second = (self.per_second * CUT).max(SLOWEST);
    }

    /// Speeds up, if the pace was what held the request back.
    fn bore(&mut self, now: Duration) {
        let Some(cut) = &mut self.cut else {
            self.per_second += GAIN;
            return;
        };
        // Time without requests proves nothing, so that at most a second of it counts.
        let passed = now.saturating_sub(cut.raised).as_secs_f64().min(1.0);
        let gap = (cut.before * RETURN - self.per_second).max(0.0) / RETURN_TIME;
        self.per_second += gap.max(cut.before.max(self.per_second) * RECOVERY) * passed;
        cut.raised = now;
    }
}

/// How a request came to be let go.
#[derive(Debug, Clone, Copy)]
pub(super) struct History {
    /// When it was let go.
    pub(super) granted: Duration,
    /// Whether it had to wait.
    pub(super) waited: bool,
}
