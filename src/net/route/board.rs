//! The state of all endpoints, and what outcomes, probes and the clock do to it: plain functions over state and time.

use std::collections::VecDeque;
use std::time::Duration;

use super::affinity::hash;
use super::distance::{Distance, Preference};
use super::health::{Health, Network, Standing};
use super::rules::{COOL_DOWN, COOL_DOWN_MOST, DRAIN, EVENTS_KEPT};
use super::seat::Seat;
use super::signal::Heard;
use super::silence::is_silent;
use super::view::{Grade, Placed, View};
use super::{Change, Endpoint, Event, Moved, Probe, Probed, Reason, Report, Signal, Strategy};

/// The state of all endpoints.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) strategy: Strategy,
    pub(super) members: Vec<Member>,
    pub(super) preference: Preference,
    pub(super) network: Network,
    /// When the network was last under suspicion.
    pub(super) suspected_until: Duration,
    pub(super) panics: bool,
    /// What was decided since it was last taken, the newest of it.
    pub(super) events: VecDeque<Event>,
    /// How many decisions there have been.
    pub(super) decided: u64,
}

/// A request that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) seat: &'a Seat,
    pub(super) began: Duration,
    /// Whether it was the trial that counts.
    pub(super) trial: bool,
}

/// One endpoint with all that is known of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) seat: Seat,
    pub(super) health: Health,
    pub(super) distance: Distance,
    /// When it is to be probed next.
    pub(super) probe_at: Duration,
    /// When the last probe began.
    pub(super) probe_began: Option<Duration>,
    /// When a probe that is out is given up.
    pub(super) probe_out_until: Duration,
    /// Whether somebody asked for its drain, whatever is configured.
    pub(super) drain_asked: bool,
    /// The last decision about it.
    pub(super) last: Option<Event>,
}

impl Member {
    fn new(seat: Seat, now: Duration) -> Self {
        let (mut health, distance) = (Health::new(now), Distance::default());
        health.drained = seat.endpoint.drain.then_some(now);
        Self {
            seat,
            health,
            distance,
            probe_at: now,
            probe_began: None,
            probe_out_until: Duration::ZERO,
            drain_asked: false,
            last: None,
        }
    }

    /// When it was last heard in any way.
    pub(super) fn last_heard(&self) -> Option<Duration> {
        self.health.last_heard(self.seat.gauges.last_byte())
    }

    /// Whether nothing came back to the last attempt.
    pub(super) fn is_mute(&self) -> bool {
        self.health.is_mute(self.seat.gauges.last_byte())
    }
}

impl Board {
    pub(super) fn new(strategy: Strategy, endpoints: Vec<Endpoint>, now: Duration) -> Self {
        let member = |endpoint| Member::new(Seat::new(endpoint), now);
        Self {
            strategy,
            members: endpoints.into_iter().map(member).collect(),
            preference: Preference::new(now),
            network: Network::Well,
            suspected_until: Duration::ZERO,
            panics: false,
            events: VecDeque::new(),
            decided: 0,
        }
    }

    /// Takes in what became of a request; `random` is uniform in 0..1.
    pub(super) fn report(&mut self, now: Duration, attempt: Attempt<'_>, (report, random): (&Report, f64)) {
        let Some(index) = self.find(attempt.seat) else { return };
        let (signal, heard) = (Signal::of(report), Heard::of(report));
        let member = &mut self.members[index];
        if let (Some(time), true) = (report.first_byte, signal == Signal::Served) {
            member.distance.serve(time);
        }
        member.health.hear(now, (heard, attempt.began));
        if signal == Signal::Limited {
            self.cool(now, index, report.retry_after.unwrap_or(COOL_DOWN).min(COOL_DOWN_MOST));
        }
        self.weigh_network(now);
        if self.members[index].health.is_left() {
            self.judge_trial(now, (index, attempt.trial), (signal, random));
        } else if !signal.is_failure() || self.may_blame(heard, attempt.began) {
            let reason = self.members[index].health.take(now, signal);
            if let Some(reason) = reason {
                self.consider(now, (index, reason), random);
            }
        }
        self.settle_pending(now, random);
    }

    /// Takes in what a probe brought.
    pub(super) fn probed(&mut self, now: Duration, probe: &Probe, (probed, random): (Probed, f64)) {
        let Some(index) = self.find(&probe.seat) else { return };
        let member = &mut self.members[index];
        member.probe_out_until = Duration::ZERO;
        if let Probed::Reached(time) = probed {
            member.distance.probe(time);
        }
        let reason = member.health.probed(now, (probed, probe.began), self.network);
        self.weigh_network(now);
        match reason {
            Some(reason) if !self.members[index].health.is_left() => {
                self.consider(now, (index, reason), random);
            }
            _ => self.stand_in(now, index, probed),
        }
        self.settle_pending(now, random);
        if self.strategy == Strategy::Nearest && !self.preference.is_settled() {
            self.settle_preference(now);
        }
    }

    /// What the clock alone brings about.
    pub(super) fn tick(&mut self, now: Duration, random: f64) {
        // First, because what was silent while nothing was heard is to be asked anew before it is judged.
        self.weigh_network(now);
        for index in 0..self.members.len() {
            let health = &mut self.members[index].health;
            health.forgive(now);
            if health.may_try(now) {
                health.begin_trials(now);
                self.members[index].seat.gauges.revoke_trial();
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
                self.leave(now, (index, reason), random);
            }
        }
        self.settle_pending(now, random);
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
                self.settle_drain(now, (self.members.len() - 1, Reason::Configured));
            } else {
                self.members.push(Member::new(Seat::new(endpoint), now));
                self.say(now, self.members.len() - 1, (Change::Added, Reason::Configured));
            }
        }
        for member in before {
            let endpoint = Some(member.seat.endpoint.name());
            let (change, reason) = (Change::Removed, Reason::Configured);
            self.record(Event { at: now, endpoint, change, reason });
        }
        let index = preferred.and_then(|seat| self.find(&seat));
        self.preference.reseat(now, index);
    }

    /// Begins to drain the endpoints of these addresses and no others, beside those that are configured so.
    pub(super) fn drain(&mut self, now: Duration, asked: &[super::Url]) {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            member.drain_asked = asked.contains(&member.seat.endpoint.url);
            self.settle_drain(now, (index, Reason::Asked));
        }
    }

    fn settle_drain(&mut self, now: Duration, (index, reason): (usize, Reason)) {
        let member = &mut self.members[index];
        let is_wanted = member.drain_asked || member.seat.endpoint.drain;
        if is_wanted != member.health.drained.is_some() {
            member.health.drained = is_wanted.then_some(now);
            self.say(now, index, (if is_wanted { Change::Drained } else { Change::Restored }, reason));
        }
    }

    /// Says which endpoints a name that leads elsewhere is that of.
    pub(super) fn moved(&mut self, now: Duration, moved: &Moved) {
        for index in 0..self.members.len() {
            if self.members[index].seat.endpoint.url.domain() == Some(&moved.host) {
                self.say(now, index, (Change::AddressChanged, Reason::Moved(moved.from, moved.to)));
            }
        }
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
                share: if !any_serves || (self.panics && !health.is_left()) {
                    100
                } else {
                    health.share(now)
                },
                trial: matches!(health.standing, Standing::Trial { .. }) && health.drained.is_none(),
                keeps_sessions: match grade {
                    Grade::Well | Grade::Held | Grade::Cooling => true,
                    Grade::Drained => health.drained.is_none_or(|since| now.saturating_sub(since) < DRAIN),
                    // Elsewhere is no better.
                    Grade::Suspect | Grade::Ejected => !any_serves,
                },
                given_up: member.seat.gauges.given_up(),
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
            health if health.is_spared() => Grade::Suspect,
            health if health.drained.is_some() => Grade::Drained,
            health if health.cool_until > now => Grade::Cooling,
            Health { standing: Standing::Held { .. }, .. } if !self.panics => Grade::Held,
            _ => Grade::Well,
        };
        self.members.iter().map(grade).collect()
    }

    /// Whether the local network is under suspicion.
    pub(super) fn suspects_network(&self) -> bool {
        self.network == Network::Suspected
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
        self.record(event);
    }

    /// Keeps an event for who takes them; where nobody does, only the newest.
    pub(super) fn record(&mut self, event: Event) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.decided += 1;
    }

    fn cool(&mut self, now: Duration, index: usize, time: Duration) {
        let health = &mut self.members[index].health;
        let is_news = health.cool_until <= now;
        health.cool_until = health.cool_until.max(now + time);
        if is_news {
            self.say(now, index, (Change::Cooled, Reason::RateLimited(time)));
        }
    }
}
