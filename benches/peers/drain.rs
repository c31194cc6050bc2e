//! The least that a client of many streams can do: it opens connections, sends each one request, and reads bytes.
//!
//! `drain ADDRESS CONNECTIONS BODY` prints `{"bytes": …, "reads": …}` once every answer has ended. It parses nothing: each
//! request asks for its connection to be closed, so that the end of an answer is the end of its bytes.

use std::env::args;
use std::io::Write;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// What one read may bring, as much as an HTTP library's buffer begins with.
const BUFFER: usize = 8 * 1024;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = args().skip(1).collect();
    let [address, connections, body] = arguments.as_slice() else {
        return Err(std::io::Error::other("usage: drain ADDRESS CONNECTIONS BODY"));
    };
    let connections: usize = connections.parse().map_err(std::io::Error::other)?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let request: Rc<str> = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (bytes, reads) =
        LocalSet::new().block_on(&runtime, all(address.as_str().into(), connections, request))?;
    writeln!(std::io::stdout(), "{{\"bytes\": {bytes}, \"reads\": {reads}}}")
}

/// Reads all answers and adds up what they were.
async fn all(address: Rc<str>, connections: usize, request: Rc<str>) -> std::io::Result<(usize, usize)> {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn_local(one(Rc::clone(&address), Rc::clone(&request)));
    }
    let mut sum = (0, 0);
    while let Some(joined) = tasks.join_next().await {
        let (bytes, reads) = joined.map_err(std::io::Error::other)??;
        sum = (sum.0 + bytes, sum.1 + reads);
    }
    Ok(sum)
}

/// Reads one answer to its end.
async fn one(address: Rc<str>, request: Rc<str>) -> std::io::Result<(usize, usize)> {
    let mut stream = TcpStream::connect(&*address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; BUFFER];
    let mut sum = (0, 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(sum),
            read => sum = (sum.0 + read, sum.1 + 1),
        }
    }
}
