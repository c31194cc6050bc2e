//! What a load will come to, by the requests that went before it.

use std::time::Duration;

use crate::client::Exchange;
use crate::config::Settings;
use crate::load::{Arrivals, Extent, Plan, Step};
use crate::units::{Money, Span, grouped};

/// What the request before the load came to on its side.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    /// How long it took, where it was answered.
    took: Option<Duration>,
    cost: Option<Money>,
}

impl First {
    pub(super) fn of(exchange: &Exchange, settings: &Settings) -> Self {
        let models = [exchange.model.as_deref(), settings.model.as_deref()];
        Self {
            took: exchange.marks.end.filter(|_| exchange.class.is_ok()),
            cost: settings.prices.cost(models.into_iter().flatten(), &exchange.usage),
        }
    }
}

/// What the load will come to: how many requests, and their price; nothing where nobody can tell. The first requests are
/// one of each side, and `has_prices` tells whether any model has one.
pub(super) fn outlook(plan: &Plan, firsts: &[First], has_prices: bool) -> Option<String> {
    // How many levels a search takes is what it finds out.
    let together: Option<Duration> = firsts.iter().map(|first| first.took).sum();
    let count = if plan.search.is_some() { None } else { requests(plan, together) }?;
    let each = count.number / plan.sides.each();
    let cost: Option<Money> = firsts.iter().map(|first| Some(first.cost?.times(each))).sum();
    let price = match cost {
        Some(cost) => format!("~{cost}"),
        None if has_prices => "no price known".to_owned(),
        None => "no price configured".to_owned(),
    };
    let basis = match together {
        Some(together) if count.is_guess => {
            format!(" if each takes as long as the first ({})", Span(together / sides(plan)))
        }
        _ => String::new(),
    };
    Some(format!("expect  {count} requests{basis} · {price}"))
}

fn sides(plan: &Plan) -> u32 {
    u32::try_from(plan.sides.each()).unwrap_or(1)
}

/// How many requests, those of warm-ups and of both sides included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    number: u64,
    /// Whether it depends on how long requests take.
    is_guess: bool,
}

impl std::fmt::Display for Count {
    /// Two digits of a guess, all of what is certain.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.is_guess {
            return out.write_str(&grouped(self.number));
        }
        let unit = 10_u64.pow(self.number.max(1).ilog10().saturating_sub(1));
        write!(out, "~{}", grouped(self.number.saturating_add(unit / 2) / unit * unit))
    }
}

/// The requests of this process's part of all levels, where a request, or one of each side, takes so long.
fn requests(plan: &Plan, together: Option<Duration>) -> Option<Count> {
    let mut all = Count { number: 0, is_guess: false };
    for step in &plan.levels {
        let level = of_level(plan, step, together)?;
        all = Count {
            number: all.number.saturating_add(level.number),
            is_guess: all.is_guess || level.is_guess,
        };
    }
    Some(Count { number: all.number / plan.shard.of(), ..all })
}

fn of_level(plan: &Plan, step: &Step, together: Option<Duration>) -> Option<Count> {
    let sides = plan.sides.each();
    let certain = |number| Some(Count { number, is_guess: false });
    match (&step.arrivals, plan.extent) {
        (Some(arrivals), extent) => {
            let before = arrivals.warmup().map_or(Some(0), |arrivals| within(&arrivals, plan.warmup))?;
            let measured = match extent {
                Extent::Window(window) => within(arrivals, window)?,
                Extent::Requests(requests) => requests.saturating_mul(sides),
            };
            certain(before.saturating_add(measured))
        }
        (None, Extent::Requests(requests)) if plan.warmup.is_zero() => {
            certain(requests.saturating_mul(sides))
        }
        (None, extent) => {
            let (time, counted) = match extent {
                Extent::Window(window) => (plan.warmup + window, 0),
                Extent::Requests(requests) => (plan.warmup, requests.saturating_mul(sides)),
            };
            let rounds = time.div_duration_f64(together?.max(Duration::from_micros(1)));
            // Each user sends one at least.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a guess of two digits"
            )]
            let rounds = rounds.ceil() as u64;
            let guessed = rounds.saturating_mul(u64::from(step.users)).saturating_mul(sides);
            Some(Count { number: counted.saturating_add(guessed), is_guess: true })
        }
    }
}

/// How many arrivals there are in a time; nothing where counting them would take longer than anybody wants to wait.
fn within(arrivals: &Arrivals, time: Duration) -> Option<u64> {
    const MOST: usize = 10_000_000;
    let counted = arrivals.offsets().take_while(|offset| *offset < time).take(MOST).count();
    (counted < MOST).then_some(counted as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::{Sides, Spacing};
    use crate::units::Shard;

    fn plan(users: &[u32], extent: Extent, warmup: u64) -> Plan {
        let levels = users.iter().map(|users| Step::closed(*users)).collect();
        Plan {
            levels,
            search: None,
            extent,
            warmup: Duration::from_secs(warmup),
            drain: Duration::ZERO,
            workers: 1,
            objectives: Arc::default(),
            shard: Shard::WHOLE,
            slots: None,
            sides: Sides::One,
        }
    }

    fn first(milliseconds: u64, dollars: &str) -> First {
        First { took: Some(Duration::from_millis(milliseconds)), cost: dollars.parse().ok() }
    }

    #[test]
    fn users_who_take_turns_send_as_many_as_fit_in_the_time() {
        let window = Extent::Window(Duration::from_secs(30));
        let text = outlook(&plan(&[50, 100], window, 2), &[first(137, "0.002")], true).unwrap();
        assert_eq!(text, "expect  ~35 000 requests if each takes as long as the first (137 ms) · ~70.20 USD");
        let unpriced = First { cost: None, ..first(137, "") };
        let text = outlook(&plan(&[50], window, 2), &[unpriced], false).unwrap();
        assert!(text.ends_with("· no price configured"), "{text}");
    }

    #[test]
    fn a_number_that_was_asked_for_is_no_guess() {
        let plan = plan(&[50], Extent::Requests(4000), 0);
        let text = outlook(&plan, &[first(137, "0.002")], true).unwrap();
        assert_eq!(text, "expect  4 000 requests · ~8.00 USD");
        let pairs = Plan { sides: Sides::Pairs, ..plan };
        let text = outlook(&pairs, &[first(137, "0.002"), first(100, "0.001")], true).unwrap();
        assert_eq!(text, "expect  8 000 requests · ~12.00 USD");
    }

    #[test]
    fn arrivals_are_counted_however_long_they_take() {
        let level = |rate| Step { users: 50, arrivals: Some(Arrivals::flat(rate, Spacing::Constant, 1)) };
        let levels = vec![level(20.0), level(50.0)];
        let plan = Plan { levels, ..plan(&[], Extent::Window(Duration::from_secs(30)), 2) };
        let failed = First { took: None, cost: None };
        let text = outlook(&plan, &[failed], true).unwrap();
        assert_eq!(text, "expect  2 240 requests · no price known");
    }

    #[test]
    fn what_nobody_could_carry_out_is_foretold_all_the_same() {
        let endless = plan(&[100_000], Extent::Window(Duration::MAX), 0);
        let text = outlook(&endless, &[first(1, "0.002")], true).unwrap();
        assert!(text.starts_with("expect  ~18 "), "{text}");
        let most = plan(&[1], Extent::Requests(u64::MAX), 0);
        let pairs = Plan { sides: Sides::Pairs, ..most };
        assert!(outlook(&pairs, &[first(1, "1"), first(1, "1")], true).is_some());
        let arrivals = Some(Arrivals::flat(1e6, Spacing::Constant, 1));
        let many = Plan { levels: vec![Step { users: 1, arrivals }], ..endless };
        assert_eq!(outlook(&many, &[first(1, "0.002")], true), None);
    }

    #[test]
    fn nothing_is_expected_of_a_closed_loop_whose_first_request_failed() {
        let failed = First { took: None, cost: None };
        let window = Extent::Window(Duration::from_secs(30));
        assert_eq!(outlook(&plan(&[50], window, 2), &[failed], true), None);
    }
}
