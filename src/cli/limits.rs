//! The flags of the leaky bucket: how many requests and tokens leave in a time.

use std::sync::Arc;

use clap::Args;

use crate::client::Call;
use crate::config::PolicyDefaults;
use crate::net::{Adapt, Limiter, Limits, TokenRates};
use crate::units::{Rate, whole};

use super::Usage;

/// How many requests and tokens leave in a time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct LimitOptions {
    /// Let at most so many requests leave in a time, repeated ones included: 60/m, 10/s [default: no limit]
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Let so many requests of --rate leave at once after a pause [default: 1, all evenly spaced]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u32>(text, 1..=1_000_000))]
    burst: Option<u32>,
    /// Let at most so many tokens go in a time: 40000/m for both directions together, input=40000/m,output=8000/m for
    /// each [default: no limit]
    #[arg(long, value_name = "RATES")]
    token_rate: Option<TokenRates>,
}

impl LimitOptions {
    /// The limiter that they ask for, if they or the pace of the relay ask for one; `own` is what the profile sets.
    pub(super) fn limiter(&self, adapt: Adapt, own: &PolicyDefaults) -> Result<Option<Arc<Limiter>>, Usage> {
        let requests = self.rate.or(own.rate);
        let tokens = self.token_rate.or(own.token_rate);
        if self.burst.is_some() && requests.is_none() {
            return Err(Usage::new("--burst has no effect without a rate").hint("--rate 60/m sets one"));
        }
        if requests.is_none() && tokens.is_none() && adapt == Adapt::Never {
            return Ok(None);
        }
        let burst = self.burst.or(own.burst).unwrap_or(Limits::default().burst);
        let limits = Limits { requests, burst, tokens: tokens.unwrap_or_default(), adapt };
        Ok(Some(Arc::new(Limiter::new(&limits))))
    }
}

/// Refuses a call that the limiter would never let through.
pub(super) fn fits(limiter: &Limiter, call: &Call) -> Result<(), Usage> {
    limiter.fits(call.cost()).map_err(|error| {
        Usage::new(format!("the request is larger than the limit: {error}"))
            .hint("raise --token-rate, or lower --max-tokens")
    })
}
