//! One HTTP/1.1 connection, driven by the request that it carries, and the place where those without a request wait.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::super::lane::IDLE_LIMIT;
use super::Outgoing;
use super::count::{Counted, Counts};
use super::stream::{Clock, Stream};

/// What reads from a connection and writes to it.
type Driver = Pin<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>;

/// A connection that carries one request at a time.
pub(super) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What reads and writes; nothing once it has ended.
    driver: Option<Driver>,
    clock: Arc<Clock>,
    /// Counted while it is open.
    _open: Counted,
}

impl Link {
    /// Speaks HTTP/1.1 over a stream.
    pub(super) async fn new(stream: Stream, counts: &Arc<Counts>) -> hyper::Result<Self> {
        let clock = stream.clock();
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), clock, _open: counts.open() })
    }

    /// Reads and writes as far as that goes without waiting.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            // Why it ended is told to the request and to the body, too.
            && driver.as_mut().poll(context).is_ready()
        {
            self.driver = None;
        }
    }

    /// Sends a request and waits for the head of its reply.
    pub(super) async fn send(
        &mut self,
        request: Outgoing,
    ) -> Result<Response<Incoming>, TrySendError<Outgoing>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// How long after a moment its request had left.
    pub(super) fn left_after(&self, start: Instant) -> Option<Duration> {
        self.clock.left().map(|left| left.saturating_duration_since(start))
    }

    /// Whether it can carry the next request.
    fn is_free(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Where connections wait for a request.
#[derive(Default)]
pub(super) struct Home {
    /// Those that have waited longest come first; each with the moment since when.
    waiting: Mutex<VecDeque<(Link, Instant)>>,
}

impl Home {
    /// The connection that has waited for the shortest time.
    pub(super) fn take(&self) -> Option<Link> {
        let mut waiting = self.waiting();
        let (link, since) = waiting.pop_back()?;
        if since.elapsed() < IDLE_LIMIT {
            return Some(link);
        }
        waiting.clear();
        None
    }

    /// Takes back a connection whose answer has been read, if it can carry another request.
    pub(super) fn put(&self, mut link: Link, context: &mut Context<'_>) {
        // Most know by now that they are free; the others look whether they were closed.
        if !link.is_free() {
            link.drive(context);
        }
        if !link.is_free() {
            return;
        }
        let now = Instant::now();
        let mut waiting = self.waiting();
        while waiting.front().is_some_and(|(_, since)| now.duration_since(*since) >= IDLE_LIMIT) {
            waiting.pop_front();
        }
        waiting.push_back((link, now));
    }

    /// Takes in a connection that has carried nothing yet.
    pub(super) fn keep(&self, link: Link) {
        self.waiting().push_back((link, Instant::now()));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Link, Instant)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
