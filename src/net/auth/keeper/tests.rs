//! Tests of [`Keeper`]: when nothing is begun, and that nobody waits at its end.

use std::net::TcpListener;

use crate::net::Url;
use crate::units::Secret;

use super::super::GrantKind;
use super::super::store::StoredToken;
use super::*;

/// A keeper of a login whose token was good for so long from now on, at a server that is not there.
async fn keeper(folder: &tempfile::TempDir, lifetime: Duration) -> Keeper {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let authority = Authority {
        profile: "p".to_owned(),
        grant: GrantKind::RefreshToken,
        issuer: None,
        token_url: Some(Url::parse(&format!("http://{gone}/token")).unwrap()),
        device_url: None,
        client_id: "c".to_owned(),
        client_secret: None,
        scope: Vec::new(),
        audience: None,
    };
    let store = Store::at(folder.path().join("token.json"));
    let token = Token {
        access: Secret::new("at-1"),
        refresh: Some(Secret::new("rt-1")),
        scope: Vec::new(),
        obtained: SystemTime::now(),
        lifetime,
        unsaved: None,
    };
    let _lock = store.lock().await.unwrap();
    store.draft(&authority).unwrap().write(&StoredToken::new(&authority, &token)).unwrap();
    Keeper::new(authority, store, Vec::new())
}

#[tokio::test]
async fn a_keeper_that_nobody_wants_any_more_tries_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(&folder, Duration::ZERO).await;
    let flight = keeper.launch(&mut keeper.inner.state(), Cause::Asked);
    let began = Instant::now();
    drop(keeper);
    // Four questions with their waits take 7 s.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let error = flight.borrow().clone().unwrap().unwrap_err();
    assert_eq!(error.class(), Class::Cancelled);
}

#[test]
fn a_renewal_that_failed_is_not_begun_anew_while_the_old_token_serves() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let token = Token {
        access: Secret::new("at-1"),
        refresh: None,
        scope: Vec::new(),
        obtained: SystemTime::now(),
        lifetime: Duration::from_secs(60),
        unsaved: None,
    };
    let suffices = |due, stale, paused| {
        let held = Held { token: token.clone(), header: HeaderValue::from_static("Bearer at-1"), due, stale };
        State { held: Some(held), paused, ..State::default() }.suffices()
    };
    assert!(suffices(after(60), after(90), None));
    assert!(!suffices(now, after(90), None) && !suffices(now, after(90), Some(now)));
    assert!(suffices(now, after(90), Some(after(60))));
    assert!(!suffices(now, now, Some(after(60))) && !State::default().suffices());
}
