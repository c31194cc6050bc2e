//! What is known of one endpoint's health: a plain state that outcomes, probes and the clock change.

use std::time::Duration;

use super::rules::{
    CONSECUTIVE, EJECTION, EJECTION_MOST, FAILURE_COUNTS, FORGIVEN_AFTER, HOLD_DOWN, LATEST, LATEST_FAILED,
    RAMP, RAMP_STEP, RATIO_REQUESTS, SUCCESS_COUNTS, TRIALS,
};
use super::run::{Run, Unanswered};
use super::signal::Heard;
use super::streak::Streak;
use super::window::Window;
use super::{Probed, Reason, Signal};

/// Whether and how much an endpoint serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It takes its whole share.
    Serving,
    /// It gets nothing until then; one that is spared is asked last.
    Ejected {
        /// When its trials begin at the earliest.
        until: Duration,
    },
    /// It gets one request at a time.
    Trial {
        /// When the trials began.
        since: Duration,
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
    /// It should be ejected, and the others' state forbids it: it goes through the same, and is asked last in place of never.
    spared: bool,
    streak: Streak,
    window: Window,
    last_served: Option<Duration>,
    last_failed: Option<Duration>,
    /// When the host was last heard in any way.
    last_heard: Option<Duration>,
    /// When the last attempt began to which nothing at all came back.
    last_nothing: Option<Duration>,
    pub(super) probes: Run,
    pub(super) unanswered: Unanswered,
    /// When the last probe began that was counted.
    probe_began: Duration,
    /// Ejections not yet forgotten, those that it was spared among them.
    pub(super) ejections: u32,
    /// Since when it has been well, for forgetting.
    well_since: Duration,
    pub(super) cool_until: Duration,
    pub(super) drained: Option<Duration>,
    /// Why it should be ejected as soon as another endpoint is heard, and since when.
    pub(super) pending: Option<(Reason, Duration)>,
}

impl Health {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            standing: Standing::Serving,
            spared: false,
            streak: Streak::default(),
            window: Window::default(),
            last_served: None,
            last_failed: None,
            last_heard: None,
            last_nothing: None,
            probes: Run::default(),
            unanswered: Unanswered::default(),
            probe_began: Duration::ZERO,
            ejections: 0,
            well_since: now,
            cool_until: Duration::ZERO,
            drained: None,
            pending: None,
        }
    }

    /// Takes in what an attempt that began then said of the way there.
    pub(super) fn hear(&mut self, now: Duration, (heard, began): (Heard, Duration)) {
        match heard {
            Heard::Something => self.last_heard = Some(now),
            Heard::Nothing => self.last_nothing = self.last_nothing.max(Some(began)),
            Heard::Unknown => {}
        }
    }

    /// Takes in what became of a request; the reason says that it should be ejected.
    pub(super) fn take(&mut self, now: Duration, signal: Signal) -> Option<Reason> {
        match signal {
            Signal::Nothing => return None,
            Signal::Served | Signal::Replied | Signal::Limited => {
                self.streak.end();
                self.pending = None;
                if signal == Signal::Served {
                    self.window.count(now, false);
                    self.last_served = Some(now);
                }
                return None;
            }
            Signal::Doubtful => {}
            Signal::Failed => self.streak.add(now),
        }
        self.last_failed = Some(now);
        self.well_since = now;
        self.window.count(now, true);
        self.why_out(now)
    }

    /// Takes in what a probe that began then brought, unless a later one was counted already; the reason says that it
    /// should be ejected. Where the network is under suspicion, its silence says nothing of the endpoint.
    pub(super) fn probed(
        &mut self,
        now: Duration,
        (probed, began): (Probed, Duration),
        network: Network,
    ) -> Option<Reason> {
        if began < self.probe_began {
            return None;
        }
        self.probe_began = began;
        let nothing = probed == Probed::Nothing;
        self.hear(now, (if nothing { Heard::Nothing } else { Heard::Something }, began));
        if nothing {
            self.unanswered.add(began);
            if network == Network::Suspected {
                return None;
            }
        } else {
            self.unanswered.end(now);
        }
        let passed = matches!(probed, Probed::Reached(_));
        self.probes.count(now, passed);
        (!passed && self.agrees(now)).then_some(Reason::Agreed)
    }

    /// Why it should be ejected, if it should.
    fn why_out(&self, now: Duration) -> Option<Reason> {
        if self.streak.count() >= CONSECUTIVE {
            return Some(Reason::Consecutive(self.streak.count()));
        }
        let (failed, all) = self.window.counts(now);
        if all >= RATIO_REQUESTS && failed * 2 >= all {
            return Some(Reason::Ratio(failed, all));
        }
        if let Some(failed) = self.window.latest_failed(now).filter(|failed| *failed >= LATEST_FAILED) {
            return Some(Reason::Ratio(failed, LATEST));
        }
        self.agrees(now).then_some(Reason::Agreed)
    }

    /// Whether probes and a request agree that it is down. Probes alone are never a reason, and no success may outweigh them.
    fn agrees(&self, now: Duration) -> bool {
        let within = |at: Option<Duration>, span| at.is_some_and(|at| now.saturating_sub(at) < span);
        self.streak.count() > 0
            && self.probes.is_down()
            && within(self.last_failed, FAILURE_COUNTS)
            && !within(self.last_served, SUCCESS_COUNTS)
    }

    /// Whether nothing came back to the last attempt, and no byte since.
    pub(super) fn is_mute(&self, last_byte: Duration) -> bool {
        self.last_nothing.is_some_and(|nothing| self.last_heard(last_byte) < Some(nothing))
    }

    /// When its host was last heard, with the last byte of an answer.
    pub(super) fn last_heard(&self, last_byte: Duration) -> Option<Duration> {
        self.last_heard.max(Some(last_byte).filter(|byte| !byte.is_zero()))
    }

    /// Whether a request failed since then.
    pub(super) fn failed_since(&self, then: Duration) -> bool {
        self.last_failed.is_some_and(|at| at >= then)
    }

    /// Whether it is left alone but for trials.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.standing, Standing::Ejected { .. } | Standing::Trial { .. })
    }

    /// Whether it is ejected: it gets nothing, or trials only.
    pub(super) fn is_out(&self) -> bool {
        self.is_left() && !self.spared
    }

    /// Whether it should be ejected and is not.
    pub(super) fn is_spared(&self) -> bool {
        self.is_left() && self.spared
    }

    /// Ejects it for a time that grows with each ejection, or has it asked last; `jitter` is added.
    pub(super) fn leave(&mut self, now: Duration, jitter: Duration, how: Leave) {
        self.ejections = self.ejections.saturating_add(1);
        let time = EJECTION.saturating_mul(self.ejections).min(EJECTION_MOST) + jitter;
        self.standing = Standing::Ejected { until: now + time };
        self.spared = how == Leave::Spared;
        self.begin_anew(now);
    }

    /// Takes back what failed at that time or later, because the network was to blame.
    pub(super) fn acquit(&mut self, since: Duration) {
        self.streak.forget_since(since);
        self.window.forget_since(since);
        self.probes.forget_since(since);
        self.pending = None;
    }

    /// Forgets what counted against it.
    fn begin_anew(&mut self, now: Duration) {
        self.streak.end();
        self.window = Window::default();
        self.pending = None;
        self.well_since = now;
    }

    /// Begins its trials.
    pub(super) fn begin_trials(&mut self, now: Duration) {
        self.standing = Standing::Trial { since: now, passed: 0 };
    }

    /// Counts a trial that succeeded; whether it was the last one needed.
    pub(super) fn pass_trial(&mut self, now: Duration) -> bool {
        let Standing::Trial { passed, .. } = &mut self.standing else { return false };
        *passed += 1;
        let done = *passed >= TRIALS;
        if done {
            self.recover(now);
        }
        done
    }

    /// It serves again, held down at first.
    pub(super) fn recover(&mut self, now: Duration) {
        self.standing = Standing::Held { until: now + HOLD_DOWN };
        self.begin_anew(now);
    }

    /// Whether its trials may begin: its time is over, and probes do not speak against it. Those are believed for as long
    /// as the longest ejection and no longer, because the probes' path may be what is broken.
    pub(super) fn may_try(&self, now: Duration) -> bool {
        let Standing::Ejected { until } = self.standing else { return false };
        until <= now && (!self.probes.is_down() || until + EJECTION_MOST <= now)
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
        if self.ejections > 0 && !self.is_left() && now.saturating_sub(self.well_since) >= FORGIVEN_AFTER {
            self.ejections -= 1;
            self.well_since = now;
        }
    }
}

/// Whether the network that all endpoints share is under suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Something has been heard.
    Well,
    /// Nothing is heard, whichever endpoint is asked.
    Suspected,
}

/// How an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It is asked no more.
    Ejected,
    /// It is asked last.
    Spared,
}

fn ramp_step(since: Duration, now: Duration) -> usize {
    (now.saturating_sub(since).as_millis() / RAMP_STEP.as_millis()) as usize
}
