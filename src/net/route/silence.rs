//! The fast path to an endpoint that has fallen silent: it holds requests, sends nothing, and the others do.

use std::time::Duration;

use super::Reason;
use super::board::Member;
use super::rules::{PROBE_EVERY, SILENCE, SILENCE_PROBES, SILENCE_REQUESTS};

/// Whether an endpoint holds requests and has sent nothing for a while, so that it is to be probed at once.
pub(super) fn is_quiet(now: Duration, member: &Member) -> bool {
    let gauges = &member.seat.gauges;
    !member.health.is_out()
        && gauges.in_flight() >= SILENCE_REQUESTS
        && now.saturating_sub(gauges.progress()) >= SILENCE
}

/// Why an endpoint should be ejected for its silence, if it should: a model that thinks for long is silent too, so that
/// its probes must fail as well, and a network that is down silences all, so that another must have been heard.
pub(super) fn is_silent(now: Duration, index: usize, members: &[Member]) -> Option<Reason> {
    let member = &members[index];
    if !is_quiet(now, member) || member.health.probes.failed < SILENCE_PROBES {
        return None;
    }
    let since = member.seat.gauges.progress();
    let heard = |(other, sibling): (usize, &Member)| {
        let progresses = sibling.seat.gauges.in_flight() > 0 && sibling.seat.gauges.progress() > since;
        other != index && (progresses || sibling.health.replied_since(now.saturating_sub(2 * PROBE_EVERY)))
    };
    let others = members.iter().enumerate().any(heard);
    others.then(|| Reason::Silent(now.saturating_sub(since)))
}
