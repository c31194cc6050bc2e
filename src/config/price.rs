//! What models cost, and what an answer has cost.

use std::collections::BTreeMap;

use crate::units::Money;
use crate::wire::Usage;

use super::Error;
use super::document::Section;

/// The prices of the file's models.
#[derive(Debug, Clone, Default)]
pub struct Prices(BTreeMap<String, Price>);

/// What a million tokens of a model cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) input: Money,
    pub(super) output: Money,
    pub(super) cache_read: Option<Money>,
    pub(super) cache_write: Option<Money>,
}

impl Prices {
    /// Reads the tables below `[price]`.
    pub(super) fn read(section: &Section<'_>) -> Result<Self, Error> {
        let read =
            |entry: super::document::Entry<'_>| Ok((entry.key.to_owned(), Price::read(&entry.section()?)?));
        section.entries().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether no model has a price.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The models with their prices, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Price)> {
        self.0.iter().map(|(model, price)| (model.as_str(), price))
    }

    /// What an answer has cost at the price of the first of these models that has one. Nothing is said where the
    /// server counted no tokens, or counted some of a kind that has no price: a guess is no cost.
    pub fn cost<'m>(&self, models: impl IntoIterator<Item = &'m str>, usage: &Usage) -> Option<Money> {
        let price = models.into_iter().find_map(|model| self.0.get(model))?;
        let cached = |price: Option<Money>, tokens: Option<u64>| match tokens.unwrap_or(0) {
            0 => Some(Money::default()),
            tokens => price.map(|price| price.per_million(tokens)),
        };
        let parts = [
            price.input.per_million(usage.input?),
            price.output.per_million(usage.output?),
            cached(price.cache_read, usage.cache_read)?,
            cached(price.cache_write, usage.cache_write)?,
        ];
        Some(parts.into_iter().sum())
    }
}

impl Price {
    fn read(section: &Section<'_>) -> Result<Self, Error> {
        section.only(&["input", "output", "cache-read", "cache-write"])?;
        let money = |key| section.entry(key).map(|entry| entry.money()).transpose();
        let missing = |key| section.refuse(&format!("has no {key}, which a price needs"));
        Ok(Self {
            input: money("input")?.ok_or_else(|| missing("input"))?,
            output: money("output")?.ok_or_else(|| missing("output"))?,
            cache_read: money("cache-read")?,
            cache_write: money("cache-write")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        let money = |text: &str| text.parse().unwrap();
        let full = Price {
            input: money("3"),
            output: money("15"),
            cache_read: Some(money("0.3")),
            cache_write: Some(money("3.75")),
        };
        let plain = Price { cache_read: None, cache_write: None, ..full };
        Prices(BTreeMap::from([("full".to_owned(), full), ("plain".to_owned(), plain)]))
    }

    const USAGE: Usage = Usage {
        input: Some(100),
        cache_read: Some(1000),
        cache_write: Some(10),
        output: Some(20),
        reasoning: Some(5),
    };

    #[test]
    fn each_kind_of_token_is_paid_at_its_own_price() {
        let cost = prices().cost(["full"], &USAGE).unwrap();
        // 100 × 3 + 1000 × 0.3 + 10 × 3.75 + 20 × 15, in micro-dollars.
        assert_eq!(cost.dollars().to_string(), "0.0009375");
    }

    #[test]
    fn what_is_not_known_for_certain_has_no_cost() {
        let prices = prices();
        assert_eq!(prices.cost(["other"], &USAGE), None);
        assert_eq!(prices.cost(["plain"], &USAGE), None);
        assert_eq!(prices.cost(["full"], &Usage { output: None, ..USAGE }), None);
        let uncached = Usage { cache_read: Some(0), cache_write: None, ..USAGE };
        assert!(prices.cost(["plain"], &uncached).is_some());
        assert!(prices.cost(["plain-2026", "plain"], &uncached).is_some());
    }
}
