//! What reads and changes a relay while it runs.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc as std_mpsc;

use tokio::sync::mpsc;

use crate::mock::listener::Listen;
use crate::mock::listener::Order;
use crate::mock::mood::Connections;
use crate::mock::mood::Mood;
use crate::mock::server::Error;
use crate::mock::server::Shared;
use crate::mock::stats::Stats;

/// What reads and changes a relay from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Helm {
    shared: Arc<Shared>,
    /// Held through a change, so that one comes after the other.
    orders: Arc<Mutex<mpsc::UnboundedSender<Order>>>,
}

impl Helm {
    /// The helm of a relay whose accepting thread takes these orders.
    pub(crate) fn new(shared: Arc<Shared>, orders: mpsc::UnboundedSender<Order>) -> Self {
        Self { shared, orders: Arc::new(Mutex::new(orders)) }
    }

    /// Ends the beat of a relay that stops.
    pub(crate) fn stop_beat(&self) {
        self.shared.metronome.stop();
    }

    /// See [`Relay::stats`].
    pub(crate) fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// See [`Relay::mood`].
    pub(crate) fn mood(&self) -> Mood {
        self.shared.mood()
    }

    /// See [`Relay::set_mood`].
    pub(crate) fn set_mood(&self, mood: Mood) -> Result<(), Error> {
        mood.check()?;
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let listen = match mood.connections {
            Connections::Refused => Listen::Off,
            Connections::Open | Connections::Silent | Connections::Reset => Listen::On,
        };
        let (done, outcome) = std_mpsc::sync_channel(1);
        let lost = || Error::Thread(io::Error::other("the relay has stopped"));
        orders.send(Order { listen, done }).map_err(|_| lost())?;
        outcome.recv().map_err(|_| lost())??;
        self.shared.mood.send_replace(mood);
        Ok(())
    }
}
