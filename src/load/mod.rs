//! Traffic and its measurement: plans, the closed and the open loop, recorders and verdicts; it knows nothing of HTTP or prompts.
//!
//! *When* a request starts is the business of `pace`, *when* a level ends that of `schedule`, *how* one request is made
//! that of the [`Target`]; `desk` is where the three meet on a worker, and `engine` runs the levels on all workers.

mod alarm;
mod arrivals;
mod control;
mod criterion;
mod delivery;
mod desk;
mod dispatch;
mod engine;
mod guard;
mod live;
mod log;
mod metric;
mod metrics;
mod monitor;
mod objective;
mod pace;
mod pairs;
mod plan;
mod quantile;
mod quantity;
mod recorder;
mod schedule;
mod search;
mod share;
mod side;
mod summary;
mod tally;
mod threshold;
mod throughput;
mod timeline;
mod verdict;
mod vitals;
mod worker;

use std::future::Future;

use crate::outcome::{Connections, Sample};

pub use arrivals::Arrivals;
pub use arrivals::Spacing;
pub use arrivals::Stage;
pub use control::Control;
pub use control::Ended;
pub use criterion::Comparison;
pub use criterion::Criterion;
pub use criterion::CriterionError;
pub use criterion::Finding;
pub use criterion::Place;
pub use criterion::is_same_rate;
pub use delivery::Delivery;
pub use engine::LoadError;
pub use engine::Outlets;
pub use engine::Run;
pub use engine::run;
pub use live::Live;
pub use log::Line;
pub use log::LogSender;
pub use log::log_channel;
pub use metric::Bound;
pub use metric::Metric;
pub use metric::Quantile;
pub use metric::read_histogram;
pub use metric::{RestoreError, SavedMetric};
pub use metrics::Metrics;
pub use monitor::Health;
pub use objective::Goodput;
pub use objective::Objective;
pub use pairs::{Pairs, Times};
pub use plan::Extent;
pub use plan::Levels;
pub use plan::LevelsError;
pub use plan::Plan;
pub use plan::PlanError;
pub use plan::Slots;
pub use plan::Step;
pub use quantile::Percentile;
pub use quantity::Figure;
pub use quantity::Observed;
pub use quantity::Quantity;
pub use quantity::Support;
pub use quantity::Timing;
pub use quantity::Unit;
pub use schedule::Phase;
pub use search::Capacity;
pub use search::Scale;
pub use search::Search;
pub use search::SearchEnd;
pub use share::Share;
pub use side::{Side, Sides};
pub use summary::{Direct, Summary};
pub use tally::ClassCounts;
pub use tally::Failure;
pub use threshold::Row;
pub use threshold::Ruling;
pub use threshold::Standing;
pub use timeline::{Second, Timeline};
pub use verdict::Bottleneck;
pub use verdict::Evidence;
pub use verdict::Verdict;
pub use verdict::bottlenecks;
pub use verdict::judge;
pub use vitals::Vitals;

/// Iterations of a warm-up are numbered from here, so that measured ones begin at 0 however fast the warm-up was.
pub const WARMUP_ITERATIONS: u64 = 1 << 32;

/// Performs one unit of load: the client in production, a sleeper in tests.
///
/// A target is made on the worker's thread and stays there, so neither it nor its futures need be `Send`.
pub trait Target {
    /// Makes the request that `ticket` names and fills `sample`, which has just been restarted.
    ///
    /// The future may be dropped at any point (the sample then counts as cut) and may panic (a counted failure).
    fn run(&self, ticket: Ticket, sample: &mut Sample) -> impl Future<Output = ()>;

    /// What became of its connections since this was last asked; nothing where it cannot tell.
    fn take_connections(&self) -> Option<Connections> {
        None
    }
}

/// Names one request of a run; the same plan yields the same tickets on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket {
    /// Position of the level in the sweep, from 0.
    pub level: u32,
    /// Number of the request within the level: iteration × users + user.
    pub index: u64,
    /// The user who sends it, from 0.
    pub user: u32,
    /// How many requests this user has sent before it; a warm-up counts from [`WARMUP_ITERATIONS`].
    pub iteration: u64,
    /// Which way it goes; both requests of a pair are the same but for this.
    pub side: Side,
}

impl Ticket {
    /// Whether the request belongs to the warm-up and will not be recorded.
    pub const fn is_warmup(self) -> bool {
        self.iteration >= WARMUP_ITERATIONS
    }
}
