//! The control address: an HTTP server that shows the zones and changes their mood while they run.
//!
//! `GET /__mock/zones` and `GET /__mock/zones/NAME` show; `PUT` gives a zone the mood in the body, what it leaves out at
//! its default; `POST` changes only what the body names.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::ALLOW;
use hyper::header::CONTENT_TYPE;
use hyper::header::ORIGIN;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::task::spawn_local;

use crate::mock::listener;
use crate::mock::mood::Mood;
use crate::mock::server;
use crate::mock::server::Error;
use crate::mock::zones::Remote;

/// The largest body of a change, in bytes.
const LARGEST: usize = 64 * 1024;

/// The path of all zones.
const ALL: &str = "/__mock/zones";

/// The server, which runs until it is dropped.
#[derive(Debug)]
pub(super) struct Control {
    address: SocketAddr,
    /// Dropping it stops the thread.
    running: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Control {
    /// Starts the server; it listens when this returns.
    pub(super) fn start(listen: SocketAddr, zones: Vec<Remote>) -> Result<Self, Error> {
        let (running, stopped) = oneshot::channel();
        let (report, reported) = mpsc::sync_channel(1);
        let serve = move || {
            let runtime = match server::runtime() {
                Ok(runtime) => runtime,
                Err(problem) => return drop(report.send(Err(Error::Thread(problem)))),
            };
            LocalSet::new().block_on(&runtime, async move {
                match TcpListener::bind(listen).await.and_then(|ear| Ok((ear.local_addr()?, ear))) {
                    Ok((address, ear)) => {
                        report.send(Ok(address)).ok();
                        tokio::select! {
                            _ = stopped => {}
                            () = accept(ear, zones.into()) => {}
                        }
                    }
                    Err(problem) => drop(report.send(Err(listener::refused(listen, problem)))),
                }
            });
        };
        let thread =
            thread::Builder::new().name("mock-control".into()).spawn(serve).map_err(Error::Thread)?;
        let address = reported.recv().map_err(|lost| Error::Thread(std::io::Error::other(lost)))??;
        Ok(Self { address, running: Some(running), thread: Some(thread) })
    }

    /// The address it listens at.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.running = None;
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its own thread; the caller's work must go on.
            thread.join().ok();
        }
    }
}

/// Accepts connections for ever.
async fn accept(ear: TcpListener, zones: Rc<[Remote]>) {
    loop {
        let Ok((connection, _)) = ear.accept().await else {
            // Out of descriptors, most likely: others have to close first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let zones = Rc::clone(&zones);
        let service = service_fn(move |request| {
            let zones = Rc::clone(&zones);
            async move { Ok::<_, Infallible>(answer(&zones, request).await.unwrap_or_else(Refusal::reply)) }
        });
        spawn_local(async move {
            let connection = TokioIo::new(connection);
            // Clients that leave are no concern of the server's.
            hyper::server::conn::http1::Builder::new().serve_connection(connection, service).await.ok();
        });
    }
}

/// Why a request was refused.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    /// The methods that the path has, where the method was wrong.
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }

    fn method(method: &Method, allow: &'static str) -> Self {
        let message = format!("{method} is not allowed here: {allow} is");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    fn reply(self) -> Response<Full<Bytes>> {
        let mut reply = reply(self.status, &json!({ "error": { "message": self.message } }));
        if let Some(allow) = self.allow {
            reply.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(allow));
        }
        reply
    }
}

/// Answers one request.
async fn answer(zones: &[Remote], request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Refusal> {
    if request.headers().contains_key(ORIGIN) {
        let message = "a page in a browser may not change the zones: leave the Origin header out";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path().trim_end_matches('/');
    let is_got = matches!(head.method, Method::GET | Method::HEAD);
    if path == ALL || path == "/healthz" {
        return match is_got {
            false => Err(Refusal::method(&head.method, "GET")),
            true if path == ALL => {
                let all: Vec<_> = zones.iter().map(Remote::state).collect();
                Ok(reply(StatusCode::OK, &json!({ "zones": all })))
            }
            true => Ok(reply(StatusCode::OK, &json!({ "status": "ok" }))),
        };
    }
    let Some(name) = path.strip_prefix(ALL).and_then(|rest| rest.strip_prefix('/')) else {
        let message = format!("there is no {path} here: {ALL} lists the zones, {ALL}/NAME is one of them");
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    let Some(zone) = zones.iter().find(|zone| zone.name == name) else {
        let known: Vec<_> = zones.iter().map(|zone| zone.name.as_str()).collect();
        let message = format!("there is no zone '{name}': the zones are {}", known.join(", "));
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    match head.method {
        _ if is_got => {}
        Method::PUT => change(zone, Mood::default(), &read(body).await?)?,
        Method::POST => {
            let body = read(body).await?;
            change(zone, zone.helm.mood(), &body)?;
        }
        _ => return Err(Refusal::method(&head.method, "GET, PUT, POST")),
    }
    Ok(reply(StatusCode::OK, &json!(zone.state())))
}

/// Gives a zone a mood with what the body names changed.
fn change(zone: &Remote, from: Mood, body: &[u8]) -> Result<(), Refusal> {
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    let asked: serde_json::Map<String, Value> = serde_json::from_slice(body)
        .map_err(|problem| bad(format!("the body is no JSON object of what to change: {problem}")))?;
    let mut mood = json!(from);
    for (name, value) in asked {
        mood[name] = value;
    }
    let mood = serde_json::from_value(mood).map_err(|problem| bad(problem.to_string()))?;
    zone.helm.set_mood(mood).map_err(|problem| match problem {
        Error::Mood(problem) => bad(problem.to_string()),
        problem => {
            let message = format!("the zone '{}' does not listen again: {problem}", zone.name);
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    })
}

/// The body of a change.
async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let body = Limited::new(body, LARGEST).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|problem| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the body could not be read: {problem}"))
    })
}

/// A reply in JSON.
fn reply(status: StatusCode, document: &Value) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::from(format!("{document}\n")));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    reply
}
