//! Which requests of a run have been answered, so that rows that ask for the same share one answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::journal::Extent;
use super::record::Head;

/// Distinct requests that are remembered at least; the newest half of twice as many is kept when those are reached.
const REMEMBERED: usize = (1 << 18) / 8 * 7;

/// What two rows that ask for the same have in common.
pub(super) type Fingerprint = [u8; 16];

/// The requests of a run and where their answers are: two generations, of which the older one is dropped whole.
#[derive(Debug)]
pub(super) struct Answers {
    young: HashMap<Fingerprint, Answer>,
    old: HashMap<Fingerprint, Answer>,
    generation: usize,
}

#[derive(Debug, Clone)]
enum Answer {
    /// Still on its way; these rows wait for it.
    Awaited(Vec<(u64, Head)>),
    At(Extent),
    /// The same for a failed row, with the name of its class.
    Failed(Box<(Extent, &'static str)>),
}

/// What becomes of a row that asks for something.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody has asked for it: the row is to be sent.
    First(Head),
    /// The row comes out of the books with the one that was sent.
    Waits,
    /// There is an answer; the class of a failure stands beside it.
    Answered(Head, Extent, Option<&'static str>),
}

impl Default for Answers {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation: REMEMBERED }
    }
}

impl Answers {
    /// A row of this turn asks for something.
    pub(super) fn ask(&mut self, request: Fingerprint, turn: u64, head: Head) -> Asked {
        if let Some(answer) = self.old.remove(&request) {
            // What is asked for again is as good as new.
            self.insert(request, answer);
        }
        match self.young.get_mut(&request) {
            None => {
                self.insert(request, Answer::Awaited(Vec::new()));
                Asked::First(head)
            }
            Some(Answer::Awaited(twins)) => {
                twins.push((turn, head));
                Asked::Waits
            }
            Some(Answer::At(extent)) => Asked::Answered(head, *extent, None),
            Some(Answer::Failed(failed)) => Asked::Answered(head, failed.0, Some(failed.1)),
        }
    }

    /// Remembers where an answer is and gives out the rows that waited for it.
    pub(super) fn settle(
        &mut self,
        request: Fingerprint,
        at: Extent,
        failure: Option<&'static str>,
    ) -> Vec<(u64, Head)> {
        let answer = failure.map_or(Answer::At(at), |class| Answer::Failed(Box::new((at, class))));
        let place = match self.young.entry(request) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => match self.old.get_mut(&request) {
                Some(place) => place,
                None => entry.insert(Answer::Awaited(Vec::new())),
            },
        };
        match std::mem::replace(place, answer) {
            Answer::Awaited(twins) => twins,
            Answer::At(_) | Answer::Failed(_) => Vec::new(),
        }
    }

    fn insert(&mut self, request: Fingerprint, answer: Answer) {
        if self.young.len() >= self.generation {
            // Rows still wait for some of the old ones, which must not be lost with the rest.
            let kept = self.old.drain().filter(|(_, answer)| matches!(answer, Answer::Awaited(_)));
            let kept: Vec<_> = kept.collect();
            // Drained and filled, not thinned out, which would make the table double.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.extend(kept);
        }
        self.young.insert(request, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::InputHash;
    use super::*;

    fn head(index: u64) -> Head {
        Head::new(index, None, InputHash::of(b"x"))
    }

    fn request(number: u8) -> Fingerprint {
        [number; 16]
    }

    const HERE: Extent = Extent { offset: 7, length: 3 };

    #[test]
    fn the_first_to_ask_is_sent_and_the_others_share_its_answer_before_and_after_it_comes() {
        let mut answers = Answers::default();
        assert!(matches!(answers.ask(request(1), 0, head(0)), Asked::First(_)));
        assert!(matches!(answers.ask(request(1), 1, head(1)), Asked::Waits));
        let twins = answers.settle(request(1), HERE, Some("server"));
        assert_eq!(twins.iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [1]);
        assert!(matches!(answers.ask(request(1), 2, head(2)), Asked::Answered(_, HERE, Some("server"))));
        assert!(answers.settle(request(1), HERE, None).is_empty());
        assert!(matches!(answers.ask(request(1), 3, head(3)), Asked::Answered(_, HERE, None)));
    }

    #[test]
    fn the_oldest_are_forgotten_but_not_those_that_rows_wait_for_or_ask_for_again() {
        let mut answers = Answers { generation: 2, ..Answers::default() };
        for number in 1..=7 {
            assert!(matches!(answers.ask(request(number), number.into(), head(0)), Asked::First(_)));
            if number == 3 {
                assert!(matches!(answers.ask(request(3), 9, head(9)), Asked::Waits));
            } else {
                answers.settle(request(number), HERE, None);
            }
            if number > 3 {
                assert!(matches!(answers.ask(request(2), 9, head(9)), Asked::Answered(..)), "at {number}");
            }
        }
        assert_eq!(answers.settle(request(3), HERE, None).len(), 1);
        assert!(matches!(answers.ask(request(1), 1, head(1)), Asked::First(_)));
        assert!(answers.young.len() + answers.old.len() <= 6);
    }
}
