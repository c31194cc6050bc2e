//! C17: whether processes of this machine can share one login whose refresh token is good for one use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::mock::{Options, Relay};
use crate::net::{AuthError, Authority, Connection, GrantKind, Keeper, Store, Url, log_in};

use super::subject::{Subject, Trouble};

/// Clients that share the login.
const CLIENTS: usize = 8;
/// A server of short-lived tokens that takes none twice: a second use ends the login for everybody.
const SERVER: &str = "token-life=1s,token-grace=0,ttft=0,gap=0,tokens=1";
/// Three lives of a token.
const TIME: Duration = Duration::from_secs(3);
/// The time between two requests of a client.
const PACE: Duration = Duration::from_millis(20);

/// What became of a shared login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLogin {
    /// How often the token was renewed.
    pub renewed: u64,
    /// How often the login was revoked, because a refresh token came twice.
    pub revoked: u64,
    /// What the first client was told whose request had no token.
    pub failure: Option<String>,
}

/// Lets clients share a login that is stored in a folder of its own inside of this one, which must be there.
///
/// Each has its own lock on the file, as a process of its own has.
///
/// # Errors
/// What kept the trial from being made.
pub async fn share_login(folder: &Path) -> Result<SharedLogin, String> {
    let room = tempfile::tempdir_in(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = room.path().join("token.json");
    play(&file, &vec![file.clone(); CLIENTS]).await
}

/// The same with a login in one file and clients that have these.
async fn play(login: &Path, files: &[PathBuf]) -> Result<SharedLogin, String> {
    let spec = SERVER.parse().expect("the specification is written here");
    let relay = Relay::start(Options { spec, threads: 1, ..Options::default() });
    let relay = relay.map_err(|error| error.to_string())?;
    let base = Url::parse(&relay.base_url()).expect("a relay has an address");
    let authority = Authority {
        profile: "check".to_owned(),
        grant: GrantKind::DeviceCode,
        issuer: Some(base.clone()),
        token_url: None,
        device_url: None,
        client_id: "baton-public".to_owned(),
        client_secret: None,
        scope: Vec::new(),
        audience: None,
    };
    let failed = |error: AuthError| error.to_string();
    let store = Store::at(login.to_owned());
    let allow = |page: Option<&str>| page.and_then(|page| Url::parse(page).ok()).map(visit);
    log_in((&authority, &store), &Connection::default(), None, |asked| drop(allow(asked.whole.as_deref())))
        .await
        .map_err(failed)?;
    for file in files.iter().filter(|file| *file != login) {
        std::fs::copy(login, file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let until = Instant::now() + TIME;
    let clients = files.iter().map(|file| {
        let keeper = Keeper::new(authority.clone(), Store::at(file.clone()), Vec::new());
        keeper.reach_by(&Connection::default());
        async move {
            while Instant::now() < until {
                keeper.ready().await?;
                sleep(PACE).await;
            }
            Ok(())
        }
    });
    let ended: Vec<Result<(), AuthError>> = futures_util::future::join_all(clients).await;
    let counts = base.join("oauth/counts").expect("the path is written here");
    let counts = Subject::fetch(&counts).await.map_err(|error| error.to_string())?;
    let counts: Value = serde_json::from_slice(&counts).map_err(|error| error.to_string())?;
    let count = |name: &str| counts[name].as_u64().unwrap_or_default();
    Ok(SharedLogin {
        renewed: count("refreshed"),
        revoked: count("families_revoked"),
        failure: ended.into_iter().find_map(Result::err).map(failed),
    })
}

/// Opens a page, as the person does who is asked to.
fn visit(page: Url) -> tokio::task::JoinHandle<Result<Vec<u8>, Trouble>> {
    tokio::spawn(async move { Subject::fetch(&page).await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clients_with_one_store_share_a_login() {
        let folder = tempfile::tempdir().unwrap();
        let shared = share_login(folder.path()).await.unwrap();
        assert_eq!((shared.revoked, shared.failure), (0, None));
        assert!(shared.renewed >= 2, "{}", shared.renewed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn clients_that_know_nothing_of_one_another_lose_it() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = (0..2).map(|number| folder.path().join(format!("{number}.json"))).collect();
        let lost = play(&files[0], &files).await.unwrap();
        assert!(lost.revoked > 0 && lost.failure.is_some(), "{lost:?}");
    }
}
