//! The scheme `kong`: the `hmac-auth` plugin of Kong, and of gateways that took it over.
//!
//! Source: Kong's documentation of the plugin, and `create_hash` of its `access.lua`. `@request-target` stands in place of
//! `request-line`, whose version of HTTP is not known before a connection has been made; Kong has it since 2.5.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::net::{Request, is_secret_header};

use super::{Armed, Moment, host, set, set_secret, sha256, target};

/// What is signed, in the order of [`sign`]; the host is, so that no other relay can use the signature.
const SIGNED: &str = "host date @request-target digest x-nonce";

/// Signs by a key, and leaves `Authorization` to a credential where there is one.
pub(super) fn sign(key: &Armed, request: &mut Request, moment: Moment) {
    let date = httpdate::fmt_http_date(moment.at);
    let digest = digest(&request.body);
    let (host, method, nonce) = (host(request), request.method.name().to_lowercase(), moment.nonce());
    let target = target(&request.url);
    let text = format!(
        "host: {host}\ndate: {date}\n@request-target: {method} {target}\ndigest: {digest}\nx-nonce: {nonce}"
    );
    let authorization = authorization(key, SIGNED, &text);
    let stands_beside = request.headers.iter().any(|(name, _)| is_secret_header(name));
    set(request, "date", &date);
    set(request, "digest", &digest);
    set(request, "x-nonce", &nonce);
    let header = if stands_beside { "proxy-authorization" } else { "authorization" };
    set_secret(request, header, &authorization);
}

fn digest(body: &[u8]) -> String {
    format!("SHA-256={}", BASE64_STANDARD.encode(sha256(body)))
}

/// The header's value for a text in which these headers stand, a line each.
fn authorization(key: &Armed, names: &str, text: &str) -> String {
    let signature = BASE64_STANDARD.encode(key.sign(text));
    let id = &key.id;
    format!(r#"hmac username="{id}", algorithm="hmac-sha256", headers="{names}", signature="{signature}""#)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{moment, request};
    use super::*;

    /// The two examples in Kong's documentation of the plugin, and one of a manual (joeden, "Using HMAC Authentication in
    /// Kong") that a Kong took.
    #[test]
    fn the_examples_of_the_documentation_have_their_signatures() {
        let body = digest(b"A small body");
        assert_eq!(body, "SHA-256=SBH7QEtqnYUpEcIhDbmStNd1MxtHg2+feBfWc1105MA=");
        let alice = Armed::of("alice123", "secret");
        for (key, names, text, signature) in [
            (
                &alice,
                "date request-line",
                "date: Thu, 22 Jun 2017 17:15:21 GMT\nGET /requests HTTP/1.1".to_owned(),
                "ujWCGHeec9Xd6UD2zlyxiNMCiXnDOWeVFMu5VeRUxtw=",
            ),
            (
                &alice,
                "date request-line digest",
                format!("date: Thu, 22 Jun 2017 21:12:36 GMT\nGET /requests HTTP/1.1\ndigest: {body}"),
                "gaweQbATuaGmLrUr3HE0DzU1keWGCt3H96M28sSHTG8=",
            ),
            (
                &Armed::of("johnsmith", "!Qwaszxerdfcv"),
                "date dummy @request-target",
                "date: Mon, 02 Dec 2024 16:23:54 GMT\ndummy: Kong\n@request-target: get /kong/healthy"
                    .to_owned(),
                "lmCENhBAr+WhCzoL21aqRU44Y0C5HjS5sAU8zkmAoPE=",
            ),
        ] {
            let expected = format!(
                r#"hmac username="{}", algorithm="hmac-sha256", headers="{names}", signature="{signature}""#,
                key.id
            );
            assert_eq!(authorization(key, names, &text), expected);
        }
    }

    #[test]
    fn a_credential_keeps_its_header() {
        let mut bare = request("http://relay.example/v1/messages?a");
        let mut keyed = bare.clone();
        keyed
            .headers
            .insert(crate::net::HeaderName::from_static("authorization"), "Bearer sk-1".parse().unwrap());
        let key = Armed::of("alice123", "secret");
        sign(&key, &mut bare, moment());
        sign(&key, &mut keyed, moment());
        assert_eq!(keyed.headers["authorization"], "Bearer sk-1");
        assert_eq!(keyed.headers["proxy-authorization"], bare.headers["authorization"]);
        assert_eq!(bare.headers["date"], "Sun, 30 Aug 2015 12:36:00 GMT");
    }
}
