//! Tricks that the authorization server plays on the first requests for a token that are no login.

use std::fmt;
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde_json::json;

/// What a description may say.
const EXPECTED: &str = "write NAME:COUNT, as in 500:2, where NAME is late, lost, 500, garbage, html or echo";

/// A trick, and on how many requests it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFault {
    pub(crate) trick: Trick,
    pub(crate) count: u64,
}

/// What befalls a request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// It is done, and answered a minute later.
    Late,
    /// It is done, and the connection is cut instead of an answer.
    Lost,
    /// It is not done: a status 500.
    ServerError,
    /// It is not done: 200 with bytes that are no JSON.
    Garbage,
    /// It is not done: 200 with a page.
    Html,
    /// It is not done: a refusal that repeats the request's credential and form.
    Echo,
}

impl Trick {
    const ALL: [(&'static str, Self); 6] = [
        ("late", Self::Late),
        ("lost", Self::Lost),
        ("500", Self::ServerError),
        ("garbage", Self::Garbage),
        ("html", Self::Html),
        ("echo", Self::Echo),
    ];

    /// The answer in place of a token, with its status and kind, where nothing is done.
    pub(crate) fn answer(self, headers: &HeaderMap, body: &[u8]) -> Option<(u16, &'static str, String)> {
        let (status, kind, text) = match self {
            Self::Late | Self::Lost => return None,
            Self::ServerError => (500, "application/json", r#"{"error":"server_error"}"#),
            Self::Garbage => (200, "application/json", "\u{1}{\"access_tok"),
            Self::Html => (200, "text/html", "<!DOCTYPE html><title>Sign in</title>"),
            Self::Echo => {
                let credential = headers.get("authorization").map(HeaderValue::as_bytes);
                let told = [credential.unwrap_or_default(), b" ", body].concat();
                let told = String::from_utf8_lossy(&told);
                let refusal = json!({ "error": "invalid_request", "error_description": told });
                return Some((400, "application/json", refusal.to_string()));
            }
        };
        Some((status, kind, text.to_owned()))
    }
}

impl FromStr for TokenFault {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, count) = text.split_once(':').ok_or(EXPECTED)?;
        let trick = Trick::ALL.into_iter().find(|(own, _)| *own == name).ok_or(EXPECTED)?.1;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or(EXPECTED)?;
        Ok(Self { trick, count })
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Trick::ALL.into_iter().find(|(_, trick)| *trick == self.trick).expect("all are listed").0;
        write!(out, "{name}:{}", self.count)
    }
}
