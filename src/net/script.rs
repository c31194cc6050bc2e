//! A transport that plays a script of replies, so that retry and deadlines are tested without a socket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{Body, ConnectionTimes, Error, HeaderMap, HeaderName, Reply, Request, Transport};

/// One step of a body.
#[derive(Debug)]
pub(crate) enum Step {
    /// These bytes arrive.
    Bytes(&'static str),
    /// Nothing arrives for this long.
    Wait(Duration),
    /// The connection breaks.
    Break,
}

/// What is left of a body.
#[derive(Debug)]
pub(crate) struct Steps(VecDeque<Step>);

impl Steps {
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(Step::Wait(time)) = self.0.front() {
            sleep(*time).await;
            self.0.pop_front();
        }
        match self.0.pop_front() {
            Some(Step::Bytes(text)) => Ok(Some(Bytes::from_static(text.as_bytes()))),
            Some(Step::Break) => Err(Error::Broken { detail: "scripted break".to_owned() }),
            Some(Step::Wait(_)) | None => Ok(None),
        }
    }
}

/// One scripted reply, or the failure to get one.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Status, headers, body.
    Reply(u16, Vec<(&'static str, &'static str)>, Vec<Step>),
    /// No reply.
    Fail(Error),
    /// Never an answer.
    Silence,
}

/// Plays its turns in order and keeps the requests it saw.
#[derive(Debug, Default)]
pub(crate) struct Script {
    turns: RefCell<VecDeque<Turn>>,
    /// The requests, in the order in which they were sent.
    pub(crate) seen: RefCell<Vec<Request>>,
}

impl Script {
    pub(crate) fn of(turns: Vec<Turn>) -> Self {
        Self { turns: RefCell::new(turns.into()), seen: RefCell::default() }
    }
}

impl Transport for Script {
    async fn send(&self, request: Request) -> Result<Reply, Error> {
        self.seen.borrow_mut().push(request);
        let turn = self.turns.borrow_mut().pop_front().expect("the script has a turn for every attempt");
        turn.play().await
    }
}

impl Turn {
    /// What comes of the request whose turn it is.
    pub(crate) async fn play(self) -> Result<Reply, Error> {
        match self {
            Self::Fail(error) => Err(error),
            Self::Silence => std::future::pending().await,
            Self::Reply(status, fields, steps) => {
                let mut headers = HeaderMap::new();
                for (name, value) in fields {
                    headers.append(HeaderName::from_static(name), value.parse().expect("a header value"));
                }
                let body = Body::scripted(Steps(steps.into()));
                Ok(Reply {
                    status,
                    headers: headers.into(),
                    version: "HTTP/1.1",
                    connection: ConnectionTimes::default(),
                    body,
                })
            }
        }
    }
}
