//! Traffic and its measurement: plans, the closed loop, recorders and verdicts; it knows nothing of HTTP or prompts.

mod metric;
mod plan;
mod quantile;
mod verdict;

pub use metric::Bound;
pub use metric::Metric;
pub use metric::Quantile;
pub use metric::read_histogram;
pub use plan::Extent;
pub use plan::Levels;
pub use plan::LevelsError;
pub use plan::Plan;
pub use plan::PlanError;
pub use quantile::Percentile;
pub use verdict::Evidence;
pub use verdict::Verdict;
pub use verdict::judge;
