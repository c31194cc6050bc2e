//! The fast path to an endpoint that has fallen silent: it holds requests, sends nothing, and others are heard.

use std::time::Duration;

use super::Reason;
use super::board::Member;
use super::rules::{SILENCE, SILENCE_REQUESTS};

/// Whether an endpoint holds requests and has sent nothing for a while, so that it is to be probed at once: for twice as
/// long as its answers usually take to begin, because a model that thinks for long is silent too.
pub(super) fn is_quiet(now: Duration, member: &Member) -> bool {
    let gauges = &member.seat.gauges;
    let since = gauges.progress();
    let usual = gauges.usual();
    !member.health.is_left()
        && gauges.in_flight() >= SILENCE_REQUESTS
        && now.saturating_sub(since) >= SILENCE.max(2 * usual)
}

/// Why an endpoint should be ejected for its silence, if it should: probes must have confirmed it, and a network that is
/// down silences all, so that another must have been heard after the last of those left.
pub(super) fn is_silent(now: Duration, index: usize, members: &[Member]) -> Option<Reason> {
    let member = &members[index];
    if !is_quiet(now, member) {
        return None;
    }
    let since = member.seat.gauges.progress();
    let probe = member.health.unanswered.confirms(since)?;
    let heard = |(other, sibling): (usize, &Member)| other != index && sibling.last_heard() >= Some(probe);
    let others = members.iter().enumerate().any(heard);
    others.then(|| Reason::Silent(now.saturating_sub(since)))
}
