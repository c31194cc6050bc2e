//! What an examination may take: so many requests, and so much money where prices are known.

use std::cell::Cell;

use crate::units::Money;
use crate::wire::Usage;

use super::Trouble;

/// What an answer of a model costs, where its price is known.
pub type Price = Box<dyn Fn(&[&str], &Usage) -> Option<Money>>;

/// The tokens that a question has at most; white space that pads a body costs none.
const QUESTION: u64 = 40;

/// Requests and money that are left.
pub struct Purse {
    requests: Cell<u32>,
    spent: Cell<Money>,
    most: Option<(Money, Price)>,
}

impl Purse {
    /// A purse for so many requests, whatever they cost.
    pub fn new(requests: u32) -> Self {
        Self { requests: Cell::new(requests), spent: Cell::default(), most: None }
    }

    /// Lets them cost no more than this at these prices; the request that passes the limit is the last.
    #[must_use]
    pub fn with_limit(self, most: Money, price: Price) -> Self {
        Self { most: Some((most, price)), ..self }
    }

    /// Whether money counts.
    pub(super) const fn has_limit(&self) -> bool {
        self.most.is_some()
    }

    /// Requests that may still be made.
    pub fn requests(&self) -> u32 {
        self.requests.get()
    }

    /// What the answers have cost, where that was to be known.
    pub fn spent(&self) -> Money {
        self.spent.get()
    }

    /// Whether an answer may still be paid for.
    pub(super) fn afford(&self) -> Result<(), Trouble> {
        match &self.most {
            Some((most, _)) if self.spent.get() >= *most => Err(Trouble::Cost(*most)),
            _ => Ok(()),
        }
    }

    /// Takes one request.
    pub(super) fn take(&self) -> Result<(), Trouble> {
        self.afford()?;
        self.requests.set(self.requests.get().checked_sub(1).ok_or(Trouble::Purse)?);
        Ok(())
    }

    /// Pays for an answer at the price of the first of these models that has one; what it does not state counts as the
    /// most that it can be, and tokens of the vendor's cache as any others.
    pub(super) fn pay(&self, models: &[&str], usage: Usage, most: u64) {
        let Some((_, price)) = &self.most else { return };
        let usage =
            Usage { input: usage.input.or(Some(QUESTION)), output: usage.output.or(Some(most)), ..usage };
        let [read, written] = [usage.cache_read, usage.cache_write].map(Option::unwrap_or_default);
        let input = usage.input.map(|input| input + read + written);
        let plain = Usage { input, cache_read: None, cache_write: None, ..usage };
        let cost = price(models, &usage).or_else(|| price(models, &plain)).unwrap_or_default();
        self.spent.set([self.spent.get(), cost].into_iter().sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_that_passes_the_limit_is_the_last() {
        let dollar: Money = "1".parse().unwrap();
        let most: Money = "2".parse().unwrap();
        let purse = Purse::new(9).with_limit(most, Box::new(move |_, _| Some(dollar)));
        for _ in 0..2 {
            assert!(purse.take().is_ok());
            purse.pay(&["m"], Usage::default(), 32);
        }
        assert!(matches!(purse.take(), Err(Trouble::Cost(limit)) if limit == most));
        assert_eq!((purse.requests(), purse.spent()), (7, most));
    }

    #[test]
    fn tokens_of_a_cache_without_a_price_are_not_free() {
        let dollar: Money = "1".parse().unwrap();
        let of_input = move |_: &[&str], usage: &Usage| {
            usage.cache_read.is_none().then(|| (0..usage.input.unwrap()).map(|_| dollar).sum())
        };
        let purse = Purse::new(1).with_limit("100".parse().unwrap(), Box::new(of_input));
        purse.pay(&["m"], Usage { input: Some(1), cache_read: Some(2), ..Usage::default() }, 32);
        assert_eq!(purse.spent(), "3".parse().unwrap());
    }

    #[test]
    fn what_an_answer_does_not_state_counts_as_the_most_that_it_can_be() {
        let of_tokens = |_: &[&str], usage: &Usage| {
            assert_eq!((usage.input, usage.output), (Some(7), Some(32)));
            None
        };
        let purse = Purse::new(1).with_limit("1".parse().unwrap(), Box::new(of_tokens));
        purse.pay(&["m"], Usage { input: Some(7), ..Usage::default() }, 32);
    }
}
