//! A login: by a person who allows it in a browser (RFC 8628), or by a refresh token that somebody hands in.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::net::{Connection, Url};
use crate::outcome::Class;
use crate::units::Secret;

use super::discovery::{endpoints, reach};
use super::grant::{Failure, Grant, ask, token};
use super::store::StoredToken;
use super::token::Token;
use super::{AuthError, Authority, GrantKind, Store};

/// What a person is asked to do.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The page to open.
    pub page: String,
    /// The same with the code in it, where the server offers it.
    pub whole: Option<String>,
    /// The code to type there.
    pub code: String,
    /// How long it holds.
    pub holds: Duration,
}

/// The wait between two questions where the server names none (section 3.2), and what is added when it asks for more time
/// (section 3.5).
const INTERVAL: Duration = Duration::from_secs(5);
/// The shortest wait between two questions.
const FASTEST: Duration = Duration::from_secs(1);
/// The longest wait between two questions that a server may ask for.
const SLOWEST: Duration = Duration::from_secs(60);

/// Logs in and stores the token: with a refresh token where one is given, else as the authority's grant has it. `invite` tells
/// a person what to do.
///
/// # Errors
///
/// What the server said, or that nobody allowed the login in time.
pub async fn log_in(
    (authority, store): (&Authority, &Store),
    connection: &Connection,
    given: Option<Secret>,
    invite: impl FnOnce(&Invitation),
) -> Result<(), AuthError> {
    if given.is_none() && authority.grant == GrantKind::RefreshToken {
        return Err(authority.login_required("it begins with a refresh token that is handed in"));
    }
    {
        // What cannot be stored is not asked for.
        let _lock = store.lock().await?;
        store.draft(authority)?;
    }
    let places = endpoints(authority, connection).await?;
    let transport = reach(connection, &places.token)?;
    let ask = async |grant: &Grant| token(&transport, authority, (&places.token, grant)).await;
    let granted = match (given, authority.grant) {
        (Some(refresh), _) => {
            let mut granted = ask(&Grant::Refresh(refresh.clone())).await?;
            granted.refresh.get_or_insert(refresh);
            if granted.scope.is_empty() {
                // Nobody knows what was granted before, but who wrote the profile.
                granted.scope.clone_from(&authority.scope);
            }
            granted
        }
        (None, GrantKind::ClientCredentials) => ask(&Grant::Client).await?,
        (None, GrantKind::RefreshToken | GrantKind::DeviceCode) => {
            let none = "it offers no login by a device code";
            let device = places.device.as_ref();
            let device = device.ok_or_else(|| authority.broken((Class::Protocol, none)))?;
            let (invitation, code, interval) = begin(authority, connection, device).await?;
            invite(&invitation);
            let until = Instant::now() + invitation.holds;
            let grant = Grant::Device(code);
            poll(async || ask(&grant).await, (interval, until)).await?
        }
    };
    let _lock = store.lock().await?;
    store.draft(authority)?.write(&StoredToken::new(authority, &granted))
}

/// Asks for the codes.
async fn begin(
    authority: &Authority,
    connection: &Connection,
    url: &Url,
) -> Result<(Invitation, Secret, Duration), AuthError> {
    let answer = ask(&reach(connection, url)?, authority, (url, Vec::new())).await?;
    let (200, Some(json)) = (answer.status, &answer.json) else { return Err(answer.refusal().error) };
    let text = |name: &str| {
        let text = json[name].as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control));
        text.map(str::to_owned)
    };
    let seconds = |name: &str| json[name].as_u64().map(Duration::from_secs);
    let whole = || Some((text("device_code")?, text("user_code")?, text("verification_uri")?));
    let (device, code, page) = whole().ok_or_else(|| AuthError::Unavailable {
        url: super::shown_url(url),
        detail: "its answer lacks device_code, user_code or verification_uri".to_owned(),
        class: Class::Protocol,
    })?;
    let holds = seconds("expires_in").unwrap_or(Duration::from_secs(600)).min(Duration::from_secs(86_400));
    let invitation = Invitation { page, whole: text("verification_uri_complete"), code, holds };
    let interval = seconds("interval").unwrap_or(INTERVAL).clamp(FASTEST, SLOWEST);
    Ok((invitation, Secret::new(device), interval))
}

/// Asks again and again until a person has decided or the code has run out.
async fn poll(
    ask: impl AsyncFn() -> Result<Token, Failure>,
    (mut interval, until): (Duration, Instant),
) -> Result<Token, AuthError> {
    loop {
        sleep(interval).await;
        let failure = match ask().await {
            Ok(granted) => return Ok(granted),
            Err(failure) => failure,
        };
        if failure.is("slow_down") {
            interval += INTERVAL;
        } else if !failure.is("authorization_pending") && !failure.error.passes() {
            // A connection that fails is waited out, too (section 3.5), and nothing else is.
            return Err(failure.error);
        }
        if Instant::now() + interval <= until {
            continue;
        }
        return Err(match failure.error {
            AuthError::Refused { url, .. } => AuthError::Refused {
                url,
                error: "expired_token".to_owned(),
                description: Some("nobody allowed the login in time".to_owned()),
            },
            other => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::grant::Then;
    use super::*;

    fn unavailable(class: Class) -> AuthError {
        AuthError::Unavailable { url: "https://id.example/".to_owned(), detail: "no".to_owned(), class }
    }

    /// What comes of a server that answers every question so, and how many it was asked.
    async fn polled(error: AuthError) -> (AuthError, u32) {
        let asked = Cell::new(0);
        let ask = async || {
            asked.set(asked.get() + 1);
            Err(Failure { error: error.clone(), then: Then::Undone })
        };
        let until = Instant::now() + Duration::from_secs(10);
        (poll(ask, (FASTEST, until)).await.unwrap_err(), asked.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_waited_out_and_named_at_the_end_and_anything_else_ends_the_login() {
        for class in [Class::Connect, Class::TimeoutFirstByte, Class::RateLimited, Class::Http5xx] {
            assert_eq!(polled(unavailable(class)).await, (unavailable(class), 10));
        }
        for class in [Class::Http4xx, Class::Http3xx, Class::Tls, Class::Protocol] {
            assert_eq!(polled(unavailable(class)).await, (unavailable(class), 1));
        }
        let refused = |error: &str, description: Option<&str>| AuthError::Refused {
            url: "https://id.example/".to_owned(),
            error: error.to_owned(),
            description: description.map(str::to_owned),
        };
        let expired = refused("expired_token", Some("nobody allowed the login in time"));
        assert_eq!(polled(refused("authorization_pending", None)).await, (expired, 10));
        assert_eq!(polled(refused("access_denied", None)).await, (refused("access_denied", None), 1));
    }
}
