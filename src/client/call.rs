//! One prompt encoded for a dialect and an address, ready to be sent any number of times.

use std::sync::{Arc, OnceLock};

use crate::net::{HeaderMap, Journey, Method, Request, Url};
use crate::wire::{Dialect, Prompt, WireError, user_of};

use super::Credential;
use super::address::models;
use super::calls::{Calls, Outfit, dialect_headers};
use super::ids::Ids;
use super::payload::Payload;
use super::route::Aim;

/// What a request says: a prompt to be encoded, or a whole body of the user's own.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A prompt, encoded in the dialect.
    Prompt(Box<Prompt>),
    /// A body in which only `stream` is set.
    Body(Vec<u8>),
}

/// A request, encoded once.
#[derive(Debug, Clone)]
pub struct Call {
    /// The form of request and answer.
    pub dialect: Dialect,
    /// What it wants done.
    pub(super) method: Method,
    /// The address it goes to.
    pub url: Arc<Url>,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// Its headers, which other calls share.
    outfit: Arc<Outfit>,
    pub(super) body: Payload,
    /// The same body without the wish for usage, where there is such a wish.
    pub(super) body_without_usage: Option<Payload>,
    /// What keeps it at one endpoint.
    session: Option<String>,
    /// The user that the body names, once it was looked for.
    user: OnceLock<Option<String>>,
}

impl Call {
    /// Encodes a request to `base`; the user's own headers win over the dialect's.
    pub fn new(dialect: Dialect, base: &Url, content: &Content, stream: bool) -> Result<Self, WireError> {
        Calls::to(base, dialect, stream).call(content)
    }

    /// A call that says nothing yet.
    pub(super) fn plain(
        (dialect, method): (Dialect, Method),
        (url, outfit): (Arc<Url>, Arc<Outfit>),
        stream: bool,
    ) -> Self {
        let (body, body_without_usage) = (Payload::default(), None);
        let (session, user) = (None, OnceLock::new());
        Self { dialect, method, url, stream, outfit, body, body_without_usage, session, user }
    }

    /// A request for the relay's list of models, in the form of the dialect's vendor; `after` is where the page before
    /// ended.
    pub fn models(dialect: Dialect, base: &Url, after: Option<&str>) -> Self {
        let mut url = models(base, dialect);
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after_id", after);
        }
        let mut headers = dialect_headers(dialect, false);
        headers.remove("content-type");
        let outfit = Outfit::new(headers, Method::Get);
        Self::plain((dialect, Method::Get), (url.into(), outfit.into()), false)
    }

    /// Adds the user's own headers; each replaces what the dialect would have sent under that name.
    #[must_use]
    pub fn with_headers(self, own: &HeaderMap) -> Self {
        Self { outfit: self.outfit.with(own, self.method), ..self }
    }

    /// Keeps it at one of several endpoints, with what else is of this session.
    #[must_use]
    pub fn with_session(mut self, session: Option<String>) -> Self {
        self.session = session.or(self.session);
        self
    }

    /// The session that it is of: one that it was given, or else the user that its body names.
    pub(super) fn session(&self) -> Option<String> {
        self.session.clone().or_else(|| self.user.get_or_init(|| user_of(self.body.plain())).clone())
    }

    /// The ids of one request: the user's own where a header gives one, else a new one.
    pub fn ids(&self, new: impl FnOnce() -> String) -> Ids {
        Ids::new(self.outfit.own_id.clone().unwrap_or_else(new))
    }

    /// The request as it is before any policy but the credential of its origin has seen it.
    pub fn request(&self, ids: &Ids, credential: Option<&Credential>) -> Request {
        self.request_to(ids, Aim { url: &self.url, credential, signer: None })
    }

    /// The same to this address.
    pub(super) fn request_to(&self, ids: &Ids, aim: Aim<'_>) -> Request {
        let mut headers = self.outfit.of_request(&ids.header());
        if let Some(credential) = aim.credential {
            credential.apply(aim.url, &mut headers);
        }
        let (url, body) = (Arc::clone(aim.url), self.body.plain().clone());
        Request { method: self.method, url, headers, body, journey: Journey::default() }
    }

    /// Whether there is a form of this request that does not ask for usage.
    pub(super) fn can_go_without_usage(&self) -> bool {
        self.body_without_usage.is_some()
    }

    /// The dialect's headers and the user's own.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.outfit.shared.map()
    }

    /// The body, as it leaves where nothing is repaired.
    pub fn body(&self) -> &[u8] {
        self.body.plain()
    }

    /// The body, with or without its wish for usage.
    pub(super) fn payload(&self, usage: Usage) -> &Payload {
        match (usage, &self.body_without_usage) {
            (Usage::Unasked, Some(body)) => body,
            _ => &self.body,
        }
    }
}

/// Whether usage is asked for where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Asked,
    Unasked,
}
