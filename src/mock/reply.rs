//! One reply in the making: decide on a fault, then refuse, answer whole or stream.

use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use hyper::Response;
use hyper::http::request::Parts;
use tokio::time::Instant;

use crate::mock::admission;
use crate::mock::answer::Answer;
use crate::mock::body::Body;
use crate::mock::body::Ending;
use crate::mock::body::Parcel;
use crate::mock::body::Severed;
use crate::mock::dialect;
use crate::mock::failure::Failure;
use crate::mock::faults;
use crate::mock::faults::Fault;
use crate::mock::faults::Kind;
use crate::mock::faults::Strikes;
use crate::mock::mood::Mood;
use crate::mock::pace;
use crate::mock::pace::Pace;
use crate::mock::plan;
use crate::mock::playback::Playback;
use crate::mock::rate::Standing;
use crate::mock::request::Ask;
use crate::mock::server::Shared;
use crate::mock::ticket::Ticket;
use crate::wire::Dialect;

/// A page as proxies put in an answer's place.
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n";

/// A reply, or nothing but a closed connection.
pub(crate) type Outcome = Result<Response<Body>, Severed>;

/// The making of one reply.
pub(crate) struct Reply<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) dialect: Dialect,
    /// The number of the request, which decides all that is random about it.
    pub(crate) number: u64,
    /// The unique part of its ids.
    pub(crate) id: String,
    /// The fault that strikes it.
    pub(crate) kind: Option<Kind>,
    /// What it is told of the rate limit, where there is one.
    pub(crate) standing: Option<Standing>,
}

/// Sets the lots of a mood's errors apart from those of the description's faults.
const LOTS: u64 = 0x6d6f_6f64;

impl Reply<'_> {
    /// Lets the mood that the relay was in when the request came have its way with it.
    pub(crate) async fn suffer(&self, mood: Mood, ticket: &mut Ticket) -> Result<(), Failure> {
        mood.wait().await;
        if pace::random(self.shared.spec.seed ^ LOTS, self.number).f64() >= mood.error_share {
            return Ok(());
        }
        ticket.note_fault("zone");
        Err(Failure::told(mood.error_status, mood.retry_after_s))
    }

    /// Holds the request against the limits that count it whatever it asks for.
    pub(crate) fn admit(&mut self, ticket: &mut Ticket) -> Result<(), Failure> {
        let (Some(gate), Some(rate)) = (&self.shared.gate, self.shared.spec.rate) else { return Ok(()) };
        let (standing, wait) = gate.admit(Instant::now());
        self.standing = Some(standing);
        let Some(wait) = wait else { return Ok(()) };
        ticket.note_fault("rate");
        Err(Failure::rate_limited(wait, &rate.to_string()))
    }

    /// Turns away whom the door is shut to, and then what is not signed over its body as it came.
    pub(crate) fn authorise(
        &self,
        peer: Option<IpAddr>,
        (head, body): (&Parts, &[u8]),
        ticket: &mut Ticket,
    ) -> Result<(), Failure> {
        if let Err(refusal) = admission::admit(self.shared, peer, &head.headers) {
            ticket.note_fault(refusal.name());
            return Err(refusal.failure());
        }
        let signatures = self.shared.guards.signatures.as_ref();
        signatures.map_or(Ok(()), |signatures| signatures.check(head, body)).map_err(|fault| {
            ticket.note_fault("signature");
            Failure::signature(&fault)
        })
    }

    /// Refuses content that came a moment ago.
    pub(crate) fn recognise(&self, body: &[u8], ticket: &mut Ticket) -> Result<(), Failure> {
        let duplicates = self.shared.duplicates.as_ref();
        let Some(wait) = duplicates.and_then(|seen| seen.rest(body, Instant::now())) else { return Ok(()) };
        ticket.note_fault("duplicate");
        Err(Failure::duplicate(wait))
    }

    /// Answers a request that was understood.
    pub(crate) async fn answer(mut self, ask: Ask, path: &str, mut ticket: Ticket) -> Outcome {
        ticket.note_ask(&ask);
        let spec = &self.shared.spec;
        let mut random = pace::random(spec.seed, self.number);
        let by_chance = spec.fault_by_chance(random.f64());
        // Requests without a model name their fault in the path: /raw/mock-cut.
        let fault = faults::named_in(ask.model.as_deref().unwrap_or(path)).or(by_chance);
        self.kind = fault.filter(|fault| self.is_struck(fault, &ask, &ticket)).map(|fault| {
            ticket.note_fault(fault.name);
            fault.kind
        });
        if self.kind == Some(Kind::RateLimited) {
            self.standing = Some(Standing::SPENT);
        }
        let model = ask.model.as_deref().unwrap_or(faults::MODEL);
        // A slip in the name must not pass for a relay without that fault.
        if let Some(message) = faults::missed_in(model) {
            return Ok(self.refuse(&Failure::unknown_model(message), ticket));
        }
        if let Some(failure) = self.kind.and_then(|kind| Failure::of(kind, model)) {
            return Ok(self.refuse(&failure, ticket));
        }
        match self.kind {
            Some(Kind::Reset) => {
                ticket.sever();
                return Err(Severed);
            }
            Some(Kind::Silent) => return std::future::pending().await,
            Some(Kind::Redirect | Kind::Empty | Kind::Html | Kind::HtmlBadGateway | Kind::ErrorBody) => {
                return Ok(self.misplaced(ticket));
            }
            _ => {}
        }
        let tokens = spec.tokens.draw(&mut random);
        let pace = Pace::plan(spec, random);
        let is_stream = match self.kind {
            Some(Kind::JsonStream) => self.dialect == Dialect::Raw,
            Some(Kind::SseWhole) => true,
            _ => ask.stream,
        };
        let words = spec.seed ^ pace::mix(self.number);
        let identity =
            plan::Identity { id: self.id.clone(), created: now(), words, filler: self.shared.filler.clone() };
        let answer = plan::answer(plan::Wish { ask, kind: self.kind, tokens, is_stream }, identity);
        ticket.queue().await;
        if is_stream { Ok(self.stream(pace, answer, ticket)) } else { self.whole(pace, answer, ticket).await }
    }

    /// Whether a fault strikes this attempt.
    fn is_struck(&self, fault: &Fault, ask: &Ask, ticket: &Ticket) -> bool {
        let has_options = self.dialect == Dialect::Chat && ask.stream_usage.is_some();
        if fault.kind == Kind::RejectStreamOptions && !has_options {
            return false;
        }
        let mut once = self.shared.once.lock().unwrap_or_else(PoisonError::into_inner);
        fault.strikes == Strikes::Always || once.strikes(fault.name, ticket.request_id())
    }

    /// The head of a reply with the vendor's name for the relay's own id.
    fn head(&self, status: u16, content_type: &str) -> hyper::http::response::Builder {
        let id_name = match self.dialect {
            Dialect::Messages | Dialect::Complete => "request-id",
            _ => "x-request-id",
        };
        let head = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header(id_name, format!("req_{}", self.id));
        let told = self.standing.map(|standing| standing.headers(self.dialect)).unwrap_or_default();
        told.into_iter().fold(head, |head, (name, value)| head.header(name, value))
    }

    /// A refusal in the dialect's shape.
    pub(crate) fn refuse(&self, failure: &Failure, mut ticket: Ticket) -> Response<Body> {
        let content_type =
            if self.dialect == Dialect::Raw { "text/plain; charset=utf-8" } else { "application/json" };
        let mut head = self.head(failure.status, content_type);
        for (name, value) in failure.headers() {
            head = head.header(name, value);
        }
        ticket.note_headers(failure.status);
        let body = failure.body(self.dialect, &format!("req_{}", self.id));
        reply(head, Body::Parcel(Box::new(Parcel::whole(body, Some(ticket)))))
    }

    /// A reply that is not the vendor's at all.
    fn misplaced(&self, mut ticket: Ticket) -> Response<Body> {
        let (status, content_type, body) = match self.kind {
            Some(Kind::Redirect) => (307, "text/plain", Bytes::new()),
            Some(Kind::Html) => (200, "text/html; charset=utf-8", PAGE.into()),
            Some(Kind::HtmlBadGateway) => (502, "text/html; charset=utf-8", PAGE.into()),
            Some(Kind::ErrorBody) => {
                let body = Failure::overloaded().body(self.dialect, &format!("req_{}", self.id));
                (200, "application/json", body)
            }
            _ => (200, "application/json", Bytes::new()),
        };
        let mut head = self.head(status, content_type);
        if self.kind == Some(Kind::Redirect) {
            head = head.header("location", "/elsewhere");
        }
        ticket.note_headers(status);
        reply(head, Body::Parcel(Box::new(Parcel::whole(body, Some(ticket)))))
    }

    /// A stream, whose headers leave at once.
    fn stream(&self, pace: Pace, answer: Answer, mut ticket: Ticket) -> Response<Body> {
        let content_type = match self.dialect {
            Dialect::Raw => "text/plain; charset=utf-8",
            Dialect::Messages | Dialect::Complete => "text/event-stream; charset=utf-8",
            Dialect::Chat | Dialect::Responses => "text/event-stream",
        };
        ticket.note_headers(200);
        let playback = Playback::new(plan::stream(self.kind, self.dialect, pace, answer), ticket);
        let head = self.head(200, content_type).header("cache-control", "no-cache");
        reply(head, Body::Stream(Box::new(playback)))
    }

    /// A whole answer, which comes when its last token would have.
    async fn whole(&self, pace: Pace, answer: Answer, mut ticket: Ticket) -> Outcome {
        let start = Instant::now();
        let late = if self.kind == Some(Kind::SlowFirstByte) { plan::SLOW } else { Duration::ZERO };
        tokio::time::sleep_until(ticket.thaw(start + late + pace.last(answer.tokens))).await;
        let bytes = dialect::whole(self.dialect, &answer);
        ticket.note_headers(200);
        let parcel = match self.kind {
            Some(Kind::Cut) => Parcel::half(bytes, Ending::Cut, ticket),
            Some(Kind::Eof | Kind::Garbage) => Parcel::half(bytes, Ending::Clean, ticket),
            Some(Kind::Stall | Kind::PingStall) => Parcel::half(bytes, Ending::Hang, ticket),
            Some(Kind::SplitUtf8) => Parcel::split(bytes, ticket),
            Some(Kind::ErrorEvent | Kind::ErrorFirst) => {
                let body = Failure::overloaded().body(self.dialect, &format!("req_{}", self.id));
                Parcel::whole(body, Some(ticket))
            }
            _ => Parcel::whole(bytes, Some(ticket)),
        };
        Ok(reply(self.head(200, "application/json"), Body::Parcel(Box::new(parcel))))
    }
}

/// Joins head and body.
fn reply(head: hyper::http::response::Builder, body: Body) -> Response<Body> {
    head.body(body).expect("the parts of a reply are valid")
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
