//! The flags by which a run is judged, whether they fit its plan, and what follows from them at the end.

use std::path::PathBuf;

use clap::Args;

use super::capacity;
use super::capacity::{CapacityOptions, Start, Users};
use super::options::LoadOptions;
use crate::cli::report::{TermsOptions, refused_as, saved};
use crate::cli::{Ending, Usage, report};
use crate::load::{Arrivals, is_same_rate};
use crate::load::{
    Criterion, CriterionError, Objective, Place, Plan, Quantity, Ruling, Run, Sides, Standing, Step,
};
use crate::report::{
    Capacity, CompareError, Comparison, Document, PlanInfo, Plans, Threshold, plan_differences,
};

/// What is asked of the relay.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdicts")]
pub(super) struct VerdictOptions {
    #[arg(
        help = "Exit with 99 where this is true of a level, as in 'ttft.p99 > 800ms', 'error_rate > 1%' or 'rate < 50/s @c=100' (repeatable)"
    )]
    #[arg(long, value_name = "EXPR", value_parser = Criterion::threshold)]
    pub(super) fail_if: Vec<Criterion>,
    /// Count the requests that meet this, as in 'ttft < 500ms': the goodput (repeatable)
    #[arg(long, value_name = "EXPR", value_parser = objective)]
    pub(super) slo: Vec<Criterion>,
    #[command(flatten)]
    capacity: CapacityOptions,
    /// Exit with 99 where a figure is worse than in this earlier result of the same plan, beyond the noise
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    terms: TermsOptions,
}

/// Reads an objective of single requests.
fn objective(text: &str) -> Result<Criterion, String> {
    let criterion = Criterion::objective(text).map_err(|error: CriterionError| error.to_string())?;
    match criterion.place() {
        None => Ok(criterion),
        Some(_) => Err("an objective holds at every level: write it without @".to_owned()),
    }
}

impl VerdictOptions {
    /// Gives the plan its objectives, and refuses what the plan can never decide.
    pub(super) fn settle(&self, plan: &mut Plan, load: &LoadOptions, room: u32) -> Result<(), Usage> {
        let streams = if load.no_stream { Streams::No } else { Streams::Yes };
        let users = if load.concurrency.is_some() { Users::Given } else { Users::Default };
        self.capacity.settle(plan, &self.slo, Start { users, room })?;
        for (flag, criterion) in
            self.fail_if.iter().map(|c| ("--fail-if", c)).chain(self.slo.iter().map(|c| ("--slo", c)))
        {
            if let Some(why) = self.misfit(criterion, plan, streams) {
                return Err(Usage::new(format!("{flag} '{}' can decide nothing: {why}", criterion.text()))
                    .hint("a threshold is about what the run measures: --help lists the flags of the load"));
            }
        }
        plan.objectives = self.slo.iter().filter_map(Objective::of).collect();
        Ok(())
    }

    /// The result to compare with; one of another plan is refused.
    pub(super) fn baseline(&self, plan: &PlanInfo) -> Result<Option<Document>, Usage> {
        let Some(path) = &self.baseline else {
            let idle = [("--noise", self.terms.noise.is_some()), ("--force", self.terms.force)];
            return match idle.iter().find(|(_, given)| *given) {
                Some((flag, _)) => Err(Usage::new(format!("{flag} has no effect without --baseline"))),
                None => Ok(None),
            };
        };
        let baseline = saved("--baseline", path)?;
        // A damaged one is better refused before the load than after it.
        Comparison::of(&baseline, &baseline, self.terms.terms())
            .map_err(|error| refused_as("--baseline: ", &error))?;
        let differences = plan_differences(&baseline.plan, plan);
        if self.terms.terms().plans == Plans::MustAgree && !differences.is_empty() {
            return Err(refused_as("--baseline: ", &CompareError::Plans(differences)));
        }
        Ok(Some(baseline))
    }

    /// Judges a run, and writes the verdicts into its document.
    pub(super) fn judge<'a>(
        &'a self,
        run: &'a Run,
        document: &mut Document,
        baseline: Option<&Document>,
    ) -> Judgement<'a> {
        let rulings: Vec<_> =
            self.fail_if.iter().map(|criterion| Ruling::of(criterion, &run.levels)).collect();
        let objectives = self.capacity.objectives(&self.slo);
        document.objectives = objectives.iter().map(|criterion| criterion.text().to_owned()).collect();
        document.thresholds = rulings.iter().map(Threshold::of).collect();
        let comparison = baseline.map(|baseline| Comparison::of(baseline, document, self.terms.terms()));
        document.comparison = comparison.as_ref().and_then(|compared| compared.as_ref().ok()).cloned();
        Judgement { rulings, comparison, capacity: document.capacity.clone() }
    }

    /// Why a plan can never decide a criterion.
    fn misfit(&self, criterion: &Criterion, plan: &Plan, streams: Streams) -> Option<String> {
        let is_open = plan.levels.iter().any(|step| step.arrivals.is_some());
        match criterion.quantity() {
            Quantity::Tax(..) if plan.sides == Sides::One => {
                return Some("tax is what a relay adds, and no --direct says to what".to_owned());
            }
            Quantity::Time(timing, _) | Quantity::Tax(timing, _)
                if timing.needs_stream() && streams == Streams::No =>
            {
                return Some(format!(
                    "{} is a time of streams, and --no-stream asks for whole answers",
                    timing.name()
                ));
            }
            Quantity::Time(timing, _) if timing.needs_arrivals() && !is_open => {
                return Some(format!(
                    "{} counts from when a request was due, and no --rate says so",
                    timing.name()
                ));
            }
            Quantity::Unsent if !is_open => return Some("without --rate nothing is due".to_owned()),
            // It counts requests that meet such ones, and a search may be given others alone.
            Quantity::Goodput if self.slo.iter().all(|slo| Objective::of(slo).is_none()) => {
                return Some("goodput needs an --slo on a time, as in 'ttft < 500ms'".to_owned());
            }
            _ => {}
        }
        let place = criterion.place()?;
        let is_there = |step: &Step| match place {
            Place::Concurrency(users) => step.users == users,
            Place::Rate(rate) => planned_rate(step).is_some_and(|planned| is_same_rate(planned, rate)),
        };
        (!plan.levels.iter().any(is_there)).then(|| format!("the plan has the levels {}", places(plan)))
    }
}

/// Whether answers are streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    Yes,
    No,
}

/// What became of a run's thresholds and of its comparison with an earlier one.
pub(super) struct Judgement<'a> {
    rulings: Vec<Ruling<'a>>,
    comparison: Option<Result<Comparison, CompareError>>,
    /// The answer of a search, if there was one.
    capacity: Option<Capacity>,
}

impl Judgement<'_> {
    /// What follows, the worst first; `None` where nothing was to be judged.
    pub(super) fn conclusion(&self) -> Option<Result<(), Ending>> {
        if let Some(found) = &self.capacity {
            return Some(capacity::conclusion(found));
        }
        let stories = |standing: Standing| -> Vec<String> {
            let such = self.rulings.iter().filter(|ruling| ruling.standing() == standing);
            such.map(|ruling| Threshold::of(ruling).story()).collect()
        };
        let (undecided, failed) = (stories(Standing::Undecided), stories(Standing::Failed));
        let all = self.rulings.len();
        let compared = self.comparison.as_ref().map(|comparison| match comparison {
            Ok(comparison) => report::conclusion(comparison),
            Err(error) => Err(Ending::ComparisonUndecided(vec![error.to_string()])),
        });
        match compared {
            _ if !undecided.is_empty() => Some(Err(Ending::ThresholdsUndecided { stories: undecided, all })),
            Some(Err(ending @ Ending::ComparisonUndecided(_))) => Some(Err(ending)),
            _ if !failed.is_empty() => Some(Err(Ending::ThresholdsFailed { stories: failed, all })),
            Some(ending) => Some(ending),
            None => (all > 0).then_some(Ok(())),
        }
    }
}

fn planned_rate(step: &Step) -> Option<f64> {
    step.arrivals.as_ref().and_then(Arrivals::rate)
}

/// The levels of a plan as `@` names them.
fn places(plan: &Plan) -> String {
    let place = |step: &Step| match planned_rate(step) {
        Some(rate) => format!("rate={rate}/s"),
        None => format!("c={}", step.users),
    };
    plan.levels.iter().map(place).collect::<Vec<_>>().join(", ")
}
