//! Small servers that stand before the embedded relay and note what went through them: proxies, TLS, a Unix socket.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use baton::mock::Relay;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What went through a front, one line a connection.
type Notes = Arc<Mutex<Vec<String>>>;

/// A front with its threads; dropping it stops it.
pub(crate) struct Front {
    pub(crate) port: u16,
    notes: Notes,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    /// What went through so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

/// Serves each connection by `serve`, which notes what it saw.
fn start<F, S>(upstream: SocketAddr, serve: S) -> Front
where
    F: Future<Output = Option<()>> + Send + 'static,
    S: Fn(TcpStream, SocketAddr, Notes) -> F + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let notes = Notes::default();
    let seen = Arc::clone(&notes);
    runtime.spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            tokio::spawn(serve(peer, upstream, Arc::clone(&seen)));
        }
    });
    Front { port, notes, _runtime: runtime }
}

fn address(relay: &Relay) -> SocketAddr {
    relay.base_url().trim_start_matches("http://").parse().unwrap()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn note(notes: &Notes, line: impl Into<String>) {
    notes.lock().unwrap().push(line.into());
}

/// A plain front that notes `connected` for each connection and then every stretch of bytes that the client sends.
pub(crate) fn tap(relay: &Relay) -> Front {
    start(address(relay), |peer, upstream, notes| async move {
        note(&notes, CONNECTED);
        let relay = TcpStream::connect(upstream).await.ok()?;
        let (mut from, mut back) = peer.into_split();
        let (mut answers, mut to) = relay.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
        let mut bytes = vec![0; 65536];
        loop {
            let read = from.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
            note(&notes, String::from_utf8_lossy(&bytes[..read]));
            to.write_all(&bytes[..read]).await.ok()?;
        }
    })
}

/// Answers each request's head with these words and holds the connection open.
pub(crate) fn canned(words: &'static str) -> Front {
    start(local(0), move |mut peer, _, _| async move {
        read_head(&mut peer).await?;
        peer.write_all(words.as_bytes()).await.ok()?;
        peer.read_to_end(&mut Vec::new()).await.ok().map(|_| ())
    })
}

/// Answers each request by what `answer` makes of its head, which is noted, and closes the connection.
pub(crate) fn answering(answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> Front {
    start(local(0), move |mut peer, _, notes| {
        let answer = answer.clone();
        async move {
            let head = String::from_utf8_lossy(&read_head(&mut peer).await?).into_owned();
            note(&notes, &head);
            peer.write_all(answer(&head).as_bytes()).await.ok()
        }
    })
}

/// What a front notes for a connection of which it notes nothing else at first.
pub(crate) const CONNECTED: &str = "connected";

/// Carries bytes both ways, after those that were read already.
async fn forward<S: AsyncRead + AsyncWrite + Unpin>(
    mut peer: S,
    upstream: SocketAddr,
    read: &[u8],
) -> Option<()> {
    let mut relay = TcpStream::connect(upstream).await.ok()?;
    relay.write_all(read).await.ok()?;
    copy_bidirectional(&mut peer, &mut relay).await.ok().map(|_| ())
}

/// Reads up to the end of a request's head.
async fn read_head(peer: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.push(peer.read_u8().await.ok()?);
    }
    Some(head)
}

/// An HTTP proxy that leads everything to the relay; notes each head's first line and its `host`.
pub(crate) fn http_proxy(relay: &Relay) -> Front {
    http_proxy_to(address(relay).port())
}

/// The same, to a port.
pub(crate) fn http_proxy_to(port: u16) -> Front {
    start(local(port), |mut peer, upstream, notes| async move {
        let head = read_head(&mut peer).await?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let host = text.lines().find(|line| line.to_ascii_lowercase().starts_with("host:"));
        note(&notes, format!("{} | {}", text.lines().next()?, host.unwrap_or_default()));
        if text.starts_with("CONNECT ") {
            peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            return forward(peer, upstream, b"").await;
        }
        forward(peer, upstream, &head).await
    })
}

/// A SOCKS5 proxy (RFC 1928) that leads everything to the relay; notes each destination.
pub(crate) fn socks_proxy(relay: &Relay) -> Front {
    socks_proxy_to(address(relay).port())
}

/// The same, to a port.
pub(crate) fn socks_proxy_to(port: u16) -> Front {
    start(local(port), |mut peer, upstream, notes| async move {
        let [_, methods] = read::<2>(&mut peer).await?;
        peer.read_exact(&mut vec![0; usize::from(methods)]).await.ok()?;
        peer.write_all(&[5, 0]).await.ok()?;
        let [_, command, _, kind] = read::<4>(&mut peer).await?;
        let host = match kind {
            1 => std::net::Ipv4Addr::from(read::<4>(&mut peer).await?).to_string(),
            4 => std::net::Ipv6Addr::from(read::<16>(&mut peer).await?).to_string(),
            _ => {
                let mut name = vec![0; usize::from(peer.read_u8().await.ok()?)];
                peer.read_exact(&mut name).await.ok()?;
                String::from_utf8(name).ok()?
            }
        };
        let port = u16::from_be_bytes(read::<2>(&mut peer).await?);
        note(&notes, format!("{command} {host}:{port}"));
        peer.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
        forward(peer, upstream, b"").await
    })
}

async fn read<const N: usize>(peer: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    peer.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

/// TLS before the relay; notes the server's name and the protocol of each connection.
pub(crate) fn tls(relay: &Relay, config: ServerConfig) -> Front {
    tls_to(address(relay).port(), config)
}

/// The same, before a port.
pub(crate) fn tls_to(port: u16, config: ServerConfig) -> Front {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    start(local(port), move |peer, upstream, notes| {
        let acceptor = acceptor.clone();
        async move {
            let peer = match acceptor.accept(peer).into_fallible().await {
                Ok(peer) => peer,
                Err((_, mut peer)) => {
                    // Closed with bytes unread, the connection would be reset and the alert lost.
                    peer.shutdown().await.ok()?;
                    let _ = peer.read_to_end(&mut Vec::new()).await;
                    return None;
                }
            };
            let session = peer.get_ref().1;
            let protocol = String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default()).into_owned();
            note(&notes, format!("{} {protocol}", session.server_name().unwrap_or("-")));
            forward(peer, upstream, b"").await
        }
    })
}

/// A Unix socket before the relay; notes each connection.
#[cfg(unix)]
pub(crate) fn unix_socket(relay: &Relay, path: &std::path::Path) -> Front {
    let upstream = address(relay);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = {
        let _inside = runtime.enter();
        tokio::net::UnixListener::bind(path).unwrap()
    };
    let notes = Notes::default();
    let seen = Arc::clone(&notes);
    runtime.spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            note(&seen, CONNECTED);
            tokio::spawn(async move { forward(peer, upstream, b"").await });
        }
    });
    Front { port: 0, notes, _runtime: runtime }
}
