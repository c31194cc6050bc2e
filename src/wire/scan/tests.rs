//! The fast reader of JSON beside the library's.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// Any value, texts with and without escapes among it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z ]{0,60}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{0,12}", inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn agree(text: &str) {
    if let Some(value) = read::<Value>(text) {
        assert_eq!(serde_json::from_str::<Value>(text).ok(), Some(value), "{text}");
    }
    if read::<IgnoredAny>(text).is_some() {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_no_json_is_left_to_the_library() {
    for text in [
        "",
        " ",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "01",
        "-",
        "1.",
        "1e",
        "+1",
        ".5",
        "--1",
        "nul",
        "truex",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "1 1",
        "[]]",
        "{}}",
        "\"a\"b",
        "{1:2}",
        "[\"a\":1]",
        "\"a\u{1}\"",
    ] {
        assert!(read::<Value>(text).is_none() && read::<IgnoredAny>(text).is_none(), "{text}");
        agree(text);
    }
    let long = format!("\"{}\u{1}{}\"", "a".repeat(100), "b".repeat(100));
    assert!(read::<Value>(&long).is_none());
    let deep = "[".repeat(1000);
    assert!(read::<Value>(&deep).is_none() && read::<IgnoredAny>(&deep).is_none());
}

#[test]
fn plain_texts_are_borrowed_and_others_are_made() {
    assert_eq!(read::<&str>(" \"river\" "), Some("river"));
    assert_eq!(read::<&str>("\"a\\n\""), None);
    assert_eq!(read::<String>("\"a\\n\\u00e9\\ud83d\\ude00\""), Some("a\né😀".to_owned()));
    assert_eq!(read::<String>("\"\\ud83d\""), None);
}

proptest! {
    #[test]
    fn every_value_is_read_as_the_library_reads_it(value in value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            prop_assert_eq!(read::<Value>(&text), serde_json::from_str(&text).ok());
            prop_assert!(read::<IgnoredAny>(&text).is_some());
        }
    }

    #[test]
    fn nothing_is_accepted_that_the_library_refuses(
        value in value(), at in any::<prop::sample::Index>(), put in any::<char>(), cut in any::<prop::sample::Index>(),
    ) {
        let text: Vec<char> = value.to_string().chars().collect();
        let (mut changed, mut shorter) = (text.clone(), text.clone());
        changed[at.index(text.len())] = put;
        shorter.remove(cut.index(text.len()));
        for broken in [&text[..at.index(text.len())], &changed, &shorter] {
            agree(&broken.iter().collect::<String>());
        }
    }

    #[test]
    fn marks_in_any_order_mean_the_same_to_both(text in "[{}\\[\\],:\"\\\\ 0-2a.e+-]{0,16}") {
        agree(&text);
    }
}
