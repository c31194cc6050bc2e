//! Bad input: each is refused with a precise error, the exit code of the table, and before anything is sent.

use crate::baton::{Said, baton, run, run_with_input};

/// Runs a command line that must be refused as a usage error, and gives its standard error.
fn refused(arguments: &[&str]) -> String {
    let said = run(arguments);
    assert_eq!(said.code, 2, "{arguments:?}: {said:?}");
    assert!(said.out.is_empty(), "{arguments:?}: {said:?}");
    said.err
}

#[test]
fn unknown_values_of_flags_are_refused_by_name() {
    for (arguments, word) in [
        (&["send", "--mock", "--api", "smtp", "x"][..], "--api"),
        (&["send", "--mock", "--format", "xml", "x"], "--format"),
        (&["send", "--mock", "--fail-on", "boredom", "x"], "--fail-on"),
        (&["send", "--mock", "--timeout", "5", "x"], "--timeout"),
        (&["send", "--mock", "--idle-timeout", "soon", "x"], "--idle-timeout"),
        (&["send", "--mock", "--attempts", "0", "x"], "--attempts"),
        (&["send", "--mock", "--temperature", "hot", "x"], "--temperature"),
        (&["send", "--mock", "--temperature=-1", "x"], "--temperature"),
        (&["send", "--mock", "--max-tokens", "0", "x"], "--max-tokens"),
        (&["send", "--mock", "--param", "novalue", "x"], "--param"),
        (&["send", "--mock", "--param", "user=me", "x"], "quotes"),
        (&["send", "--mock", "--request-id-prefix", "a b", "x"], "--request-id-prefix"),
        (&["send", "--mock=ttft=fast", "x"], "ttft"),
        (&["send", "--mock=speed=9", "x"], "speed"),
        (&["send", "--mock", "--url", "http://127.0.0.1:9", "x"], "--url"),
        (&["send", "--mock", "--http1", "--http2", "x"], "--http1"),
        (&["send", "--mock", "--bare-prompt", "x"], "--bare-prompt"),
        (&["send", "--mock", "--api", "raw", "--system", "s", "x"], "--system"),
        (&["send", "--mock", "--key-file", "a", "--key-command", "b", "x"], "--key-file"),
        (&["send", "--mock", "--body", "-", "x"], "--body"),
        (&["send", "--mock", "--key-file", "a", "x"], "--key-file"),
        (&["send", "--mock", "--model", "", "x"], "--model"),
        (&["send", "--mock", "--api", "raw", "--model", "m", "x"], "--model"),
        (&["send", "--mock", "--dry-run", "--timing", "x"], "--timing"),
        (&["send", "--mock", "--quiet", "--verbose", "x"], "--quiet"),
        (&["bench", "--mock", "--warmup", "200000000000000d"], "longer than a year"),
        (&["mock", "--verbose"], "--verbose"),
        (&["bench", "--mock", "-c", "0"], "0"),
        (&["bench", "--mock", "-c", "50,ten"], "ten"),
        (&["bench", "--mock", "-c", "200..10:10"], "200..10"),
        (&["bench", "--mock", "-n", "10", "-c", "50"], "50"),
        (&["bench", "--mock", "-n", "10", "-d", "5s"], "--duration"),
        (&["bench", "--mock", "-d", "0"], "--duration"),
        (&["bench", "--mock", "--workers", "0"], "--workers"),
        (&["mock", "--listen", "nowhere"], "--listen"),
        (&["mock", "slots=-1"], "slots"),
        (&["fly"], "fly"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(word), "{arguments:?} should name {word}: {text}");
    }
}

#[test]
fn an_unknown_dialect_is_answered_with_the_list_on_the_command_line_and_in_the_environment() {
    let on_the_line = refused(&["send", "--mock", "--api", "smtp", "x"]);
    let said: Said = baton().env("BATON_API", "smtp").args(["send", "--mock", "x"]).output().unwrap().into();
    assert_eq!(said.code, 2, "{said:?}");
    for text in [on_the_line, said.err] {
        for name in ["messages", "chat", "responses", "complete", "raw"] {
            assert!(text.contains(name), "{text}");
        }
    }
}

#[test]
fn malformed_addresses_and_headers_are_refused_by_name() {
    for (arguments, word) in [
        (&["send", "--url", "relay.example", "x"][..], "https://relay.example"),
        (&["send", "--url", "ftp://relay.example", "x"], "ftp"),
        (&["send", "--url", "http://user:sk-planted@relay.example", "x"], "--key-file"),
        (&["send", "--mock", "-H", "no-colon", "x"], "--header"),
        (&["send", "--mock", "-H", "sp ace: 1", "x"], "sp ace"),
        (&["send", "--mock", "-H", "content-length: 1", "x"], "content-length"),
        (
            &["send", "--mock", "-H", "authorization: Bearer a", "-H", "x-api-key: b", "x"],
            "more than one credential",
        ),
        (&["send", "--mock", "--proxy", "nonsense", "x"], "--proxy"),
        (&["send", "--mock", "--cacert", "/nonexistent.pem", "x"], "/nonexistent.pem"),
        (&["send", "--mock", "--cacert", "Cargo.toml", "x"], "BEGIN CERTIFICATE"),
        (&["send", "--url", "http://127.0.0.1:9", "--key-file", "/nonexistent.key", "x"], "/nonexistent.key"),
        (&["send", "--url", "http://127.0.0.1:9", "--key-command", "exit 3", "x"], "--key-command"),
        (&["send", "--url", "http://127.0.0.1:9", "--key-command", "true", "x"], "printed nothing"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(word), "{arguments:?} should name {word}: {text}");
        assert!(!text.contains("planted"), "{text}");
    }
}

#[test]
fn without_a_relay_the_error_names_every_way_to_give_one() {
    let text = refused(&["send", "Hello"]);
    for way in ["--url", "BATON_URL", "ANTHROPIC_BASE_URL", "--mock"] {
        assert!(text.contains(way), "{text}");
    }
}

#[test]
fn without_a_model_the_error_names_every_way_to_give_one() {
    let text = refused(&["send", "--url", "http://127.0.0.1:9", "Hello"]);
    assert!(text.contains("--model") && text.contains("BATON_MODEL"), "{text}");
}

#[test]
fn an_empty_prompt_is_refused_wherever_it_comes_from() {
    assert!(refused(&["send", "--mock"]).contains("the prompt is empty"));
    assert!(refused(&["send", "--mock", ""]).contains("the prompt is empty"));
    let said = run_with_input(&["send", "--mock"], b"\n\n");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("the prompt is empty"), "{said:?}");
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_place() {
    let said = run_with_input(&["send", "--mock"], b"one\ntwo \xff");
    assert_eq!(said.code, 2);
    assert!(said.err.contains("standard input") && said.err.contains("byte 8, line 2"), "{said:?}");
}

#[test]
fn a_body_that_is_no_json_object_is_refused_with_its_place() {
    for body in [&b"{\"model\": "[..], b"[1]", b"not json"] {
        let said = run_with_input(&["send", "--mock", "--body", "-"], body);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("--body"), "{said:?}");
    }
    let said = run_with_input(&["send", "--mock", "--body", "-"], b"");
    assert!(said.err.contains("empty"), "{said:?}");
}

#[test]
fn an_unreachable_host_is_a_network_error_that_names_the_address() {
    // A port that was free a moment ago refuses.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let said = run(&["send", "--url", &url, "--model", "m", "--attempts", "1", "Hello"]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(
        said.err.contains(&url) && said.err.contains("refused") && said.err.contains("hint:"),
        "{said:?}"
    );
}

#[test]
fn a_timeout_before_there_is_a_connection_has_sent_and_billed_nothing() {
    let silent = crate::front::canned("");
    let send = |scheme: &str, more: &[&str]| {
        let url = format!("{scheme}://127.0.0.1:{}", silent.port);
        let arguments = ["send", "--url", &url, "--model", "m", "--backoff-base", "0", "Hello"];
        let limits = ["--first-byte-timeout", "80ms", "--error-format", "json"];
        let said = run(&[&arguments[..], &limits, more].concat());
        assert_eq!(said.code, 8, "{said:?}");
        let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
        (error["because"].to_string(), error["attempts"].clone())
    };
    // TCP connects and the TLS handshake does not end.
    let (because, attempts) = send("https", &["--no-retry-ambiguous", "--attempts", "2"]);
    assert!(because.contains("nothing was sent") && !because.contains("billed"), "{because}");
    assert_eq!((attempts.as_array().unwrap().len(), &attempts[1]["maybe_billed"]), (2, &false.into()));
    let (because, attempts) = send("http", &["--no-retry-ambiguous", "--attempts", "2"]);
    assert!(because.contains("billed") && !because.contains("nothing was sent"), "{because}");
    assert_eq!((attempts.as_array().unwrap().len(), &attempts[0]["maybe_billed"]), (1, &true.into()));
}

#[test]
fn a_name_without_an_address_is_a_network_error_that_names_the_host() {
    let said = run(&["send", "--url", "http://relay.invalid", "--model", "m", "--attempts", "1", "Hello"]);
    assert_eq!(said.code, 11, "{said:?}");
    assert!(said.err.contains("no address found for relay.invalid"), "{said:?}");
}

#[test]
fn a_host_that_does_not_speak_http_is_named_as_that() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let _ = peer.read(&mut [0; 1024]);
        let _ = peer.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
    });
    let said = run(&["send", "--url", &url, "--model", "m", "--attempts", "1", "Hello"]);
    server.join().unwrap();
    assert_eq!(said.code, 9, "{said:?}");
    assert!(said.err.contains("not HTTP"), "{said:?}");
}

#[test]
fn an_error_as_json_is_one_object_with_the_same_parts() {
    let said: Said = run(&["send", "--error-format", "json", "Hello"]);
    let object: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(object["exit_code"], 2);
    assert_eq!(object["error"], "no relay is named");
    let said: Said = run(&["send", "--error-format", "json", "--nonsense"]);
    let object: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((said.code, object["exit_code"].as_i64()), (2, Some(2)));
    assert_eq!(object["error"], "unexpected argument '--nonsense' found");
    assert_eq!(object["hint"], "to pass '--nonsense' as a value, use '-- --nonsense'");
    let said: Said = run(&["send", "--error-format", "json", "--api", "smtp", "x"]);
    assert!(said.err.contains("[possible values: messages, ") && !said.err.contains("--help"), "{said:?}");
}

#[test]
fn help_and_version_are_data_and_no_error() {
    for arguments in [&["--help"][..], &["--version"], &["send", "--help"], &["bench", "-h"]] {
        let said = run(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}");
        assert!(!said.out.is_empty());
    }
    assert_eq!(run(&[]).code, 2);
}

#[test]
fn the_environment_names_relay_model_and_dialect() {
    let relay = crate::baton::relay("ttft=0,gap=0,tokens=2");
    let mut command = baton();
    command.env("OPENAI_BASE_URL", format!("{}/v1", relay.base_url()));
    command.env("BATON_API", "chat").env("BATON_MODEL", "m").args(["send", "Hello"]);
    let said: Said = command.output().unwrap().into();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.trim().is_empty());
}
