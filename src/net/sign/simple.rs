//! The scheme `simple`: a signature over method, host, path, time, nonce and body, in headers of its own.

use crate::net::Request;

use super::{Armed, Moment, hex, host, set, set_secret, sha256, sorted_query};

/// Signs by every key, so that a relay that knows one of them lets the request in.
pub(super) fn sign(keys: &[Armed], request: &mut Request, moment: Moment) {
    let (time, nonce, body) = (moment.seconds().to_string(), moment.nonce(), hex(sha256(&request.body)));
    let text = text(request, [&time, &nonce, &body]);
    let signatures: Vec<_> = keys.iter().map(|key| format!("v1={}", hex(key.sign(&text)))).collect();
    // Both have one name, as the command line sees to.
    set(request, "x-key-id", keys[0].id.as_str());
    set(request, "x-timestamp", &time);
    set(request, "x-nonce", &nonce);
    set(request, "x-content-sha256", &body);
    set_secret(request, "x-signature", &signatures.join(","));
}

/// What is signed, a line each.
fn text(request: &Request, [time, nonce, body]: [&str; 3]) -> String {
    let query = match sorted_query(&request.url) {
        pairs if pairs.is_empty() => String::new(),
        pairs => format!("?{}", pairs.join("&")),
    };
    let (method, host, path) = (request.method.name(), host(request), request.url.path());
    format!("v1\n{method}\n{host}\n{path}{query}\n{time}\n{nonce}\n{body}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{moment, request};
    use super::*;

    /// The values were computed by Python's `hmac` and `hashlib` from the text that stands in the assertion.
    #[test]
    fn all_that_a_relay_acts_on_is_signed_by_each_key() {
        let mut request = request("http://relay.example:8080/v1/messages?b=2&a=1");
        let body = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        let text = text(&request, ["1440938160", "n", body]);
        let expected = format!("v1\nPOST\nrelay.example:8080\n/v1/messages?a=1&b=2\n1440938160\nn\n{body}");
        assert_eq!(text, expected);
        let keys = ["the-new-key-0123456789", "the-old-key-0123456789"].map(|key| Armed::of("reader", key));
        sign(&keys, &mut request, moment());
        assert_eq!(request.headers["x-content-sha256"], body);
        assert_eq!(request.headers["x-nonce"], "00000000000000000000000000000007");
        assert_eq!(
            request.headers["x-signature"],
            "v1=82868d8dc6535bf57057c4677ea95ff18bda91b80a7d5faf7412154b7371eb97,v1=9f87b85cb38513394d084b01f0228eba1ec9bd3de7af802ea614c6ff627b4285"
        );
    }
}
