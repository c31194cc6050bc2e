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
use super::threshold::Standing;
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
    /// Requests succeed, and an objective is about a figure that they do not have.
    Undecided,
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
        let (standing, failures) = standing(&self.search.objectives, level);
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
        if standing == Standing::Undecided {
            // No other load would have what is missing here.
            self.end = Some(SearchEnd::Undecided);
            return None;
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

/// What a level makes of the objectives, and those that do not hold, each with what was seen; also arrivals never sent.
fn standing(objectives: &[Criterion], level: &Summary) -> (Standing, Vec<String>) {
    // Where nothing succeeded, it is the relay's doing that there is no sample.
    let mut is_decided = level.ok == 0;
    let mut failures = Vec::new();
    for objective in objectives {
        let finding = objective.judge_by(level, Support::Any);
        if finding.is_true == Some(true) {
            continue;
        }
        let unit = objective.quantity().unit();
        let seen = match finding.observed {
            Observed::Value(value) => unit.show(value),
            Observed::AtLeast(value) => format!("at least {}", unit.show(value)),
            Observed::Missing { .. } => "no sample".to_owned(),
        };
        is_decided |= !matches!(finding.observed, Observed::Missing { .. });
        failures.push(format!("{}: {seen}", objective.text()));
    }
    let unsent = level.delivery.as_ref().map_or(0, |delivery| delivery.unsent);
    if unsent > 0 {
        is_decided = true;
        failures.push(format!("{unsent} arrivals were never sent"));
    }
    let standing = match (failures.is_empty(), is_decided) {
        (true, _) => Standing::Holds,
        (false, true) => Standing::Failed,
        (false, false) => Standing::Undecided,
    };
    (standing, failures)
}

#[cfg(test)]
mod tests;
