//! The limiter under a paused clock: exact rates, fairness, refunds, parking and the search for a pace.

#![expect(clippy::cast_precision_loss, reason = "counts of tests are small")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::bucket::Speed;
use super::*;

fn limiter(rate: &str, burst: u32) -> Arc<Limiter> {
    let limits = Limits { requests: Some(rate.parse().unwrap()), burst, ..Limits::default() };
    Arc::new(Limiter::new(&limits))
}

fn tokens(text: &str) -> Arc<Limiter> {
    Arc::new(Limiter::new(&Limits { tokens: text.parse().unwrap(), ..Limits::default() }))
}

fn report(class: Class) -> Report<'static> {
    Report { class, retry_after: None, advice: None, used: None }
}

/// One request that leaves and brings this.
async fn pass(limiter: &Limiter, cost: Cost, report: Report<'_>) {
    let mut grant = limiter.grant(cost).await.unwrap();
    grant.depart();
    grant.report(&report);
}

/// How long so many requests of so many users take to leave.
async fn span(limiter: &Arc<Limiter>, users: usize, requests: usize) -> f64 {
    let start = Instant::now();
    let left = Arc::new(AtomicUsize::new(requests));
    let mut all = JoinSet::new();
    for _ in 0..users {
        let (limiter, left) = (Arc::clone(limiter), Arc::clone(&left));
        all.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                pass(&limiter, Cost::default(), report(Class::Ok)).await;
            }
        });
    }
    all.join_all().await;
    start.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn rates_hold_within_a_two_hundredth_for_any_number_of_users() {
    for (rate, per_second, requests) in
        [("60/m", 1.0, 601), ("1000/s", 1000.0, 5_001), ("20000/s", 20_000.0, 20_001)]
    {
        for users in [1, 7, 100] {
            let expected = (requests - 1) as f64 / per_second;
            let took = span(&limiter(rate, 1), users, requests).await;
            let wrong = (took - expected).abs() / expected;
            assert!(wrong < 0.005, "{rate} for {users} users: {took} s in place of {expected} s");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_requests_ends_when_it_should() {
    let took = span(&limiter("3/s", 1), 3, 3 * 3600 + 1).await;
    assert!((took - 3600.0).abs() < 0.002, "{took}");
}

#[tokio::test(start_paused = true)]
async fn whoever_came_first_is_served_first() {
    let limiter = limiter("10/s", 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut all = JoinSet::new();
    for user in 0..20 {
        let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
        all.spawn(async move {
            sleep(Duration::from_millis(user)).await;
            let mut grant = limiter.grant(Cost::default()).await.unwrap();
            grant.depart();
            order.lock().unwrap().push(user);
        });
    }
    all.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_and_a_grant_that_is_not_used_cost_nothing() {
    let limiter = limiter("1/s", 1);
    let start = Instant::now();
    pass(&limiter, Cost::default(), report(Class::Ok)).await;
    for _ in 0..5 {
        assert!(timeout(Duration::from_millis(50), limiter.grant(Cost::default())).await.is_err());
    }
    drop(limiter.grant(Cost::default()).await.unwrap());
    drop(limiter.grant(Cost::default()).await.unwrap());
    pass(&limiter, Cost::default(), report(Class::Ok)).await;
    assert_eq!(start.elapsed().as_millis() / 10, 100);
    pass(&limiter, Cost::default(), report(Class::Ok)).await;
    assert_eq!(start.elapsed().as_millis() / 10, 200);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_does_not_catch_up() {
    let limiter = limiter("10/s", 1);
    let start = Instant::now();
    let asleep = Arc::clone(&limiter);
    pass(&limiter, Cost::default(), report(Class::Ok)).await;
    let mut wait = Box::pin(asleep.grant(Cost::default()));
    assert!(timeout(Duration::ZERO, &mut wait).await.is_err());
    // Nobody looks at the waiting request for a minute.
    tokio::time::advance(Duration::from_secs(60)).await;
    let mut grant = wait.await.unwrap();
    grant.depart();
    let took = span(&limiter, 2, 100).await;
    assert!(took >= 9.8, "{took}");
    assert!(start.elapsed() >= Duration::from_secs(69));
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_any_length_parks_everybody() {
    let limiter = limiter("100/s", 1);
    let hour = Duration::from_secs(3600);
    let start = Instant::now();
    let refused = Report { retry_after: Some(hour), ..report(Class::RateLimited) };
    pass(&limiter, Cost::default(), refused).await;
    assert_eq!(limiter.parked(), hour);
    // A shorter hint does not shorten it.
    limiter.state().learn(
        Duration::ZERO,
        &Report { retry_after: Some(Duration::from_secs(1)), ..refused },
        History { granted: Duration::ZERO, waited: false },
    );
    let took = span(&limiter, 50, 101).await;
    assert!((3601.0..3601.02).contains(&took), "{took}");
    let endless = Report { retry_after: Some(Duration::MAX), ..refused };
    pass(&limiter, Cost::default(), endless).await;
    assert!(limiter.parked() > Duration::from_secs(364 * 86_400));
    assert!(timeout(hour, limiter.grant(Cost::default())).await.is_err());
    assert!(start.elapsed() >= 2 * hour);
}

#[tokio::test(start_paused = true)]
async fn a_quota_parks_nobody() {
    let limiter = limiter("100/s", 1);
    pass(
        &limiter,
        Cost::default(),
        Report { retry_after: Some(Duration::from_secs(60)), ..report(Class::Quota) },
    )
    .await;
    assert_eq!(limiter.parked(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_bucket_is_refused_at_once() {
    let limiter = tokens("input=1000/m,output=500/m");
    let cost = |input, output| Cost { input, output: Some(output) };
    assert_eq!(limiter.fits(cost(1000, 500)), Ok(()));
    let error = limiter.grant(cost(1001, 1)).await.err().unwrap();
    assert!(error.to_string().contains("1001 prompt tokens"), "{error}");
    let error = limiter.grant(cost(1, 501)).await.err().unwrap();
    assert!(error.to_string().contains("500 through"), "{error}");
    assert!(tokens("100/m").fits(cost(60, 41)).is_err());
}

#[tokio::test(start_paused = true)]
async fn tokens_that_were_not_used_come_back_and_those_that_were_are_charged() {
    let limiter = tokens("output=60/s");
    let cost = Cost { input: 5, output: Some(60) };
    let start = Instant::now();
    let used = |output| Report { used: Some(Used { input: 5, output }), ..report(Class::Ok) };
    for _ in 0..60 {
        pass(&limiter, cost, used(0)).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    pass(&limiter, cost, used(600)).await;
    drop(limiter.grant(cost).await.unwrap());
    assert_eq!(start.elapsed().as_secs(), 10);
    // One that waits is let go as soon as enough has come back.
    let mut large = limiter.grant(cost).await.unwrap();
    large.depart();
    let waiting = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.grant(cost).await.map(|grant| grant.waited()) }
    });
    sleep(Duration::from_millis(100)).await;
    large.report(&used(1));
    let waited = waiting.await.unwrap().unwrap();
    assert!(waited < Duration::from_millis(150), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_bound_counts_as_what_others_generated() {
    let limiter = tokens("output=100/s");
    let free = Cost { input: 0, output: None };
    let used = Report { used: Some(Used { input: 0, output: 50 }), ..report(Class::Ok) };
    pass(&limiter, free, used).await;
    assert_eq!(limiter.expect(free).unwrap().output, 50);
    let start = Instant::now();
    for _ in 0..5 {
        pass(&limiter, free, used).await;
    }
    assert_eq!(start.elapsed().as_secs(), 2);
}

/// A relay that bears so many requests a second and so many at once, as a bucket that refills.
struct Relay {
    bucket: Bucket,
    /// What it says beside a refusal, and beside everything.
    hint: Option<Duration>,
    announces: Option<u64>,
    /// When it refuses everything.
    outage: Range<u64>,
    passed: u64,
    refused: u64,
}

impl Relay {
    fn new(rate: &str, depth: u64) -> Self {
        let bucket = Bucket::new(Speed::of(rate.parse().unwrap()), depth);
        Self { bucket, hint: None, announces: None, outage: 0..0, passed: 0, refused: 0 }
    }

    fn answer(&mut self, now: Duration) -> (Class, Option<Duration>, Option<Advice>) {
        let is_due = self.bucket.due(1) <= now && !self.outage.contains(&now.as_secs());
        if is_due {
            self.bucket.take(now, 1);
            self.passed += 1;
        } else {
            self.refused += 1;
        }
        let advice = self.announces.map(|limit| {
            let remaining = (0..=limit).rev().find(|some| self.bucket.due(*some) <= now).unwrap_or(0);
            let reset = self.bucket.due(limit).saturating_sub(now);
            Advice(vec![advice::Standing { kind: Kind::Requests, limit, remaining, reset }])
        });
        let class = if is_due { Class::Ok } else { Class::RateLimited };
        (class, self.hint.filter(|_| !is_due), advice)
    }
}

/// Lets so many users ask a relay for so long.
async fn converse(relay: Relay, users: usize, time: Duration) -> Relay {
    let limiter = Arc::new(Limiter::new(&Limits { adapt: Adapt::Relay, ..Limits::default() }));
    let relay = Arc::new(Mutex::new(relay));
    let mut all = JoinSet::new();
    for _ in 0..users {
        let (limiter, relay) = (Arc::clone(&limiter), Arc::clone(&relay));
        all.spawn(timeout(time, async move {
            loop {
                let mut grant = limiter.grant(Cost::default()).await.unwrap();
                grant.depart();
                sleep(Duration::from_millis(20)).await;
                let (class, retry_after, advice) = relay.lock().unwrap().answer(limiter.now());
                grant.report(&Report { class, retry_after, advice: advice.as_ref(), used: None });
            }
        }));
    }
    all.join_all().await;
    Arc::into_inner(relay).unwrap().into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_announces_its_limit_is_used_up_and_seldom_overdrawn() {
    let minutes = 10;
    let relay = Relay { announces: Some(600), ..Relay::new("600/m", 600) };
    let Relay { passed, refused, .. } = converse(relay, 50, Duration::from_secs(60 * minutes)).await;
    let possible = 600 * minutes;
    assert!(passed as f64 > 0.9 * possible as f64, "{passed} of {possible}");
    assert!((refused as f64) < 0.01 * passed as f64, "{refused} refused, {passed} passed");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_only_refuses_is_asked_at_about_the_pace_it_bears() {
    let time = Duration::from_secs(600);
    let relay = converse(Relay::new("20/s", 20), 50, time).await;
    let Relay { passed, refused, .. } = relay;
    assert!(passed as f64 > 0.6 * 20.0 * 600.0, "{passed} passed");
    assert!((refused as f64) < 0.1 * passed as f64, "{refused} refused, {passed} passed");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_soon_forgotten() {
    let outage = 120..150;
    let relay = Relay { outage, ..Relay::new("20/s", 20) };
    let Relay { passed, refused, .. } = converse(relay, 50, Duration::from_secs(300)).await;
    // Half a minute of outage costs that and not much more than another.
    assert!(passed as f64 > 0.6 * 20.0 * (300.0 - 30.0 - 40.0), "{passed} passed");
    assert!((refused as f64) < 0.1 * passed as f64, "{refused} refused, {passed} passed");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_says_when_to_come_back_is_left_alone_until_then() {
    let relay = Relay { hint: Some(Duration::from_secs(5)), ..Relay::new("20/s", 20) };
    let Relay { passed, refused, .. } = converse(relay, 50, Duration::from_secs(600)).await;
    assert!(passed as f64 > 0.5 * 20.0 * 600.0, "{passed} passed");
    assert!((refused as f64) < 0.05 * passed as f64, "{refused} refused, {passed} passed");
}

#[tokio::test(start_paused = true)]
async fn a_relay_without_a_limit_is_soon_asked_as_fast_as_its_users_can() {
    let Relay { passed, .. } = converse(Relay::new("1000k/s", 1_000_000), 100, Duration::from_secs(10)).await;
    // A hundred users who each wait 20 ms can make 5,000 requests a second.
    assert!(passed as f64 > 0.9 * 50_000.0, "{passed}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_given_is_not_passed_whatever_the_relay_allows() {
    let limits = Limits { requests: Some("60/m".parse().unwrap()), adapt: Adapt::Relay, ..Limits::default() };
    let limiter = Arc::new(Limiter::new(&limits));
    let advice = Advice(vec![advice::Standing {
        kind: Kind::Requests,
        limit: 4000,
        remaining: 3999,
        reset: Duration::from_secs(1),
    }]);
    let start = Instant::now();
    for _ in 0..61 {
        pass(&limiter, Cost::default(), Report { advice: Some(&advice), ..report(Class::Ok) }).await;
    }
    assert_eq!(start.elapsed().as_millis() / 100, 600);
}

proptest! {
    #[test]
    fn whatever_is_given_up_or_used_the_rate_is_kept(
        steps in proptest::collection::vec((0_u64..400, 0_u64..300, 0_u8..3), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let gone = runtime.block_on(async {
            let limiter = limiter("10/s", 2);
            let mut gone = Vec::new();
            for (pause, patience, what) in steps {
                sleep(Duration::from_millis(pause)).await;
                let wait = limiter.grant(Cost::default());
                let Ok(grant) = timeout(Duration::from_millis(patience), wait).await else { continue };
                let mut grant = grant.unwrap();
                if what > 0 {
                    grant.depart();
                    gone.push(limiter.now());
                }
            }
            gone
        });
        for (first, from) in gone.iter().enumerate() {
            for (more, at) in gone[first..].iter().enumerate() {
                // Timers tick in milliseconds, so that one may leave up to LATE after it was due.
                let allowed = (at.saturating_sub(*from) + LATE).as_secs_f64() * 10.0 + 2.0;
                prop_assert!((more + 1) as f64 <= allowed + 1e-6, "{} of {allowed}", more + 1);
            }
        }
    }
}
