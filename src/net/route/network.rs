//! What endpoints say together: whether nothing is heard of any, and whether too few are well.

use std::time::Duration;

use super::board::{Board, Member};
use super::health::Network;
use super::view::Grade;
use super::{Change, Event, Reason};

impl Board {
    /// Whether anything has been heard of any endpoint since then.
    pub(super) fn is_heard_since(&self, then: Duration) -> bool {
        self.members.iter().any(|member| member.last_heard() >= Some(then))
    }

    /// Suspects the local network where nothing came back to the last attempt at each endpoint.
    pub(super) fn weigh_network(&mut self, now: Duration) {
        let mute = self.members.len() > 1 && self.members.iter().all(Member::is_mute);
        let network = if mute { Network::Suspected } else { Network::Well };
        if network == self.network {
            return;
        }
        self.network = network;
        if mute {
            // What failed since the last that was heard of any was no fault of theirs.
            let heard = self.members.iter().filter_map(Member::last_heard).max();
            let since = heard.unwrap_or_default();
            self.members.iter_mut().for_each(|member| member.health.acquit(since));
            self.say_of_all(now, Change::SuspicionRaised, Reason::NothingReplies);
        } else {
            self.suspected_until = now;
            self.members.iter_mut().for_each(|member| member.health.unanswered.forget());
            self.say_of_all(now, Change::SuspicionLifted, Reason::Replied);
        }
    }

    /// Panics where fewer than half are well.
    pub(super) fn weigh_panic(&mut self, now: Duration) {
        let grades = self.grades(now);
        let well = grades.iter().filter(|grade| **grade <= Grade::Cooling).count();
        let panics = well * 2 < grades.len();
        if panics != self.panics() && grades.len() > 1 {
            self.panics = panics;
            let change = if panics { Change::PanicBegun } else { Change::PanicEnded };
            self.say_of_all(now, change, Reason::Well(well, grades.len()));
        }
    }

    fn say_of_all(&mut self, at: Duration, change: Change, reason: Reason) {
        self.record(Event { at, endpoint: None, change, reason });
    }
}
