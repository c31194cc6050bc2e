//! The relay under examination, and how it is asked: one request at a time, out of a purse that has an end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Call, Content, Ids, Mask};
use crate::mock::{Sighting, Sightings};
use crate::net;
use crate::net::{
    Body, Connection, Credential, HeaderMap, HeaderName, HeaderValue, Journey, Method, Pool, Request,
    RequestHeaders, SignedBy, Signer, Transport, Url,
};
use crate::units::{Money, Rate};
use crate::wire::{Dialect, Prompt};

use super::dress::Dress;
use super::purse::Purse;
use super::seen::{End, Seen};
use super::soak::Soak;

/// How many tokens an answer may have.
const TOKENS: u64 = 32;
/// How soon the upstream's end has noted what the relay has answered.
pub(super) const NOTED: Duration = Duration::from_secs(2);
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
    /// Signs questions as they leave, where the relay wants that.
    pub signer: Option<Arc<Signer>>,
    /// How connections are made.
    pub connection: Connection,
    /// What every wait is multiplied by.
    pub scale: f64,
    /// What the upstream's end sees, where baton is the upstream.
    pub upstream: Option<Sightings>,
    /// How long any one answer is waited for, beyond what a check makes it wait.
    pub limit: Duration,
    /// What may still be asked.
    pub purse: Purse,
    /// The rate limit that the relay is to hold.
    pub rate: Option<Rate>,
    /// For how long it is watched, and how.
    pub soak: Option<Soak>,
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
    /// Whether the model's name chooses what the upstream does, which must then have been asked.
    pub(super) is_scenario: bool,
    /// The subject's, unless another is tried.
    pub(super) dialect: Dialect,
    pub(super) stream: bool,
    pub(super) key: Key,
    /// By which key it is signed, where questions are.
    pub(super) signature: Key,
    /// Headers beside the usual ones.
    pub(super) headers: Vec<(&'static str, String)>,
    /// What becomes of the body before it leaves.
    pub(super) dress: Dress,
    /// Whether the connection is closed after the first generated piece.
    pub(super) leave: bool,
    /// How long it is made to wait on purpose.
    pub(super) patience: Duration,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No request may be made any more.
    #[error("--max-requests is used up")]
    Purse,
    /// No money may be spent any more.
    #[error("--max-cost {0} is used up")]
    Cost(Money),
    /// There was no reply.
    #[error("{0}")]
    Net(#[source] net::Error),
    /// A scenario was answered without the upstream that baton plays, so that the answer says nothing of it.
    #[error("answered without the upstream that baton plays: {said}")]
    Elsewhere {
        /// The status of the answer.
        status: u16,
        /// Its beginning.
        said: String,
    },
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
            signer: None,
            connection,
            scale: 1.0,
            upstream: None,
            limit: LIMIT,
            purse: Purse::new(u32::MAX),
            rate: None,
            soak: None,
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
            is_scenario: false,
            dialect: self.dialect,
            stream: false,
            key: Key::Own,
            signature: Key::Own,
            headers: Vec::new(),
            dress: Dress::Plain,
            leave: false,
            patience: Duration::ZERO,
        }
    }

    /// The same for a scenario, which the end of the model's name chooses.
    pub(super) fn scenario(&self, suffix: &str) -> Ask {
        Ask { model: format!("{}{suffix}", self.model), is_scenario: true, ..self.question() }
    }

    /// Asks over a connection of its own, and reads the reply to its end.
    ///
    /// A relay may close a connection after an error, and a request that is on its way then is lost without a fault of
    /// the relay's.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Seen, Trouble> {
        let pool = Pool::new(&self.connection, &self.base).map_err(Trouble::Net)?;
        self.ask_over(&pool, ask).await
    }

    /// Asks over a connection that may have served others.
    pub(super) async fn ask_again(&self, ask: &Ask) -> Result<Seen, Trouble> {
        self.ask_over(&self.pool, ask).await
    }

    /// The same, for as long as the answers may be paid for, however many they are.
    pub(super) async fn ask_endlessly(&self, ask: &Ask) -> Result<Seen, Trouble> {
        self.purse.afford()?;
        self.converse(&self.pool, ask).await
    }

    /// Asks over other connections.
    pub(super) async fn ask_over(&self, pool: &Pool, ask: &Ask) -> Result<Seen, Trouble> {
        self.purse.take()?;
        self.converse(pool, ask).await
    }

    /// Asks, and once more where the relay has refused a signature for its time, and where it may know the other key.
    async fn converse(&self, pool: &Pool, ask: &Ask) -> Result<Seen, Trouble> {
        if let Some(credential) = &self.credential {
            // Without a new token the old one goes, and what the relay says to it is what was asked for.
            let _ = credential.ready(&self.base).await;
        }
        let (mut seen, mut by) = self.hear(pool, ask).await?;
        if self.follows_clock(by, &seen) && self.purse.take().is_ok() {
            (seen, by) = self.hear(pool, ask).await?;
        }
        if ask.key == Key::Own && self.turns_key(by, &seen) && self.purse.take().is_ok() {
            (seen, by) = self.hear(pool, ask).await?;
            // Where both are refused, the next question begins with the first again.
            self.turns_key(by, &seen);
        }
        if ask.is_scenario && self.upstream_saw(ask, NOTED, |seen| !seen.is_empty()).await.is_empty() {
            return Err(Trouble::Elsewhere { status: seen.status, said: seen.quote() });
        }
        Ok(seen)
    }

    /// Takes over the time of a relay that has refused a question by it; whether another signature may be taken.
    fn follows_clock(&self, by: Option<SignedBy>, seen: &Seen) -> bool {
        let signer = self.signer.as_deref().filter(|_| by.is_some() && seen.is_unauthorised());
        signer.zip(seen.clock_ahead()).is_some_and(|(signer, ahead)| signer.follow(ahead))
    }

    /// Lets the other of two keys sign, where the relay has refused one; whether another signature may be taken.
    fn turns_key(&self, by: Option<SignedBy>, seen: &Seen) -> bool {
        let signer = self.signer.as_deref().filter(|_| seen.is_unauthorised());
        signer.zip(by).is_some_and(|(signer, by)| signer.turn(by, seen.clock_ahead()))
    }

    /// Sends a question, signed over what leaves, and reads what comes; tells by which of the right keys it was signed.
    async fn hear(&self, pool: &Pool, ask: &Ask) -> Result<(Seen, Option<SignedBy>), Trouble> {
        let mut request = self.request(ask);
        let signer = self.signer.as_deref();
        let by = signer.filter(|_| ask.signature == Key::Own).map(|signer| signer.sign(&mut request));
        if let (Key::Wrong, Some(signer)) = (ask.signature, signer) {
            signer.impostor().sign(&mut request);
        }
        let secrets = Mask::of(&request.headers);
        let limit = self.limit + ask.patience;
        let asked = Instant::now();
        let answered = async {
            let reply = pool.send(request).await.map_err(Trouble::Net)?;
            let reused = reply.connection.connect.is_none();
            let (status, headers) = (reply.status, reply.headers.to_map());
            let seen = Seen {
                dialect: ask.dialect,
                status,
                headers,
                reused,
                asked,
                chunks: Vec::new(),
                end: End::Whole,
                secrets,
            };
            Ok(read(seen, reply.body, ask.leave).await)
        };
        let seen = timeout(limit, answered).await.map_err(|_| Trouble::Silence(limit))??;
        if seen.is_success() && self.purse.has_limit() {
            let told = seen.told();
            let models = [told.model.as_deref().unwrap_or(&ask.model), &ask.model, &self.model];
            self.purse.pay(&models, told.usage, TOKENS);
        }
        Ok((seen, by))
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

    /// Fetches a page beside the relay, without a key and by none of the relay's own ways.
    pub(super) async fn fetch(url: &Url) -> Result<Vec<u8>, Trouble> {
        let pool = Pool::new(&Connection::default(), url).map_err(Trouble::Net)?;
        let (method, url, headers) = (Method::Get, url.clone(), RequestHeaders::default());
        let request =
            Request { method, url: url.into(), headers, body: Bytes::new(), journey: Journey::default() };
        let reply = pool.send(request).await.map_err(Trouble::Net)?;
        let (mut body, mut page) = (reply.body, Vec::new());
        while let Some(bytes) = body.chunk().await.map_err(Trouble::Net)? {
            page.extend_from_slice(&bytes);
        }
        Ok(page)
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
        let call = Call::new(ask.dialect, &self.base, &content, ask.stream)
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
        ask.dress.put_on(&mut request);
        request
    }

    /// What is sent with a question and must not be shown.
    pub(super) fn secrets(&self) -> Mask {
        let mut request = self.request(&self.question());
        self.signer.iter().for_each(|signer| {
            signer.sign(&mut request);
        });
        Mask::of(&request.headers)
    }

    /// The value of the right key as it is sent, to look for where it must not be.
    pub(super) fn secret(&self) -> Option<String> {
        let request = self.request(&self.question());
        let credential = self.credential.as_ref()?;
        let value = request.headers.get(credential.header())?.to_str().ok()?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
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
