//! One renewal: whether another process has done it, the question to the server, and what is kept whatever comes of it.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::net::Connection;
use crate::outcome::{Class, TokenTimes};
use crate::units::Secret;

use super::discovery::{Endpoints, endpoints, reach};
use super::grant::{Failure, Grant, PATIENCE, Then, token};
use super::store::{Draft, StoredToken};
use super::token::{Margins, Token};
use super::{AuthError, Authority, GrantKind, Store};

/// The waits before a question is asked again of a server that failed.
const BACKOFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// No question begins later than this after the first.
const LAST_QUESTION: Duration = Duration::from_secs(20);
/// The longest that a renewal takes: the last question looks in two places for the address, and is sent in two forms.
pub(super) const LONGEST: Duration = LAST_QUESTION.saturating_add(PATIENCE.saturating_mul(4));

/// Why a token is renewed.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// There is none, or its end is near.
    Age,
    /// The relay refused this one.
    Rejected(Secret),
    /// A person asked for it.
    Asked,
}

/// What a renewal needs.
pub(super) struct Renewal<'a> {
    pub(super) authority: &'a Authority,
    pub(super) store: &'a Store,
    /// The server's addresses, once they are known.
    pub(super) places: &'a OnceLock<Endpoints>,
    pub(super) cause: Cause,
    /// How long the server takes.
    pub(super) times: &'a Mutex<TokenTimes>,
    /// The token that this process has.
    pub(super) held: Option<Token>,
    /// Set when nobody wants a token any more.
    pub(super) closing: watch::Receiver<bool>,
}

impl Renewal<'_> {
    /// Gives a token that is good: one that another process stored, or a new one, which is stored before anybody uses it.
    pub(super) async fn run(&self, connection: &Connection) -> Result<Token, AuthError> {
        // Somebody else may have done it, and reading needs no lock.
        let stored = self.read()?;
        if let Some(token) = stored.as_ref().and_then(|stored| self.usable(stored)) {
            return Ok(token);
        }
        match (self.run_alone(connection).await, stored.as_ref().map(StoredToken::token)) {
            // No failure takes away what is still good.
            (Err(_), Some(last)) if self.still_serves(&last) => Ok(last),
            (outcome, _) => outcome,
        }
    }

    /// The same, while no other process does it.
    async fn run_alone(&self, connection: &Connection) -> Result<Token, AuthError> {
        let _lock = self.unless_closing(self.store.lock()).await??;
        let stored = self.read()?;
        if let Some(token) = stored.as_ref().and_then(|stored| self.usable(stored)) {
            return Ok(token);
        }
        if self.authority.grant != GrantKind::ClientCredentials {
            self.refuse_ended(stored.as_ref())?;
        }
        let draft = self.store.draft(self.authority)?;
        let ask = async |grant: &Grant| self.ask(connection, grant).await;
        self.renew(ask, stored, draft).await
    }

    /// What is stored, or what this process holds where the store could not take it and has nothing later.
    fn read(&self) -> Result<Option<StoredToken>, AuthError> {
        let unsaved = self.held.as_ref().filter(|held| held.unsaved.is_some());
        let unsaved = unsaved.map(|held| StoredToken::new(self.authority, held));
        let stored = self.store.read(self.authority)?;
        Ok(stored.into_iter().chain(unsaved).max_by_key(StoredToken::obtained))
    }

    fn still_serves(&self, last: &Token) -> bool {
        let margin = Margins::of(last.lifetime, 0.0).last;
        matches!(self.cause, Cause::Age) && last.left(SystemTime::now()) > margin
    }

    /// The stored token, if it is one that this process is better off with.
    fn usable(&self, stored: &StoredToken) -> Option<Token> {
        let token = stored.token();
        let is_held = self.held.as_ref().is_some_and(|held| held.is(&token.access));
        let serves = match &self.cause {
            Cause::Age => !is_held,
            Cause::Rejected(rejected) => !token.is(rejected),
            Cause::Asked => false,
        };
        (serves && token.is_fresh(SystemTime::now())).then_some(token)
    }

    /// Refuses to ask with a refresh token that is known to be of no use, or with none.
    fn refuse_ended(&self, stored: Option<&StoredToken>) -> Result<(), AuthError> {
        match stored {
            None => Err(self.authority.login_required("nobody has logged in yet")),
            Some(StoredToken { login_required: Some(why), .. }) if !matches!(self.cause, Cause::Asked) => {
                Err(self.authority.login_required(why))
            }
            Some(stored) if stored.token().refresh.is_none() => {
                Err(self.authority.login_required("the login brought no refresh token"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Asks the server once, wherever it is.
    async fn ask(&self, connection: &Connection, grant: &Grant) -> Result<Token, Failure> {
        let places = if let Some(places) = self.places.get() {
            places
        } else {
            let found = self.unless_closing(endpoints(self.authority, connection)).await??;
            self.places.get_or_init(|| found)
        };
        let pool = reach(connection, &places.token)?;
        let began = Instant::now();
        let answer = token(&pool, self.authority, (&places.token, grant)).await;
        self.times.lock().unwrap_or_else(PoisonError::into_inner).note(&answer, began.elapsed());
        answer
    }

    /// Asks until the server has decided.
    async fn renew(
        &self,
        ask: impl AsyncFn(&Grant) -> Result<Token, Failure>,
        stored: Option<StoredToken>,
        draft: Draft<'_>,
    ) -> Result<Token, AuthError> {
        let before = stored.as_ref().map(StoredToken::token);
        let refresh = before.as_ref().and_then(|token| token.refresh.clone());
        let grant = match (self.authority.grant, refresh) {
            (GrantKind::RefreshToken | GrantKind::DeviceCode, Some(refresh)) => Grant::Refresh(refresh),
            _ => Grant::Client,
        };
        let (began, mut waits) = (Instant::now(), BACKOFF.into_iter());
        // Whether an answer to this refresh token may have been lost, so that a new one may be under way to nobody.
        let mut lost = false;
        loop {
            let failure = match ask(&grant).await {
                Ok(token) => return Ok(self.keep(token, before, draft)),
                Err(failure) => failure,
            };
            if let (Grant::Refresh(_), Some(stored), true) = (&grant, &stored, failure.is("invalid_grant")) {
                return Err(self.mark(stored.clone(), lost, draft));
            }
            if failure.then == Then::Settled {
                return Err(failure.error);
            }
            let Some(mut wait) = waits.next() else { return Err(failure.error) };
            if failure.then == Then::Unknown && !lost {
                // Servers that rotate forgive the same token for a few seconds: long enough for one more question at once.
                (lost, wait) = (true, Duration::ZERO);
            }
            if began.elapsed() + wait > LAST_QUESTION {
                return Err(failure.error);
            }
            self.unless_closing(sleep(wait)).await?;
        }
    }

    /// Waits for something, unless nobody wants a token any more.
    async fn unless_closing<F: Future>(&self, future: F) -> Result<F::Output, AuthError> {
        let mut closing = self.closing.clone();
        tokio::select! {
            biased;
            _ = closing.wait_for(|is_closing| *is_closing) => {
                Err(self.authority.broken((Class::Cancelled, "the renewal was given up")))
            }
            output = future => Ok(output),
        }
    }

    /// Stores a new token; what the server left out stays as it was. One that cannot be stored is the only one there is, so
    /// that this process goes on with it.
    fn keep(&self, mut token: Token, before: Option<Token>, draft: Draft<'_>) -> Token {
        if let Some(before) = before {
            // RFC 6749, section 6: without a new one the old refresh token goes on.
            token.refresh = token.refresh.or(before.refresh);
            if token.scope.is_empty() {
                token.scope = before.scope;
            }
        }
        token.unsaved = draft.write(&StoredToken::new(self.authority, &token)).err();
        token
    }

    /// Writes down, beside the token that is kept, that only a login helps.
    fn mark(&self, mut stored: StoredToken, lost: bool, draft: Draft<'_>) -> AuthError {
        let why = if lost {
            "the refresh token is refused, perhaps because the answer that replaced it was lost"
        } else {
            "the refresh token is refused: it has ended, was withdrawn or was used elsewhere"
        };
        stored.login_required = Some(why.to_owned());
        match draft.write(&stored) {
            Ok(()) => self.authority.login_required(why),
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
