//! The relay's finite number of places, with a queue in order of arrival.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// All places, shared by the relay's threads.
#[derive(Debug)]
pub(crate) struct Slots {
    /// `None` means that there is room for everyone. Tokio's semaphore is fair: first come, first served.
    places: Option<Arc<Semaphore>>,
    /// How many wait.
    queued: AtomicU64,
}

/// A place; dropping it lets the next in.
pub(crate) type Place = Option<OwnedSemaphorePermit>;

/// Counts one that waits, however its wait ends.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn at(queued: &'a AtomicU64) -> Self {
        queued.fetch_add(1, Ordering::Relaxed);
        Self(queued)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slots {
    /// So many places, or room without a limit.
    pub(crate) fn new(places: Option<usize>) -> Self {
        let places = places.map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))));
        Self { places, queued: AtomicU64::new(0) }
    }

    /// How many wait for a place.
    pub(crate) fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Waits in line for a place.
    pub(crate) async fn take(&self) -> Place {
        let places = self.places.as_ref()?;
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        let _waiting = Waiting::at(&self.queued);
        Some(Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;
    use std::task::Poll;
    use std::task::Waker;

    use super::*;

    #[test]
    fn those_who_wait_are_let_in_in_order_of_arrival() {
        let slots = Slots::new(Some(1));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = pin!(slots.take()).poll(&mut cx) else { panic!("there is a place") };
        let (mut second, mut third) = (pin!(slots.take()), pin!(slots.take()));
        assert!(second.as_mut().poll(&mut cx).is_pending() && third.as_mut().poll(&mut cx).is_pending());
        assert_eq!(slots.queued(), 2);
        drop(first);
        assert!(third.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(place) = second.as_mut().poll(&mut cx) else { panic!("the second is next") };
        drop(place);
        assert!(third.as_mut().poll(&mut cx).is_ready());
        assert_eq!(slots.queued(), 0);
    }

    #[test]
    fn one_that_leaves_the_queue_keeps_nobody_waiting() {
        let slots = Slots::new(Some(1));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = pin!(slots.take()).poll(&mut cx) else { panic!("there is a place") };
        {
            let mut leaver = pin!(slots.take());
            assert!(leaver.as_mut().poll(&mut cx).is_pending());
        }
        let mut third = pin!(slots.take());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(third.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let slots = Slots::new(None);
        let mut cx = Context::from_waker(Waker::noop());
        assert!((0..100).all(|_| pin!(slots.take()).poll(&mut cx).is_ready()));
    }
}
