//! The scheme `sigv4`: AWS Signature Version 4, as Bedrock and gateways with IAM want it.
//!
//! Source: AWS, "Create a signed AWS API request". The path is encoded once more than it is on the wire, as every service but
//! S3 wants it. The region is part of the key, so that a request to another region needs another signature.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use jiff::tz::Offset;

use crate::net::Request;

use super::{Armed, Moment, Scope, hex, host, set, set_secret, sha256, sorted_query};

/// Signs by a key, in place of any credential.
pub(super) fn sign((key, scope): (&Armed, &Scope), request: &mut Request, moment: Moment) {
    let (time, body, nonce) = (stamp(moment), hex(sha256(&request.body)), moment.nonce());
    let mut signed = vec![("host", host(request)), ("x-amz-content-sha256", &body), ("x-amz-date", &time)];
    signed.extend(scope.session.as_ref().map(|session| ("x-amz-security-token", session.expose())));
    signed.push(("x-nonce", &nonce));
    let authorization =
        authorization((key, scope), &Canonical { request, signed: &signed, body: &body, time: &time });
    set(request, "x-amz-date", &time);
    set(request, "x-amz-content-sha256", &body);
    set(request, "x-nonce", &nonce);
    if let Some(session) = &scope.session {
        set_secret(request, "x-amz-security-token", session.expose());
    }
    set_secret(request, "authorization", &authorization);
}

/// What is signed of a request.
struct Canonical<'a> {
    request: &'a Request,
    /// Headers in the order of their names, which are small.
    signed: &'a [(&'a str, &'a str)],
    /// The hash of the body.
    body: &'a str,
    /// As in `20150830T123600Z`.
    time: &'a str,
}

fn authorization((key, scope): (&Armed, &Scope), canonical: &Canonical<'_>) -> String {
    let (day, time) = (&canonical.time[..8], canonical.time);
    let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let hash = hex(sha256(canonical.text().as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{place}\n{hash}");
    let signature = hex(hmac::sign(&key.derived(&place), text.as_bytes()));
    let (id, names) = (&key.id, canonical.names());
    format!("AWS4-HMAC-SHA256 Credential={id}/{place}, SignedHeaders={names}, Signature={signature}")
}

impl Canonical<'_> {
    fn text(&self) -> String {
        let url = &self.request.url;
        let mut text = String::with_capacity(512 + 3 * url.as_str().len());
        text.extend([self.request.method.name(), "\n"]);
        encode_path(url.path(), &mut text);
        text.push('\n');
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded_part(name), encoded_part(value))
        };
        let mut query: Vec<_> = sorted_query(url).into_iter().map(pair).collect();
        // Names first: as a whole, `a-b=` would come before `a=`.
        query.sort_unstable();
        for (at, (name, value)) in query.iter().enumerate() {
            text.extend([if at == 0 { "" } else { "&" }, name, "=", value]);
        }
        text.push('\n');
        for (name, value) in self.signed {
            text.extend([name, ":", value, "\n"]);
        }
        text.extend(["\n", &self.names(), "\n", self.body]);
        text
    }

    fn names(&self) -> String {
        self.signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
    }
}

/// A path, encoded once more than it is on the wire, with one slash for several.
fn encode_path(path: &str, out: &mut String) {
    for byte in path.bytes() {
        match byte {
            b'/' if out.ends_with('/') => {}
            b'/' => out.push('/'),
            other => encode(other, out),
        }
    }
}

/// A part of a query, encoded as it is on the wire, but everywhere and in capitals.
fn encoded_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            out.push('%');
            let digits = bytes.by_ref().take(2);
            out.extend(digits.map(|digit| char::from(digit.to_ascii_uppercase())));
        } else {
            encode(byte, &mut out);
        }
    }
    out
}

/// Encodes all but RFC 3986's unreserved characters.
fn encode(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push_str(&hex([byte]).to_uppercase());
    }
}

fn stamp(moment: Moment) -> String {
    let at = Timestamp::try_from(moment.at).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = Offset::UTC.to_datetime(at);
    let (year, month, day) = (at.year(), at.month(), at.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{moment, request};
    use super::*;
    use crate::net::Method;
    use crate::units::Secret;

    fn suite() -> (Armed, Scope) {
        let scope = Scope {
            region: "us-east-1".parse().unwrap(),
            service: "service".parse().unwrap(),
            session: None,
        };
        (Armed::of("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), scope)
    }

    fn signature(method: Method, path: &str, (kind, body): (Option<&str>, &'static str)) -> String {
        let mut request = request(&format!("https://example.amazonaws.com{path}"));
        request.method = method;
        request.body = body.into();
        let mut signed: Vec<_> = kind.map(|kind| ("content-type", kind)).into_iter().collect();
        signed.extend([("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")]);
        let (key, scope) = suite();
        let body = hex(sha256(&request.body));
        let canonical =
            Canonical { request: &request, signed: &signed, body: &body, time: "20150830T123600Z" };
        authorization((&key, &scope), &canonical).rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// AWS's Signature Version 4 test suite: get-vanilla, get-slashes, post-vanilla, get-vanilla-query-order-key-case,
    /// post-vanilla-query, post-x-www-form-urlencoded.
    #[test]
    fn the_test_suite_of_aws_is_signed_as_it_says() {
        let bare = (None, "");
        let form = (Some("application/x-www-form-urlencoded"), "Param1=value1");
        for (method, path, content, expected) in [
            (Method::Get, "/", bare, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                Method::Get,
                "//example//",
                bare,
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (Method::Post, "/", bare, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                Method::Get,
                "/?Param2=value2&Param1=value1",
                bare,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                Method::Post,
                "/?Param1=value1",
                bare,
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (Method::Post, "/", form, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ] {
            assert_eq!(signature(method, path, content), expected, "{} {path}", method.name());
        }
    }

    #[test]
    fn a_path_is_encoded_again_and_a_query_is_not() {
        let encoded = |path: &str| {
            let mut out = String::new();
            encode_path(path, &mut out);
            out
        };
        assert_eq!(encoded("/model/a%3A0/b:1"), "/model/a%253A0/b%3A1");
        assert_eq!(encoded("//example//"), "/example/");
        assert_eq!(encoded_part("a%2fb/c"), "a%2Fb%2Fc");
    }

    #[test]
    fn what_goes_beside_a_temporary_key_is_signed_and_not_shown() {
        let (key, mut scope) = suite();
        scope.session = Some(Secret::new("planted-session"));
        let mut request = request("https://bedrock.example/");
        sign((&key, &scope), &mut request, moment());
        let authorization = request.headers["authorization"].to_str().unwrap();
        assert!(
            authorization.contains(
                "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-nonce, "
            ),
            "{authorization}"
        );
        assert!(!format!("{request:?}").contains("planted"));
    }

    #[test]
    fn a_key_of_the_day_is_that_of_the_day() {
        let (key, scope) = suite();
        let by = |key: &Armed, day: u64| {
            let mut request = request("https://bedrock.example/");
            let moment =
                Moment { at: moment().at + std::time::Duration::from_secs(day * 86_400), ..moment() };
            sign((key, &scope), &mut request, moment);
            request.headers["authorization"].clone()
        };
        let kept: Vec<_> = [0, 0, 1, 0].map(|day| by(&key, day)).into();
        let made_anew: Vec<_> = [0, 0, 1, 0].map(|day| by(&suite().0, day)).into();
        assert!(kept == made_anew && kept[0] == kept[3] && kept[0] != kept[2]);
    }
}
