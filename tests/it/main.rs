//! The one integration binary: everything that can be seen from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod baton;
mod bench;
mod connect;
mod front;
mod golden;
mod input;
mod mock;
mod secrets;
mod send;
mod tls;
