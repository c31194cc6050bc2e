//! Polls a request so that its panic becomes a failure of that request alone.

use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::Poll;

/// How a guarded future came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// It waited for something at least once.
    Waited,
    /// It was ready at once, so nobody else had a turn.
    AtOnce,
    /// It panicked with this message.
    Panicked(String),
}

/// Runs a future to its end and catches its panic. It is taken where it stands, for it is large and moving it costs.
pub(super) async fn guarded(mut future: Pin<&mut impl Future<Output = ()>>) -> Finish {
    let mut waited = false;
    poll_fn(|context| {
        // What the future shares with others is replaced after a panic, so no broken state is seen.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => {
                waited = true;
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(if waited { Finish::Waited } else { Finish::AtOnce }),
            Err(payload) => Poll::Ready(Finish::Panicked(panic_text(payload.as_ref()))),
        }
    })
    .await
}

/// What a panic said.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_before_and_after_the_first_wait() {
        let code = 7;
        assert_eq!(guarded(pin!(async { panic!("early {code}") })).await, Finish::Panicked("early 7".into()));
        let late = async {
            tokio::task::yield_now().await;
            panic!("late");
        };
        assert_eq!(guarded(pin!(late)).await, Finish::Panicked("late".into()));
    }

    #[tokio::test]
    async fn a_future_that_never_waits_is_told_from_one_that_does() {
        assert_eq!(guarded(pin!(async {})).await, Finish::AtOnce);
        assert_eq!(guarded(pin!(tokio::task::yield_now())).await, Finish::Waited);
    }
}
