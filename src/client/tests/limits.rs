//! The limiter and the budget of retries in their places within an exchange.

use super::*;
use crate::net::Limits;

/// A client over a script whose requests leave one a second.
fn slowly(turns: Vec<Turn>, policy: Policy) -> Client<Script> {
    let limits = Limits { requests: Some("1/s".parse().unwrap()), ..Limits::default() };
    let limiter = Arc::new(Limiter::new(&limits));
    Client::new(Script::of(turns), None, policy, Timeouts::default()).with_limiter(Some(limiter))
}

async fn run(client: &Client<Script>, call: &Call) -> Exchange {
    client.run(call, &mut |_: Piece<'_>| ControlFlow::Continue(())).await
}

#[tokio::test(start_paused = true)]
async fn every_attempt_and_every_repair_waits_for_its_leave_and_no_timing_counts_that() {
    let hasty = Policy { backoff_base: Duration::ZERO, ..Policy::default() };
    let no = r#"{"error":{"message":"Unrecognized request argument: stream_options"}}"#;
    let refused = Turn::Reply(400, vec![], vec![Step::Bytes(no)]);
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let answer = stream(vec![Step::Wait(Duration::from_millis(30)), Step::Bytes(text)]);
    let client = slowly(vec![refusal(503, vec![]), refused, answer], hasty);
    let start = Instant::now();
    let exchange = run(&client, &call(Dialect::Chat, true)).await;
    assert_eq!((exchange.class, exchange.attempts.len()), (Class::Ok, 3));
    assert_eq!(start.elapsed().as_secs(), 2);
    let limited: Vec<u64> = exchange.attempts.iter().map(|attempt| attempt.limited.as_secs()).collect();
    assert_eq!((limited, exchange.limited().as_secs()), (vec![0, 1, 1], 2));
    let first = exchange.marks.first_delta.unwrap();
    assert!(first < Duration::from_millis(50), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_total_limit_counts_the_wait_for_a_leave() {
    let impatient = Timeouts { first_byte_whole: Some(Duration::from_millis(10)), ..Timeouts::default() };
    let client = Client { timeouts: impatient, ..slowly(vec![whole(), whole()], Policy::default()) };
    let call = call(Dialect::Messages, false);
    assert_eq!(run(&client, &call).await.class, Class::Ok);
    assert_eq!(run(&client, &call).await.class, Class::Ok);
    let total = Timeouts { total: Some(Duration::from_millis(500)), ..Timeouts::default() };
    let client = Client { timeouts: total, ..client };
    let exchange = run(&client, &call).await;
    assert_eq!((exchange.class, exchange.limited().as_millis() / 10), (Class::TimeoutTotal, 50));
    assert_eq!(client.transport.seen.borrow().len(), 2, "nothing more was sent");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_says_when_to_come_back_parks_everybody_and_costs_no_attempt() {
    let limited = || refusal(429, vec![("retry-after", "600")]);
    let parked = Policy { hints: Hints::Parked, attempts: 1, ..Policy::default() };
    let client = slowly(vec![limited(), limited(), whole(), whole()], parked);
    let start = Instant::now();
    let call = call(Dialect::Messages, false);
    let (first, second) = tokio::join!(run(&client, &call), async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        run(&client, &call).await
    });
    assert_eq!((first.class, second.class), (Class::Ok, Class::Ok));
    // The second had to wait although nobody refused it, and was then refused in its turn.
    assert_eq!((first.attempts.len(), second.attempts.len()), (2, 2));
    assert_eq!(start.elapsed().as_secs(), 1201);
    assert_eq!(second.attempts[0].limited.as_secs(), 599);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_spent_ends_the_attempts_of_everybody() {
    let budget = Arc::<Budget>::default();
    let turns = (0..200).map(|_| refusal(503, vec![])).collect();
    let hasty = Policy { backoff_base: Duration::ZERO, ..Policy::default() };
    let client = Client::new(Script::of(turns), None, hasty, Timeouts::default()).with_budget(Some(budget));
    let call = call(Dialect::Messages, false);
    let mut why = Vec::new();
    for _ in 0..20 {
        why.push(run(&client, &call).await.ended);
    }
    // Three a second are free, for ten seconds, and a fifth of the requests come on top.
    assert_eq!(client.transport.seen.borrow().len(), 20 + 30 + 20 / 5);
    assert_eq!((why[0], why[19]), (Decision::Stop(Why::Spent), Decision::Stop(Why::Budget)));
}
