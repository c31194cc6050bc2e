//! What a request must be like to be let in: the guards of the relay, which a real one has in front of its answers.

mod address;
mod coding;
mod keys;
mod signature;

pub use address::{Addresses, Range, RangeError};
pub use coding::{AcceptEncoding, UnknownCoding};
pub use keys::Keys;
pub(crate) use signature::SignatureFault;
pub use signature::Signatures;

use std::sync::Arc;

/// The guards that stand before the answers; none stands unless it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// The content codings of request bodies that are undone.
    pub accept_encoding: AcceptEncoding,
    /// The keys of which each request needs one; a token that is good is as good as a key.
    pub keys: Option<Keys>,
    /// The addresses that requests may come from.
    pub addresses: Addresses,
    /// How prompts and requests for the list of models must be signed, if they must be.
    pub signatures: Option<Arc<Signatures>>,
}
