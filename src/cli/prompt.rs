//! What a request says: words, files, standard input and body fields, put together once.

use std::fs;
use std::io::{IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use crate::client::Content;
use crate::units::Count;
use crate::wire::{Dialect, Prompt};

use super::Usage;
use super::conversation;
use super::files;
use super::files::Files;

/// The prompt and the fields of its body.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prompt")]
pub(super) struct PromptOptions {
    /// The prompt; several words are joined by spaces. `-` stands for standard input; what is piped into `send` or
    /// `stream` follows the prompt without it, too
    #[arg(value_name = "PROMPT", help_heading = "Arguments")]
    words: Vec<String>,
    /// Add a file to the prompt: text after a blank line; png, jpeg, gif, webp and PDF as attachments (repeatable)
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Begin with the conversation in this file, or on standard input for `-`: a JSON array of messages with role and
    /// content, or an object whose one field is such an array, "messages"; the prompt, if any, follows as the user's
    #[arg(long, value_name = "FILE|-")]
    messages: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fields: FieldOptions,
    /// Send this file, or standard input for `-`, as the whole body; only `stream` is set in it
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["words", "files", "messages", "system", "max_tokens", "temperature", "params", "bare_prompt", "model"])]
    body: Option<PathBuf>,
}

/// The fields of a request's body beside what is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prompt")]
pub(super) struct FieldOptions {
    /// Model to ask for
    #[arg(short, long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) model: Option<String>,
    /// System prompt, or @FILE to read it from a file
    #[arg(short, long, value_name = "TEXT|@FILE")]
    system: Option<String>,
    /// Largest number of tokens to generate; k stands for thousands [default: 64 in bench; else 4096 where the dialect
    /// wants a limit]
    #[arg(long, value_name = "COUNT")]
    pub(super) max_tokens: Option<Count>,
    /// Sampling temperature
    #[arg(long, value_name = "NUMBER", value_parser = temperature, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Set any field of the body, which wins over every other flag (repeatable)
    #[arg(long = "param", value_name = "KEY=JSON", value_parser = param)]
    params: Vec<(String, Value)>,
    /// With --api complete: the body is just {"prompt": …}, and the answer comes whole
    #[arg(long)]
    pub(super) bare_prompt: bool,
}

/// When standard input belongs to the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stdin {
    /// Whenever something is piped into it.
    WhenPiped,
    /// Only where `-` asks for it, so that an open pipe is never waited for.
    WhenAsked,
}

/// What a subcommand puts in where the user gives nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    pub(super) stdin: Stdin,
    /// The prompt, if there is one to fall back to.
    pub(super) text: Option<&'static str>,
    /// The token limit.
    pub(super) max_tokens: Option<u64>,
    /// What a prompt without a model's name is.
    pub(super) nameless: Nameless,
}

/// What becomes of a prompt that names no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nameless {
    /// It is refused.
    Refused,
    /// It stands in for others, which name theirs.
    StandIn,
}

impl PromptOptions {
    /// Reads everything that belongs to the prompt; `model` has been resolved by the configuration.
    pub(super) fn content(
        &self,
        dialect: Dialect,
        model: Option<String>,
        defaults: Defaults,
    ) -> Result<Content, Usage> {
        if let Some(path) = &self.body {
            return Ok(Content::Body(read_whole(path, "--body")?));
        }
        self.fields.fit(dialect)?;
        let files = files::read(&self.files, dialect)?;
        let history = match &self.messages {
            None => Vec::new(),
            Some(path) => self.history(path, dialect)?,
        };
        let given = Given { files, history };
        let text = self.text(&given, defaults)?;
        let Given { files, history } = given;
        let refused = defaults.nameless == Nameless::Refused;
        if refused && model.is_none() && self.fields.want_model(dialect) {
            return Err(no_model());
        }
        let prompt = self.fields.prompt(model)?;
        let max_tokens = prompt.max_tokens.or(defaults.max_tokens);
        let attachments = files.attachments;
        Ok(Content::Prompt(Box::new(Prompt { text, history, attachments, max_tokens, ..prompt })))
    }

    /// The conversation of `--messages`.
    fn history(&self, path: &Path, dialect: Dialect) -> Result<Vec<Value>, Usage> {
        if !dialect.has_turns() {
            let message = format!("--messages {}: no place with --api {dialect}", path.display());
            return Err(Usage::new(message).hint("--api messages, chat and responses have conversations"));
        }
        if is_stdin(path) && self.words.iter().any(|word| word == "-") {
            return Err(Usage::new("--messages - and the prompt - both ask for standard input"));
        }
        conversation::read(path, dialect)
    }

    /// Words, files and standard input, in this order, a blank line between them.
    fn text(&self, given: &Given, defaults: Defaults) -> Result<String, Usage> {
        let asked = self.words.iter().any(|word| word == "-");
        let words: Vec<&str> = self.words.iter().map(String::as_str).filter(|word| *word != "-").collect();
        let mut parts = Vec::new();
        if !words.is_empty() {
            parts.push(words.join(" "));
        }
        parts.extend(given.files.texts.iter().cloned());
        let is_taken = self.messages.as_deref().is_some_and(is_stdin);
        if asked || (!is_taken && defaults.stdin == Stdin::WhenPiped && !stdin().is_terminal()) {
            parts.push(read_stdin()?);
        }
        let text =
            parts.iter().map(|part| part.trim_end_matches(['\n', '\r'])).filter(|part| !part.is_empty());
        let text = text.collect::<Vec<_>>().join("\n\n");
        if !text.trim().is_empty() || !given.files.attachments.is_empty() || !given.history.is_empty() {
            return Ok(text);
        }
        match defaults.text {
            Some(text) if parts.is_empty() => Ok(text.to_owned()),
            _ => Err(Usage::new("the prompt is empty")
                .hint("write it after the command, pipe it in, or name a file with --file")),
        }
    }
}

impl FieldOptions {
    /// Refuses what has no place in the dialect.
    pub(super) fn fit(&self, dialect: Dialect) -> Result<(), Usage> {
        if self.bare_prompt && dialect != Dialect::Complete {
            let message = format!("--bare-prompt goes with --api complete, not with {}", dialect.name());
            return Err(Usage::new(message));
        }
        self.refuse_fields_of_raw(dialect)
    }

    /// Whether a request of these fields cannot do without a model's name.
    pub(super) fn want_model(&self, dialect: Dialect) -> bool {
        dialect != Dialect::Raw && !self.bare_prompt && !self.sets("model")
    }

    /// A prompt of these fields that says nothing yet.
    pub(super) fn prompt(&self, model: Option<String>) -> Result<Prompt, Usage> {
        Ok(Prompt {
            system: self.system.as_deref().map(read_system).transpose()?,
            model,
            max_tokens: self.max_tokens.map(|count| count.0),
            temperature: self.temperature,
            params: self.params.iter().cloned().collect::<Map<_, _>>(),
            bare: self.bare_prompt,
            ..Prompt::default()
        })
    }

    fn sets(&self, key: &str) -> bool {
        self.params.iter().any(|(name, _)| name == key)
    }

    /// A raw prompt is the whole body, so that nothing else can have an effect on it.
    fn refuse_fields_of_raw(&self, dialect: Dialect) -> Result<(), Usage> {
        let given = [
            ("--model", self.model.is_some()),
            ("--system", self.system.is_some()),
            ("--max-tokens", self.max_tokens.is_some()),
            ("--temperature", self.temperature.is_some()),
            ("--param", !self.params.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given && (dialect == Dialect::Raw || self.bare_prompt)) {
            Some(("--param", _)) if self.bare_prompt => Ok(()),
            Some((flag, _)) if self.bare_prompt => {
                Err(Usage::new(format!("{flag} has no place in a bare prompt's body")))
            }
            Some((flag, _)) => Err(Usage::new(format!("{flag} has no effect with --api raw"))
                .hint("with raw the prompt is the whole body: write the field into it")),
            None => Ok(()),
        }
    }
}

/// The refusal of a request that names no model.
pub(super) fn no_model() -> Usage {
    let hint = "name one with --model, BATON_MODEL, a profile or, for messages, ANTHROPIC_MODEL";
    Usage::new("no model is named").hint(hint)
}

/// What is said beside the words of the command line.
struct Given {
    files: Files,
    /// The turns of `--messages`.
    history: Vec<Value>,
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_system(text: &str) -> Result<String, Usage> {
    match text.strip_prefix('@') {
        Some(path) => read_text(Path::new(path), "--system"),
        None => Ok(text.to_owned()),
    }
}

fn read_text(path: &Path, flag: &str) -> Result<String, Usage> {
    let bytes = fs::read(path).map_err(|error| Usage::new(format!("{flag} {}: {error}", path.display())))?;
    utf8(bytes, &format!("{flag} {}", path.display()))
}

fn read_stdin() -> Result<String, Usage> {
    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes).map_err(|error| Usage::new(format!("standard input: {error}")))?;
    utf8(bytes, "standard input")
}

fn utf8(bytes: Vec<u8>, source: &str) -> Result<String, Usage> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..at]).count() + 1;
        Usage::new(format!("{source}: not UTF-8 text (byte {at}, line {line})"))
            .hint("convert it first, as with iconv -t UTF-8")
    })
}

/// A file, or standard input for `-`, that must hold something.
pub(super) fn read_whole(path: &Path, flag: &str) -> Result<Vec<u8>, Usage> {
    let mut body = Vec::new();
    let read = if is_stdin(path) {
        stdin().read_to_end(&mut body)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut body))
    };
    read.map_err(|error| Usage::new(format!("{flag} {}: {error}", path.display())))?;
    if body.is_empty() {
        return Err(Usage::new(format!("{flag} {}: it is empty", path.display()))
            .hint("it must hold what is to be sent, as JSON"));
    }
    Ok(body)
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("write a number from 0 upwards".to_owned()),
    }
}

fn param(text: &str) -> Result<(String, Value), String> {
    let (key, json) = text.split_once('=').ok_or("write it KEY=JSON, as in top_p=0.9")?;
    if key.is_empty() {
        return Err("the key before '=' is missing: write it KEY=JSON, as in top_p=0.9".to_owned());
    }
    let value = serde_json::from_str(json).map_err(|error| {
        format!("'{json}' is not JSON ({error}); a text needs its quotes, as in '{key}=\"text\"'")
    })?;
    Ok((key.to_owned(), value))
}
