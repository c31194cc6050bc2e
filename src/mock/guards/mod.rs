//! What a request must be like to be let in: the guards of the relay, which a real one has in front of its answers.

mod coding;

pub use coding::{AcceptEncoding, UnknownCoding};

/// The guards that stand before the answers; none stands unless it is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    /// The content codings of request bodies that are undone.
    pub accept_encoding: AcceptEncoding,
}
