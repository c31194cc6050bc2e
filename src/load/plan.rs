//! What a run is to do: its levels of concurrency, how long each lasts, and what would make no sense.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::objective::Objective;
use super::search::Search;
use super::side::Sides;
use crate::units::Shard;
use crate::units::Span;

/// Most users that one level may have.
const MOST_USERS: u32 = 100_000;

/// Most levels that one sweep may have.
const MOST_LEVELS: usize = 1_000;

/// How much of a level is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Requests that start within this time after the warm-up.
    Window(Duration),
    /// This number of requests after the warm-up, split among the users beforehand.
    Requests(u64),
}

/// One level of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Users of a closed loop, each of whom sends the next request when its last has ended; in an open loop the most
    /// requests in flight.
    pub users: u32,
    /// When requests are due, whatever became of those before; absent in a closed loop.
    pub arrivals: Option<Arrivals>,
}

impl Step {
    /// A level of a closed loop.
    pub const fn closed(users: u32) -> Self {
        Self { users, arrivals: None }
    }
}

/// A sweep.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The levels, in the order in which they run; of a search the first.
    pub levels: Vec<Step>,
    /// The search that decides every further level, if there is one.
    pub search: Option<Search>,
    /// What is measured at each level.
    pub extent: Extent,
    /// Requests made before it that are not recorded.
    pub warmup: Duration,
    /// How long requests in flight may go on after the last start.
    pub drain: Duration,
    /// Threads that carry the users.
    pub workers: usize,
    /// What the times of each request should be; those that meet all of it are counted.
    pub objectives: Arc<[Objective]>,
    /// The part of the users and arrivals that this process carries.
    pub shard: Shard,
    /// When levels begin, where that is fixed beforehand.
    pub slots: Option<Slots>,
    /// How often each request is made.
    pub sides: Sides,
}

/// Moments at which levels begin, the same on every machine that carries a part of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// When the first level begins, its warm-up included.
    pub first: Instant,
    /// From the beginning of one level to that of the next.
    pub length: Duration,
}

impl Slots {
    /// When the level at this position, from 0, begins.
    pub(super) fn begin(&self, position: u32) -> Instant {
        self.first + self.length * position
    }
}

/// Why a plan makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to run.
    #[error("the plan has no level of concurrency")]
    NoLevels,
    /// A level without users.
    #[error("level {position} of the plan has 0 users")]
    NoUsers {
        /// Its place in the plan, from 1.
        position: usize,
    },
    /// Nothing would be measured.
    #[error("a window of 0 s measures nothing")]
    NoWindow,
    /// Some users would have no request to send, so the level would not have the concurrency it names.
    #[error("-n {requests} is fewer than the {users} users of level c={users}: raise -n to at least {users}")]
    FewerRequestsThanUsers {
        /// Requests asked for.
        requests: u64,
        /// Users of the first level that is too large for them.
        users: u32,
    },
    /// Nobody would carry the users.
    #[error("the plan has 0 workers")]
    NoWorkers,
    /// An open loop in which nothing is ever due.
    #[error("no request is due within {}: raise the rate or the length", Span(*.0))]
    NoArrivals(Duration),
    /// Some parts of the plan would have nothing to do.
    #[error("{what} cannot be spread over {shards} shards: some would have none")]
    FewerThanShards {
        /// What there is too little of, with its number.
        what: String,
        /// Parts asked for.
        shards: u64,
    },
    /// A level would still run when the next one is to begin.
    #[error("a slot of {} is too short for a level of {}: warm-up, window and drain", Span(*length), Span(*level))]
    SlotTooShort {
        /// The length asked for.
        length: Duration,
        /// How long a level may take.
        level: Duration,
    },
}

impl Plan {
    /// Refuses a plan that could not measure what it says.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.levels.is_empty() {
            return Err(PlanError::NoLevels);
        }
        if let Some(at) = self.levels.iter().position(|step| step.users == 0) {
            return Err(PlanError::NoUsers { position: at + 1 });
        }
        match self.extent {
            Extent::Window(window) if window.is_zero() => return Err(PlanError::NoWindow),
            Extent::Window(_) => {}
            Extent::Requests(requests) => {
                let mut closed =
                    self.levels.iter().filter(|step| step.arrivals.is_none()).map(|step| step.users);
                if let Some(users) = closed.find(|users| u64::from(*users) > requests) {
                    return Err(PlanError::FewerRequestsThanUsers { requests, users });
                }
            }
        }
        if let Extent::Window(window) = self.extent {
            let arrivals = self.levels.iter().filter_map(|step| step.arrivals.as_ref());
            if arrivals.clone().any(|arrivals| arrivals.offsets().next().is_none_or(|first| first >= window))
            {
                return Err(PlanError::NoArrivals(window));
            }
        }
        self.fits_its_slots()?;
        self.fills_its_shards()?;
        if self.workers == 0 { Err(PlanError::NoWorkers) } else { Ok(()) }
    }

    /// The longest that a level can take, where it has an end of its own.
    pub fn level_length(&self) -> Option<Duration> {
        match self.extent {
            Extent::Window(window) => Some(self.warmup + window + self.drain),
            Extent::Requests(_) => None,
        }
    }

    /// Refuses slots in which a level might still run when the next one is to begin.
    fn fits_its_slots(&self) -> Result<(), PlanError> {
        match (self.slots, self.level_length()) {
            (Some(slots), Some(level)) if self.levels.len() > 1 && slots.length < level => {
                Err(PlanError::SlotTooShort { length: slots.length, level })
            }
            _ => Ok(()),
        }
    }

    /// Refuses more parts than there are users, requests or arrivals at some level. All parts are refused alike.
    fn fills_its_shards(&self) -> Result<(), PlanError> {
        let shards = self.shard.of();
        let refuse = |what: String| Err(PlanError::FewerThanShards { what, shards });
        for step in &self.levels {
            if u64::from(step.users) < shards {
                return refuse(format!("the level c={}", step.users));
            }
            let Some(arrivals) = &step.arrivals else { continue };
            match self.extent {
                Extent::Requests(requests) if requests < shards => return refuse(format!("-n {requests}")),
                Extent::Requests(_) => {}
                Extent::Window(window) => {
                    let most = usize::try_from(shards).unwrap_or(usize::MAX);
                    let count = arrivals.offsets().take(most).take_while(|offset| *offset < window).count();
                    if (count as u64) < shards {
                        return refuse(format!("the {count} arrivals of {}", Span(window)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The share of `total` that falls to number `index` of `parts`: ⌊t(i+1)/p⌋ − ⌊t·i/p⌋, which adds up to `total`.
pub(super) fn share(total: u64, index: u64, parts: u64) -> u64 {
    share_start(total, index + 1, parts) - share_start(total, index, parts)
}

/// Where the share of number `index` begins: ⌊t·i/p⌋.
pub(super) fn share_start(total: u64, index: u64, parts: u64) -> u64 {
    let start = u128::from(total) * u128::from(index) / u128::from(parts.max(1));
    u64::try_from(start).expect("a share of a total is at most the total")
}

/// Levels of concurrency as people write them: `50,100,200`, `10..200:10`, `1,2,4..64`.
///
/// A range `a..b` includes both ends and steps by 1, `a..b:s` steps by s and ends at or before b.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(pub Vec<u32>);

/// Why levels of concurrency were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// A part that is neither a number nor a range.
    #[error("'{0}' is no level of concurrency: write numbers and ranges, as in 50,100,200 or 10..200:10")]
    NotALevel(String),
    /// A level or a step of nothing.
    #[error("'{0}' contains 0: a level has at least one user, and a range steps by at least 1")]
    Zero(String),
    /// A range that runs backwards.
    #[error("the range '{0}' descends: write the smaller end first")]
    Descending(String),
    /// More users than the program takes on.
    #[error("'{part}' asks for more than {MOST_USERS} users at once")]
    TooManyUsers {
        /// The part in question.
        part: String,
    },
    /// A sweep that would not end.
    #[error("'{0}' makes more than {MOST_LEVELS} levels: use a larger step")]
    TooManyLevels(String),
}

impl FromStr for Levels {
    type Err = LevelsError;

    fn from_str(text: &str) -> Result<Self, LevelsError> {
        let mut levels = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (from, to, step) = range(part)?;
            for level in (from..=to).step_by(step) {
                if levels.len() == MOST_LEVELS {
                    return Err(LevelsError::TooManyLevels(text.to_owned()));
                }
                levels.push(level);
            }
        }
        Ok(Self(levels))
    }
}

/// First and last level and step of one part of a list.
fn range(part: &str) -> Result<(u32, u32, usize), LevelsError> {
    let Some((from, rest)) = part.split_once("..") else {
        let level = number(part, part)?;
        return Ok((level, level, 1));
    };
    let (to, step) = match rest.split_once(':') {
        Some((to, step)) => (to, number(step, part)?),
        None => (rest, 1),
    };
    let (from, to) = (number(from, part)?, number(to, part)?);
    if from > to {
        return Err(LevelsError::Descending(part.to_owned()));
    }
    Ok((from, to, usize::try_from(step).unwrap_or(usize::MAX)))
}

/// A whole number between 1 and the limit.
fn number(text: &str, part: &str) -> Result<u32, LevelsError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LevelsError::NotALevel(part.to_owned()));
    }
    match text.parse::<u32>() {
        Ok(0) => Err(LevelsError::Zero(part.to_owned())),
        Ok(number) if number <= MOST_USERS => Ok(number),
        // Digits that do not fit are too many users as well.
        _ => Err(LevelsError::TooManyUsers { part: part.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn levels(text: &str) -> Vec<u32> {
        text.parse::<Levels>().unwrap().0
    }

    fn plan() -> Plan {
        Plan {
            levels: vec![Step::closed(50), Step::closed(100)],
            search: None,
            extent: Extent::Window(Duration::from_secs(10)),
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            workers: 2,
            objectives: Arc::default(),
            shard: Shard::WHOLE,
            slots: None,
            sides: Sides::One,
        }
    }

    #[test]
    fn lists_and_ranges_name_levels() {
        assert_eq!(levels("50,100,200"), [50, 100, 200]);
        assert_eq!(levels("10..50:10"), [10, 20, 30, 40, 50]);
        assert_eq!(levels("1,2,4..6"), [1, 2, 4, 5, 6]);
        assert_eq!(levels("10..35:10, 40"), [10, 20, 30, 40]);
    }

    #[test]
    fn what_names_no_level_is_refused_and_said_to_be_so() {
        let refused = |text: &str| text.parse::<Levels>().unwrap_err();
        for bad in ["", "x", "1,", "-1", "1..", "..5", "1..2..3", "1.5", "5:2", "+5"] {
            assert!(matches!(refused(bad), LevelsError::NotALevel(_)), "{bad}");
        }
        assert_eq!(refused("5,0"), LevelsError::Zero("0".into()));
        assert_eq!(refused("1..9:0"), LevelsError::Zero("1..9:0".into()));
        assert_eq!(refused("9..1"), LevelsError::Descending("9..1".into()));
        assert!(matches!(refused("100001"), LevelsError::TooManyUsers { .. }));
        assert!(matches!(refused("99999999999999"), LevelsError::TooManyUsers { .. }));
        assert!(matches!(refused("1..1001"), LevelsError::TooManyLevels(_)));
        assert_eq!(refused("9..1").to_string(), "the range '9..1' descends: write the smaller end first");
    }

    #[test]
    fn a_plan_that_measures_nothing_is_refused_with_its_numbers() {
        assert_eq!(plan().validate(), Ok(()));
        assert_eq!(Plan { levels: vec![], ..plan() }.validate(), Err(PlanError::NoLevels));
        assert_eq!(
            Plan { levels: vec![Step::closed(1), Step::closed(0)], ..plan() }.validate(),
            Err(PlanError::NoUsers { position: 2 })
        );
        assert_eq!(Plan { workers: 0, ..plan() }.validate(), Err(PlanError::NoWorkers));
        let empty = Extent::Window(Duration::ZERO);
        assert_eq!(Plan { extent: empty, ..plan() }.validate(), Err(PlanError::NoWindow));
        let few = Plan { extent: Extent::Requests(10), ..plan() }.validate().unwrap_err();
        assert_eq!(
            few.to_string(),
            "-n 10 is fewer than the 50 users of level c=50: raise -n to at least 50"
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_whole_and_differ_by_at_most_one(total in 0_u64..1_000_000, parts in 1_u64..200) {
            let shares: Vec<_> = (0..parts).map(|index| share(total, index, parts)).collect();
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1);
        }
    }
}
