//! Every shape of error that vendors and relays are known to send.

use super::*;

fn read(body: &str) -> ApiError {
    decode_error(400, body.as_bytes())
}

/// An error as its type, code, message and request id, `-` where one is absent.
fn told(body: &str) -> [String; 4] {
    let error = read(body);
    let or_dash = |field: Option<String>| field.unwrap_or_else(|| "-".to_owned());
    [or_dash(error.kind), or_dash(error.code), error.message, or_dash(error.request_id)]
}

#[test]
fn anthropic_wraps_a_typed_error_and_adds_the_request_id() {
    assert_eq!(
        told(
            r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011"}"#
        ),
        ["overloaded_error", "-", "Overloaded", "req_011"]
    );
    assert_eq!(
        told(
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Cap.","details":{"error_code":"enforced_spend_limit_reached"}}}"#
        ),
        ["rate_limit_error", "enforced_spend_limit_reached", "Cap.", "-"]
    );
}

#[test]
fn openai_codes_are_words_numbers_or_null() {
    assert_eq!(
        told(
            r#"{"error":{"message":"Slow down.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#
        ),
        ["requests", "rate_limit_exceeded", "Slow down.", "-"]
    );
    assert_eq!(
        told(r#"{"error":{"message":"No.","type":"invalid_request_error","param":"x","code":null}}"#),
        ["invalid_request_error", "-", "No.", "-"]
    );
    assert_eq!(told(r#"{"error":{"message":"No.","type":null,"code":429}}"#), ["-", "429", "No.", "-"]);
    assert_eq!(
        told(r#"{"error":{"message":"No.","type":"None","code":"429"}}"#),
        ["None", "429", "No.", "-"]
    );
}

#[test]
fn flat_shapes_are_read() {
    assert_eq!(told(r#"{"error":"no route"}"#), ["-", "-", "no route", "-"]);
    assert_eq!(told(r#"{"message":"no route"}"#), ["-", "-", "no route", "-"]);
    assert_eq!(
        told(r#"{"error":"Missing API key","message":"Send one in x-api-key"}"#),
        ["-", "-", "Missing API key: Send one in x-api-key", "-"]
    );
    assert_eq!(
        told(r#"{"statusCode":400,"code":"FST_ERR","error":"Bad Request","message":"Bad Request: size"}"#),
        ["-", "FST_ERR", "Bad Request: size", "-"]
    );
    assert_eq!(
        told(
            r#"{"object":"error","message":"The model does not exist.","type":"NotFoundError","param":null,"code":404}"#
        ),
        ["NotFoundError", "404", "The model does not exist.", "-"]
    );
    assert_eq!(
        told(r#"{"status":"failure","message":"Something went wrong"}"#),
        ["-", "-", "Something went wrong", "-"]
    );
    assert_eq!(
        told(r#"{"type":"error","code":"server_error","message":"Broken","param":null,"sequence_number":3}"#),
        ["-", "server_error", "Broken", "-"]
    );
}

#[test]
fn details_are_a_text_an_object_or_a_list_of_misplaced_fields() {
    assert_eq!(told(r#"{"detail":"Not Found"}"#), ["-", "-", "Not Found", "-"]);
    assert_eq!(told(r#"{"detail":{"error":"Bad key"}}"#), ["-", "-", "Bad key", "-"]);
    assert_eq!(
        told(
            r#"{"detail":[{"loc":["body","messages",0],"msg":"Field required","type":"missing"},{"loc":["body","model"],"msg":"too short","type":"x"}]}"#
        ),
        ["-", "-", "body.messages.0: Field required; body.model: too short", "-"]
    );
}

#[test]
fn lists_of_errors_give_their_first() {
    assert_eq!(
        told(r#"{"errors":[{"code":10000,"message":"Bad token"},{"message":"b"}]}"#),
        ["-", "10000", "Bad token", "-"]
    );
    assert_eq!(told(r#"{"errors":["plain"]}"#), ["-", "-", "plain", "-"]);
    assert_eq!(
        told(r#"[{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED"}}]"#),
        ["RESOURCE_EXHAUSTED", "429", "Quota.", "-"]
    );
}

#[test]
fn relays_shapes_are_read() {
    assert_eq!(
        told(
            r#"{"error":{"message":"openai error: Bad","type":"x","param":null,"code":null},"provider":"openai"}"#
        ),
        ["x", "-", "openai error: Bad", "-"]
    );
    assert_eq!(
        told(r#"{"html-message":"<html><head><title>502 Bad Gateway</title></head></html>"}"#),
        ["-", "-", "502 Bad Gateway", "-"]
    );
    assert_eq!(
        told(r#"{"error":{"message":"令牌无效 (request id: 2025010112)","type":"one_api_error"}}"#),
        ["one_api_error", "-", "令牌无效", "2025010112"]
    );
    assert_eq!(
        told(
            r#"{"error":{"type":"insufficient_quota","code":"daily_cost_limit_exceeded"},"currentCost":5,"costLimit":5}"#
        ),
        [
            "insufficient_quota",
            "daily_cost_limit_exceeded",
            "insufficient_quota: daily_cost_limit_exceeded",
            "-"
        ]
    );
    assert_eq!(
        told(
            r#"{"is_bifrost_error":false,"status_code":401,"error":{"type":"auth","code":"invalid_api_key","message":"Bad key","error":{}},"extra_fields":{}}"#
        ),
        ["auth", "invalid_api_key", "Bad key", "-"]
    );
    assert_eq!(
        told(r#"{"type":"error","message":{"type":"api_error","message":"upstream broke"}}"#),
        ["api_error", "-", "upstream broke", "-"]
    );
    assert_eq!(
        told(r#"{"error":"invalid_grant","error_description":"Token expired"}"#),
        ["-", "-", "invalid_grant: Token expired", "-"]
    );
}

#[test]
fn a_failed_answer_of_the_responses_dialect_carries_its_error_inside() {
    assert_eq!(
        told(
            r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"Broken"}}}"#
        ),
        ["-", "server_error", "Broken", "-"]
    );
}

#[test]
fn an_error_that_came_as_a_stream_is_read_too() {
    assert_eq!(
        told(
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Broken\"}}\n\n"
        ),
        ["api_error", "-", "Broken", "-"]
    );
}

#[test]
fn bodies_that_are_no_json_give_their_first_line() {
    assert_eq!(read("Invalid API key").message, "Invalid API key");
    assert_eq!(read("\n\n  upstream connect error\nreset").message, "upstream connect error");
    assert_eq!(read("{\"error\": {\"mess").message, "{\"error\": {\"mess");
    assert_eq!(
        read("<html><TITLE lang=en>\n 504 Gateway\n Time-out</TITLE></html>").message,
        "504 Gateway Time-out"
    );
    assert_eq!(read("<!DOCTYPE html><html><body>oops</body></html>").message, "an HTML page");
    assert_eq!(read("").message, "empty body");
    assert_eq!(read(" \r\n").message, "empty body");
}

#[test]
fn json_without_words_gives_its_first_line() {
    for body in
        ["{}", "{\"error\":null}", "[]", "42", "{\"error\":{\"message\":\"\"}}", "{\"error\":{\"code\":400}}"]
    {
        assert_eq!(read(body).message, body);
    }
    assert_eq!(decode_error(500, b"{\"error\":{\"code\":400}}").message, "400");
}

#[test]
fn a_message_is_bounded_and_cannot_drive_a_terminal() {
    let long = format!(r#"{{"error":{{"message":"\u001b[2J{}","code":"a\u0007b"}}}}"#, "ä".repeat(9000));
    let error = read(&long);
    assert_eq!(error.message.chars().count(), 500);
    assert!(error.message.starts_with(r"\u{1b}[2Jää") && error.message.ends_with('…'));
    assert_eq!(error.code.as_deref(), Some(r"a\u{7}b"));
}

#[test]
fn any_wrapping_however_deep_is_survived() {
    let deep = format!("{}1{}", r#"{"error":"#.repeat(100), "}".repeat(100));
    assert!(!read(&deep).message.is_empty());
    let deeper = "[".repeat(100_000);
    assert!(!read(&deeper).message.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_body_makes_an_empty_or_dangerous_message(status in 0u16..600, body in ".{0,80}|[{}\\[\\]\":a-z,]{0,40}") {
        let error = decode_error(status, body.as_bytes());
        proptest::prop_assert!(!error.message.is_empty());
        proptest::prop_assert!(!error.message.chars().any(char::is_control));
    }
}

#[test]
fn money_that_ran_out_is_told_from_haste() {
    let with = |kind: &str, code: &str| {
        read(&format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"m"}}}}"#))
    };
    for code in [
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "daily_cost_limit_exceeded",
        "insufficient_user_quota",
        "insufficient_quota",
    ] {
        assert!(with("x", code).is_quota(), "{code}");
    }
    assert!(with("insufficient_quota", "x").is_quota() && with("billing_error", "").is_quota());
    let spend = read(
        r#"{"error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
    );
    assert!(spend.is_quota() && !spend.is_rate_limit());
    let own = read(
        r#"{"error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
    );
    assert!(own.is_quota());
    for error in
        [with("rate_limit_error", ""), with("requests", "rate_limit_exceeded"), with("x", "slow_down")]
    {
        assert!(error.is_rate_limit() && !error.is_quota() && !error.is_overloaded(), "{error:?}");
    }
    assert!(with("overloaded_error", "").is_overloaded() && !with("overloaded_error", "").is_rate_limit());
    assert!(!with("overloaded_error", "slow_down").is_overloaded());
}

#[test]
fn a_refusal_of_stream_options_is_recognised() {
    assert!(
        read(r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#)
            .rejects_stream_options()
    );
    assert!(
        read(r#"{"detail":[{"loc":["body","stream_options","include_usage"],"msg":"Extra inputs"}]}"#)
            .rejects_stream_options()
    );
    assert!(
        !read(r#"{"error":{"message":"Unrecognized request argument: stream"}}"#).rejects_stream_options()
    );
}
