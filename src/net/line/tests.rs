//! Connections of our own against servers that are played byte by byte.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{join_all, select_all};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper::{Response, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::super::{Journey, RequestHeaders, Route};
use super::stream::Stream;
use super::*;

async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}

fn line(url: &Url) -> Line {
    let resolver = TimedResolver::new(Route::default());
    Line::new(&Connection::default(), url, (resolver, None)).unwrap()
}

fn request(url: &Url) -> Request {
    Request {
        method: Method::Post,
        url: url.clone().into(),
        headers: RequestHeaders::default(),
        body: Bytes::from_static(b"{}"),
        journey: Journey::default(),
    }
}

/// Sends a request and reads its answer to the end; how long the request took to leave.
async fn ask(line: &Line, url: &Url) -> Result<Option<Duration>, BoxError> {
    let Arrived { body, sent, .. } = line.send(&request(url)).await?;
    assert_eq!(body.collect().await?.to_bytes(), "ok");
    Ok(sent)
}

/// Reads one request from a client and answers it.
async fn answer(peer: &mut TcpStream, headers: &str) {
    let mut read = Vec::new();
    while !read.ends_with(b"{}") {
        assert!(peer.read_buf(&mut read).await.unwrap() > 0, "the request broke off");
    }
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{headers}\r\nok");
    peer.write_all(reply.as_bytes()).await.unwrap();
}

/// Carries a byte from one socket to another.
async fn round_trip() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    near.unwrap().write_all(b"x").await.unwrap();
    assert_eq!(far.unwrap().0.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn a_connection_carries_one_request_after_another_and_times_how_each_leaves() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        answer(&mut peer, "").await;
        answer(&mut peer, "").await;
        peer
    };
    let asking = async {
        assert!(ask(&line, &url).await.unwrap().is_some());
        assert!(ask(&line, &url).await.unwrap().is_some());
    };
    let _open = tokio::join!(serving, asking);
    assert_eq!(line.take_lines(), Connections { made: 1, most_open: 1, most_streams: 1 });
    assert_eq!(line.take_lines(), Connections { made: 0, most_open: 1, most_streams: 0 }, "it stays open");
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_is_no_failure() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let (closed, seen) = tokio::sync::oneshot::channel();
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        answer(&mut peer, "").await;
        drop(peer);
        closed.send(()).unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        answer(&mut peer, "").await;
    };
    let asking = async {
        ask(&line, &url).await.unwrap();
        seen.await.unwrap();
        // What has come over any socket before this round trip is known to the runtime after it.
        round_trip().await;
        ask(&line, &url).await.unwrap();
    };
    tokio::join!(serving, asking);
    assert_eq!(line.take_lines().made, 2);
}

#[tokio::test]
async fn a_server_that_says_so_gets_no_second_request_on_a_connection() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let serving = async {
        for _ in 0..2 {
            let (mut peer, _) = listener.accept().await.unwrap();
            answer(&mut peer, "connection: close\r\n").await;
        }
    };
    let asking = async {
        ask(&line, &url).await.unwrap();
        ask(&line, &url).await.unwrap();
    };
    tokio::join!(serving, asking);
    assert_eq!(line.take_lines(), Connections { made: 2, most_open: 1, most_streams: 1 });
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_an_error_and_its_connection_is_not_kept() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let _ = peer.read(&mut [0; 4096]).await.unwrap();
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await.unwrap();
        drop(peer);
        let (mut peer, _) = listener.accept().await.unwrap();
        answer(&mut peer, "").await;
    };
    let asking = async {
        let error = ask(&line, &url).await.unwrap_err();
        assert!(error.is::<Fault>(), "{error}");
        ask(&line, &url).await.unwrap();
    };
    tokio::join!(serving, asking);
    assert_eq!(line.take_lines().made, 2);
}

#[tokio::test]
async fn a_connection_over_which_something_came_unasked_carries_no_further_request() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let (told, heard) = tokio::sync::oneshot::channel();
    let serving = async {
        let (mut first, _) = listener.accept().await.unwrap();
        answer(&mut first, "").await;
        first.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        told.send(()).unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        answer(&mut second, "").await;
        first
    };
    let asking = async {
        ask(&line, &url).await.unwrap();
        heard.await.unwrap();
        round_trip().await;
        ask(&line, &url).await.unwrap();
    };
    let _open = tokio::join!(serving, asking);
    assert_eq!(line.take_lines().made, 2);
}

#[tokio::test]
async fn what_follows_an_answer_uncalled_for_ends_its_connection_however_large_the_answer_was() {
    let url: Arc<Url> = Arc::new("http://relay.example/v1".parse().unwrap());
    for (size, rest, is_kept) in
        [(2, "", true), (1 << 20, "", true), (2, "HTTP", false), (1 << 20, "HTTP", false)]
    {
        let (near, mut far) = tokio::io::duplex(4 << 20);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
        far.write_all(&[head.as_bytes(), &vec![b'x'; size], rest.as_bytes()].concat()).await.unwrap();
        let mut link = Box::new(Link::new(Stream::new(near, false), &Arc::default()));
        assert!(link.send(&Place::of(&url).unwrap(), &request(&url)).await.is_ok());
        let home = Arc::<Home>::default();
        let body = LineBody(Carrier::Alone(link, Some(Arc::clone(&home))));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), size);
        assert_eq!(home.len(), usize::from(is_kept), "{size}, {rest}");
    }
}

#[tokio::test]
async fn an_answer_counts_although_its_server_has_not_read_the_whole_request() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let _ = peer.read(&mut [0; 64]).await.unwrap();
        peer.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        peer
    };
    let asking = async {
        let request = Request { body: vec![b'x'; 64 << 20].into(), ..request(&url) };
        let Arrived { head, body, .. } = line.send(&request).await.unwrap();
        assert_eq!((head.status, body.collect().await.unwrap().to_bytes()), (413, Bytes::from_static(b"ok")));
    };
    let _open = tokio::join!(serving, asking);
    assert_eq!(line.home.len(), 0, "the rest of the request would be read as the next one");
}

#[tokio::test]
async fn a_large_request_arrives_whole() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let body: Vec<_> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        let start = loop {
            assert!(peer.read_buf(&mut read).await.unwrap() > 0);
            let head = read.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(start) = head.map(|end| end + 4).filter(|start| read.len() == start + body.len()) {
                break start;
            }
        };
        assert!(read[start..] == body);
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        peer
    };
    let asking = async {
        let request = Request { body: body.clone().into(), ..request(&url) };
        line.send(&request).await.unwrap().body.collect().await.unwrap();
    };
    let _open = tokio::join!(serving, asking);
    assert_eq!(line.home.len(), 1);
}

#[tokio::test]
async fn an_answer_is_the_same_wherever_it_was_cut() {
    let (listener, url) = listen().await;
    let line = line(&url);
    let wire =
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        1\r\no\r\n1;last\r\nk\r\n0\r\nx-trailer: y\r\n\r\n";
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        for cut in 1..wire.len() {
            let mut read = Vec::new();
            while !read.ends_with(b"{}") {
                assert!(peer.read_buf(&mut read).await.unwrap() > 0);
            }
            peer.write_all(&wire[..cut]).await.unwrap();
            // What was written is with the client before the rest follows.
            round_trip().await;
            peer.write_all(&wire[cut..]).await.unwrap();
        }
        peer
    };
    let asking = async {
        for _ in 1..wire.len() {
            ask(&line, &url).await.unwrap();
        }
    };
    let _open = tokio::join!(serving, asking);
    assert_eq!(line.take_lines().made, 1);
}

#[tokio::test]
async fn connections_are_made_ahead_of_the_requests_that_will_need_them() {
    let (listener, url) = listen().await;
    let connection = Connection { ahead: 2, ..Connection::default() };
    let line = Line::new(&connection, &url, (TimedResolver::new(Route::default()), None)).unwrap();
    let serving = async {
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(listener.accept().await.unwrap().0);
        }
        // Which of them a request takes is the client's choice.
        select_all(peers.iter_mut().map(|peer| answer(peer, "").boxed())).await;
        peers
    };
    let (_peers, asked) = tokio::join!(serving, ask(&line, &url));
    assert!(asked.is_ok());
    while line.home.len() < 3 {
        tokio::task::yield_now().await;
    }
    let taken: Vec<_> = std::iter::from_fn(|| line.home.take(Instant::now())).collect();
    assert_eq!((taken.len(), line.take_lines()), (3, Connections { made: 3, most_open: 3, most_streams: 1 }));
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_told_as_that_to_all_who_wait_for_it() {
    let (listener, url) = listen().await;
    drop(listener);
    for version in [HttpVersion::One, HttpVersion::Two] {
        let connection = Connection { version, ..Connection::default() };
        let line = Line::new(&connection, &url, (TimedResolver::new(Route::default()), None)).unwrap();
        for asked in join_all((0..3).map(|_| ask(&line, &url))).await {
            let error = Error::of_request(&*asked.unwrap_err(), connection.connect_timeout);
            assert!(matches!(error, Error::Connect { .. }) && !error.may_have_been_sent(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_2_is_named_as_that_and_has_got_no_request() {
    let (listener, url) = listen().await;
    let connection = Connection { version: HttpVersion::Two, ..Connection::default() };
    let line = Line::new(&connection, &url, (TimedResolver::new(Route::default()), None)).unwrap();
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        peer
    };
    let (_peer, asked) = tokio::join!(serving, ask(&line, &url));
    let error = Error::of_request(&*asked.unwrap_err(), connection.connect_timeout);
    assert!(error.to_string().contains("does not speak HTTP/2") && !error.may_have_been_sent(), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_nobody_waits_for_any_more_is_given_up_and_made_anew() {
    let (listener, url) = listen().await;
    let connection = Connection { version: HttpVersion::Two, ..Connection::default() };
    let line = Line::new(&connection, &url, (TimedResolver::new(Route::default()), None)).unwrap();
    let connected = async { listener.accept().await.unwrap().0 };
    // The one who asked loses patience once the server has the connection and says nothing.
    let mut first = tokio::select! {
        _ = ask(&line, &url) => panic!("nobody answers"),
        peer = connected => peer,
    };
    while first.read(&mut [0; 4096]).await.unwrap() > 0 {}
    let second = tokio::select! {
        _ = ask(&line, &url) => panic!("nobody answers"),
        peer = listener.accept() => peer,
    };
    assert!(second.is_ok());
}

#[tokio::test]
async fn over_http_2_no_request_waits_for_another_where_a_second_connection_can_be_made() {
    let (listener, url) = listen().await;
    let connection = Connection { version: HttpVersion::Two, ..Connection::default() };
    let line = Line::new(&connection, &url, (TimedResolver::new(Route::default()), None)).unwrap();
    // Nobody is answered before all eight have come, and no connection takes more than five.
    let all = Arc::new(Barrier::new(8));
    tokio::spawn(async move {
        loop {
            let (peer, _) = listener.accept().await.unwrap();
            let all = Arc::clone(&all);
            let service = service_fn(move |_| {
                let all = Arc::clone(&all);
                async move {
                    all.wait().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
                }
            });
            let mut server = server::conn::http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(5);
            tokio::spawn(async move { server.serve_connection(TokioIo::new(peer), service).await });
        }
    });
    let answers = join_all((0..8).map(|_| ask(&line, &url))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(None))), "{answers:?}");
    let lines = line.take_lines();
    assert_eq!(lines, Connections { made: 2, most_open: 2, most_streams: 5 });
}
