//! What is signed is let in once; what was changed, is old or came before is not.

use bytes::Bytes;

use super::*;
use crate::net::{HeaderName, Journey, Method, Request, RequestHeaders, Scheme, Scope};
use crate::net::{Signer, SigningKey, Url};

const NEW: &str = "the-new-key-0123456789";
const OLD: &str = "the-old-key-0123456789";
const ALL: [SchemeName; 3] = [SchemeName::Simple, SchemeName::Kong, SchemeName::SigV4];

fn signed(name: SchemeName, secrets: &[&str]) -> Request {
    let scheme = match name {
        SchemeName::Simple => Scheme::Simple,
        SchemeName::Kong => Scheme::Kong,
        SchemeName::SigV4 => Scheme::SigV4(Scope {
            region: "eu-west-1".parse().unwrap(),
            service: "bedrock".parse().unwrap(),
            session: Some(Secret::new("session/+=")),
        }),
    };
    let mut request = Request {
        method: Method::Post,
        url: Url::parse("http://relay.example:8080/model/a%3A0/b:1?z=%20&b=2&a=1&a-b=%2f").unwrap().into(),
        headers: RequestHeaders::default(),
        body: Bytes::from_static(b"{\"prompt\":\"Hi\"}"),
        journey: Journey::default(),
    };
    Signer::new(scheme, keys("reader", secrets)).sign(&mut request);
    request
}

/// The request as a server sees it.
fn arrived(request: &Request, target: &str) -> Parts {
    let mut arrived = hyper::Request::post(target).body(()).unwrap();
    *arrived.headers_mut() = request.headers.to_map();
    arrived.headers_mut().insert("host", HeaderValue::from_static("relay.example:8080"));
    arrived.into_parts().0
}

const TARGET: &str = "/model/a%3A0/b:1?z=%20&b=2&a=1&a-b=%2f";

fn guard(scheme: SchemeName, secrets: &[&str]) -> Signatures {
    Signatures::new(scheme, keys("reader", secrets))
}

fn keys(id: &str, secrets: &[&str]) -> Vec<SigningKey> {
    let key = |secret: &&str| SigningKey { id: id.parse().unwrap(), secret: Secret::new(*secret) };
    secrets.iter().map(key).collect()
}

#[test]
fn a_good_signature_is_taken_once() {
    for scheme in ALL {
        let (guard, request) = (guard(scheme, &[NEW]), signed(scheme, &[NEW]));
        let head = arrived(&request, TARGET);
        assert_eq!(guard.check(&head, &request.body), Ok(()), "{scheme}");
        assert_eq!(guard.check(&head, &request.body), Err(SignatureFault::Replayed), "{scheme}");
        let again = signed(scheme, &[NEW]);
        assert_eq!(guard.check(&arrived(&again, TARGET), &again.body), Ok(()), "{scheme}");
    }
}

#[test]
fn a_changed_byte_of_the_body_or_the_address_is_refused() {
    for scheme in ALL {
        let (guard, request) = (guard(scheme, &[NEW]), signed(scheme, &[NEW]));
        let head = arrived(&request, TARGET);
        assert_eq!(guard.check(&head, b"{\"prompt\":\"Ho\"}"), Err(SignatureFault::Body), "{scheme}");
        let elsewhere = arrived(&request, "/model/a%3A0/b:2?z=%20&b=2&a=1&a-b=%2f");
        assert_eq!(guard.check(&elsewhere, &request.body), Err(SignatureFault::Mismatch), "{scheme}");
        let mut renewed = arrived(&request, TARGET);
        renewed.headers.insert(HeaderName::from_static("x-nonce"), HeaderValue::from_static("another"));
        assert_eq!(guard.check(&renewed, &request.body), Err(SignatureFault::Mismatch), "{scheme}");
        assert_eq!(guard.check(&head, &request.body), Ok(()), "{scheme}");
    }
}

#[test]
fn a_signature_of_another_time_is_refused() {
    for scheme in ALL {
        let request = signed(scheme, &[NEW]);
        let head = arrived(&request, TARGET);
        for (minutes, expected) in [(4, Ok(())), (6, Err(SignatureFault::Stale))] {
            let guard = guard(scheme, &[NEW]).ahead_by(Duration::from_secs(minutes * 60));
            assert_eq!(guard.check(&head, &request.body), expected, "{scheme}, {minutes} minutes");
        }
    }
}

#[test]
fn a_key_is_changed_without_a_refusal_in_between() {
    for scheme in ALL {
        for (by, known) in [(NEW, &[NEW, OLD][..]), (OLD, &[NEW, OLD])] {
            let request = signed(scheme, &[by]);
            assert_eq!(
                guard(scheme, known).check(&arrived(&request, TARGET), &request.body),
                Ok(()),
                "{scheme}"
            );
        }
        let request = signed(scheme, &[OLD]);
        let refused = guard(scheme, &[NEW]).check(&arrived(&request, TARGET), &request.body);
        assert_eq!(refused, Err(SignatureFault::Mismatch), "{scheme}");
    }
    for scheme in [SchemeName::Kong, SchemeName::SigV4] {
        // Each key has a name of its own there, and is no good under the other's.
        let two = || [keys("writer", &[OLD]), keys("reader", &[NEW])].concat();
        let (by_new, by_old) = (signed(scheme, &[NEW]), signed(scheme, &[OLD]));
        let check = |request: &Request| {
            Signatures::new(scheme, two()).check(&arrived(request, TARGET), &request.body)
        };
        assert_eq!((check(&by_new), check(&by_old)), (Ok(()), Err(SignatureFault::Mismatch)), "{scheme}");
    }
    let both = signed(SchemeName::Simple, &[NEW, OLD]);
    let old_relay = guard(SchemeName::Simple, &[OLD]);
    assert_eq!(old_relay.check(&arrived(&both, TARGET), &both.body), Ok(()));
}

#[test]
fn what_is_not_signed_or_by_somebody_else_is_refused() {
    for scheme in ALL {
        let mut request = signed(scheme, &[NEW]);
        let stranger = Signatures::new(scheme, keys("writer", &[NEW]));
        let head = arrived(&request, TARGET);
        assert_eq!(stranger.check(&head, &request.body), Err(SignatureFault::Key), "{scheme}");
        request.headers = RequestHeaders::default();
        let missing = guard(scheme, &[NEW]).check(&arrived(&request, TARGET), &request.body);
        assert!(matches!(missing, Err(SignatureFault::Missing(_))), "{scheme}");
    }
}

#[test]
fn a_signature_for_another_region_is_refused_where_one_is_demanded() {
    let request = signed(SchemeName::SigV4, &[NEW]);
    let head = arrived(&request, TARGET);
    let of = |region: &str| guard(SchemeName::SigV4, &[NEW]).for_region(region).check(&head, &request.body);
    assert_eq!(of("us-east-1"), Err(SignatureFault::Region("us-east-1".to_owned())));
    assert_eq!(of("eu-west-1"), Ok(()));
}
