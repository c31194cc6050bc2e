//! The library behind the `baton` command: prompts through an LLM relay, and what that relay can bear.

pub mod batch;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod exit;
pub mod load;
pub mod mock;
pub mod net;
pub mod outcome;
pub mod report;
pub mod units;
pub mod wire;
