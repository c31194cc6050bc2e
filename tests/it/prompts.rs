//! What `bench` sends: files in every form of `batch`, mixes, made-up prompts, marks and conversations.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::baton::{Said, relay, run};
use crate::front;

/// The bodies that `bench` sends to a relay, the one before the load left out, and what it says.
fn sent(arguments: &[&str]) -> (Vec<Value>, Said) {
    let relay = relay("ttft=0,gap=0,tokens=2,slots=inf");
    let tap = front::tap(&relay);
    let url = format!("http://127.0.0.1:{}", tap.port);
    let mut all = vec!["bench", "-u", &url, "--warmup", "0", "--workers", "1", "--format", "json"];
    all.extend(arguments);
    let said = run(&all);
    let wire = tap.notes().into_iter().filter(|note| note != front::CONNECTED).collect::<String>();
    let body = |request: &str| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let bodies: Vec<Value> = wire.split("POST ").skip(1).map(body).collect();
    (bodies.into_iter().skip(1).collect(), said)
}

/// What the last turn of each body says.
fn words(bodies: &[Value]) -> Vec<&str> {
    let last = |body: &'_ Value| body["messages"].as_array().unwrap().len() - 1;
    bodies.iter().map(|body| body["messages"][last(body)]["content"].as_str().unwrap()).collect()
}

fn plan(said: &Said) -> Value {
    let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    document["plan"]["prompts"].clone()
}

/// A file in a folder, and its path.
fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const ROWS: &str = r#""one"
{"prompt": "two", "max_tokens": 7, "model": "other"}
{"custom_id": "c", "params": {"messages": [{"role": "user", "content": "three"}]}}
{"messages": [{"role": "user", "content": "four"}]}
"#;

#[test]
fn a_file_is_sent_in_its_order_over_and_over_whatever_its_rows_are_written_in() {
    let folder = tempfile::tempdir().unwrap();
    let rows = file(&folder, "rows.jsonl", ROWS);
    let (bodies, said) = sent(&["-m", "m", "-c", "1", "-n", "6", "--prompts", &rows]);
    assert_eq!(words(&bodies), ["one", "two", "three", "four", "one", "two"], "{said:?}");
    let fields: Vec<_> = bodies.iter().map(|body| (&body["model"], &body["max_tokens"])).collect();
    assert_eq!(fields[0], (&json!("m"), &json!(64)));
    assert_eq!(fields[1], (&json!("other"), &json!(7)));
    assert_eq!(fields[2], (&json!("m"), &json!(64)));
    let plan = plan(&said);
    assert_eq!((&plan["source"], &plan["sets"][0]["prompts"]), (&json!("file"), &json!(4)));
    assert_eq!((&plan["shuffled"], &plan["seed"]), (&json!(false), &Value::Null));
}

#[test]
fn a_row_that_is_none_is_refused_with_its_place_and_one_of_another_dialect_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |rows: &str| {
        let (bodies, said) = sent(&["-m", "m", "--prompts", &file(&folder, "rows.jsonl", rows)]);
        assert_eq!((bodies.len(), said.code), (0, 2), "{said:?}");
        said.err
    };
    assert!(refused("\"one\"\n\n{\"promt\":1}").contains("rows.jsonl line 3: no form of row"));
    let openai = r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}"#;
    assert!(refused(openai).contains("hint: add --api chat"));
    assert!(refused("\n").contains("has no row"));
}

#[test]
fn a_mix_sends_each_model_its_share_and_the_plan_says_so() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "rows.txt", "one\ntwo\n");
    let mix = file(
        &folder,
        "mix.jsonl",
        r#"{"weight": 3, "model": "small", "prompts": "rows.txt"}
           {"weight": 1, "model": "large", "synthetic": "in=50,out=9"}"#,
    );
    let (bodies, said) = sent(&["-c", "1", "-n", "40", "--mix", &mix, "--text"]);
    let of = |model: &str| bodies.iter().filter(|body| body["model"] == model).count();
    assert_eq!((of("small"), of("large")), (30, 10), "{said:?}");
    assert!(bodies.iter().filter(|body| body["model"] == "large").all(|body| body["max_tokens"] == 9));
    let ones = words(&bodies).iter().filter(|words| **words == "one").count();
    assert_eq!(ones, 15);
    let sets = plan(&said)["sets"].clone();
    assert_eq!(sets[0]["model"], "small");
    assert_eq!((&sets[0]["weight"], &sets[0]["prompts"]), (&json!(3), &json!(2)));
    assert_eq!((&sets[1]["synthetic"], &sets[1]["prompts"]), (&json!("in=50,out=9"), &json!(1_000)));
}

#[test]
fn the_seed_decides_made_up_prompts_and_their_order() {
    let of = |seed: &str| {
        let (bodies, said) =
            sent(&["-m", "m", "-c", "1", "-n", "5", "--synthetic", "in=exp:30,out=4", "--seed", seed]);
        (words(&bodies).into_iter().map(str::to_owned).collect::<Vec<_>>(), plan(&said))
    };
    let (one, again, other) = (of("1"), of("1"), of("2"));
    assert_eq!(one, again);
    assert!(one.0 != other.0 && one.1["sets"][0]["sha256"] != other.1["sets"][0]["sha256"], "{one:?}");
    assert_eq!(one.1["seed"], 1);
}

#[test]
fn a_unique_request_has_a_mark_of_its_own_that_a_seed_repeats() {
    let marks = |more: &[&str]| {
        let given = ["-m", "m", "-c", "2", "-n", "20", "--unique", "-s", "Be brief", "Hello"];
        let (bodies, said) = sent(&[&given[..], more].concat());
        assert_eq!((said.code, &plan(&said)["unique"]), (0, &json!(true)), "{said:?}");
        assert_eq!(words(&bodies), ["Hello"; 20]);
        let mut marks: Vec<_> =
            bodies.iter().map(|body| body["system"].as_str().unwrap().to_owned()).collect();
        assert!(marks.iter().all(|mark| mark.starts_with("[request ") && mark.ends_with("] Be brief")));
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 20);
        marks
    };
    assert_ne!(marks(&[]), marks(&[]));
    assert_eq!(marks(&["--seed", "5"]), marks(&["--seed", "5"]));
}

#[test]
fn shards_send_the_very_prompts_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let rows = file(&folder, "rows.txt", &["0", "1", "2", "3", "4", "5", "6"].join("\n"));
    let prompts = ["--prompts", &rows, "--text", "--shuffle", "--unique", "--seed", "9", "-m", "m"];
    for load in [&["-r", "400/s", "-n", "40"][..], &["-c", "5", "-n", "40"]] {
        let of = |shard: &[&str]| {
            let (bodies, said) = sent(&[&prompts[..], load, shard].concat());
            assert_eq!(said.code, 0, "{said:?}");
            bodies.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut whole = of(&[]);
        let mut parts = [of(&["--shard", "1/3"]), of(&["--shard", "2/3"]), of(&["--shard", "3/3"])].concat();
        whole.sort_unstable();
        parts.sort_unstable();
        assert_eq!(whole, parts, "{load:?}");
    }
    let (_, said) = sent(&["-m", "m", "-c", "5", "-n", "40", "--unique", "--shard", "1/3", "Hi"]);
    assert!(said.code == 2 && said.err.contains("needs --seed"), "{said:?}");
}

#[test]
fn a_conversation_repeats_its_turns_and_the_answers_to_them() {
    let (bodies, said) = sent(&["-m", "m", "-c", "1", "-n", "7", "--turns", "3", "Hello"]);
    let lengths: Vec<_> = bodies.iter().map(|body| body["messages"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [1, 3, 5, 1, 3, 5, 1], "{said:?}");
    let roles: Vec<_> =
        bodies[2]["messages"].as_array().unwrap().iter().map(|turn| turn["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert!(bodies[2]["messages"][1]["content"].as_str().is_some_and(|answer| answer.len() > 2));
    assert_eq!(plan(&said)["turns"], 3);
    let (_, said) = sent(&["-m", "m", "-r", "10/s", "--turns", "3", "Hello"]);
    assert!(said.code == 2 && said.err.contains("open loop"), "{said:?}");
}
