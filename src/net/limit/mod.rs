//! The leaky bucket of the client: how many requests and tokens leave in a time, whoever sends them.
//!
//! [`Limiter::grant`] waits, first come first served, until a request may leave; [`Grant::report`] tells what became of
//! it, which gives back tokens that were not used, parks everybody where the relay asks for a wait, and lets the pace
//! follow what the relay announces and refuses ([`Adapt::Relay`]). A rate that was given is never exceeded. What is
//! decided lies in `bucket` and `adapt`, over explicit time; only the waiting is here.

mod adapt;
mod advice;
mod bucket;
mod change;
mod ledger;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::outcome::Class;
use crate::units::Rate;

use self::adapt::History;
pub use self::advice::Advice;
use self::bucket::Bucket;
use self::change::buckets;
pub use self::ledger::{Ledger, LedgerError, RateScope, UnknownScope};
pub use self::tokens::{TokenRateError, TokenRates};

/// How late a waiting request may be woken and still count as gone when it was due. Timers tick in milliseconds, and a
/// busy machine is later than that; what exceeds this is lost, so that a machine that slept does not catch up.
const LATE: Duration = Duration::from_millis(50);
/// The longest that a relay's hint parks the bucket, so that no clock overflows.
const LONGEST_PARK: Duration = Duration::from_secs(365 * 86_400);
/// The share of a new count in the average of generated tokens.
const NEWS: f64 = 0.125;

/// What may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a time.
    pub requests: Option<Rate>,
    /// Requests that may leave at once; the others follow evenly spaced.
    pub burst: u32,
    /// Tokens in a time.
    pub tokens: TokenRates,
    /// Whether the pace follows the relay, within these limits.
    pub adapt: Adapt,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: None, burst: 1, tokens: TokenRates::default(), adapt: Adapt::Never }
    }
}

/// What sets the pace beside the limits that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapt {
    /// Nothing.
    Never,
    /// The relay: the limits in its headers, and its refusals.
    Relay,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Requests,
    Input,
    Output,
    /// Tokens of both directions together.
    Both,
}

/// How many kinds of limits there are.
const KINDS: usize = 4;

/// What a request is expected to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Tokens of the prompt.
    pub input: u64,
    /// The most tokens that may be generated; where the request names no bound, as many as requests before it used.
    pub output: Option<u64>,
}

/// What a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Tokens of the prompt that count against a limit.
    pub input: u64,
    /// Tokens generated.
    pub output: u64,
}

impl Used {
    /// What a request used that the relay refused.
    pub const NOTHING: Self = Self { input: 0, output: 0 };

    /// How much of each kind.
    fn amounts(self) -> [u64; KINDS] {
        [1, self.input, self.output, self.input.saturating_add(self.output)]
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// How it ended.
    pub class: Class,
    /// The wait that the relay asks for.
    pub retry_after: Option<Duration>,
    /// The limits that the reply announced.
    pub advice: Option<&'a Advice>,
    /// What it used; where that is not known, what was expected counts.
    pub used: Option<Used>,
}

/// A request that no wait could ever let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it needs about {needs} {what} tokens, and --token-rate lets {holds} through at most at once")]
pub struct TooLarge {
    what: &'static str,
    needs: u64,
    holds: u64,
}

/// Why a request may not leave, now or ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No wait could ever let it through.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// What the processes of the machine share is of no use.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Lets requests leave at the pace that was given or found.
#[derive(Debug)]
pub struct Limiter {
    /// The moment that all others count from.
    origin: Instant,
    /// Held by the request that is next; the others queue for it in the order of their arrival.
    turn: tokio::sync::Mutex<()>,
    /// Tells the request that is next to look again.
    changed: Notify,
    state: Mutex<State>,
    /// The rate of requests, where the processes of the machine share it.
    ledger: Option<Ledger>,
}

#[derive(Debug)]
struct State {
    /// The limits that were given, by kind.
    given: [Option<Bucket>; KINDS],
    adapt: Option<adapt::Adapt>,
    /// Nothing leaves before.
    parked_until: Duration,
    /// How much later than it was due the last request left.
    behind: Duration,
    /// The average of what requests generated.
    typical_output: f64,
}

impl Limiter {
    /// A limiter with empty buckets.
    pub fn new(limits: &Limits) -> Self {
        let state = State {
            given: buckets(limits),
            adapt: match limits.adapt {
                Adapt::Never => None,
                Adapt::Relay => Some(adapt::Adapt::new(limits.requests.map(Rate::per_second))),
            },
            parked_until: Duration::ZERO,
            behind: Duration::ZERO,
            typical_output: 0.0,
        };
        Self {
            origin: Instant::now(),
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            state: Mutex::new(state),
            ledger: None,
        }
    }

    /// The same limiter with the rate of its requests shared by the processes of the machine.
    #[must_use]
    pub fn sharing(self, ledger: Ledger) -> Self {
        self.state().given[0] = None;
        Self { ledger: Some(ledger), ..self }
    }

    /// Waits until a request may leave. Whoever came first is served first; a wait that is given up costs
    /// nothing, but for its moment where the processes of the machine share the rate.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`], at once, where the request exceeds what a limit lets through at once, and what is wrong with
    /// the file that processes share.
    pub async fn grant(&self, cost: Cost) -> Result<Grant<'_>, Refusal> {
        let arrived = self.now();
        let expected = self.expect(cost)?;
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => self.turn.lock().await,
        };
        // Whether the moment that the machine's processes agreed on has come.
        let mut has_slot = false;
        loop {
            let due = {
                let mut state = self.state();
                let now = self.now();
                let due = state.due(expected);
                if due <= now && (has_slot || self.ledger.is_none()) {
                    // What waited counts as gone when it was due, and what follows upon a late wake-up as late as that,
                    // so that timers slow nothing down.
                    let earliest = arrived.min(now.saturating_sub(state.behind));
                    let at = due.max(earliest).max(now.saturating_sub(LATE));
                    state.behind = now.saturating_sub(at);
                    state.take(at, expected);
                    let history = History { granted: now, waited: due > arrived || has_slot };
                    let waited = if history.waited { now.saturating_sub(arrived) } else { Duration::ZERO };
                    return Ok(Grant { limiter: self, expected, waited, history, stage: Stage::Here });
                }
                due
            };
            if let Some(ledger) = self.ledger.as_ref().filter(|_| due <= self.now()) {
                has_slot = ledger.slot(self.now().saturating_sub(arrived)).await?;
                continue;
            }
            // A moment that cannot be used is lost.
            has_slot = false;
            tokio::select! {
                () = sleep_until(self.moment(due)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Refuses a request that would never be let through.
    pub fn fits(&self, cost: Cost) -> Result<(), TooLarge> {
        self.expect(cost).map(|_| ())
    }

    /// Whether it matters how many tokens a request costs.
    pub fn counts_tokens(&self) -> bool {
        let state = self.state();
        let [_, tokens @ ..] = &state.given;
        tokens.iter().any(Option::is_some) || state.adapt.as_ref().is_some_and(adapt::Adapt::counts_tokens)
    }

    /// How long everybody has to wait by the relay's word; zero where nobody has.
    pub fn parked(&self) -> Duration {
        self.state().parked_until.saturating_sub(self.now())
    }

    fn expect(&self, cost: Cost) -> Result<Used, TooLarge> {
        let state = self.state();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an average of counts")]
        let output = cost.output.unwrap_or(state.typical_output.round() as u64);
        let expected = Used { input: cost.input, output };
        for ((bucket, amount), what) in state.given.iter().zip(expected.amounts()).zip([
            "",
            "prompt",
            "generated",
            "prompt and generated",
        ]) {
            if let Some(bucket) = bucket.as_ref().filter(|bucket| amount > bucket.depth()) {
                return Err(TooLarge { what, needs: amount, holds: bucket.depth() });
            }
        }
        Ok(expected)
    }

    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    /// The moment on the clock; one beyond all measure is as good as a year away.
    fn moment(&self, due: Duration) -> Instant {
        self.origin + due.min(self.now() + LONGEST_PARK)
    }

    /// Every change is one step, so that a holder who panicked left nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&self, expected: Used) -> Duration {
        let given = self.given.iter().zip(expected.amounts());
        let given = given.filter_map(|(bucket, amount)| Some(bucket.as_ref()?.due(amount)));
        let found = self.adapt.as_ref().map(|adapt| adapt.due(expected.amounts()));
        given.chain(found).fold(self.parked_until, Duration::max)
    }

    fn take(&mut self, at: Duration, expected: Used) {
        for (bucket, amount) in self.given.iter_mut().zip(expected.amounts()) {
            if let Some(bucket) = bucket {
                bucket.take(at, amount);
            }
        }
        if let Some(adapt) = &mut self.adapt {
            adapt.take(at, expected.amounts());
        }
    }

    /// Charges what was used in place of what was expected, by kind.
    fn settle(&mut self, at: Duration, expected: [u64; KINDS], used: [u64; KINDS]) {
        for ((bucket, expected), used) in self.given.iter_mut().zip(expected).zip(used) {
            if let Some(bucket) = bucket {
                bucket.settle(at, expected, used);
            }
        }
        if let Some(adapt) = &mut self.adapt {
            adapt.settle(at, expected, used);
        }
    }

    fn learn(&mut self, now: Duration, report: &Report<'_>, history: History) {
        if let (Some(wait), Class::RateLimited | Class::Overloaded | Class::Http5xx) =
            (report.retry_after, report.class)
        {
            self.parked_until = self.parked_until.max(now + wait.min(LONGEST_PARK));
        }
        if let (Some(used), true) = (report.used, report.class.is_ok()) {
            #[expect(clippy::cast_precision_loss, reason = "an average of counts")]
            let news = used.output as f64 - self.typical_output;
            self.typical_output += news * if self.typical_output > 0.0 { NEWS } else { 1.0 };
        }
        if let Some(adapt) = &mut self.adapt {
            adapt.learn(now, report, history);
        }
    }
}

/// The leave of one request. Dropped before the request departed, it gives everything back.
#[derive(Debug)]
#[must_use = "a leave that is not used is given back"]
pub struct Grant<'a> {
    limiter: &'a Limiter,
    expected: Used,
    waited: Duration,
    history: History,
    stage: Stage,
}

/// How far the request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Here,
    Departed,
}

impl Grant<'_> {
    /// How long it was waited for.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Marks the request as sent: from here on it is paid for.
    pub fn depart(&mut self) {
        self.stage = Stage::Departed;
    }

    /// Tells what became of the request.
    pub fn report(self, report: &Report<'_>) {
        let now = self.limiter.now();
        let mut state = self.limiter.state();
        if let Some(used) = report.used {
            state.settle(now, self.expected.amounts(), used.amounts());
        }
        state.learn(now, report, self.history);
        drop(state);
        self.limiter.changed.notify_one();
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        if self.stage == Stage::Here {
            self.limiter.state().settle(self.limiter.now(), self.expected.amounts(), [0; KINDS]);
            self.limiter.changed.notify_one();
        }
    }
}
