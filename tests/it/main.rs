//! The one integration binary: everything that can be seen from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
#[cfg(unix)]
mod asked;
mod attachments;
mod batch;
mod baton;
mod bench;
mod bounds;
mod cache;
mod check;
mod compare;
mod completions;
mod compress;
mod config;
mod connect;
mod crash;
mod credentials;
mod direct;
mod edges;
mod extract;
mod flags;
mod front;
mod golden;
mod guards;
mod input;
mod limit;
mod lines;
mod log;
mod mock;
mod models;
mod oauth;
mod oauth_faults;
mod oauth_secrets;
mod open;
mod papers;
mod prompts;
mod route;
mod secrets;
mod selftest;
mod send;
mod service_token;
mod shards;
mod sign;
mod signals;
mod stream;
mod sync;
mod terminal;
mod tls;
mod token_times;
mod verdicts;
mod zones;
