//! The body of a reply, which drives its connection while it is read and gives it back at its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::{Body, Incoming};

use super::link::{Home, Link};
use super::shared::Seat;

/// A body and what brings it.
pub(in super::super) struct LineBody {
    pub(super) incoming: Incoming,
    pub(super) carrier: Carrier,
}

/// What brings a body.
pub(super) enum Carrier {
    /// A connection that is driven here, and where it goes afterwards, where it is kept.
    Link(Link, Option<Arc<Home>>),
    /// A connection that a task of its own drives.
    Seat(#[expect(dead_code, reason = "held until the body has been read")] Seat),
    /// Nothing any more: the body has been read.
    Gone,
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_pending()
            && let Carrier::Link(link, _) = &mut self.carrier
        {
            link.drive(context);
            polled = Pin::new(&mut self.incoming).poll_frame(context);
        }
        if matches!(polled, Poll::Ready(None))
            && let Carrier::Link(link, Some(home)) = std::mem::replace(&mut self.carrier, Carrier::Gone)
        {
            home.put(link, context);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        // The end is seen by who reads up to it, so that the connection is given back.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
