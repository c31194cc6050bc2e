//! What runs have learned of a profile's endpoints: kept in a private file for the next run and for `baton route status`.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::client::Routes;
use crate::config::PrivateFile;
use crate::net::route::{Endpoint, Grade, Learned, Status, Strategy};
use crate::net::{Url, shown_url};

/// How long an endpoint is remembered that no run knows any more.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);
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
    /// Since when it is drained by hand, where it is; runs never write this of their own.
    #[serde(default)]
    pub(super) drained: Option<Timestamp>,
    /// When a run wrote this.
    #[serde(default)]
    pub(super) seen: Timestamp,
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
                drained: None,
                seen: time,
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

    /// What is known where nothing is yet.
    pub(super) fn blank(strategy: Strategy, endpoints: &[Endpoint]) -> Self {
        let time = Timestamp::now();
        let page = |endpoint: &Endpoint| Page {
            endpoint: endpoint.name(),
            health: Grade::Well.name().to_owned(),
            preferred: false,
            share: 100,
            latency_ms: None,
            probe_ms: None,
            ejections: 0,
            out_until: None,
            last_change: None,
            drained: None,
            seen: time,
        };
        let endpoints = endpoints.iter().map(page).collect();
        Self { schema: SCHEMA.to_owned(), time, strategy: strategy.to_string(), endpoints }
    }

    /// Adds what other runs wrote into the file meanwhile: of each endpoint the later decision, and of one that this run
    /// does not know all, unless it is forgotten.
    fn join(&mut self, other: Self) {
        let time = self.time;
        for theirs in other.endpoints {
            match self.page_mut(&theirs.endpoint) {
                Some(own) => own.join(theirs),
                // A drain lasts until somebody ends it, even where the endpoint is gone for a time.
                None if theirs.drained.is_some() || time.duration_since(theirs.seen) < FORGOTTEN => {
                    self.endpoints.push(Page { preferred: false, ..theirs });
                }
                None => {}
            }
        }
    }

    /// Adds blank pages for endpoints that it says nothing of.
    pub(super) fn complete(&mut self, endpoints: &[Endpoint]) {
        let blank = Self::blank(Strategy::default(), endpoints);
        let missing = blank.endpoints.into_iter().filter(|page| self.page(&page.endpoint).is_none());
        let missing: Vec<Page> = missing.collect();
        self.endpoints.extend(missing);
    }

    /// The addresses of those that are drained by hand.
    pub(in crate::cli) fn drained(&self, routes: &Routes) -> Vec<Url> {
        let is_drained =
            |status: &Status| self.page(&status.endpoint.name()).is_some_and(|page| page.drained.is_some());
        let known = routes.router().status().into_iter().filter(is_drained);
        known.map(|status| status.endpoint.url).collect()
    }

    /// What is said of the endpoint of this name.
    pub(super) fn page(&self, endpoint: &str) -> Option<&Page> {
        self.endpoints.iter().find(|page| page.endpoint == endpoint)
    }

    /// The same, to be changed.
    pub(super) fn page_mut(&mut self, endpoint: &str) -> Option<&mut Page> {
        self.endpoints.iter_mut().find(|page| page.endpoint == endpoint)
    }
}

impl Page {
    /// Whether the endpoint that it is of is drained, by hand or by its configuration.
    pub(super) fn is_drained(&self, endpoint: &Endpoint) -> bool {
        endpoint.drain || self.drained.is_some()
    }

    fn join(&mut self, theirs: Self) {
        self.drained = theirs.drained;
        self.latency_ms = self.latency_ms.or(theirs.latency_ms);
        self.probe_ms = self.probe_ms.or(theirs.probe_ms);
        let when = |page: &Self| page.last_change.as_ref().map(|last| last.time);
        // An ejection whose time is over says nothing of an endpoint that this run uses.
        let is_over = theirs.out_until.is_some_and(|until| until <= self.seen);
        if when(&theirs) > when(self) && !is_over {
            let Self { health, share, ejections, out_until, last_change, .. } = theirs;
            *self = Self { health, share, ejections, out_until, last_change, ..self.clone() };
        }
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    // Microseconds are enough for a person and for a comparison.
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Writes books into their file on a thread of its own, so that no request waits for a disk or another process.
pub(in crate::cli) struct Scribe {
    books: Sender<Book>,
    /// What the file says with each of them.
    written: Receiver<Book>,
    thread: thread::JoinHandle<io::Result<()>>,
}

/// Changes what a file says, under its lock, so that nothing that others write is lost.
pub(super) fn change(file: &PrivateFile, act: impl FnOnce(Option<Book>) -> Book) -> io::Result<Book> {
    let _lock = file.lock()?;
    let book = act(Book::read(file)?);
    let mut text = serde_json::to_vec_pretty(&book).map_err(io::Error::other)?;
    text.push(b'\n');
    file.replace(&text)?;
    Ok(book)
}

impl Scribe {
    pub(in crate::cli) fn start(file: PrivateFile) -> Self {
        let (books, coming): (_, Receiver<Book>) = channel();
        let (tell, written) = channel();
        let write = move || {
            for mut book in coming {
                let book = change(&file, |others| {
                    if let Some(others) = others {
                        book.join(others);
                    }
                    book
                })?;
                // Whoever asked for it may be gone.
                let _ = tell.send(book);
            }
            Ok(())
        };
        Self { books, written, thread: thread::spawn(write) }
    }

    /// What the file says now, where that was not asked for before.
    pub(in crate::cli) fn written(&self) -> Option<Book> {
        self.written.try_iter().last()
    }

    pub(in crate::cli) fn note(&self, book: Book) {
        // One that could not be written says so in the end.
        let _ = self.books.send(book);
    }

    /// Waits until the last one is written.
    pub(in crate::cli) fn finish(self) -> io::Result<()> {
        drop((self.books, self.written));
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes it broke off")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn book(second: i64, hosts: &[&str]) -> Book {
        let endpoint = |host: &&str| Endpoint::at(format!("http://{host}").parse().unwrap());
        let endpoints: Vec<Endpoint> = hosts.iter().map(endpoint).collect();
        let mut book = Book::blank(Strategy::Nearest, &endpoints);
        book.time = at(second);
        book.endpoints.iter_mut().for_each(|page| page.seen = at(second));
        book
    }

    fn ejected(mut book: Book, host: usize, (when, until): (i64, i64)) -> Book {
        let page = &mut book.endpoints[host];
        let (change, reason) = ("ejected".to_owned(), "5 requests in a row failed".to_owned());
        page.last_change = Some(LastChange { time: at(when), change, reason });
        (page.health, page.ejections, page.out_until) = ("ejected".to_owned(), 1, Some(at(until)));
        book
    }

    fn joined(mut own: Book, theirs: Book) -> Book {
        own.join(theirs);
        own
    }

    #[test]
    fn of_two_runs_the_later_decision_about_an_endpoint_is_kept() {
        let hosts = ["a", "b"];
        let early = ejected(book(10, &hosts), 0, (5, 40));
        let late = ejected(book(11, &hosts), 1, (9, 44));
        for both in [joined(early.clone(), late.clone()), joined(late, early)] {
            let health: Vec<_> = both.endpoints.iter().map(|page| page.health.as_str()).collect();
            assert_eq!(health, ["ejected", "ejected"]);
        }
        let mut back = ejected(book(12, &hosts), 0, (11, 0));
        (back.endpoints[0].health, back.endpoints[0].out_until) = ("held".to_owned(), None);
        let early = ejected(book(10, &hosts), 0, (5, 40));
        assert_eq!(joined(back.clone(), early.clone()).endpoints[0].health, "held");
        assert_eq!(joined(early, back).endpoints[0].health, "held");
    }

    #[test]
    fn an_ejection_of_another_run_is_not_told_beyond_its_time() {
        let gone = ejected(book(10, &["a"]), 0, (5, 40));
        assert_eq!(joined(book(39, &["a"]), gone.clone()).endpoints[0].health, "ejected");
        assert_eq!(joined(book(41, &["a"]), gone).endpoints[0].health, "well");
    }

    #[test]
    fn an_endpoint_that_no_run_knows_any_more_is_forgotten_in_time_unless_somebody_drained_it() {
        let mut before = book(0, &["a", "b"]);
        before.endpoints[0].preferred = true;
        let soon = joined(book(3599, &["b"]), before.clone());
        assert_eq!((soon.endpoints.len(), soon.endpoints[1].preferred), (2, false));
        assert_eq!(joined(book(3600, &["b"]), before.clone()).endpoints.len(), 1);
        before.endpoints[0].drained = Some(at(0));
        let long = joined(book(99_999, &["b"]), before);
        assert_eq!((long.endpoints.len(), long.endpoints[1].drained), (2, Some(at(0))));
    }

    #[test]
    fn a_book_of_an_earlier_baton_is_read() {
        let text = r#"{"schema":"baton.route/1","time":"2026-11-01T00:00:00Z","strategy":"nearest","endpoints":[
            {"endpoint":"http://a/","health":"well","preferred":true,"share":100,"latency_ms":1.5,"probe_ms":null,
            "ejections":0,"out_until":null,"last_change":null}]}"#;
        let book: Book = serde_json::from_str(text).unwrap();
        assert_eq!((book.endpoints[0].drained, book.endpoints[0].latency_ms), (None, Some(1.5)));
    }
}
