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

/// Where sessions live. In parts, each behind a lock of its own, so that sessions do not wait for one another.
#[derive(Debug, Default)]
pub(super) struct Homes {
    parts: [Mutex<HashMap<u64, Home>>; PARTS],
}

const PARTS: usize = 16;

#[derive(Debug)]
struct Home {
    seat: Seat,
    renewed: Duration,
}

impl Homes {
    /// Where a session lives, renewed if need be.
    pub(super) fn find(&self, session: u64, now: Duration) -> Option<Seat> {
        self.within(session, |homes| {
            let home = homes.get_mut(&session)?;
            let age = now.saturating_sub(home.renewed);
            if age >= SESSION_TTL {
                homes.remove(&session);
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
        self.within(session, |homes| {
            if homes.len() >= SESSIONS / PARTS && !homes.contains_key(&session) {
                homes.retain(|_, home| now.saturating_sub(home.renewed) < SESSION_TTL);
            }
            if homes.len() < SESSIONS / PARTS || homes.contains_key(&session) {
                homes.insert(session, Home { seat: seat.clone(), renewed: now });
            }
        });
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits choose a part")]
    fn within<R>(&self, session: u64, act: impl FnOnce(&mut HashMap<u64, Home>) -> R) -> R {
        let part = &self.parts[session as usize % PARTS];
        act(&mut part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
