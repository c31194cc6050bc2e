//! `--extract`: a part of the answer, or nothing and an error.

use std::fs;

use crate::baton::{Said, relay, run};

/// What is printed of an answer that is this text: the relay's raw form answers with the request's own bytes.
fn extracted(what: &str, answer: &str, more: &[&str]) -> Said {
    let relay = relay("ttft=0,gap=0");
    let url = format!("{}/raw", relay.base_url());
    run(&[&["send", "--url", &url, "-a", "raw", "--extract", what, answer], more].concat())
}

const ANSWER: &str = "Sure: 日本\n\n```python\nprint('é')\n```\n\nIt prints {\"a\": [1]} and [2].";

#[test]
fn only_the_part_that_was_asked_for_is_printed() {
    let said = extracted("code", ANSWER, &[]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "print('é')\n", ""));
    let said = extracted("json", ANSWER, &[]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "{\"a\": [1]}\n", ""));
}

#[test]
fn a_file_is_written_only_where_there_is_something_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.py");
    let output = ["-o", path.to_str().unwrap()];
    assert_eq!(extracted("code", "no code at all", &output).code, 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(extracted("code", ANSWER, &output).code, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "print('é')\n");
}

#[test]
fn an_answer_without_such_a_part_is_an_error_and_prints_nothing() {
    for (what, word) in [("code", "fenced block"), ("json", "JSON value")] {
        // The embedded relay answers in words.
        for more in [&[][..], &["--no-stream"], &["-a", "chat"]] {
            let said = run(&[&["send", "--mock=ttft=0,gap=0", "--extract", what, "Hello"], more].concat());
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
            assert!(said.err.contains(word) && said.err.contains("hint:"), "{said:?}");
        }
    }
    let cut = extracted("code", "```rust\nfn main() {", &[]);
    assert_eq!((cut.code, cut.out.as_str()), (1, ""), "{cut:?}");
}

#[test]
fn nothing_is_extracted_from_an_answer_that_failed_and_its_own_error_is_told() {
    let relay = relay("ttft=0,gap=0");
    let said = crate::baton::send(&relay, "mock-cut", &["--extract", "json"]);
    assert_eq!((said.code, said.out.as_str()), (9, ""), "{said:?}");
    assert!(!said.err.contains("--extract"), "{said:?}");
}

#[test]
fn a_form_that_has_no_place_for_a_part_is_refused() {
    for form in ["json", "events", "raw"] {
        let said = run(&["send", "--mock", "--extract", "code", "--format", form, "x"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("--extract") && said.err.contains("--format"), "{said:?}");
    }
}
