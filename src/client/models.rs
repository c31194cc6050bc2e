//! The relay's list of models: one plain request, classed as an attempt of an answer is.

use tokio::time::Instant;

use crate::net::{Credential, Transport};
use crate::outcome::Class;
use crate::wire::{ModelPage, decode_models};

use super::attempt::{Arrival, Departure};
use super::call::Usage;
use super::dress::{Dressed, Form};
use super::exchange::Exchange;
use super::fold::Fold;
use super::ids::Ids;
use super::mask::Mask;
use super::reader::halted;
use super::repair::Repairs;
use super::{Call, Client};

impl<T: Transport> Client<T> {
    /// Fetches one page of the list that [`Call::models`] asks for, outside of the retry loop: once, and once more for
    /// each repair.
    ///
    /// # Errors
    ///
    /// The exchange with its class and trouble, as [`Client::run`] would give it.
    pub async fn models(&self, call: &Call) -> Result<ModelPage, Box<Exchange>> {
        let ids = call.ids(|| self.new_id());
        let began = Instant::now();
        let (mut past, mut repairs) = (Vec::new(), Repairs::new(began));
        loop {
            let mut exchange = match self.page(call, &ids, began).await {
                Ok(page) => return Ok(page),
                Err(exchange) => exchange,
            };
            let ended = began.elapsed();
            let change = self.repair((call, self.straight(call)), &mut exchange, &mut repairs).await;
            let number = u32::try_from(past.len()).unwrap_or(u32::MAX).saturating_add(1);
            past.push(exchange.summarise(number, ended));
            if change.is_none() {
                exchange.ids.request = ids.request;
                exchange.attempts = past;
                return Err(exchange);
            }
        }
    }

    async fn page(&self, call: &Call, ids: &Ids, began: Instant) -> Result<ModelPage, Box<Exchange>> {
        let aim = self.straight(call);
        if let Err(halt) = self.ready(aim, began).await.1 {
            let mut exchange = Box::new(Exchange::starting(call, Instant::now()));
            exchange.unsent = true;
            halted(&mut exchange, Fold::default(), halt);
            return Err(exchange);
        }
        let token = aim.credential.and_then(Credential::generation);
        let form = Form { usage: Usage::Unasked, coding: None };
        let Dressed { request, signed, .. } = self.request(call, ids, (form, aim));
        let secrets = Mask::of(&request.headers);
        let departure = Departure { request, began, token, secrets: &secrets, ticket: None };
        let mut exchange = Box::new(Exchange::starting(call, Instant::now()));
        let body = match self.depart(call, departure, &mut exchange).await {
            Some(Arrival { head, mut reader }) => reader.read_document(&mut exchange, &head).await,
            None => None,
        };
        match body.as_deref().map(decode_models) {
            Some(Ok(page)) => return Ok(page),
            Some(Err(error)) => exchange.fail(Class::Protocol, error),
            None => {}
        }
        exchange.signed = signed;
        exchange.mask(&secrets);
        Err(exchange)
    }
}
