//! Carries one call to its end, or until a signal ends it, and says what its answer lacks.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::client::cache::Form;
use crate::client::{Call, Client, Exchange, Sink};
use crate::config::Settings;
use crate::net::Pool;
use crate::outcome::Class;
use crate::units::Money;

use super::lookout::{Lookout, watch};
use super::show::Account;
use super::signals::Signals;
use super::{Signal, Talk};

/// A call that has ended.
pub(super) struct Carried {
    pub(super) exchange: Exchange,
    /// The signal that ended it.
    pub(super) signal: Option<Signal>,
}

/// Carries the call on this thread; the first signal ends it, a second one ends the process.
pub(super) fn carry(
    client: Client<Pool>,
    lookout: Option<&Lookout>,
    call: &Call,
    sink: &mut impl Sink,
) -> anyhow::Result<Carried> {
    let stop = Arc::new(Notify::new());
    let client = client.with_stop(Arc::clone(&stop));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carried = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        signals.arm_after_one()?;
        let mut came = None;
        let mut running = std::pin::pin!(client.run(call, sink));
        let mut watching = std::pin::pin!(watch(lookout));
        loop {
            tokio::select! {
                exchange = &mut running => break Ok(Carried { exchange, signal: came }),
                signal = signals.next() => {
                    came.get_or_insert(signal);
                    stop.notify_one();
                }
                () = &mut watching => {}
            }
        }
    });
    // A name look-up may still hang in a thread of its own, and nobody waits for it any more.
    runtime.shutdown_background();
    carried
}

/// What the settings know of an exchange.
pub(super) fn account_of(exchange: &Exchange, settings: &Settings) -> Account {
    Account { cost: cost_of(exchange, settings), tokens: settings.token_times() }
}

/// What the answer cost, where the configuration has a price for its model.
fn cost_of(exchange: &Exchange, settings: &Settings) -> Option<Money> {
    // The answer's own name of the model may be more precise than the one asked for.
    let models = [exchange.model.as_deref(), settings.model.as_deref()];
    let cost = settings.prices.cost(models.into_iter().flatten(), &exchange.usage)?;
    // What was kept is not paid for again.
    Some(if exchange.cached { Money::default() } else { cost })
}

/// Says what an answer that is whole may still lack; `tools_unseen` where it is a tool call and only text was written.
pub(super) fn remark(exchange: &Exchange, tools_unseen: bool, talk: Talk) {
    if exchange.cached && exchange.cache == Some(Form::Normalized) {
        talk.notice("note: kept from a prompt that is the same but for white space, case or Unicode form");
    }
    let Some(stop) = &exchange.stop else { return };
    match exchange.class {
        Class::OkLength => {
            talk.notice(format_args!("note: the answer stopped at the token limit ({})", stop.word));
        }
        Class::Refused => talk.notice(format_args!("note: the answer ended by {}", stop.word)),
        _ if tools_unseen => {
            talk.notice("note: the answer is a tool call, which has no text: --format events shows it");
        }
        _ => {}
    }
}
