//! Bytes between the reader, which must not block, and the thread that writes: they gather while the disk is slow.

use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Bytes that gather before they are handed over, or before the reader is held back: so many that a core that reads and
/// writes by turns seldom has to change, and so few that they stay in its own cache meanwhile.
pub(super) const MOST: usize = 256 * 1024;

/// A buffer that has grown larger than this is not used again.
const LARGEST_KEPT: usize = 1024 * 1024;

/// Where the one leaves what the other takes, all at once.
#[derive(Debug, Default)]
pub(super) struct Handover {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Nothing more comes.
    ended: bool,
    /// Nothing more is taken.
    left: bool,
}

impl Handover {
    /// Leaves the bytes of a buffer, once there is room, and empties it; breaks when nothing is taken any more.
    pub(super) async fn put(&self, buffer: &mut Vec<u8>) -> ControlFlow<()> {
        while !self.fits(buffer)? {
            self.emptied.notified().await;
        }
        ControlFlow::Continue(())
    }

    /// Leaves them if there is room.
    fn fits(&self, buffer: &mut Vec<u8>) -> ControlFlow<(), bool> {
        let mut state = self.lock();
        if state.left {
            return ControlFlow::Break(());
        }
        if state.bytes.is_empty() {
            std::mem::swap(&mut state.bytes, buffer);
            self.filled.notify_one();
        } else if state.bytes.len() + buffer.len() <= MOST {
            state.bytes.append(buffer);
        } else {
            return ControlFlow::Continue(false);
        }
        ControlFlow::Continue(true)
    }

    /// Leaves the last bytes.
    pub(super) fn end(&self, mut rest: Vec<u8>) {
        let mut state = self.lock();
        state.bytes.append(&mut rest);
        state.ended = true;
        self.filled.notify_one();
    }

    /// Waits for bytes and takes all of them in place of what was in the buffer; there are none once nothing more comes.
    pub(super) fn take(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        if buffer.capacity() > LARGEST_KEPT {
            *buffer = Vec::new();
        }
        let mut state = self.lock();
        while state.bytes.is_empty() && !state.ended {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.bytes, buffer);
        self.emptied.notify_one();
    }

    /// What tells the reader, when it is dropped, that nothing is taken any more.
    pub(super) fn taker(&self) -> Taker<'_> {
        Taker(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever takes bytes, for as long as that is done.
pub(super) struct Taker<'a>(&'a Handover);

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        self.0.lock().left = true;
        self.0.emptied.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn everything_arrives_in_order_and_a_slow_taker_holds_the_reader_back() {
        let handover = Arc::new(Handover::default());
        let piece = |number: u8| vec![number; MOST / 2];
        for number in 0..2 {
            assert!(handover.put(&mut piece(number)).await.is_continue());
        }
        assert_eq!(handover.fits(&mut piece(2)), ControlFlow::Continue(false));
        let taker = thread::spawn({
            let handover = Arc::clone(&handover);
            move || {
                let (mut all, mut buffer) = (Vec::new(), Vec::new());
                loop {
                    handover.take(&mut buffer);
                    if buffer.is_empty() {
                        return all;
                    }
                    all.extend_from_slice(&buffer);
                }
            }
        });
        for number in 2..9 {
            assert!(handover.put(&mut piece(number)).await.is_continue());
        }
        handover.end(vec![9]);
        let all = taker.join().unwrap();
        assert!(all.is_sorted());
        assert_eq!(all.len(), 9 * (MOST / 2) + 1);
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_told_when_nothing_is_taken_any_more() {
        let handover = Arc::new(Handover::default());
        let mut pieces = [vec![0; MOST], vec![0; MOST]];
        assert!(handover.put(&mut pieces[0]).await.is_continue());
        let other = Arc::clone(&handover);
        let (broken, ()) = tokio::join!(handover.put(&mut pieces[1]), async move { drop(other.taker()) });
        assert!(broken.is_break());
    }
}
