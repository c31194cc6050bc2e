//! What each request of a run sends, as a function of its number and the seed alone, so that every machine agrees.

/// Rounds of the network that shuffles; four make a pseudo-random permutation (Luby and Rackoff, 1988).
const ROUNDS: u64 = 4;

/// Sets of things to send, of which each has its share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli::bench) struct Deck<T> {
    parts: Vec<Part<T>>,
    order: Order,
    seed: u64,
}

/// One set with its share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part<T> {
    /// Requests of this set among those of a round, which has as many as all weights together; at least 1.
    pub(super) weight: u64,
    /// What is sent; at least one.
    pub(super) items: Vec<T>,
}

/// In which order the items of a set are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they were given, over and over.
    AsGiven,
    /// Each time through in another order.
    Shuffled,
}

impl<T> Deck<T> {
    /// A deck of these sets.
    pub(super) const fn new(parts: Vec<Part<T>>, order: Order, seed: u64) -> Self {
        Self { parts, order, seed }
    }

    /// What the request of this number sends. In each round every set has exactly its share, in a shuffled order, so
    /// that no user of a closed loop meets the same set each time.
    pub(in crate::cli::bench) fn at(&self, number: u64) -> &T {
        let round_length: u64 = self.parts.iter().map(|part| part.weight).sum();
        let (round, place) = (number / round_length, number % round_length);
        let mut place = shuffled(place, round_length, scatter(self.seed, round));
        for (which, part) in (1..).zip(&self.parts) {
            if place < part.weight {
                return part.item(round * part.weight + place, (self.order, scatter(self.seed, which)));
            }
            place -= part.weight;
        }
        unreachable!("a place in a round lies below the sum of its weights")
    }

    /// The same deck of what is made of each item.
    pub(super) fn map<U, E>(&self, mut make: impl FnMut(&T) -> Result<U, E>) -> Result<Deck<U>, E> {
        let part = |part: &Part<T>| {
            let items = part.items.iter().map(&mut make).collect::<Result<_, E>>()?;
            Ok(Part { weight: part.weight, items })
        };
        let parts = self.parts.iter().map(part).collect::<Result<_, E>>()?;
        Ok(Deck { parts, order: self.order, seed: self.seed })
    }

    /// The sets.
    pub(super) fn parts(&self) -> &[Part<T>] {
        &self.parts
    }
}

impl<T> Part<T> {
    /// The `nth` item that is sent of this set.
    fn item(&self, nth: u64, (order, seed): (Order, u64)) -> &T {
        let count = self.items.len() as u64;
        let (pass, place) = (nth / count, nth % count);
        let place = match order {
            Order::AsGiven => place,
            Order::Shuffled => shuffled(place, count, scatter(seed, pass)),
        };
        &self.items[usize::try_from(place).expect("it is the place of an item")]
    }
}

/// Where a place among so many goes in the permutation that the key names: a Feistel network over the next power of
/// four, gone through until it comes out below `count` (cycle walking).
fn shuffled(place: u64, count: u64, key: u64) -> u64 {
    let half = count.next_power_of_two().trailing_zeros().div_ceil(2);
    if half == 0 {
        return place;
    }
    let mask = (1_u64 << half) - 1;
    let mut walked = place;
    loop {
        let (mut left, mut right) = (walked >> half, walked & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (scatter(scatter(key, round), right) & mask));
        }
        walked = left << half | right;
        if walked < count {
            return walked;
        }
    }
}

/// A number that looks random and depends on these two alone.
pub(in crate::cli::bench) fn scatter(seed: u64, number: u64) -> u64 {
    let key = fastrand::Rng::with_seed(seed).u64(..);
    fastrand::Rng::with_seed(key ^ number).u64(..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deck(weights: &[u64], order: Order) -> Deck<(usize, u32)> {
        let part = |(which, weight): (usize, &u64)| Part {
            weight: *weight,
            items: (0..4).map(|item| (which, item)).collect(),
        };
        Deck::new(weights.iter().enumerate().map(part).collect(), order, 1)
    }

    proptest! {
        #[test]
        fn shuffling_moves_every_place_to_a_place_of_its_own(count in 1_u64..600, key in any::<u64>()) {
            let mut moved: Vec<_> = (0..count).map(|place| shuffled(place, count, key)).collect();
            moved.sort_unstable();
            prop_assert_eq!(moved, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_set_alone_is_sent_in_its_order_over_and_over() {
        let deck = deck(&[1], Order::AsGiven);
        let sent: Vec<_> = (0..6).map(|number| deck.at(number).1).collect();
        assert_eq!(sent, [0, 1, 2, 3, 0, 1]);
    }

    #[test]
    fn a_shuffled_set_is_sent_whole_each_time_and_in_another_order() {
        let deck = deck(&[1], Order::Shuffled);
        let pass = |from: u64| (from..from + 4).map(|number| deck.at(number).1).collect::<Vec<_>>();
        let passes: Vec<_> = (0..20).map(|nth| pass(nth * 4)).collect();
        assert!(passes.iter().all(|pass| (0..4).all(|item| pass.contains(&item))), "{passes:?}");
        assert!(passes.iter().any(|pass| *pass != passes[0]), "{passes:?}");
    }

    #[test]
    fn every_round_has_exactly_the_shares_of_a_mix_and_no_set_misses_an_item() {
        let deck = deck(&[3, 1], Order::AsGiven);
        for round in 0..50 {
            let first = (0..4).filter(|place| deck.at(round * 4 + place).0 == 0).count();
            assert_eq!(first, 3, "round {round}");
        }
        // Four rounds are three times through the first set and once through the second.
        let mut sent: Vec<_> = (0..16).map(|number| *deck.at(number)).collect();
        sent.sort_unstable();
        let expected = (0..4).flat_map(|item| [(0, item); 3]).chain((0..4).map(|item| (1, item)));
        assert_eq!(sent, expected.collect::<Vec<_>>());
        // A user who sends every fourth request meets both.
        let met: Vec<_> = (0..50).map(|round| deck.at(round * 4).0).collect();
        assert!(met.contains(&0) && met.contains(&1), "{met:?}");
    }
}
