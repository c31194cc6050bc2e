//! One request on its way through a gateway: the upstream is asked, and its reply goes back as the habits have it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::door::Place;
use super::sighting::{Fate, Witness};
use super::stream::{Grammar, Passage, Passed, renamed};
use super::{Habit, Hub};

/// How many reads may wait for a slow client.
const AHEAD: usize = 16;
/// How often a gateway asks that tries again.
const TRIES: u32 = 3;

/// The gateway breaks off; hyper then drops the connection.
#[derive(Debug, thiserror::Error)]
#[error("the gateway breaks off")]
pub(super) struct Severed;

/// A reply's body.
pub(super) enum Body {
    /// Bytes that are ready.
    Ready(VecDeque<Bytes>),
    /// Bytes that come when they come.
    Live(mpsc::Receiver<Result<Bytes, Severed>>),
}

impl Body {
    /// A body in one piece.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Ready(VecDeque::from([bytes]))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Severed;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Severed>>> {
        match self.get_mut() {
            Self::Ready(chunks) => Poll::Ready(chunks.pop_front().map(|chunk| Ok(Frame::data(chunk)))),
            Self::Live(chunks) => chunks.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }
}

/// Why there is no reply of the upstream's.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be reached, or breaks off before its reply.
    Upstream,
    /// It was silent for too long.
    Silence,
    /// It said nothing under a status of success.
    Nothing,
}

impl Problem {
    /// What the client is told.
    pub(super) const fn refusal(&self) -> (u16, &'static str) {
        match self {
            Self::Upstream => (502, "the upstream did not answer"),
            Self::Silence => (504, "the upstream was silent for too long"),
            Self::Nothing => (502, "the upstream answered with nothing"),
        }
    }
}

/// One request on its way.
pub(super) struct Errand {
    pub(super) hub: Rc<Hub>,
    pub(super) head: Parts,
    pub(super) body: Bytes,
    pub(super) grammar: Grammar,
    /// Tells what becomes of it.
    pub(super) witness: Witness,
    /// Held to its end.
    pub(super) place: Place,
}

/// A reply of the upstream's, and the task that reads it.
struct Answer {
    response: Response<Incoming>,
    line: Line,
}

/// The connection to the upstream, closed when this is dropped.
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Errand {
    fn has(&self, habit: Habit) -> bool {
        self.hub.options.personality.has(habit)
    }

    /// Asks the upstream and begins to pass its reply on.
    pub(super) async fn run(self) -> Result<Response<Body>, Problem> {
        let tries = if self.has(Habit::RetryUpstream) { TRIES } else { 1 };
        let mut answer = self.ask().await;
        for _ in 1..tries {
            let failed = answer.as_ref().map_or(true, |answer| {
                let status = answer.response.status();
                status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
            });
            if !failed {
                break;
            }
            answer = self.ask().await;
        }
        let Answer { response, line } = answer?;
        self.witness.answered(response.status().as_u16(), response.headers());
        let (mut head, body) = response.into_parts();
        if head.status.as_u16() == 529 && self.has(Habit::FlattenOverload) {
            head.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        for name in ["content-length", "connection", "transfer-encoding"] {
            head.headers.remove(name);
        }
        if is_stream(&head.headers) {
            return Ok(self.pass(head, body, line).await);
        }
        self.whole(head, body, line).await
    }

    /// Asks the upstream once.
    async fn ask(&self) -> Result<Answer, Problem> {
        let asked = async {
            let socket = TcpStream::connect(self.hub.options.upstream).await.ok()?;
            socket.set_nodelay(true).ok();
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.ok()?;
            let line = Line(spawn_local(async move { drop(connection.await) }));
            let mut request = Request::new(Full::new(self.body.clone()));
            *request.method_mut() = self.head.method.clone();
            let path = self.head.uri.path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse().ok()?;
            *request.headers_mut() = self.head.headers.clone();
            let host = self.hub.options.upstream.to_string();
            request.headers_mut().insert("host", host.parse().ok()?);
            let response = sender.send_request(request).await.ok()?;
            Some(Answer { response, line })
        };
        let patience = self.hub.options.patience;
        let answer = if self.has(Habit::CutSilence) {
            timeout(patience, asked).await.map_err(|_| Problem::Silence)?
        } else {
            asked.await
        };
        answer.ok_or(Problem::Upstream)
    }

    /// Passes a reply on in one piece.
    async fn whole(
        mut self,
        mut head: hyper::http::response::Parts,
        body: Incoming,
        line: Line,
    ) -> Result<Response<Body>, Problem> {
        let read = body.collect().await;
        drop(line);
        let Ok(read) = read else {
            self.witness.ended(Fate::Broken);
            return Err(Problem::Upstream);
        };
        let mut bytes = read.to_bytes();
        if head.status.is_success() && bytes.is_empty() && !self.has(Habit::PassEmpty) {
            self.finish();
            return Err(Problem::Nothing);
        }
        if self.has(Habit::TextErrors) && !head.status.is_success() {
            let text = format!(
                "Error from provider: {}\n    at Provider.send (/app/dist/provider.js:88:19)\n",
                String::from_utf8_lossy(&bytes)
            );
            bytes = text.into_bytes().into();
            head.headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        if let (true, Ok(text)) = (self.has(Habit::RenameModel), std::str::from_utf8(&bytes)) {
            bytes = renamed(text.to_owned()).into_bytes().into();
        }
        self.witness.passed();
        self.finish();
        Ok(Response::from_parts(head, Body::whole(bytes)))
    }

    /// Passes a stream on as it comes.
    async fn pass(self, head: hyper::http::response::Parts, body: Incoming, line: Line) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        if self.has(Habit::Buffer) {
            let (gathered, mut chunks) = mpsc::channel(usize::from(u16::MAX));
            spawn_local(self.pump(body, line, gathered));
            let mut all = VecDeque::new();
            while let Some(Ok(chunk)) = chunks.recv().await {
                all.push_back(chunk);
            }
            return Response::from_parts(head, Body::Ready(all));
        }
        spawn_local(self.pump(body, line, sender));
        Response::from_parts(head, Body::Live(receiver))
    }

    /// Reads the upstream's stream and hands it over, until either end has had enough.
    async fn pump(mut self, mut body: Incoming, line: Line, out: mpsc::Sender<Result<Bytes, Severed>>) {
        let hub = Rc::clone(&self.hub);
        let mut passage = Passage::new(&hub.options.personality, self.grammar);
        let keeps = self.has(Habit::KeepUpstream);
        loop {
            let frame = tokio::select! {
                frame = self.frame(&mut body) => frame,
                () = out.closed(), if !keeps => return,
            };
            match frame {
                Some(Ok(bytes)) => match passage.pass(&bytes) {
                    Passed::On(bytes) if bytes.is_empty() => {}
                    Passed::On(bytes) => {
                        self.witness.passed();
                        if out.send(Ok(bytes.into())).await.is_err() && !keeps {
                            return;
                        }
                    }
                    Passed::Over => return self.finish(),
                },
                None => break,
                Some(Err(_)) if self.has(Habit::CleanEnd) => break,
                Some(Err(_)) => {
                    self.witness.ended(Fate::Broken);
                    out.send(Err(Severed)).await.ok();
                    return;
                }
            }
        }
        drop(line);
        let end = passage.end();
        if !end.is_empty() {
            out.send(Ok(end.into())).await.ok();
        }
        self.finish();
    }

    /// The next bytes of the upstream's stream.
    async fn frame(&self, body: &mut Incoming) -> Option<Result<Bytes, Severed>> {
        let read = async {
            loop {
                match body.frame().await? {
                    Ok(frame) => {
                        if let Ok(bytes) = frame.into_data() {
                            break Some(Ok(bytes));
                        }
                    }
                    Err(_) => break Some(Err(Severed)),
                }
            }
        };
        if self.has(Habit::CutSilence) {
            return timeout(self.hub.options.patience, read).await.unwrap_or(Some(Err(Severed)));
        }
        read.await
    }

    /// The reply was handed over whole.
    fn finish(&mut self) {
        self.witness.ended(Fate::Complete);
        self.place.is_whole = true;
    }
}

/// Whether a reply is a stream of events.
fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}
