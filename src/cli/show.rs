//! How `send` shows a request, an event and an exchange: as HTTP, as curl, as JSON, as a line of times.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::cache::Form;
use crate::client::{Attempt, Exchange};
use crate::net::{Credential, HeaderName, HeaderValue, Request, is_secret_header, shown_url};
use crate::outcome::TokenTimes;
use crate::units::{MASK, Money, Span, grouped};
use crate::wire::{Delta, Event, Usage};

use super::compress::saved;

/// The request as it would leave, secrets masked; a compressed body is shown as it was before.
pub(super) fn as_http(request: &Request, body: &[u8]) -> String {
    let address = shown_url(&request.url);
    let path = address.splitn(4, '/').nth(3).unwrap_or_default();
    let mut text = format!("{} /{path} HTTP/1.1\nhost: {}\n", request.method.name(), authority(request));
    for (name, value) in request.headers.iter() {
        let _ = writeln!(text, "{name}: {}", shown(name, value));
    }
    let _ = writeln!(text, "content-length: {}\n\n{}", request.body.len(), String::from_utf8_lossy(body));
    text
}

fn authority(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or_default();
    request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A header's value, masked but for the scheme that a person needs to see.
fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if !value.is_sensitive() && !is_secret_header(name) {
        return text.into_owned();
    }
    match text.split_once(' ') {
        Some((scheme @ ("Bearer" | "Basic"), _)) => format!("{scheme} {MASK}"),
        _ => MASK.to_owned(),
    }
}

/// A request to be shown as a curl command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curl<'a> {
    pub(super) request: &'a Request,
    /// The body before it was compressed.
    pub(super) body: &'a [u8],
    pub(super) credential: Option<&'a Credential>,
    /// The flags of the connection.
    pub(super) flags: &'a [String],
}

/// The request as a curl command that a shell can run; a key from the environment is named, any other is masked.
pub(super) fn as_curl(curl: Curl<'_>) -> String {
    let Curl { request, body, credential, flags } = curl;
    let coding =
        request.headers.get(&HeaderName::from_static("content-encoding")).filter(|_| request.body != body);
    let coding = coding.and_then(|coding| coding.to_str().ok());
    let body = quote(&String::from_utf8_lossy(body));
    // The programs that pack are called as their codings are.
    let mut text = coding.map(|coding| format!("printf %s {body} | {coding} -c | ")).unwrap_or_default();
    let _ = write!(text, "curl --no-buffer {}", quote(&shown_url(&request.url)));
    for flag in flags {
        let joint = if flag.starts_with("--") { " \\\n  " } else { " " };
        let _ = write!(text, "{joint}{}", if flag.starts_with("--") { flag.clone() } else { quote(flag) });
    }
    for (name, value) in request.headers.iter() {
        let variable = credential
            .filter(|credential| credential.header() == name && is_variable(credential.source()))
            .map(Credential::source);
        let _ = match variable {
            Some(variable) => {
                let variable = match variable.strip_prefix(KEY_FILE) {
                    Some(path) => format!("$(cat {})", quote(path)),
                    None => format!("${variable}"),
                };
                let value = shown(name, value).replace(MASK, &variable);
                write!(text, " \\\n  --header \"{name}: {value}\"")
            }
            None => write!(text, " \\\n  --header {}", quote(&format!("{name}: {}", shown(name, value)))),
        };
    }
    let _ = match coding {
        Some(_) => writeln!(text, " \\\n  --data-binary @-"),
        None => writeln!(text, " \\\n  --data-raw {body}"),
    };
    text
}

/// How a credential's source begins where it is a file.
const KEY_FILE: &str = "--key-file ";

/// Whether a shell can be told where a credential comes from without being told the credential.
fn is_variable(source: &str) -> bool {
    source.starts_with(KEY_FILE) || source.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A word that no shell takes apart.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What an event is called in a line of JSON.
pub(super) fn event_name(event: &Event<'_>) -> &'static str {
    match event {
        Event::Model(_) => "model",
        Event::Id(_) => "id",
        Event::Delta(Delta::Text(_)) => "text",
        Event::Delta(Delta::Reasoning(_)) => "reasoning",
        Event::Delta(Delta::ToolArguments(_)) => "tool_arguments",
        Event::Delta(Delta::Bytes(_)) => "bytes",
        Event::Usage(_) => "usage",
        Event::Stop(_) => "stop",
        Event::Error(_) => "error",
        Event::Ping => "ping",
        Event::Terminal => "terminal",
    }
}

/// One event as a line of JSON.
pub(super) fn as_event_line(attempt: u32, at: Duration, event: &Event<'_>) -> String {
    let fields = match event {
        Event::Model(name) => json!({"model": name}),
        Event::Id(id) => json!({"id": id}),
        Event::Delta(Delta::Text(text) | Delta::Reasoning(text) | Delta::ToolArguments(text)) => {
            json!({"text": text})
        }
        Event::Delta(Delta::Bytes(bytes)) => json!({"text": String::from_utf8_lossy(bytes)}),
        Event::Usage(usage) => json!({"usage": usage_fields(usage, false)}),
        Event::Stop(stop) => json!({"stop": stop.kind.name(), "reason": stop.word}),
        Event::Error(error) => {
            json!({"type": error.kind, "code": error.code, "message": error.message})
        }
        Event::Ping | Event::Terminal => Value::Null,
    };
    let mut line = Map::new();
    line.insert("t_ms".to_owned(), ms(Some(at)));
    line.insert("attempt".to_owned(), attempt.into());
    line.insert("event".to_owned(), event_name(event).into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    format!("{}\n", Value::Object(line))
}

/// What the user is told of an exchange that is not of its own knowing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    /// What it cost, where prices are configured.
    pub(super) cost: Option<Money>,
    /// How long tokens have taken in this process so far.
    pub(super) tokens: TokenTimes,
}

/// The whole exchange as one JSON object.
pub(super) fn as_json(exchange: &Exchange, text: &str, account: Account) -> String {
    let mut object = Map::from_iter([("text".to_owned(), text.into())]);
    object.extend(exchange_fields(exchange, account));
    object.insert("cache".to_owned(), exchange.cache.map(Form::name).into());
    object.insert("cached".to_owned(), exchange.cache.map(|_| exchange.cached).into());
    format!("{:#}\n", Value::Object(object))
}

/// What an exchange says of itself beside its text.
pub(super) fn exchange_fields(exchange: &Exchange, account: Account) -> Map<String, Value> {
    let marks = &exchange.marks;
    let mut usage = exchange.usage;
    usage.output = exchange.tokens.output;
    let object = json!({
        "stop": exchange.stop.as_ref().map(|stop| stop.kind.name()),
        "stop_reason": exchange.stop.as_ref().map(|stop| &stop.word),
        "model": exchange.model,
        "usage": usage_fields(&usage, exchange.tokens.estimated),
        "cost_usd": account.cost.map(Money::dollars),
        "timing_ms": {
            "dns": ms(marks.dns),
            "connect": ms(marks.connect),
            "tls": ms(marks.tls),
            "send": ms(marks.send),
            "headers": ms(marks.headers),
            "first_event": ms(marks.first_event),
            "first_token": ms(marks.first_delta),
            "last_token": ms(marks.last_delta),
            "end": ms(marks.end),
            "total": ms(exchange.attempts.last().map(|attempt| attempt.ended)),
            "limited": ms(Some(exchange.limited())),
            "token": ms((account.tokens.asked() > 0).then_some(account.tokens.total)),
        },
        "request_id": exchange.ids.request,
        "relay_request_id": exchange.ids.relay,
        "body_bytes": { "plain": exchange.body().plain, "sent": exchange.body().sent },
        "endpoint": shown_url(&exchange.url),
        "attempts": exchange.attempts.iter().map(attempt_fields).collect::<Vec<_>>(),
        "outcome": exchange.class.name(),
    });
    if let Value::Object(fields) = object { fields } else { Map::new() }
}

/// One attempt as a line for `-v`, with what follows it.
pub(super) fn attempt_line(attempt: &Attempt, then: Option<&str>) -> String {
    let Attempt { number, class, ended, message, .. } = attempt;
    let mut line = format!("attempt {number}: {} after {}", class.name(), Span(*ended));
    if let Some(endpoint) = &attempt.endpoint {
        let _ = write!(line, " at {endpoint}");
    }
    if let Some(id) = &attempt.relay_request_id {
        let _ = write!(line, " ({id})");
    }
    if !message.is_empty() {
        let _ = write!(line, ": {message}");
    }
    if let Some(then) = then {
        let _ = write!(line, "; {then}");
    }
    line
}

/// One attempt, for the JSON of an exchange.
fn attempt_fields(attempt: &Attempt) -> Value {
    let mut fields = json!({
        "number": attempt.number,
        "outcome": attempt.class.name(),
        "status": attempt.status,
        "ended_ms": ms(Some(attempt.ended)),
        "waited_ms": ms(Some(attempt.waited)),
        "limited_ms": ms(Some(attempt.limited)),
        "maybe_billed": attempt.maybe_billed,
        "body_bytes": { "plain": attempt.body.plain, "sent": attempt.body.sent },
        "relay_request_id": attempt.relay_request_id,
        "message": Some(&attempt.message).filter(|message| !message.is_empty()),
    });
    if let Some(endpoint) = &attempt.endpoint {
        fields["endpoint"] = endpoint.as_str().into();
    }
    fields
}

fn usage_fields(usage: &Usage, estimated: bool) -> Value {
    json!({
        "input": usage.input,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "estimated": estimated,
    })
}

/// Milliseconds to the microsecond, or null.
pub(super) fn ms(time: Option<Duration>) -> Value {
    time.map_or(Value::Null, |time| {
        let micros = u32::try_from(time.as_micros()).map_or(time.as_secs_f64() * 1e6, f64::from);
        json!(micros.round() / 1000.0)
    })
}

/// The breakdown of `--timing`: a line of headings, a line of times, a line of counts.
pub(super) fn timing(exchange: &Exchange, account: Account) -> String {
    let marks = &exchange.marks;
    // The library reports both together.
    let connect = if exchange.url.scheme() == "https" { "connect+TLS" } else { "connect" };
    let columns = [
        ("name look-up", marks.dns),
        (connect, marks.connect),
        ("headers", marks.headers),
        ("first event", marks.first_event),
        ("first token", marks.first_delta),
        ("last token", marks.last_delta),
        ("end", marks.end),
    ];
    let (mut headings, mut times) = (String::new(), String::new());
    for (heading, time) in columns {
        let time = time.map_or_else(|| "–".to_owned(), |time| Span(time).to_string());
        let width = heading.chars().count().max(time.chars().count()) + 2;
        let _ = write!(headings, "{heading:>width$}");
        let _ = write!(times, "{time:>width$}");
    }
    // The first column needs no distance from the one before it, and the whole then fits 80 columns.
    format!("{}\n{}\n{}", &headings[2..], &times[2..], counts(exchange, account))
}

fn counts(exchange: &Exchange, account: Account) -> String {
    let tokens = &exchange.tokens;
    let mut parts = Vec::new();
    if let Some(input) = tokens.input {
        parts.push(format!("{} in", grouped(input)));
    }
    if let Some(output) = tokens.output {
        let mark = if tokens.estimated { "~" } else { "" };
        let cached = exchange.usage.cache_read.map(|cached| format!(" ({} cached)", grouped(cached)));
        parts.push(format!("{mark}{} out{}", grouped(output), cached.unwrap_or_default()));
        if let (Some(first), Some(last)) = (exchange.marks.first_delta, exchange.marks.last_delta)
            && output > 1
            && last > first
        {
            #[expect(clippy::cast_precision_loss, reason = "a rate of tokens is shown to three digits")]
            let rate = (output - 1) as f64 / last.saturating_sub(first).as_secs_f64();
            parts.push(format!("{mark}{rate:.0} tok/s"));
        }
    }
    let attempts = exchange.attempts.len();
    parts.push(match exchange.cache.filter(|_| exchange.cached) {
        Some(form) => format!("from the cache ({})", form.name()),
        None => format!("{attempts} attempt{}", if attempts == 1 { "" } else { "s" }),
    });
    if !exchange.limited().is_zero() {
        parts.push(format!("{} held back by the limits", Span(exchange.limited())));
    }
    if account.tokens.asked() > 0 {
        parts.push(format!("{} for an access token before", Span(account.tokens.total)));
    }
    parts.extend(saved(exchange.body()));
    parts.extend(account.cost.map(|cost| cost.to_string()));
    if let Some(stop) = &exchange.stop {
        parts.push(stop.word.to_string());
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Journey, Method, Origin, RequestHeaders, Url};

    fn request() -> (Request, Credential) {
        let url = Url::parse("https://relay.example/v1/messages").unwrap();
        let mut headers = RequestHeaders::default();
        headers.insert(HeaderName::from_static("x-tenant"), "it's".parse().unwrap());
        headers.insert(HeaderName::from_static("x-other-token"), "planted".parse().unwrap());
        let value = "Bearer planted".parse().unwrap();
        let name = HeaderName::from_static("authorization");
        let credential = Credential::new(name, value, Origin::of(&url), "ANTHROPIC_AUTH_TOKEN");
        credential.apply(&url, &mut headers);
        let (body, journey) = ("{\"a\":\"it's\"}".into(), Journey::default());
        (Request { method: Method::Post, url: url.into(), headers, body, journey }, credential)
    }

    #[test]
    fn a_shown_request_has_everything_but_its_secrets() {
        let (request, _) = request();
        let text = as_http(&request, &request.body);
        assert!(text.starts_with("POST /v1/messages HTTP/1.1\nhost: relay.example\n"), "{text}");
        assert!(
            text.contains("authorization: Bearer ***\n") && text.contains("x-other-token: ***\n"),
            "{text}"
        );
        assert!(text.ends_with("content-length: 12\n\n{\"a\":\"it's\"}\n"), "{text}");
        assert!(!text.contains("planted"));
    }

    #[test]
    fn a_curl_command_names_the_variable_in_place_of_its_value() {
        let (request, credential) = request();
        let flags = ["--insecure".to_owned()];
        let curl =
            Curl { request: &request, body: &request.body, credential: Some(&credential), flags: &flags };
        let text = as_curl(curl);
        assert!(text.contains("--header \"authorization: Bearer $ANTHROPIC_AUTH_TOKEN\""), "{text}");
        assert!(text.contains(r"--header 'x-tenant: it'\''s'"), "{text}");
        assert!(!text.contains("planted"));
        let mut packed = request.clone();
        packed.headers.insert(HeaderName::from_static("content-encoding"), "gzip".parse().unwrap());
        packed.body = "packed".into();
        let text = as_curl(Curl { request: &packed, ..curl });
        assert!(text.starts_with(r#"printf %s '{"a":"it'\''s"}' | gzip -c | curl "#), "{text}");
        assert!(text.ends_with("--data-binary @-\n") && !text.contains("--data-raw"), "{text}");
    }
}
