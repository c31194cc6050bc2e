//! The chunks of a body as one piece; what came in one is not copied.

use std::mem;
use std::ops::Deref;

use bytes::{Bytes, BytesMut};

/// Chunks that follow one another.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// The only one so far.
    one: Bytes,
    /// Copies of all, once there are several.
    many: BytesMut,
}

impl Joined {
    /// Adds the next one.
    pub(super) fn add(&mut self, chunk: Bytes) {
        if self.is_empty() {
            self.one = chunk;
            return;
        }
        if self.many.is_empty() {
            self.many.extend_from_slice(&mem::take(&mut self.one));
        }
        self.many.extend_from_slice(&chunk);
    }

    /// All of them in one piece.
    pub(super) fn freeze(self) -> Bytes {
        if self.many.is_empty() { self.one } else { self.many.freeze() }
    }
}

impl Deref for Joined {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.many.is_empty() { &self.one } else { &self.many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_in_order_and_a_single_one_stays_where_it_is() {
        let (empty, first) = (Bytes::new(), Bytes::from_static(b"first"));
        let mut joined = Joined::default();
        joined.add(empty.clone());
        joined.add(first.clone());
        assert_eq!(joined.as_ptr(), first.as_ptr());
        for chunk in [b", ".as_slice(), b"second", b""] {
            joined.add(Bytes::from_static(chunk));
        }
        assert_eq!(&*joined, b"first, second");
        assert_eq!(joined.freeze(), "first, second");
        assert!(Joined::default().freeze().is_empty());
    }
}
