//! Repairs: a request that was understood, and one detail of it refused, is sent again with that detail changed.
//!
//! Each repair is made at most once, at once, and does not count as one of the attempts.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::net::{Credential, Signer, Transport, Trial, Url};

use super::call::Usage;
use super::deadlines::Progress;
use super::dress::Form;
use super::exchange::{Exchange, Trouble};
use super::route::Aim;
use super::{Call, Client};

/// What an exchange has found out about the form of its request.
#[derive(Debug)]
pub(super) struct Repairs<'a> {
    usage: Usage,
    body: Body<'a>,
    /// Whether the relay's time was taken over.
    clock_followed: bool,
    /// Whether the other of two keys has signed.
    key_turned: bool,
    /// Whether another token was sent.
    token_replaced: bool,
    /// When the first attempt began.
    began: Instant,
}

/// How the body leaves, and what that is to show.
#[derive(Debug)]
enum Body<'a> {
    /// Nothing has decided it.
    Open,
    /// The attempt under way is compressed.
    Packed(Trial<'a>),
    /// A compressed attempt was refused; it shows something if the same body is taken as it is.
    Suspected(Trial<'a>),
    /// It leaves as it is from here on.
    Plain,
}

impl Repairs<'_> {
    /// Nothing has been found out yet by an exchange whose first attempt begins now.
    pub(super) fn new(began: Instant) -> Self {
        Self {
            usage: Usage::Asked,
            body: Body::Open,
            clock_followed: false,
            key_turned: false,
            token_replaced: false,
            began,
        }
    }
}

impl<T: Transport> Client<T> {
    /// The form of the next attempt.
    pub(super) fn form<'a>(&'a self, (call, url): (&Call, &Url), repairs: &mut Repairs<'a>) -> Form {
        if self.usage_rejected.load(Ordering::Relaxed) {
            repairs.usage = Usage::Unasked;
        }
        if let (Body::Open, Some(compressor)) = (&repairs.body, self.compressor.as_deref())
            && !call.headers().contains_key("content-encoding")
            && call.payload(repairs.usage).packed(compressor).is_some()
            && let Some(trial) = compressor.ask(url)
        {
            repairs.body = Body::Packed(trial);
        }
        let coding = match &repairs.body {
            Body::Packed(trial) => Some(trial.coding()),
            _ => None,
        };
        Form { usage: repairs.usage, coding }
    }

    /// Learns from an attempt that has ended; says in words what is changed, where it is to be sent again at once.
    pub(super) async fn repair(
        &self,
        (call, aim): (&Call, Aim<'_>),
        exchange: &mut Exchange,
        repairs: &mut Repairs<'_>,
    ) -> Option<&'static str> {
        if repairs.usage == Usage::Asked && call.can_go_without_usage() && exchange.usage_was_rejected() {
            self.usage_rejected.store(true, Ordering::Relaxed);
            repairs.body.rest();
            return Some("sent again without stream_options");
        }
        if repairs.body.learn(exchange.status) {
            return Some("sent again without compression");
        }
        if !repairs.clock_followed
            && let (Some(signer), Some(ahead)) = (aim.signer, exchange.clock_ahead)
            && signer.follow(ahead)
        {
            repairs.clock_followed = true;
            return Some("signed anew by the relay's clock");
        }
        // Where the other key is refused as well, the next request begins with this one again.
        if turn_key(aim.signer, exchange) && !std::mem::replace(&mut repairs.key_turned, true) {
            return Some("signed anew by the other key");
        }
        if !repairs.token_replaced && self.replace_token(aim.credential, exchange, repairs.began).await {
            repairs.token_replaced = true;
            return Some("sent again with a new token");
        }
        None
    }

    /// Replaces the token that a relay has refused; what keeps it from being replaced is the exchange's trouble from then on.
    /// Whether there is a new one.
    async fn replace_token(
        &self,
        credential: Option<&Credential>,
        exchange: &mut Exchange,
        began: Instant,
    ) -> bool {
        let keeper = credential.and_then(Credential::keeper);
        let (Some(401), Some(generation), Some(keeper)) = (exchange.status, exchange.token, keeper) else {
            return false;
        };
        let asked = Instant::now();
        let replaced = self.outside(began).wait(Progress::default(), keeper.replace(generation)).await;
        exchange.authorised += asked.elapsed();
        match replaced {
            Ok(Ok(())) => {
                exchange.charge_to_token(asked);
                true
            }
            Ok(Err(error)) => {
                exchange.trouble = Some(Trouble::Token(error));
                false
            }
            Err(_) => false,
        }
    }
}

/// Lets the other of two signing keys sign from here on, where a relay has refused a signature and its time was right.
fn turn_key(signer: Option<&Signer>, exchange: &Exchange) -> bool {
    let (Some(401 | 403), Some(signer), Some(by)) = (exchange.status, signer, exchange.signed) else {
        return false;
    };
    signer.turn(by, exchange.clock_ahead)
}

impl Body<'_> {
    /// The attempt has shown nothing about compression.
    fn rest(&mut self) {
        if let Self::Packed(_) = self {
            *self = Self::Open;
        }
    }

    /// Learns from a status; whether the body is to be sent again as it is.
    fn learn(&mut self, status: Option<u16>) -> bool {
        let is_taken = status.is_some_and(|status| (200..300).contains(&status));
        *self = match std::mem::replace(self, Self::Plain) {
            Self::Packed(trial) if is_taken => {
                trial.took();
                Self::Open
            }
            Self::Packed(trial) if trial.may_be_refused(status) => {
                *self = Self::Suspected(trial);
                return true;
            }
            Self::Suspected(trial) if is_taken => {
                trial.refused();
                Self::Plain
            }
            Self::Packed(_) => Self::Open,
            other => other,
        };
        false
    }
}
