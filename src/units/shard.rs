//! One part of some work that is spread over several runs.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// One of `of` equal parts of some work, numbered from 1, as in `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl Shard {
    /// All of the work in one part.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The part that stands at a place, counted from 0, among so many; `None` where there is no such place.
    pub const fn at(place: u64, of: u64) -> Option<Self> {
        if place < of { Some(Self { number: place + 1, of }) } else { None }
    }

    /// Its place among the parts, from 0.
    pub const fn place(self) -> u64 {
        self.number - 1
    }

    /// How many parts there are.
    pub const fn of(self) -> u64 {
        self.of
    }

    /// Whether the piece of work that stands at this place, counted from 0, belongs to this part: every `of`-th does.
    pub const fn holds(self, index: u64) -> bool {
        index % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(UnitError(format!("'{text}' is no part: write NUMBER/OF, as in 1/4 to 4/4"))),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_some_work_are_disjoint_and_whole() {
        let parts: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).to_vec();
        for index in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.holds(index)).count(), 1);
            assert!(Shard::WHOLE.holds(index));
        }
        for bad in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/3/5"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad} should be refused");
        }
    }
}
