//! `bench --find-capacity`: the flags of the search, and the search that they make.

use clap::Args;

use crate::cli::{Ending, Usage};
use crate::load::{Arrivals, Criterion, Extent, Objective, Plan, Quantity, Scale, Search, SearchEnd, Step};
use crate::report::Capacity;

/// The search for a relay's capacity.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdicts")]
pub(super) struct CapacityOptions {
    /// Search for the largest load at which every --slo holds: users from -c on, or with --rate arrivals from that rate on
    #[arg(long, conflicts_with_all = ["fail_if", "baseline", "stages", "replay"])]
    pub(super) find_capacity: bool,
}

/// What holds in a search where no objective speaks of failures: fast refusals are no capacity.
const FAILURES: &str = "error_rate <= 1%";

/// The largest rate that is tried.
const MOST_RATE: f64 = 1_000_000.0;

/// Where a search by users begins if `-c` does not say.
const FIRST_USERS: u32 = 1;

impl CapacityOptions {
    /// Makes a plan search, if that is wanted: its only level is where the search begins, `room` the most users.
    pub(super) fn settle(&self, plan: &mut Plan, slo: &[Criterion], start: Start) -> Result<(), Usage> {
        if !self.find_capacity {
            return match slo.iter().find(|objective| Objective::of(objective).is_none()) {
                Some(objective) => {
                    Err(Usage::new(format!("--slo '{}': no single request has that", objective.text()))
                        .hint("write a time, as in 'ttft < 500ms', or add --find-capacity"))
                }
                None => Ok(()),
            };
        }
        if slo.is_empty() {
            return Err(Usage::new("--find-capacity needs to know what must hold")
                .hint("say it with --slo, as in --slo 'ttft.p99 < 800ms'"));
        }
        let first = match (&plan.levels[..], start.users) {
            ([step], _) if step.arrivals.is_some() => step.clone(),
            ([step], Users::Given) => step.clone(),
            (steps, Users::Default) if steps.iter().all(|step| step.arrivals.is_none()) => {
                Step::closed(FIRST_USERS)
            }
            _ => {
                return Err(Usage::new("--find-capacity begins at one load, and several are given")
                    .hint("write one, as in -c 10 or --rate 10/s"));
            }
        };
        let objectives = self.objectives(slo);
        let (scale, load, most) = match &first.arrivals {
            None => {
                (Scale::Users, f64::from(first.users), f64::from(start.room).min(most_users(plan.extent)))
            }
            Some(arrivals) => {
                let scale = Scale::Rate { like: arrivals.clone(), cap: first.users };
                (scale, Arrivals::rate(arrivals).unwrap_or(1.0), MOST_RATE)
            }
        };
        if load > most && first.arrivals.is_some() {
            let message = format!(
                "--find-capacity tries at most {most} arrivals a second, and --rate begins at {load}/s"
            );
            return Err(
                Usage::new(message).hint("begin lower: the load doubles as long as every --slo holds")
            );
        }
        plan.search = Some(Search { scale, first: load, most, objectives });
        plan.levels = vec![first];
        Ok(())
    }
}

impl CapacityOptions {
    /// What must hold: the objectives as they were written, and in a search what is meant where none speaks of failures.
    pub(super) fn objectives(&self, slo: &[Criterion]) -> Vec<Criterion> {
        let mut objectives = slo.to_vec();
        if self.find_capacity && !slo.iter().any(speaks_of_failures) {
            objectives.extend(Criterion::objective(FAILURES));
        }
        objectives
    }
}

/// Where a search may begin and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// Whether `-c` was given.
    pub(super) users: Users,
    /// Most users that this process has descriptors for.
    pub(super) room: u32,
}

/// Where the number of users comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    Given,
    Default,
}

/// Each user of a level sends a request at least.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn most_users(extent: Extent) -> f64 {
    match extent {
        Extent::Window(_) => f64::INFINITY,
        Extent::Requests(requests) => requests as f64,
    }
}

/// What follows from a search.
pub(super) fn conclusion(found: &Capacity) -> Result<(), Ending> {
    match found.ended {
        SearchEnd::Confirmed | SearchEnd::EverythingPasses => Ok(()),
        SearchEnd::NothingPasses => Err(Ending::NoCapacity(found.story())),
        SearchEnd::ClientBound | SearchEnd::Undecided | SearchEnd::Unsteady | SearchEnd::Stopped => {
            Err(Ending::CapacityUnknown(found.story()))
        }
    }
}

/// Whether an objective says how many requests may fail.
fn speaks_of_failures(objective: &Criterion) -> bool {
    matches!(
        objective.quantity(),
        Quantity::ErrorRate | Quantity::Errors | Quantity::Goodput | Quantity::Class(_)
    )
}
