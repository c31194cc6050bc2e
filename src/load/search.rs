//! The search for a relay's capacity: which load to try next, and when the largest that keeps the objectives is known.
//!
//! The load doubles until an objective fails, the gap is halved until it is small, and then the answer is measured afresh
//! and so is its neighbour above; what a fresh run overturns is searched for again. Doubling and halving as in Nighthawk's
//! adaptive load controller, with percentiles as objectives and the confirmation on both sides.

use serde::{Deserialize, Serialize};

use super::arrivals::Arrivals;
use super::criterion::Criterion;
use super::criterion::is_same_rate;
use super::plan::Plan;
use super::plan::Step;
use super::quantity::Observed;
use super::quantity::Support;
use super::summary::Summary;
use super::verdict::Verdict;

/// Levels after which a search gives up: doubling to the largest load, halving the gap and confirming take fewer.
const MOST_LEVELS: usize = 60;

/// How often a level is measured again in which the client was the bottleneck.
const PATIENCE: u32 = 2;

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The kind of load.
    pub scale: Scale,
    /// The load that is tried first.
    pub first: f64,
    /// The largest load that may be tried.
    pub most: f64,
    /// What must hold at a level for it to pass.
    pub objectives: Vec<Criterion>,
}

/// A kind of load.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Users of a closed loop.
    Users,
    /// Arrivals per second of an open loop.
    Rate {
        /// Arrivals of the kind, at whatever rate.
        like: Arrivals,
        /// Most requests in flight.
        cap: u32,
    },
}

/// What a search has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// The largest load that passed; `None` where none did.
    pub passing: Option<f64>,
    /// The smallest load above it that failed; `None` where none did.
    pub failing: Option<f64>,
    /// The objectives that fail there, with what was seen.
    pub binding: Vec<String>,
    /// How the search ended.
    pub ended: SearchEnd,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchEnd {
    /// A fresh run of both neighbours confirmed the answer.
    Confirmed,
    /// Even the smallest load failed.
    NothingPasses,
    /// Even the largest load passed.
    EverythingPasses,
    /// The client was the bottleneck, again and again.
    ClientBound,
    /// Fresh runs kept overturning one another.
    Unsteady,
    /// The run was stopped.
    Stopped,
}

impl Scale {
    /// The level of a load.
    fn step(&self, load: f64) -> Step {
        match self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "loads are whole here, and at most a u32"
            )]
            Self::Users => Step::closed(load as u32),
            Self::Rate { like, cap } => Step { users: *cap, arrivals: Some(like.at(load)) },
        }
    }

    /// The smallest load.
    fn least(&self, first: f64) -> f64 {
        match self {
            Self::Users => 1.0,
            Self::Rate { .. } => first / 1_024.0,
        }
    }

    /// A load between two, or `None` where they are close enough: users next to each other or within 2 %, rates within 1 %.
    fn between(&self, low: f64, high: f64) -> Option<f64> {
        match self {
            Self::Users => (high - low > (low * 0.02).max(1.0)).then(|| f64::midpoint(low, high).floor()),
            Self::Rate { .. } => (high > low * 1.01).then(|| (low * high).sqrt()),
        }
    }
}

/// The levels of a run, one after another.
#[derive(Debug)]
pub(super) enum Agenda {
    /// As they were listed.
    Listed(std::vec::IntoIter<Step>),
    /// As a search asks for them.
    Searching(Box<Hunt>),
}

impl Agenda {
    pub(super) fn of(plan: &Plan) -> Self {
        match &plan.search {
            None => Self::Listed(plan.levels.clone().into_iter()),
            Some(search) => Self::Searching(Box::new(Hunt::new(search.clone()))),
        }
    }

    /// The next level; `last` is the one before.
    pub(super) fn next(&mut self, last: Option<&Summary>) -> Option<Step> {
        match self {
            Self::Listed(levels) => levels.next(),
            Self::Searching(hunt) => hunt.next(last),
        }
    }

    /// What a search has come to.
    pub(super) fn capacity(self) -> Option<Capacity> {
        match self {
            Self::Listed(_) => None,
            Self::Searching(hunt) => Some(hunt.capacity()),
        }
    }
}

/// What the search does next with the level that it has just asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// Find out on which side of the capacity it lies.
    Explore,
    /// Confirm that it passes.
    ConfirmPassing,
    /// Confirm that it fails.
    ConfirmFailing,
}

/// A search under way.
#[derive(Debug, Clone)]
pub(super) struct Hunt {
    search: Search,
    /// The load being tried, and what for.
    trying: Option<(f64, Aim)>,
    /// Loads that passed and were not overturned, ascending.
    passed: Vec<f64>,
    /// Loads that failed, ascending, each with what failed there.
    failed: Vec<(f64, Vec<String>)>,
    /// Levels in a row in which the client was the bottleneck.
    client_bound: u32,
    levels: usize,
    end: Option<SearchEnd>,
}

impl Hunt {
    pub(super) fn new(search: Search) -> Self {
        Self {
            search,
            trying: None,
            passed: Vec::new(),
            failed: Vec::new(),
            client_bound: 0,
            levels: 0,
            end: None,
        }
    }

    /// The level to measure next, after the one asked for before has come out as `last`; `None` at the end.
    pub(super) fn next(&mut self, last: Option<&Summary>) -> Option<Step> {
        let aimed = match (self.trying.take(), last) {
            (Some(tried), Some(level)) => self.learn(tried, level),
            _ => Some((self.search.first, Aim::Explore)),
        };
        let (load, aim) = aimed?;
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            self.end = Some(SearchEnd::Unsteady);
            return None;
        }
        self.trying = Some((load, aim));
        Some(self.search.scale.step(load))
    }

    /// What has been found.
    pub(super) fn capacity(self) -> Capacity {
        let passing = self.passed.last().copied();
        let above = self.failed.into_iter().find(|(load, _)| passing.is_none_or(|passing| *load > passing));
        let (failing, binding) = above.unzip();
        let ended = self.end.unwrap_or(SearchEnd::Stopped);
        Capacity { passing, failing, binding: binding.unwrap_or_default(), ended }
    }

    /// Takes in a level, and says what to try next; `None` at the end.
    fn learn(&mut self, (load, aim): (f64, Aim), level: &Summary) -> Option<(f64, Aim)> {
        if level.verdict == Verdict::ClientBound {
            self.client_bound += 1;
            if self.client_bound > PATIENCE {
                self.end = Some(SearchEnd::ClientBound);
                return None;
            }
            return Some((load, aim));
        }
        self.client_bound = 0;
        let failures = failures(&self.search.objectives, level);
        self.passed.retain(|passed| !is_same_rate(*passed, load));
        self.failed.retain(|(failed, _)| !is_same_rate(*failed, load));
        if failures.is_empty() {
            // What passes here cannot have failed below for the relay's sake.
            self.failed.retain(|(failed, _)| *failed > load);
            self.passed.push(load);
            self.passed.sort_by(f64::total_cmp);
        } else {
            self.passed.retain(|passed| *passed < load);
            self.failed.push((load, failures));
            self.failed.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.decide(load, aim)
    }

    /// What to try next, with everything known so far.
    fn decide(&mut self, load: f64, aim: Aim) -> Option<(f64, Aim)> {
        let scale = &self.search.scale;
        let passed = self.passed.last().copied();
        let failed = self.failed.first().map(|(load, _)| *load);
        match (passed, failed) {
            (None, Some(failed)) => {
                let least = scale.least(self.search.first);
                if failed <= least {
                    self.end = Some(SearchEnd::NothingPasses);
                    return None;
                }
                let half = if *scale == Scale::Users { (failed / 2.0).floor() } else { failed / 2.0 };
                Some((half.max(least), Aim::Explore))
            }
            (Some(passed), None) if passed >= self.search.most => {
                self.end = Some(SearchEnd::EverythingPasses);
                None
            }
            (Some(passed), None) => Some(((passed * 2.0).min(self.search.most), Aim::Explore)),
            (Some(passed), Some(failed)) => match (scale.between(passed, failed), aim) {
                (Some(between), _) => Some((between, Aim::Explore)),
                (None, Aim::ConfirmPassing) if is_same_rate(load, passed) => {
                    Some((failed, Aim::ConfirmFailing))
                }
                (None, Aim::ConfirmFailing) if is_same_rate(load, failed) => {
                    self.end = Some(SearchEnd::Confirmed);
                    None
                }
                // Close enough, or a fresh run overturned what was known: the neighbours are still to be confirmed.
                (None, _) => Some((passed, Aim::ConfirmPassing)),
            },
            (None, None) => Some((self.search.first, Aim::Explore)),
        }
    }
}

/// The objectives that a level fails, each with what was seen; also arrivals that were never sent.
fn failures(objectives: &[Criterion], level: &Summary) -> Vec<String> {
    let failure = |objective: &Criterion| {
        let finding = objective.judge_by(level, Support::Any);
        let unit = objective.quantity().unit();
        let seen = match finding.observed {
            Observed::Value(value) => unit.show(value),
            Observed::AtLeast(value) => format!("at least {}", unit.show(value)),
            Observed::Missing { .. } => "no sample".to_owned(),
        };
        (finding.is_true != Some(true)).then(|| format!("{}: {seen}", objective.text()))
    };
    let mut failures: Vec<_> = objectives.iter().filter_map(failure).collect();
    let unsent = level.delivery.as_ref().map_or(0, |delivery| delivery.unsent);
    if unsent > 0 {
        failures.push(format!("{unsent} arrivals were never sent"));
    }
    failures
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::arrivals::Spacing;
    use super::super::summary::tests::empty;
    use super::*;

    /// Runs a search against a rule that says how long each request takes at a load, and which verdict the level gets.
    fn found(scale: Scale, first: f64, mut rule: impl FnMut(f64) -> (u64, Verdict)) -> (Capacity, Vec<f64>) {
        let objectives = vec![Criterion::objective("latency.p99 < 150ms").unwrap()];
        let mut hunt = Hunt::new(Search { scale, first, most: 10_000.0, objectives });
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(step) = hunt.next(last.as_ref()) {
            let load = step.arrivals.as_ref().and_then(Arrivals::rate).unwrap_or(f64::from(step.users));
            tried.push(load);
            let (latency, verdict) = rule(load);
            let mut level = Summary { verdict, ..empty() };
            level.metrics.latency.record(Duration::from_millis(latency));
            last = Some(level);
        }
        (hunt.capacity(), tried)
    }

    fn slots(slots: f64) -> impl FnMut(f64) -> (u64, Verdict) {
        move |load| (if load > slots { 200 } else { 100 }, Verdict::Ok)
    }

    #[test]
    fn the_capacity_of_a_relay_with_slots_is_its_slots_and_both_neighbours_are_measured_twice() {
        for (capacity, first) in [(1, 1), (2, 1), (20, 1), (33, 64), (47, 50)] {
            let (capacity, first) = (f64::from(capacity), f64::from(first));
            let (found, tried) = found(Scale::Users, first, slots(capacity));
            assert_eq!((found.passing, found.failing), (Some(capacity), Some(capacity + 1.0)), "{tried:?}");
            assert_eq!(found.ended, SearchEnd::Confirmed);
            assert_eq!(found.binding, ["latency.p99 < 150ms: 200 ms"]);
            assert_eq!(tried[tried.len() - 2..], [capacity, capacity + 1.0]);
        }
    }

    #[test]
    fn a_rate_is_found_within_a_hundredth() {
        let scale = Scale::Rate { like: Arrivals::flat(1.0, Spacing::Constant, 1), cap: 10 };
        let (found, tried) = found(scale, 10.0, slots(401.5));
        let passing = found.passing.unwrap();
        assert!(passing <= 401.5 && passing > 401.5 / 1.011, "{found:?}");
        assert!(tried.len() < 20, "{tried:?}");
    }

    #[test]
    fn a_search_that_finds_no_bound_says_which_side_is_open() {
        let (nothing, tried) = found(Scale::Users, 4.0, slots(0.0));
        assert_eq!((nothing.passing, nothing.ended), (None, SearchEnd::NothingPasses));
        assert_eq!(tried, [4.0, 2.0, 1.0]);
        let (all, tried) = found(Scale::Users, 4_000.0, slots(1e9));
        assert_eq!(
            (all.passing, all.failing, all.ended),
            (Some(10_000.0), None, SearchEnd::EverythingPasses)
        );
        assert_eq!(tried, [4_000.0, 8_000.0, 10_000.0]);
    }

    #[test]
    fn a_level_that_the_client_spoils_is_measured_again_before_the_search_gives_up() {
        let mut spoiled = 0;
        let (once, _) = found(Scale::Users, 1.0, |load| {
            spoiled += 1;
            (
                if load > 20.0 { 200 } else { 100 },
                if spoiled == 3 { Verdict::ClientBound } else { Verdict::Ok },
            )
        });
        assert_eq!((once.passing, once.ended), (Some(20.0), SearchEnd::Confirmed));
        let (ever, tried) = found(Scale::Users, 1.0, |load| {
            (100, if load >= 8.0 { Verdict::ClientBound } else { Verdict::Ok })
        });
        assert_eq!((ever.passing, ever.ended), (Some(4.0), SearchEnd::ClientBound));
        assert_eq!(tried, [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]);
    }

    #[test]
    fn an_answer_that_its_fresh_run_overturns_is_searched_for_again() {
        // The first time, 20 users pass by luck.
        let mut lucky = true;
        let (found, tried) = found(Scale::Users, 16.0, |load| {
            let luck = is_same_rate(load, 20.0) && std::mem::take(&mut lucky);
            (if load > 17.0 && !luck { 200 } else { 100 }, Verdict::Ok)
        });
        assert_eq!(
            (found.passing, found.failing, found.ended),
            (Some(17.0), Some(18.0), SearchEnd::Confirmed)
        );
        assert!(tried.iter().filter(|load| is_same_rate(**load, 20.0)).count() >= 2, "{tried:?}");
        // A relay that answers by lot is never found out, and the search ends all the same.
        let mut toss = 0;
        let (unsteady, tried) = self::found(Scale::Users, 16.0, |_| {
            toss += 1;
            (if toss % 3 == 0 { 200 } else { 100 }, Verdict::Ok)
        });
        assert!(tried.len() <= MOST_LEVELS, "{unsteady:?}");
    }
}
