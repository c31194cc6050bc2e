//! Whether there is a relay, over which connections, and whether it answers.

use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use crate::net::{Connection, Handshake, HttpVersion, Pool, Trust, handshake};
use crate::wire::Dialect;

use super::subject::{Ask, Subject, Trouble};
use super::{Ruling, Verdict};

/// How long a connection lies idle before it is used again; shorter than the limits of servers in the wild (5 s and more).
const IDLE: Duration = Duration::from_secs(4);
/// How long before its end a certificate of three months is renewed by everybody whose renewal works: ACME's clients do so
/// when a third of its time is left, and half of that is the time to notice that they do not.
const RENEWED: Duration = Duration::from_secs(15 * 86_400);
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
        subject.purse.take()?;
        let shown = timeout(subject.limit, handshake(&subject.connection, &subject.base)).await;
        let shown = shown.map_err(|_| Trouble::Silence(subject.limit))?.map_err(Trouble::Net)?;
        return Ok(certified(&shown, &subject.connection.trust));
    }
    Ok(if loopback {
        Ruling::skip("the relay is on this machine, without TLS")
    } else {
        Ruling::fail("the address is http://, so that keys and prompts travel in the clear")
    })
}

/// What a certificate is worth now.
fn certified(shown: &Handshake, trust: &Trust) -> Ruling {
    let Handshake { version, from, until } = *shown;
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    let enough = RENEWED.min(until.duration_since(from).unwrap_or_default() / 6);
    let ruling = if matches!(trust, Trust::Anyone) {
        Ruling::warn("nothing of the certificate was verified: --insecure")
    } else if left < enough {
        Ruling::warn("the certificate's chain, name and dates were verified, but it ends soon")
    } else {
        Ruling::pass("the certificate's chain, name and dates were verified")
    };
    let days = left.as_secs() / 86_400;
    let until = jiff::Timestamp::try_from(until).map_or_else(|_| "?".to_owned(), |until| until.to_string());
    ruling.and(format!("it holds until {until}, {days} days from now")).and(format!("{version} is spoken"))
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
        Err(trouble @ (Trouble::Purse | Trouble::Cost(_))) => return Err(trouble),
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

/// C38: what is not offered is refused, and what is offered is told.
pub(super) async fn dialects(subject: &Subject) -> Result<Ruling, Trouble> {
    let others = [Dialect::Messages, Dialect::Chat, Dialect::Responses];
    let mut ruling = Ruling::pass(format!("{}: offered", subject.dialect.name()));
    for dialect in others.into_iter().filter(|dialect| *dialect != subject.dialect) {
        let mut headers = Vec::new();
        if let Some(key) = subject.secret() {
            // Where another dialect expects the key.
            headers.extend([("x-api-key", key.clone()), ("authorization", format!("Bearer {key}"))]);
        }
        let ask = Ask { dialect, headers, ..subject.question() };
        let (is_clean, line) = match subject.ask(&ask).await {
            Err(Trouble::Net(error)) => (false, error.to_string()),
            answered => match answered? {
                seen if seen.is_success() => (true, "offered".to_owned()),
                seen => (seen.status < 500, format!("answered {}", seen.quote())),
            },
        };
        if !is_clean {
            ruling.verdict = Verdict::Warn;
        }
        ruling = ruling.and(format!("{}: {line}", dialect.name()));
    }
    Ok(ruling)
}

/// C20: a connection serves more than one request, and one that has lain idle does no harm.
pub(super) async fn keep_alive(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut again = None;
    for _ in 0..TRIES {
        subject.ask_again(&subject.question()).await?;
        sleep(SETTLE).await;
        let seen = subject.ask_again(&subject.question()).await?;
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
    Ok(match subject.ask_again(&question).await {
        Err(Trouble::Net(error)) => {
            Ruling::fail(format!("after {idle} s idle the next request failed: {error}"))
        }
        answered => {
            let reused = if answered?.reused { "reused" } else { "made anew" };
            Ruling::pass(format!("reused at once, {reused} after {idle} s idle"))
        }
    })
}
