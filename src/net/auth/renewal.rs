//! One renewal: whether another process has done it, the question to the server, and what is kept whatever comes of it.

use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use crate::net::{Connection, Transport, Url};
use crate::units::Secret;

use super::discovery::{Endpoints, endpoints, reach};
use super::grant::{Failure, Grant, token};
use super::store::StoredToken;
use super::token::{Margins, Token};
use super::{AuthError, Authority, GrantKind, Store};

/// The waits before a question is asked again of a server that failed.
const BACKOFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

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
    pub(super) cause: Cause,
    /// The token that this process has.
    pub(super) held: Option<Token>,
    /// Told how long each question to the server took.
    pub(super) asked: &'a dyn Fn(Duration),
}

impl Renewal<'_> {
    /// Gives a token that is good: one that another process stored, or a new one, which is stored before anybody uses it.
    pub(super) async fn run(&self, connection: &Connection) -> Result<Token, AuthError> {
        // Somebody else may have done it, and reading needs no lock.
        if let Some(stored) = self.store.read(self.authority)?
            && let Some(token) = self.usable(&stored)
        {
            return Ok(token);
        }
        let _lock = self.store.lock().await?;
        let stored = self.store.read(self.authority)?;
        if let Some(token) = stored.as_ref().and_then(|stored| self.usable(stored)) {
            return Ok(token);
        }
        if self.authority.grant != GrantKind::ClientCredentials {
            self.refuse_ended(stored.as_ref())?;
        }
        let last = stored.as_ref().map(StoredToken::token);
        let asked = async {
            let Endpoints { token: url, .. } = endpoints(self.authority, connection).await?;
            self.renew(&reach(connection, &url)?, &url, stored).await
        };
        match (asked.await, last) {
            // A server that is down for a while takes away nothing that is still good.
            (Err(AuthError::Unavailable { .. }), Some(last)) if self.still_serves(&last) => Ok(last),
            (outcome, _) => outcome,
        }
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

    /// Asks until the server has decided.
    async fn renew<T: Transport>(
        &self,
        transport: &T,
        url: &Url,
        mut stored: Option<StoredToken>,
    ) -> Result<Token, AuthError> {
        let mut waits = BACKOFF.into_iter();
        // Whether an answer to this refresh token may have been lost, so that a new one may be under way to nobody.
        let mut lost = false;
        loop {
            let before = stored.as_ref().map(StoredToken::token);
            let refresh = before.as_ref().and_then(|token| token.refresh.clone());
            let grant = match (self.authority.grant, &refresh) {
                (GrantKind::RefreshToken | GrantKind::DeviceCode, Some(refresh)) => {
                    Grant::Refresh(refresh.clone())
                }
                _ => Grant::Client,
            };
            let began = tokio::time::Instant::now();
            let answer = token(transport, self.authority, (url, &grant)).await;
            (self.asked)(began.elapsed());
            let failure = match answer {
                Ok(token) => return self.keep(token, before),
                Err(failure) => failure,
            };
            if let (Grant::Refresh(sent), true) = (&grant, failure.is("invalid_grant")) {
                let now = self.store.read(self.authority)?;
                let is_other = |stored: &StoredToken| {
                    stored.token().refresh.is_some_and(|refresh| refresh.expose() != sent.expose())
                };
                if now.as_ref().is_some_and(is_other) && !lost {
                    (stored, lost) = (now, true);
                    continue;
                }
                return Err(self.mark(stored, lost));
            }
            let Failure::Unavailable { ambiguous, .. } = failure else { return Err(failure.at(url)) };
            let Some(mut wait) = waits.next() else { return Err(failure.at(url)) };
            if ambiguous && !lost {
                // Servers that rotate forgive the same token for a few seconds: long enough for one more question at once.
                (lost, wait) = (true, Duration::ZERO);
            }
            sleep(wait).await;
        }
    }

    /// Stores a new token; what the server left out stays as it was.
    fn keep(&self, mut token: Token, before: Option<Token>) -> Result<Token, AuthError> {
        if let Some(before) = before {
            // RFC 6749, section 6: without a new one the old refresh token goes on.
            token.refresh = token.refresh.or(before.refresh);
            if token.scope.is_empty() {
                token.scope = before.scope;
            }
        }
        self.store.write(&StoredToken::new(self.authority, &token))?;
        Ok(token)
    }

    /// Writes down, beside the token that is kept, that only a login helps.
    fn mark(&self, stored: Option<StoredToken>, lost: bool) -> AuthError {
        let why = if lost {
            "the refresh token is refused, perhaps because the answer that replaced it was lost"
        } else {
            "the refresh token is refused: it has ended, was withdrawn or was used elsewhere"
        };
        if let Some(mut stored) = stored {
            stored.login_required = Some(why.to_owned());
            if let Err(error) = self.store.write(&stored) {
                return error;
            }
        }
        self.authority.login_required(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::script::{Script, Step, Turn};

    const ISSUER: &str = "http://127.0.0.1:9/";

    /// A login whose token has ended, in a folder of its own.
    struct Desk {
        _folder: tempfile::TempDir,
        authority: Authority,
        store: Store,
        url: Url,
    }

    impl Desk {
        fn new() -> Self {
            let url = Url::parse(ISSUER).unwrap();
            let authority = Authority {
                profile: "p".to_owned(),
                grant: GrantKind::RefreshToken,
                issuer: Some(url.clone()),
                token_url: None,
                device_url: None,
                client_id: "c".to_owned(),
                client_secret: None,
                scope: Vec::new(),
                audience: None,
            };
            let folder = tempfile::tempdir().unwrap();
            let store = Store::at(folder.path().join("sub").join("token.json"));
            let token = Token {
                access: Secret::new("at-1"),
                refresh: Some(Secret::new("rt-1")),
                scope: Vec::new(),
                obtained: SystemTime::UNIX_EPOCH,
                lifetime: Duration::from_secs(60),
            };
            store.write(&StoredToken::new(&authority, &token)).unwrap();
            Self { _folder: folder, authority, store, url }
        }

        async fn renew(&self, script: &Script) -> Result<Token, AuthError> {
            let (authority, store, asked) = (&self.authority, &self.store, &|_| ());
            let renewal = Renewal { authority, store, cause: Cause::Age, held: None, asked };
            renewal.renew(script, &self.url, self.store.read(authority).unwrap()).await
        }

        fn stored(&self) -> (String, Option<String>) {
            let stored = self.store.read(&self.authority).unwrap().unwrap();
            (stored.token().refresh.unwrap().expose().to_owned(), stored.login_required)
        }
    }

    fn answer(status: u16, body: &'static str) -> Turn {
        Turn::Reply(status, vec![("content-type", "application/json")], vec![Step::Bytes(body)])
    }

    fn bodies(script: &Script) -> Vec<String> {
        script
            .seen
            .borrow()
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body).into_owned())
            .collect()
    }

    const ROTATED: &str =
        r#"{"access_token":"at-2","token_type":"bearer","refresh_token":"rt-2","expires_in":60}"#;
    const INVALID: &str = r#"{"error":"invalid_grant"}"#;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_asked_for_once_more_at_once() {
        let (desk, script) = (Desk::new(), Script::of(vec![Turn::Silence, answer(200, ROTATED)]));
        let began = tokio::time::Instant::now();
        assert!(desk.renew(&script).await.unwrap().is(&Secret::new("at-2")));
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        let asked = "grant_type=refresh_token&refresh_token=rt-1&client_id=c";
        assert_eq!(bodies(&script), [asked, asked]);
        assert_eq!(desk.stored(), ("rt-2".to_owned(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_only_fails_is_asked_four_times_and_takes_nothing_away() {
        let desk = Desk::new();
        let script = Script::of(vec![
            answer(500, "{}"),
            answer(200, "<html>"),
            answer(503, "oops"),
            answer(200, r#"{"access_token":""}"#),
        ]);
        let began = tokio::time::Instant::now();
        let error = desk.renew(&script).await.unwrap_err();
        assert!(error.to_string().contains("its answer is no token: it has no access_token"), "{error}");
        assert_eq!(began.elapsed(), Duration::from_secs(6));
        assert_eq!(desk.stored(), ("rt-1".to_owned(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_marked_and_kept_and_an_answer_without_a_new_one_keeps_it() {
        let (desk, script) = (Desk::new(), Script::of(vec![answer(400, INVALID)]));
        let error = desk.renew(&script).await.unwrap_err();
        assert!(matches!(error, AuthError::LoginRequired { .. }), "{error}");
        let (refresh, mark) = desk.stored();
        assert!(refresh == "rt-1" && mark.unwrap().contains("used elsewhere"));
        let script = Script::of(vec![answer(200, r#"{"access_token":"at-2"}"#)]);
        assert_eq!(desk.renew(&script).await.unwrap().lifetime, super::super::token::UNTOLD);
        assert_eq!(desk.stored(), ("rt-1".to_owned(), None));
    }
}
