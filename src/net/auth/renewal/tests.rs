//! Tests of [`Renewal`]: what it asks, how often, and what is kept whatever comes of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::net::Url;
use crate::net::script::{Script, Step, Turn};

const ISSUER: &str = "http://127.0.0.1:9/";

/// A login whose token has ended, in a folder of its own.
struct Desk {
    _folder: tempfile::TempDir,
    authority: Authority,
    store: Store,
    url: Url,
    times: Mutex<TokenTimes>,
}

impl Desk {
    async fn new() -> Self {
        let url = Url::parse(ISSUER).unwrap();
        let authority = Authority {
            profile: "p".to_owned(),
            grant: GrantKind::RefreshToken,
            issuer: Some(url.clone()),
            token_url: None,
            device_url: None,
            client_id: "c".to_owned(),
            client_secret: None,
            scope: vec!["prompts".to_owned(), "models".to_owned()],
            audience: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("sub").join("token.json"));
        let token = Token {
            access: Secret::new("at-1"),
            refresh: Some(Secret::new("rt-1")),
            scope: vec!["prompts".to_owned()],
            obtained: SystemTime::UNIX_EPOCH,
            lifetime: Duration::from_secs(60),
            unsaved: None,
        };
        store.lock().await.unwrap();
        store.draft(&authority).unwrap().write(&StoredToken::new(&authority, &token)).unwrap();
        Self { _folder: folder, authority, store, url, times: Mutex::default() }
    }

    async fn renew(&self, script: &Script) -> Result<Token, AuthError> {
        let Self { authority, store, url, .. } = self;
        let ask = async |grant: &Grant| token(script, authority, (url, grant)).await;
        let (places, closing) = (OnceLock::new(), watch::Sender::new(false));
        let renewal = self.renewal(&places, closing.subscribe());
        let stored = store.read(authority).unwrap();
        renewal.renew(ask, stored, store.draft(authority)?).await
    }

    fn renewal<'a>(&'a self, places: &'a OnceLock<Endpoints>, closing: watch::Receiver<bool>) -> Renewal<'a> {
        let Self { authority, store, times, .. } = self;
        Renewal { authority, store, places, times, cause: Cause::Age, held: None, closing }
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
    script.seen.borrow().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

const ROTATED: &str =
    r#"{"access_token":"at-2","token_type":"bearer","refresh_token":"rt-2","expires_in":60}"#;
const INVALID: &str = r#"{"error":"invalid_grant"}"#;

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_asked_for_once_more_at_once() {
    let (desk, script) = (Desk::new().await, Script::of(vec![Turn::Silence, answer(200, ROTATED)]));
    let began = tokio::time::Instant::now();
    assert!(desk.renew(&script).await.unwrap().is(&Secret::new("at-2")));
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    let asked = "grant_type=refresh_token&refresh_token=rt-1&client_id=c";
    assert_eq!(bodies(&script), [asked, asked]);
    assert_eq!(desk.stored(), ("rt-2".to_owned(), None));
}

#[tokio::test]
async fn a_server_whose_clock_is_ten_minutes_off_changes_nothing_about_how_long_its_token_is_good() {
    for (sign, name) in [(-1.0, "behind"), (1.0, "ahead")] {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() + sign * 600.0;
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(now));
        let claims = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{}}}", now.floor() + 90.0));
        let body = format!("{{\"access_token\":\"e30.{claims}.c2ln\",\"token_type\":\"bearer\"}}");
        let headers = vec![("content-type", "application/json"), ("date", &*date.leak())];
        let script = Script::of(vec![Turn::Reply(200, headers, vec![Step::Bytes(body.leak())])]);
        let token = Desk::new().await.renew(&script).await.unwrap();
        assert_eq!(token.lifetime, Duration::from_secs(90), "{name}");
        assert!(token.is_fresh(SystemTime::now()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_only_fails_is_asked_four_times_and_takes_nothing_away() {
    let desk = Desk::new().await;
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
    let (desk, script) = (Desk::new().await, Script::of(vec![answer(400, INVALID)]));
    let error = desk.renew(&script).await.unwrap_err();
    assert!(matches!(error, AuthError::LoginRequired { .. }), "{error}");
    let (refresh, mark) = desk.stored();
    assert!(refresh == "rt-1" && mark.unwrap().contains("used elsewhere"));
    let script = Script::of(vec![answer(200, r#"{"access_token":"at-2"}"#)]);
    assert_eq!(desk.renew(&script).await.unwrap().lifetime, super::super::token::UNTOLD);
    assert_eq!(desk.stored(), ("rt-1".to_owned(), None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_scope_leaves_what_was_granted_and_not_what_the_profile_asks_for() {
    let (desk, script) = (Desk::new().await, Script::of(vec![answer(200, r#"{"access_token":"at-2"}"#)]));
    let token = desk.renew(&script).await.unwrap();
    assert_eq!(token.scope, ["prompts"]);
    assert_eq!(token.lacks(&["prompts".to_owned(), "models".to_owned()]), ["models"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_cannot_be_written_is_the_one_that_this_process_goes_on_with() {
    let desk = Desk::new().await;
    let stored = desk.store.read(&desk.authority).unwrap();
    let (places, closing) = (OnceLock::new(), watch::Sender::new(false));
    let renewal = desk.renewal(&places, closing.subscribe());
    let script = Script::of(vec![answer(200, ROTATED)]);
    let ask = async |grant: &Grant| {
        // Nothing takes the place of a folder.
        std::fs::remove_file(desk.store.path()).unwrap();
        std::fs::create_dir(desk.store.path()).unwrap();
        token(&script, &desk.authority, (&desk.url, grant)).await
    };
    let draft = desk.store.draft(&desk.authority).unwrap();
    let token = renewal.renew(ask, stored, draft).await.unwrap();
    assert!(token.is(&Secret::new("at-2")) && matches!(token.unsaved, Some(AuthError::Store { .. })));
    std::fs::remove_dir(desk.store.path()).unwrap();
    // It is later than whatever is stored.
    let renewal = Renewal { held: Some(token), ..renewal };
    assert_eq!(renewal.read().unwrap().unwrap().token().refresh.unwrap().expose(), "rt-2");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_not_asked_for() {
    let desk = Desk::new().await;
    let other = Authority { client_id: "other".to_owned(), ..desk.authority.clone() };
    let desk = Desk { authority: other, ..desk };
    let error = desk.store.draft(&desk.authority).unwrap_err();
    assert!(error.to_string().contains("another client"), "{error}");
    let (places, closing) = (OnceLock::new(), watch::Sender::new(false));
    let renewal = desk.renewal(&places, closing.subscribe());
    assert!(matches!(renewal.run(&Connection::default()).await, Err(AuthError::Store { .. })));
    assert!(desk.store.remove(&desk.authority).is_err() && desk.store.path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_still_serves_outlives_a_lock_that_is_not_given() {
    let desk = Desk::new().await;
    let _lock = desk.store.lock().await.unwrap();
    let (places, closing) = (OnceLock::new(), watch::Sender::new(false));
    let renewal = desk.renewal(&places, closing.subscribe());
    let began = Instant::now();
    let error = renewal.run(&Connection::default()).await.unwrap_err();
    assert!(error.to_string().contains("another process has held its lock"), "{error}");
    assert!(began.elapsed() >= LONGEST);
    // The same with enough left of it, though it is due.
    let stored = desk.store.read(&desk.authority).unwrap().unwrap();
    let token = Token { obtained: SystemTime::now(), lifetime: Duration::from_secs(3600), ..stored.token() };
    let token = Token { obtained: token.obtained - Duration::from_secs(3400), ..token };
    desk.store.draft(&desk.authority).unwrap().write(&StoredToken::new(&desk.authority, &token)).unwrap();
    assert!(renewal.run(&Connection::default()).await.unwrap().is(&Secret::new("at-1")));
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_waits_for_any_more_ends_before_its_next_wait() {
    let (desk, script) = (Desk::new().await, Script::of(vec![answer(500, "{}")]));
    let (places, closing) = (OnceLock::new(), watch::Sender::new(true));
    let renewal = desk.renewal(&places, closing.subscribe());
    let ask = async |grant: &Grant| token(&script, &desk.authority, (&desk.url, grant)).await;
    let (stored, draft) = (desk.store.read(&desk.authority).unwrap(), desk.store.draft(&desk.authority));
    let error = renewal.renew(ask, stored, draft.unwrap()).await.unwrap_err();
    assert_eq!((error.class(), script.seen.borrow().len()), (Class::Cancelled, 1));
}
