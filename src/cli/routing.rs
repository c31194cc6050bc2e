//! The flags of several endpoints, and the eye on them beside a run.

use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use crate::client::Routes;
use crate::config;
use crate::config::{Environment, Settings};
use crate::net::Pool;
use crate::net::route::{Change, Event, Reason, Strategy};

use super::output::{OutputError, append_to};
use super::route::learned::{Book, Scribe};
use super::{Talk, Usage};

/// Time between two notes of what is learned.
const NOTE: Duration = Duration::from_secs(1);
/// Decisions that are kept for a report; any number can be had by `--events`.
const MOST_EVENTS: usize = 1_000;

/// How one of several endpoints is chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Endpoints")]
pub(super) struct RouteOptions {
    /// How one of several endpoints is chosen among those that are well [default: nearest]
    #[arg(long, value_name = "STRATEGY", value_parser = strategy())]
    strategy: Option<Strategy>,
    /// Keep requests at one of several endpoints, where others of this session go, too, as long as it is well
    /// [default: the user that the body names]
    #[arg(long, value_name = "ID", value_parser = session)]
    pub(super) session: Option<String>,
    /// Append each decision about endpoints, with its reason, to this file or pipe as a JSON line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl RouteOptions {
    /// The ways to several endpoints; none to one, for which none of these flags has an effect.
    pub(super) fn routes(&self, settings: &Settings) -> Result<Option<Arc<Routes>>, Usage> {
        if let [_] = settings.stations.as_slice() {
            let flags = [
                ("--strategy", self.strategy.is_some()),
                ("--session", self.session.is_some()),
                ("--events", self.events.is_some()),
            ];
            let idle = flags.into_iter().find(|(_, is_given)| *is_given);
            return idle.map_or(Ok(None), |(flag, _)| {
                Err(Usage::new(format!("{flag} has no effect: there is one endpoint"))
                    .hint("--url and [[profile.NAME.endpoint]] can be repeated"))
            });
        }
        let strategy = self.strategy.or(settings.strategy).unwrap_or_default();
        match Routes::new(strategy, settings.dialect, settings.stations.clone()) {
            Ok(routes) => Ok(Some(Arc::new(routes))),
            Err(error) => Err(Usage::new(error.to_string()).hint("each endpoint has an address of its own")),
        }
    }

    /// The eye on these ways, which probes over a pool of its own.
    pub(super) fn lookout(
        &self,
        (routes, profile): (Arc<Routes>, Option<&str>),
        prober: Pool,
        talk: Talk,
    ) -> Result<Lookout, OutputError> {
        let began = Timestamp::now() - routes.router().origin().elapsed();
        let journal = self.events.as_ref().map(|path| Journal::start(path)).transpose()?;
        let file = profile.and_then(|profile| config::learned_file(profile, &Environment::of_process()));
        let before = file.as_ref().map_or(Ok(None), Book::read).unwrap_or_else(|error| {
            talk.notice(format_args!("note: what was learned of endpoints cannot be read: {error}"));
            None
        });
        if let Some(book) = &before {
            routes.router().remember(&book.learned(&routes));
        }
        let scribe = file.map(Scribe::start);
        let lookout = Lookout { routes, prober, began, journal, scribe, before, told: Mutex::default() };
        for status in lookout.routes.router().status() {
            let (at, endpoint) = (Duration::ZERO, Some(status.endpoint.name()));
            lookout.tell(&Event { at, endpoint, change: Change::Added, reason: Reason::Asked });
        }
        Ok(lookout)
    }
}

/// A strategy's name; help, completions and the refusal of another one list all of them.
fn strategy() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::name)).try_map(|name| name.parse::<Strategy>())
}

fn session(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("write any text that names it") } else { Ok(text.to_owned()) }
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
    /// The first decisions.
    told: Mutex<Vec<Event>>,
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
    async fn watch(&self) {
        let mut events = std::pin::pin!(self.routes.watch(&self.prober, |event| self.tell(&event)));
        let mut notes = interval_at(Instant::now() + NOTE, NOTE);
        loop {
            tokio::select! {
                () = &mut events => {}
                _ = notes.tick() => self.note(),
            }
        }
    }

    /// Keeps what is known now.
    fn note(&self) {
        if let Some(scribe) = &self.scribe {
            scribe.note(Book::of(&self.routes, self.began, self.before.as_ref()));
        }
    }

    /// What was decided so far and when, the first of it where it is much.
    pub(super) fn decided(&self) -> Vec<(Instant, Event)> {
        self.tell_last();
        let origin = self.routes.router().origin();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().map(|event| (origin + event.at, event.clone())).collect()
    }

    /// Tells what was decided last, and makes sure that all of it is written.
    fn finish(self, talk: Talk) {
        self.tell_last();
        self.note();
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
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_EVENTS {
            told.push(event.clone());
        }
        if let Some(journal) = &self.journal {
            // A journal that cannot be written says so in the end.
            let _ = journal.lines.send(format!("{}\n", as_json(event, self.began)));
        }
    }
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
    fn start(path: &std::path::Path) -> Result<Self, OutputError> {
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
