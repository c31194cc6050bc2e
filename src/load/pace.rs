//! When a user of a closed loop sends its next request, and when it has sent its last.

use tokio::time::Instant;

use super::Ticket;
use super::WARMUP_ITERATIONS;
use super::plan::Extent;
use super::plan::share;
use super::schedule::Phase;
use super::schedule::Schedule;

/// The requests of one user at one level, in order.
#[derive(Debug)]
pub(super) struct Pace {
    schedule: Schedule,
    user: u32,
    /// Warm-up requests begun so far.
    warmups: u64,
    /// Measured requests begun so far.
    measured: u64,
    /// How many measured requests fall to this user, those of both sides; without a limit where the window is a time.
    quota: u64,
}

impl Pace {
    /// The pace of a user, numbered from 0 over all workers.
    pub(super) fn new(schedule: Schedule, user: u32) -> Self {
        let quota = match schedule.extent {
            Extent::Window(_) => u64::MAX,
            Extent::Requests(requests) => {
                share(requests, u64::from(user), u64::from(schedule.users)) * schedule.sides.each()
            }
        };
        Self { schedule, user, warmups: 0, measured: 0, quota }
    }

    /// The request to start now, if there is one left; a closed loop asks when the last one has ended.
    pub(super) fn next(&mut self, now: Instant) -> Option<Ticket> {
        let counter = match self.schedule.phase(now) {
            Phase::WarmUp => &mut self.warmups,
            Phase::Measuring if self.measured < self.quota => &mut self.measured,
            Phase::Measuring | Phase::Draining => return None,
        };
        let base = if self.schedule.phase(now) == Phase::WarmUp { WARMUP_ITERATIONS } else { 0 };
        let (number, side) = self.schedule.sides.at(*counter, self.user.into());
        let iteration = base + number;
        *counter += 1;
        Some(Ticket {
            level: self.schedule.level,
            index: iteration * u64::from(self.schedule.users) + u64::from(self.user),
            user: self.user,
            iteration,
            side,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::side::{Side, Sides};
    use super::*;

    fn schedule(extent: Extent) -> Schedule {
        let t0 = Instant::now();
        let measured_from = t0 + Duration::from_secs(1);
        Schedule {
            level: 0,
            users: 3,
            rate: None,
            t0,
            measured_from,
            extent,
            drain: Duration::ZERO,
            sides: Sides::One,
        }
    }

    #[test]
    fn measured_requests_are_numbered_alike_however_many_warmed_up() {
        let schedule = schedule(Extent::Window(Duration::from_secs(1)));
        let mut pace = Pace::new(schedule, 2);
        assert!(pace.next(schedule.t0).unwrap().is_warmup());
        assert!(pace.next(schedule.t0).unwrap().is_warmup());
        let first = pace.next(schedule.measured_from).unwrap();
        assert_eq!((first.iteration, first.index, first.is_warmup()), (0, 2, false));
        assert_eq!(pace.next(schedule.measured_from).unwrap().index, 5);
        assert_eq!(pace.next(schedule.measured_from + Duration::from_secs(1)), None);
    }

    #[test]
    fn a_count_of_requests_is_split_among_the_users_beforehand() {
        let schedule = schedule(Extent::Requests(7));
        let sent: Vec<u64> = (0..3)
            .map(|user| {
                let mut pace = Pace::new(schedule, user);
                (0..).map_while(|_: u64| pace.next(schedule.measured_from)).count() as u64
            })
            .collect();
        assert_eq!(sent, [2, 2, 3]);
    }

    #[test]
    fn where_each_request_is_made_twice_a_user_makes_both_before_the_next() {
        let schedule = Schedule { sides: Sides::Pairs, ..schedule(Extent::Requests(5)) };
        let mut pace = Pace::new(schedule, 2);
        let sent: Vec<_> = std::iter::from_fn(|| pace.next(schedule.measured_from)).collect();
        let row: Vec<_> = sent.iter().map(|ticket| (ticket.index, ticket.side)).collect();
        assert_eq!(row, [(2, Side::Relay), (2, Side::Direct), (5, Side::Direct), (5, Side::Relay)]);
    }
}
