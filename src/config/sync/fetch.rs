//! One look at one source: the file and its signature, or why there is none that could be believed.

use std::time::Duration;

use bytes::Bytes;
use minisign_verify::{PublicKey, Signature};
use tokio::time::timeout;

use crate::net::{
    Error, HeaderMap, HeaderName, HeaderValue, Headers, Journey, Method, Reply, Request, Transport, Url,
};
use crate::units::Span;

use super::Verdict;
use super::subscription::Site;

/// How long a source may take for the file and its signature.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any file of endpoints needs.
const LARGEST: usize = 1 << 20;

/// How long before it is sent a file must have been changed for its entity tag to be its own.
const SETTLED: Duration = Duration::from_secs(2);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// The same as last time.
    Unmodified,
    /// A file that the key has signed.
    Signed(Signed),
    /// Nothing to be believed.
    Failed(Verdict, String),
}

/// A file with the signature that fits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) document: String,
    pub(super) signature: String,
    pub(super) etag: Option<String>,
}

/// Looks at a source; `etag` is that of what is known of it already.
pub(super) async fn look<T: Transport>(
    transport: &T,
    site: &Site,
    key: &PublicKey,
    etag: Option<&str>,
) -> Look {
    match timeout(PATIENCE, look_twice(transport, site, key, etag)).await {
        Ok(look) => look,
        Err(_) => Look::Failed(Verdict::Unreachable, format!("no answer within {}", Span(PATIENCE))),
    }
}

/// Looks once more where file and signature do not fit: a roll-out replaces one after the other.
async fn look_twice<T: Transport>(transport: &T, site: &Site, key: &PublicKey, etag: Option<&str>) -> Look {
    match look_once(transport, site, key, etag).await {
        Err((Verdict::BadSignature | Verdict::Truncated, _)) => look_once(transport, site, key, None).await,
        other => other,
    }
    .unwrap_or_else(|(verdict, detail)| Look::Failed(verdict, detail))
}

type Failure = (Verdict, String);

async fn look_once<T: Transport>(
    transport: &T,
    site: &Site,
    key: &PublicKey,
    etag: Option<&str>,
) -> Result<Look, Failure> {
    let reply = get(transport, &site.url, etag).await?;
    match (reply.status, etag) {
        (200, _) => {}
        (304, Some(_)) => return Ok(Look::Unmodified),
        (status, _) => return Err((Verdict::Unreachable, format!("it answered {status}"))),
    }
    let etag = etag_of(&reply.headers);
    let document = body(reply).await?;
    let reply = get(transport, &site.signature_url(), None).await?;
    if reply.status != 200 {
        let detail = format!("{} answered {}", site.signature_url(), reply.status);
        let is_absent = matches!(reply.status, 404 | 410);
        return Err((if is_absent { Verdict::BadSignature } else { Verdict::Unreachable }, detail));
    }
    let signature = body(reply).await?;
    let (document, signature) = verify((&document, &signature), key)?;
    Ok(Look::Signed(Signed { document, signature, etag }))
}

/// The entity tag, unless the file was changed just before: servers make tags of seconds and sizes, and the next change
/// in the same second has the same one (RFC 9110, section 8.8.2.2).
fn etag_of(headers: &Headers) -> Option<String> {
    let date = |name| headers.text(name).and_then(|date| httpdate::parse_http_date(date).ok());
    let is_settled = match (date("last-modified"), date("date")) {
        (Some(changed), Some(sent)) => sent.duration_since(changed).is_ok_and(|age| age >= SETTLED),
        _ => true,
    };
    headers.text("etag").filter(|_| is_settled).map(str::to_owned)
}

/// The file and its signature as texts, if the key has signed the one by the other.
pub(super) fn verify(
    (document, signature): (&[u8], &[u8]),
    key: &PublicKey,
) -> Result<(String, String), Failure> {
    let text = str::from_utf8(signature).ok().map(|text| text.trim_end().replace("\r\n", "\n"));
    let decoded = text.as_deref().and_then(|text| Some((text, Signature::decode(text).ok()?)));
    let Some((text, decoded)) = decoded else {
        return Err(if signature.ends_with(b"\n") {
            (Verdict::BadSignature, "the signature is not minisign's".to_owned())
        } else {
            cut_short("the signature", signature)
        });
    };
    if let Err(error) = key.verify(document, &decoded, false) {
        // The key says that it is wrong, and not why; what ends within a line was most likely cut.
        return Err(match (document.ends_with(b"\n"), error) {
            (false, _) => cut_short("the file", document),
            (true, minisign_verify::Error::UnexpectedKeyId) => {
                (Verdict::BadSignature, "it is signed with another key than config-key".to_owned())
            }
            (
                true,
                minisign_verify::Error::UnsupportedAlgorithm | minisign_verify::Error::UnexpectedAlgorithm,
            ) => (Verdict::BadSignature, "it is signed in minisign's old form (-l)".to_owned()),
            (true, _) => (Verdict::BadSignature, "the signature does not fit the file".to_owned()),
        });
    }
    let document = str::from_utf8(document);
    let document = document.map_err(|_| (Verdict::Refused, "the file is not UTF-8 text".to_owned()))?;
    Ok((document.to_owned(), text.to_owned()))
}

fn cut_short(what: &str, bytes: &[u8]) -> Failure {
    (
        Verdict::Truncated,
        format!("{what} ends within a line, after {} bytes, and does not verify", bytes.len()),
    )
}

async fn get<T: Transport>(transport: &T, url: &Url, etag: Option<&str>) -> Result<Reply, Failure> {
    const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
    const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("accept-encoding");
    let mut headers = HeaderMap::new();
    // The bytes that were signed, and the entity tag that is theirs.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
    headers.extend(etag.map(|etag| (IF_NONE_MATCH, etag)));
    let (url, body, journey) = (url.clone(), Bytes::new(), Journey::default());
    let request = Request { method: Method::Get, url: url.into(), headers: headers.into(), body, journey };
    transport.send(request).await.map_err(|error| failure(&error))
}

async fn body(reply: Reply) -> Result<Vec<u8>, Failure> {
    let mut body = reply.body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await.map_err(|error| failure(&error))? {
        if bytes.len() + chunk.len() > LARGEST {
            return Err((Verdict::Refused, format!("it is larger than {LARGEST} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Broken { .. } => (Verdict::Truncated, error.to_string()),
        _ => (Verdict::Unreachable, error.to_string()),
    }
}
