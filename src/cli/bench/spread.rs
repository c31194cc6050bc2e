//! The flags that spread one plan over several processes: which part is this one's, and when levels begin.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cli::Usage;
use crate::cli::shard::shard;
use crate::load::{Plan, Slots};
use crate::units::{Shard, Span};

/// How a plan is spread over processes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Spread over processes")]
pub(super) struct SpreadOptions {
    #[arg(
        help = "Carry only part NUMBER of so many, as in 2/4; auto reads it from JOB_COMPLETION_INDEX and JOB_COMPLETIONS, SLURM_PROCID and SLURM_NTASKS, or MPI's variables"
    )]
    #[arg(long, value_name = "NUMBER/OF", value_parser = shard)]
    pub(super) shard: Option<Shard>,
    /// Begin the first level at this time (RFC 3339, as in 2026-11-23T05:12:00Z), and each further one a slot later
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) start_at: Option<Timestamp>,
    /// Time from the beginning of one level to that of the next [default: warm-up, window and drain]
    #[arg(long, value_name = "TIME", requires = "start_at")]
    pub(super) slot: Option<Span>,
}

impl SpreadOptions {
    /// Gives the plan its part and its moments.
    pub(super) fn settle(&self, plan: &mut Plan) -> Result<(), Usage> {
        if plan.search.is_some() && (self.shard.is_some() || self.start_at.is_some()) {
            return Err(Usage::new("--find-capacity cannot be spread over processes or fixed in time")
                .hint("each of its levels depends on the one before: search with one process"));
        }
        plan.shard = self.shard.unwrap_or(Shard::WHOLE);
        let Some(start_at) = self.start_at else { return Ok(()) };
        let length = match (self.slot, plan.level_length()) {
            (Some(slot), _) => slot.0,
            (None, Some(length)) => length,
            (None, None) if plan.levels.len() == 1 => Duration::ZERO,
            (None, None) => {
                return Err(Usage::new("--start-at with -n and several levels needs --slot").hint(
                    "a level of -n has no length that is known beforehand: write one, as in --slot 2m",
                ));
            }
        };
        plan.slots = Some(Slots { first: moment(start_at, Timestamp::now(), Instant::now()), length });
        Ok(())
    }
}

/// Reads a time of day.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("'{text}' is no time: write it as in 2026-11-23T05:12:00Z (RFC 3339)"))
}

/// A time of day as a moment of the monotonic clock, both of which are known at one moment.
fn moment(time: Timestamp, now: Timestamp, at: Instant) -> Instant {
    let ahead = time.duration_since(now);
    if ahead.is_negative() {
        // Where the clock does not reach back so far, the beginning of its count is late enough to be reported.
        at.checked_sub(ahead.unsigned_abs()).unwrap_or(at)
    } else {
        at + ahead.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_past_is_a_moment_that_is_past() {
        let (now, at) = ("2026-11-23T05:12:00Z".parse().unwrap(), Instant::now());
        let of = |time: &str| moment(time.parse().unwrap(), now, at);
        assert_eq!(of("2026-11-23T05:12:01.5Z"), at + Duration::from_millis(1_500));
        assert_eq!(of("2026-11-23T06:11:59+01:00"), at - Duration::from_secs(1));
    }
}
