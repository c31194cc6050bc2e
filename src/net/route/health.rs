//! What is known of one endpoint's health: a plain state that outcomes, probes and the clock change.

use std::time::Duration;

use super::rules::{
    CONSECUTIVE, EJECTION, EJECTION_MOST, FAILURE_COUNTS, FORGIVEN_AFTER, HOLD_DOWN, PROBE_RUN, RAMP,
    RAMP_STEP, RATIO_REQUESTS, SUCCESS_COUNTS, TRIALS,
};
use super::window::Window;
use super::{Probed, Reason, Signal};

/// Whether and how much an endpoint serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It takes its whole share.
    Serving,
    /// It gets nothing until then.
    Ejected {
        /// When its trials begin at the earliest.
        until: Duration,
    },
    /// It gets one request at a time.
    Trial {
        /// Trials that succeeded.
        passed: u32,
    },
    /// It is well again, and asked only where the others cannot serve.
    Held {
        /// When it takes its share again.
        until: Duration,
    },
    /// It takes a growing part of its share.
    Ramp {
        /// When the ramp began.
        since: Duration,
    },
}

/// The state of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub(super) standing: Standing,
    /// Failures in a row.
    pub(super) consecutive: u32,
    window: Window,
    last_served: Option<Duration>,
    last_failed: Option<Duration>,
    /// The last reply of any kind, a probe's too.
    last_reply: Option<Duration>,
    /// The last time that nothing came back, a probe's too.
    last_nothing: Option<Duration>,
    /// Probes in a row that failed, and that passed.
    pub(super) probes: Run,
    /// Ejections not yet forgotten.
    pub(super) ejections: u32,
    /// Since when it has been well, for forgetting.
    well_since: Duration,
    pub(super) cool_until: Duration,
    pub(super) drained: Option<Duration>,
    /// It should be ejected, and the others' state forbids it.
    pub(super) kept: Option<Reason>,
}

/// Probes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    pub(super) failed: u32,
    pub(super) passed: u32,
    /// What three in a row decided last.
    pub(super) down: bool,
}

impl Run {
    /// Counts one more.
    pub(super) fn count(&mut self, passed: bool) {
        if passed {
            (self.passed, self.failed) = (self.passed + 1, 0);
        } else {
            (self.failed, self.passed) = (self.failed + 1, 0);
        }
        if self.failed >= PROBE_RUN {
            self.down = true;
        } else if self.passed >= PROBE_RUN {
            self.down = false;
        }
    }

    /// Whether the next probes may change what is thought.
    pub(super) fn is_changing(&self) -> bool {
        if self.down { self.passed > 0 } else { self.failed > 0 }
    }
}

impl Health {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            standing: Standing::Serving,
            consecutive: 0,
            window: Window::default(),
            last_served: None,
            last_failed: None,
            last_reply: None,
            last_nothing: None,
            probes: Run::default(),
            ejections: 0,
            well_since: now,
            cool_until: Duration::ZERO,
            drained: None,
            kept: None,
        }
    }

    /// Takes in what became of a request; the reason says that it should be ejected.
    pub(super) fn take(&mut self, now: Duration, signal: Signal) -> Option<Reason> {
        match signal {
            Signal::Nothing => return None,
            Signal::Served => {
                self.consecutive = 0;
                self.kept = None;
                self.window.count(now, false);
                self.last_served = Some(now);
                self.last_reply = Some(now);
                return None;
            }
            Signal::Replied | Signal::Limited => {
                self.last_reply = Some(now);
                return None;
            }
            Signal::Doubtful => self.last_reply = Some(now),
            Signal::Refused => {
                self.last_reply = Some(now);
                self.consecutive += 1;
            }
            Signal::Unreachable => {
                self.last_nothing = Some(now);
                self.consecutive += 1;
            }
        }
        self.last_failed = Some(now);
        self.well_since = now;
        self.window.count(now, true);
        self.why_out(now)
    }

    /// Takes in what a probe brought; the reason says that it should be ejected.
    pub(super) fn probed(&mut self, now: Duration, probed: Probed) -> Option<Reason> {
        let passed = matches!(probed, Probed::Reached(_));
        if probed == Probed::Nothing {
            self.last_nothing = Some(now);
        } else {
            self.last_reply = Some(now);
        }
        self.probes.count(passed);
        if passed { None } else { self.why_out(now) }
    }

    /// Why it should be ejected, if it should. Probes alone are never a reason.
    fn why_out(&mut self, now: Duration) -> Option<Reason> {
        if self.consecutive >= CONSECUTIVE {
            return Some(Reason::Consecutive(self.consecutive));
        }
        let (failed, all) = self.window.counts(now);
        if all >= RATIO_REQUESTS && failed * 2 >= all {
            return Some(Reason::Ratio(failed, all));
        }
        let agree = self.consecutive > 0
            && self.last_failed.is_some_and(|at| now.saturating_sub(at) <= FAILURE_COUNTS)
            && self.is_unconfirmed(now);
        agree.then_some(Reason::Agreed)
    }

    /// Whether its probes fail and no success outweighs them.
    pub(super) fn is_unconfirmed(&self, now: Duration) -> bool {
        let served = self.last_served.is_some_and(|at| now.saturating_sub(at) < SUCCESS_COUNTS);
        self.probes.down && !served
    }

    /// Whether the last that was heard of it is that nothing came.
    pub(super) fn is_mute(&self) -> bool {
        self.last_nothing.is_some_and(|nothing| self.last_reply.is_none_or(|reply| reply < nothing))
    }

    /// Whether anything came back since then.
    pub(super) fn replied_since(&self, then: Duration) -> bool {
        self.last_reply.is_some_and(|at| at >= then)
    }

    /// Whether a request failed since then.
    pub(super) fn failed_since(&self, then: Duration) -> bool {
        self.last_failed.is_some_and(|at| at >= then)
    }

    /// Whether it gets nothing, or trials only.
    pub(super) fn is_out(&self) -> bool {
        matches!(self.standing, Standing::Ejected { .. } | Standing::Trial { .. })
    }

    /// Ejects it for a time that grows with each ejection; `jitter` is added.
    pub(super) fn eject(&mut self, now: Duration, jitter: Duration) {
        self.ejections = self.ejections.saturating_add(1);
        let time = EJECTION.saturating_mul(self.ejections).min(EJECTION_MOST) + jitter;
        self.standing = Standing::Ejected { until: now + time };
        self.begin_anew(now);
    }

    /// Takes back what failed while the network was to blame.
    pub(super) fn acquit(&mut self) {
        self.consecutive = 0;
        self.window = Window::default();
        self.kept = None;
    }

    /// Forgets what counted against it.
    fn begin_anew(&mut self, now: Duration) {
        self.acquit();
        self.well_since = now;
    }

    /// Counts a trial that succeeded; whether it was the last one needed.
    pub(super) fn pass_trial(&mut self, now: Duration) -> bool {
        let Standing::Trial { passed } = &mut self.standing else { return false };
        *passed += 1;
        let done = *passed >= TRIALS;
        if done {
            self.standing = Standing::Held { until: now + HOLD_DOWN };
            self.begin_anew(now);
        }
        done
    }

    /// Whether its trials may begin: its time is over, and probes do not speak against it. Those are believed for as long
    /// as the longest ejection and no longer, because the probes' path may be what is broken.
    pub(super) fn may_try(&self, now: Duration) -> bool {
        let Standing::Ejected { until } = self.standing else { return false };
        until <= now && (!self.probes.down || until + EJECTION_MOST <= now)
    }

    /// The percentage of its share that it takes.
    pub(super) fn share(&self, now: Duration) -> u8 {
        match self.standing {
            Standing::Serving => 100,
            Standing::Ejected { .. } | Standing::Trial { .. } | Standing::Held { .. } => 0,
            Standing::Ramp { since } => RAMP[ramp_step(since, now).min(RAMP.len() - 1)],
        }
    }

    /// Whether its ramp is over.
    pub(super) fn is_restored(&self, now: Duration) -> bool {
        matches!(self.standing, Standing::Ramp { since } if ramp_step(since, now) >= RAMP.len())
    }

    /// Forgets an ejection where it has been well for long enough.
    pub(super) fn forgive(&mut self, now: Duration) {
        if self.ejections > 0 && !self.is_out() && now.saturating_sub(self.well_since) >= FORGIVEN_AFTER {
            self.ejections -= 1;
            self.well_since = now;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a clock that jumped far is as good as a ramp that is over"
)]
fn ramp_step(since: Duration, now: Duration) -> usize {
    (now.saturating_sub(since).as_millis() / RAMP_STEP.as_millis()) as usize
}
