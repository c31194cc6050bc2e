//! What choosing sees: a published picture of all endpoints, over which a choice is a pure function.

use std::time::Duration;

use super::Strategy;
use super::affinity::{rendezvous, takes_part};
use super::seat::Seat;

/// How willingly an endpoint is asked, the best first: one of a worse grade is asked only where no better one is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// It is well, and takes the share that its recovery has come to.
    Well,
    /// It has recovered, and is still held down.
    Held,
    /// It limits the rate.
    Cooling,
    /// It is being drained.
    Drained,
    /// It fails, and is not ejected because no more may be.
    Suspect,
    /// It is ejected, or on trial.
    Ejected,
}

impl Grade {
    /// The name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Held => "held",
            Self::Cooling => "cooling",
            Self::Drained => "drained",
            Self::Suspect => "suspect",
            Self::Ejected => "ejected",
        }
    }
}

/// One endpoint in the picture.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) seat: Seat,
    pub(super) grade: Grade,
    /// The percentage of its share that it takes.
    pub(super) share: u8,
    /// Whether one trial request may go to it.
    pub(super) trial: bool,
    /// Whether a session that lives there stays.
    pub(super) keeps_sessions: bool,
    /// How many times its requests had been called back.
    pub(super) given_up: u32,
    /// Its place in the order of distance.
    pub(super) rank: u8,
    /// The hash of its address, for sessions.
    pub(super) hash: u64,
}

/// The picture.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) strategy: Strategy,
    pub(super) placed: Vec<Placed>,
    pub(super) preferred: usize,
}

/// A set of endpoints by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index)
    }

    pub(super) fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    fn len(self) -> u32 {
        self.0.count_ones()
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            next
        })
    }

    /// The n-th place of those in the set.
    fn nth(self, n: u32) -> usize {
        let mut rest = self.0;
        for _ in 0..n {
            rest &= rest.wrapping_sub(1);
        }
        rest.trailing_zeros() as usize
    }
}

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) index: usize,
    /// The number of the endpoint's one trial, where it claimed that.
    pub(super) trial: Option<u64>,
}

impl View {
    /// Chooses for a request that has tried some endpoints. There always is a choice: where every endpoint has been
    /// tried, the best is tried again.
    pub(super) fn choose(&self, now: Duration, tried: Set, random: &mut impl FnMut() -> f64) -> Chosen {
        let usual = |index| Chosen { index, trial: None };
        if self.strategy == Strategy::Pinned || self.placed.len() == 1 {
            return usual(0);
        }
        if let Some(chosen) = self.trial(tried) {
            return chosen;
        }
        let best = self.best(tried);
        usual(self.pick(best, now, random))
    }

    /// Chooses for a request of a session that lives at this place, or nowhere yet.
    pub(super) fn choose_for(&self, session: u64, home: Option<usize>, tried: Set) -> usize {
        let best = self.best(tried);
        if let Some(home) =
            home.filter(|home| !tried.has(*home) && self.keeps(*home) && self.takes(*home, best))
        {
            return home;
        }
        let hash = |index: usize| self.placed[index].hash;
        let takes = |index: &usize| takes_part(session, hash(*index), self.placed[*index].share);
        let highest = |set: Set| set.iter().max_by_key(|index| rendezvous(session, hash(*index)));
        let ready = best.iter().filter(takes).fold(Set::NONE, Set::with);
        highest(ready).or_else(|| highest(best)).unwrap_or_default()
    }

    /// Whether a session's request goes to its home: not while that asked to be left alone and another is better.
    fn takes(&self, home: usize, best: Set) -> bool {
        let grade = |index: usize| self.placed[index].grade;
        grade(home) != Grade::Cooling || best.iter().all(|index| grade(index) >= Grade::Cooling)
    }

    /// Whether a session that lives there stays.
    pub(super) fn keeps(&self, index: usize) -> bool {
        self.placed[index].keeps_sessions
    }

    /// Whether an endpoint is left that is well and has not been tried.
    pub(super) fn has_alternative(&self, tried: Set) -> bool {
        let fresh = |(index, placed): (usize, &Placed)| !tried.has(index) && placed.grade <= Grade::Held;
        self.strategy != Strategy::Pinned && self.placed.iter().enumerate().any(fresh)
    }

    /// Claims the one trial of an endpoint for a request's first attempt, where there is one to be had: one that fails has
    /// the other attempts left.
    pub(super) fn trial(&self, tried: Set) -> Option<Chosen> {
        if tried != Set::NONE {
            return None;
        }
        let claim = |(index, placed): (usize, &Placed)| {
            let trial = placed.seat.gauges.claim_trial()?;
            Some(Chosen { index, trial: Some(trial) })
        };
        self.placed.iter().enumerate().filter(|(_, placed)| placed.trial).find_map(claim)
    }

    /// The endpoints of the best grade among those not tried yet; among all where all have been tried.
    fn best(&self, tried: Set) -> Set {
        let of = |spared: Set| {
            let left = self.placed.iter().enumerate().filter(|(index, _)| !spared.has(*index));
            let grade = left.clone().map(|(_, placed)| placed.grade).min()?;
            let best = left.filter(|(_, placed)| placed.grade == grade);
            Some(best.fold(Set::NONE, |set, (index, _)| set.with(index)))
        };
        of(tried).or_else(|| of(Set::NONE)).unwrap_or(Set(1))
    }

    /// Picks one of a set by the strategy; one that takes a part of its share hands the rest of it on.
    fn pick(&self, set: Set, now: Duration, random: &mut impl FnMut() -> f64) -> usize {
        let chosen = self.pick_whole(set, now, random);
        let share = self.placed[chosen].share;
        let others = set.iter().filter(|index| self.placed[*index].share == 100);
        let others = others.fold(Set::NONE, Set::with);
        if share == 100 || others.is_empty() || random() * 100.0 < f64::from(share) {
            return chosen;
        }
        self.pick_whole(others, now, random)
    }

    fn pick_whole(&self, set: Set, now: Duration, random: &mut impl FnMut() -> f64) -> usize {
        match self.strategy {
            Strategy::Pinned => 0,
            Strategy::Nearest if set.has(self.preferred) => self.preferred,
            Strategy::Nearest => set.iter().min_by_key(|index| self.placed[*index].rank).unwrap_or_default(),
            Strategy::Balanced => self.better_of_two(set, now, random),
            Strategy::Priority => {
                let priority = |index: usize| self.placed[index].seat.endpoint.priority;
                let first = set.iter().map(priority).min().unwrap_or_default();
                let tier = set.iter().filter(|index| priority(*index) == first).fold(Set::NONE, Set::with);
                self.better_of_two(tier, now, random)
            }
            Strategy::Weighted => self.by_weight(set, random),
        }
    }

    /// The power of two choices (Mitzenmacher 2001).
    fn better_of_two(&self, set: Set, now: Duration, random: &mut impl FnMut() -> f64) -> usize {
        let count = set.len();
        if count == 1 {
            return set.nth(0);
        }
        let first = below(count, random());
        // Drawn from the others, so that both differ.
        let second = (first + 1 + below(count - 1, random())) % count;
        let (first, second) = (set.nth(first), set.nth(second));
        let cost = |index: usize| self.placed[index].seat.gauges.cost(now);
        if cost(second) < cost(first) { second } else { first }
    }

    fn by_weight(&self, set: Set, random: &mut impl FnMut() -> f64) -> usize {
        let weight = |index: usize| f64::from(self.placed[index].seat.endpoint.weight);
        let mut left = random() * set.iter().map(weight).sum::<f64>();
        let mut last = 0;
        for index in set.iter() {
            last = index;
            left -= weight(index);
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

/// A whole number below `count`, from one drawn from 0..1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the product is below the count")]
fn below(count: u32, random: f64) -> u32 {
    ((random * f64::from(count)) as u32).min(count - 1)
}
