//! The pooled HTTP client over reqwest that every subcommand shares.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::follow::Moved;
use super::lane::Lane;
use super::lanes::Lanes;
use super::line::{LineBody, Unpacked};
use crate::outcome::Connections;

use super::{Error, Place, Reply, Request, Transport, Url};

/// A pool of keep-alive connections.
#[derive(Debug, Clone)]
pub struct Pool {
    way: Way,
    /// One permit for each request that may have a connection at once.
    places: Option<Arc<Semaphore>>,
}

/// Where its requests go.
#[derive(Debug, Clone)]
enum Way {
    /// To one place, which stays where it is.
    Fixed(Arc<Lane>),
    /// To several, or to one that may move.
    Lanes(Arc<Lanes>),
}

impl Pool {
    /// A pool for requests to `target`: an environment's proxy is left out when that is this machine.
    pub fn new(connection: &Connection, target: &Url) -> Result<Self, Error> {
        let lane = Lane::new(connection, target)?;
        let way = if lane.is_followed() {
            Way::Lanes(Lanes::new(connection, (target, lane)).into())
        } else {
            Way::Fixed(lane.into())
        };
        Ok(Self::by(way, connection))
    }

    /// A pool for each of several endpoints, the first of which is `target`; the number of connections is limited over all.
    pub fn of_several(connection: &Connection, target: &Url) -> Result<Self, Error> {
        let first = Connection { detours: connection.detours.meant_for(target), ..connection.clone() };
        let lanes = Lanes::new(connection, (target, Lane::new(&first, target)?));
        Ok(Self::by(Way::Lanes(lanes.into()), connection))
    }

    fn by(way: Way, connection: &Connection) -> Self {
        Self { way, places: connection.most.map(|most| Arc::new(Semaphore::new(most))) }
    }
}

impl Transport for Pool {
    async fn send(&self, request: Request) -> Result<Reply, Error> {
        match &self.way {
            Way::Fixed(lane) => lane.send(request).await,
            Way::Lanes(lanes) => lanes.toward(&request.url)?.send(request).await,
        }
    }

    async fn place(&self) -> Place {
        match &self.places {
            None => Place::default(),
            Some(places) => {
                let permit = Arc::clone(places).acquire_owned().await;
                Place(Some(permit.expect("the semaphore is never closed")))
            }
        }
    }

    fn take_lines(&self) -> Option<Connections> {
        match &self.way {
            Way::Fixed(lane) => lane.take_lines(),
            Way::Lanes(lanes) => lanes.take_lines(),
        }
    }

    fn take_moves(&self) -> Vec<Moved> {
        match &self.way {
            Way::Fixed(_) => Vec::new(),
            Way::Lanes(lanes) => lanes.take_moves(),
        }
    }
}

/// The body of a reply, read chunk by chunk.
pub struct Body(pub(super) Source);

/// Where its bytes come from.
pub(super) enum Source {
    Line(LineBody),
    Unpacked(Box<Unpacked>),
    Library(reqwest::Body),
    #[cfg(test)]
    Script(super::script::Steps),
}

impl Body {
    /// The next chunk as it arrived, or `None` at the clean end of the body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match &mut self.0 {
            Source::Line(body) => {
                poll_fn(|context| body.poll_data(context)).await.map_err(|error| Error::of_body(&*error))
            }
            Source::Unpacked(body) => chunk(body).await.map_err(|error| Error::of_body(&*error)),
            Source::Library(body) => chunk(body).await.map_err(|error| Error::of_body(&error)),
            #[cfg(test)]
            Source::Script(steps) => steps.next().await,
        }
    }

    /// A body that plays a script.
    #[cfg(test)]
    pub(super) fn scripted(steps: super::script::Steps) -> Self {
        Self(Source::Script(steps))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Body").finish_non_exhaustive()
    }
}

/// The next data of a body; what is none is trailers, which no dialect uses.
async fn chunk<B: http_body::Body + Unpin>(body: &mut B) -> Result<Option<B::Data>, B::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// What names the proxy that requests to `target` go through unless a flag decides otherwise: a variable, or the
/// system's settings. There is none for loopback and for what `NO_PROXY` lists.
pub fn environment_proxy(target: &Url) -> Option<String> {
    // Asked as the library itself asks.
    let is_direct = |uri: &hyper::Uri| is_loopback(target) || Matcher::from_system().intercept(uri).is_none();
    if target.as_str().parse().is_ok_and(|uri| is_direct(&uri)) {
        return None;
    }
    let own = if target.scheme() == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let names = [own, "ALL_PROXY"].into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()]);
    let is_set = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Some(names.into_iter().find(is_set).unwrap_or_else(|| "the system's settings".to_owned()))
}

/// Whether an address is this machine by its name or number.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
