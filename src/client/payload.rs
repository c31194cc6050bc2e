//! The body of a call, packed at most once however often it is sent.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::net::Compressor;

/// A body, and what it becomes when it is compressed.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload {
    plain: Bytes,
    /// `None` inside where compression is not worth it. A process has one compressor, so that one answer is enough.
    packed: OnceLock<Option<Bytes>>,
}

impl Payload {
    /// A body as it is encoded.
    pub(super) fn new(plain: Bytes) -> Self {
        Self { plain, packed: OnceLock::new() }
    }

    /// The body as it is encoded.
    pub(super) fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The body as it leaves compressed, where that is worth it.
    pub(super) fn packed(&self, compressor: &Compressor) -> Option<&Bytes> {
        self.packed.get_or_init(|| compressor.pack(&self.plain)).as_ref()
    }
}
