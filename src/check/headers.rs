//! What headers do on their way: those that must change nothing, those that must come through, those that tell too much.

use std::time::{Duration, SystemTime};

use super::subject::{Ask, NOTED, Subject, Trouble};
use super::{Ruling, Verdict};

/// Addresses that a client may claim to come from: this machine, a private net, one of documentation (RFC 5737).
const CLAIMS: [&str; 3] = ["127.0.0.1", "10.0.0.1", "203.0.113.7"];
/// How far a relay's clock may be off; signatures are refused from 300 s on.
const CLOCK: Duration = Duration::from_secs(30);

/// C18: a forged `X-Forwarded-For` opens and closes no door.
pub(super) async fn forwarded(subject: &Subject) -> Result<Ruling, Trouble> {
    let plain = subject.ask(&subject.question()).await?.status;
    for claim in CLAIMS {
        let headers = vec![("x-forwarded-for", claim.to_owned())];
        let seen = subject.ask(&Ask { headers, ..subject.question() }).await?;
        if seen.status != plain {
            let line =
                format!("answered {plain} without, and with x-forwarded-for: {claim} {}", seen.quote());
            return Ok(Ruling::fail(line));
        }
    }
    Ok(Ruling::pass(format!("answered {plain} whatever address was claimed")))
}

/// C19: the request's id comes back, and reaches the upstream.
pub(super) async fn request_id(subject: &Subject) -> Result<Ruling, Trouble> {
    let ask = subject.question();
    let seen = subject.ask(&ask).await?;
    let echoed = seen.headers.values().any(|value| value.to_str().is_ok_and(|value| value == ask.mark));
    let mut ruling = if echoed {
        Ruling::pass(format!("x-request-id {} came back", ask.mark))
    } else {
        Ruling::warn(format!("x-request-id {} did not come back", ask.mark))
    };
    if subject.upstream.is_some() {
        let sighted = subject.upstream_saw(&ask, NOTED, |seen| !seen.is_empty()).await;
        let id = sighted.last().and_then(|sighting| sighting.headers.get("x-request-id"));
        let arrived = id.is_some_and(|id| *id == ask.mark);
        ruling = ruling.and(format!("the upstream saw {}", if arrived { "it" } else { "none of it" }));
        if !arrived {
            ruling.verdict = Verdict::Warn;
        }
    }
    Ok(ruling)
}

/// C28: replies tell nothing of keys, little of the relay, and are not for every web page.
pub(super) async fn leakage(subject: &Subject) -> Result<Ruling, Trouble> {
    let ask = subject.question();
    let seen = subject.ask(&ask).await?;
    let sighted = subject.upstream_saw(&ask, NOTED, |seen| !seen.is_empty()).await;
    let upstream_key = sighted.last().and_then(|sighting| {
        let value =
            sighting.headers.get("authorization").or(sighting.headers.get("x-api-key"))?.to_str().ok()?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
    });
    let secrets: Vec<String> =
        subject.secret().into_iter().chain(upstream_key).filter(|key| key.len() >= 4).collect();
    for (name, value) in &seen.headers {
        let Ok(value) = value.to_str() else { continue };
        if secrets.iter().any(|secret| value.contains(secret.as_str())) {
            return Ok(Ruling::fail(format!("the header {name} repeats a key")));
        }
    }
    let mut told = Vec::new();
    if seen.header("access-control-allow-origin") == Some("*") {
        told.push("access-control-allow-origin: * lets every web page ask".to_owned());
    }
    for name in ["x-powered-by", "server"] {
        let version = |value: &&str| name == "x-powered-by" || value.contains(|c: char| c.is_ascii_digit());
        if let Some(value) = seen.header(name).filter(version) {
            told.push(format!("{name}: {value} tells what it runs on"));
        }
    }
    Ok(if told.is_empty() {
        Ruling::pass("no key, no version, no open door for web pages")
    } else {
        Ruling { verdict: Verdict::Warn, evidence: told }
    })
}

/// C29: the relay's clock is right, or signed requests fail.
pub(super) async fn date(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&subject.question()).await?;
    let Some(date) = seen.header("date").and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return Ok(Ruling::warn("the replies have no Date"));
    };
    let now = SystemTime::now();
    let off = date.duration_since(now).or_else(|_| now.duration_since(date)).unwrap_or_default();
    let line = format!("its clock is within {} s of this machine's", off.as_secs() + 1);
    Ok(if off > CLOCK {
        Ruling::warn(format!("its clock is {} s off this machine's", off.as_secs()))
    } else {
        Ruling::pass(line)
    })
}

/// C35: the client's own headers reach the upstream.
pub(super) async fn own(subject: &Subject) -> Result<Ruling, Trouble> {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const SENT: [(&str, &str); 3] =
        [("traceparent", TRACE), ("anthropic-beta", "baton-check-2026"), ("x-baton-check", "kept")];
    let headers = SENT.map(|(name, value)| (name, value.to_owned())).to_vec();
    let ask = Ask { headers, ..subject.question() };
    subject.ask(&ask).await?;
    let sighted = subject.upstream_saw(&ask, NOTED, |seen| !seen.is_empty()).await;
    let Some(sighting) = sighted.last() else {
        return Ok(Ruling::skip("the request did not reach the upstream"));
    };
    let lost: Vec<&str> = SENT
        .iter()
        .filter(|(name, value)| sighting.headers.get(*name).is_none_or(|got| got != value))
        .map(|(name, _)| *name)
        .collect();
    Ok(if lost.is_empty() {
        Ruling::pass("traceparent, anthropic-beta and a header of our own arrived")
    } else {
        Ruling::warn(format!("the upstream saw no {}", lost.join(", no ")))
    })
}
