//! What the requests of a run said, as the plan in the document describes it.

use serde::Deserialize;
use serde::Serialize;

/// The prompts of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptsInfo {
    /// `given` on the command line, `file`, `mix`, `synthetic` or `replay`.
    pub source: String,
    /// The sets of a mix; one of every other source.
    pub sets: Vec<PromptSetInfo>,
    /// Whether each set was sent each time through in another order.
    pub shuffled: bool,
    /// Whether each request had a mark of its own before its words.
    pub unique: bool,
    /// Turns of each conversation; 1 where requests knew nothing of one another.
    pub turns: u64,
    /// What orders, made-up prompts and marks grew from; `None` where nothing was drawn.
    pub seed: Option<u64>,
}

/// A set of prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptSetInfo {
    /// Its share of the requests is this, divided by the weights of all sets.
    pub weight: u64,
    /// The model that a mix names for it.
    pub model: Option<String>,
    /// How many prompts it has.
    pub prompts: u64,
    /// Average length of a request's body in bytes, without turns before it and marks.
    pub body_bytes_avg: f64,
    /// The lengths of made-up prompts, as they were asked for.
    pub synthetic: Option<String>,
    /// SHA-256 of the bodies in their order, each after its length as 8 bytes.
    pub sha256: String,
}

impl PromptsInfo {
    /// In a few words: `1 200 prompts, shuffled, each unique`.
    pub fn told(&self) -> String {
        use crate::units::grouped;
        let count: u64 = self.sets.iter().map(|set| set.prompts).sum();
        let mut told = format!("{} prompt{}", grouped(count), if count == 1 { "" } else { "s" });
        let sets = self.sets.len();
        if sets > 1 {
            told = format!("{told} in {sets} sets");
        }
        let traits = [(self.shuffled, "shuffled"), (self.unique, "each request unique")];
        traits.iter().filter(|(holds, _)| *holds).for_each(|(_, word)| told = format!("{told}, {word}"));
        if self.turns > 1 {
            told = format!("{told}, conversations of {} turns", self.turns);
        }
        told
    }
}
