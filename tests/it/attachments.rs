//! Files of every kind and conversations in a prompt, and what is refused.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::baton::{Said, relay, run, run_with_input};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";

/// The path of a new file.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The body that a command line would send.
fn body(arguments: &[&str]) -> Value {
    let said = run(&[&["send", "--mock", "--dry-run"], arguments].concat());
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(said.out.split_once("\n\n").unwrap().1).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let said = run(&[&["send", "--mock"], arguments].concat());
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {said:?}");
    said.err
}

#[test]
fn text_joins_the_prompt_and_images_and_pdf_go_with_it_as_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let text = file(folder.path(), "notes.txt", b"Some notes.\n");
    // Neither name says what is inside.
    let image = file(folder.path(), "picture", PNG);
    let document = file(folder.path(), "report.txt", PDF);
    let arguments = ["-f", &text, "-f", &image, "-f", &document, "Compare"];
    let content = &body(&arguments)["messages"][0]["content"];
    let kinds: Vec<_> = content.as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["image", "document", "text"]);
    assert_eq!(content[0]["source"]["media_type"], "image/png");
    assert_eq!(content[2]["text"], "Compare\n\nSome notes.");
    let content = &body(&[&["-a", "chat"], &arguments[..]].concat())["messages"][0]["content"];
    assert_eq!(content[1]["file"]["filename"], "report.txt");
    assert!(
        content[0]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,iVBORw0KGgo")
    );
    let content = &body(&[&["-a", "responses"], &arguments[..]].concat())["input"][0]["content"];
    assert_eq!(content[2], json!({"type": "input_text", "text": "Compare\n\nSome notes."}));
}

#[test]
fn a_name_counts_where_the_bytes_say_nothing_and_never_turns_text_into_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let odd = file(folder.path(), "old.JPEG", b"\0\xff\xd8 an unusual beginning");
    assert_eq!(body(&["-f", &odd])["messages"][0]["content"][0]["source"]["media_type"], "image/jpeg");
    let text = file(folder.path(), "text.png", b"only words");
    assert_eq!(body(&["-f", &text])["messages"][0]["content"], "only words");
}

#[test]
fn a_relay_answers_a_prompt_with_an_attachment_in_each_dialect_that_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let image = file(folder.path(), "a.png", PNG);
    let relay = relay("ttft=0,gap=0,tokens=2");
    for api in ["messages", "chat", "responses"] {
        let url = relay.base_url();
        let said: Said = run(&["send", "--url", &url, "-m", "m", "-a", api, "-f", &image, "What is it?"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{api}: {said:?}");
    }
}

#[test]
fn a_dialect_without_blocks_refuses_attachments_by_flag_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let image = file(folder.path(), "a.png", PNG);
    for api in ["complete", "raw"] {
        let text = refused(&["-a", api, "-f", &image, "x"]);
        for word in ["--file", "a.png", "image/png", api, "hint:"] {
            assert!(text.contains(word), "{text}");
        }
    }
}

#[test]
fn files_that_are_missing_unknown_or_too_large_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let binary = file(folder.path(), "a.bin", b"words\nand \xff\xfe");
    let text = refused(&["-f", &binary, "x"]);
    assert!(text.contains("--file") && text.contains("a.bin") && text.contains("byte 10, line 2"), "{text}");
    assert!(text.contains("webp") && text.contains("iconv"), "{text}");
    assert!(refused(&["-f", "/nonexistent.png", "x"]).contains("/nonexistent.png"));
    let half = file(folder.path(), "half.pdf", &[PDF, &vec![0; 17 * 1024 * 1024]].concat());
    let text = refused(&["-f", &half, "-f", &half, "x"]);
    for word in ["half.pdf", "17 825 807 bytes", "35 651 614", "33 554 432"] {
        assert!(text.replace('\u{202f}', " ").contains(word), "{word}: {text}");
    }
}

const TURNS: &[u8] =
    br#"[{"role":"user","content":"A"},{"role":"assistant","content":[{"type":"text","text":"B"}]}]"#;

#[test]
fn a_conversation_goes_into_the_body_as_it_is_and_the_prompt_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let array = file(folder.path(), "turns.json", TURNS);
    let object = [b"\xEF\xBB\xBF{\"messages\": ", TURNS, b"}\n"].concat();
    let object = file(folder.path(), "object.json", &object);
    let turns: Value = serde_json::from_slice(TURNS).unwrap();
    for path in [&array, &object] {
        assert_eq!(body(&["--messages", path])["messages"], turns);
        let longer = &body(&["--messages", path, "Go", "on"])["messages"];
        assert_eq!(longer[2], json!({"role": "user", "content": "Go on"}));
        assert_eq!(longer[1], turns[1]);
    }
    let chat = &body(&["-a", "chat", "--messages", &array, "-s", "Be brief."])["messages"];
    assert_eq!((&chat[0]["role"], &chat[1]), (&json!("system"), &turns[0]));
    assert_eq!(body(&["-a", "responses", "--messages", &array])["input"], turns);
}

#[test]
fn a_conversation_comes_from_standard_input_too() {
    let relay = relay("ttft=0,gap=0,tokens=2");
    let url = relay.base_url();
    let said = run_with_input(&["send", "--url", &url, "-m", "m", "--messages", "-", "Go on"], TURNS);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let said = run_with_input(&["send", "--mock", "--messages", "-", "-"], TURNS);
    assert!(said.code == 2 && said.err.contains("standard input"), "{said:?}");
}

#[test]
fn a_conversation_that_no_dialect_takes_is_refused_by_its_flag_and_file() {
    let folder = tempfile::tempdir().unwrap();
    for (text, more, word) in [
        ("", &[][..], "empty"),
        ("[", &[], "not valid JSON"),
        ("3", &[], "array of messages"),
        ("[]", &[], "the prompt is empty"),
        ("{}", &[], "no array"),
        (r#"{"messages":[],"model":"m"}"#, &[], "\"model\""),
        (r#"[{"role":"user"}]"#, &[], "message 1"),
        (r#"[{"role":"user","content":"A"},"B"]"#, &[], "message 2"),
        (r#"[{"role":"system","content":"A"}]"#, &[], "--system"),
        (r#"[{"role":"user","content":"A"}]"#, &["-a", "complete"], "--messages"),
        (r#"[{"role":"user","content":"A"}]"#, &["-a", "raw"], "--messages"),
        (r#"[{"role":"user","content":"A"}]"#, &["--body", "x.json"], "--messages"),
    ] {
        let path = file(folder.path(), "turns.json", text.as_bytes());
        let error = refused(&[&["--messages", &path], more].concat());
        assert!(error.contains(word), "{text}: {error}");
    }
    assert!(refused(&["--messages", "/nonexistent.json"]).contains("/nonexistent.json"));
}
