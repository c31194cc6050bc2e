//! `baton stream`: one prompt, the answer straight to a file.
//!
//! The reader decodes on this thread and keeps no part of the answer; a [`Writer`] of its own thread writes, and when
//! the disk is slow the reader waits for it, and the relay for the reader. Until the answer is whole the file is called
//! `FILE.partial`; if it never is, a side file says why.

mod handover;
mod intake;
mod place;
mod side;
mod writer;

use std::io::{IsTerminal, stderr, stdout};
use std::path::PathBuf;

use clap::Args;

use crate::client::Failed;
use crate::config::Settings;
use crate::net::Adapt;
use crate::report::ArrivalLine;
use crate::units::Size;

use self::intake::{Intake, Remains};
use self::place::Place;
use self::side::Story;
use self::writer::{Job, Sync, Writer};
use super::carry::{Carried, account_of, carry, remark};
use super::connection::{ConnectionOptions, Unasked, without_limit_of_requests};
use super::limits::Throttle;
use super::limits::{LimitOptions, fits};
use super::lookout::finish;
use super::options::{Attempts, PolicyOptions, TargetOptions, VerbosityOptions};
use super::prompt::{Defaults, Nameless, PromptOptions, Stdin};
use super::relay::{Flags, Manner, Wired};
use super::rendering::{Form, Generated, Rendering};
use super::routing::RouteOptions;
use super::show::Account;
use super::{Ending, OutputError, Talk, Usage, say, show};

/// The flags of `baton stream`.
#[derive(Debug, Args)]
#[command(mut_args(without_limit_of_requests))]
#[command(after_help = "Examples:
  baton stream --mock -o rivers.txt 'Describe every river of Europe'
  baton stream -u https://relay.example -m claude-x -f book.txt -o summary.txt 'Summarise it chapter by chapter'
  baton stream -u https://relay.example -m claude-x --format events -o answer.jsonl --timing 'Hello'
  baton stream -u https://relay.example -m claude-x --append --tee -o journal.txt 'And today?'")]
pub(super) struct StreamOptions {
    #[command(flatten)]
    prompt: PromptOptions,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    route: RouteOptions,
    #[command(flatten)]
    answer: FileOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    verbosity: VerbosityOptions,
}

/// Where the answer goes, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(next_help_heading = "Answer")]
struct FileOptions {
    /// Write the answer to this file, called FILE.partial until it is whole, or to standard output for `-`
    #[arg(short, long, value_name = "FILE|-")]
    output: PathBuf,
    /// Form of what is written
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Form,
    /// Add the answer to the end of the file once it is whole
    #[arg(long, conflicts_with = "overwrite")]
    append: bool,
    /// Replace the file, and what an earlier run left of it
    #[arg(long)]
    overwrite: bool,
    /// Make what is written survive a power cut: after each piece, once a second and at the end, or when the system
    /// sees fit [default: interval]
    #[arg(long, value_name = "WHEN")]
    sync: Option<Sync>,
    /// Copy what is written to standard output, too
    #[arg(long)]
    tee: bool,
    /// Print a breakdown of times on standard error
    #[arg(long)]
    timing: bool,
}

impl FileOptions {
    /// When the file is synced.
    fn sync(&self) -> Sync {
        self.sync.unwrap_or(Sync::Interval)
    }

    /// Refuses what only a file can do.
    fn refuse_for_passing(&self, what: &str) -> Result<(), Usage> {
        let flags = [
            ("--append", self.append),
            ("--overwrite", self.overwrite),
            ("--sync", self.sync.is_some_and(|sync| sync != Sync::Off)),
        ];
        match flags.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Usage::new(format!("{flag} has no effect: --output is {what}"))),
            None => Ok(()),
        }
    }

    /// Whether what arrives is shown as it does: on a terminal that does not show the answer itself.
    fn wants_live(&self, place: &Place, talk: Talk) -> bool {
        let shows_answer = self.tee || matches!(place, Place::Passing);
        stderr().is_terminal() && !talk.is_quiet() && !(shows_answer && stdout().is_terminal())
    }
}

/// Carries the prompt and writes the answer.
pub(super) fn run(options: &StreamOptions, talk: Talk) -> anyhow::Result<()> {
    let StreamOptions { prompt, target, route, answer, connection, policy, limits, verbosity } = options;
    let flags = Flags { target, prompt, connection, policy, route };
    let manner = Manner {
        defaults: Defaults {
            stdin: Stdin::WhenPiped,
            text: None,
            max_tokens: None,
            nameless: Nameless::Refused,
        },
        stream: true,
        attempts: Attempts::Usual,
        unasked: Unasked::Negotiated,
    };
    let mut wired = Wired::new(flags, manner, talk)?;
    let limiter = limits.limiter(Adapt::Never, &wired.site)?;
    if let Some(limiter) = &limiter {
        fits(limiter, &wired.call)?;
    }
    let throttle = Throttle::of(*limits, limiter.as_ref(), &wired.site.settings.policy);
    let client = wired.client(flags)?.with_limiter(limiter);
    let lookout = wired.site.lookout((route, connection), throttle)?;
    let (place, pen) = place::open(answer)?;
    let sync = if let Place::Draft(_) = place { answer.sync() } else { Sync::Off };
    let writer = Writer::start(Job { pen, sync, tee: answer.tee }).inspect_err(|_| place.abandon())?;
    let live = answer.wants_live(&place, talk).then(ArrivalLine::start);
    let mut intake =
        Intake::new(Rendering::new(Some(answer.format)), writer).verbose(verbosity.verbose).live(live);
    let carried = carry(client, lookout.as_ref(), &wired.call, &mut intake);
    finish(lookout, talk);
    if let Ok(Carried { exchange, .. }) = &carried
        && let Some(attempt) = exchange.attempts.last()
    {
        intake.say(&show::attempt_line(attempt, None));
    }
    let remains = intake.finish();
    match carried {
        Ok(carried) => Ended { carried, remains, place }.settle(answer, &wired.site.settings, talk),
        Err(error) => {
            place.abandon();
            Err(error)
        }
    }
}

/// An answer that has ended, well or not.
struct Ended {
    carried: Carried,
    remains: Remains,
    place: Place,
}

impl Ended {
    /// Names the file, or leaves what there is with its story, and turns the outcome into success or an error.
    fn settle(mut self, answer: &FileOptions, settings: &Settings, talk: Talk) -> anyhow::Result<()> {
        let exchange = &self.carried.exchange;
        let account = account_of(exchange, settings);
        let broke = self.remains.written.failure.take();
        let is_whole = broke.is_none() && exchange.trouble.is_none() && self.carried.signal.is_none();
        let mut failure = broke;
        if let (Place::Draft(draft), true) = (&self.place, is_whole) {
            failure = draft.finish().err();
        }
        if !is_whole || failure.is_some() {
            self.leave(answer, failure.as_ref(), (account, talk));
        }
        let Self { carried: Carried { exchange, signal }, remains, .. } = self;
        if answer.timing {
            say(show::timing(&exchange, account));
        }
        if let Some(signal) = signal {
            return Err(Ending::Stopped(signal).into());
        }
        if let Some(error) = failure.or(remains.written.tee_failure) {
            return Err(error.into());
        }
        if exchange.trouble.is_some() {
            let credential = settings.credential_story.clone();
            return Err(Failed { exchange: Box::new(exchange), credential }.into());
        }
        remark(&exchange, remains.generated == Generated::Tools && answer.format == Form::Text, talk);
        Ok(())
    }
}

impl Ended {
    /// Leaves what a file holds, with a file beside it that says what happened.
    fn leave(&self, answer: &FileOptions, failure: Option<&OutputError>, (account, talk): (Account, Talk)) {
        let Place::Draft(draft) = &self.place else { return };
        let Some(partial) = draft.keep() else { return };
        let Self { carried: Carried { exchange, signal }, remains, .. } = self;
        let signal = signal.map(|signal| Ending::Stopped(signal).to_string());
        let failure = failure.map(ToString::to_string);
        let trouble = exchange.trouble.as_ref().map(ToString::to_string);
        let message = signal.or(failure).or(trouble).unwrap_or_default();
        let story = Story { exchange, remains, form: answer.format, account, message };
        let kept = format!("what arrived ({}) is kept in {}", Size(remains.written.bytes), partial.display());
        match story.write(partial) {
            Ok(side) => talk.notice(format_args!("note: {kept}; {} says what happened", side.display())),
            Err(error) => talk.notice(format_args!("note: {kept}; no file beside it says why ({error})")),
        }
    }
}
