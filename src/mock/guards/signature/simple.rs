//! Reads what the scheme `simple` says of a request.

use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;

use super::{Claim, SignatureFault, from_hex, has_digest, header, host};

/// The claim in the headers `X-Key-Id`, `X-Timestamp`, `X-Nonce`, `X-Content-SHA256` and `X-Signature`.
pub(super) fn read<'a>(head: &'a Parts, body: &[u8]) -> Result<Claim<'a>, SignatureFault> {
    let of = |name| header(&head.headers, name);
    let (time, nonce, digest) = (of("x-timestamp")?, of("x-nonce")?, of("x-content-sha256")?);
    let seconds = time.parse::<u64>().ok().filter(|seconds| *seconds < u64::from(u32::MAX));
    let seconds = seconds.ok_or(SignatureFault::Missing("x-timestamp"))?;
    let target = match head.uri.query() {
        None => head.uri.path().to_owned(),
        Some(query) => {
            let mut parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
            parts.sort_unstable();
            let mark = if parts.is_empty() { "" } else { "?" };
            [head.uri.path(), mark, &parts.join("&")].concat()
        }
    };
    let lines = ["v1", head.method.as_str(), host(head)?, &target, time, nonce, digest];
    let signatures = of("x-signature")?.split(',').filter_map(|part| from_hex(part.strip_prefix("v1=")?));
    Ok(Claim {
        region: None,
        id: of("x-key-id")?,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        text: lines.join("\n"),
        signatures: signatures.collect(),
        body_is_whole: has_digest(body, digest),
        derivation: ("", Vec::new()),
    })
}
