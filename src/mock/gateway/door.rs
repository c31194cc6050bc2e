//! Who is let in: the checks of a gateway before it asks its upstream, and the errors of its own.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response, Version};
use serde_json::json;

use super::forward::{Body, Errand, Severed};
use super::stream::Grammar;
use super::{HELD, Habit, Hub, NO_MODEL, Personality};

/// The largest body that is read.
const LARGEST: usize = 64 * 1024 * 1024;
/// What a gateway with small bodies takes.
const SMALL: usize = 32 * 1024;
/// An address of documentation (RFC 5737), which a gateway that trusts claims does not let in.
const SHUNNED: &str = "203.0.113.7";
/// The model that a gateway serves in place of one it does not know.
const OWN_MODEL: &str = "mock-model";

/// The places at which requests are served.
#[derive(Debug, Clone)]
pub(super) struct Places(Rc<Cell<usize>>);

/// One place, given back when it is dropped, unless the gateway forgets it.
#[derive(Debug)]
pub(super) struct Place {
    left: Rc<Cell<usize>>,
    /// Whether a request that ends early takes the place with it.
    leaks: bool,
    /// Whether the request came to its end.
    pub(super) is_whole: bool,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self(Rc::new(Cell::new(places)))
    }

    /// A place, if one is free.
    fn take(&self, personality: &Personality) -> Option<Place> {
        self.0.set(self.0.get().checked_sub(1)?);
        Some(Place { left: Rc::clone(&self.0), leaks: personality.has(Habit::LeakSlots), is_whole: false })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_whole || !self.leaks {
            self.left.set(self.left.get() + 1);
        }
    }
}

/// The door of a gateway.
pub(super) struct Door<'a>(pub(super) &'a Rc<Hub>);

impl Door<'_> {
    /// Lets a request in, or refuses it.
    pub(super) async fn enter(self, request: Request<Incoming>) -> Result<Response<Body>, Severed> {
        let (head, body) = request.into_parts();
        let limited = Limited::new(body, LARGEST).collect().await;
        let echo = head.headers.get("x-request-id").cloned();
        let mut response = match limited {
            Ok(body) => self.admit(head, body.to_bytes()).await?,
            Err(_) => refusal(Grammar::Chat, 413, "the body is too large"),
        };
        self.sign(response.headers_mut(), echo);
        Ok(response)
    }

    async fn admit(&self, mut head: Parts, mut body: Bytes) -> Result<Response<Body>, Severed> {
        let Hub { options, places, sightings } = &**self.0;
        let witness = sightings.note(head.headers.clone(), &body);
        let personality = &options.personality;
        let grammar = grammar(head.uri.path());
        if let Some((status, message)) = self.objection(&head, &body) {
            return Ok(self.refuse(grammar, status, message));
        }
        if let Some(coding) = head.headers.remove(CONTENT_ENCODING) {
            let most = if personality.has(Habit::UnpackAnything) { u64::MAX } else { LARGEST as u64 };
            body = match unpacked(&coding, &body, most) {
                // Written anew, as relays do, so that the white space goes.
                Ok(plain) => compact(&plain).unwrap_or(plain),
                Err(status) => return Ok(self.refuse(grammar, status, "the body cannot be unpacked")),
            };
        }
        let Some(place) = places.take(personality) else {
            return Ok(self.refuse(grammar, 429, "all places are taken"));
        };
        if let Some((hold, plain)) = options.hold.zip(unheld(&body)) {
            tokio::time::sleep(hold).await;
            body = plain;
        }
        if personality.has(Habit::ServeAnyModel) && asks_for(&body, NO_MODEL) {
            body = with_model(&body, OWN_MODEL).unwrap_or(body);
        }
        tidy(&mut head.headers, personality);
        let errand = Errand { hub: Rc::clone(self.0), head, body, grammar, witness, place };
        match errand.run().await {
            Ok(response) => Ok(response),
            Err(problem) => {
                let (status, message) = problem.refusal();
                Ok(self.refuse(grammar, status, message))
            }
        }
    }

    /// Why a request is not let in.
    fn objection(&self, head: &Parts, body: &Bytes) -> Option<(u16, &'static str)> {
        let options = &self.0.options;
        let has = |habit| options.personality.has(habit);
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        if has(Habit::RefuseHttpOne) && head.version < Version::HTTP_2 {
            return Some((505, "this version of HTTP is not spoken here"));
        }
        if has(Habit::NoDialect) {
            return Some((404, "there is nothing here"));
        }
        if has(Habit::TrustForwarded) && text("x-forwarded-for").is_some_and(|claim| claim.contains(SHUNNED))
        {
            return Some((403, "this address is not allowed"));
        }
        if let Some(key) = options.key.as_deref().filter(|_| !has(Habit::AnyKey)) {
            let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
            if bearer.or(text("x-api-key")) != Some(key) {
                let status = if has(Habit::KeyIsInvalid) { 400 } else { 401 };
                return Some((status, "the key is not valid"));
            }
        }
        if has(Habit::CrashElsewhere) && !head.uri.path().ends_with("/messages") {
            return Some((500, "Something went wrong"));
        }
        let compressed = head.headers.contains_key(CONTENT_ENCODING);
        if compressed && has(Habit::CompressedIsInvalid) {
            return Some((400, "Missing required parameter: 'messages'"));
        }
        if compressed && has(Habit::CompressedIsFatal) {
            return Some((500, "Something went wrong"));
        }
        (has(Habit::SmallBodies) && body.len() > SMALL).then_some((413, "the body is too large"))
    }

    /// An error of the gateway's own.
    fn refuse(&self, grammar: Grammar, status: u16, message: &str) -> Response<Body> {
        if self.0.options.personality.has(Habit::TextErrors) {
            let text = format!(
                "{message}\n    at Gateway.handle (/app/dist/server.js:120:13)\n    at process.nextTick\n"
            );
            return plain(status, "text/plain; charset=utf-8", text);
        }
        refusal(grammar, status, message)
    }

    /// What the gateway puts on every reply.
    fn sign(&self, headers: &mut HeaderMap, echo: Option<HeaderValue>) {
        let personality = &self.0.options.personality;
        if let Some(id) = echo.filter(|_| !personality.has(Habit::LoseRequestId)) {
            headers.insert("x-request-id", id);
        }
        if personality.has(Habit::LeakHeaders) {
            headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
            headers.insert("x-powered-by", HeaderValue::from_static("Express 4.17.1"));
            if let Some(key) = self.0.options.key.as_deref().and_then(|key| HeaderValue::from_str(key).ok()) {
                headers.insert("x-upstream-key", key);
            }
        }
        if personality.has(Habit::WrongDate) {
            let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(600);
            let date = httpdate::fmt_http_date(ahead);
            headers.insert("date", HeaderValue::from_str(&date).expect("a date is ASCII"));
        }
        if personality.has(Habit::DropLimits) {
            let names: Vec<_> = headers.keys().filter(|name| is_limit(name.as_str())).cloned().collect();
            for name in names {
                headers.remove(name);
            }
        }
    }
}

/// Whether a header tells of limits.
fn is_limit(name: &str) -> bool {
    name == "retry-after" || name == "retry-after-ms" || name.contains("ratelimit")
}

/// The headers as they go on.
fn tidy(headers: &mut HeaderMap, personality: &Personality) {
    for name in ["host", "content-length", "connection", "transfer-encoding", "x-forwarded-for"] {
        headers.remove(name);
    }
    if personality.has(Habit::LoseRequestId) {
        headers.remove("x-request-id");
    }
    if personality.has(Habit::DropHeaders) {
        const KEPT: [&str; 6] = [
            "content-type",
            "content-encoding",
            "authorization",
            "x-api-key",
            "anthropic-version",
            "x-request-id",
        ];
        let names: Vec<_> = headers.keys().filter(|name| !KEPT.contains(&name.as_str())).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// A body of JSON without white space.
fn compact(body: &Bytes) -> Option<Bytes> {
    let read: serde_json::Value = serde_json::from_slice(body).ok()?;
    serde_json::to_vec(&read).ok().map(Into::into)
}

/// A body without its coding; 413 where it is larger than that, 415 for a coding that is not known.
fn unpacked(coding: &HeaderValue, body: &Bytes, most: u64) -> Result<Bytes, u16> {
    let mut plain = Vec::new();
    let read = match coding.as_bytes() {
        b"gzip" => MultiGzDecoder::new(&body[..]).take(most.saturating_add(1)).read_to_end(&mut plain),
        b"zstd" => {
            let decoder = zstd::Decoder::new(&body[..]).map_err(|_| 400_u16)?;
            decoder.take(most.saturating_add(1)).read_to_end(&mut plain)
        }
        b"identity" => return Ok(body.clone()),
        _ => return Err(415),
    };
    read.map_err(|_| 400_u16)?;
    if plain.len() as u64 > most { Err(413) } else { Ok(plain.into()) }
}

/// The dialect's grammar, by the path.
fn grammar(path: &str) -> Grammar {
    if path.ends_with("/messages") {
        Grammar::Messages
    } else if path.ends_with("/responses") {
        Grammar::Responses
    } else {
        Grammar::Chat
    }
}

/// The body of a request that is to be held back, as it goes on afterwards.
fn unheld(body: &Bytes) -> Option<Bytes> {
    let read: serde_json::Value = serde_json::from_slice(body).ok()?;
    let model = read.get("model")?.as_str()?.strip_suffix(HELD)?;
    with_model(body, model)
}

/// Whether a body asks for a model of this name.
fn asks_for(body: &Bytes, model: &str) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|read| read["model"] == model)
}

/// A body that asks for another model.
fn with_model(body: &Bytes, model: &str) -> Option<Bytes> {
    let mut read: serde_json::Value = serde_json::from_slice(body).ok()?;
    *read.get_mut("model")? = json!(model);
    serde_json::to_vec(&read).ok().map(Into::into)
}

/// An error in the dialect's own shape.
pub(super) fn refusal(grammar: Grammar, status: u16, message: &str) -> Response<Body> {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let body = match grammar {
        Grammar::Messages => json!({ "type": "error", "error": { "type": kind, "message": message } }),
        _ => json!({ "error": { "message": message, "type": kind, "param": null, "code": null } }),
    };
    plain(status, "application/json", body.to_string())
}

fn plain(status: u16, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("the statuses here are valid");
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
}
