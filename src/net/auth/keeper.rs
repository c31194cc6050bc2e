//! Keeps a token fresh: any number of tasks use it, one thread renews it, and nobody waits for that who need not.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::net::{Connection, HeaderValue};
use crate::outcome::{Class, TokenTimes};
use crate::units::Span;

use super::discovery::Endpoints;
use super::renewal::{Cause, Renewal};
use super::token::{LONG, Margins, Token};
use super::{AuthError, Authority, Store};

/// How long a failed renewal is left alone while the old token still serves.
const PAUSE: Duration = Duration::from_secs(5);

/// A token with all that renews it. Dropping it waits for a question under way, so that no new token is lost.
#[derive(Debug)]
pub struct Keeper {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inner {
    authority: Authority,
    store: Store,
    /// The scopes without which nothing is to be sent.
    required: Vec<String>,
    /// How the server is reached.
    connection: OnceLock<Connection>,
    /// Where it is asked, once that is known.
    places: OnceLock<Endpoints>,
    /// How long the server has taken.
    times: Mutex<TokenTimes>,
    /// Whether nobody wants a token any more.
    closing: watch::Sender<bool>,
    state: Mutex<State>,
}

type Outcome = Result<(), AuthError>;

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// Counts the tokens that were held.
    generation: u64,
    /// Set while a renewal is under way; tells its outcome.
    flight: Option<watch::Receiver<Option<Outcome>>>,
    /// Until when no early renewal is tried, after one that failed.
    paused: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    header: HeaderValue,
    /// From when on it is renewed.
    due: Instant,
    /// From when on no request leaves with it.
    stale: Instant,
}

/// What is known of a stored token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How much of its life is left; zero once it has ended.
    pub left: Duration,
    /// How long it was good for.
    pub lifetime: Duration,
    /// What it allows.
    pub scope: Vec<String>,
    /// Whether there is a refresh token beside it.
    pub is_renewable: bool,
    /// Why a login is required, if one is.
    pub login_required: Option<String>,
}

impl Keeper {
    /// A keeper of this client's token; nothing is read or asked for yet.
    pub fn new(authority: Authority, store: Store, required: Vec<String>) -> Self {
        let inner = Inner {
            authority,
            store,
            required,
            connection: OnceLock::new(),
            places: OnceLock::new(),
            times: Mutex::default(),
            closing: watch::Sender::new(false),
            state: Mutex::default(),
        };
        Self { inner: Arc::new(inner), thread: Mutex::default() }
    }

    /// Says how the authorization server is reached, from the first time on that it is said.
    pub fn reach_by(&self, connection: &Connection) {
        self.inner.connection.get_or_init(|| connection.clone());
    }

    /// The server and the client.
    pub fn authority(&self) -> &Authority {
        &self.inner.authority
    }

    /// How long the server has taken for this process so far.
    pub fn times(&self) -> TokenTimes {
        *self.inner.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the token lies.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Makes sure that there is a token to leave with. One whose end is near is renewed meanwhile, and waited for only where
    /// too little is left.
    pub async fn ready(&self) -> Outcome {
        let flight = {
            let mut state = self.inner.state();
            if state.suffices() {
                return Ok(());
            }
            let flight = self.launch(&mut state, Cause::Age);
            if state.held.as_ref().is_some_and(|held| Instant::now() < held.stale) {
                return Ok(());
            }
            flight
        };
        self.inner.landed(flight).await
    }

    /// Replaces the token of this generation, which the relay refused, unless that has been done.
    pub async fn replace(&self, generation: u64) -> Outcome {
        let flight = {
            let mut state = self.inner.state();
            let rejected = match &state.held {
                Some(_) if state.generation > generation => return Ok(()),
                Some(held) => Cause::Rejected(held.token.access.clone()),
                None => Cause::Age,
            };
            self.launch(&mut state, rejected)
        };
        self.inner.landed(flight).await
    }

    /// Makes sure of a token before any work begins, on the caller's thread; the text is what its user should know of it.
    ///
    /// # Errors
    ///
    /// That there is none, or not with the scopes that are required.
    pub fn prepare(&self) -> Result<Option<String>, AuthError> {
        if let Some(secret) = &self.inner.authority.client_secret {
            // One that cannot be read is found now, and not at a renewal in an hour.
            secret.read()?;
        }
        if self.inner.state().suffices() {
            return Ok(None);
        }
        self.renew_now(Cause::Age)?;
        let state = self.inner.state();
        Ok(state.held.as_ref().and_then(|Held { token, .. }| match &token.unsaved {
            Some(why) => Some(format!(
                "the new token serves this process alone, and a login may be needed after it: {why}"
            )),
            None if token.lifetime > LONG => Some(format!(
                "the token is good for {}; one of at most an hour is of less use to a thief",
                Span(token.lifetime)
            )),
            None => None,
        }))
    }

    /// Renews the token whatever is left of it, as a person asked for.
    pub fn refresh(&self) -> Outcome {
        self.renew_now(Cause::Asked)?;
        let unsaved = self.inner.state().held.as_ref().and_then(|held| held.token.unsaved.clone());
        unsaved.map_or(Ok(()), Err)
    }

    /// What the store says of the token.
    pub fn standing(&self) -> Result<Option<Standing>, AuthError> {
        let stored = self.inner.store.read(&self.inner.authority)?;
        Ok(stored.map(|stored| {
            let token = stored.token();
            Standing {
                left: token.left(SystemTime::now()),
                lifetime: token.lifetime,
                scope: token.scope,
                is_renewable: token.refresh.is_some(),
                login_required: stored.login_required,
            }
        }))
    }

    /// Forgets the token; whether there was one.
    pub fn forget(&self) -> Result<bool, AuthError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.inner.broken(error))?;
        runtime.block_on(async {
            let _lock = self.inner.store.lock().await?;
            self.inner.store.remove(&self.inner.authority)
        })
    }

    /// The header of the token, and its generation; none before there is a token.
    pub(super) fn header(&self) -> Option<(HeaderValue, u64)> {
        let state = self.inner.state();
        state.held.as_ref().map(|held| (held.header.clone(), state.generation))
    }

    fn renew_now(&self, cause: Cause) -> Outcome {
        let flight = self.launch(&mut self.inner.state(), cause);
        self.join();
        let outcome = flight.borrow().clone();
        outcome.unwrap_or_else(|| Err(self.inner.ended()))
    }

    /// Begins a renewal unless one is under way. It has a thread of its own, so that a request that is given up does not take
    /// with it an answer that holds the only token.
    fn launch(&self, state: &mut State, cause: Cause) -> watch::Receiver<Option<Outcome>> {
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        let (sender, receiver) = watch::channel(None);
        let inner = Arc::clone(&self.inner);
        let held = state.held.as_ref().map(|held| held.token.clone());
        let flown = thread::Builder::new().name("baton-token".to_owned()).spawn(move || {
            let landing = Landing { inner: &inner, sender };
            landing.land(inner.fly(cause, held));
        });
        match flown {
            Ok(thread) => {
                state.flight = Some(receiver.clone());
                // The one before has landed, or there would be no new one.
                self.thread.lock().unwrap_or_else(PoisonError::into_inner).replace(thread);
                receiver
            }
            Err(error) => watch::channel(Some(Err(self.inner.broken(error)))).1,
        }
    }

    /// Waits for the thread of a renewal.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of it was printed by itself, and its outcome is missing.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.inner.closing.send_replace(true);
        self.join();
    }
}

impl State {
    /// Whether the token serves and no renewal is to be begun.
    fn suffices(&self) -> bool {
        let now = Instant::now();
        let is_paused = self.paused.is_some_and(|until| now < until);
        self.held.as_ref().is_some_and(|held| now < held.due || (is_paused && now < held.stale))
    }
}

/// Ends a flight on every way out of it.
struct Landing<'a> {
    inner: &'a Inner,
    sender: watch::Sender<Option<Outcome>>,
}

impl Landing<'_> {
    fn land(&self, outcome: Outcome) {
        let mut state = self.inner.state();
        state.flight = None;
        let now = Instant::now();
        let is_late = state.held.as_ref().is_some_and(|held| held.due <= now);
        state.paused = (outcome.is_err() || is_late).then(|| now + PAUSE);
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.land(Err(self.inner.ended()));
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made in one step, so a panicking holder leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One renewal, from the store to the state.
    fn fly(&self, cause: Cause, held: Option<Token>) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.broken(error))?;
        let renewal = Renewal {
            authority: &self.authority,
            store: &self.store,
            places: &self.places,
            times: &self.times,
            cause,
            held,
            closing: self.closing.subscribe(),
        };
        let connection = self.connection.get_or_init(Connection::default);
        let token = runtime.block_on(renewal.run(connection))?;
        let missing = token.lacks(&self.required);
        if !missing.is_empty() {
            let (granted, missing) = (token.scope.join(" "), missing.join(" "));
            return Err(AuthError::Scope { granted, missing });
        }
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.access.expose()))
            .map_err(|_| self.broken("the stored token has characters that no token has"))?;
        header.set_sensitive(true);
        let margins = Margins::of(token.lifetime, fastrand::f64());
        let (now, left) = (Instant::now(), token.left(SystemTime::now()));
        let after = |margin: Duration| now + left.saturating_sub(margin);
        let mut state = self.state();
        let is_other = state.held.as_ref().is_none_or(|held| !held.token.is(&token.access));
        state.generation += u64::from(is_other);
        state.held = Some(Held { due: after(margins.early), stale: after(margins.last), header, token });
        Ok(())
    }

    /// Waits until a renewal has come to its end.
    async fn landed(&self, mut flight: watch::Receiver<Option<Outcome>>) -> Outcome {
        let outcome = flight.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        outcome.ok().flatten().unwrap_or_else(|| Err(self.ended()))
    }

    fn ended(&self) -> AuthError {
        self.authority.broken((Class::Protocol, "the renewal ended without an outcome"))
    }

    fn broken(&self, detail: impl std::fmt::Display) -> AuthError {
        AuthError::Store { path: self.store.path().to_owned(), detail: detail.to_string() }
    }
}

#[cfg(test)]
mod tests;
