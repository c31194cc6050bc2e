//! Repairs: the request was understood and one detail of it refused, which is changed and the request sent again at once.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::net::Transport;

use super::deadlines::Progress;
use super::exchange::{Exchange, Trouble};
use super::{Call, Client};

/// Which repairs of an exchange have been made.
pub(super) struct Repairs {
    /// Usage was not asked for.
    pub(super) usage: bool,
    /// Another token was sent.
    pub(super) token: bool,
    /// When the first attempt began.
    pub(super) began: Instant,
}

impl<T: Transport> Client<T> {
    /// Repairs what was refused, once for each kind; the text says what was changed.
    pub(super) async fn repair(
        &self,
        call: &Call,
        exchange: &mut Exchange,
        done: &mut Repairs,
    ) -> Option<&'static str> {
        if !done.usage && call.can_go_without_usage() && exchange.usage_was_rejected() {
            done.usage = true;
            self.usage_rejected.store(true, Ordering::Relaxed);
            return Some("sent again without stream_options");
        }
        if !done.token && self.replace_token(exchange, done.began).await {
            done.token = true;
            return Some("sent again with a new token");
        }
        None
    }

    /// Replaces the token that a relay has refused; what keeps it from being replaced is the exchange's trouble from then on.
    /// Whether there is a new one.
    pub(super) async fn replace_token(&self, exchange: &mut Exchange, began: Instant) -> bool {
        let keeper = self.credential.as_ref().and_then(|credential| credential.keeper());
        let (Some(401), Some(generation), Some(keeper)) = (exchange.status, exchange.token, keeper) else {
            return false;
        };
        match self.outside(began).wait(Progress::default(), keeper.replace(generation)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                exchange.trouble = Some(Trouble::Token(error));
                false
            }
            Err(_) => false,
        }
    }
}
