//! The retry loop and the deadlines over a scripted transport, with the clock paused.

use std::cell::RefCell;

use tokio::time::Instant;

use super::*;
use crate::net::script::{Script, Step, Turn};
use crate::net::{Credential, Error, HeaderName, HeaderValue, Origin, Url};
use crate::outcome::Class;
use crate::wire::{Delta, Dialect, Prompt};

mod compression;
mod limits;
mod routes;
mod storms;

const WHOLE: &str = r#"{"type":"message","id":"m1","model":"m","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

const STREAM: [&str; 3] = [
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
];

const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

fn whole() -> Turn {
    Turn::Reply(200, vec![("content-type", "application/json")], vec![Step::Bytes(WHOLE)])
}

fn stream(steps: Vec<Step>) -> Turn {
    Turn::Reply(200, vec![("content-type", "text/event-stream")], steps)
}

fn whole_stream() -> Turn {
    stream(STREAM.into_iter().map(Step::Bytes).collect())
}

fn refusal(status: u16, headers: Vec<(&'static str, &'static str)>) -> Turn {
    Turn::Reply(
        status,
        headers,
        vec![Step::Bytes(r#"{"type":"error","error":{"type":"some_error","message":"no"}}"#)],
    )
}

fn call(dialect: Dialect, stream: bool) -> Call {
    let prompt = Prompt { text: "Hello".to_owned(), model: Some("m".to_owned()), ..Prompt::default() };
    Call::new(
        dialect,
        &Url::parse("http://relay.example").unwrap(),
        &Content::Prompt(Box::new(prompt)),
        stream,
    )
    .unwrap()
}

/// Runs a call over a script and gives the exchange, the text that reached the sink and the transport.
async fn play(turns: Vec<Turn>, call: &Call) -> (Exchange, String, Client<Script>) {
    let origin = Origin::of(&Url::parse("http://relay.example").unwrap());
    let key = HeaderValue::from_static("sk-1");
    let credential = Credential::new(HeaderName::from_static("x-api-key"), key, origin, "test");
    let client = Client::new(Script::of(turns), Some(credential), Policy::default(), Timeouts::default());
    let text = RefCell::new(String::new());
    let exchange = client
        .run(call, &mut |piece: Piece<'_>| {
            if let Piece::Event(_, Event::Delta(Delta::Text(more))) = piece {
                text.borrow_mut().push_str(more);
            }
            ControlFlow::Continue(())
        })
        .await;
    (exchange, text.into_inner(), client)
}

#[tokio::test(start_paused = true)]
async fn attempts_share_one_request_id_and_one_credential() {
    let turns = vec![refusal(529, vec![]), refusal(503, vec![]), whole()];
    let (exchange, text, client) = play(turns, &call(Dialect::Messages, false)).await;
    assert_eq!((exchange.class, text.as_str(), exchange.attempts.len()), (Class::Ok, "Hi", 3));
    let seen = client.transport.seen.borrow();
    for request in seen.iter() {
        assert_eq!(request.headers["x-request-id"], exchange.ids.request.as_str());
        assert_eq!(request.headers["idempotency-key"], exchange.ids.request.as_str());
        assert_eq!(request.headers.iter().filter(|(name, _)| *name == "x-api-key").count(), 1);
        assert!(request.headers.iter().all(|(name, _)| name != "authorization"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_relays_hint_is_waited_for() {
    let start = Instant::now();
    let turns = vec![refusal(429, vec![("retry-after", "7")]), whole()];
    let (exchange, ..) = play(turns, &call(Dialect::Messages, false)).await;
    assert_eq!(exchange.class, Class::Ok);
    assert!((7.0..7.1).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    assert_eq!(exchange.attempts[0].waited, Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_before_its_first_delta_is_asked_for_again() {
    let turns = vec![stream(vec![Step::Bytes(STREAM[0]), Step::Break]), whole_stream()];
    let (exchange, text, _) = play(turns, &call(Dialect::Messages, true)).await;
    assert_eq!((exchange.class, text.as_str(), exchange.attempts.len()), (Class::Ok, "Hi", 2));
    assert!(exchange.attempts[0].maybe_billed && !exchange.attempts[1].maybe_billed);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_after_its_first_delta_is_not() {
    let turns = vec![stream(vec![Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1]), Step::Break])];
    let (exchange, text, _) = play(turns, &call(Dialect::Messages, true)).await;
    assert_eq!((exchange.class, text.as_str(), exchange.attempts.len()), (Class::Truncated, "Hi", 1));
    assert_eq!(exchange.ended, Decision::Stop(Why::Delivered));
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_without_the_terminal_event_is_truncated() {
    let turns = vec![stream(vec![Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1])])];
    let (exchange, ..) = play(turns, &call(Dialect::Messages, true)).await;
    assert!(matches!(exchange.trouble, Some(Trouble::Truncated { deltas: 1, expected: "message_stop" })));
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_keep_a_stalled_stream_alive() {
    let mut steps = vec![Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1])];
    for _ in 0..20 {
        steps.extend([Step::Wait(Duration::from_secs(10)), Step::Bytes(PING)]);
    }
    let start = Instant::now();
    let (exchange, ..) = play(vec![stream(steps)], &call(Dialect::Messages, true)).await;
    assert_eq!((exchange.class, start.elapsed().as_secs()), (Class::TimeoutStall, 120));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_first_byte_limit_of_its_kind() {
    let start = Instant::now();
    let turns = vec![Turn::Silence, Turn::Silence, Turn::Silence];
    let (exchange, ..) = play(turns, &call(Dialect::Messages, true)).await;
    assert_eq!((exchange.class, exchange.attempts.len()), (Class::TimeoutFirstByte, 3));
    assert!(start.elapsed() >= Duration::from_secs(90));
    let start = Instant::now();
    let turns = vec![Turn::Silence, whole()];
    play(turns, &call(Dialect::Messages, false)).await;
    assert!(start.elapsed() >= Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_complete_answer_does_not_wait_for_a_connection_that_stays_open() {
    let mut steps: Vec<Step> = STREAM.into_iter().map(Step::Bytes).collect();
    steps.push(Step::Wait(Duration::from_secs(3600)));
    let start = Instant::now();
    let (exchange, ..) = play(vec![stream(steps)], &call(Dialect::Messages, true)).await;
    assert_eq!(exchange.class, Class::Ok);
    assert!(start.elapsed() <= Duration::from_secs(1));
    assert_eq!(exchange.marks.end, exchange.marks.last_delta);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_stream_options_is_repaired_once_and_remembered() {
    let no = r#"{"error":{"message":"Unrecognized request argument: stream_options","type":"invalid_request_error"}}"#;
    let refused = || Turn::Reply(400, vec![], vec![Step::Bytes(no)]);
    let answer = || {
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        stream(vec![Step::Bytes(text)])
    };
    let call = call(Dialect::Chat, true);
    let (exchange, _, client) = play(vec![refused(), answer(), answer()], &call).await;
    assert_eq!((exchange.class, exchange.attempts.len()), (Class::Ok, 2));
    assert!(exchange.tokens.estimated && client.learned().usage_rejected);
    let again = client.run(&call, &mut |_: Piece<'_>| ControlFlow::Continue(())).await;
    assert_eq!(again.attempts.len(), 1);
    let asked: Vec<bool> = client
        .transport
        .seen
        .borrow()
        .iter()
        .map(|request| request.body.windows(14).any(|window| window == b"stream_options"))
        .collect();
    assert_eq!(asked, [true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_was_is_tried_again_without_a_bill() {
    let refused = Turn::Fail(Error::Connect { detail: "refused".to_owned(), via: None, answered: true });
    let (exchange, ..) = play(vec![refused, whole()], &call(Dialect::Messages, false)).await;
    assert_eq!(exchange.class, Class::Ok);
    assert!(!exchange.attempts[0].maybe_billed);
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_holds_over_all_attempts_and_waits() {
    let client = Client::new(
        Script::of(vec![refusal(529, vec![("retry-after", "3")]), refusal(529, vec![("retry-after", "3")])]),
        None,
        Policy::default(),
        Timeouts { total: Some(Duration::from_secs(5)), ..Timeouts::default() },
    );
    let start = Instant::now();
    let exchange =
        client.run(&call(Dialect::Messages, false), &mut |_: Piece<'_>| ControlFlow::Continue(())).await;
    assert_eq!((exchange.class, exchange.ended), (Class::Overloaded, Decision::Stop(Why::OutOfTime)));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_named_for_what_it_is() {
    let body = |kind: &'static str, text: &'static str| {
        Turn::Reply(200, vec![("content-type", kind)], vec![Step::Bytes(text)])
    };
    let class = async |turn: Turn, stream: bool| {
        let (exchange, ..) = play(vec![turn], &call(Dialect::Messages, stream)).await;
        (exchange.class, exchange.trouble.unwrap().to_string())
    };
    let (html, words) = class(body("text/event-stream", "<!DOCTYPE html><title>Sign in</title>"), true).await;
    assert_eq!((html, words.as_str()), (Class::Protocol, "the body is an HTML page (Sign in)"));
    let (json, words) = class(body("text/event-stream", WHOLE), true).await;
    assert_eq!(json, Class::Protocol, "{words}");
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let (class_of_error, words) = {
        let turns = vec![
            body("application/json", error),
            body("application/json", error),
            body("application/json", error),
        ];
        let (exchange, ..) = play(turns, &call(Dialect::Messages, true)).await;
        (exchange.class, exchange.trouble.unwrap().to_string())
    };
    assert_eq!(class_of_error, Class::StreamError, "{words}");
    assert!(words.contains("overloaded_error: Overloaded"), "{words}");
}

/// A sink that takes its time after each chunk with text in it.
struct Slow {
    rest: Duration,
    owes: bool,
    then: ControlFlow<()>,
}

impl Sink for Slow {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        self.owes |= matches!(piece, Piece::Event(_, Event::Delta(_)));
        ControlFlow::Continue(())
    }

    async fn ready(&mut self) -> ControlFlow<()> {
        if std::mem::take(&mut self.owes) {
            sleep(self.rest).await;
            return self.then;
        }
        ControlFlow::Continue(())
    }
}

/// An answer that waits between its delta and its end, taken by a sink that rests for ten minutes before that.
async fn play_slowly(wait: u64, timeouts: Timeouts, then: ControlFlow<()>) -> Exchange {
    let steps = [Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1]), Step::Wait(Duration::from_secs(wait))];
    let script = Script::of(vec![stream(steps.into_iter().chain([Step::Bytes(STREAM[2])]).collect())]);
    let client = Client::new(script, None, Policy::default(), timeouts);
    let mut sink = Slow { rest: Duration::from_secs(600), owes: false, then };
    client.run(&call(Dialect::Messages, true), &mut sink).await
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_slow_sink_takes_is_no_silence_of_the_relay() {
    let go_on = ControlFlow::Continue(());
    let exchange = play_slowly(59, Timeouts::default(), go_on).await;
    assert_eq!((exchange.class, exchange.deltas), (Class::Ok, 1));
    // What comes after it is, again in full and in full only.
    let start = Instant::now();
    let exchange = play_slowly(61, Timeouts::default(), go_on).await;
    assert_eq!((exchange.class, start.elapsed().as_secs()), (Class::TimeoutIdle, 660));
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_counts_the_time_of_a_slow_sink() {
    let timeouts = Timeouts { total: Some(Duration::from_secs(300)), ..Timeouts::default() };
    let start = Instant::now();
    let exchange = play_slowly(0, timeouts, ControlFlow::Continue(())).await;
    assert_eq!((exchange.class, start.elapsed().as_secs()), (Class::TimeoutTotal, 300));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_breaks_while_it_makes_room_ends_the_exchange() {
    let exchange = play_slowly(0, Timeouts::default(), ControlFlow::Break(())).await;
    assert_eq!((exchange.class, exchange.deltas, exchange.complete), (Class::Cancelled, 1, false));
}

/// Counts the chunks that it holds, and how many those were each time that it was asked to make room.
struct Gatherer {
    gathers: bool,
    held: usize,
    passed_on: Vec<usize>,
}

impl Sink for Gatherer {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        self.held += usize::from(matches!(piece, Piece::Wire(_)));
        ControlFlow::Continue(())
    }

    async fn ready(&mut self) -> ControlFlow<()> {
        self.passed_on.push(std::mem::take(&mut self.held));
        ControlFlow::Continue(())
    }

    fn gathers(&self) -> bool {
        self.gathers
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_gathers_is_given_what_has_come_and_passes_it_on_before_anything_is_waited_for() {
    for (gathers, expected) in [(true, vec![2]), (false, vec![1, 1])] {
        let steps = [Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1]), Step::Wait(Duration::from_secs(1))];
        let script = Script::of(vec![stream(steps.into_iter().chain([Step::Bytes(STREAM[2])]).collect())]);
        let client = Client::new(script, None, Policy::default(), Timeouts::default());
        let mut sink = Gatherer { gathers, held: 0, passed_on: Vec::new() };
        let exchange = client.run(&call(Dialect::Messages, true), &mut sink).await;
        assert_eq!((exchange.class, sink.passed_on), (Class::Ok, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_on_a_refused_token_is_time_for_the_token() {
    let mut exchange = Exchange::starting(&call(Dialect::Messages, true), Instant::now());
    tokio::time::advance(Duration::from_millis(700)).await;
    let noticed = Instant::now();
    tokio::time::advance(Duration::from_millis(300)).await;
    exchange.charge_to_token(noticed);
    assert_eq!(exchange.authorised, Duration::from_millis(700));
}
