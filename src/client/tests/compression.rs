//! Compressed bodies over a scripted transport: which leave so, and what is learned from a refusal.

use crate::net::{Coding, Compress, CompressRules, HeaderMap, HeaderName, Request};
use crate::outcome::BodySize;

use super::*;

/// A call with a body that is worth compressing.
fn large() -> Call {
    let text = "The river flows through the valley. ".repeat(100);
    let prompt = Prompt { text, model: Some("m".to_owned()), ..Prompt::default() };
    let base = Url::parse("http://relay.example").unwrap();
    Call::new(Dialect::Messages, &base, &Content::Prompt(Box::new(prompt)), false).unwrap()
}

fn client(turns: Vec<Turn>, compress: Compress) -> Client<Script> {
    let compressor = CompressRules::of(compress).map(|rules| Arc::new(Compressor::new(rules)));
    let policy = Policy { attempts: 2, ..Policy::default() };
    Client::new(Script::of(turns), None, policy, Timeouts::default()).with_compressor(compressor)
}

async fn run(client: &Client<Script>, call: &Call) -> Exchange {
    client.run(call, &mut |_: Piece<'_>| ControlFlow::Continue(())).await
}

/// How each request that left was encoded.
fn codings(client: &Client<Script>) -> Vec<String> {
    let coding = |request: &Request| {
        let name = request
            .headers
            .get(&HeaderName::from_static("content-encoding"))
            .map(|name| name.to_str().unwrap().to_owned());
        let text = match name.as_deref() {
            None => request.body.to_vec(),
            Some("gzip") => {
                let mut text = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&request.body[..]), &mut text)
                    .unwrap();
                text
            }
            Some(_) => zstd::bulk::decompress(&request.body, 100_000).unwrap(),
        };
        assert!(text.starts_with(b"{\"model\":\"m\""), "{}", String::from_utf8_lossy(&text));
        name.unwrap_or("plain".to_owned())
    };
    client.transport.seen.borrow().iter().map(coding).collect()
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_takes_a_compressed_body_gets_more_of_them() {
    let client = client(vec![whole(), whole()], Compress::Auto);
    let exchange = run(&client, &large()).await;
    let BodySize { plain, sent } = exchange.body();
    assert!(plain > 3_600 && sent < plain / 5, "{plain} {sent}");
    run(&client, &large()).await;
    assert_eq!(codings(&client), ["gzip", "gzip"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_plain_body_escapes_is_repaired_at_once_and_remembered() {
    for status in [400, 415, 422, 500] {
        let client = client(vec![refusal(status, vec![]), whole(), whole()], Compress::Auto);
        let start = Instant::now();
        let exchange = run(&client, &large()).await;
        assert_eq!((exchange.class, exchange.attempts.len()), (Class::Ok, 2), "{status}");
        assert_eq!(start.elapsed(), Duration::ZERO);
        run(&client, &large()).await;
        assert_eq!(codings(&client), ["gzip", "plain", "plain"], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repair_is_none_of_the_attempts() {
    let turns = vec![refusal(415, vec![]), refusal(529, vec![]), whole(), whole()];
    let client = client(turns, Compress::Auto);
    assert_eq!(run(&client, &large()).await.class, Class::Ok);
    run(&client, &large()).await;
    assert_eq!(codings(&client), ["gzip", "plain", "plain", "plain"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_in_any_form_teaches_nothing() {
    let turns = vec![refusal(400, vec![]), refusal(400, vec![]), whole()];
    let client = client(turns, Compress::Auto);
    let exchange = run(&client, &large()).await;
    assert_eq!((exchange.class, exchange.attempts.len()), (Class::Http4xx, 2));
    run(&client, &large()).await;
    assert_eq!(codings(&client), ["gzip", "plain", "gzip"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_another_kind_is_tried_again_in_the_same_form() {
    let client = client(vec![refusal(529, vec![]), whole()], Compress::Auto);
    assert_eq!(run(&client, &large()).await.class, Class::Ok);
    assert_eq!(codings(&client), ["gzip", "gzip"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_by_name_is_not_repaired() {
    let client = client(vec![refusal(415, vec![])], Compress::Always(Coding::Zstd));
    assert_eq!(run(&client, &large()).await.class, Class::Http4xx);
    assert_eq!(codings(&client), ["zstd"]);
}

#[tokio::test(start_paused = true)]
async fn small_bodies_and_those_that_are_encoded_already_leave_as_they_are() {
    let client = client(vec![whole(), whole()], Compress::Always(Coding::Gzip));
    run(&client, &call(Dialect::Messages, false)).await;
    let mut own = HeaderMap::new();
    own.insert("content-encoding", HeaderValue::from_static("zstd"));
    let prompt = Content::Body(zstd::bulk::compress(large().body(), 3).unwrap());
    let encoded = Call::new(Dialect::Raw, &large().url, &prompt, false).unwrap().with_headers(&own);
    let exchange = run(&client, &encoded).await;
    assert_eq!(exchange.body().saved(), 0);
    assert_eq!(codings(&client), ["plain", "zstd"]);
}
