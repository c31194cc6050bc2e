//! Several endpoints in their place within an exchange: failover, its limits, and requests that are called back.

use super::*;
use crate::net::route::{Endpoint, Grade, Probed, Strategy};
use crate::net::{Request, TlsFault};

fn station(host: &str) -> Station {
    let url = Url::parse(&format!("http://{host}.example/api")).unwrap();
    let key = HeaderValue::try_from(format!("sk-{host}")).unwrap();
    let credential = Credential::new(HeaderName::from_static("x-api-key"), key, Origin::of(&url), "test");
    Station { endpoint: Endpoint::at(url), credential: Some(credential), signer: None }
}

/// A client of endpoints with these hosts, which wants to wait for nothing.
fn over(hosts: &[&str], turns: Vec<Turn>) -> Client<Script> {
    let stations = hosts.iter().map(|host| station(host)).collect();
    let routes = Routes::new(Strategy::Nearest, Dialect::Messages, stations).unwrap();
    let slow = Policy { backoff_base: Duration::from_secs(100), ..Policy::default() };
    Client::new(Script::of(turns), None, slow, Timeouts::default()).with_routes(Some(Arc::new(routes)))
}

async fn run(client: &Client<Script>, call: &Call) -> Exchange {
    client.run(call, &mut |_: Piece<'_>| ControlFlow::Continue(())).await
}

/// Where requests went, and the key that each took along.
fn seen(client: &Client<Script>) -> Vec<(String, String)> {
    let of = |request: &Request| {
        let key = request.headers["x-api-key"].to_str().unwrap().to_owned();
        (request.url.to_string(), key)
    };
    client.transport.seen.borrow().iter().map(of).collect()
}

fn went(host: &str) -> (String, String) {
    (format!("http://{host}.example/api/v1/messages"), format!("sk-{host}"))
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_goes_elsewhere_at_once_with_that_endpoints_own_key() {
    let start = Instant::now();
    let tls = Turn::Fail(Error::Tls { fault: TlsFault::Handshake, detail: "no".to_owned() });
    let client = over(&["a", "b", "c"], vec![tls, refusal(503, vec![("retry-after", "60")]), whole()]);
    let exchange = run(&client, &call(Dialect::Messages, false)).await;
    assert_eq!((exchange.class, start.elapsed()), (Class::Ok, Duration::ZERO));
    assert_eq!(seen(&client), [went("a"), went("b"), went("c")]);
    let endpoints: Vec<_> = exchange.attempts.iter().map(|attempt| attempt.endpoint.as_deref()).collect();
    assert_eq!(endpoints[..2], [Some("http://a.example/api"), Some("http://b.example/api")]);
    assert_eq!(exchange.url.as_str(), "http://c.example/api/v1/messages");
    let ids: Vec<_> =
        client.transport.seen.borrow().iter().map(|sent| sent.headers["x-request-id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_and_what_the_request_is_to_blame_for_goes_nowhere_else() {
    let broken = stream(vec![Step::Bytes(STREAM[0]), Step::Bytes(STREAM[1]), Step::Break]);
    let client = over(&["a", "b"], vec![broken]);
    let exchange = run(&client, &call(Dialect::Messages, true)).await;
    assert_eq!(exchange.ended, Decision::Stop(Why::Delivered));
    for status in [400, 401, 404, 413] {
        let client = over(&["a", "b"], vec![refusal(status, vec![])]);
        assert_eq!(run(&client, &call(Dialect::Messages, false)).await.attempts.len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_left_to_try_the_wait_is_as_with_one_endpoint() {
    let turns = (0..3).map(|_| refusal(503, vec![("retry-after", "30")])).collect();
    let client = over(&["a", "b"], turns);
    let start = Instant::now();
    let exchange = run(&client, &call(Dialect::Messages, false)).await;
    assert_eq!((exchange.class, exchange.attempts.len()), (Class::Http5xx, 3));
    assert_eq!(exchange.attempts[0].waited, Duration::ZERO);
    assert!(start.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_repair_is_sent_to_where_it_was_asked_for() {
    let no = r#"{"error":{"message":"Unrecognized request argument: stream_options"}}"#;
    let refused = Turn::Reply(400, vec![], vec![Step::Bytes(no)]);
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let stations = vec![station("a"), station("b")];
    let routes = Routes::new(Strategy::Nearest, Dialect::Chat, stations).unwrap();
    let script = Script::of(vec![refusal(503, vec![]), refused, stream(vec![Step::Bytes(text)])]);
    let client = Client::new(script, None, Policy::default(), Timeouts::default());
    let client = client.with_routes(Some(Arc::new(routes)));
    assert_eq!(run(&client, &call(Dialect::Chat, true)).await.class, Class::Ok);
    let hosts: Vec<_> = seen(&client).into_iter().map(|(_, key)| key).collect();
    assert_eq!(hosts, ["sk-a", "sk-b", "sk-b"]);
}

#[tokio::test(start_paused = true)]
async fn requests_are_called_back_from_a_silent_endpoint_and_sent_elsewhere() {
    let turns = (0..6).map(|_| Turn::Silence).chain((0..6).map(|_| whole())).collect();
    let client = over(&["a", "b"], turns);
    let routes = client.routes.clone().unwrap();
    let call = call(Dialect::Messages, false);
    let start = Instant::now();
    let probing = async {
        loop {
            sleep(Duration::from_millis(250)).await;
            for probe in routes.router().due_probes() {
                // It answered at first.
                let is_late = start.elapsed() > Duration::from_secs(1);
                let is_silent = is_late && probe.seat.endpoint.url.host_str() == Some("a.example");
                let routes = Arc::clone(&routes);
                let answer = Probed::Reached(Duration::from_millis(3));
                tokio::spawn(async move {
                    sleep(if is_silent { probe.timeout } else { Duration::from_millis(3) }).await;
                    routes.router().probed(&probe, if is_silent { Probed::Nothing } else { answer });
                });
            }
        }
    };
    let all = futures_util::future::join_all((0..6).map(|_| run(&client, &call)));
    let exchanges = tokio::select! {
        exchanges = all => exchanges,
        () = probing => unreachable!(),
    };
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    for exchange in &exchanges {
        assert_eq!((exchange.class, exchange.attempts.len()), (Class::Ok, 2));
        assert!(exchange.attempts[0].message.contains("fell silent"), "{}", exchange.attempts[0].message);
    }
    assert_eq!(routes.router().status()[0].grade, Grade::Ejected);
    assert!(!routes.is_in_use());
}

#[tokio::test(start_paused = true)]
async fn a_user_that_the_body_names_stays_at_one_endpoint() {
    let client = over(&["a", "b", "c", "d"], (0..40).map(|_| whole()).collect());
    let of_user = |user: &str| {
        let body = format!(r#"{{"model":"m","metadata":{{"user_id":"{user}"}},"messages":[]}}"#);
        let base = Url::parse("http://a.example").unwrap();
        Call::new(Dialect::Messages, &base, &Content::Body(body.into_bytes()), false).unwrap()
    };
    for user in 0..20 {
        for _ in 0..2 {
            run(&client, &of_user(&format!("user {user}"))).await;
        }
    }
    let hosts: Vec<_> = seen(&client).into_iter().map(|(_, key)| key).collect();
    assert!(hosts.chunks(2).all(|pair| pair[0] == pair[1]));
    let others = hosts.iter().filter(|host| **host != hosts[0]).count();
    assert!(others > 10, "{hosts:?}");
    let given = of_user("user 1").with_session(Some("user 2".to_owned()));
    assert_eq!(given.session().as_deref(), Some("user 2"));
}
