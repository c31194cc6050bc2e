//! The eye on several endpoints beside a run: probes them while requests are under way, and hands on what was decided.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::net;
use crate::net::route::{Event, Probe, Probed, Router};
use crate::net::{HeaderMap, HeaderValue, Journey, Method, Request, Transport, Url};

use super::Routes;

/// What is asked for to learn whether an endpoint is there, from the root of its host.
const HEALTH: &str = "/health";

impl Routes {
    /// Probes the endpoints that are due over a transport that keeps no connections, and tells each decision soon after
    /// it was made. Nothing is sent while no request is under way. It never ends by itself.
    pub async fn watch(&self, transport: &impl Transport, mut tell: impl FnMut(Event)) {
        let mut step = interval(Router::PROBE_STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut probes = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = step.tick() => {
                    if self.is_in_use() {
                        let due = self.router().due_probes();
                        probes.extend(due.into_iter().map(|probe| self.probe(transport, probe)));
                    }
                }
                Some(()) = probes.next() => {}
            }
            transport.take_moves().iter().for_each(|moved| self.router().moved(moved));
            self.router().take_events().into_iter().for_each(&mut tell);
        }
    }

    async fn probe(&self, transport: &impl Transport, probe: Probe) {
        let probed = match health(transport, &probe.seat.endpoint.url, probe.timeout).await {
            Ok(Health { status, took, .. }) => Probed::of_status(status, took),
            Err(Some(error)) if error.host_answered() => Probed::Refused,
            Err(_) => Probed::Nothing,
        };
        self.router().probed(&probe, probed);
    }
}

/// What an endpoint answers to the question for its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The status; anything but a 5xx shows that it can be reached and is well.
    pub status: u16,
    /// From the beginning to the reply's head.
    pub took: Duration,
    /// Of that, making the connection, where one was made.
    pub connect: Option<Duration>,
}

/// Asks an endpoint for its health, without any credential.
///
/// # Errors
///
/// Why there is no reply; nothing where the limit has passed.
pub async fn health(
    transport: &impl Transport,
    base: &Url,
    limit: Duration,
) -> Result<Health, Option<net::Error>> {
    let mut url = base.clone();
    url.set_path(HEALTH);
    url.set_query(None);
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(concat!("baton/", env!("CARGO_PKG_VERSION"))));
    let (body, journey) = (bytes::Bytes::new(), Journey::default());
    let request = Request { method: Method::Get, url: url.into(), headers: headers.into(), body, journey };
    let start = Instant::now();
    match timeout(limit, transport.send(request)).await {
        Ok(Ok(reply)) => {
            Ok(Health { status: reply.status, took: start.elapsed(), connect: reply.connection.connect })
        }
        Ok(Err(error)) => Err(Some(error)),
        Err(_) => Err(None),
    }
}
