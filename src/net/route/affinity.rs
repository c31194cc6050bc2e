//! Which endpoint a session lives at: by a hash at first, and then where it went.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::rules::{SESSION_RENEWAL, SESSION_TTL, SESSIONS};
use super::seat::Seat;

/// FNV-1a, whose values are the same in every process and release: sessions of several clients go to the same endpoint.
pub(super) fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The score of an endpoint for a session: the highest wins (Thaler and Ravishankar 1998). When an endpoint leaves, only
/// the sessions that it had won go elsewhere.
pub(super) fn rendezvous(session: u64, endpoint: u64) -> u64 {
    // The finalizer of MurmurHash3, so that similar ids spread.
    let mix = |x: u64, prime: u64| (x ^ (x >> 33)).wrapping_mul(prime);
    let mixed = mix(mix(session ^ endpoint.rotate_left(31), 0xff51_afd7_ed55_8ccd), 0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// Whether a session takes part in an endpoint that takes this percentage of its share: for each the same every time, and
/// for a greater share still.
pub(super) fn takes_part(session: u64, endpoint: u64, share: u8) -> bool {
    // Of other bits than those that decide the score, so that those who win are not all alike.
    share >= 100 || rendezvous(session.rotate_left(17), endpoint) % 100 < u64::from(share)
}

/// Where sessions live. In parts, each behind a lock of its own, so that sessions do not wait for one another.
#[derive(Debug, Default)]
pub(super) struct Homes {
    parts: [Mutex<Part>; PARTS],
}

const PARTS: usize = 16;
const PART: usize = SESSIONS / PARTS;

#[derive(Debug, Default)]
struct Part {
    homes: HashMap<u64, Home>,
    /// Before then, no home of a full part can have been left.
    sweep_at: Duration,
}

impl Part {
    /// Makes room for one more, where homes have been left.
    fn make_room(&mut self, now: Duration) {
        if self.homes.len() < PART || now < self.sweep_at {
            return;
        }
        self.homes.retain(|_, home| now.saturating_sub(home.renewed) < SESSION_TTL);
        let oldest = self.homes.values().map(|home| home.renewed).min();
        self.sweep_at = oldest.unwrap_or(now) + SESSION_TTL;
    }
}

#[derive(Debug)]
struct Home {
    seat: Seat,
    renewed: Duration,
}

impl Homes {
    /// Where a session lives, renewed if need be.
    pub(super) fn find(&self, session: u64, now: Duration) -> Option<Seat> {
        self.within(session, |part| {
            let home = part.homes.get_mut(&session)?;
            let age = now.saturating_sub(home.renewed);
            if age >= SESSION_TTL {
                part.homes.remove(&session);
                return None;
            }
            if age >= SESSION_RENEWAL {
                home.renewed = now;
            }
            Some(home.seat.clone())
        })
    }

    /// Lets a session live there from now on. One too many is not remembered: the hash leads it.
    pub(super) fn settle(&self, session: u64, seat: &Seat, now: Duration) {
        self.within(session, |part| {
            if !part.homes.contains_key(&session) {
                part.make_room(now);
            }
            if part.homes.len() < PART || part.homes.contains_key(&session) {
                part.homes.insert(session, Home { seat: seat.clone(), renewed: now });
            }
        });
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits choose a part")]
    fn within<R>(&self, session: u64, act: impl FnOnce(&mut Part) -> R) -> R {
        let part = &self.parts[session as usize % PARTS];
        act(&mut part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::route::Endpoint;

    const SECOND: Duration = Duration::from_secs(1);

    /// Ids of one part, so that it is soon full.
    fn id(number: usize) -> u64 {
        (number * PARTS) as u64
    }

    #[test]
    fn a_full_part_looks_for_room_only_when_a_home_may_have_been_left() {
        let homes = Homes::default();
        let seat = Seat::new(Endpoint::at("http://a/".parse().unwrap()));
        (0..PART).for_each(|number| homes.settle(id(number), &seat, SECOND));
        let sweep_at = || homes.parts[0].lock().unwrap().sweep_at;
        homes.settle(id(PART), &seat, 2 * SECOND);
        assert!(homes.find(id(PART), 2 * SECOND).is_none());
        assert_eq!(sweep_at(), SECOND + SESSION_TTL);
        // From the part, unseen by its counts: a scan would find it.
        homes.parts[0].lock().unwrap().homes.get_mut(&id(0)).unwrap().renewed = Duration::ZERO;
        homes.settle(id(PART), &seat, SESSION_TTL);
        assert!(homes.find(id(PART), SESSION_TTL).is_none(), "it scanned before its time");
        homes.settle(id(PART), &seat, SECOND + SESSION_TTL);
        assert!(homes.find(id(PART), SECOND + SESSION_TTL).is_some());
    }

    #[test]
    fn a_share_of_sessions_takes_part_and_a_greater_share_holds_them_still() {
        let endpoint = hash("http://a/");
        let ids: Vec<u64> = (0..10_000).map(|number| hash(&format!("session-{number}"))).collect();
        for share in [10, 25, 50] {
            let takes = |share| ids.iter().filter(move |id| takes_part(**id, endpoint, share));
            let part = takes(share).count();
            assert!(part.abs_diff(usize::from(share) * 100) < 200, "{share}: {part}");
            assert!(takes(share).all(|id| takes_part(*id, endpoint, 2 * share)));
        }
    }
}
