//! The engine's own connections to one place: each is driven by the request that it carries, and the parts of its making
//! are timed apart.
//!
//! A pool that serves everybody hands requests over to connections that live in tasks of their own. Here a request polls
//! its connection itself: nothing is handed over, and what arrives is seen first by the task that waits for it. HTTP/2,
//! whose connections carry several requests, has a task for each connection.

mod body;
mod count;
mod dial;
mod link;
mod secure;
mod shared;
mod spare;
mod stream;
mod unpack;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::header::HOST;
use hyper::{Response, Uri};
use tokio::time::Instant;
use tower_http::BoxError;
use url::Position;

use crate::outcome::Connections;

use self::body::Carrier;
use self::count::Counts;
use self::dial::Dialer;
use self::link::{Home, Link};
use self::shared::Trunks;
use self::spare::Spares;
use super::connection::{Connection, HttpVersion, Reuse};
use super::follow::Led;
use super::probe::{Probe, TimedResolver};
use super::{Error, HeaderValue, Method, Request, Url};

pub(super) use self::body::LineBody;
pub(super) use self::dial::DialError;
pub(super) use self::unpack::{Unpacked, is_packed, unpack};

/// A request as it goes to a connection.
type Outgoing = hyper::Request<Full<Bytes>>;

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

/// An address in the forms that requests need.
struct Place {
    url: Url,
    /// The whole of it, for HTTP/2 and for connecting.
    whole: Uri,
    /// From its path on, for HTTP/1.1.
    path: Uri,
    host: HeaderValue,
}

/// What came back.
pub(super) struct Arrived {
    pub(super) reply: Response<LineBody>,
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
    pub(super) async fn send(&self, request: Request) -> Result<Arrived, BoxError> {
        let place = self.place(&request.url)?;
        let probe = Arc::clone(&request.journey.0);
        let mut outgoing = hyper::Request::new(Full::new(request.body));
        *outgoing.method_mut() = match request.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
        };
        *outgoing.headers_mut() = request.headers;
        unpack::accept_packed(outgoing.headers_mut());
        let is_shared = match self.version {
            HttpVersion::One => false,
            HttpVersion::Two => true,
            // Without TLS there is nothing to negotiate by.
            HttpVersion::Negotiated => self.dialer.is_secure(),
        };
        if is_shared {
            outgoing.uri_mut().clone_from(&place.whole);
            outgoing = match Box::pin(self.send_shared(outgoing, (&place, &probe))).await? {
                Sent::Answered(arrived) => return Ok(arrived),
                Sent::Refused(outgoing) => outgoing,
            };
        }
        self.send_alone(outgoing, (&place, &probe)).await
    }

    /// Sends a request over a connection that carries nothing else meanwhile.
    async fn send_alone(
        &self,
        mut outgoing: Outgoing,
        (place, probe): (&Place, &Arc<Probe>),
    ) -> Result<Arrived, BoxError> {
        outgoing.uri_mut().clone_from(&place.path);
        outgoing.headers_mut().entry(HOST).or_insert_with(|| place.host.clone());
        // A connection that was kept may be found closed: what has not begun to leave goes over another one.
        while let Some(mut link) = self.home.take() {
            self.spares.top_up(&place.whole);
            let start = Instant::now();
            match link.send(outgoing).await {
                Ok(reply) => return Ok(self.arrived(reply, link, start)),
                Err(refused) => outgoing = unsent(refused)?,
            }
        }
        self.spares.top_up(&place.whole);
        // What is rare is kept out of the future of every request, which is moved about.
        let stream = Box::pin(self.dialer.dial(&place.whole, probe)).await?;
        let mut link = Link::new(stream, &self.counts).await?;
        let start = Instant::now();
        match link.send(outgoing).await {
            Ok(reply) => Ok(self.arrived(reply, link, start)),
            Err(refused) => Err(refused.into_error().into()),
        }
    }

    fn arrived(&self, reply: Response<hyper::body::Incoming>, link: Link, start: Instant) -> Arrived {
        self.counts.carries(1);
        let sent = link.left_after(start);
        let home = (self.reuse == Reuse::KeepAlive).then(|| Arc::clone(&self.home));
        let reply = reply.map(|incoming| LineBody { incoming, carrier: Carrier::Link(link, home) });
        Arrived { reply, sent }
    }

    /// Sends a request over a connection that may carry others, unless the server knows none such.
    async fn send_shared(
        &self,
        mut outgoing: Outgoing,
        (place, probe): (&Place, &Arc<Probe>),
    ) -> Result<Sent, BoxError> {
        loop {
            let seat = match self.reuse {
                Reuse::KeepAlive => self.trunks.seat(&place.whole, probe).await?,
                Reuse::Never => self.trunks.seat_alone(&place.whole, probe).await?,
            };
            let Some(seat) = seat else { return Ok(Sent::Refused(outgoing)) };
            match seat.send(outgoing).await {
                Ok(reply) => {
                    let carrier = Carrier::Seat(seat);
                    let reply = reply.map(|incoming| LineBody { incoming, carrier });
                    return Ok(Sent::Answered(Arrived { reply, sent: None }));
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
    fn place(&self, url: &Url) -> Result<Arc<Place>, BoxError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = last.as_ref().filter(|place| place.url == *url) {
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

/// What became of a request that was to share a connection.
enum Sent {
    Answered(Arrived),
    /// Given back: the server speaks HTTP/1.1 only.
    Refused(Outgoing),
}

/// The request that a connection gave back because nothing of it has left, or why it failed.
fn unsent(mut refused: TrySendError<Outgoing>) -> Result<Outgoing, BoxError> {
    refused.take_message().ok_or_else(|| refused.into_error().into())
}

impl Place {
    fn of(url: &Url) -> Result<Self, BoxError> {
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        Ok(Self {
            whole: Uri::try_from(url.as_str())?,
            path: Uri::try_from(&url[Position::BeforePath..Position::AfterQuery])?,
            host: HeaderValue::from_str(authority)?,
            url: url.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
