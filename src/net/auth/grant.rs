//! One question to the authorization server, and its answer (RFC 6749, sections 4 to 6).

use std::cmp::Reverse;
use std::mem;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::net::{
    Error, HeaderMap, HeaderName, HeaderValue, Headers, Journey, Method, Request, Transport, Url,
};
use crate::outcome::Class;
use crate::units::{MASK, Secret, Span};

use super::token::{Token, UNTOLD, jwt_lifetime};
use super::{AuthError, Authority};

/// How long an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 1 << 20;
/// No token is good for longer, whatever its server says.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What a token is asked for by.
#[derive(Debug, Clone)]
pub(super) enum Grant {
    /// The client's own id and secret.
    Client,
    /// A refresh token.
    Refresh(Secret),
    /// The device code of a login under way.
    Device(Secret),
}

/// Why a question brought no token.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: AuthError,
    pub(super) then: Then,
}

/// What is known of a question that brought no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Another one would end no better.
    Settled,
    /// Nothing was done for it.
    Undone,
    /// The server may have done what was asked, and a token may be lost.
    Unknown,
}

/// A reply's status, the server's clock, and its JSON, if it is any.
pub(super) struct Answer {
    pub(super) status: u16,
    date: Option<SystemTime>,
    pub(super) json: Option<Value>,
    /// Whose it is, and what it is instead of JSON.
    url: String,
    form: String,
}

impl Failure {
    /// Whether the server refused for this reason.
    pub(super) fn is(&self, reason: &str) -> bool {
        matches!(&self.error, AuthError::Refused { error, .. } if error == reason)
    }

    /// No answer, or none that can be read.
    fn unavailable(url: String, (class, detail): (Class, String), then: Then) -> Self {
        Self { error: AuthError::Unavailable { url, detail, class }, then }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let then = if error.passes() { Then::Undone } else { Then::Settled };
        Self { error, then }
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Asks for a token.
pub(super) async fn token<T: Transport>(
    transport: &T,
    authority: &Authority,
    (url, grant): (&Url, &Grant),
) -> Result<Token, Failure> {
    let asked = SystemTime::now();
    let answer = ask(transport, authority, (url, fields(authority, grant))).await?;
    let (200, Some(json)) = (answer.status, &answer.json) else { return Err(answer.refusal()) };
    let scope = match grant {
        // RFC 6749, section 6: what was granted before, which is not known here.
        Grant::Refresh(_) => &[],
        Grant::Client | Grant::Device(_) => &authority.scope[..],
    };
    read_token(json, scope, (asked, answer.date)).map_err(|problem| {
        let detail = format!("its answer is no token: {problem}");
        Failure::unavailable(answer.url.clone(), (Class::Protocol, detail), Then::Unknown)
    })
}

/// The form's fields.
fn fields<'a>(authority: &'a Authority, grant: &'a Grant) -> Vec<(&'static str, &'a str)> {
    let mut fields = match grant {
        Grant::Client => vec![("grant_type", "client_credentials")],
        Grant::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
        Grant::Device(code) => vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code.expose()),
        ],
    };
    if matches!(grant, Grant::Client) {
        fields.extend(authority.audience.as_deref().map(|audience| ("audience", audience)));
    }
    fields
}

/// Posts a form as this client. Its secret travels as the standard prefers, and where that is refused, as the form's field.
pub(super) async fn ask<T: Transport>(
    transport: &T,
    authority: &Authority,
    (url, mut fields): (&Url, Vec<(&'static str, &str)>),
) -> Result<Answer, Failure> {
    let scope = authority.scope.join(" ");
    let sent = fields.iter().filter(|(name, _)| matches!(*name, "refresh_token" | "device_code"));
    let mut secrets: Vec<&str> = sent.map(|(_, value)| *value).collect();
    // What began with a scope keeps the one that was granted.
    if !scope.is_empty() && secrets.is_empty() {
        fields.push(("scope", &scope));
    }
    let id = authority.client_id.as_str();
    let Some(secret) = &authority.client_secret else {
        fields.push(("client_id", id));
        return Ok(post(transport, url, (&fields, None)).await?.without(&secrets));
    };
    let secret = secret.read()?.expose();
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    let mut basic = HeaderValue::try_from(format!("Basic {pair}")).expect("base64 is printable");
    basic.set_sensitive(true);
    secrets.extend([secret, &pair]);
    let answer = post(transport, url, (&fields, Some(basic))).await?;
    if !(matches!(answer.status, 400 | 401) && answer.error() == Some("invalid_client")) {
        return Ok(answer.without(&secrets));
    }
    fields.extend([("client_id", id), ("client_secret", secret)]);
    Ok(post(transport, url, (&fields, None)).await?.without(&secrets))
}

async fn post<T: Transport>(
    transport: &T,
    url: &Url,
    (fields, basic): (&[(&'static str, &str)], Option<HeaderValue>),
) -> Result<Answer, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.extend(basic.map(|basic| (reqwest::header::AUTHORIZATION, basic)));
    let body = Serializer::new(String::new()).extend_pairs(fields).finish().into();
    let (method, url, journey) = (Method::Post, url.clone(), Journey::default());
    exchange(transport, Request { method, url: url.into(), headers: headers.into(), body, journey }).await
}

/// Sends a request and reads its answer to the end.
pub(super) async fn exchange<T: Transport>(transport: &T, mut request: Request) -> Result<Answer, Failure> {
    request.headers.insert(HeaderName::from_static("accept"), HeaderValue::from_static("application/json"));
    let agent = concat!("baton/", env!("CARGO_PKG_VERSION"));
    request.headers.insert(HeaderName::from_static("user-agent"), HeaderValue::from_static(agent));
    let (journey, url) = (request.journey.clone(), super::shown_url(&request.url));
    let answer = async {
        let mut reply = transport.send(request).await?;
        let mut body = Vec::new();
        while let Some(chunk) = reply.body.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok::<_, Error>((reply, body))
    };
    let then = |is_ambiguous| if is_ambiguous { Then::Unknown } else { Then::Undone };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok((reply, body))) => Ok(Answer::read((reply.status, url), &reply.headers, &body)),
        Ok(Err(error)) => {
            let then = then(error.may_have_been_sent());
            Err(Failure::unavailable(url, (error.class(), error.to_string()), then))
        }
        Err(_) => {
            let detail = format!("no answer within {}", Span(PATIENCE));
            Err(Failure::unavailable(url, (Class::TimeoutFirstByte, detail), then(!journey.is_connecting())))
        }
    }
}

impl Answer {
    fn read((status, url): (u16, String), headers: &Headers, body: &[u8]) -> Self {
        let kind = headers
            .text("content-type")
            .map_or("no content-type", |kind| kind.split(';').next().unwrap_or(kind));
        Self {
            status,
            date: headers.text("date").and_then(|date| httpdate::parse_http_date(date).ok()),
            json: serde_json::from_slice(body).ok().filter(Value::is_object),
            url,
            // Only its form: its words may hold what was sent.
            form: format!("{} bytes of {kind}", body.len()),
        }
    }

    /// The server's word for why it refused.
    fn error(&self) -> Option<&str> {
        self.json.as_ref()?["error"].as_str()
    }

    /// The same without these secrets in what it says of a refusal, plain or as a form has them.
    fn without(mut self, secrets: &[&str]) -> Self {
        // One of a few characters stands in many texts by chance, and is no secret worth the name.
        let long = secrets.iter().filter(|secret| secret.len() >= 4);
        let mut forms: Vec<_> = long
            .flat_map(|secret| [(*secret).to_owned(), byte_serialize(secret.as_bytes()).collect()])
            .collect();
        // A longer one may have a shorter one in it.
        forms.sort_by_key(|form| Reverse(form.len()));
        for name in ["error", "error_description"] {
            if let Some(Value::String(text)) = self.json.as_mut().and_then(|json| json.get_mut(name)) {
                *text = forms.iter().fold(mem::take(text), |text, form| text.replace(form, MASK));
            }
        }
        self
    }

    /// What kept it from being a success.
    pub(super) fn refusal(&self) -> Failure {
        let text = |name: &str| {
            let text = self.json.as_ref()?[name].as_str()?;
            Some(text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
        };
        let url = self.url.clone();
        if let (400 | 401 | 403, Some(error)) = (self.status, text("error")) {
            let error = AuthError::Refused { url, error, description: text("error_description") };
            return Failure { error, then: Then::Settled };
        }
        let (class, then) = match self.status {
            200..=299 => (Class::Protocol, Then::Unknown),
            429 => (Class::RateLimited, Then::Undone),
            300..=399 => (Class::Http3xx, Then::Undone),
            400..=499 => (Class::Http4xx, Then::Undone),
            _ => (Class::Http5xx, Then::Unknown),
        };
        let detail = match &self.json {
            Some(_) => format!("it answered {}", self.status),
            None => format!("it answered {} with {}, which is no JSON", self.status, self.form),
        };
        Failure::unavailable(url, (class, detail), then)
    }
}

/// Reads a token's parts; where it names no scope, it is this one. `asked` is when it was asked for, `date` the server's clock
/// as it answered.
fn read_token(
    json: &Value,
    scope: &[String],
    (asked, date): (SystemTime, Option<SystemTime>),
) -> Result<Token, &'static str> {
    let text = |name: &str| json[name].as_str().filter(|text| !text.is_empty());
    let access = text("access_token").ok_or("it has no access_token")?;
    if !access.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its access_token has characters that no token has");
    }
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err("its token_type is not Bearer");
    }
    let seconds = match &json["expires_in"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    let told = seconds.filter(|seconds| (0.0..1e10).contains(seconds)).map(Duration::from_secs_f64);
    let lifetime =
        told.or_else(|| jwt_lifetime(access, date.unwrap_or(asked))).unwrap_or(UNTOLD).min(LONGEST);
    let scope = match text("scope") {
        Some(scope) => scope.split_ascii_whitespace().map(str::to_owned).collect(),
        None => scope.to_vec(),
    };
    let refresh = text("refresh_token").map(Secret::new);
    Ok(Token { access: Secret::new(access), refresh, scope, obtained: asked, lifetime, unsaved: None })
}
