//! What a request asks for, as far as the relay cares, and what is wrong with it.

use bytes::Bytes;
use serde_json::Value;

use crate::mock::failure::Failure;
use crate::wire::Dialect;

/// A request that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// In which form it came.
    pub(crate) dialect: Dialect,
    /// The model's name; `None` in bare and raw requests.
    pub(crate) model: Option<String>,
    /// Whether a stream is asked for.
    pub(crate) stream: bool,
    /// The most tokens to generate.
    pub(crate) limit: Option<u64>,
    /// Tokens of the prompt: a quarter of its characters, rounded up.
    pub(crate) input: u64,
    /// Whether `stream_options` asks for usage; `None` where the request has no `stream_options`.
    pub(crate) stream_usage: Option<bool>,
    /// The body of a raw request.
    pub(crate) echo: Bytes,
}

/// Reads a request's body.
pub(crate) fn read(dialect: Dialect, body: &Bytes) -> Result<Ask, Failure> {
    if dialect == Dialect::Raw {
        return Ok(raw(body));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|problem| Failure::invalid(format!("The request body is not valid JSON: {problem}")))?;
    let model = body["model"].as_str().map(str::to_owned);
    let whole = |name: &'static str| match &body[name] {
        Value::Null => Ok(None),
        value => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| Failure::invalid(format!("{name}: Input should be a valid integer"))),
    };
    let limit = match dialect {
        Dialect::Messages => whole("max_tokens")?,
        Dialect::Chat => whole("max_completion_tokens")?.or(whole("max_tokens")?),
        Dialect::Responses => whole("max_output_tokens")?,
        _ => whole("max_tokens_to_sample")?,
    };
    require(dialect, &body, limit)?;
    Ok(Ask {
        dialect,
        model,
        stream: body["stream"].as_bool().unwrap_or(false),
        limit,
        input: input_tokens(&body),
        stream_usage: body
            .get("stream_options")
            .filter(|options| !options.is_null())
            .map(|options| options["include_usage"].as_bool().unwrap_or(false)),
        echo: Bytes::new(),
    })
}

/// A raw request asks for its own bytes, paced.
fn raw(body: &Bytes) -> Ask {
    Ask {
        dialect: Dialect::Raw,
        model: None,
        stream: true,
        limit: Some(body.len() as u64),
        input: 0,
        stream_usage: None,
        echo: body.clone(),
    }
}

/// Holds the fields against those that the vendor requires.
fn require(dialect: Dialect, body: &Value, limit: Option<u64>) -> Result<(), Failure> {
    let need = |name, is_there: bool| if is_there { Ok(()) } else { Err(Failure::field(dialect, name)) };
    let filled = |name: &str| body[name].as_array().is_some_and(|items| !items.is_empty());
    let has_model = body["model"].as_str().is_some_and(|model| !model.is_empty());
    match dialect {
        Dialect::Messages => {
            need("model", has_model)?;
            need("max_tokens", limit.is_some())?;
            need("messages", filled("messages"))
        }
        Dialect::Chat => {
            need("model", has_model)?;
            need("messages", filled("messages"))
        }
        Dialect::Responses => {
            need("model", has_model)?;
            need("input", body["input"].is_string() || filled("input"))
        }
        // Without a model it is the bare form, whose only field is the prompt.
        Dialect::Complete => {
            need("prompt", body["prompt"].is_string())?;
            need("max_tokens_to_sample", limit.is_some() || !has_model)
        }
        Dialect::Raw => Ok(()),
    }
}

/// Tokens of everything that a model would read.
pub(crate) fn input_tokens(body: &Value) -> u64 {
    let parts = ["system", "instructions", "messages", "input", "prompt"];
    parts.iter().map(|part| characters(&body[*part])).sum::<u64>().div_ceil(4)
}

/// The characters of all text below a value.
fn characters(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.chars().count() as u64,
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(fields) => {
            let texts = ["content", "text", "input", "output", "arguments"];
            texts.iter().filter_map(|name| fields.get(*name)).map(characters).sum()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(dialect: Dialect, body: &'static str) -> String {
        let failure = read(dialect, &Bytes::from_static(body.as_bytes())).unwrap_err();
        assert_eq!(failure.status, 400);
        String::from_utf8(failure.body(dialect, "req_1").to_vec()).unwrap()
    }

    #[test]
    fn a_request_is_read_in_each_dialect() {
        let body = br#"{"model":"m","max_tokens":9,"stream":true,"system":"abcd","messages":
            [{"role":"user","content":"\u00e9\u00e9\u00e9\u00e9"},{"role":"user","content":[{"type":"text","text":"x"}]}]}"#;
        let ask = read(Dialect::Messages, &Bytes::from_static(body)).unwrap();
        assert_eq!((ask.model.as_deref(), ask.stream, ask.limit, ask.input), (Some("m"), true, Some(9), 3));
        let body = br#"{"model":"m","messages":[{}],"stream_options":{"include_usage":true}}"#;
        let ask = read(Dialect::Chat, &Bytes::from_static(body)).unwrap();
        assert_eq!((ask.stream, ask.limit, ask.stream_usage), (false, None, Some(true)));
        let body = br#"{"model":"m","input":"hello","max_output_tokens":3}"#;
        assert_eq!(read(Dialect::Responses, &Bytes::from_static(body)).unwrap().input, 2);
        let ask = read(Dialect::Complete, &Bytes::from_static(br#"{"prompt":"hi"}"#)).unwrap();
        assert_eq!((ask.model, ask.limit, ask.input), (None, None, 1));
    }

    #[test]
    fn what_is_missing_is_named_in_the_vendors_words() {
        assert_eq!(
            problem(Dialect::Messages, r#"{"model":"m","messages":[{}]}"#),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"},"request_id":"req_1"}"#
        );
        assert_eq!(
            problem(Dialect::Chat, r#"{"model":"m"}"#),
            r#"{"error":{"message":"Missing required parameter: 'messages'.","type":"invalid_request_error","param":"messages","code":"missing_required_parameter"}}"#
        );
        assert!(problem(Dialect::Responses, r#"{"input":"x"}"#).contains("'model'"));
        assert!(problem(Dialect::Complete, r#"{"model":"m","prompt":"x"}"#).contains("max_tokens_to_sample"));
        assert!(problem(Dialect::Chat, "{").contains("not valid JSON"));
        assert!(
            problem(Dialect::Chat, r#"{"model":"m","messages":[{}],"max_tokens":-1}"#).contains("max_tokens")
        );
    }
}
