//! The only place where an error becomes text and an exit code.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write, stderr};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{Ending, ErrorFormat, Finished, OutputError, Signal, Usage, colour_is_wanted};
use crate::client::{Decision, Exchange, Failed, Trouble, Why};
use crate::config;
use crate::load;
use crate::mock;
use crate::net;
use crate::net::TlsFault;
use crate::outcome::Class;
use crate::units::Span;
use crate::wire::StopKind;

/// The exit codes, as docs/exit-codes.md lists them.
pub mod code {
    /// Done.
    pub const DONE: u8 = 0;
    /// Finished, but some rows or requests failed; also any failure without a code of its own.
    pub const SOME_FAILED: u8 = 1;
    /// Usage or configuration.
    pub const USAGE: u8 = 2;
    /// The relay refused the credentials.
    pub const AUTH: u8 = 3;
    /// The relay rejected or redirected the request.
    pub const REJECTED: u8 = 4;
    /// The relay failed or was overloaded after all attempts.
    pub const FAILED: u8 = 5;
    /// Rate-limited beyond `--max-wait` or after all attempts.
    pub const RATE_LIMITED: u8 = 6;
    /// Quota or spending cap.
    pub const QUOTA: u8 = 7;
    /// A timeout.
    pub const TIMEOUT: u8 = 8;
    /// A truncated or malformed answer.
    pub const BROKEN: u8 = 9;
    /// `--fail-on` matched.
    pub const FAIL_ON: u8 = 10;
    /// No connection.
    pub const NETWORK: u8 = 11;
    /// The output could not be written.
    pub const OUTPUT: u8 = 12;
    /// A measurement that must not be trusted.
    pub const UNTRUSTED: u8 = 98;
    /// Interrupted.
    pub const INTERRUPTED: u8 = 130;
    /// Terminated.
    pub const TERMINATED: u8 = 143;
}

/// An error taken apart for printing.
#[derive(Debug, Default)]
struct Story {
    code: u8,
    message: String,
    because: Vec<String>,
    hint: Option<String>,
    request_id: Option<String>,
    relay_request_id: Option<String>,
    attempts: Vec<Value>,
}

/// Prints what went wrong, if anything did, and gives the exit code.
pub fn finish(finished: Finished) -> ExitCode {
    let Err(error) = finished.result else {
        return ExitCode::from(code::DONE);
    };
    if let Some(clap) = error.downcast_ref::<clap::Error>() {
        return usage(clap, finished.error_format);
    }
    if error.chain().filter_map(|cause| cause.downcast_ref::<OutputError>()).any(OutputError::is_closed_pipe)
    {
        // The reader has seen enough.
        return ExitCode::from(code::DONE);
    }
    let story = tell(&error);
    let text = match finished.error_format {
        ErrorFormat::Text => story.as_text(stderr().is_terminal() && colour_is_wanted()),
        ErrorFormat::Json => story.as_json(),
    };
    // There is nobody left to tell where standard error is closed; the code still speaks.
    let _ = stderr().write_all(text.as_bytes());
    ExitCode::from(story.code)
}

/// Help and version go to standard output; a wrong command line is an error.
fn usage(error: &clap::Error, format: ErrorFormat) -> ExitCode {
    if error.use_stderr() && format == ErrorFormat::Json {
        let _ = stderr().write_all(of_usage(error).as_json().as_bytes());
        return ExitCode::from(code::USAGE);
    }
    let printed = error.print();
    ExitCode::from(match printed {
        _ if error.use_stderr() => code::USAGE,
        Err(lost) if lost.kind() != ErrorKind::BrokenPipe => code::OUTPUT,
        _ => code::DONE,
    })
}

/// A wrong command line without what only a person at a terminal can use of it: the usage line and the way to help.
fn of_usage(error: &clap::Error) -> Story {
    let text = error.render().to_string();
    let parts: Vec<&str> = text.split("\n\n").map(str::trim).collect();
    let hint = parts.iter().find_map(|part| part.strip_prefix("tip: ")).map(str::to_owned);
    let message = parts.first().map_or("", |part| part.trim_start_matches("error: ")).to_owned();
    Story { code: code::USAGE, message, hint, ..Story::default() }
}

/// Finds the type that owns the error and tells its story.
fn tell(error: &anyhow::Error) -> Story {
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return of_exchange(&failed.exchange, &failed.credential);
    }
    let mut story = Story {
        code: code_of(error),
        message: error.to_string(),
        because: error.chain().skip(1).map(ToString::to_string).collect(),
        ..Story::default()
    };
    if let Some(usage) = error.downcast_ref::<Usage>() {
        story.hint.clone_from(&usage.hint);
    } else if let Some(config) = error.downcast_ref::<config::Error>() {
        story.hint.clone_from(&config.hint);
    } else if let Some(mock::Error::AddressInUse { .. }) = error.downcast_ref::<mock::Error>() {
        story.hint = Some("--listen names another; its port 0 takes a free one".to_owned());
    } else if let Some(OutputError { .. }) = error.downcast_ref::<OutputError>() {
        "the output could not be written".clone_into(&mut story.message);
        story.because = vec![error.to_string()];
    } else if let Some(Ending::NothingToExtract(_)) = error.downcast_ref::<Ending>() {
        story.hint = Some("without --extract the whole answer is printed".to_owned());
    } else if let Some(Ending::NothingSucceeded) = error.downcast_ref::<Ending>() {
        story.hint =
            Some("the failures are listed above; `baton send -v` with the same flags shows one".to_owned());
    }
    story
}

/// The code of an error that is not a failed exchange.
fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>()
        || error.is::<config::Error>()
        || matches!(error.downcast_ref(), Some(load::LoadError::Plan(_)))
    {
        return code::USAGE;
    }
    if error.is::<OutputError>() {
        return code::OUTPUT;
    }
    if let Some(ending) = error.downcast_ref::<Ending>() {
        return match ending {
            Ending::FailOn(_) => code::FAIL_ON,
            Ending::Stopped(Signal::Interrupt) => code::INTERRUPTED,
            Ending::Stopped(Signal::Terminate) => code::TERMINATED,
            Ending::SomeFailed { .. } | Ending::TooManyErrors { .. } | Ending::NothingToExtract(_) => {
                code::SOME_FAILED
            }
            Ending::Capped(_) => code::QUOTA,
            Ending::NothingSucceeded => code::UNTRUSTED,
            Ending::GaveUp { class, .. } | Ending::BatchGaveUp { class, .. } => code_of_class(*class),
        };
    }
    if let Some(mock) = error.downcast_ref::<mock::Error>() {
        return match mock {
            mock::Error::Thread(_) => code::SOME_FAILED,
            mock::Error::Log { .. } => code::OUTPUT,
            _ => code::USAGE,
        };
    }
    match error.downcast_ref::<net::Error>() {
        Some(net) => code_of_class(net.class()),
        None => code::SOME_FAILED,
    }
}

/// The code of a failed request, by its class alone.
fn code_of_class(class: Class) -> u8 {
    match class {
        Class::Ok | Class::OkLength | Class::Refused => code::DONE,
        Class::Auth => code::AUTH,
        Class::Http4xx | Class::Http3xx => code::REJECTED,
        Class::Http5xx | Class::Overloaded => code::FAILED,
        Class::RateLimited => code::RATE_LIMITED,
        Class::Quota => code::QUOTA,
        Class::TimeoutConnect
        | Class::TimeoutFirstByte
        | Class::TimeoutFirstToken
        | Class::TimeoutIdle
        | Class::TimeoutStall
        | Class::TimeoutTotal => code::TIMEOUT,
        Class::Empty | Class::StreamError | Class::Truncated | Class::Protocol => code::BROKEN,
        Class::Connect | Class::Tls | Class::ClientLimit => code::NETWORK,
        Class::Cancelled => code::INTERRUPTED,
    }
}

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
fn of_exchange(exchange: &Exchange, credential: &str) -> Story {
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
    let mut because = vec![format!("{} {address}{verb}{status} {what}", exchange.method.name())];
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
            _ => headline(exchange.class),
        }
        .to_owned(),
        because,
        hint: hint(exchange, credential),
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

/// The next step where a proxy stands between.
const PROXY_HINT: &str = "is the proxy running, and is its address right? the relay itself was not asked";

/// The next step, where there is one.
fn hint(exchange: &Exchange, credential: &str) -> Option<String> {
    let text = match (exchange.class, exchange.trouble.as_ref()?) {
        (Class::Auth, _) if credential.contains("came from") => {
            "is it the right key for this relay, and in force?"
        }
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

impl Story {
    /// `error:`, `because:`, `hint:` and the ids, one to a line.
    fn as_text(&self, colour: bool) -> String {
        let (red, dim, off) = if colour { ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{off} {}\n", self.message);
        for because in self.because.iter().filter(|because| !because.is_empty()) {
            let _ = writeln!(text, "  {dim}because:{off} {because}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        if let Some(id) = &self.request_id {
            let relay = self.relay_request_id.as_ref().map(|id| format!(", relay's own {id}"));
            let _ = writeln!(text, "      {dim}request id {id}{}{off}", relay.unwrap_or_default());
        }
        text
    }

    fn as_json(&self) -> String {
        let object = json!({
            "error": self.message,
            "because": self.because,
            "hint": self.hint,
            "exit_code": self.code,
            "request_id": self.request_id,
            "relay_request_id": self.relay_request_id,
            "attempts": self.attempts,
        });
        format!("{object}\n")
    }
}
