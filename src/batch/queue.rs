//! Rows on their way from the reader, which is a thread that blocks, to the users that send them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A bounded queue that wakes its blocked reader once for many rows: a wake-up of a thread costs as much as a request.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Rows that it holds at most.
    most: usize,
    /// The reader waits here while the queue is full.
    room: Condvar,
    /// The users wait here while it is empty.
    filled: Notify,
}

#[derive(Debug)]
struct State<T> {
    rows: VecDeque<T>,
    /// Nothing more comes.
    ended: bool,
    /// Nobody takes what is here.
    left: bool,
}

impl<T> Queue<T> {
    /// A queue of at most so many rows.
    pub(super) fn new(most: usize) -> Self {
        let rows = VecDeque::with_capacity(most);
        let state = Mutex::new(State { rows, ended: false, left: false });
        Self { state, most, room: Condvar::new(), filled: Notify::new() }
    }

    /// Waits for room and adds a row; gives it back where nobody will take it any more.
    pub(super) fn push(&self, row: T) -> Result<(), T> {
        let mut state = self.lock();
        while state.rows.len() >= self.most && !state.left {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.left {
            return Err(row);
        }
        state.rows.push_back(row);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Tells that nothing more comes.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_one();
    }

    /// What tells the reader, when it is dropped, that nobody takes anything any more.
    pub(super) fn taker(self: &Arc<Self>) -> Taker<T> {
        Taker(Arc::clone(self))
    }

    /// Takes the next row; `None` once there will be none.
    ///
    /// Cancel safe: a row is taken only by the call that returns it.
    pub(super) async fn pop(&self) -> Option<T> {
        loop {
            {
                let mut state = self.lock();
                let row = state.rows.pop_front();
                if state.rows.len() == self.most / 2 {
                    self.room.notify_one();
                }
                if !state.rows.is_empty() || state.ended {
                    // One notice is kept for any number of rows, so that each who takes one passes it on.
                    self.filled.notify_one();
                }
                if row.is_some() || state.ended {
                    return row;
                }
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever takes rows, for as long as that is done; a thread that panics does so no more.
pub(super) struct Taker<T>(Arc<Queue<T>>);

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.left = true;
        state.rows.clear();
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn every_row_comes_out_once_whoever_takes_it() {
        let queue = Arc::new(Queue::new(4));
        let users = [(); 3].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let task = |queue: Arc<Queue<u32>>| async move {
                        let mut taken = Vec::new();
                        while let Some(row) = queue.pop().await {
                            taken.push(row);
                            tokio::task::yield_now().await;
                        }
                        taken
                    };
                    let (one, other) = tokio::join!(task(Arc::clone(&queue)), task(queue));
                    [one, other].concat()
                })
            })
        });
        for row in 0..2000 {
            queue.push(row).unwrap();
        }
        queue.end();
        let mut taken = users.map(|user| user.join().unwrap()).concat();
        taken.sort_unstable();
        assert!(taken.into_iter().eq(0..2000));
    }

    #[test]
    fn a_reader_is_let_go_when_nobody_takes_its_rows() {
        let queue = Arc::new(Queue::new(1));
        queue.push(1).unwrap();
        let reader = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(2)
        });
        drop(queue.taker());
        assert_eq!(reader.join().unwrap(), Err(2));
    }
}
