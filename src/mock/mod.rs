//! The embedded relay: it plays both vendors' APIs over real sockets, paces its answers exactly, and misbehaves on request.
//!
//! A [`Spec`] says how it answers (times, lengths, places, faults), [`Options`] where it listens and what it logs, and
//! [`Relay::start`] sets it going on threads of its own. It shares no code with the client that it tests: it writes
//! its own JSON and its own events. [`faults`] lists what a model's name can provoke.

mod admission;
mod answer;
mod body;
mod connection;
mod dialect;
mod duplicates;
mod failure;
mod faults;
mod freeze;
mod gateway;
mod guards;
mod helm;
mod listener;
mod log;
mod metronome;
mod mood;
mod oauth;
mod once;
mod pace;
mod plan;
mod playback;
mod rate;
mod reply;
mod request;
mod respond;
mod routes;
mod script;
mod server;
mod slots;
mod spec;
mod stats;
mod ticket;
mod words;
mod zones;

pub use faults::Fault;
pub use faults::faults;
pub use gateway::{Fate, Gateway, GatewayOptions, HELD, Habit, NO_MODEL, Personality, Sighting, Sightings};
pub use guards::{AcceptEncoding, Addresses, Guards, Keys, Range, RangeError, Signatures, UnknownCoding};
pub use mood::Connections;
pub use mood::Health;
pub use mood::Mood;
pub use mood::MoodError;
pub use oauth::{ServiceKey, TokenFault};
pub use pace::Distribution;
pub use server::Error;
pub use server::Options;
pub use server::Relay;
pub use spec::FaultRate;
pub use spec::Spec;
pub use spec::SpecError;
pub use stats::Lateness;
pub use stats::Stats;
pub use zones::ZoneNames;
pub use zones::Zones;

#[cfg(test)]
mod tests;
