//! Keys, files, room and turns of the answer cache.

use std::fs;
use std::fs::FileTimes;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::client::Content;
use crate::net::{HeaderMap, HeaderName, HeaderValue, Origin, Url};
use crate::outcome::Tokens;
use crate::wire::{Dialect, Stop, Usage};

const DAY: Duration = Duration::from_secs(86_400);

fn rules(form: Form) -> CacheRules {
    CacheRules { form, ttl: DAY, size: 1 << 30 }
}

fn cache(folder: &tempfile::TempDir) -> Cache {
    Cache::open(&folder.path().join("cache"), rules(Form::Exact)).unwrap()
}

fn saved(text: &str) -> Saved {
    Saved {
        saved_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_755_780_000_123),
        status: 200,
        relay_request_id: Some("req_1".to_owned()),
        model: Some("m".to_owned()),
        stop: Some(Stop::of("end_turn")),
        usage: Usage { input: Some(3), output: Some(2), ..Usage::default() },
        tokens: Tokens { input: Some(3), output: Some(2), estimated: false },
        parts: vec![Part::Reasoning("hm".to_owned()), Part::Text(text.to_owned())],
        body: Some(Bytes::from_static(br#"{"id":"m1"}"#)),
    }
}

fn now(text: &str) -> Saved {
    Saved { saved_at: SystemTime::now(), ..saved(text) }
}

fn numbered(number: u64) -> Key {
    let mut bytes = [7; 32];
    // The first byte chooses the folder.
    bytes[0] = number.to_le_bytes()[0];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    Key::from_bytes(bytes)
}

fn call(url: &str, body: &Value, stream: bool) -> Call {
    let content = Content::Body(body.to_string().into_bytes());
    Call::new(Dialect::Messages, &Url::parse(url).unwrap(), &content, stream).unwrap()
}

fn credential(key: &'static str) -> Credential {
    let origin = Origin::of(&Url::parse("http://r.example").unwrap());
    Credential::new(HeaderName::from_static("x-api-key"), HeaderValue::from_static(key), origin, "test")
}

fn asked(text: &str) -> Value {
    json!({ "model": "m", "max_tokens": 5, "messages": [{ "role": "user", "content": text }] })
}

#[test]
fn a_key_depends_on_what_the_answer_depends_on_and_on_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(&folder);
    let (url, key) = ("http://r.example", credential("sk-1"));
    let own = cache.key(&call(url, &asked("Hi"), false), Some(&key)).unwrap();
    let of = |call: &Call, credential| cache.key(call, credential).unwrap();
    assert_eq!(of(&call(url, &asked("Hi"), true), Some(&key)), own, "streamed or whole");
    let shuffled =
        json!({ "messages": [{ "content": "Hi", "role": "user" }], "max_tokens": 5, "model": "m" });
    assert_eq!(of(&call(url, &shuffled, false), Some(&key)), own, "the order of fields");
    let with = |name: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("zebra"));
        call(url, &asked("Hi"), false).with_headers(&headers)
    };
    assert_eq!(of(&with("x-request-id"), Some(&key)), own, "the id of the request");
    let mut hotter = asked("Hi");
    hotter["temperature"] = json!(1);
    let others = [
        of(&call(url, &asked("hi"), false), Some(&key)),
        of(&call(url, &hotter, false), Some(&key)),
        of(&call("http://s.example", &asked("Hi"), false), Some(&key)),
        of(&call("http://r.example/tenant", &asked("Hi"), false), Some(&key)),
        of(&call(url, &asked("Hi"), false), Some(&credential("sk-2"))),
        of(&call(url, &asked("Hi"), false), None),
        of(&with("x-tenant"), Some(&key)),
        of(&with("authorization"), None),
    ];
    for (at, other) in others.iter().enumerate() {
        assert_ne!(*other, own, "{at}");
        assert_eq!(others.iter().filter(|same| *same == other).count(), 1, "{at}");
    }
    // Another cache has another salt, so that its names tell nothing about this one's.
    let elsewhere = Cache::open(&folder.path().join("other"), rules(Form::Exact)).unwrap();
    assert_ne!(elsewhere.key(&call(url, &asked("Hi"), false), Some(&key)), Some(own));
}

#[test]
fn a_normalized_key_folds_the_prompts_text_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), rules(Form::Normalized));
    // The folder of the test is not made by the cache, and other users might read it.
    let cache = cache.or_else(|_| Cache::open(&folder.path().join("c"), rules(Form::Normalized))).unwrap();
    let key = |body: &Value| cache.key(&call("http://r.example", body, false), None).unwrap();
    let own = key(&asked("What is a Café?"));
    for same in ["what is a café?", "  What\nis  a\tCafe\u{301}? ", "ＷＨＡＴ is a CAFÉ?"] {
        assert_eq!(key(&asked(same)), own, "{same}");
    }
    assert_ne!(key(&asked("What is a cafe?")), own);
    let mut other = asked("What is a Café?");
    other["model"] = json!("M");
    assert_ne!(key(&other), own, "a model's name is no prompt");
    let image = |data: &str| {
        let block = json!({ "type": "image", "source": { "type": "base64", "data": data } });
        json!({ "messages": [{ "role": "user", "content": [block, { "type": "text", "text": "Hi" }] }] })
    };
    assert_ne!(key(&image("AbC=")), key(&image("abc=")), "neither is an image");
    let exact = Cache::open(&folder.path().join("c2"), rules(Form::Exact)).unwrap();
    assert_ne!(exact.key(&call("http://r.example", &asked("x"), false), None), Some(key(&asked("x"))));
}

#[test]
fn what_is_no_json_object_has_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let content = Content::Body(b"{\"a\":1}".to_vec());
    let raw = Call::new(Dialect::Raw, &Url::parse("http://r.example").unwrap(), &content, false).unwrap();
    assert_eq!(cache(&folder).key(&raw, None), None);
}

#[test]
fn an_answer_reads_back_as_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(&folder);
    let streamed =
        Saved { body: None, stop: None, model: None, relay_request_id: None, ..now("Hi\n\"you\" é") };
    assert_eq!(cache.get(&numbered(1)), None);
    cache.put(&numbered(1), &now("one"));
    cache.put(&numbered(2), &streamed);
    let whole = cache.get(&numbered(1)).unwrap();
    assert_eq!((whole.text(), whole.body), ("one".to_owned(), saved("").body));
    let read = cache.get(&numbered(2)).unwrap();
    assert_eq!(Saved { saved_at: streamed.saved_at, ..read }, streamed);
    // A later answer takes the place of an earlier one.
    cache.put(&numbered(1), &now("two"));
    assert_eq!(cache.get(&numbered(1)).unwrap().text(), "two");
    assert_eq!(cache.trouble(), None);
}

#[test]
fn an_old_answer_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(&folder);
    let aged = |age| Saved { saved_at: SystemTime::now() - age, ..saved("old") };
    cache.put(&numbered(1), &aged(DAY + Duration::from_secs(1)));
    cache.put(&numbered(2), &aged(Duration::from_secs(86_340)));
    assert!(cache.get(&numbered(1)).is_none() && cache.get(&numbered(2)).is_some());
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    fn walk(path: &Path, modes: &mut Vec<(PathBuf, u32)>) {
        let about = fs::metadata(path).unwrap();
        modes.push((path.to_owned(), about.permissions().mode() & 0o777));
        if about.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), modes);
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    cache(&folder).put(&numbered(1), &now("secret"));
    let mut modes = Vec::new();
    walk(&folder.path().join("cache"), &mut modes);
    // The cache, its version, the salt, the file of growth, a folder and an answer.
    assert_eq!(modes.len(), 6, "{modes:?}");
    for (path, mode) in modes {
        let growth = path.ends_with("written");
        assert!(mode == if path.is_dir() { 0o700 } else { 0o600 } || growth, "{path:?} {mode:o}");
    }
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
    let error = Cache::open(&open, rules(Form::Exact)).unwrap_err();
    assert!(error.to_string().contains("can be read by other users (mode 750)"), "{error}");
}

#[test]
fn the_size_is_kept_and_what_was_used_lately_stays() {
    let folder = tempfile::tempdir().unwrap();
    let size = 64 * 4096;
    let open =
        || Cache::open(&folder.path().join("cache"), CacheRules { size, ..rules(Form::Exact) }).unwrap();
    let file = |number| {
        let name = numbered(number).to_name();
        folder.path().join("cache/v1").join(&name[..2]).join(&name[2..])
    };
    for number in 0..64_u64 {
        // Each process writes a few, as many runs of one request do.
        open().put(&numbered(number), &now("x"));
        if let Ok(file) = fs::File::options().append(true).open(file(number)) {
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
            file.set_times(FileTimes::new().set_modified(used)).unwrap();
        }
    }
    assert!(open().get(&numbered(8)).is_some(), "and it is now the one used last");
    for number in 64..80_u64 {
        open().put(&numbered(number), &now("x"));
    }
    let held = stats(&folder.path().join("cache")).unwrap();
    assert!((54..=66).contains(&held.entries) && held.bytes <= 66 * 4096, "{held:?}");
    let kept = open();
    assert!(kept.get(&numbered(8)).is_some() && kept.get(&numbered(79)).is_some());
    assert!(kept.get(&numbered(0)).is_none() && kept.get(&numbered(5)).is_none());
}

#[test]
fn a_cleared_cache_is_empty_and_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    assert_eq!(clear(&place).unwrap(), Stats::default());
    cache(&folder).put(&numbered(1), &now("x"));
    let held = stats(&place).unwrap();
    assert_eq!((held.entries, held.bytes), (1, 4096));
    assert!(held.oldest.is_some() && held.oldest == held.newest);
    assert_eq!(clear(&place).unwrap(), held);
    assert_eq!(stats(&place).unwrap(), Stats::default());
    assert!(cache(&folder).get(&numbered(1)).is_none());
}

#[test]
fn a_cache_that_is_cleared_while_it_is_open_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(&folder);
    cache.put(&numbered(1), &now("before"));
    assert!(cache.get(&numbered(1)).is_some());
    clear(&folder.path().join("cache")).unwrap();
    assert_eq!(cache.get(&numbered(1)), None);
    cache.put(&numbered(1), &now("after"));
    assert_eq!(cache.get(&numbered(1)).map(|saved| saved.text()), Some("after".to_owned()));
    assert_eq!(cache.trouble(), None);
}

#[test]
fn many_at_once_read_whole_answers_or_none() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                // Small enough that files are swept away under the readers' hands.
                let small = CacheRules { size: 32 * 4096, ..rules(Form::Exact) };
                let cache = Cache::open(&folder.path().join("cache"), small).unwrap();
                for round in 0..300_u64 {
                    let number = (round * 7 + thread) % 60;
                    let text = format!("{number} ").repeat(500);
                    match cache.get(&numbered(number)) {
                        Some(found) => assert_eq!(found.text(), text),
                        None => cache.put(&numbered(number), &now(&text)),
                    }
                }
                assert_eq!(cache.trouble(), None);
            });
        }
    });
}

#[tokio::test]
async fn equal_requests_follow_one_another_and_others_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(&folder);
    let first = cache.enter(numbered(1)).await;
    let mut second = Box::pin(cache.enter(numbered(1)));
    let waits = async |future: &mut std::pin::Pin<Box<_>>| {
        tokio::select! { biased; _ = future => false, () = tokio::task::yield_now() => true }
    };
    assert!(waits(&mut second).await);
    drop(cache.enter(numbered(2)).await);
    let third = Box::pin(cache.enter(numbered(1)));
    drop(third);
    drop(first);
    drop(second.await);
    assert!(cache.flights.lock().unwrap().is_empty());
}

proptest! {
    #[test]
    fn a_damaged_file_is_a_miss_and_never_another_answer(at in 0_usize..1000, bit in 0_u8..8, cut in 0_usize..1000) {
        let good = saved("Hello").to_bytes();
        prop_assert_eq!(Saved::read(&good), Some(saved("Hello")));
        let mut damaged = good.clone();
        damaged[at % good.len()] ^= 1 << bit;
        // Two forms of a hexadecimal digit are no damage.
        prop_assert!(Saved::read(&damaged).is_none_or(|read| read == saved("Hello")));
        prop_assert_eq!(Saved::read(&good[..cut % good.len()]), None);
    }
}
