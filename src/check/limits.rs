//! What becomes of the upstream's limits and failures: their status, their headers, and how often it is asked.

use std::time::Duration;

use crate::mock::Sighting;

use super::seen::Seen;
use super::subject::{Ask, Subject, Trouble};
use super::{Ruling, Verdict};

/// How long further attempts of the relay's are waited for after it has answered.
const LATER: Duration = Duration::from_millis(200);

fn limits(headers: &crate::net::HeaderMap) -> Vec<String> {
    let told = |name: &str| name.starts_with("retry-after") || name.contains("ratelimit");
    let line =
        |name: &str, value: &crate::net::HeaderValue| format!("{name}: {}", value.to_str().unwrap_or("?"));
    headers
        .iter()
        .filter(|(name, _)| told(name.as_str()))
        .map(|(name, value)| line(name.as_str(), value))
        .collect()
}

/// What the upstream sent and what the relay made of it.
fn both(upstream: Option<&Sighting>, seen: &Seen) -> [String; 2] {
    let list = |status: u16, limits: Vec<String>| {
        let limits = if limits.is_empty() {
            "no retry-after, no rate-limit headers".to_owned()
        } else {
            limits.join(", ")
        };
        format!("{status}, {limits}")
    };
    let sent = upstream.and_then(|sighting| sighting.reply.as_ref());
    let sent = sent.map_or_else(|| "nothing".to_owned(), |(status, headers)| list(*status, limits(headers)));
    [format!("upstream sent {sent}"), format!("relay sent    {}", list(seen.status, limits(&seen.headers)))]
}

/// C03: a 429 stays one, with its `Retry-After` and its rate-limit headers.
pub(super) async fn retry_after(subject: &Subject) -> Result<Ruling, Trouble> {
    let ask = subject.scenario("-mock-429");
    let seen = subject.ask(&ask).await?;
    let sighted = subject.upstream_saw(&ask, Duration::ZERO, |_| true).await;
    let kept = seen.headers.contains_key("retry-after");
    let rates = seen.headers.keys().any(|name| name.as_str().contains("ratelimit"));
    let verdict = match (seen.status, kept, rates) {
        (429, true, true) if seen.misshapen().is_none() => Verdict::Pass,
        (429, true, _) => Verdict::Warn,
        _ => Verdict::Fail,
    };
    let mut ruling = Ruling { verdict, evidence: both(sighted.last(), &seen).to_vec() };
    if let (Verdict::Warn, Some(lack)) = (verdict, seen.misshapen()) {
        ruling = ruling.and(lack);
    }
    Ok(ruling)
}

/// C30: 529 stays what clients back off from.
pub(super) async fn overload(subject: &Subject) -> Result<Ruling, Trouble> {
    let seen = subject.ask(&subject.scenario("-mock-529")).await?;
    let line = format!("upstream sent 529, relay sent {}", seen.quote());
    Ok(match seen.status {
        529 => Ruling::pass(line),
        503 => Ruling::warn(line),
        _ => Ruling::fail(line),
    })
}

/// C13: one request of a client's is one request to the upstream.
pub(super) async fn retries(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut ruling = Ruling { verdict: Verdict::Pass, evidence: Vec::new() };
    for fault in ["500", "429"] {
        let ask: Ask = subject.scenario(&format!("-mock-{fault}"));
        let seen = subject.ask(&ask).await?;
        let hits = subject.upstream_saw(&ask, LATER, |seen| seen.len() > 1).await.len();
        let times = format!(
            "a {fault} of the upstream's was asked for {hits} times and answered {} after {} ms",
            seen.status,
            seen.took().as_millis()
        );
        if hits != 1 {
            ruling.verdict = Verdict::Fail;
        }
        ruling = ruling.and(times);
    }
    Ok(ruling)
}
