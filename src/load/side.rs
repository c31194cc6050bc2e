//! Which way a request goes where each is made twice: through the relay, or straight to what stands behind it.

/// The way of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Side {
    /// Through the relay.
    #[default]
    Relay,
    /// Past it.
    Direct,
}

/// How often each request of a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    /// Once, through the relay.
    #[default]
    One,
    /// Twice in a row, once on each side.
    Pairs,
}

impl Sides {
    /// How many requests each of a plan is.
    pub const fn each(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Pairs => 2,
        }
    }

    /// Which request of the plan the one at this place in a row of them is, and its side. Who goes first changes from pair to
    /// pair, and with `turn` from row to row, so that neither side gains by what the other has warmed up.
    pub(super) const fn at(self, place: u64, turn: u64) -> (u64, Side) {
        match self {
            Self::One => (place, Side::Relay),
            Self::Pairs => {
                let (pair, second) = (place / 2, place % 2);
                let side = if second == (pair + turn) % 2 { Side::Relay } else { Side::Direct };
                (pair, side)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_a_pair_are_one_request_on_either_side_and_the_first_changes() {
        for turn in 0..2 {
            let row: Vec<_> = (0..8).map(|place| Sides::Pairs.at(place, turn)).collect();
            let firsts: Vec<_> = row.chunks(2).map(|pair| pair[0].1).collect();
            for (number, pair) in (0..).zip(row.chunks(2)) {
                assert_eq!((pair[0].0, pair[1].0), (number, number));
                assert_ne!(pair[0].1, pair[1].1);
            }
            assert!(firsts.windows(2).all(|two| two[0] != two[1]), "{firsts:?}");
        }
        assert_ne!(Sides::Pairs.at(0, 0).1, Sides::Pairs.at(0, 1).1);
        assert_eq!(Sides::One.at(7, 1), (7, Side::Relay));
    }
}
