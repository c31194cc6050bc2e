//! The flags that say what the requests of a run say, beside the prompt of the command line.

use std::path::PathBuf;

use clap::Args;

use crate::batch::{Input, LineKind};
use crate::cli::Usage;
use crate::units::{Shard, whole};

use super::synthetic::Synthetic;

/// The prompts of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prompt")]
pub(in crate::cli::bench) struct SetOptions {
    /// Send the rows of this file, or of standard input for `-`, one after the other and over and over, in any form that
    /// batch takes; fields of a row win over flags (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "files", "messages", "body", "replay"])]
    pub(super) prompts: Vec<PathBuf>,
    /// Each line of the files of --prompts or --mix is a prompt, not JSON
    #[arg(long)]
    text: bool,
    /// Send the rows of --prompts or --mix each time through in another order, by --seed
    #[arg(long)]
    pub(super) shuffle: bool,
    #[arg(
        help = "Mix traffic: a JSONL file of {\"weight\": 3, \"model\": \"…\", \"prompts\": \"FILE\"}, or \"prompt\" or \"synthetic\" for \"prompts\""
    )]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompts", "words", "files", "messages", "body", "replay"])]
    pub(super) mix: Option<PathBuf>,
    /// Make prompts up of so many tokens (of four characters each), by --seed, and let answers have so many; a length is
    /// a number, lognormal:MEDIAN:SIGMA or exp:MEAN
    #[arg(long, value_name = "in=N[,out=N]", conflicts_with_all = ["prompts", "mix", "words", "files", "messages", "body", "replay"])]
    pub(super) synthetic: Option<Synthetic>,
    /// Put a mark before the words of each request so that no cache answers; by --seed if given, else new in each run
    #[arg(long)]
    pub(super) unique: bool,
    /// Make each user's requests conversations of so many turns: a request repeats the turns before it and their answers
    #[arg(long, value_name = "N", conflicts_with_all = ["mix", "body", "messages", "files"], value_parser = |text: &str| whole::<u64>(text, 1..=1_000))]
    turns: Option<u64>,
}

/// Whether the seed has anything to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::bench) enum Drawn {
    Yes,
    No,
}

/// What the other flags have come to.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::bench) struct Around {
    /// Whether requests are sent when they are due.
    pub(in crate::cli::bench) is_open: bool,
    pub(in crate::cli::bench) shard: Shard,
    pub(in crate::cli::bench) seed: Option<u64>,
}

impl SetOptions {
    /// Whether the prompts depend on the seed.
    pub(in crate::cli::bench) const fn drawn(&self) -> Drawn {
        if self.shuffle || self.unique || self.mix.is_some() || self.synthetic.is_some() {
            Drawn::Yes
        } else {
            Drawn::No
        }
    }

    /// Whether the prompts are others than the command line's.
    pub(in crate::cli::bench) const fn replaces_the_prompt(&self) -> bool {
        !self.prompts.is_empty() || self.mix.is_some() || self.synthetic.is_some()
    }

    /// Whether rows come from standard input, which is there once.
    pub(in crate::cli::bench) fn read_stdin(&self) -> bool {
        self.prompts.iter().any(|path| Input::named(path) == Input::Stdin)
    }

    /// Refuses what would have no effect or could not keep its promise.
    pub(in crate::cli::bench) fn refuse_what_cannot_be(&self, around: Around) -> Result<(), Usage> {
        let has_files = !self.prompts.is_empty() || self.mix.is_some();
        if let Some((flag, _)) = [("--text", self.text), ("--shuffle", self.shuffle)]
            .into_iter()
            .find(|(_, given)| *given && !has_files)
        {
            return Err(Usage::new(format!("{flag} has no effect without --prompts or --mix")));
        }
        if self.prompts.iter().filter(|path| Input::named(path) == Input::Stdin).count() > 1 {
            return Err(Usage::new("--prompts - is given twice, and there is one standard input"));
        }
        if self.turns() > 1 && around.is_open {
            return Err(Usage::new(
                "--turns has no place in an open loop: the next turn may be due before the answer",
            )
            .hint("leave --rate, --stage or --replay out: in a closed loop each user has a conversation"));
        }
        if self.unique && around.shard != Shard::WHOLE && around.seed.is_none() {
            return Err(Usage::new(
                "--unique with --shard needs --seed, so that all parts send the marks of one run",
            )
            .hint("give every part the same number, and another one in each run"));
        }
        Ok(())
    }

    /// What a line of a file is written in.
    pub(super) const fn lines(&self) -> LineKind {
        if self.text { LineKind::Text } else { LineKind::Json }
    }

    /// Turns of each conversation.
    pub(super) fn turns(&self) -> u64 {
        self.turns.unwrap_or(1)
    }
}
