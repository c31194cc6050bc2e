//! The service behind every connection: what is asked for, and by whom it is answered.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::Version;
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderValue;
use hyper::header::{CONNECTION, DATE};
use hyper::http::request::Parts;
use serde_json::json;

use crate::mock::admission;
use crate::mock::admission::Refusal;
use crate::mock::body::Body;
use crate::mock::body::Parcel;
use crate::mock::body::Severed;
use crate::mock::failure::Failure;
use crate::mock::faults;
use crate::mock::faults::Kind;
use crate::mock::mood::Health;
use crate::mock::mood::Mood;
use crate::mock::oauth;
use crate::mock::oauth::OAuth;
use crate::mock::oauth::Place;
use crate::mock::oauth::Trick;
use crate::mock::reply::Outcome;
use crate::mock::reply::Reply;
use crate::mock::request;
use crate::mock::routes;
use crate::mock::routes::Route;
use crate::mock::server::Shared;
use crate::mock::server::Worker;
use crate::mock::ticket::Ticket;
use crate::wire::Dialect;

/// The largest request body that is kept.
const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// Answers one request, and asks its client to leave where the relay is told to.
pub(crate) async fn respond(worker: Rc<Worker>, peer: Option<IpAddr>, request: Request<Incoming>) -> Outcome {
    let has_connection_header = request.version() <= Version::HTTP_11;
    let mut reply = answer(&worker, peer, request).await?;
    if has_connection_header && worker.shared.mood().drain {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(date) = worker.shared.guards.signatures.as_ref().and_then(|signatures| signatures.date()) {
        reply.headers_mut().insert(DATE, date);
    }
    Ok(reply)
}

/// Answers one request.
async fn answer(worker: &Rc<Worker>, peer: Option<IpAddr>, request: Request<Incoming>) -> Outcome {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let route = routes::find(&head.method, path);
    let shared = &worker.shared;
    if let Some(oauth) = &shared.oauth
        && let Some(place) = oauth::find(&head.method, path)
    {
        return grant(oauth, place, (&head, body)).await;
    }
    let mood = shared.mood();
    if !matches!(route, Route::Answer(_) | Route::Stats) {
        mood.wait().await;
    }
    if let Some(reply) = beside(shared, mood, (route, peer), &head).await {
        return Ok(reply);
    }
    let Some(body) = read(body).await? else {
        let failure = Failure::of(Kind::TooLarge, "").expect("the fault is a refusal");
        return Ok(refused(&head.headers, &failure));
    };
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let raw = body.clone();
    let body = shared.guards.accept_encoding.decode(text("content-encoding"), body);
    let dialect = match (route, &body) {
        (Route::Answer(dialect), _) => dialect,
        (_, Err(failure)) => return Ok(refused(&head.headers, failure)),
        (Route::CountTokens, Ok(body)) => return Ok(count_tokens(body)),
        (_, Ok(body)) if has_prompt(body) => Dialect::Complete,
        _ => return Ok(unknown(&head.headers, 404, format!("Invalid URL ({} {path})", head.method))),
    };
    let mut ticket = Ticket::issue(worker, dialect, text("x-request-id").map(str::to_owned));
    let number = shared.numbers.fetch_add(1, Ordering::Relaxed);
    let id = format!("mock_{:08x}{number:x}", shared.nonce);
    let mut reply = Reply { shared, dialect, number, id, kind: None, standing: None };
    if let Err(failure) = reply.suffer(mood, &mut ticket).await {
        return Ok(reply.refuse(&failure, ticket));
    }
    let admitted = reply.admit(&mut ticket).and_then(|()| reply.authorise(peer, (&head, &raw), &mut ticket));
    let understood = admitted.and_then(|()| {
        let body = body?;
        let ask = request::read(dialect, &body)?;
        reply.recognise(&body, &mut ticket).map(|()| ask)
    });
    match understood {
        Ok(ask) => reply.answer(ask, path, ticket).await,
        Err(failure) => Ok(reply.refuse(&failure, ticket)),
    }
}

/// The reply to a request that asks for no answer, or may not ask for what it does.
async fn beside(
    shared: &Shared,
    mood: Mood,
    (route, peer): (Route, Option<IpAddr>),
    head: &Parts,
) -> Option<Response<Body>> {
    let headers = &head.headers;
    Some(match route {
        Route::Health => sign_of_life(shared, mood).await,
        Route::Stats => {
            let stats = serde_json::to_string(&shared.stats()).expect("counters are plain numbers");
            json_reply(200, stats)
        }
        Route::WrongMethod => {
            unknown(headers, 405, format!("{} is not allowed at {}", head.method, head.uri.path()))
        }
        Route::Models | Route::CountTokens => match admit(shared, peer, headers) {
            Err(failure) => refused(headers, &failure),
            Ok(()) if route == Route::Models => list_models(shared, head),
            Ok(()) => return None,
        },
        Route::Answer(_) | Route::Unknown => return None,
    })
}

/// The reply of the health path, which says nothing of how prompts are answered.
async fn sign_of_life(shared: &Shared, mood: Mood) -> Response<Body> {
    shared.counters.lock().health += 1;
    let (status, word) = match mood.health {
        Health::Silent => std::future::pending().await,
        Health::Failing => (503, "failing"),
        Health::Ok if mood.drain => (503, "draining"),
        Health::Ok => (200, "ok"),
    };
    json_reply(status, json!({ "status": word }).to_string())
}

/// How long the authorization server takes where it is late.
const LATE: Duration = Duration::from_secs(60);

/// Answers a request to the authorization server.
async fn grant(oauth: &OAuth, place: Place, (head, body): (&Parts, Incoming)) -> Outcome {
    let Some(body) = read(body).await? else {
        return Ok(json_reply(413, json!({ "error": "invalid_request" }).to_string()));
    };
    let trick = oauth.trick(place, &body);
    if let Some((status, kind, text)) = trick.and_then(|trick| trick.answer(&head.headers, &body)) {
        return Ok(reply_of(status, kind, text));
    }
    if place == Place::Token {
        tokio::time::sleep(oauth.delay).await;
    }
    let (status, document) = oauth.answer(place, head, &body);
    match trick {
        Some(Trick::Lost) => return Err(Severed),
        Some(Trick::Late) => tokio::time::sleep(LATE).await,
        _ => {}
    }
    Ok(json_reply(status, document.to_string()))
}

/// A request's body; none where it announces more than is kept, and is read to its end so that its sender sees why.
async fn read(mut body: Incoming) -> Result<Option<Bytes>, Severed> {
    if body.size_hint().lower() > LARGEST_BODY as u64 {
        while let Some(Ok(_)) = body.frame().await {}
        return Ok(None);
    }
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Severed)?;
    Ok(Some(body.to_bytes()))
}

/// Whether a body is JSON with a prompt, so that it is an answer's request wherever it is posted.
fn has_prompt(body: &Bytes) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| body["prompt"].is_string())
}

/// A reply in JSON to a request that is not counted.
fn json_reply(status: u16, body: String) -> Response<Body> {
    reply_of(status, "application/json", body)
}

/// The same of another kind.
fn reply_of(status: u16, kind: &str, body: String) -> Response<Body> {
    let body = Body::Parcel(Box::new(Parcel::whole(body.into(), None)));
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body)
        .expect("the parts of a reply are valid")
}

/// Whose error shape and lists a client without a dialect expects.
fn vendor(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") { Dialect::Messages } else { Dialect::Chat }
}

/// The reply to a path or a method that does not exist.
fn unknown(headers: &HeaderMap, status: u16, message: String) -> Response<Body> {
    refused(headers, &Failure::unknown(status, message))
}

/// A refusal of a request that is not counted.
fn refused(headers: &HeaderMap, failure: &Failure) -> Response<Body> {
    let body = failure.body(vendor(headers), "req_mock");
    json_reply(failure.status, String::from_utf8_lossy(&body).into_owned())
}

/// Turns away who asks for anything but an answer and may not; what a token allows matters to prompts alone.
fn admit(shared: &Shared, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Failure> {
    match admission::admit(shared, peer, headers) {
        Ok(()) | Err(Refusal::Scope) => Ok(()),
        Err(refusal) => Err(refusal.failure()),
    }
}

/// The list of models, to a request that is signed where that is wanted.
fn list_models(shared: &Shared, head: &Parts) -> Response<Body> {
    let signatures = shared.guards.signatures.as_ref();
    match signatures.map_or(Ok(()), |signatures| signatures.check(head, b"")) {
        Ok(()) => json_reply(200, models(&head.headers)),
        Err(fault) => refused(&head.headers, &Failure::signature(&fault)),
    }
}

/// The list of models: one that works, and one for each fault.
fn models(headers: &HeaderMap) -> String {
    let names: Vec<_> =
        std::iter::once(faults::MODEL).chain(faults::faults().iter().map(|fault| fault.name)).collect();
    if vendor(headers) == Dialect::Chat {
        let model =
            |name| json!({ "id": name, "object": "model", "created": 1_700_000_000, "owned_by": "mock" });
        return json!({ "object": "list", "data": names.into_iter().map(model).collect::<Vec<_>>() })
            .to_string();
    }
    let model = |name: &&str| json!({ "type": "model", "id": name, "display_name": name, "created_at": "2023-11-14T22:13:20Z" });
    json!({
        "data": names.iter().map(model).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": names.first(),
        "last_id": names.last(),
    })
    .to_string()
}

/// The reply to a question for the number of tokens.
fn count_tokens(body: &Bytes) -> Response<Body> {
    match serde_json::from_slice(body) {
        Ok(body) => json_reply(200, json!({ "input_tokens": request::input_tokens(&body) }).to_string()),
        Err(problem) => {
            let failure = Failure::invalid(format!("The request body is not valid JSON: {problem}"));
            let body = failure.body(Dialect::Messages, "req_mock");
            json_reply(400, String::from_utf8_lossy(&body).into_owned())
        }
    }
}
