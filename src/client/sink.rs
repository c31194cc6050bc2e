//! Where the pieces of an exchange go, and how a taker that is slow slows the relay down.

use std::future::Future;
use std::ops::ControlFlow;

use super::Piece;

/// Takes the pieces of an exchange as they come. Any closure over a [`Piece`] is one, and always ready.
pub trait Sink {
    /// Takes one piece, and breaks to end the exchange.
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()>;

    /// Waits until there is room for more, and breaks to end the exchange.
    ///
    /// Asked between two chunks of a stream. Nothing is read meanwhile, so that the relay is held back by its own
    /// connection; the wait is no fault of the relay's, and of the limits only the total one counts it.
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> {
        std::future::ready(ControlFlow::Continue(()))
    }

    /// Whether what has come already is read before it is asked to make room: it would rather pass on much at once.
    fn gathers(&self) -> bool {
        false
    }
}

impl<F: FnMut(Piece<'_>) -> ControlFlow<()>> Sink for F {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        self(piece)
    }
}
