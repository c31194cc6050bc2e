//! The limits that a relay holds its clients to: their rate, and content that repeats.

use super::wire::PATHS;
use super::wire::Received;
use super::wire::ask;
use super::wire::body;
use super::wire::post;
use super::wire::receive;
use super::wire::relay;

/// What a reply says of the rate limit: the limit and what remains.
fn standing(got: &Received, path: &str) -> [String; 2] {
    let names = if path == PATHS[0] || path == PATHS[3] {
        ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"]
    } else {
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"]
    };
    names.map(|name| got.header(name).unwrap_or("none").to_owned())
}

#[tokio::test]
async fn every_reply_announces_the_limit_and_one_beyond_it_gets_a_429() {
    for path in PATHS {
        let relay = relay("rate=3/h");
        let told = |got: &Received| (got.status(), standing(got, path));
        let expected = |status, remaining: &str| (status, ["1".to_owned(), remaining.to_owned()]);
        assert_eq!(told(&ask(&relay, path, "m", true).await), expected(200, "2"), "{path}");
        assert_eq!(told(&receive(post(&relay, path, "{").await).await), expected(400, "1"), "{path}");
        let whole = ask(&relay, path, "mock-500", false).await;
        assert_eq!((told(&whole), whole.header("retry-after")), (expected(500, "0"), None), "{path}");
        let refused = ask(&relay, path, "m", true).await;
        assert_eq!(told(&refused), expected(429, "0"), "{path}");
        // A third of an hour, less the moments that have passed since.
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1190..=1200).contains(&wait), "{path}: {wait}");
        assert!(refused.text().contains("Rate limit reached: 3/h."), "{}", refused.text());
        assert_eq!(relay.stats().faults["rate"], 1);
    }
}

#[tokio::test]
async fn a_bucket_that_is_deep_enough_refuses_nothing() {
    let relay = relay("rate=1/h,burst=9");
    for _ in 0..9 {
        assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    }
    assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 429);
}

#[tokio::test]
async fn a_fault_that_limits_the_rate_announces_its_own_limit_once() {
    let relay = relay("rate=100/h");
    let got = ask(&relay, PATHS[0], "mock-429", true).await;
    assert_eq!(standing(&got, PATHS[0]), ["50", "0"]);
    assert_eq!(got.head.matches("anthropic-ratelimit-requests-limit").count(), 1, "{}", got.head);
    let without = ask(&super::wire::relay(""), PATHS[0], "m", true).await;
    assert!(!without.head.contains("ratelimit"), "{}", without.head);
}

#[tokio::test]
async fn the_same_content_gets_a_429_however_it_is_asked_for() {
    let relay = relay("duplicate-window=1h,tokens=2");
    assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    let again = ask(&relay, PATHS[0], "m", false).await;
    assert_eq!(again.status(), 429);
    let wait: u64 = again.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert!(again.text().contains("The same content was requested a moment ago."), "{}", again.text());
    assert_eq!(ask(&relay, PATHS[0], "another", true).await.status(), 200);
    let other = body(PATHS[0], "m", true).replace("Hello", "Good-bye");
    assert_eq!(receive(post(&relay, PATHS[0], &other).await).await.status(), 200);
    assert_eq!(relay.stats().faults["duplicate"], 1);
}

#[tokio::test]
async fn what_the_rate_refuses_may_come_again_with_the_same_content() {
    let relay = relay("rate=100/s,burst=1,duplicate-window=1h");
    assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    // Each refusal by the rate leaves no trace among the duplicates: the first that is let through is answered.
    let mut got = ask(&relay, PATHS[0], "n", true).await;
    while got.text().contains("Rate limit reached") {
        got = ask(&relay, PATHS[0], "n", true).await;
    }
    assert_eq!(got.status(), 200);
}

#[tokio::test]
async fn pieces_have_the_size_asked_for_in_a_stream_and_in_a_whole_answer() {
    for path in PATHS {
        let relay = relay("chunk=5k,tokens=7");
        let got = ask(&relay, path, "m", false).await;
        let longest = |text: &str| text.split('"').map(str::len).max().unwrap();
        assert_eq!(longest(&got.text()), 35_000, "{path}");
        let got = ask(&relay, path, "m", true).await;
        let pieces = got.text().split('"').filter(|part| part.len() == 5000).count();
        assert_eq!(pieces, 7, "{path}");
    }
}
