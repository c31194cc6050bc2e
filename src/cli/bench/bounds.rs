//! The flags that bound a run by requests, money or time, and what counts against them while it lasts.

use std::sync::Mutex;
use std::time::Duration;

use clap::Args;

use crate::cli::Usage;
use crate::client::Exchange;
use crate::config::{Prices, Settings};
use crate::load::{Control, Extent, Plan, Step};
use crate::report::PlanInfo;
use crate::units::{Count, Money, Span, grouped};
use crate::wire;

/// What ends a run early.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they have the names of their flags")]
pub(super) struct BoundOptions {
    /// Make at most so many requests in all, warm-ups and those before the load included; what a retry sends counts, too
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<Count>,
    /// End the run once its answers, those before the load included, have cost so many dollars at the configured prices;
    /// requests in flight still finish
    #[arg(long, value_name = "USD")]
    max_cost: Option<Money>,
    /// End the run when its levels have taken so long; requests in flight still finish
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    max_time: Option<Span>,
}

/// What may be spent in a run.
pub(super) struct Purse {
    /// Stops the run where nothing is left.
    pub(super) control: Control,
    /// How long its levels may take.
    pub(super) time: Option<Duration>,
    cash: Option<Cash>,
}

/// The money that may be spent.
struct Cash {
    most: Money,
    spent: Mutex<Money>,
    prices: Prices,
    /// What is asked for, where an answer does not name its model.
    model: Option<String>,
}

/// Reads a time in which something can happen.
fn some_time(text: &str) -> Result<Span, String> {
    match text.parse::<Span>() {
        Ok(span) if span.0 > Duration::ZERO => Ok(span),
        Ok(_) => Err("no run ends before it begins: write at least 1ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl BoundOptions {
    /// Refuses bounds that the plan is certain to pass; each of its requests is made `sides` times.
    pub(super) fn refuse_what_cannot_be(&self, plan: &Plan) -> Result<(), Usage> {
        let sides = plan.sides.each();
        if let Some(Count(most)) = self.max_requests {
            let least = least_requests(plan, most).saturating_mul(sides).saturating_add(sides);
            if least > most {
                let message = format!(
                    "the plan makes more requests than --max-requests {}: {}, with {sides} before the load",
                    grouped(most),
                    if least > most.saturating_mul(2) {
                        format!("more than {}", grouped(most.saturating_mul(2)))
                    } else {
                        format!("at least {}", grouped(least))
                    }
                );
                return Err(Usage::new(message)
                    .hint("raise it, or ask for less: fewer levels, a smaller -n or --rate"));
            }
        }
        if let Some(most) = self.max_time {
            let least = least_time(plan);
            if most.0 < least {
                let message =
                    format!("the plan takes {} at least, and --max-time allows {most}", Span(least));
                return Err(Usage::new(message)
                    .hint("raise it, or ask for less: fewer levels, a shorter -d or --warmup"));
            }
        }
        Ok(())
    }

    /// What may be spent; refused where money is bounded and something has no price.
    pub(super) fn purse(&self, settings: &Settings, plan: &PlanInfo) -> Result<Purse, Usage> {
        let cash = self.max_cost.map(|most| cash(most, settings, plan)).transpose()?;
        let before = if plan.paired { 2 } else { 1 };
        let control = match self.max_requests {
            Some(Count(most)) => {
                let what = format!("--max-requests {} is reached", grouped(most));
                Control::rationed(most.saturating_sub(before), &what)
            }
            None => Control::new(),
        };
        Ok(Purse { control, time: self.max_time.map(|time| time.0), cash })
    }
}

/// The money; a model that is asked for and has no price would be spent without end.
fn cash(most: Money, settings: &Settings, plan: &PlanInfo) -> Result<Cash, Usage> {
    let (prices, model) = (settings.prices.clone(), settings.model.clone());
    let refuse = |what: String| {
        Usage::new(format!("--max-cost: {what}"))
            .hint("write prices into the configuration file: [price.\"MODEL\"] with input and output")
    };
    if prices.is_empty() {
        return Err(refuse("no model has a price".to_owned()));
    }
    let one = wire::Usage { input: Some(1), output: Some(1), ..wire::Usage::default() };
    let sets = plan.prompts.iter().flat_map(|prompts| &prompts.sets);
    let mut asked = sets.filter_map(|set| set.model.as_deref()).chain(model.as_deref());
    if let Some(model) = asked.find(|model| prices.cost([*model], &one).is_none()) {
        return Err(refuse(format!("the model {model} has no price")));
    }
    Ok(Cash { most, spent: Mutex::default(), prices, model })
}

impl Purse {
    /// One that is never empty.
    pub(super) fn bottomless() -> Self {
        Self { control: Control::new(), time: None, cash: None }
    }

    /// Takes in what a request has cost, and ends the run where that was the last of it.
    pub(super) fn pay(&self, exchange: &Exchange) {
        let retries = (exchange.attempts.len() as u64).saturating_sub(1);
        if retries > 0 {
            self.control.charge(retries);
        }
        let Some(cash) = &self.cash else { return };
        if !exchange.class.is_ok() && exchange.usage.output.is_none() {
            return;
        }
        let models = [exchange.model.as_deref(), cash.model.as_deref()];
        // An answer that says nothing of its tokens is not free: an estimate counts, four bytes to a token.
        let asked = exchange.body().plain / 4;
        let usage = wire::Usage {
            input: exchange.usage.input.or(exchange.tokens.input).or(Some(asked)),
            output: exchange.usage.output.or(exchange.tokens.output).or(Some(0)),
            ..exchange.usage
        };
        let Some(cost) = cash.prices.cost(models.into_iter().flatten(), &usage) else { return };
        let Ok(mut spent) = cash.spent.lock() else { return };
        *spent = [*spent, cost].into_iter().sum();
        if *spent >= cash.most {
            self.control.bound(&format!("--max-cost {} is reached: {spent}", cash.most));
        }
    }
}

/// The fewest requests that the levels can come to, of each side; no more than it takes to pass twice `most`.
fn least_requests(plan: &Plan, most: u64) -> u64 {
    let enough = most.saturating_mul(2).saturating_add(1);
    let of_level = |step: &Step| match (plan.extent, &step.arrivals) {
        (Extent::Requests(requests), _) => requests,
        // Each user sends one at least.
        (Extent::Window(_), None) => step.users.into(),
        (Extent::Window(window), Some(arrivals)) => {
            let arrivals = arrivals.offsets().take_while(|offset| *offset < window);
            let each = plan.sides.each();
            (arrivals.take(usize::try_from(enough.saturating_mul(each)).unwrap_or(usize::MAX)).count() as u64)
                / each
        }
    };
    plan.levels.iter().map(of_level).fold(0, u64::saturating_add)
}

/// The shortest time that the levels can take.
fn least_time(plan: &Plan) -> Duration {
    let window = match plan.extent {
        Extent::Window(window) => window,
        Extent::Requests(_) => Duration::ZERO,
    };
    let levels = u32::try_from(plan.levels.len()).unwrap_or(u32::MAX);
    (plan.warmup + window).saturating_mul(levels)
}
