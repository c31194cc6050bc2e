//! What the requests of a run say: the prompt of the command line, a file of them, a mix, made-up ones or a trace's.

mod deck;
mod mix;
mod options;
mod synthetic;

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::batch;
use crate::batch::{Form, Input, LineKind};
use crate::cli::Usage;
use crate::cli::prompt::{FieldOptions, no_model};
use crate::cli::relay::Wired;
use crate::client::{Call, Content, Stamped};
use crate::load::Ticket;
use crate::report::{PromptSetInfo, PromptsInfo};
use crate::wire::{Dialect, Prompt};

pub(super) use self::deck::scatter;
use self::deck::{Deck, Order, Part};
use self::mix::{Ingredient, Source};
pub(super) use self::options::{Around, Drawn, SetOptions};
use self::synthetic::Synthetic;
use super::talks::{Maker, Talks};

/// What a run sends.
pub(super) struct Script {
    /// What each request sends, by its number.
    pub(super) deck: Deck<Ready>,
    /// What the marks of `--unique` grow from.
    pub(super) mark: Option<u64>,
    /// Turns of each conversation; 1 makes none.
    pub(super) turns: u64,
    /// What is sent before the load in place of its first request's words, which a trace has sent once.
    opening: Option<Box<Call>>,
}

/// What one request sends.
#[derive(Debug)]
pub(super) enum Ready {
    /// The same bytes each time.
    Whole(Box<Call>),
    /// The same but for a mark.
    Marked(Box<Stamped>),
    /// A turn, to be encoded with those before it.
    Turn(Box<Prompt>),
}

impl Script {
    /// What is sent before the load: what its first request says, under a mark that no request has.
    pub(super) fn opening(&self, maker: &Maker) -> Call {
        if let Some(call) = &self.opening {
            return (**call).clone();
        }
        match self.deck.at(0) {
            Ready::Whole(call) => (**call).clone(),
            Ready::Marked(stamped) => stamped.with(scatter(self.mark.unwrap_or_default(), u64::MAX)),
            Ready::Turn(prompt) => Talks::new(maker.clone(), 1).call(Ticket::default(), prompt),
        }
    }
}

/// What decides a script beside its flags.
pub(super) struct Terms<'a> {
    pub(super) wired: &'a Wired,
    pub(super) fields: &'a FieldOptions,
    /// The prompts of a trace; none where there is no trace.
    pub(super) trace: Vec<String>,
    /// What `--seed` says.
    pub(super) seed: Option<u64>,
}

/// What grows where `--seed` is not given.
const SEED: u64 = 1;

impl SetOptions {
    /// What the run sends, and how the plan describes it; no description where one prompt is sent as it is.
    pub(super) fn script(&self, terms: Terms<'_>) -> Result<(Script, Option<PromptsInfo>), Usage> {
        let Terms { wired, fields, trace, seed } = terms;
        let is_replay = !trace.is_empty();
        let (sets, source) = self.sets(wired, fields, (trace, seed.unwrap_or(SEED)))?;
        let order = if self.shuffle { Order::Shuffled } else { Order::AsGiven };
        let models: Vec<_> = sets.iter().map(|set| (set.model.clone(), set.synthetic.clone())).collect();
        let parts = sets.into_iter().map(|set| Part { weight: set.weight, items: set.contents }).collect();
        let deck = Deck::new(parts, order, seed.unwrap_or(SEED));
        let encoded = deck.map(|content| wired.encode(content))?;
        let sets = encoded
            .parts()
            .iter()
            .zip(models)
            .map(|(part, (model, synthetic))| set_info(part, model, synthetic));
        let turns = self.turns();
        let is_plain = source == "given" && !self.unique && turns == 1;
        let info = (!is_plain).then(|| PromptsInfo {
            source: if is_replay { "replay" } else { source }.to_owned(),
            sets: sets.collect(),
            shuffled: self.shuffle,
            unique: self.unique,
            turns,
            seed: (self.drawn() == Drawn::Yes).then_some(seed.unwrap_or(SEED)),
        });
        let ready = if turns > 1 {
            has_turns(wired.call.dialect)?;
            deck.map(turn)?
        } else if self.unique {
            encoded.map(|call| match Stamped::new(call.clone()) {
                Some(stamped) => Ok(Ready::Marked(Box::new(stamped))),
                None => Err(Usage::new("--unique: a body has no words for a mark to stand before")
                    .hint("it goes before the system prompt, else before the first message's text")),
            })?
        } else {
            encoded.map(|call| Ok::<_, Usage>(Ready::Whole(Box::new(call.clone()))))?
        };
        let mark = self.unique.then(|| seed.unwrap_or_else(|| fastrand::u64(..)));
        let opening = is_replay.then(|| Box::new(wired.call.clone()));
        Ok((Script { deck: ready, mark, turns, opening }, info))
    }

    /// The sets of prompts with their weights, and a word for where they come from.
    fn sets(
        &self,
        wired: &Wired,
        fields: &FieldOptions,
        (trace, seed): (Vec<String>, u64),
    ) -> Result<(Vec<Set>, &'static str), Usage> {
        let kitchen = Kitchen { wired, fields, lines: self.lines(), seed };
        if !trace.is_empty() {
            let Content::Prompt(given) = &wired.content else {
                return Err(Usage::new(
                    "--replay has prompts of its own, and --body leaves no place for them",
                ));
            };
            let prompt = |text| Content::Prompt(Box::new(Prompt { text, ..(**given).clone() }));
            return Ok((vec![Set::alone(trace.into_iter().map(prompt).collect())], "replay"));
        }
        if let Some(path) = &self.mix {
            let sets = mix::read(path)?.into_iter().map(|part| kitchen.ingredient(part));
            return Ok((sets.collect::<Result<_, _>>()?, "mix"));
        }
        if !self.prompts.is_empty() {
            let contents = kitchen.files(&self.prompts, None, "--prompts")?;
            return Ok((vec![Set::alone(contents)], "file"));
        }
        if let Some(lengths) = &self.synthetic {
            let set = Set::alone(kitchen.made_up(lengths, None)?);
            return Ok((vec![Set { synthetic: Some(lengths.to_string()), ..set }], "synthetic"));
        }
        Ok((vec![Set::alone(vec![wired.content.clone()])], "given"))
    }
}

/// One set of prompts.
struct Set {
    weight: u64,
    /// The model of a mix's part.
    model: Option<String>,
    contents: Vec<Content>,
    /// The lengths of made-up prompts, as they were written.
    synthetic: Option<String>,
}

impl Set {
    fn alone(contents: Vec<Content>) -> Self {
        Self { weight: 1, model: None, contents, synthetic: None }
    }
}

/// Makes sets of prompts from what names them.
struct Kitchen<'a> {
    wired: &'a Wired,
    fields: &'a FieldOptions,
    lines: LineKind,
    seed: u64,
}

impl Kitchen<'_> {
    fn ingredient(&self, part: Ingredient) -> Result<Set, Usage> {
        let model = part.model.as_deref();
        let (contents, synthetic) = match &part.source {
            Source::Files(paths) => (self.files(paths, model, &part.place)?, None),
            Source::Text(text) => {
                let prompt = Prompt { text: text.clone(), ..self.base(model)? };
                (vec![Content::Prompt(Box::new(prompt))], None)
            }
            Source::Synthetic(lengths) => (self.made_up(lengths, model)?, Some(lengths.to_string())),
        };
        self.named(&contents)?;
        Ok(Set { weight: part.weight, model: part.model, contents, synthetic })
    }

    /// What every row says that does not say otherwise.
    fn base(&self, model: Option<&str>) -> Result<Prompt, Usage> {
        let Content::Prompt(given) = &self.wired.content else {
            return self.fields.prompt(self.wired.site.settings.model.clone());
        };
        let mut base = Prompt { text: String::new(), ..(**given).clone() };
        if let Some(model) = model {
            base.model = Some(model.to_owned());
        }
        Ok(base)
    }

    /// The prompts of files of rows, in any form that `batch` takes.
    fn files(&self, paths: &[PathBuf], model: Option<&str>, flag: &str) -> Result<Vec<Content>, Usage> {
        let inputs: Vec<_> = paths.iter().map(|path| Input::named(path)).collect();
        let dialect = self.wired.call.dialect;
        let form = Form { dialect, base: self.base(model)?, lines: self.lines, template: None };
        let contents = batch::read_all(&inputs, &form).map_err(|error| {
            let refused = Usage::new(format!("{flag}: {error}"));
            match error {
                batch::Error::Dialect { made_for, .. } => refused.hint(format!("add --api {made_for}")),
                _ => {
                    refused.hint("a line is what it is in `baton batch`; --text takes lines that are prompts")
                }
            }
        })?;
        if contents.is_empty() {
            let names: Vec<_> = inputs.iter().map(ToString::to_string).collect();
            return Err(Usage::new(format!("{flag}: {} has no row", names.join(", "))).hint(
                "a line is a row of `baton batch`: a JSON string, an object, or with --text a prompt",
            ));
        }
        self.named(&contents)?;
        Ok(contents)
    }

    fn made_up(&self, lengths: &Synthetic, model: Option<&str>) -> Result<Vec<Content>, Usage> {
        if lengths.limits_answers() && self.fields.max_tokens.is_some() {
            return Err(Usage::new("--max-tokens and out= both say how long an answer may be"));
        }
        let prompts = lengths.prompts(&self.base(model)?, self.seed);
        let contents: Vec<_> = prompts.into_iter().map(|prompt| Content::Prompt(Box::new(prompt))).collect();
        self.named(&contents)?;
        Ok(contents)
    }

    /// Refuses prompts without a model where there must be one.
    fn named(&self, contents: &[Content]) -> Result<(), Usage> {
        let nameless =
            |content: &Content| matches!(content, Content::Prompt(prompt) if prompt.model.is_none());
        if self.fields.want_model(self.wired.call.dialect) && contents.iter().any(nameless) {
            return Err(no_model());
        }
        Ok(())
    }
}

/// Refuses conversations in a dialect that has none.
fn has_turns(dialect: Dialect) -> Result<(), Usage> {
    if dialect.has_turns() {
        return Ok(());
    }
    Err(Usage::new(format!("--turns: --api {dialect} has no conversations"))
        .hint("--api messages, chat and responses have them"))
}

/// A turn of a conversation.
fn turn(content: &Content) -> Result<Ready, Usage> {
    match content {
        Content::Prompt(prompt) => Ok(Ready::Turn(prompt.clone())),
        Content::Body(_) => Err(Usage::new("--turns: a row is a whole body, to which no turn can be added")
            .hint(r#"write it as {"prompt": "…"}"#)),
    }
}

/// How the plan describes a set.
#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^52")]
fn set_info(part: &Part<Call>, model: Option<String>, synthetic: Option<String>) -> PromptSetInfo {
    let mut digest = Sha256::new();
    let mut bytes = 0;
    for call in &part.items {
        bytes += call.body().len();
        digest.update((call.body().len() as u64).to_be_bytes());
        digest.update(call.body());
    }
    let mut sha256 = String::new();
    for byte in digest.finalize() {
        // Writing into a text cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    PromptSetInfo {
        weight: part.weight,
        model,
        prompts: part.items.len() as u64,
        body_bytes_avg: bytes as f64 / part.items.len() as f64,
        synthetic,
        sha256,
    }
}
