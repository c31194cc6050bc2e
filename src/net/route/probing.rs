//! When endpoints are probed: more often while something changes, less often while they are down.

use std::time::Duration;

use super::board::{Board, Member};
use super::rules::{PROBE_DOWN, PROBE_EVERY, PROBE_FAST, PROBE_GRACE, PROBE_JITTER};
use super::silence::is_quiet;
use super::{PROBE_TIMEOUT, PROBE_TIMEOUT_SILENT, Probed, Router, Seat};

/// A probe that is due.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The endpoint to ask.
    pub seat: Seat,
    /// How long to wait for its reply.
    pub timeout: Duration,
    /// When it began.
    pub(super) began: Duration,
}

impl Router {
    /// The endpoints to be probed now. To be asked again after [`Router::PROBE_STEP`] while requests are under way, and not
    /// otherwise: an idle client asks nothing.
    pub fn due_probes(&self) -> Vec<Probe> {
        self.due_probes_at(self.now(), &mut fastrand::f64)
    }

    /// How often to look for probes that are due.
    pub const PROBE_STEP: Duration = Duration::from_millis(250);

    /// Tells what a probe brought.
    pub fn probed(&self, probe: &Probe, probed: Probed) {
        self.probed_at(self.now(), (probe, probed), fastrand::f64());
    }

    pub(super) fn probed_at(&self, now: Duration, (probe, probed): (&Probe, Probed), random: f64) {
        self.change(now, |board, now| board.probed(now, probe, (probed, random)));
    }

    pub(super) fn due_probes_at(&self, now: Duration, random: &mut impl FnMut() -> f64) -> Vec<Probe> {
        self.keep_up(now, random);
        self.board().due_probes(now, random)
    }
}

impl Board {
    /// The probes that are due; each counts as begun. An endpoint is asked once at a time, so that what comes later is
    /// later news, too.
    fn due_probes(&mut self, now: Duration, random: &mut impl FnMut() -> f64) -> Vec<Probe> {
        let urgent = self.wants_news(now);
        let mut due = Vec::new();
        for member in &mut self.members {
            let quiet = is_quiet(now, member);
            let pause = if urgent { PROBE_FAST } else { pause(now, member) };
            // What has begun to change is looked at sooner than was planned.
            let began = member.probe_began.unwrap_or(now);
            member.probe_at = member.probe_at.min(began + pause.mul_f64(1.0 + PROBE_JITTER));
            if member.probe_at <= now && member.probe_out_until <= now {
                let varied = 1.0 + PROBE_JITTER * (2.0 * random() - 1.0);
                member.probe_at = now + pause.mul_f64(varied);
                let timeout = if quiet { PROBE_TIMEOUT_SILENT } else { PROBE_TIMEOUT };
                member.probe_began = Some(now);
                member.probe_out_until = now + timeout + PROBE_GRACE;
                due.push(Probe { seat: member.seat.clone(), timeout, began: now });
            }
        }
        due
    }

    /// Whether a decision waits for what is heard of any endpoint.
    fn wants_news(&self, now: Duration) -> bool {
        let waits = |member: &Member| member.health.pending.is_some() || is_quiet(now, member);
        self.suspects_network() || self.members.iter().any(waits)
    }
}

/// The pause until the next probe.
fn pause(now: Duration, member: &Member) -> Duration {
    let health = &member.health;
    if health.failed_since(now.saturating_sub(PROBE_EVERY)) || health.probes.is_changing() {
        PROBE_FAST
    } else if health.probes.is_down() {
        PROBE_DOWN
    } else {
        PROBE_EVERY
    }
}
