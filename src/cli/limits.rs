//! The flags of the leaky bucket: how many requests and tokens leave in a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::client::{Call, Station};
use crate::config;
use crate::config::{Environment, PolicyDefaults, Settings};
use crate::net::{Adapt, Ledger, LedgerError, Limiter, Limits, Origin, RateScope, TokenRates};
use crate::units::{Rate, whole};

use super::Usage;
use super::relay::Site;

/// How many requests and tokens leave in a time.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct LimitOptions {
    /// Let at most so many requests leave in a time, repeated ones included: 60/m, 10/s [default: no limit]
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Let so many requests of --rate leave at once after a pause [default: 1, all evenly spaced]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u32>(text, 1..=1_000_000))]
    burst: Option<u32>,
    /// Whose requests --rate counts: those of this process, or of all on this machine that ask the same relay with `machine`;
    /// tokens are counted by each process for itself [default: process]
    #[arg(long, value_name = "SCOPE", value_parser = scopes())]
    rate_scope: Option<RateScope>,
    /// Let at most so many tokens go in a time: 40000/m for both directions together, input=40000/m,output=8000/m for
    /// each [default: no limit]
    #[arg(long, value_name = "RATES")]
    token_rate: Option<TokenRates>,
}

impl LimitOptions {
    /// What they limit, or else the profile.
    fn limits(&self, own: &PolicyDefaults) -> Limits {
        Limits {
            requests: self.rate.or(own.rate),
            burst: self.burst.or(own.burst).unwrap_or(Limits::default().burst),
            tokens: self.token_rate.or(own.token_rate).unwrap_or_default(),
            ..Limits::default()
        }
    }

    /// The limiter that they ask for, if they, the profile or the pace of the relay ask for one.
    pub(super) fn limiter(&self, adapt: Adapt, site: &Site) -> Result<Option<Arc<Limiter>>, Usage> {
        let own = &site.settings.policy;
        let limits = Limits { adapt, ..self.limits(own) };
        let requests = limits.requests;
        if self.burst.is_some() && requests.is_none() {
            return Err(Usage::new("--burst has no effect without a rate").hint("--rate 60/m sets one"));
        }
        if self.rate_scope == Some(RateScope::Machine) && requests.is_none() {
            return Err(Usage::new(
                "--rate-scope machine has no effect without a rate: tokens are not shared",
            )
            .hint("--rate 60/m sets one"));
        }
        // A synced file may bring a limit later.
        if limits == Limits::default() && site.settings.upkeep.is_none() {
            return Ok(None);
        }
        let limiter = Limiter::new(&limits);
        // Nobody else asks the embedded relay, so that what the profile says of others is moot there.
        let own_scope = own.rate_scope.filter(|_| site.embedded.is_none());
        Ok(Some(Arc::new(match (self.rate_scope.or(own_scope), requests) {
            (Some(RateScope::Machine), Some(rate)) => limiter.sharing(ledger(site, rate, limits.burst)?),
            _ => limiter,
        })))
    }
}

/// Lets a limiter follow the limits of a synced file, where no flag says otherwise.
#[derive(Debug)]
pub(super) struct Throttle {
    options: LimitOptions,
    limiter: Arc<Limiter>,
    /// What was set last.
    now: Limits,
}

impl Throttle {
    /// The pace of a limiter that these flags and the profile made, if they made one.
    pub(super) fn of(
        options: LimitOptions,
        limiter: Option<&Arc<Limiter>>,
        own: &PolicyDefaults,
    ) -> Option<Self> {
        Some(Self { options, limiter: Arc::clone(limiter?), now: options.limits(own) })
    }

    /// Sets what is limited otherwise now.
    pub(super) fn follow(&mut self, own: &PolicyDefaults) {
        let limits = self.options.limits(own);
        // What the relay has taught stays where nothing is new.
        if limits != self.now {
            self.limiter.set(&limits);
            self.now = limits;
        }
    }
}

/// A scope; help, completions and the refusal of another word list both.
fn scopes() -> impl TypedValueParser<Value = RateScope> {
    PossibleValuesParser::new(RateScope::NAMES).try_map(|name| name.parse::<RateScope>())
}

/// What the processes of this machine share towards the relay's endpoints.
fn ledger(site: &Site, rate: Rate, burst: u32) -> Result<Ledger, Usage> {
    if site.embedded.is_some() {
        return Err(Usage::new(
            "--rate-scope machine has no effect with --mock: no other process asks that relay",
        )
        .hint("`baton mock` runs one for several processes"));
    }
    let relay = origins(&site.settings);
    let path = config::rate_file(&relay, &Environment::of_process()).ok_or_else(|| {
        Usage::new("there is no place for the rate that processes share").hint("set HOME or XDG_STATE_HOME")
    })?;
    Ledger::open(&path, &relay, rate, burst)
        .map_err(|error| Usage::new(error.to_string()).hint(LedgerError::HINT))
}

/// The relay by the origins of its endpoints, in an order that does not depend on that of flags.
fn origins(settings: &Settings) -> String {
    let origin = |station: &Station| Origin::of(&station.endpoint.url).to_string();
    settings.stations.iter().map(origin).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// Refuses a call that the limiter would never let through.
pub(super) fn fits(limiter: &Limiter, call: &Call) -> Result<(), Usage> {
    limiter.fits(call.cost()).map_err(|error| {
        Usage::new(format!("the request is larger than the limit: {error}"))
            .hint("raise --token-rate, or lower --max-tokens")
    })
}
