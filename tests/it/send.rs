//! `baton send` against the embedded relay: answers in every dialect, and every way an answer can fail.

use serde_json::Value;

use crate::baton::{Said, baton, relay, run, run_with_input, send};

const QUICK: &str = "ttft=0,gap=0,tokens=6";

#[test]
fn an_answer_arrives_in_every_dialect_streamed_and_whole_and_is_the_same() {
    for api in ["messages", "chat", "responses", "complete"] {
        let answer = |more: &[&str]| {
            // The answer depends on the number of the request, so each is the first of its relay.
            let relay = relay(QUICK);
            let said = send(&relay, "m", &[&["--api", api], more].concat());
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{api}: {said:?}");
            said.out
        };
        let streamed = answer(&[]);
        assert_eq!(streamed.split_whitespace().count(), 6, "{api}: {streamed}");
        assert_eq!(streamed, answer(&["--no-stream"]), "{api}");
        assert_eq!(streamed, answer(&["--http2"]), "{api}");
    }
}

#[test]
fn a_raw_request_goes_to_the_address_as_it_is_and_its_bytes_come_back() {
    let relay = relay(QUICK);
    let url = format!("{}/raw", relay.base_url());
    let said = run(&["send", "--url", &url, "--api", "raw", "any bytes"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.is_empty());
}

#[test]
fn a_bare_prompt_is_all_of_its_body() {
    let relay = relay(QUICK);
    let url = relay.base_url();
    let shown =
        run(&["send", "--url", &url, "--api", "complete", "--bare-prompt", "--no-stream", "--dry-run", "Hi"]);
    assert!(shown.out.ends_with("\n\n{\"prompt\":\"Hi\"}\n"), "{shown:?}");
    let said = run(&["send", "--url", &url, "--api", "complete", "--bare-prompt", "Hi"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn each_fault_ends_in_its_exit_code_and_names_itself() {
    let relay = relay(QUICK);
    for (model, code, words) in [
        ("mock-400", 4, "answered 400"),
        ("mock-401", 3, "refused the credentials"),
        ("mock-403", 3, "answered 403"),
        ("mock-404", 4, "answered 404"),
        ("mock-413", 4, "answered 413"),
        ("mock-402", 7, "answered 402"),
        ("mock-quota", 7, "quota or spending cap"),
        ("mock-500", 5, "answered 500"),
        ("mock-503", 5, "answered 503"),
        ("mock-529", 5, "overloaded"),
        ("mock-redirect", 4, "not followed"),
        ("mock-cut", 9, "cut short"),
        ("mock-eof", 9, "message_stop"),
        ("mock-no-done", 9, "message_stop"),
        ("mock-error-event", 9, "ended in an error"),
        ("mock-error-first", 9, "3 attempts failed"),
        ("mock-error-200", 9, "inside a 200"),
        ("mock-empty", 9, "the body is empty"),
        ("mock-empty-stream", 9, "nothing was generated"),
        ("mock-html", 9, "HTML page"),
        ("mock-html-502", 5, "answered 502"),
        ("mock-json-stream", 9, "one whole JSON body"),
        ("mock-garbage", 9, "not valid JSON"),
        ("mock-huge-event", 9, "larger than"),
        ("mock-reset", 11, "closed before an answer"),
    ] {
        let said = send(&relay, model, &[]);
        assert_eq!(said.code, code, "{model}: {said:?}");
        assert!(said.err.contains(words), "{model} should say '{words}': {said:?}");
        assert!(said.err.starts_with("error: ") && said.err.contains("request id "), "{model}: {said:?}");
    }
}

#[test]
fn oddities_that_are_no_failures_give_a_whole_answer() {
    let relay = relay(QUICK);
    for model in
        ["mock-no-event-names", "mock-crlf", "mock-split-utf8", "mock-comments", "mock-duplicate-usage"]
    {
        let said = send(&relay, model, &[]);
        assert_eq!((said.code, said.out.split_whitespace().count()), (0, 6), "{model}: {said:?}");
    }
    let said = send(&relay, "mock-sse-whole", &["--no-stream"]);
    assert_eq!((said.code, said.out.split_whitespace().count()), (0, 6), "{said:?}");
}

#[test]
fn a_failure_that_passes_is_tried_again_under_the_same_request_id() {
    let relay = relay(QUICK);
    for model in ["mock-500-once", "mock-529-once"] {
        let said = send(&relay, model, &["--format", "json"]);
        assert_eq!(said.code, 0, "{model}: {said:?}");
        let object: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(object["attempts"].as_array().unwrap().len(), 2, "{model}");
        assert_eq!(object["outcome"], "ok");
    }
}

#[test]
fn a_longer_wait_than_allowed_ends_the_request_at_once() {
    let relay = relay(QUICK);
    let said = send(&relay, "mock-429", &["--max-wait", "500ms"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("longer than --max-wait"), "{said:?}");
}

#[test]
fn a_quota_is_never_tried_again() {
    let relay = relay(QUICK);
    for api in ["messages", "chat", "responses"] {
        let said = send(&relay, "mock-quota", &["--api", api, "--error-format", "json"]);
        let object: Value = serde_json::from_str(&said.err).unwrap();
        assert_eq!((said.code, object["attempts"].as_array().unwrap().len()), (7, 1), "{api}: {said:?}");
    }
}

#[test]
fn a_relay_that_rejects_stream_options_is_asked_again_without_them() {
    let relay = relay(QUICK);
    let said =
        send(&relay, "mock-reject-stream-options", &["--api", "chat", "--attempts", "1", "--format", "json"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &object["outcome"]), (0, &Value::from("ok")), "{said:?}");
    assert_eq!(object["usage"]["estimated"], true);
}

#[test]
fn what_was_delivered_before_a_cut_is_printed_and_never_asked_for_again() {
    let relay = relay(QUICK);
    let said = send(&relay, "mock-cut", &[]);
    assert_eq!(said.code, 9);
    assert!((1..6).contains(&said.out.split_whitespace().count()), "{said:?}");
    assert!(said.err.contains("part of the answer has been delivered"), "{said:?}");
    assert_eq!(relay.stats().requests, 1);
}

#[test]
fn silence_ends_by_the_timeout_that_is_named() {
    let relay = relay(QUICK);
    for (model, flag, words) in [
        ("mock-silent", "--first-byte-timeout", "no byte of the answer within 80 ms"),
        ("mock-slow-first-byte", "--first-byte-timeout", "no byte of the answer within 80 ms"),
        ("mock-stall", "--idle-timeout", "not a byte more within 80 ms"),
        ("mock-stall", "--stall-timeout", "nothing more was generated, though bytes arrived, within 80 ms"),
        ("mock-silent", "--first-token-timeout", "nothing was generated within 80 ms"),
        ("mock-silent", "--timeout", "no whole answer within 80 ms"),
    ] {
        let said = send(&relay, model, &[flag, "80ms", "--attempts", "1"]);
        assert_eq!(said.code, 8, "{model} {flag}: {said:?}");
        assert!(said.err.contains(words) && said.err.contains(flag), "{model} {flag}: {said:?}");
    }
}

#[test]
fn the_json_form_has_every_part_that_scripts_rely_on() {
    let relay = relay("ttft=5ms,gap=1ms,tokens=6");
    let said = send(&relay, "m", &["--format", "json"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["stop"], "end");
    assert_eq!(object["outcome"], "ok");
    assert_eq!(object["usage"]["output"], 6);
    assert_eq!(object["usage"]["estimated"], false);
    assert!(object["text"].as_str().unwrap().split_whitespace().count() == 6);
    assert!(object["timing_ms"]["first_token"].as_f64().unwrap() >= 5.0);
    assert!(object["request_id"].as_str().unwrap().len() == 36);
    assert!(object["relay_request_id"].as_str().unwrap().starts_with("req_mock"));
    assert!(object["endpoint"].as_str().unwrap().ends_with("/v1/messages"));
    let said = send(&relay, "mock-error-event", &["--format", "json"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &object["outcome"]), (9, &Value::from("stream_error")));
}

#[test]
fn the_event_form_has_a_line_for_each_event_with_its_time() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["--format", "events"]);
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!((count("text"), count("stop"), count("terminal")), (6, 1, 1), "{said:?}");
    assert!(lines.iter().all(|line| line["t_ms"].is_number()));
    let said = send(&relay, "mock-529-once", &["--format", "events"]);
    assert!(said.out.lines().all(|line| line.contains("\"attempt\":2")), "{said:?}");
}

#[test]
fn the_raw_form_is_the_wires_bytes() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["--format", "raw"]);
    assert!(said.out.starts_with("event: message_start\ndata: {"), "{said:?}");
    assert!(said.out.ends_with("\n\n") && said.out.contains("event: message_stop"), "{said:?}");
}

#[test]
fn arguments_files_and_a_pipe_make_one_prompt_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "from a file\n").unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["send", "--mock", "--dry-run", "--system", "be brief", "--file", file, "two", "words"];
    let said = run_with_input(&arguments, b"from a pipe @notes.txt\n");
    let body = said.out.split("\n\n").nth(1).unwrap();
    let body: Value = serde_json::from_str(body.trim()).unwrap();
    assert_eq!(body["messages"][0]["content"], "two words\n\nfrom a file\n\nfrom a pipe @notes.txt");
    assert_eq!(body["system"], "be brief");
}

#[test]
fn a_whole_body_is_sent_as_it_is_but_for_its_stream_field() {
    let body =
        br#"{"model":"m","zebra":1,"max_tokens":5,"messages":[{"role":"user","content":"x"}],"apple":2}"#;
    let said = run_with_input(&["send", "--mock", "--dry-run", "--body", "-"], body);
    let sent = said.out.split("\n\n").nth(1).unwrap().trim().to_owned();
    let zebra = sent.find("zebra").unwrap();
    assert!(zebra < sent.find("apple").unwrap() && sent.contains("\"stream\":true"), "{sent}");
}

#[test]
fn a_param_wins_over_the_flag_of_the_same_field() {
    let said = run(&["send", "--mock", "--dry-run", "--max-tokens", "5", "--param", "max_tokens=7", "x"]);
    assert!(said.out.contains("\"max_tokens\":7") && !said.out.contains("\"max_tokens\":5"), "{said:?}");
}

#[test]
fn a_dry_run_and_a_curl_command_send_nothing() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["--dry-run"]);
    assert!(said.out.starts_with("POST /v1/messages HTTP/1.1\nhost: 127.0.0.1:"), "{said:?}");
    assert!(
        said.out.contains("\naccept-encoding: identity\n") && said.out.contains("\nx-request-id: "),
        "{said:?}"
    );
    let said = send(&relay, "m", &["--curl"]);
    assert!(said.out.starts_with("curl --no-buffer 'http://127.0.0.1:"), "{said:?}");
    assert_eq!(relay.stats().requests, 0);
}

#[test]
fn a_curl_command_does_in_a_shell_what_send_does() {
    let relay = relay(QUICK);
    let said = send(&relay, "it's", &["--curl"]);
    let Ok(output) =
        std::process::Command::new("sh").args(["-c", &said.out.replace("curl ", "curl -sS ")]).output()
    else {
        return;
    };
    let answer: Said = output.into();
    assert!(answer.code == 127 || answer.out.contains("event: message_stop"), "{answer:?}");
}

#[test]
fn fail_on_turns_the_way_an_answer_ended_into_exit_code_10() {
    let relay = relay(QUICK);
    for (model, how) in [("mock-length", "length"), ("mock-refusal", "refusal")] {
        assert_eq!(send(&relay, model, &["--fail-on", "length,refusal,filter"]).code, 10, "{model} {how}");
        assert_eq!(send(&relay, model, &[]).code, 0, "{model}");
    }
    let said = send(&relay, "mock-filter", &["--api", "chat", "--fail-on", "filter"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert_eq!(send(&relay, "m", &["--fail-on", "length"]).code, 0);
}

#[test]
fn reasoning_stays_out_of_the_answer() {
    let relay = relay(QUICK);
    let hidden = send(&relay, "mock-reasoning", &[]);
    assert_eq!((hidden.code, hidden.err.as_str()), (0, ""));
    assert!(hidden.out.split_whitespace().count() < 6, "{hidden:?}");
    let shown = send(&relay, "mock-reasoning", &["--show-reasoning"]);
    assert!(!shown.err.trim().is_empty());
}

#[test]
fn a_file_takes_its_name_only_when_the_answer_is_whole() {
    let relay = relay(QUICK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.txt");
    let name = path.to_str().unwrap();
    let said = send(&relay, "mock-cut", &["-o", name]);
    assert_eq!(said.code, 9);
    assert!(!path.exists() && folder.path().join("answer.txt.partial").exists());
    assert!(said.err.contains("answer.txt.partial"), "{said:?}");
    assert_eq!(send(&relay, "m", &["-o", name]).code, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap().split_whitespace().count(), 6);
    let missing = folder.path().join("missing/answer.txt");
    let said = send(&relay, "m", &["-o", missing.to_str().unwrap()]);
    assert_eq!(said.code, 12, "{said:?}");
    assert!(said.err.contains("missing/answer.txt"), "{said:?}");
}

#[test]
fn timing_says_where_the_time_went() {
    let relay = relay("ttft=20ms,gap=1ms,tokens=6");
    let said = send(&relay, "m", &["--timing"]);
    for word in ["name look-up", "connect ", "first token", "6 out", "1 attempt", "end_turn"] {
        assert!(said.err.contains(word), "{word}: {said:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_a_quiet_end() {
    use std::io::Read;
    use std::process::Stdio;
    let relay = relay("ttft=0,gap=1ms,tokens=2000");
    let mut command = baton();
    command.args(["send", "--url", &relay.base_url(), "--model", "m", "--max-tokens", "2000", "Hello"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    drop(out);
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_has_its_own_code() {
    let relay = relay(QUICK);
    let mut command = baton();
    command.args(["send", "--url", &relay.base_url(), "--model", "m", "Hello"]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let said: Said = command.output().unwrap().into();
    assert_eq!(said.code, 12, "{said:?}");
    assert!(said.err.contains("No space left"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_what_there_was_and_marks_it() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let relay = relay(QUICK);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = baton();
        command.args(["send", "--url", &relay.base_url(), "--model", "mock-stall", "Hello"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 3];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains("before the end"), "{said:?}");
    }
}

#[test]
fn every_attempt_gets_a_line_where_that_is_asked_for() {
    let relay = relay(QUICK);
    let said = send(&relay, "m", &["-v"]);
    assert!(said.err.starts_with("attempt 1: ok after "), "{said:?}");
    let said = send(&relay, "mock-529", &["-v"]);
    for line in ["attempt 1: overloaded", "attempt 2: overloaded", "attempt 3: overloaded"] {
        assert!(said.err.contains(line), "{said:?}");
    }
}

#[test]
fn the_raw_form_of_an_answer_asked_for_again_holds_one_attempt_only() {
    let relay = relay(QUICK);
    let said = send(&relay, "mock-error-first", &["--format", "raw"]);
    assert_eq!((said.code, said.out.matches("event: error").count()), (9, 1), "{said:?}");
}

#[test]
fn a_request_id_of_the_users_own_is_the_one_that_is_sent_and_named() {
    let relay = relay(QUICK);
    let said = send(&relay, "mock-401", &["-H", "X-Request-ID: mine-1"]);
    assert!(said.err.contains("request id mine-1,"), "{said:?}");
}

#[test]
fn a_token_limit_that_left_nothing_to_say_is_named_and_matched() {
    use std::io::{Read, Write};
    let serve = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let _ = peer.read(&mut vec![0; 65536]);
            let body = r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}],"usage":{"completion_tokens":64}}"#;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            // Blanks before the answer keep the connection alive on its way.
            let _ = peer.write_all(format!("{head}{body}").as_bytes());
        });
        url
    };
    let said = run(&["send", "--url", &serve(), "--api", "chat", "--model", "m", "--no-stream", "Hi"]);
    assert_eq!(said.code, 9, "{said:?}");
    assert!(said.err.contains("it stopped with length") && said.err.contains("--max-tokens"), "{said:?}");
    let arguments = ["send", "--url", &serve(), "--api", "chat", "--model", "m", "--no-stream", "Hi"];
    assert_eq!(run(&[&arguments[..], &["--fail-on", "length"]].concat()).code, 10);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_whole_json_behind() {
    use std::process::{Command, Stdio};
    let relay = relay(QUICK);
    let mut command = baton();
    command.args(["send", "--url", &relay.base_url(), "--model", "mock-stall", "--format", "json", "Hello"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The stall begins after half of the pieces have left.
    while relay.stats().events < 3 {
        std::thread::yield_now();
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, 130, "{said:?}");
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["outcome"], "cancelled", "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_a_command_that_waits_for_its_reader() {
    use std::process::{Command, Stdio};
    let relay = relay("ttft=0,gap=0,tokens=200000,slots=inf");
    let mut command = baton();
    command.args(["send", "--url", &relay.base_url(), "--model", "m", "--max-tokens", "200000", "Hello"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while relay.stats().events < 1000 {
        std::thread::yield_now();
    }
    let ended = loop {
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(ended.code(), Some(143));
}

#[test]
fn a_compressed_answer_is_unpacked() {
    use base64::Engine;
    use std::io::{Read, Write};
    // A whole Messages reply, packed by gzip.
    const PACKED: &str = "H4sIAAAAAAACA1WNMQrDMAxFr2I0d0nHXKUUY2IRQhrJRBIkGN+9lodCJ/He46MKeheEOcCBImlFeATY8hCyxsnx4IyfYZwWJkXSzq/6Gyte6nHczkYlLTtmaO9uRbnEE5MweUTKUe0kH9j4OYcKGxXTqLwjSRdTj2z6556tfQE0vaTQsAAAAA==";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut request = vec![0; 65536];
        let read = peer.read(&mut request).unwrap();
        let body = base64::prelude::BASE64_STANDARD.decode(PACKED).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let _ = peer.write_all(&[head.as_bytes(), &body].concat());
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let said = run(&["send", "--url", &url, "--model", "m", "--no-stream", "Hi"]);
    assert_eq!((said.code, said.out.as_str()), (0, "unpacked\n"), "{said:?}");
    let request = server.join().unwrap();
    assert_eq!(request.matches("accept-encoding: gzip, deflate, br, zstd").count(), 1, "{request}");
    assert_eq!(request.matches("user-agent: baton/").count(), 1, "{request}");
}
