//! The file of `--mix`: a line for each part of the traffic, with its model, its prompts and its weight.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::Usage;

use super::synthetic::Synthetic;

/// The largest sum of weights: a round of so many requests has exactly the shares.
const MOST: u64 = 1_000_000;

/// What a line looks like.
const HINT: &str = r#"each line is {"weight": 3, "model": "…", "prompts": "FILE"}, or with "prompt" or "synthetic" for "prompts""#;

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    weight: u64,
    model: Option<String>,
    prompts: Option<PathBuf>,
    prompt: Option<String>,
    synthetic: Option<String>,
}

/// One part of a mix.
#[derive(Debug)]
pub(super) struct Ingredient {
    pub(super) weight: u64,
    /// The model that its prompts ask for, unless they name their own.
    pub(super) model: Option<String>,
    pub(super) source: Source,
    /// Where it stands, for the words of a refusal.
    pub(super) place: String,
}

/// Where prompts come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Files of rows.
    Files(Vec<PathBuf>),
    /// One prompt.
    Text(String),
    /// They are made up.
    Synthetic(Synthetic),
}

/// Reads a mix; a mistake is refused with its line. Files are named from where the mix is.
pub(super) fn read(path: &Path) -> Result<Vec<Ingredient>, Usage> {
    let refuse =
        |place: &str, what: String| Usage::new(format!("--mix {}{place}: {what}", path.display())).hint(HINT);
    let text = fs::read_to_string(path).map_err(|error| refuse("", error.to_string()))?;
    let mut parts = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let refuse = |what: String| refuse(&format!(" line {number}"), what);
        let entry: Entry = serde_json::from_str(line).map_err(|error| refuse(error.to_string()))?;
        if entry.weight == 0 {
            return Err(refuse("its weight is 0".to_owned()));
        }
        let source = match (entry.prompts, entry.prompt, entry.synthetic) {
            (Some(file), None, None) => {
                Source::Files(vec![path.parent().map_or_else(|| file.clone(), |folder| folder.join(&file))])
            }
            (None, Some(text), None) => Source::Text(text),
            (None, None, Some(lengths)) => Source::Synthetic(lengths.parse().map_err(refuse)?),
            _ => return Err(refuse("it needs one of prompts, prompt and synthetic".to_owned())),
        };
        let place = format!("--mix {} line {number}", path.display());
        parts.push(Ingredient { weight: entry.weight, model: entry.model, source, place });
    }
    if parts.is_empty() {
        return Err(refuse("", "it has no line".to_owned()));
    }
    let sum = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.weight));
    if sum > MOST {
        return Err(refuse("", format!("its weights add up to {sum}, more than {MOST}")));
    }
    Ok(parts)
}
