//! An authorization server beside the relay: short-lived JWTs, refresh tokens that rotate, logins by a device code.
//!
//! Its clients: `baton` with the secret `mock-secret`, `baton-post` with the same, which takes it only as a field of the
//! form, and `baton-public` without one. Its scopes: `prompts`, without which no prompt is answered, and `models`.

mod devices;
mod families;
mod fault;
mod jwt;
mod service;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::Method;
use hyper::http::request::Parts;
use serde_json::Value;
use serde_json::json;

use self::devices::Devices;
use self::families::Families;
use self::jwt::Signer;

use crate::mock::admission::Refusal;
use crate::mock::spec::Spec;

pub use self::fault::TokenFault;
pub(crate) use self::fault::Trick;
pub use self::service::ServiceKey;

/// How long a refresh token that was replaced serves once more, where nothing else is said.
const GRACE: Duration = Duration::from_secs(5);

/// The scopes that there are; the first one is granted where none is asked for.
const SCOPES: [&str; 2] = ["prompts", "models"];

/// What a path of the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its metadata (RFC 8414).
    Metadata,
    /// Its public keys (RFC 7517).
    Keys,
    /// Tokens.
    Token,
    /// The beginning of a login by a device code.
    Device,
    /// The page on which a person allows it.
    Page,
    /// What it has counted.
    Counts,
}

/// Finds what a path is for.
pub(crate) fn find(method: &Method, path: &str) -> Option<Place> {
    match (method, path) {
        (&Method::GET, "/.well-known/oauth-authorization-server") => Some(Place::Metadata),
        (&Method::GET, "/oauth/jwks") => Some(Place::Keys),
        (&Method::POST, "/oauth/token") => Some(Place::Token),
        (&Method::POST, "/oauth/device_authorization") => Some(Place::Device),
        (&Method::GET, "/oauth/device") => Some(Place::Page),
        (&Method::GET, "/oauth/counts") => Some(Place::Counts),
        _ => None,
    }
}

/// What the server has counted.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    /// Those that a trick may have befallen.
    tricked: u64,
    issued: u64,
    refreshed: u64,
    refused: u64,
    /// Refresh tokens that came again after they were replaced and the grace was over.
    reused: u64,
}

/// The server.
#[derive(Debug)]
pub(crate) struct OAuth {
    life: Duration,
    signer: Signer,
    families: Mutex<Families>,
    devices: Mutex<Devices>,
    counts: Mutex<Counts>,
    fault: Option<TokenFault>,
    /// How long a request for a token takes.
    pub(crate) delay: Duration,
}

/// A refusal of a token (RFC 6749, section 5.2), by its word.
type Refused = &'static str;

impl OAuth {
    /// The server that a description asks for, if it does.
    pub(crate) fn of(spec: &Spec) -> Option<Self> {
        Some(Self {
            life: spec.token_life?,
            signer: Signer::new(),
            families: Mutex::new(Families::new(spec.token_grace.unwrap_or(GRACE))),
            devices: Mutex::default(),
            counts: Mutex::default(),
            fault: spec.token_fault,
            delay: spec.token_delay.unwrap_or_default(),
        })
    }

    /// The trick that is played on this request for a token, if one is; a login is left in peace.
    pub(crate) fn trick(&self, place: Place, body: &[u8]) -> Option<Trick> {
        let fault = self
            .fault
            .filter(|_| place == Place::Token && Form::read(body).field("device_code").is_none())?;
        let mut counts = lock(&self.counts);
        counts.tricked += 1;
        (counts.tricked <= fault.count).then_some(fault.trick)
    }

    /// Answers a request; the status and the document.
    pub(crate) fn answer(&self, place: Place, head: &Parts, body: &[u8]) -> (u16, Value) {
        match place {
            Place::Metadata => (200, metadata(&head.headers)),
            Place::Keys => (200, json!({ "keys": [self.signer.public_key()] })),
            Place::Counts => (200, self.counted()),
            Place::Page => self.decide(head.uri.query().unwrap_or_default()),
            Place::Device => told(self.begin(&head.headers, body)),
            Place::Token => {
                lock(&self.counts).requests += 1;
                let granted = self.grant(&head.headers, body);
                if granted.is_err() {
                    lock(&self.counts).refused += 1;
                }
                told(granted)
            }
        }
    }

    /// Whether a request for an answer may pass with this token.
    pub(crate) fn admit(&self, token: Option<&str>) -> Result<(), Refusal> {
        let scope = token.and_then(|token| self.signer.verify(token)).ok_or(Refusal::Token)?;
        if scope.split(' ').any(|scope| scope == SCOPES[0]) { Ok(()) } else { Err(Refusal::Scope) }
    }

    /// Grants a token, or says why not.
    fn grant(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
        let form = Form::read(body);
        let client = client(headers, &form)?;
        match form.field("grant_type").ok_or("invalid_request")? {
            "client_credentials" if client == "baton-public" => Err("unauthorized_client"),
            "client_credentials" => Ok(self.issue(client, &scope(&form)?, None)),
            "refresh_token" => {
                let token = form.field("refresh_token").ok_or("invalid_request")?;
                let turned = lock(&self.families).turn(token, client);
                let (next, scope) = turned.map_err(|reused| {
                    lock(&self.counts).reused += u64::from(reused);
                    "invalid_grant"
                })?;
                lock(&self.counts).refreshed += 1;
                Ok(self.issue(client, &scope, Some(next)))
            }
            "urn:ietf:params:oauth:grant-type:device_code" => {
                let code = form.field("device_code").ok_or("invalid_request")?;
                let scope = lock(&self.devices).collect(code)?;
                let refresh = lock(&self.families).begin(client, &scope);
                Ok(self.issue(client, &scope, Some(refresh)))
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    fn issue(&self, client: &str, scope: &str, refresh: Option<String>) -> Value {
        lock(&self.counts).issued += 1;
        let mut token = json!({
            "access_token": self.signer.sign(client, scope, self.life),
            "token_type": "Bearer",
            "expires_in": self.life.as_secs_f64(),
            "scope": scope,
        });
        if let Some(refresh) = refresh {
            token["refresh_token"] = refresh.into();
        }
        token
    }

    /// Begins a login by a device code.
    fn begin(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
        let form = Form::read(body);
        client(headers, &form)?;
        let (device, user) = lock(&self.devices).begin(&scope(&form)?);
        let page = format!("{}/oauth/device", origin(headers));
        Ok(json!({
            "device_code": device,
            "user_code": user,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user}"),
            "expires_in": 300,
            "interval": 1,
        }))
    }

    /// A person's decision: who opens the page with the code allows the login, and with `&deny` refuses it.
    fn decide(&self, query: &str) -> (u16, Value) {
        let form = Form::read(query.as_bytes());
        let allows = form.field("deny").is_none();
        match form
            .field("user_code")
            .filter(|code| lock(&self.devices).decide(code, devices::Word::of(allows)))
        {
            Some(_) => (200, json!({ "allowed": allows })),
            None => (404, json!({ "error": "there is no such code" })),
        }
    }

    fn counted(&self) -> Value {
        let Counts { requests, issued, refreshed, refused, reused, .. } = *lock(&self.counts);
        json!({
            "token_requests": requests,
            "issued": issued,
            "refreshed": refreshed,
            "refused": refused,
            "reused": reused,
            "families_revoked": lock(&self.families).revoked(),
        })
    }
}

/// A document, or a refusal with its status.
fn told(outcome: Result<Value, Refused>) -> (u16, Value) {
    match outcome {
        Ok(document) => (200, document),
        Err(error) => {
            let status = if error == "invalid_client" { 401 } else { 400 };
            (status, json!({ "error": error, "error_description": format!("mock: {error}") }))
        }
    }
}

/// Each change of what is behind these locks is made in one step, so that a panicking holder leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address under which the client knows the server.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

fn metadata(headers: &HeaderMap) -> Value {
    let origin = origin(headers);
    json!({
        "issuer": origin,
        "token_endpoint": format!("{origin}/oauth/token"),
        "device_authorization_endpoint": format!("{origin}/oauth/device_authorization"),
        "jwks_uri": format!("{origin}/oauth/jwks"),
        "scopes_supported": SCOPES,
        "response_types_supported": [],
        "grant_types_supported": [
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    })
}

/// The fields of a form.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(own, value)| (own == name).then_some(value.as_str()))
    }
}

/// The client that asks, if it proves who it is (RFC 6749, section 2.3.1).
fn client(headers: &HeaderMap, form: &Form) -> Result<&'static str, Refused> {
    const SECRET: &str = "mock-secret";
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let refused = "invalid_client";
    if let Some(basic) = basic {
        let pair = STANDARD.decode(basic).ok().and_then(|pair| String::from_utf8(pair).ok());
        return if pair.as_deref() == Some("baton:mock-secret") { Ok("baton") } else { Err(refused) };
    }
    match (form.field("client_id"), form.field("client_secret")) {
        (Some("baton"), Some(SECRET)) => Ok("baton"),
        (Some("baton-post"), Some(SECRET)) => Ok("baton-post"),
        (Some("baton-public"), None) => Ok("baton-public"),
        _ => Err(refused),
    }
}

/// The scopes asked for, if there are such.
fn scope(form: &Form) -> Result<String, Refused> {
    let asked = form.field("scope").unwrap_or(SCOPES[0]);
    let known = asked.split(' ').all(|scope| SCOPES.contains(&scope));
    if known { Ok(asked.to_owned()) } else { Err("invalid_scope") }
}
