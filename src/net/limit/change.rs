//! Limits that change while requests wait for them: what has gone stays counted, what waits is due anew.

use crate::units::Rate;

use super::bucket::{Bucket, Speed};
use super::{KINDS, Limiter, Limits};

impl Limiter {
    /// Sets other limits from now on. Whether the pace follows the relay stays as it was.
    pub fn set(&self, limits: &Limits) {
        let now = self.now();
        let mut state = self.state();
        if let Some(adapt) = &mut state.adapt {
            adapt.set(now, limits.requests.map(Rate::per_second));
        }
        let mut wanted = buckets(limits);
        if let Some(ledger) = &self.ledger {
            wanted[0] = None;
            if let Some(rate) = limits.requests {
                ledger.turn(rate, limits.burst);
            }
        }
        for (bucket, wanted) in state.given.iter_mut().zip(wanted) {
            match (bucket, wanted) {
                (Some(bucket), Some(wanted)) => bucket.become_like(now, &wanted),
                (slot, wanted) => *slot = wanted,
            }
        }
        drop(state);
        self.changed.notify_one();
    }
}

/// Empty buckets, by kind. One of tokens holds what its rate gives in its unit of time, as the vendors' do.
pub(super) fn buckets(limits: &Limits) -> [Option<Bucket>; KINDS] {
    let tokens = |rate: Option<Rate>| rate.map(|rate| Bucket::new(Speed::of(rate), rate.count()));
    let requests = limits.requests.map(|rate| Bucket::new(Speed::of(rate), limits.burst.max(1).into()));
    let super::TokenRates { input, output, both } = limits.tokens;
    [requests, tokens(input), tokens(output), tokens(both)]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::{Adapt, Cost, Limits};
    use super::*;

    fn at(rate: &str) -> Limits {
        Limits { requests: Some(rate.parse().unwrap()), ..Limits::default() }
    }

    async fn go(limiter: &Limiter, count: usize) -> Duration {
        let began = Instant::now();
        for _ in 0..count {
            limiter.grant(Cost::default()).await.unwrap().depart();
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_is_due_anew_by_the_limit_that_is_set() {
        let limiter = Limiter::new(&at("1/h"));
        go(&limiter, 1).await;
        let began = Instant::now();
        let set = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            limiter.set(&at("10/s"));
        };
        tokio::join!(go(&limiter, 1), set);
        let waited = began.elapsed();
        assert!(waited <= Duration::from_millis(5_100), "{waited:?}");
        let ten = go(&limiter, 10).await;
        assert!(ten >= Duration::from_millis(990) && ten <= Duration::from_millis(1_010), "{ten:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_gone_stays_counted_when_a_limit_falls_and_one_can_come_and_go() {
        let limiter = Limiter::new(&at("10/s"));
        go(&limiter, 1).await;
        limiter.set(&at("1/s"));
        let next = go(&limiter, 1).await;
        assert!(next >= Duration::from_millis(990), "{next:?}");
        limiter.set(&Limits::default());
        assert_eq!(go(&limiter, 1_000).await, Duration::ZERO);
        limiter.set(&at("2/s"));
        let three = go(&limiter, 3).await;
        assert!(three >= Duration::from_millis(990), "{three:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_limited_anew_are_counted_from_then_on() {
        let limiter = Limiter::new(&Limits { adapt: Adapt::Never, ..Limits::default() });
        let cost = Cost { input: 50, output: Some(0) };
        limiter.grant(cost).await.unwrap().depart();
        limiter.set(&Limits { tokens: "input=60/m".parse().unwrap(), ..Limits::default() });
        assert!(limiter.fits(Cost { input: 61, output: Some(0) }).is_err());
        let began = Instant::now();
        limiter.grant(cost).await.unwrap().depart();
        limiter.grant(cost).await.unwrap().depart();
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(39) && waited <= Duration::from_secs(41), "{waited:?}");
    }
}
