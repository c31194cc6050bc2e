//! Who is ejected, who is spared that, and how either comes back.

use std::time::Duration;

use super::board::Board;
use super::health::{Leave, Standing};
use super::rules::{EJECTION_JITTER, NEWS_AGE, NEWS_PATIENCE, PROBE_DOWN, TRIAL_PATIENCE, TRIALS};
use super::signal::Heard;
use super::{Change, Probed, Reason, Signal, Strategy};

impl Board {
    /// Takes in what became of a request at an endpoint that is left alone. What left before it was says nothing new after
    /// it; a trial does, and at one that is spared every reply.
    pub(super) fn judge_trial(
        &mut self,
        now: Duration,
        (index, trial): (usize, bool),
        (signal, random): (Signal, f64),
    ) {
        let health = &mut self.members[index].health;
        let counts = trial || health.is_spared();
        if counts && signal.is_reply() {
            if matches!(health.standing, Standing::Ejected { .. }) {
                health.begin_trials(now);
            }
            if health.pass_trial(now) {
                self.say(now, index, (Change::Recovered, Reason::Trials(TRIALS)));
            }
        } else if trial && signal.is_failure() && !self.suspects_network() {
            self.leave(now, (index, Reason::TrialFailed), random);
        }
    }

    /// Lets probes that pass stand in for trials where no request came for one: a run of sessions that all live elsewhere.
    pub(super) fn stand_in(&mut self, now: Duration, index: usize, probed: Probed) {
        let member = &mut self.members[index];
        let Standing::Trial { since, .. } = member.health.standing else { return };
        let waited = since + TRIAL_PATIENCE <= now && !member.seat.gauges.is_tried();
        if waited && matches!(probed, Probed::Reached(_)) && member.health.probes.is_up() {
            member.health.recover(now);
            self.say(now, index, (Change::Recovered, Reason::Probes));
        }
    }

    /// Leaves an endpoint that should be, once a host has been heard since: until then it may be the network.
    pub(super) fn consider(&mut self, now: Duration, (index, reason): (usize, Reason), random: f64) {
        if self.suspects_network() {
            return;
        }
        if self.is_heard_since(now) {
            self.leave(now, (index, reason), random);
        } else {
            self.members[index].health.pending.get_or_insert((reason, now));
            for member in &mut self.members {
                member.probe_at = member.probe_at.min(now);
            }
        }
    }

    /// Decides what waited until a host was heard. Where for a time none is, and the network is not under suspicion either,
    /// nobody probes, and requests are believed alone.
    pub(super) fn settle_pending(&mut self, now: Duration, random: f64) {
        for index in 0..self.members.len() {
            let Some((reason, since)) = self.members[index].health.pending else { continue };
            let age = now.saturating_sub(since);
            if age > NEWS_AGE {
                self.members[index].health.pending = None;
            } else if self.is_heard_since(since) || age >= NEWS_PATIENCE {
                self.leave(now, (index, reason), random);
            }
        }
    }

    /// Ejects an endpoint, or has it asked last where no more may be ejected.
    pub(super) fn leave(&mut self, now: Duration, (index, reason): (usize, Reason), random: f64) {
        if self.strategy == Strategy::Pinned || self.members.len() == 1 {
            return;
        }
        let may = self.may_eject(index);
        let member = &mut self.members[index];
        let how = if may { Leave::Ejected } else { Leave::Spared };
        member.health.leave(now, EJECTION_JITTER.mul_f64(random.clamp(0.0, 1.0)), how);
        member.probe_at = member.probe_at.min(now + PROBE_DOWN);
        if matches!(reason, Reason::Silent(_)) {
            member.seat.gauges.abandon();
        }
        let said = if may { (Change::Ejected, reason) } else { (Change::Kept, Reason::MostEjected) };
        self.say(now, index, said);
        self.weigh_panic(now);
        if self.strategy == Strategy::Nearest {
            self.weigh_preference(now);
        }
    }

    /// Whether this one may be ejected: at most half of them, rounded down and at least one, and never the last that serves.
    pub(super) fn may_eject(&self, index: usize) -> bool {
        let others = || self.members.iter().enumerate().filter(|(other, _)| *other != index);
        let out = others().filter(|(_, member)| member.health.is_out()).count();
        let serves = others().any(|(_, member)| !member.health.is_left() && member.health.drained.is_none());
        out < (self.members.len() / 2).max(1) && serves
    }

    /// Whether what an attempt that began then brought may be held against its endpoint: a network that was under suspicion
    /// meanwhile may be to blame.
    pub(super) fn may_blame(&self, heard: Heard, began: Duration) -> bool {
        heard == Heard::Something || (!self.suspects_network() && began >= self.suspected_until)
    }
}
