//! One lane for each of several endpoints, made when the first request goes there, and made anew where its name moves.

use std::sync::{Arc, Mutex, PoisonError};

use url::Position;

use super::connection::Connection;
use super::follow::Moved;
use super::lane::Lane;
use super::{Error, Url};
use crate::outcome::Connections;

/// Lanes by the origin that they lead to.
#[derive(Debug)]
pub(super) struct Lanes {
    connection: Connection,
    /// A client's own, so that nobody waits for it; a few, so that they are looked through.
    open: Mutex<Vec<(String, Arc<Lane>)>>,
}

impl Lanes {
    /// The first one; each other will connect in this way.
    pub(super) fn new(connection: &Connection, (target, first): (&Url, Lane)) -> Self {
        // Places are counted over all of them.
        let connection = Connection { most: None, ..connection.clone() };
        Self { connection, open: Mutex::new(vec![(origin(target).to_owned(), Arc::new(first))]) }
    }

    /// The lane for requests to this address.
    pub(super) fn toward(&self, url: &Url) -> Result<Arc<Lane>, Error> {
        let origin = origin(url);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().position(|(known, _)| known == origin);
        if let Some((_, lane)) = known.map(|index| &open[index]).filter(|(_, lane)| lane.is_current()) {
            return Ok(Arc::clone(lane));
        }
        let connection =
            Connection { detours: self.connection.detours.meant_for(url), ..self.connection.clone() };
        let lane = Arc::new(Lane::new(&connection, url)?);
        match known {
            // Requests under way end on the connections of the lane that goes; those that idle are closed with it.
            Some(index) => open[index].1 = Arc::clone(&lane),
            None => open.push((origin.to_owned(), Arc::clone(&lane))),
        }
        Ok(lane)
    }

    /// What became of the connections of all of them, where each can tell.
    pub(super) fn take_lines(&self) -> Option<Connections> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter()
            .map(|(_, lane)| lane.take_lines())
            .try_fold(Connections::default(), |all, one| Some(all.and(one?)))
    }

    /// Which names lead elsewhere since this was last asked.
    pub(super) fn take_moves(&self) -> Vec<Moved> {
        self.connection.names.take_moves()
    }
}

fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test]
    async fn a_name_that_has_moved_gets_a_fresh_lane_and_keeps_the_others() {
        let (connection, url) = (Connection::default(), "http://relay.example:4000/v1".parse().unwrap());
        let lanes = Lanes::new(&connection, (&url, Lane::new(&connection, &url).unwrap()));
        let other = "https://relay.test/v1".parse().unwrap();
        let (first, beside) = (lanes.toward(&url).unwrap(), lanes.toward(&other).unwrap());
        let again = lanes.toward(&url).unwrap();
        assert!(Arc::ptr_eq(&again, &first));
        drop(again);
        let old = IpAddr::from([10, 0, 0, 1]);
        connection.names.move_all((old, IpAddr::from([10, 0, 0, 2])), "relay.example");
        assert!(!first.is_current());
        assert!(!Arc::ptr_eq(&lanes.toward(&url).unwrap(), &first));
        assert!(Arc::ptr_eq(&lanes.toward(&other).unwrap(), &beside));
        // Nobody else holds the old one, so that its connections end with the requests on them.
        assert_eq!((Arc::strong_count(&first), lanes.take_moves().len()), (1, 1));
    }

    #[test]
    fn numbers_detours_and_single_connections_are_not_followed() {
        let is_followed = |connection: &Connection, url: &str| {
            Lane::new(connection, &url.parse().unwrap()).unwrap().is_followed()
        };
        let plain = Connection::default();
        assert!(is_followed(&plain, "http://relay.example") && is_followed(&plain, "https://relay.example"));
        assert!(!is_followed(&plain, "http://127.0.0.1:4000") && !is_followed(&plain, "http://[::1]:4000"));
        let single = Connection { reuse: super::super::Reuse::Never, ..plain.clone() };
        assert!(!is_followed(&single, "http://relay.example"));
        let resolve = vec!["relay.example:80:10.0.0.1".parse().unwrap()];
        let fixed = Connection { detours: super::super::Detours { resolve, connect_to: vec![] }, ..plain };
        assert!(!is_followed(&fixed, "http://relay.example"));
    }
}
