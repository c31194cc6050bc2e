//! The relay under examination, and how it is asked: one request at a time, out of a purse that has an end.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Call, Content, Ids};
use crate::mock::{Sighting, Sightings};
use crate::net;
use crate::net::{
    Body, Connection, Credential, HeaderMap, HeaderName, HeaderValue, Pool, Request, Transport, Url,
};
use crate::wire::{Dialect, Prompt};

use super::seen::{End, Seen};

/// How many tokens an answer may have.
const TOKENS: u64 = 32;
/// The usual limit of one answer.
const LIMIT: Duration = Duration::from_secs(60);

/// The relay, and what is known of the way to it.
pub struct Subject {
    /// Its base address.
    pub base: Url,
    /// The dialect that it is asked in.
    pub dialect: Dialect,
    /// The model that it is asked for; what it ends with chooses the scenario where baton is the upstream.
    pub model: String,
    /// The user's own headers.
    pub headers: HeaderMap,
    /// The right key, if there is one.
    pub credential: Option<Credential>,
    /// How connections are made.
    pub connection: Connection,
    /// What every wait is multiplied by.
    pub scale: f64,
    /// What the upstream's end sees, where baton is the upstream.
    pub upstream: Option<Sightings>,
    /// How long any one answer is waited for, beyond what a check makes it wait.
    pub limit: Duration,
    /// How many requests may still be made.
    pub purse: Rc<Cell<u32>>,
    pool: Pool,
}

/// Which key goes with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The right one.
    Own,
    /// One that is wrong.
    Wrong,
    /// None.
    Absent,
}

/// One question.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// A text that is found again at the upstream's end.
    pub(super) mark: String,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) key: Key,
    /// Headers beside the usual ones.
    pub(super) headers: Vec<(&'static str, String)>,
    /// What becomes of the body before it leaves.
    pub(super) dress: Dress,
    /// Whether the connection is closed after the first generated piece.
    pub(super) leave: bool,
    /// How long it is made to wait on purpose.
    pub(super) patience: Duration,
}

/// What becomes of a body before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// Nothing.
    Plain,
    /// Only its beginning is sent.
    Torn,
    /// White space, which costs no tokens, brings it to so many bytes.
    Padded(usize),
    /// It is compressed with gzip.
    Gzip,
    /// It is compressed with Zstandard.
    Zstd,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No request may be made any more.
    #[error("--max-requests is used up")]
    Purse,
    /// There was no reply.
    #[error("{0}")]
    Net(#[source] net::Error),
    /// There was no end within the time.
    #[error("nothing within {} s", .0.as_secs_f64())]
    Silence(Duration),
}

impl Subject {
    /// A relay that is reached over this connection.
    pub fn new(base: Url, dialect: Dialect, connection: Connection) -> Result<Self, net::Error> {
        let pool = Pool::new(&connection, &base)?;
        Ok(Self {
            base,
            dialect,
            model: String::new(),
            headers: HeaderMap::new(),
            credential: None,
            connection,
            scale: 1.0,
            upstream: None,
            limit: LIMIT,
            purse: Rc::new(Cell::new(u32::MAX)),
            pool,
        })
    }

    /// A time as it is waited here.
    pub(super) fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.scale)
    }

    /// A question for a whole answer, with a mark of its own.
    pub(super) fn question(&self) -> Ask {
        Ask {
            mark: format!("baton-check-{:08x}", fastrand::u32(..)),
            model: self.model.clone(),
            stream: false,
            key: Key::Own,
            headers: Vec::new(),
            dress: Dress::Plain,
            leave: false,
            patience: Duration::ZERO,
        }
    }

    /// The same for a scenario, which the end of the model's name chooses.
    pub(super) fn scenario(&self, suffix: &str) -> Ask {
        Ask { model: format!("{}{suffix}", self.model), ..self.question() }
    }

    /// Asks, and reads the reply to its end.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Seen, Trouble> {
        self.ask_over(&self.pool, ask).await
    }

    /// The same over other connections.
    pub(super) async fn ask_over(&self, pool: &Pool, ask: &Ask) -> Result<Seen, Trouble> {
        let left = self.purse.get().checked_sub(1).ok_or(Trouble::Purse)?;
        self.purse.set(left);
        let request = self.request(ask);
        let limit = self.limit + ask.patience;
        let asked = Instant::now();
        let answered = async {
            let reply = pool.send(request).await.map_err(Trouble::Net)?;
            let reused = reply.connection.connect.is_none();
            let (status, headers) = (reply.status, reply.headers);
            let seen = Seen {
                dialect: self.dialect,
                status,
                headers,
                reused,
                asked,
                chunks: Vec::new(),
                end: End::Whole,
            };
            Ok(read(seen, reply.body, ask.leave).await)
        };
        timeout(limit, answered).await.map_err(|_| Trouble::Silence(limit))?
    }

    /// What the upstream's end has seen of a question, once that satisfies the condition or the time is over.
    pub(super) async fn upstream_saw(
        &self,
        ask: &Ask,
        within: Duration,
        satisfied: impl Fn(&[Sighting]) -> bool,
    ) -> Vec<Sighting> {
        let Some(upstream) = &self.upstream else { return Vec::new() };
        match timeout(within, upstream.until(&ask.mark, satisfied)).await {
            Ok(seen) => seen,
            Err(_) => upstream.of(&ask.mark),
        }
    }

    /// Waits as long as that takes here.
    pub(super) async fn wait(&self, time: Duration) {
        sleep(self.scaled(time)).await;
    }

    /// The request that asks this.
    fn request(&self, ask: &Ask) -> Request {
        let prompt = Prompt {
            text: format!("{} Count from one to twelve.", ask.mark),
            model: Some(ask.model.clone()),
            max_tokens: Some(TOKENS),
            ..Prompt::default()
        };
        let content = Content::Prompt(Box::new(prompt));
        let call = Call::new(self.dialect, &self.base, &content, ask.stream)
            .expect("only a body of the user's own can be refused")
            .with_headers(&self.headers);
        let credential = self.credential.as_ref().filter(|_| ask.key == Key::Own);
        let mut request = call.request(&Ids::new(ask.mark.clone()), credential);
        if let (Key::Wrong, Some(credential)) = (ask.key, &self.credential) {
            let scheme = if credential.header() == "authorization" { "Bearer " } else { "" };
            let value = HeaderValue::from_str(&format!("{scheme}baton-check-wrong-key"));
            request.headers.insert(credential.header().clone(), value.expect("it is ASCII"));
        }
        for (name, value) in &ask.headers {
            let value = HeaderValue::from_str(value).expect("checks send ASCII");
            request.headers.insert(HeaderName::from_static(name), value);
        }
        dress(&mut request, ask.dress);
        request
    }

    /// The value of the right key as it is sent, to look for where it must not be.
    pub(super) fn secret(&self) -> Option<String> {
        let request = self.request(&self.question());
        let credential = self.credential.as_ref()?;
        let value = request.headers.get(credential.header())?.to_str().ok()?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
    }
}

fn dress(request: &mut Request, dress: Dress) {
    let plain = &request.body;
    let (body, coding) = match dress {
        Dress::Plain => return,
        Dress::Torn => (plain.slice(..plain.len() / 2), None),
        Dress::Padded(size) => {
            let mut padded = plain.to_vec();
            let at = usize::from(!padded.is_empty());
            padded.splice(at..at, std::iter::repeat_n(b' ', size.saturating_sub(plain.len())));
            (padded.into(), None)
        }
        Dress::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let packed = encoder.write_all(plain).and_then(|()| encoder.finish());
            (packed.expect("memory can be written").into(), Some("gzip"))
        }
        Dress::Zstd => {
            let packed = zstd::encode_all(&plain[..], 3).expect("memory can be written");
            (packed.into(), Some("zstd"))
        }
    };
    request.body = body;
    if let Some(coding) = coding {
        request.headers.insert("content-encoding", HeaderValue::from_static(coding));
    }
}

/// Reads a body to its end, or to its first generated piece.
async fn read(mut seen: Seen, mut body: Body, leave: bool) -> Seen {
    loop {
        match body.chunk().await {
            Ok(Some(bytes)) => seen.chunks.push((Instant::now(), Bytes::clone(&bytes))),
            Ok(None) => return seen,
            Err(error) => {
                seen.end = End::Broken(error.to_string());
                return seen;
            }
        }
        if leave && !seen.told().deltas.is_empty() {
            seen.end = End::Left;
            return seen;
        }
    }
}
