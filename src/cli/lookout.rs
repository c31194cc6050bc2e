//! The eye on several endpoints beside a run: probes, what is learned, what is synced, and the decisions told.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use crate::client::Routes;
use crate::config;
use crate::config::{Environment, News, Update, Upkeep};
use crate::net::route::{Change, Event, Reason};
use crate::net::{Connection, Pool};

use super::Talk;
use super::limits::Throttle;
use super::output::{OutputError, append_to};
use super::route::learned::{Book, Scribe};
use super::route::upkeep::Watcher;
use super::sign::Signing;

/// Time between two notes of what is learned.
const NOTE: Duration = Duration::from_secs(1);
/// Decisions that are kept for a report; any number can be had by `--events`.
const MOST_EVENTS: usize = 1_000;

/// What a lookout is made of.
pub(super) struct Outfit<'a> {
    pub(super) routes: Arc<Routes>,
    /// The profile that names the endpoints, where one does.
    pub(super) profile: Option<&'a str>,
    /// A pool for probes alone.
    pub(super) prober: Pool,
    /// Where decisions are written.
    pub(super) events: Option<&'a Path>,
    /// What brings newer versions of the endpoints.
    pub(super) upkeep: Option<Upkeep>,
    /// How their tokens are asked for.
    pub(super) connection: Connection,
    /// What gives them their signers.
    pub(super) signing: Option<Signing>,
    /// What follows their limits.
    pub(super) throttle: Option<Throttle>,
}

/// The eye on several endpoints beside a run.
pub(super) struct Lookout {
    routes: Arc<Routes>,
    prober: Pool,
    /// The moment that the times of events count from.
    began: Timestamp,
    journal: Option<Journal>,
    /// What is learned, where it is kept.
    scribe: Option<Scribe>,
    before: Option<Book>,
    /// What brings newer versions of the endpoints, where they are synced.
    watcher: Option<Watcher>,
    /// How tokens are asked for that are for those that come.
    connection: Connection,
    /// What gives those that come their signers.
    signing: Mutex<Option<Signing>>,
    /// What follows their limits.
    throttle: Mutex<Option<Throttle>>,
    /// The first decisions.
    told: Mutex<Vec<Event>>,
    /// What the user should know in the end.
    remarks: Mutex<Vec<String>>,
}

/// Watches over several endpoints, if there are, for as long as it is polled.
pub(super) async fn watch(lookout: Option<&Lookout>) {
    match lookout {
        None => std::future::pending().await,
        Some(lookout) => lookout.watch().await,
    }
}

/// Ends the eye on several endpoints, if there are.
pub(super) fn finish(lookout: Option<Lookout>, talk: Talk) {
    if let Some(lookout) = lookout {
        lookout.finish(talk);
    }
}

impl Lookout {
    /// Begins to look.
    pub(super) fn new(outfit: Outfit<'_>, talk: Talk) -> Result<Self, OutputError> {
        let Outfit { routes, profile, prober, events, upkeep, connection, signing, throttle } = outfit;
        let began = Timestamp::now() - routes.router().origin().elapsed();
        let journal = events.map(Journal::start).transpose()?;
        let file = profile.and_then(|profile| config::learned_file(profile, &Environment::of_process()));
        let before = file.as_ref().map_or(Ok(None), Book::read).unwrap_or_else(|error| {
            talk.notice(format_args!("note: what was learned of endpoints cannot be read: {error}"));
            None
        });
        if let Some(book) = &before {
            routes.router().remember(&book.learned(&routes));
            routes.router().drain(&book.drained(&routes));
        }
        let scribe = file.map(Scribe::start);
        let version = upkeep.as_ref().and_then(Upkeep::version);
        let lookout = Self {
            routes,
            prober,
            began,
            journal,
            scribe,
            before,
            watcher: upkeep.map(Watcher::start),
            connection,
            signing: Mutex::new(signing),
            throttle: Mutex::new(throttle),
            told: Mutex::default(),
            remarks: Mutex::default(),
        };
        if let Some(version) = version {
            lookout.tell_all(Duration::ZERO, (Change::Configured, Reason::Version(version)));
        }
        for status in lookout.routes.router().status() {
            let (at, endpoint) = (Duration::ZERO, Some(status.endpoint.name()));
            lookout.tell(&Event { at, endpoint, change: Change::Added, reason: Reason::Asked });
        }
        Ok(lookout)
    }

    async fn watch(&self) {
        let mut events = std::pin::pin!(self.routes.watch(&self.prober, |event| self.tell(&event)));
        let mut notes = interval_at(Instant::now() + NOTE, NOTE);
        loop {
            tokio::select! {
                () = &mut events => {}
                _ = notes.tick() => self.note(),
                news = Watcher::next(self.watcher.as_ref()) => self.take(news),
            }
        }
    }

    /// Takes in what the sources of the configuration have brought.
    fn take(&self, news: Result<News, config::Error>) {
        let now = self.routes.router().origin().elapsed();
        match news {
            Ok(News::Changed(update)) => {
                let version = update.version;
                // What was decided before it is told before it.
                self.tell_last();
                match self.use_version(*update) {
                    Ok(()) => self.tell_all(now, (Change::Configured, Reason::Version(version))),
                    Err(error) => self.remark(format!("version {version} was not used: {error}")),
                }
            }
            Ok(News::Lapsed(why)) => {
                self.tell_all(now, (Change::ConfigLapsed, Reason::Unconfirmed));
                self.remark(format!("{why}; what it said last was gone by"));
            }
            Ok(News::Nothing) => {}
            Err(error) => self.remark(error.message),
        }
    }

    /// Goes by another version from now on, or changes nothing.
    fn use_version(&self, update: Update) -> anyhow::Result<()> {
        let Update { mut stations, signs, policy, .. } = update;
        if let Some(signing) = &mut *lock(&self.signing) {
            signing.equip(&mut stations, &signs)?;
        }
        for keeper in stations.iter().filter_map(|station| station.credential.as_ref()?.keeper()) {
            keeper.reach_by(&self.connection);
        }
        self.routes.replace(stations)?;
        if let Some(throttle) = &mut *lock(&self.throttle) {
            throttle.follow(&policy);
        }
        Ok(())
    }

    /// Tells of a decision about all endpoints.
    fn tell_all(&self, at: Duration, (change, reason): (Change, Reason)) {
        self.tell(&Event { at, endpoint: None, change, reason });
    }

    /// Keeps what the user should know in the end, once.
    fn remark(&self, text: String) {
        let mut remarks = lock(&self.remarks);
        if !remarks.contains(&text) {
            remarks.push(text);
        }
    }

    /// Keeps what is known now.
    fn note(&self) {
        if let Some(scribe) = &self.scribe {
            if let Some(book) = scribe.written() {
                self.routes.router().drain(&book.drained(&self.routes));
            }
            scribe.note(Book::of(&self.routes, self.began, self.before.as_ref()));
        }
    }

    /// What was decided so far and when, the first of it where it is much.
    pub(super) fn decided(&self) -> Vec<(Instant, Event)> {
        self.tell_last();
        let origin = self.routes.router().origin();
        let told = lock(&self.told);
        told.iter().map(|event| (origin + event.at, event.clone())).collect()
    }

    /// Tells what was decided last, and makes sure that all of it is written.
    fn finish(self, talk: Talk) {
        self.tell_last();
        self.note();
        for remark in lock(&self.remarks).drain(..) {
            talk.notice(format_args!("note: {remark}"));
        }
        if let Some(Err(error)) = self.scribe.map(Scribe::finish) {
            talk.notice(format_args!("note: what was learned of endpoints could not be kept: {error}"));
        }
        let Some(Journal { lines, thread }) = self.journal else { return };
        drop(lines);
        if let Ok(Err(error)) = thread.join() {
            talk.notice(format_args!("note: not every event could be written: {error}"));
        }
    }

    fn tell_last(&self) {
        for event in self.routes.router().take_events() {
            self.tell(&event);
        }
    }

    fn tell(&self, event: &Event) {
        let mut told = lock(&self.told);
        if told.len() < MOST_EVENTS {
            told.push(event.clone());
        }
        if let Some(journal) = &self.journal {
            // A journal that cannot be written says so in the end.
            let _ = journal.lines.send(format!("{}\n", as_json(event, self.began)));
        }
    }
}

/// Every change is one step, so that a holder who panicked left nothing half done.
fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An event as a JSON object.
pub(super) fn as_json(event: &Event, began: Timestamp) -> Value {
    let Event { at, endpoint, change, reason } = event;
    json!({
        "time": (began + *at).to_string(),
        "t_ms": u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        "change": change.name(),
        "endpoint": endpoint,
        "reason": reason.to_string(),
    })
}

/// Events on their way to a file, written by a thread of its own so that no request waits for a disk or a pipe's reader.
struct Journal {
    lines: Sender<String>,
    thread: thread::JoinHandle<Result<(), OutputError>>,
}

impl Journal {
    fn start(path: &Path) -> Result<Self, OutputError> {
        let mut file = append_to(path)?;
        let place = path.display().to_string();
        let (lines, coming): (_, Receiver<String>) = channel();
        let write = move || {
            for line in coming {
                file.write_all(line.as_bytes()).map_err(|error| OutputError::new(&place, error))?;
            }
            Ok(())
        };
        Ok(Self { lines, thread: thread::spawn(write) })
    }
}
