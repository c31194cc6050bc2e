//! Reads what Kong's `hmac-auth` says of a request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Version;
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

use super::{Claim, SignatureFault, header};

/// The claim in `Proxy-Authorization`, or else in `Authorization`, as the plugin looks for it. The date, the line and the
/// digest of the body must be among what is signed.
pub(super) fn read<'a>(head: &'a Parts, body: &[u8]) -> Result<Claim<'a>, SignatureFault> {
    let name = "proxy-authorization";
    let name = if head.headers.contains_key(name) { name } else { "authorization" };
    let wrong = SignatureFault::Missing(name);
    let parameters = header(&head.headers, name)?.strip_prefix("hmac ").ok_or(wrong.clone())?;
    let parameter = |wanted: &str| {
        let mut pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
        value.strip_prefix('"')?.strip_suffix('"')
    };
    let names: Vec<&str> = parameter("headers").ok_or(wrong.clone())?.split(' ').collect();
    let has = |name: &str| names.contains(&name);
    if parameter("algorithm") != Some("hmac-sha256") || !has("digest") {
        return Err(wrong);
    }
    let dated = if head.headers.contains_key("x-date") { "x-date" } else { "date" };
    if !has(dated) || !(has("request-line") || has("@request-target")) {
        return Err(wrong);
    }
    let date = httpdate::parse_http_date(header(&head.headers, dated)?);
    let lines: Result<Vec<String>, _> = names.iter().map(|name| line(head, name)).collect();
    let digest = format!("SHA-256={}", BASE64_STANDARD.encode(Sha256::digest(body)));
    Ok(Claim {
        region: None,
        id: parameter("username").ok_or(wrong.clone())?,
        at: date.map_err(|_| SignatureFault::Missing("date"))?,
        text: lines?.join("\n"),
        signatures: parameter("signature")
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .into_iter()
            .collect(),
        body_is_whole: header(&head.headers, "digest")? == digest,
        derivation: ("", Vec::new()),
    })
}

/// One line of what is signed.
fn line(head: &Parts, name: &str) -> Result<String, SignatureFault> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    match name {
        "@request-target" => {
            Ok(format!("@request-target: {} {target}", head.method.as_str().to_ascii_lowercase()))
        }
        "request-line" => {
            let version = if head.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" };
            Ok(format!("{} {target} {version}", head.method))
        }
        "host" => Ok(format!("host: {}", super::host(head)?)),
        name => {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            Ok(format!(
                "{name}: {}",
                value.ok_or(SignatureFault::Missing("a header that is said to be signed"))?
            ))
        }
    }
}
