//! The state of all endpoints, and every decision about them: plain functions over the state and the time.

use std::time::Duration;

use super::affinity::hash;
use super::distance::{Distance, Preference};
use super::health::{Health, Standing};
use super::rules::{COOL_DOWN, COOL_DOWN_MOST, DRAIN, EJECTION_JITTER, PROBE_DOWN, TRIALS};
use super::seat::Seat;
use super::silence::is_silent;
use super::view::{Grade, Placed, View};
use super::{Change, Endpoint, Event, Probed, Reason, Report, Signal, Strategy};

/// The state of all endpoints.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) strategy: Strategy,
    pub(super) members: Vec<Member>,
    pub(super) preference: Preference,
    suspects_network: bool,
    panics: bool,
    /// What was decided since it was last taken.
    pub(super) events: Vec<Event>,
}

/// One endpoint with all that is known of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) seat: Seat,
    pub(super) health: Health,
    pub(super) distance: Distance,
    /// When it is to be probed next.
    pub(super) probe_at: Duration,
    /// The last decision about it.
    pub(super) last: Option<Event>,
}

impl Member {
    fn new(seat: Seat, now: Duration) -> Self {
        let (health, distance) = (Health::new(now), Distance::default());
        Self { seat, health, distance, probe_at: now, last: None }
    }
}

impl Board {
    pub(super) fn new(strategy: Strategy, endpoints: Vec<Endpoint>, now: Duration) -> Self {
        let member = |endpoint| Member::new(Seat::new(endpoint), now);
        Self {
            strategy,
            members: endpoints.into_iter().map(member).collect(),
            preference: Preference::new(now),
            suspects_network: false,
            panics: false,
            events: Vec::new(),
        }
    }

    /// Takes in what became of a request; `random` is uniform in 0..1.
    pub(super) fn report(
        &mut self,
        now: Duration,
        (seat, trial): (&Seat, bool),
        (report, random): (&Report, f64),
    ) {
        let Some(index) = self.find(seat) else { return };
        let member = &mut self.members[index];
        let signal = Signal::of(report);
        if let (Some(time), true) = (report.first_byte, signal == Signal::Served) {
            member.distance.serve(time);
        }
        if signal == Signal::Limited {
            self.cool(now, index, report.retry_after.unwrap_or(COOL_DOWN).min(COOL_DOWN_MOST));
            return;
        }
        // What left before an ejection says nothing new after it; only a trial does.
        let is_out = member.health.is_out();
        let reason = member.health.take(now, signal);
        let failed = matches!(signal, Signal::Refused | Signal::Unreachable | Signal::Doubtful);
        if is_out {
            if trial && failed {
                self.eject(now, (index, Reason::TrialFailed), random);
            } else if trial && signal == Signal::Served && self.members[index].health.pass_trial(now) {
                self.say(now, index, (Change::Recovered, Reason::Trials(TRIALS)));
            }
            return;
        }
        self.weigh_network(now);
        if let Some(reason) = reason {
            self.consider(now, (index, reason), random);
        }
    }

    /// Takes in what a probe brought.
    pub(super) fn probed(&mut self, now: Duration, seat: &Seat, (probed, random): (Probed, f64)) {
        let Some(index) = self.find(seat) else { return };
        let member = &mut self.members[index];
        if let Probed::Reached(time) = probed {
            member.distance.probe(time);
        }
        let reason = member.health.probed(now, probed);
        self.weigh_network(now);
        match reason {
            Some(reason) if !self.members[index].health.is_out() => {
                self.consider(now, (index, reason), random)
            }
            _ => {}
        }
        if self.strategy == Strategy::Nearest && !self.preference.is_settled() {
            self.settle_preference(now);
        }
    }

    /// What the clock alone brings about.
    pub(super) fn tick(&mut self, now: Duration, random: f64) {
        for index in 0..self.members.len() {
            let health = &mut self.members[index].health;
            health.forgive(now);
            if health.may_try(now) {
                health.standing = Standing::Trial { passed: 0 };
                self.members[index].seat.gauges.release_trial();
                self.say(now, index, (Change::Trial, Reason::TimeOver));
            } else if matches!(health.standing, Standing::Held { until } if until <= now) {
                health.standing = Standing::Ramp { since: now };
                let share = health.share(now);
                self.say(now, index, (Change::Ramped, Reason::Share(share)));
            } else if health.is_restored(now) {
                health.standing = Standing::Serving;
                self.say(now, index, (Change::Restored, Reason::Share(100)));
            }
            if let Some(reason) = is_silent(now, index, &self.members) {
                self.consider(now, (index, reason), random);
            }
        }
        self.weigh_network(now);
        self.weigh_panic(now);
        if self.strategy == Strategy::Nearest {
            self.weigh_preference(now);
        }
    }

    /// Replaces the set of endpoints; what is known of those that stay is kept.
    pub(super) fn replace(&mut self, now: Duration, endpoints: Vec<Endpoint>) {
        let preferred = self.members.get(self.preference.index).map(|member| member.seat.clone());
        let mut before = std::mem::take(&mut self.members);
        for endpoint in endpoints {
            let same = before.iter().position(|member| member.seat.endpoint.url == endpoint.url);
            if let Some(index) = same {
                let mut member = before.swap_remove(index);
                member.seat.endpoint = endpoint.into();
                self.members.push(member);
            } else {
                self.members.push(Member::new(Seat::new(endpoint), now));
                self.say(now, self.members.len() - 1, (Change::Added, Reason::Configured));
            }
        }
        for member in before {
            let endpoint = Some(member.seat.endpoint.name());
            self.events.push(Event {
                at: now,
                endpoint,
                change: Change::Removed,
                reason: Reason::Configured,
            });
        }
        let index = preferred.and_then(|seat| self.find(&seat));
        self.preference.reseat(now, index);
    }

    /// Begins to drain an endpoint, or takes that back; false where there is no such endpoint.
    pub(super) fn drain(&mut self, now: Duration, url: &super::Url, drained: Option<Duration>) -> bool {
        let Some(index) = self.members.iter().position(|member| member.seat.endpoint.url == *url) else {
            return false;
        };
        let health = &mut self.members[index].health;
        if health.drained.is_some() != drained.is_some() {
            health.drained = drained;
            let change = if drained.is_some() { Change::Drained } else { Change::Restored };
            self.say(now, index, (change, Reason::Asked));
        }
        true
    }

    /// The picture to choose by.
    pub(super) fn view(&self, now: Duration) -> View {
        let grades = self.grades(now);
        let any_serves = grades.iter().any(|grade| *grade <= Grade::Drained);
        let ranks = self.ranks();
        let placed = self.members.iter().zip(grades).zip(ranks).map(|((member, grade), rank)| {
            let health = &member.health;
            Placed {
                seat: member.seat.clone(),
                // Where none is well, health says nothing any more: all are asked alike.
                grade: if any_serves { grade } else { Grade::Suspect },
                // In a panic those that are well are needed whole.
                share: if self.panics && !health.is_out() { 100 } else { health.share(now) },
                trial: matches!(health.standing, Standing::Trial { .. }) && health.drained.is_none(),
                keeps_sessions: health.drained.is_none_or(|since| now.saturating_sub(since) < DRAIN),
                rank,
                hash: hash(member.seat.endpoint.url.as_str()),
            }
        });
        let placed = placed.collect();
        View { strategy: self.strategy, placed, preferred: self.preference.index }
    }

    /// How willingly each is asked.
    pub(super) fn grades(&self, now: Duration) -> Vec<Grade> {
        let grade = |member: &Member| match &member.health {
            health if health.is_out() => Grade::Ejected,
            health if health.kept.is_some() => Grade::Suspect,
            health if health.drained.is_some() => Grade::Drained,
            health if health.cool_until > now => Grade::Cooling,
            Health { standing: Standing::Held { .. }, .. } if !self.panics => Grade::Held,
            _ => Grade::Well,
        };
        self.members.iter().map(grade).collect()
    }

    /// Whether the local network is under suspicion.
    pub(super) fn suspects_network(&self) -> bool {
        self.suspects_network
    }

    /// Whether fewer than half are well.
    pub(super) fn panics(&self) -> bool {
        self.panics
    }

    pub(super) fn find(&self, seat: &Seat) -> Option<usize> {
        self.members.iter().position(|member| member.seat.is(seat))
    }

    /// Says what was decided about an endpoint.
    pub(super) fn say(&mut self, now: Duration, index: usize, (change, reason): (Change, Reason)) {
        let endpoint = Some(self.members[index].seat.endpoint.name());
        let event = Event { at: now, endpoint, change, reason };
        self.members[index].last = Some(event.clone());
        self.events.push(event);
    }

    fn say_of_all(&mut self, at: Duration, change: Change, reason: Reason) {
        self.events.push(Event { at, endpoint: None, change, reason });
    }

    fn cool(&mut self, now: Duration, index: usize, time: Duration) {
        let health = &mut self.members[index].health;
        health.take(now, Signal::Limited);
        let is_news = health.cool_until <= now;
        health.cool_until = health.cool_until.max(now + time);
        if is_news {
            self.say(now, index, (Change::Cooled, Reason::RateLimited(time)));
        }
    }

    /// Ejects an endpoint that should be, where that is allowed.
    fn consider(&mut self, now: Duration, (index, reason): (usize, Reason), random: f64) {
        let forbidden = if self.strategy == Strategy::Pinned {
            return;
        } else if self.suspects_network {
            Some(Reason::NothingReplies)
        } else if self.may_eject(index) {
            None
        } else {
            Some(Reason::MostEjected)
        };
        match forbidden {
            None => self.eject(now, (index, reason), random),
            Some(why) => {
                let health = &mut self.members[index].health;
                // Where the network is under suspicion, nothing is held against an endpoint.
                let holds = (why == Reason::MostEjected).then_some(reason);
                if health.kept.is_none() && holds.is_some() {
                    health.kept = holds;
                    self.say(now, index, (Change::Kept, why));
                }
            }
        }
    }

    /// Whether one more may be ejected: at most half of them, rounded down and at least one, and never the last that serves.
    fn may_eject(&self, index: usize) -> bool {
        let out = self.members.iter().filter(|member| member.health.is_out()).count();
        let serves = |(other, member): (usize, &Member)| {
            other != index && !member.health.is_out() && member.health.drained.is_none()
        };
        out < (self.members.len() / 2).max(1) && self.members.iter().enumerate().any(serves)
    }

    fn eject(&mut self, now: Duration, (index, reason): (usize, Reason), random: f64) {
        let member = &mut self.members[index];
        member.health.eject(now, EJECTION_JITTER.mul_f64(random.clamp(0.0, 1.0)));
        member.probe_at = member.probe_at.min(now + PROBE_DOWN);
        if matches!(reason, Reason::Silent(_)) {
            member.seat.gauges.abandon();
        }
        self.say(now, index, (Change::Ejected, reason));
        self.weigh_panic(now);
        if self.strategy == Strategy::Nearest {
            self.weigh_preference(now);
        }
    }

    /// Suspects the local network where the last that was heard of every endpoint is nothing.
    fn weigh_network(&mut self, now: Duration) {
        let suspects = self.members.len() > 1 && self.members.iter().all(|member| member.health.is_mute());
        if suspects == self.suspects_network {
            return;
        }
        self.suspects_network = suspects;
        if suspects {
            self.say_of_all(now, Change::SuspicionRaised, Reason::NothingReplies);
        } else {
            // What failed meanwhile was no fault of theirs.
            for member in &mut self.members {
                member.health.acquit();
            }
            self.say_of_all(now, Change::SuspicionLifted, Reason::Replied);
        }
    }

    fn weigh_panic(&mut self, now: Duration) {
        let grades = self.grades(now);
        let well = grades.iter().filter(|grade| **grade <= Grade::Cooling).count();
        let panics = well * 2 < grades.len();
        if panics != self.panics && grades.len() > 1 {
            self.panics = panics;
            let change = if panics { Change::PanicBegun } else { Change::PanicEnded };
            self.say_of_all(now, change, Reason::Well(well, grades.len()));
        }
    }
}
