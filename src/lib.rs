//! The library behind the `baton` command: prompts through an LLM relay, and what that relay can bear.

pub mod mock;
pub mod outcome;
pub mod units;
pub mod wire;
