//! What a look at a source brings, over scripted answers.

use crate::net::script::{Script, Step, Turn};
use crate::net::{Error as Failure, HeaderName};

use super::super::fetch::{Look, Signed, look, verify};
use super::*;

#[test]
fn a_wrong_signature_a_changed_byte_and_a_cut_are_told_apart() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let key = operator.key();
    let said = |document: &str, signature: &str| {
        let (verdict, detail) = verify((document.as_bytes(), signature.as_bytes()), &key).unwrap_err();
        (verdict.name(), detail)
    };
    let good = operator.sign(FILE);
    assert!(verify((FILE.as_bytes(), good.as_bytes()), &key).is_ok());
    assert!(verify((FILE.as_bytes(), good.replace('\n', "\r\n").as_bytes()), &key).is_ok());
    let (verdict, detail) = said(FILE, &stranger.sign(FILE));
    assert_eq!(verdict, "bad-signature");
    assert!(detail.contains("another key"), "{detail}");
    for place in 0..FILE.len() {
        let mut bytes = FILE.as_bytes().to_vec();
        bytes[place] ^= 1;
        assert!(verify((&bytes, good.as_bytes()), &key).is_err(), "byte {place}");
    }
    assert_eq!(said(&FILE.replace("60/m", "61/m"), &good).0, "bad-signature");
    for end in 0..FILE.len() {
        let expected = if FILE[..end].ends_with('\n') { "bad-signature" } else { "truncated" };
        assert_eq!(said(&FILE[..end], &good).0, expected, "after {end} bytes");
    }
    for end in 0..good.trim_end().len() {
        assert!(verify((FILE.as_bytes(), &good.as_bytes()[..end]), &key).is_err(), "after {end} bytes");
    }
    assert_eq!(said(FILE, "").0, "truncated");
    assert_eq!(said(FILE, "no signature\n").0, "bad-signature");
}

fn answer(text: &str, etag: &'static str) -> Turn {
    Turn::Reply(200, vec![("etag", etag)], vec![Step::Bytes(text.to_owned().leak())])
}

async fn looked(turns: Vec<Turn>, operator: &Operator, etag: Option<&str>) -> (Look, Vec<String>) {
    let script = Script::of(turns);
    let by = operator.subscription();
    let look = look(&script, &by.sites[0], &by.key, etag).await;
    let told = |request: &crate::net::Request| {
        let tag = request
            .headers
            .get(&HeaderName::from_static("if-none-match"))
            .map_or("", |tag| tag.to_str().unwrap());
        format!("{}{tag}", request.url.path())
    };
    let seen = script.seen.borrow().iter().map(told).collect();
    (look, seen)
}

#[tokio::test]
async fn a_source_is_asked_by_its_tag_and_once_more_where_file_and_signature_do_not_fit() {
    let operator = Operator::new();
    let (new, sign) = (version(8), |text: &str| operator.sign(text));
    let (look, seen) = looked(vec![answer(FILE, "\"a\""), answer(&sign(FILE), "")], &operator, None).await;
    let Look::Signed(Signed { etag, document, .. }) = look else { panic!("{look:?}") };
    assert_eq!((etag.as_deref(), document.as_str()), (Some("\"a\""), FILE));
    assert_eq!(seen, ["/b.toml", "/b.toml.minisig"]);

    let unmodified = Turn::Reply(304, vec![], vec![]);
    let (look, seen) = looked(vec![unmodified], &operator, Some("\"a\"")).await;
    assert_eq!((look, seen), (Look::Unmodified, vec!["/b.toml\"a\"".to_owned()]));

    let turns =
        vec![answer(FILE, "\"a\""), answer(&sign(&new), ""), answer(&new, "\"b\""), answer(&sign(&new), "")];
    let (look, seen) = looked(turns, &operator, Some("\"z\"")).await;
    assert!(matches!(look, Look::Signed(Signed { document, .. }) if document == new));
    assert_eq!(seen, ["/b.toml\"z\"", "/b.toml.minisig", "/b.toml", "/b.toml.minisig"]);

    let mixed = || [answer(FILE, "\"a\""), answer(&sign(&new), "")];
    let (look, _) = looked(mixed().into_iter().chain(mixed()).collect(), &operator, None).await;
    assert!(matches!(look, Look::Failed(Verdict::BadSignature, _)), "{look:?}");
}

#[tokio::test]
async fn the_tag_of_a_file_that_was_changed_just_before_is_not_believed() {
    let operator = Operator::new();
    for (changed, expected) in [("11:59:59", None), ("12:00:01", None), ("11:59:58", Some("\"a\""))] {
        let changed = format!("Fri, 01 Jun 2029 {changed} GMT").leak();
        let fields =
            vec![("etag", "\"a\""), ("date", "Fri, 01 Jun 2029 12:00:00 GMT"), ("last-modified", &*changed)];
        let file = Turn::Reply(200, fields, vec![Step::Bytes(FILE)]);
        let (look, _) = looked(vec![file, answer(&operator.sign(FILE), "")], &operator, None).await;
        let Look::Signed(Signed { etag, .. }) = look else { panic!("{look:?}") };
        assert_eq!(etag.as_deref(), expected, "{changed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_serves_nothing_of_use_says_what_it_does_serve() {
    let operator = Operator::new();
    let verdict = async |turns| match looked(turns, &operator, None).await.0 {
        Look::Failed(verdict, detail) => (verdict.name(), detail),
        other => panic!("{other:?}"),
    };
    let status = |status| Turn::Reply(status, vec![], vec![]);
    assert_eq!(verdict(vec![status(404)]).await, ("unreachable", "it answered 404".to_owned()));
    assert_eq!(verdict(vec![status(304)]).await, ("unreachable", "it answered 304".to_owned()));
    assert_eq!(verdict(vec![status(302)]).await.0, "unreachable");
    let unsigned = || [answer(FILE, "a"), status(404)];
    assert_eq!(verdict(unsigned().into_iter().chain(unsigned()).collect()).await.0, "bad-signature");
    assert_eq!(verdict(vec![Turn::Silence]).await, ("unreachable", "no answer within 10 s".to_owned()));
    let refused = || Turn::Fail(Failure::Connect { detail: "refused".to_owned(), via: None, answered: true });
    assert_eq!(verdict(vec![refused()]).await.0, "unreachable");
    let cut = || Turn::Reply(200, vec![], vec![Step::Bytes("version = "), Step::Break]);
    assert_eq!(verdict(vec![cut(), cut()]).await.0, "truncated");
    let large = Turn::Reply(200, vec![], vec![Step::Bytes("x".repeat(1 << 20).leak()), Step::Bytes("x")]);
    assert_eq!(verdict(vec![large]).await.0, "refused");
}
