//! The embedded relay: it plays both vendors' APIs over real sockets, paces its answers exactly, and misbehaves on request.
//!
//! A [`Spec`] says how it answers (times, lengths, places, faults), It shares no code with the client that it tests: it writes
//! its own JSON and its own events. [`faults`] lists what a model's name can provoke.

mod faults;
mod pace;
mod spec;

pub use faults::Fault;
pub use faults::faults;
pub use pace::Distribution;
pub use spec::FaultRate;
pub use spec::Spec;
pub use spec::SpecError;
