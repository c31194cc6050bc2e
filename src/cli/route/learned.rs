//! What runs have learned of a profile's endpoints: kept in a private file for the next run and for `baton route status`.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::client::Routes;
use crate::config::PrivateFile;
use crate::net::route::{Learned, Status};
use crate::net::shown_url;

/// The file's form.
const SCHEMA: &str = "baton.route/1";

/// What the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Book {
    schema: String,
    /// When it was written.
    pub(super) time: Timestamp,
    pub(super) strategy: String,
    pub(super) endpoints: Vec<Page>,
}

/// What it says of one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Page {
    /// Its address without anything secret.
    pub(super) endpoint: String,
    pub(super) health: String,
    pub(super) preferred: bool,
    /// In percent.
    pub(super) share: u8,
    /// The recent time to first byte.
    pub(super) latency_ms: Option<f64>,
    /// The average time of probes.
    pub(super) probe_ms: Option<f64>,
    pub(super) ejections: u32,
    /// Until when it is left alone, where it is ejected.
    pub(super) out_until: Option<Timestamp>,
    pub(super) last_change: Option<LastChange>,
}

/// The last decision about an endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastChange {
    pub(super) time: Timestamp,
    pub(super) change: String,
    pub(super) reason: String,
}

impl Book {
    /// What the ways know now; what they decided nothing about keeps what an earlier run did.
    pub(in crate::cli) fn of(routes: &Routes, began: Timestamp, before: Option<&Self>) -> Self {
        let time = Timestamp::now();
        let pages = routes.router().status().into_iter().zip(routes.router().learned());
        let page = |(status, learned): (Status, Learned)| {
            let last = status.last.map(|event| LastChange {
                time: began + event.at,
                change: event.change.name().to_owned(),
                reason: event.reason.to_string(),
            });
            let endpoint = shown_url(&learned.url);
            let earlier = before.and_then(|before| before.page(&endpoint));
            Page {
                health: status.grade.name().to_owned(),
                preferred: status.preferred,
                share: status.share,
                latency_ms: status.latency.map(milliseconds).or(earlier.and_then(|page| page.latency_ms)),
                probe_ms: learned.probe.map(milliseconds),
                ejections: learned.ejections,
                out_until: learned.out_for.map(|left| time + left),
                last_change: last.or_else(|| earlier?.last_change.clone()),
                endpoint,
            }
        };
        let endpoints = pages.map(page).collect();
        Self { schema: SCHEMA.to_owned(), time, strategy: routes.router().strategy().to_string(), endpoints }
    }

    /// What a file says, if it is one of these.
    pub(in crate::cli) fn read(file: &PrivateFile) -> io::Result<Option<Self>> {
        let Some(bytes) = file.read()? else { return Ok(None) };
        let book: Self = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        Ok(Some(book).filter(|book| book.schema == SCHEMA))
    }

    /// The same for a router that begins.
    pub(in crate::cli) fn learned(&self, routes: &Routes) -> Vec<Learned> {
        let now = Timestamp::now();
        let left = |until: Timestamp| Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let of = |(status, page): (Status, &Page)| Learned {
            url: status.endpoint.url,
            probe: page.probe_ms.and_then(|time| Duration::try_from_secs_f64(time / 1000.0).ok()),
            ejections: page.ejections,
            out_for: page.out_until.map(left),
            preferred: page.preferred,
        };
        let known = routes.router().status().into_iter();
        let known = known.filter_map(|status| {
            let page = self.page(&status.endpoint.name())?;
            Some((status, page))
        });
        known.map(of).collect()
    }

    /// What is said of the endpoint of this name.
    pub(super) fn page(&self, endpoint: &str) -> Option<&Page> {
        self.endpoints.iter().find(|page| page.endpoint == endpoint)
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    // Microseconds are enough for a person and for a comparison.
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Writes books into their file on a thread of its own, so that no request waits for a disk or another process.
pub(in crate::cli) struct Scribe {
    books: Sender<Book>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Scribe {
    pub(in crate::cli) fn start(file: PrivateFile) -> Self {
        let (books, coming): (_, Receiver<Book>) = channel();
        let write = move || {
            for book in coming {
                let mut text = serde_json::to_vec_pretty(&book).map_err(io::Error::other)?;
                text.push(b'\n');
                let _lock = file.lock()?;
                file.replace(&text)?;
            }
            Ok(())
        };
        Self { books, thread: thread::spawn(write) }
    }

    pub(in crate::cli) fn note(&self, book: Book) {
        // One that could not be written says so in the end.
        let _ = self.books.send(book);
    }

    /// Waits until the last one is written.
    pub(in crate::cli) fn finish(self) -> io::Result<()> {
        drop(self.books);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes it broke off")))
    }
}
