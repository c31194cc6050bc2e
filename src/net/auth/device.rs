//! A login: by a person who allows it in a browser (RFC 8628), or by a refresh token that somebody hands in.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::net::{Connection, Url};
use crate::outcome::Class;
use crate::units::Secret;

use super::discovery::{endpoints, reach};
use super::grant::{Failure, Grant, ask, token};
use super::store::StoredToken;
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
    let places = endpoints(authority, connection).await?;
    let transport = reach(connection, &places.token)?;
    let granted = match (given, authority.grant) {
        (Some(refresh), _) => {
            let granted =
                token(&transport, authority, (&places.token, &Grant::Refresh(refresh.clone()))).await;
            granted.map(|mut granted| {
                granted.refresh.get_or_insert(refresh);
                granted
            })
        }
        (None, GrantKind::ClientCredentials) => {
            token(&transport, authority, (&places.token, &Grant::Client)).await
        }
        (None, GrantKind::RefreshToken | GrantKind::DeviceCode) => {
            let device = places.device.as_ref().ok_or_else(|| AuthError::Unavailable {
                url: authority.name(),
                detail: "it offers no login by a device code".to_owned(),
                class: Class::Protocol,
            })?;
            let (invitation, code, interval) = begin(authority, connection, device).await?;
            invite(&invitation);
            let until = Instant::now() + invitation.holds;
            let (grant, url) = (Grant::Device(code), &places.token);
            poll(|| token(&transport, authority, (url, &grant)), (interval, until)).await
        }
    };
    let granted = granted.map_err(|failure| failure.at(&places.token))?;
    let _lock = store.lock().await?;
    store.write(&StoredToken::new(authority, &granted))
}

/// Asks for the codes.
async fn begin(
    authority: &Authority,
    connection: &Connection,
    url: &Url,
) -> Result<(Invitation, Secret, Duration), AuthError> {
    let answer = ask(&reach(connection, url)?, authority, (url, Vec::new()))
        .await
        .map_err(|failure| failure.at(url))?;
    let (200, Some(json)) = (answer.status, &answer.json) else { return Err(answer.refusal().at(url)) };
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
    Ok((invitation, Secret::new(device), seconds("interval").unwrap_or(INTERVAL).min(SLOWEST)))
}

/// Asks again and again until a person has decided or the code has run out.
async fn poll<F: Future<Output = Result<super::token::Token, Failure>>>(
    ask: impl Fn() -> F,
    (mut interval, until): (Duration, Instant),
) -> Result<super::token::Token, Failure> {
    loop {
        sleep(interval).await;
        let failure = match ask().await {
            Ok(granted) => return Ok(granted),
            Err(failure) => failure,
        };
        // A connection that fails is waited out, too (section 3.5).
        let passes = failure.is("authorization_pending") || matches!(failure, Failure::Unavailable { .. });
        if failure.is("slow_down") {
            interval += INTERVAL;
        } else if !passes {
            return Err(failure);
        }
        if Instant::now() + interval > until {
            let description = Some("nobody allowed the login in time".to_owned());
            return Err(Failure::Refused { error: "expired_token".to_owned(), description });
        }
    }
}
