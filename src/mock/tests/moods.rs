//! What a relay does when its mood is changed as it runs, over real sockets.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::mock::Connections;
use crate::mock::Error;
use crate::mock::Health;
use crate::mock::Mood;
use crate::mock::Relay;

use super::wire::PATHS;
use super::wire::ask;
use super::wire::body;
use super::wire::post;
use super::wire::read_until;
use super::wire::receive;
use super::wire::relay;
use super::wire::send;

/// How long silence is listened to; an answer comes in a fraction of it.
const MOMENT: Duration = Duration::from_millis(50);

/// What a whole answer ends with.
const LAST: &str = r#""service_tier":"standard"}}"#;

/// The mood with these connections.
fn with(connections: Connections) -> Mood {
    Mood { connections, ..Mood::default() }
}

/// The status of the health path.
async fn health(relay: &Relay, path: &str) -> (u16, String) {
    let got = receive(send(relay, &format!("GET {path}"), &[], "").await).await;
    (got.status(), String::from_utf8(got.body).unwrap())
}

/// A request on a connection that stays.
async fn keep(stream: &mut TcpStream) {
    let body = body(PATHS[0], "m", false);
    let head =
        format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", PATHS[0], body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn all_prompts_fail_or_a_share_of_them_in_the_dialects_own_shape() {
    let relay = relay("tokens=1,seed=3");
    let mood = |share, status| Mood { error_share: share, error_status: status, ..Mood::default() };
    relay.set_mood(mood(1.0, 503)).unwrap();
    for path in PATHS {
        assert_eq!(ask(&relay, path, "m", true).await.status(), 503, "{path}");
    }
    relay.set_mood(Mood { retry_after_s: Some(7), ..mood(1.0, 502) }).unwrap();
    let got = ask(&relay, PATHS[0], "m", false).await;
    assert_eq!((got.status(), got.header("retry-after")), (502, Some("7")));
    assert!(got.text().contains(r#""type":"api_error""#), "{}", got.text());
    relay.set_mood(mood(0.3, 529)).unwrap();
    let mut refused = 0;
    for _ in 0..200 {
        match ask(&relay, PATHS[0], "m", false).await.status() {
            529 => refused += 1,
            status => assert_eq!(status, 200),
        }
    }
    // Drawn from the seed, and so the same in each run; 60 are expected.
    assert!((40..=80).contains(&refused), "{refused}");
    let stats = relay.stats();
    assert_eq!((stats.faults["zone"], stats.statuses[&529]), (5 + refused, refused));
    assert_eq!(health(&relay, "/healthz").await.0, 200);
    relay.set_mood(Mood::default()).unwrap();
    assert_eq!(ask(&relay, PATHS[0], "m", false).await.status(), 200);
}

#[tokio::test]
async fn latency_makes_every_reply_late() {
    let relay = relay("tokens=1");
    relay.set_mood(Mood { latency_ms: 40, ..Mood::default() }).unwrap();
    let start = Instant::now();
    assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    let answered = start.elapsed();
    assert_eq!(health(&relay, "/health").await.0, 200);
    let probed = start.elapsed().saturating_sub(answered);
    assert!(answered.min(probed) >= Duration::from_millis(40), "{answered:?} {probed:?}");
}

#[tokio::test]
async fn a_silent_relay_accepts_and_says_nothing_until_it_speaks_again() {
    let relay = relay("tokens=2");
    // One connection is in the middle of its answer, one is kept alive, one is new.
    let mut stalled = post(&relay, PATHS[0], &body(PATHS[0], "mock-stall", true)).await;
    read_until(&mut stalled, "content_block_delta").await;
    let mut kept = TcpStream::connect(relay.address()).await.unwrap();
    keep(&mut kept).await;
    read_until(&mut kept, LAST).await;
    relay.set_mood(with(Connections::Silent)).unwrap();
    keep(&mut kept).await;
    let fresh = post(&relay, PATHS[0], &body(PATHS[0], "m", true)).await;
    while relay.stats().connections < 3 {
        tokio::task::yield_now().await;
    }
    assert!(timeout(MOMENT, kept.read(&mut [0; 64])).await.is_err());
    assert_eq!(relay.stats().requests, 2);
    relay.set_mood(Mood::default()).unwrap();
    read_until(&mut kept, LAST).await;
    assert!(receive(fresh).await.text().contains("message_stop"));
}

#[tokio::test]
async fn a_relay_that_refuses_resets_what_is_open_and_comes_back_at_its_address() {
    let relay = relay("tokens=2");
    for connections in [Connections::Refused, Connections::Reset] {
        let mut stalled = post(&relay, PATHS[0], &body(PATHS[0], "mock-stall", true)).await;
        read_until(&mut stalled, "content_block_delta").await;
        relay.set_mood(with(connections)).unwrap();
        // Said twice, it stays as it is.
        relay.set_mood(with(connections)).unwrap();
        let problem = stalled.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(problem.kind(), ErrorKind::ConnectionReset);
        let fresh = TcpStream::connect(relay.address()).await;
        // The system tells of a reset with the connection itself where it is that quick.
        let problem = match fresh {
            Ok(mut stream) => stream.read_to_end(&mut Vec::new()).await.unwrap_err(),
            Err(problem) => problem,
        };
        let refusal = match connections {
            Connections::Refused => ErrorKind::ConnectionRefused,
            _ => ErrorKind::ConnectionReset,
        };
        assert_eq!(problem.kind(), refusal);
        relay.set_mood(Mood::default()).unwrap();
        assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    }
    relay.set_mood(with(Connections::Refused)).unwrap();
    relay.stop().unwrap();
}

#[tokio::test]
async fn a_draining_relay_answers_closes_and_says_so_on_its_health_path() {
    let relay = relay("tokens=2");
    let mut kept = TcpStream::connect(relay.address()).await.unwrap();
    keep(&mut kept).await;
    assert!(!read_until(&mut kept, LAST).await.contains("connection: close"));
    relay.set_mood(Mood { drain: true, ..Mood::default() }).unwrap();
    keep(&mut kept).await;
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).await.unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200") && rest.contains("connection: close"), "{rest}");
    assert_eq!(health(&relay, "/healthz").await, (503, r#"{"status":"draining"}"#.to_owned()));
}

#[tokio::test]
async fn a_draining_relay_tells_http_2_to_go_away_after_what_is_in_flight() {
    let relay = relay("tokens=2");
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/v1/messages", relay.base_url());
    let post = || client.post(&url).body(body(PATHS[0], "m", true)).send();
    assert!(post().await.unwrap().text().await.unwrap().contains("message_stop"));
    relay.set_mood(Mood { drain: true, ..Mood::default() }).unwrap();
    while relay.stats().connections < 2 {
        assert!(post().await.unwrap().text().await.unwrap().contains("message_stop"));
    }
}

#[tokio::test]
async fn a_health_path_may_be_broken_where_prompts_are_answered() {
    let relay = relay("tokens=2");
    relay.set_mood(Mood { health: Health::Failing, ..Mood::default() }).unwrap();
    assert_eq!(health(&relay, "/api/health").await, (503, r#"{"status":"failing"}"#.to_owned()));
    relay.set_mood(Mood { health: Health::Silent, ..Mood::default() }).unwrap();
    let mut silent = send(&relay, "GET /healthz", &[], "").await;
    assert_eq!(ask(&relay, PATHS[0], "m", true).await.status(), 200);
    assert!(timeout(MOMENT, silent.read(&mut [0; 64])).await.is_err());
    assert_eq!((relay.stats().health, relay.stats().requests), (2, 1));
}

#[tokio::test]
async fn a_mood_that_cannot_be_is_refused_and_changes_nothing() {
    let relay = relay("");
    let problem =
        relay.set_mood(Mood { error_share: f64::NAN, latency_ms: 5, ..Mood::default() }).unwrap_err();
    assert!(matches!(problem, Error::Mood(_)));
    assert_eq!(problem.to_string(), "error_share: write a share from 0 to 1, as in 0.3");
    assert_eq!(relay.mood(), Mood::default());
}
