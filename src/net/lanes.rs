//! One pool for each of several endpoints, made when the first request goes there.

use std::sync::{Arc, Mutex, PoisonError};

use url::Position;

use super::connection::Connection;
use super::pool::Pool;
use super::{Error, Url};

/// Pools by the origin that they lead to.
#[derive(Debug)]
pub(super) struct Lanes {
    connection: Connection,
    /// A client's own, so that nobody waits for it; a few, so that they are looked through.
    open: Mutex<Vec<(String, Arc<Pool>)>>,
}

impl Lanes {
    /// The first one; each other will connect in this way.
    pub(super) fn new(connection: &Connection, (target, first): (&Url, Pool)) -> Self {
        // Places are counted over all of them.
        let connection = Connection { most: None, ..connection.clone() };
        Self { connection, open: Mutex::new(vec![(origin(target).to_owned(), Arc::new(first))]) }
    }

    /// The pool for requests to this address.
    pub(super) fn toward(&self, url: &Url) -> Result<Arc<Pool>, Error> {
        let origin = origin(url);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = open.iter().find(|(known, _)| known == origin) {
            return Ok(Arc::clone(pool));
        }
        let connection =
            Connection { detours: self.connection.detours.meant_for(url), ..self.connection.clone() };
        let pool = Arc::new(Pool::new(&connection, url)?);
        open.push((origin.to_owned(), Arc::clone(&pool)));
        Ok(pool)
    }
}

fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}
