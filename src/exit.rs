//! The only place where an error becomes text and an exit code.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write, stderr};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{Ending, ErrorFormat, Finished, OutputError, Signal, Usage, colour_is_wanted};
use crate::client::Failed;
use crate::config;
use crate::load;
use crate::mock;
use crate::net;
use crate::outcome::Class;

pub mod code;
mod exchange;

use self::exchange::of_exchange;

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
        let story = of_exchange(&failed.exchange, &failed.credential);
        let (told, own) = (error.to_string(), failed.to_string());
        // Where there are two ways, the error says on which.
        let message = if told == own { story.message } else { format!("{told}: {}", story.message) };
        return Story { message, ..story };
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
    } else if let Some(auth) = error.downcast_ref::<net::AuthError>() {
        "there is no token for the relay".clone_into(&mut story.message);
        story.because = vec![auth.to_string()];
        story.hint = auth.hint();
    } else if let Some(mock::Error::AddressInUse { .. }) = error.downcast_ref::<mock::Error>() {
        story.hint = Some("--listen names another; its port 0 takes a free one".to_owned());
    } else if let Some(OutputError { .. }) = error.downcast_ref::<OutputError>() {
        "the output could not be written".clone_into(&mut story.message);
        story.because = vec![error.to_string()];
    } else if let Some(Ending::NothingToExtract(_)) = error.downcast_ref::<Ending>() {
        story.hint = Some("without --extract the whole answer is printed".to_owned());
    } else if let Some(
        Ending::ThresholdsFailed { stories, .. }
        | Ending::Regressed(stories)
        | Ending::OutOfStep { stories, .. }
        | Ending::SumFallsShort(stories),
    ) = error.downcast_ref::<Ending>()
    {
        story.because.clone_from(stories);
    } else if let Some(Ending::ComparisonUndecided(stories)) = error.downcast_ref::<Ending>() {
        story.because.clone_from(stories);
        story.hint = Some(
            "it takes a client that is not the bottleneck, requests that end by themselves, and every level in both"
                .to_owned(),
        );
    } else if let Some(Ending::ThresholdsUndecided { stories, .. }) = error.downcast_ref::<Ending>() {
        story.because.clone_from(stories);
        story.hint = Some(
            "it takes enough samples (a longer -d, a larger -n) and a client that is not the bottleneck"
                .to_owned(),
        );
    } else if let Some(Ending::NoCapacity(found) | Ending::CapacityUnknown(found)) =
        error.downcast_ref::<Ending>()
    {
        story.because = vec![found.clone()];
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
            Ending::ChecksFailed { .. }
            | Ending::ThresholdsFailed { .. }
            | Ending::OutOfStep { .. }
            | Ending::Regressed(_)
            | Ending::NoCapacity(_) => code::THRESHOLD,
            Ending::NothingSucceeded
            | Ending::SumFallsShort(_)
            | Ending::ThresholdsUndecided { .. }
            | Ending::ComparisonUndecided(_)
            | Ending::CapacityUnknown(_) => code::UNTRUSTED,
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
    if let Some(auth) = error.downcast_ref::<net::AuthError>() {
        let is_input = matches!(auth, net::AuthError::Secret { .. });
        return if is_input { code::USAGE } else { code_of_class(auth.class()) };
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
