//! The relay's list of models: one plain request, classed as an attempt of an answer is.

use tokio::time::Instant;
use uuid::Uuid;

use crate::net::Transport;
use crate::outcome::Class;
use crate::wire::{ModelPage, decode_models};

use super::attempt::{Arrival, Departure};
use super::exchange::Exchange;
use super::mask::Mask;
use super::{Call, Client};

impl<T: Transport> Client<T> {
    /// Fetches one page of the list that [`Call::models`] asks for; it is asked for once, outside of the retry loop.
    ///
    /// # Errors
    ///
    /// The exchange with its class and trouble, as [`Client::run`] would give it.
    pub async fn models(&self, call: &Call) -> Result<ModelPage, Box<Exchange>> {
        let ids = call.ids(|| format!("{}{}", self.request_id_prefix, Uuid::new_v4()));
        let began = Instant::now();
        let request = self.request(call, &ids, true);
        let secrets = Mask::of(&request.headers);
        let page = self.page(call, Departure { request, began, token: None, secrets: &secrets }).await;
        page.map_err(|mut exchange| {
            exchange.mask(&secrets);
            exchange.ids.request = ids.request;
            exchange.attempts = vec![exchange.summarise(1, began)];
            exchange
        })
    }

    async fn page<'c>(
        &'c self,
        call: &'c Call,
        departure: Departure<'c>,
    ) -> Result<ModelPage, Box<Exchange>> {
        let Arrival { exchange, head, mut reader } = self.depart(call, departure).await?;
        let (exchange, body) = reader.read_document(exchange, &head).await?;
        decode_models(&body).map_err(|error| Box::new(exchange.fail(Class::Protocol, error)))
    }
}
