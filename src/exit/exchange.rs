//! The story of a request that failed: its headline, its causes and the next step.

use serde_json::{Value, json};

use crate::client::{Decision, Exchange, Trouble, Why};
use crate::net;
use crate::net::TlsFault;
use crate::outcome::Class;
use crate::units::Span;
use crate::wire::StopKind;

use super::{Story, code_of_class};

/// The headline of a failed request.
fn headline(class: Class) -> &'static str {
    match class {
        Class::Auth => "the relay refused the credentials",
        Class::Http4xx => "the relay rejected the request",
        Class::Http3xx => "the relay redirected the request, and redirects are not followed",
        Class::Http5xx => "the relay failed",
        Class::Overloaded => "the relay is overloaded",
        Class::RateLimited => "the relay limits the rate of requests",
        Class::Quota => "a quota or spending cap is used up",
        Class::TimeoutConnect => "no connection to the relay in time",
        Class::TimeoutFirstByte
        | Class::TimeoutFirstToken
        | Class::TimeoutIdle
        | Class::TimeoutStall
        | Class::TimeoutTotal => "the relay did not answer in time",
        Class::Empty => "the relay answered with nothing",
        Class::StreamError => "the answer ended in an error",
        Class::Truncated => "the answer was cut short",
        Class::Protocol => "the relay's answer cannot be read",
        Class::Connect => "no connection to the relay",
        Class::Tls => "no trusted connection to the relay",
        Class::ClientLimit => "this machine cannot make the connection",
        Class::Cancelled => "the request was cancelled",
        Class::Ok | Class::OkLength | Class::Refused => "the request succeeded",
    }
}

/// The story of a request that failed.
pub(super) fn of_exchange(exchange: &Exchange, credential: &str) -> Story {
    let trouble = exchange.trouble.as_ref();
    let verb = match trouble {
        Some(Trouble::Status(_) | Trouble::Redirect(_)) => " answered",
        _ => ":",
    };
    let status = match (trouble, exchange.status) {
        (Some(Trouble::Redirect(_)), Some(status)) => format!(" {status},"),
        _ => String::new(),
    };
    let what = trouble.map(ToString::to_string).unwrap_or_default();
    let address = net::shown_url(&exchange.url);
    let mut because = match trouble {
        Some(Trouble::Token(_)) => vec![what],
        _ => vec![format!("{} {address}{verb}{status} {what}", exchange.method.name())],
    };
    if exchange.class == Class::Auth {
        because.push(credential.to_owned());
    }
    because.extend(why_no_more(exchange));
    if exchange.unsent && matches!(trouble, Some(Trouble::Timeout { .. })) {
        because.push("there was no connection for it by then, so nothing was sent".to_owned());
    }
    if exchange.attempts.iter().any(|attempt| attempt.maybe_billed) {
        because.push("the relay may have worked on it, and billed it, all the same".to_owned());
    }
    Story {
        code: code_of_class(exchange.class),
        message: match trouble {
            Some(Trouble::Net(net::Error::Closed { .. })) => {
                "the relay closed the connection without an answer"
            }
            Some(Trouble::Token(_)) => "there is no token for the relay",
            _ => headline(exchange.class),
        }
        .to_owned(),
        because,
        hint: compression_hint(exchange).or_else(|| hint(exchange, credential)),
        request_id: Some(exchange.ids.request.clone()),
        relay_request_id: exchange.ids.relay.clone(),
        attempts: exchange.attempts.iter().map(attempt).collect(),
    }
}

/// Why there was no further attempt, where that is not plain from the failure itself.
fn why_no_more(exchange: &Exchange) -> Option<String> {
    let attempts = exchange.attempts.len();
    match exchange.ended {
        Decision::Stop(Why::Spent) if attempts > 1 => {
            Some(format!("{attempts} attempts failed, this was the last"))
        }
        Decision::Stop(Why::WaitTooLong(wait)) => {
            Some(format!("it asks to wait {}, longer than --max-wait", Span(wait)))
        }
        Decision::Stop(Why::OutOfTime) => Some("another attempt would have passed --timeout".to_owned()),
        Decision::Stop(Why::Delivered) if matches!(exchange.trouble, Some(Trouble::NotAStream)) => None,
        Decision::Stop(Why::Delivered) => {
            Some("part of the answer has been delivered, so it was not asked for again".to_owned())
        }
        Decision::Stop(Why::Budget) => {
            Some("too many requests of this run were being tried again already".to_owned())
        }
        Decision::Stop(Why::Ambiguous) => Some("--no-retry-ambiguous forbids sending it again".to_owned()),
        _ => None,
    }
}

/// Where a key was sent and refused.
const KEY_HINT: &str = "is it the right key for this relay, and in force?";

/// The next step where a proxy stands between.
const PROXY_HINT: &str = "is the proxy running, and is its address right? the relay itself was not asked";

/// The next step where a compressed body may have been refused for being one.
fn compression_hint(exchange: &Exchange) -> Option<String> {
    let was_compressed = exchange.attempts.last().is_some_and(|attempt| attempt.body.saved() > 0);
    let is_suspect = was_compressed && matches!(exchange.status, Some(400 | 415));
    is_suspect.then(|| {
        "does the relay take compressed bodies? --compress auto finds out, and off leaves them as they are".to_owned()
    })
}

/// The next step, where there is one.
fn hint(exchange: &Exchange, credential: &str) -> Option<String> {
    let text = match (exchange.class, exchange.trouble.as_ref()?) {
        (_, Trouble::Token(error)) => return error.hint(),
        (_, Trouble::Limit(net::Refusal::Ledger(_))) => net::LedgerError::HINT,
        (Class::Auth, _) if credential.contains("came from") => KEY_HINT,
        (Class::Auth, _) => {
            "give the key with --key-file, --key-command, the environment or a profile; `baton send --dry-run` shows which header would be sent"
        }
        (_, Trouble::Timeout { flag, .. }) => return Some(format!("{flag} sets this limit")),
        (Class::TimeoutConnect, _) => {
            "--connect-timeout sets this limit; is the address right, and does a firewall drop packets?"
        }
        (Class::Http4xx | Class::Protocol, Trouble::Status(_) | Trouble::Wire(_))
            if exchange.method == net::Method::Get =>
        {
            "is the base address right, and does the relay offer a list of models there?"
        }
        (Class::Http4xx, _) if exchange.status == Some(404) => {
            "is the base address right, and does the relay offer this model and dialect (--api)?"
        }
        (Class::Http4xx, _) if exchange.status == Some(405) => {
            "does the relay offer this dialect (--api) under this address?"
        }
        (Class::Http3xx, _) => "name the address it redirects to with --url, if you trust it with the key",
        (Class::RateLimited, _) => "wait, lower the rate, or raise --max-wait or --attempts",
        (Class::Quota, _) => "trying again is useless until the cap is raised or renewed",
        (Class::Tls, Trouble::Net(net::Error::Tls { fault: TlsFault::ServerCertificate, .. })) => {
            "--cacert FILE trusts a private issuer; --insecure verifies nothing"
        }
        (Class::Tls, Trouble::Net(net::Error::Tls { fault: TlsFault::ClientCertificate, .. })) => {
            "--cert FILE and --cert-key FILE name a client certificate that the relay trusts"
        }
        (Class::Tls, _) => "does this port speak TLS? try the address with http://",
        (Class::Connect, Trouble::Net(net::Error::Connect { via: Some(_), .. })) => PROXY_HINT,
        (Class::Connect, Trouble::Net(net::Error::Dns { .. })) => {
            "is the host name spelled right, and does this machine have a name server?"
        }
        (Class::Connect, Trouble::Net(net::Error::Closed { .. })) => {
            "does this port speak HTTP, and if it wants TLS, is the address https://?"
        }
        (Class::Connect, _) => "is the relay running, and are address and port right?",
        (Class::Empty, Trouble::NothingGenerated { stop: Some(_) })
            if exchange.stop.as_ref().is_some_and(|stop| stop.kind == StopKind::Length) =>
        {
            "the token limit was used up before an answer began: raise --max-tokens"
        }
        (Class::Protocol, Trouble::NotAStream) => "--no-stream asks for whole answers",
        (Class::Protocol, Trouble::Html(_)) => {
            "a login page or a front proxy may stand before the relay: is the base address right?"
        }
        (Class::Protocol, Trouble::Net(net::Error::NotHttp { .. })) => {
            "another protocol answers there; if it is TLS, write https://"
        }
        (Class::Protocol, Trouble::Wire(_)) => {
            "does the relay speak this dialect (--api)? --format raw shows what it sent"
        }
        (Class::ClientLimit, _) => "`ulimit -n` shows the limit of open descriptors",
        _ => return None,
    };
    Some(text.to_owned())
}

fn attempt(attempt: &crate::client::Attempt) -> Value {
    json!({
        "number": attempt.number,
        "outcome": attempt.class.name(),
        "status": attempt.status,
        "maybe_billed": attempt.maybe_billed,
        "relay_request_id": attempt.relay_request_id,
        "message": attempt.message,
    })
}
