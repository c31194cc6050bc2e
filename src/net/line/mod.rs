//! The engine's own connections to one place: each is driven by the request that it carries, and the parts of its making
//! are timed apart.
//!
//! A pool that serves everybody hands requests over to connections that live in tasks of their own. Here a request polls
//! its connection itself: nothing is handed over, and what arrives is seen first by the task that waits for it. HTTP/2,
//! whose connections carry several requests, has a task for each connection.

mod body;
mod count;
mod dial;
mod fault;
mod framing;
mod head;
mod home;
mod link;
mod place;
mod secure;
mod shared;
mod spare;
mod stream;
mod unpack;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::header::ACCEPT_ENCODING;
use tokio::time::Instant;
use tower_http::BoxError;

use crate::outcome::Connections;

use self::body::Carrier;
use self::count::Counts;
use self::dial::Dialer;
use self::home::Home;
use self::link::{Link, Unanswered};
use self::place::Place;
use self::shared::{Outgoing, Trunks};
use self::spare::Spares;
use super::connection::{Connection, HttpVersion, Reuse};
use super::follow::Led;
use super::probe::{Probe, TimedResolver};
use super::{Error, Method, Request, Url};

pub(super) use self::body::LineBody;
pub(super) use self::dial::DialError;
pub(super) use self::fault::Fault;
pub(super) use self::head::ReplyHead;
pub(super) use self::unpack::{Unpacked, is_packed, unpack};

/// The connections to one place.
pub(super) struct Line {
    dialer: Arc<Dialer>,
    home: Arc<Home>,
    trunks: Trunks,
    spares: Spares,
    counts: Arc<Counts>,
    version: HttpVersion,
    reuse: Reuse,
    /// The address that was asked for last, in the forms that requests need; most ask for one.
    last: Mutex<Option<Arc<Place>>>,
}

/// What came back.
pub(super) struct Arrived {
    pub(super) head: ReplyHead,
    pub(super) body: LineBody,
    /// How long the request took to leave once it had a connection; absent where several may share one.
    pub(super) sent: Option<Duration>,
}

impl Line {
    /// Connections to `target`; none is made yet.
    pub(super) fn new(
        connection: &Connection,
        target: &Url,
        (resolver, led): (TimedResolver, Option<Led>),
    ) -> Result<Self, Error> {
        let dialer = Arc::new(Dialer::new(connection, target, (resolver, led))?);
        let (home, counts): (Arc<Home>, Arc<Counts>) = (Arc::default(), Arc::default());
        Ok(Self {
            trunks: Trunks::new(Arc::clone(&dialer), Arc::clone(&home), Arc::clone(&counts)),
            spares: Spares::new(connection.ahead, (&dialer, &home, &counts)),
            dialer,
            home,
            counts,
            version: connection.version,
            reuse: connection.reuse,
            last: Mutex::new(None),
        })
    }

    /// Sends a request and waits for the head of its reply.
    pub(super) async fn send(&self, request: &Request) -> Result<Arrived, BoxError> {
        let place = self.place(&request.url)?;
        let probe = &request.journey.0;
        let may_share = match self.version {
            HttpVersion::One => false,
            HttpVersion::Two => true,
            // Without TLS there is nothing to negotiate by.
            HttpVersion::Negotiated => self.dialer.is_secure(),
        };
        // What is rare is kept out of the future of every request, which is moved about.
        if may_share && let Some(arrived) = Box::pin(self.send_shared(request, (&place, probe))).await? {
            return Ok(arrived);
        }
        self.send_alone(request, (&place, probe)).await
    }

    /// Sends a request over a connection that carries nothing else meanwhile.
    async fn send_alone(
        &self,
        request: &Request,
        (place, probe): (&Place, &Arc<Probe>),
    ) -> Result<Arrived, BoxError> {
        // A connection that was kept may be found closed: what has not begun to leave goes over another one.
        let start = Instant::now();
        while let Some(mut link) = self.home.take(start) {
            if !link.is_open().await {
                continue;
            }
            self.spares.top_up(&place.whole);
            match link.send(place, request).await {
                Ok(head) => return Ok(self.arrived(head, link, start)),
                Err(Unanswered::Unsent(_)) => {}
                Err(Unanswered::Failed(fault)) => return Err(fault.into()),
            }
        }
        self.spares.top_up(&place.whole);
        let stream = Box::pin(self.dialer.dial(&place.whole, probe)).await?;
        let mut link = Box::new(Link::new(stream, &self.counts));
        let start = Instant::now();
        match link.send(place, request).await {
            Ok(head) => Ok(self.arrived(head, link, start)),
            Err(Unanswered::Unsent(fault) | Unanswered::Failed(fault)) => Err(fault.into()),
        }
    }

    fn arrived(&self, head: ReplyHead, link: Box<Link>, start: Instant) -> Arrived {
        self.counts.carries(1);
        let sent = link.left().map(|left| left.saturating_duration_since(start));
        let home = (self.reuse == Reuse::KeepAlive).then(|| Arc::clone(&self.home));
        Arrived { head, body: LineBody(Carrier::Alone(link, home)), sent }
    }

    /// Sends a request over a connection that may carry others; nothing where the server knows none such.
    async fn send_shared(
        &self,
        request: &Request,
        (place, probe): (&Place, &Arc<Probe>),
    ) -> Result<Option<Arrived>, BoxError> {
        let mut outgoing = outgoing(request, place);
        loop {
            let seat = match self.reuse {
                Reuse::KeepAlive => self.trunks.seat(&place.whole, probe).await?,
                Reuse::Never => self.trunks.seat_alone(&place.whole, probe).await?,
            };
            let Some(seat) = seat else { return Ok(None) };
            match seat.send(outgoing).await {
                Ok(reply) => {
                    let (parts, incoming) = reply.into_parts();
                    let (status, headers) = (parts.status.as_u16(), parts.headers.into());
                    let head = ReplyHead { status, version: "HTTP/2", headers };
                    let body = LineBody(Carrier::Shared(incoming, seat));
                    return Ok(Some(Arrived { head, body, sent: None }));
                }
                Err(refused) if seat.is_first => return Err(refused.into_error().into()),
                Err(refused) => outgoing = unsent(refused)?,
            }
        }
    }

    /// What has become of connections since this was last asked.
    pub(super) fn take_lines(&self) -> Connections {
        self.counts.take()
    }

    /// The address in the forms that a request needs.
    fn place(&self, url: &Arc<Url>) -> Result<Arc<Place>, BoxError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Most have been made from one and the same.
        let is_same = |place: &&Arc<Place>| Arc::ptr_eq(&place.url, url) || place.url == *url;
        if let Some(place) = last.as_ref().filter(is_same) {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(Place::of(url)?);
        *last = Some(Arc::clone(&place));
        Ok(place)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Line").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// A request as it goes to a connection over HTTP/2.
fn outgoing(request: &Request, place: &Place) -> Outgoing {
    let mut outgoing = Outgoing::new(Full::new(request.body.clone()));
    *outgoing.method_mut() = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    outgoing.uri_mut().clone_from(&place.whole);
    *outgoing.headers_mut() = request.headers.to_map();
    outgoing.headers_mut().entry(ACCEPT_ENCODING).or_insert(unpack::ACCEPTED);
    outgoing
}

/// The request that a connection gave back because nothing of it has left, or why it failed.
fn unsent(mut refused: TrySendError<Outgoing>) -> Result<Outgoing, BoxError> {
    refused.take_message().ok_or_else(|| refused.into_error().into())
}

#[cfg(test)]
mod tests;
