//! The cache's place in an exchange: before everything else, so that a hit costs neither a connection nor a limit.

use std::ops::ControlFlow;

use tokio::time::Instant;

use crate::client::deadlines::Progress;
use crate::client::fold::Fold;
use crate::client::reader::halted;
use crate::client::{Call, Client, Exchange, Piece, Sink};
use crate::net::Transport;

use super::{Cache, Key, Recorder};

impl<T: Transport> Client<T> {
    /// Carries a call whose answer may be there already, and keeps the answer if it was not.
    pub(in crate::client) async fn run_once(
        &self,
        call: &Call,
        (cache, key): (&Cache, Key),
        sink: &mut impl Sink,
    ) -> Exchange {
        let began = Instant::now();
        let _flight = match self.outside(began).wait(Progress::default(), cache.enter(key)).await {
            Ok(flight) => flight,
            Err(halt) => {
                let mut exchange = Exchange::starting(call, began);
                halted(&mut exchange, Fold::default(), halt);
                return exchange;
            }
        };
        if let Some(saved) = cache.get(&key).filter(|saved| saved.answers(call)) {
            let mut exchange = saved.replay(call, sink);
            exchange.cache = Some(cache.form());
            exchange.ids.request = call.ids(|| self.new_id()).request;
            return exchange;
        }
        let mut tee = Tee { recorder: Recorder::new(call), sink };
        let exchange = self.carry(call, &mut tee).await;
        if let Some(saved) = tee.recorder.finish(&exchange) {
            cache.put(&key, &saved);
        }
        Exchange { cache: Some(cache.form()), ..exchange }
    }
}

/// Hands every piece to the recorder and to the sink.
struct Tee<'a, S> {
    recorder: Recorder,
    sink: &'a mut S,
}

impl<S: Sink> Sink for Tee<'_, S> {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        self.recorder.take(&piece);
        self.sink.take(piece)
    }

    async fn ready(&mut self) -> ControlFlow<()> {
        self.sink.ready().await
    }
}
