//! Reads what AWS's Signature Version 4 says of a request.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Claim, SignatureFault, from_hex, has_digest, header, host};

const WRONG: SignatureFault = SignatureFault::Missing("authorization");

/// The claim in `Authorization`; host and date must be among what is signed, as the body always is.
pub(super) fn read<'a>(head: &'a Parts, body: &[u8]) -> Result<Claim<'a>, SignatureFault> {
    let parameters =
        header(&head.headers, "authorization")?.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(WRONG)?;
    let parameter = |wanted: &str| {
        let mut pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let mut parts = parameter("Credential").ok_or(WRONG)?.split('/');
    let id = parts.next().ok_or(WRONG)?;
    let steps: Vec<&str> = parts.collect();
    let time = header(&head.headers, "x-amz-date")?;
    let &[day, region, _, "aws4_request"] = steps.as_slice() else { return Err(WRONG) };
    let undated = SignatureFault::Missing("x-amz-date");
    let bare = time.strip_suffix('Z').ok_or(undated.clone())?;
    let at = Timestamp::strptime("%Y%m%dT%H%M%S%z", format!("{bare}+0000")).map_err(|_| undated)?;
    if !time.starts_with(day) {
        return Err(SignatureFault::Missing("x-amz-date"));
    }
    let names = parameter("SignedHeaders").ok_or(WRONG)?;
    // A client need not send the digest; it is signed all the same.
    let name = "x-amz-content-sha256";
    let is_told = head.headers.contains_key(name);
    let digest = if is_told { header(&head.headers, name)?.to_owned() } else { hash(body) };
    if ["host", "x-amz-date"].iter().any(|must| !names.split(';').any(|name| name == *must)) {
        return Err(WRONG);
    }
    let hash = hash(canonical(head, names, &digest)?.as_bytes());
    Ok(Claim {
        id,
        region: Some(region),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_second().try_into().unwrap_or_default()),
        text: format!("AWS4-HMAC-SHA256\n{time}\n{}\n{hash}", steps.join("/")),
        signatures: parameter("Signature").and_then(from_hex).into_iter().collect(),
        body_is_whole: has_digest(body, &digest),
        derivation: ("AWS4", steps),
    })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The canonical form of the request.
fn canonical(head: &Parts, names: &str, digest: &str) -> Result<String, SignatureFault> {
    let mut text = format!("{}\n", head.method);
    let path = head.uri.path();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        escape(segment.as_bytes(), &mut text);
    }
    text.push_str(if path.ends_with('/') { "/\n" } else { "\n" });
    let query = head.uri.query().unwrap_or_default();
    let mut pairs: Vec<(String, String)> =
        query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    text.push_str(&pairs.join("&"));
    text.push('\n');
    for name in names.split(';') {
        let value = match name {
            "host" => host(head)?,
            name => head
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .ok_or(SignatureFault::Missing("a header that is said to be signed"))?,
        };
        let words: Vec<&str> = value.split_whitespace().collect();
        text.extend([name, ":", &words.join(" "), "\n"]);
    }
    text.extend(["\n", names, "\n", digest]);
    Ok(text)
}

/// A name and its value, decoded and encoded again as AWS has it.
fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let again = |part: &str| {
        let mut out = String::new();
        escape(&decoded(part), &mut out);
        out
    };
    (again(name), again(value))
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
}
