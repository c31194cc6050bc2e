//! The bounded memory behind the faults that strike only the first attempt.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

/// How many request ids are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 65_536;

/// Who has already failed once.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// The hashes of fault and request id that were struck.
    struck: HashSet<u64>,
    /// The same in order of arrival.
    order: VecDeque<u64>,
    /// How many requests without an id came.
    nameless: u64,
}

impl Once {
    /// Whether this attempt fails: the first of an id, and every other one without an id.
    pub(crate) fn strikes(&mut self, fault: &str, request_id: Option<&str>) -> bool {
        let Some(request_id) = request_id else {
            self.nameless += 1;
            return self.nameless % 2 == 1;
        };
        let mut hasher = DefaultHasher::new();
        (fault, request_id).hash(&mut hasher);
        let key = hasher.finish();
        if !self.struck.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED {
            self.order.pop_front().inspect(|oldest| {
                self.struck.remove(oldest);
            });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_attempt_of_an_id_is_struck() {
        let mut once = Once::default();
        assert!(once.strikes("a", Some("x")));
        assert!(!once.strikes("a", Some("x")));
        assert!(once.strikes("a", Some("y")) && once.strikes("b", Some("x")));
        assert!(!once.strikes("a", Some("x")));
    }

    #[test]
    fn without_an_id_every_other_request_is_struck() {
        let mut once = Once::default();
        assert_eq!([(); 4].map(|()| once.strikes("a", None)), [true, false, true, false]);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut once = Once::default();
        for number in 0..=REMEMBERED {
            assert!(once.strikes("a", Some(&number.to_string())));
        }
        assert_eq!((once.struck.len(), once.order.len()), (REMEMBERED, REMEMBERED));
        assert!(once.strikes("a", Some("0")));
    }
}
