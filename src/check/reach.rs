//! Whether there is a relay, over which connections, and whether it answers.

use std::time::Duration;

use tokio::time::sleep;

use crate::net::{Connection, HttpVersion, Pool};

use super::Ruling;
use super::subject::{Ask, Subject, Trouble};

/// How long a connection lies idle before it is used again; shorter than the limits of servers in the wild (5 s and more).
const IDLE: Duration = Duration::from_secs(4);
/// How long a pool may take to have a connection back.
const SETTLE: Duration = Duration::from_millis(50);
/// How often a check is repeated whose failure might be this machine's.
const TRIES: u32 = 3;

/// C21: any answer of HTTP will do.
pub(super) async fn reachable(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&subject.question()).await?;
    Ok(Ruling::pass(format!("answered {} in {} ms", seen.status, seen.took().as_millis())))
}

/// C22: what is sent in the clear can be read on the way.
pub(super) async fn tls(subject: &Subject) -> Result<Ruling, Trouble> {
    let loopback = match subject.base.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if subject.base.scheme() == "https" {
        subject.ask(&subject.question()).await?;
        return Ok(Ruling::pass("the certificate's chain, name and dates were verified"));
    }
    Ok(if loopback {
        Ruling::skip("the relay is on this machine, without TLS")
    } else {
        Ruling::fail("the address is http://, so that keys and prompts travel in the clear")
    })
}

/// C24: a prompt has an answer.
pub(super) async fn answers(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&subject.question()).await?;
    let told = seen.told();
    if !seen.is_success() || told.text.is_empty() {
        return Ok(Ruling::fail(format!("a prompt to {} was answered {}", subject.model, seen.quote())));
    }
    Ok(Ruling::pass(format!(
        "a prompt in {} was answered in {} ms",
        subject.dialect.name(),
        seen.took().as_millis()
    )))
}

/// C23: HTTP/1.1 is what every client speaks.
pub(super) async fn versions(subject: &Subject) -> Result<Ruling, Trouble> {
    let over = |version| {
        let connection = Connection { version, ..subject.connection.clone() };
        Pool::new(&connection, &subject.base).map_err(Trouble::Net)
    };
    let one = subject.ask_over(&over(HttpVersion::One)?, &subject.question()).await?;
    let two = match subject.ask_over(&over(HttpVersion::Two)?, &subject.question()).await {
        Ok(seen) => format!("HTTP/2 answered {}", seen.status),
        Err(Trouble::Purse) => return Err(Trouble::Purse),
        Err(_) => "HTTP/2 is not spoken".to_owned(),
    };
    let one_answer = format!("HTTP/1.1 answered {}", one.quote());
    Ok(if matches!(one.status, 426 | 505) {
        Ruling::fail(one_answer)
    } else {
        Ruling::pass(format!("HTTP/1.1 answered {}", one.status))
    }
    .and(two))
}

/// C20: a connection serves more than one request, and one that has lain idle does no harm.
pub(super) async fn keep_alive(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut again = None;
    for _ in 0..TRIES {
        subject.ask(&subject.question()).await?;
        sleep(SETTLE).await;
        let seen = subject.ask(&subject.question()).await?;
        if seen.reused {
            again = Some(seen);
            break;
        }
        again = None;
    }
    if again.is_none() {
        return Ok(Ruling::fail("each of several requests needed a connection of its own"));
    }
    subject.wait(IDLE).await;
    let idle = subject.scaled(IDLE).as_secs_f64();
    let question: Ask = subject.question();
    Ok(match subject.ask(&question).await {
        Err(Trouble::Net(error)) => {
            Ruling::fail(format!("after {idle} s idle the next request failed: {error}"))
        }
        answered => {
            let reused = if answered?.reused { "reused" } else { "made anew" };
            Ruling::pass(format!("reused at once, {reused} after {idle} s idle"))
        }
    })
}
