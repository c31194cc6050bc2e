//! Guards over real sockets: what is let in, and in which words the rest is refused.

use std::io::Write;

use crate::mock::{Addresses, Guards, Keys, Options, Relay};

use super::wire::{PATHS, Received, receive, send};

const PROMPT: &[u8] = br#"{"model":"m","max_tokens":3,"messages":[{"role":"user","content":"Hi"}]}"#;

fn relay(guards: Guards) -> Relay {
    let spec = "ttft=0,gap=0".parse().unwrap();
    Relay::start(Options { spec, guards, threads: 1, ..Options::default() }).unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Sends a body with these header lines, and waits for the answer.
async fn post(relay: &Relay, path: &str, headers: &[&str], body: &[u8]) -> Received {
    receive(send(relay, &format!("POST {path}"), headers, body).await).await
}

#[tokio::test]
async fn a_compressed_body_is_undone_where_it_is_accepted() {
    let accepting =
        |codings: &str| relay(Guards { accept_encoding: codings.parse().unwrap(), ..Guards::default() });
    let both = accepting("gzip,zstd");
    let zstd = zstd::bulk::compress(PROMPT, 3).unwrap();
    for path in ["/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"] {
        assert_eq!(
            post(&both, path, &["content-encoding: gzip"], &gzip(PROMPT)).await.status(),
            200,
            "{path}"
        );
        assert_eq!(post(&both, path, &["content-encoding: zstd"], &zstd).await.status(), 200, "{path}");
        assert_eq!(post(&both, path, &["content-encoding: gzip"], PROMPT).await.status(), 400, "{path}");
        assert_eq!(post(&both, path, &["content-encoding: br"], PROMPT).await.status(), 415, "{path}");
    }
    let bare = gzip(br#"{"prompt":"Hi"}"#);
    assert_eq!(post(&both, "/anything", &["content-encoding: gzip"], &bare).await.status(), 200);
    let got = post(&accepting("gzip"), PATHS[0], &["content-encoding: zstd"], &zstd).await;
    assert_eq!((got.status(), got.header("accept-encoding")), (415, Some("gzip, identity")));
}

#[tokio::test]
async fn a_decompression_bomb_is_answered_with_413() {
    let relay = relay(Guards { accept_encoding: "gzip".parse().unwrap(), ..Guards::default() });
    let bomb = gzip(&vec![b' '; 33 * 1024 * 1024]);
    assert!(bomb.len() < 40_000);
    assert_eq!(post(&relay, PATHS[0], &["content-encoding: gzip"], &bomb).await.status(), 413);
    assert_eq!(post(&relay, PATHS[0], &[], PROMPT).await.status(), 200);
}

#[tokio::test]
async fn without_a_known_key_nothing_but_signs_of_life_is_answered() {
    let relay = relay(Guards { keys: Keys::read("sk-1").ok(), ..Guards::default() });
    let paths = ["/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"];
    for path in paths {
        for (headers, status) in [
            (&["x-api-key: sk-1"][..], 200),
            (&["authorization: Bearer sk-1"], 200),
            (&[], 401),
            (&["x-api-key: sk-2"], 401),
            (&["x-api-key: sk-1", "authorization: Bearer sk-1"], 401),
        ] {
            assert_eq!(post(&relay, path, headers, PROMPT).await.status(), status, "{path} {headers:?}");
        }
    }
    let get = async |path: &str, headers: &[&str]| {
        receive(send(&relay, &format!("GET {path}"), headers, "").await).await.status()
    };
    assert_eq!((get("/v1/models", &[]).await, get("/v1/models", &["x-api-key: sk-1"]).await), (401, 200));
    assert_eq!((get("/health", &[]).await, get("/__mock/stats", &[]).await), (200, 200));
    assert_eq!(relay.stats().faults.get("key"), Some(&6));
}

#[tokio::test]
async fn a_token_of_the_server_is_as_good_as_a_key() {
    let spec = "ttft=0,gap=0,token-life=1h".parse().unwrap();
    let guards = Guards { keys: Keys::read("sk-1").ok(), ..Guards::default() };
    let relay = Relay::start(Options { spec, guards, threads: 1, ..Options::default() }).unwrap();
    let form = b"grant_type=client_credentials&client_id=baton-post&client_secret=mock-secret";
    let granted = post(&relay, "/oauth/token", &[], form).await;
    let granted: serde_json::Value = serde_json::from_slice(&granted.body).unwrap();
    let token = format!("authorization: Bearer {}", granted["access_token"].as_str().unwrap());
    for (header, status) in [(token.as_str(), 200), ("x-api-key: sk-1", 200), ("x-api-key: sk-2", 401)] {
        assert_eq!(post(&relay, PATHS[0], &[header], PROMPT).await.status(), status, "{header}");
    }
}

#[tokio::test]
async fn a_forged_address_opens_no_door() {
    let from = |range: &str, trusted_proxies| {
        let addresses = Addresses { allowed: vec![range.parse().unwrap()], trusted_proxies };
        relay(Guards { addresses, ..Guards::default() })
    };
    let office = "x-forwarded-for: 203.0.113.7";
    let (own, remote, behind) =
        (from("127.0.0.0/8", 0), from("203.0.113.0/24", 0), from("203.0.113.0/24", 1));
    for (relay, headers, status) in [
        (&own, &[][..], 200),
        (&own, &[office], 200),
        (&remote, &[], 403),
        (&remote, &[office], 403),
        (&behind, &[], 403),
        (&behind, &[office], 200),
        // What a client claimed, and after it what the proxy saw.
        (&behind, &["x-forwarded-for: 203.0.113.7, 198.51.100.9"], 403),
        (&behind, &[office, "x-forwarded-for: 198.51.100.9"], 403),
    ] {
        for path in [PATHS[0], "/v1/messages/count_tokens"] {
            assert_eq!(post(relay, path, headers, PROMPT).await.status(), status, "{path} {headers:?}");
        }
    }
    let got = post(&remote, PATHS[0], &[], PROMPT).await;
    assert!(String::from_utf8_lossy(&got.body).contains("permission_error"));
    assert_eq!(remote.stats().faults.get("address"), Some(&3));
}
