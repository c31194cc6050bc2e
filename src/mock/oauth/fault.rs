//! Tricks that the authorization server plays on the first requests for a token that are no login.

use std::fmt;
use std::str::FromStr;

/// What a description may say.
const EXPECTED: &str = "write NAME:COUNT, as in 500:2, where NAME is late, lost, 500, garbage or html";

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
}

impl Trick {
    const ALL: [(&'static str, Self); 5] = [
        ("late", Self::Late),
        ("lost", Self::Lost),
        ("500", Self::ServerError),
        ("garbage", Self::Garbage),
        ("html", Self::Html),
    ];

    /// The answer in place of a token, with its status and kind, where nothing is done.
    pub(crate) fn answer(self) -> Option<(u16, &'static str, &'static str)> {
        match self {
            Self::Late | Self::Lost => None,
            Self::ServerError => Some((500, "application/json", r#"{"error":"server_error"}"#)),
            Self::Garbage => Some((200, "application/json", "\u{1}{\"access_tok")),
            Self::Html => Some((200, "text/html", "<!DOCTYPE html><title>Sign in</title>")),
        }
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
