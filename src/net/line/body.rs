//! The body of a reply, which reads its connection and gives it back at its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower_http::BoxError;

use super::home::Home;
use super::link::Link;
use super::shared::Seat;

/// A body and what brings it.
pub(in super::super) struct LineBody(pub(super) Carrier);

/// What brings a body.
pub(super) enum Carrier {
    /// A connection of its own, and where that goes afterwards, where it is kept.
    Alone(Box<Link>, Option<Arc<Home>>),
    /// A place on one that a task of its own drives, held until the body has been read.
    Shared(Incoming, #[expect(dead_code, reason = "its end gives the place to another request")] Seat),
    /// Nothing any more: it has been read.
    Read,
}

impl LineBody {
    /// The next bytes as they came; none at the end.
    pub(in super::super) fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, BoxError>> {
        let data = match &mut self.0 {
            Carrier::Alone(link, _) => ready!(link.poll_body(context)).map_err(BoxError::from),
            Carrier::Shared(incoming, _) => ready!(poll_shared(incoming, context)).map_err(BoxError::from),
            Carrier::Read => Ok(None),
        };
        if matches!(data, Ok(None))
            && let Carrier::Alone(link, Some(home)) = std::mem::replace(&mut self.0, Carrier::Read)
        {
            home.put(link);
        }
        Poll::Ready(data)
    }
}

/// The next bytes of a body that shares its connection; what is none is trailers, which no dialect uses.
fn poll_shared(incoming: &mut Incoming, context: &mut Context<'_>) -> Poll<hyper::Result<Option<Bytes>>> {
    while let Some(frame) = ready!(Pin::new(&mut *incoming).poll_frame(context)) {
        if let Ok(data) = frame?.into_data() {
            return Poll::Ready(Ok(Some(data)));
        }
    }
    Poll::Ready(Ok(None))
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let data = ready!(self.poll_data(context));
        Poll::Ready(data.map(|data| data.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        // The end is seen by who reads up to it, so that the connection is given back.
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
