//! Which requests of both sides belong together: a sample of the pairs of a level that is no larger for a longer run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ticket;
use crate::outcome::Sample;

/// Most requests of a side that are kept: enough for forty values above a TP99.
const MOST: usize = 4_096;

/// The times of a successful request that a relay can add to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Start to the first byte of the body.
    pub ttfb: Option<Duration>,
    /// Start to the first generated delta; streams only.
    pub ttft: Option<Duration>,
    /// Start to the last generated delta.
    pub latency: Option<Duration>,
    /// The mean of its gaps; streams only.
    pub gap: Option<Duration>,
}

/// The pairs of a level, or as many of them as are kept, drawn without regard to what became of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// Those of which both requests succeeded, the relay's first.
    pub both: Vec<[Times; 2]>,
    /// How many such pairs there are for each successful request of either side: 1 where all of them have a partner.
    pub share: f64,
}

/// Collects one side's part of the sample of each worker. Who is kept is decided by the number of the pair alone, so that
/// two workers, neither of which sees both requests, keep the same pairs.
#[derive(Debug, Clone, Default)]
pub(super) struct Sieve([BTreeMap<u64, Times>; 2]);

impl Times {
    /// The times of a request that succeeded.
    fn of(sample: &Sample) -> Self {
        let marks = &sample.marks;
        let gaps = u32::try_from(sample.gaps.len()).unwrap_or(u32::MAX);
        Self {
            ttfb: marks.first_byte,
            ttft: marks.first_delta.filter(|_| sample.streamed),
            latency: marks.last_delta,
            gap: sample.gaps.iter().sum::<Duration>().checked_div(gaps).filter(|_| sample.streamed),
        }
    }
}

impl Sieve {
    /// Offers a recorded request that succeeded.
    pub(super) fn offer(&mut self, ticket: Ticket, sample: &Sample) {
        keep(&mut self.0[ticket.side as usize], lot(ticket.index), Times::of(sample));
    }

    /// Adds what another worker kept.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            for (lot, times) in theirs {
                keep(mine, *lot, *times);
            }
        }
    }

    /// Those of both sides that belong together.
    pub(super) fn pairs(&self) -> Pairs {
        // Beyond the last lot of a side that is full nobody knows what it had.
        let full = self.0.iter().filter(|side| side.len() == MOST);
        let last = full.filter_map(|side| side.keys().next_back()).min().copied().unwrap_or(u64::MAX);
        let [relay, direct] = self.0.each_ref().map(|side| side.range(..=last));
        let both: Vec<_> = relay
            .clone()
            .filter_map(|(lot, times)| Some([*times, *self.0[1].get(lot).filter(|_| *lot <= last)?]))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let [pairs, relay, direct] = [both.len(), relay.count(), direct.count()].map(|count| count as f64);
        let share = if pairs > 0.0 { pairs / (relay * direct).sqrt() } else { 0.0 };
        Pairs { both, share }
    }
}

/// Keeps the smallest lots.
fn keep(side: &mut BTreeMap<u64, Times>, lot: u64, times: Times) {
    let is_full = side.len() >= MOST;
    if is_full && side.keys().next_back().is_some_and(|last| lot > *last) {
        return;
    }
    side.insert(lot, times);
    if side.len() > MOST {
        side.pop_last();
    }
}

/// A number that looks drawn, another for each: the finaliser of `SplitMix64` (G. L. Steele, D. Lea, C. H. Flood, *Fast
/// splittable pseudorandom number generators*, OOPSLA 2014), which is one to one.
const fn lot(index: u64) -> u64 {
    let mixed = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::Side;
    use super::*;

    fn offer(sieve: &mut Sieve, side: Side, index: u64) {
        let mut sample = Sample::starting(Instant::now());
        let ms = index * 2 + u64::from(side == Side::Direct);
        sample.marks.last_delta = Some(Duration::from_millis(ms));
        sieve.offer(Ticket { index, side, ..Ticket::default() }, &sample);
    }

    fn indices(pairs: &Pairs) -> Vec<u128> {
        let index = |[relay, direct]: &[Times; 2]| {
            let [relay, direct] = [relay, direct].map(|times| times.latency.unwrap().as_millis());
            assert_eq!(direct, relay + 1, "both are of one pair");
            relay / 2
        };
        pairs.both.iter().map(index).collect()
    }

    #[test]
    fn workers_that_see_one_side_each_keep_the_pairs_that_one_worker_keeps() {
        let (mut one, mut relay, mut direct) = (Sieve::default(), Sieve::default(), Sieve::default());
        for index in 0..20_000 {
            offer(&mut one, Side::Relay, index);
            offer(&mut one, Side::Direct, index);
            offer(&mut relay, Side::Relay, index);
            offer(&mut direct, Side::Direct, 19_999 - index);
        }
        relay.merge(&direct);
        let (one, merged) = (one.pairs(), relay.pairs());
        assert_eq!(one, merged);
        assert_eq!((one.both.len(), one.share), (MOST, 1.0));
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let mean = indices(&one).iter().sum::<u128>() as f64 / MOST as f64;
        assert!((mean - 10_000.0).abs() < 400.0, "the kept ones are spread over the run: {mean}");
    }

    #[test]
    fn a_request_whose_partner_failed_is_in_no_pair_and_lowers_the_share() {
        let mut sieve = Sieve::default();
        for index in 0..10_000 {
            offer(&mut sieve, Side::Relay, index);
            if index % 4 == 0 {
                offer(&mut sieve, Side::Direct, index);
            }
        }
        let pairs = sieve.pairs();
        assert!(indices(&pairs).iter().all(|index| index % 4 == 0));
        assert!((900..1_200).contains(&pairs.both.len()), "{}", pairs.both.len());
        assert!((pairs.share - 0.5).abs() < 0.03, "{}", pairs.share);
        assert_eq!(Sieve::default().pairs(), Pairs::default());
    }
}
