//! Guards over real sockets: what is let in, and in which words the rest is refused.

use std::io::Write;

use crate::mock::{Guards, Options, Relay};

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
    let accepting = |codings: &str| relay(Guards { accept_encoding: codings.parse().unwrap() });
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
    let relay = relay(Guards { accept_encoding: "gzip".parse().unwrap() });
    let bomb = gzip(&vec![b' '; 33 * 1024 * 1024]);
    assert!(bomb.len() < 40_000);
    assert_eq!(post(&relay, PATHS[0], &["content-encoding: gzip"], &bomb).await.status(), 413);
    assert_eq!(post(&relay, PATHS[0], &[], PROMPT).await.status(), 200);
}
