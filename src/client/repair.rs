//! Repairs: the request was understood and one detail of it refused, which is changed and the request sent again at once.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::net::Transport;

use super::deadlines::Progress;
use super::exchange::Exchange;
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
        exchange: &Exchange,
        done: &mut Repairs,
    ) -> Option<&'static str> {
        if !done.usage && call.can_go_without_usage() && exchange.usage_was_rejected() {
            done.usage = true;
            self.usage_rejected.store(true, Ordering::Relaxed);
            return Some("sent again without stream_options");
        }
        if !done.token && exchange.status == Some(401) {
            let keeper = self.credential.as_ref().and_then(|credential| credential.keeper())?;
            done.token = true;
            // What keeps it from being replaced is said by the next request; this one was refused all the same.
            let replaced = keeper.replace(exchange.token?);
            self.outside(done.began).wait(Progress::default(), replaced).await.ok()?.ok()?;
            return Some("sent again with a new token");
        }
        None
    }
}
