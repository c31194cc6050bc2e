//! How far endpoints are, and which one is preferred: changed only for what is clearly and lastingly better.

use std::time::Duration;

use super::board::Board;
use super::health::Standing;
use super::rules::{BETTER_BY, BETTER_SHARE, BETTER_WINDOWS, DWELL, WINDOW};
use super::view::Grade;
use super::{Change, Reason};

/// Requests of a window that make its average mean something.
const ENOUGH: u32 = 5;
/// The part of a new probe in the average of their times.
const NEWS: f64 = 0.25;

/// How far an endpoint is.
#[derive(Debug, Clone, Default)]
pub(super) struct Distance {
    /// The average time of probes; of handshakes at first.
    pub(super) probes: Option<Duration>,
    /// Probes of this window.
    probed: Mean,
    /// Times to first byte of this window.
    served: Mean,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: Duration,
    count: u32,
}

impl Mean {
    fn add(&mut self, time: Duration) {
        self.sum += time;
        self.count += 1;
    }

    fn of(self, least: u32) -> Option<Duration> {
        (self.count >= least).then(|| self.sum / self.count)
    }
}

impl Distance {
    /// A probe took this time.
    pub(super) fn probe(&mut self, time: Duration) {
        let average = self.probes.map_or(time, |old| old.mul_f64(1.0 - NEWS) + time.mul_f64(NEWS));
        self.probes = Some(average);
        self.probed.add(time);
    }

    /// The first byte of an answer took this time.
    pub(super) fn serve(&mut self, time: Duration) {
        self.served.add(time);
    }

    /// How much nearer it is than the other, where that is clear. Like is compared with like: an answer takes the model's
    /// time too, so that it says nothing beside a probe.
    fn nearer_by(&self, other: &Self) -> Option<Duration> {
        let times = self.served.of(ENOUGH).zip(other.served.of(ENOUGH));
        let (own, others) = times.or_else(|| self.probed.of(1).zip(other.probed.of(1)))?;
        let gain = others.checked_sub(own)?;
        (gain >= BETTER_BY && gain >= others.mul_f64(BETTER_SHARE)).then_some(gain)
    }

    fn begin_window(&mut self) {
        (self.probed, self.served) = (Mean::default(), Mean::default());
    }
}

/// The preferred endpoint.
#[derive(Debug)]
pub(super) struct Preference {
    pub(super) index: usize,
    /// Since when; none until the first measurement has decided.
    since: Option<Duration>,
    window_began: Duration,
    /// Who has been clearly better, and in how many windows in a row.
    leader: Option<(usize, u32)>,
}

impl Preference {
    pub(super) fn new(now: Duration) -> Self {
        Self { index: 0, since: None, window_began: now, leader: None }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.since.is_some()
    }

    /// Follows its endpoint to its place in a new set.
    pub(super) fn reseat(&mut self, now: Duration, index: Option<usize>) {
        self.leader = None;
        self.index = index.unwrap_or(0);
        if index.is_none() {
            self.since = None;
            self.window_began = now;
        }
    }

    fn take(&mut self, now: Duration, index: usize) {
        (self.index, self.since, self.leader) = (index, Some(now), None);
    }
}

impl Board {
    /// The order of distance: what was measured before what was not, and what probes do not reach last.
    pub(super) fn ranks(&self) -> Vec<u8> {
        let key = |index: &usize| {
            let member = &self.members[*index];
            (member.health.probes.is_down(), member.distance.probes.unwrap_or(Duration::MAX), *index)
        };
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_key(key);
        let mut ranks = vec![0; order.len()];
        for (rank, index) in order.into_iter().enumerate() {
            ranks[index] = u8::try_from(rank).unwrap_or(u8::MAX);
        }
        ranks
    }

    /// Decides for the nearest as soon as all have been measured once.
    pub(super) fn settle_preference(&mut self, now: Duration) {
        if self
            .members
            .iter()
            .any(|member| member.distance.probes.is_none() && !member.health.probes.is_down())
        {
            return;
        }
        let first = self.preference.index;
        let nearest = self.nearest(now).filter(|(nearest, _)| *nearest != first);
        match nearest {
            // One that only its probes do not reach may be the nearest all the same: probes alone move nothing.
            Some((nearest, gain)) if self.members[first].distance.probes.is_some() => {
                self.preference.take(now, nearest);
                self.say(now, nearest, (Change::Preferred, Reason::Faster(gain)));
            }
            _ => self.preference.take(now, first),
        }
    }

    /// Leaves a preferred endpoint that gets no traffic at once, and one that is slower only after three windows and the dwell.
    pub(super) fn weigh_preference(&mut self, now: Duration) {
        let grades = self.grades(now);
        let preferred = self.preference.index;
        if grades[preferred] > Grade::Cooling {
            if let Some((nearest, _)) = self.nearest(now) {
                self.preference.take(now, nearest);
                self.say(now, nearest, (Change::Preferred, Reason::Unavailable));
            }
            return;
        }
        let age = now.saturating_sub(self.preference.window_began);
        if age < WINDOW {
            return;
        }
        self.preference.window_began = now;
        // After a clock that jumped, what was counted is not of one window.
        let best = if age < 2 * WINDOW { self.clearly_better(&grades) } else { None };
        for member in &mut self.members {
            member.distance.begin_window();
        }
        let before = self.preference.leader;
        self.preference.leader = best.map(|(index, _)| match before {
            Some((leader, windows)) if leader == index => (index, windows + 1),
            _ => (index, 1),
        });
        let dwelt = self.preference.since.is_none_or(|since| now.saturating_sub(since) >= DWELL);
        if let (Some((index, windows)), Some((_, gain)), true) = (self.preference.leader, best, dwelt)
            && windows >= BETTER_WINDOWS
        {
            self.preference.take(now, index);
            // Its caches are cold: the traffic follows by degrees.
            self.members[index].health.standing = Standing::Ramp { since: now };
            self.say(now, index, (Change::Preferred, Reason::Faster(gain)));
        }
    }

    /// The nearest of those that are well, and how much nearer than the farthest of them.
    fn nearest(&self, now: Duration) -> Option<(usize, Duration)> {
        let (grades, ranks) = (self.grades(now), self.ranks());
        let well = (0..self.members.len()).filter(|index| grades[*index] <= Grade::Held);
        let far = well.clone().filter_map(|index| self.members[index].distance.probes).max();
        let nearest = well.min_by_key(|index| (grades[*index], ranks[*index]))?;
        let gain = far.zip(self.members[nearest].distance.probes).map(|(far, near)| far.saturating_sub(near));
        Some((nearest, gain.unwrap_or_default()))
    }

    /// The endpoint that is clearly better than the preferred one, and by how much.
    fn clearly_better(&self, grades: &[Grade]) -> Option<(usize, Duration)> {
        let preferred = &self.members[self.preference.index].distance;
        let others = self.members.iter().enumerate().filter(|(index, member)| {
            *index != self.preference.index
                && grades[*index] == Grade::Well
                && member.health.standing == Standing::Serving
        });
        let gains = others.filter_map(|(index, member)| Some((index, member.distance.nearer_by(preferred)?)));
        gains.max_by_key(|(_, gain)| *gain)
    }
}
