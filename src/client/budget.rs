//! The budget of retries over all requests of a run, so that a relay in trouble is not given more of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a request counts: the window of Finagle's and tower's retry budgets.
const WINDOW: Duration = Duration::from_secs(10);
/// The share of the window's requests that may be tried again (the same default).
const SHARE: u64 = 5;
/// Retries a second that are always allowed, so that a few requests are not denied theirs.
const FLOOR: u64 = 3;

/// Retries at most a fifth of the requests of the last ten seconds, and three a second in any case.
///
/// It is shared by all clients of a run, and asked only before an attempt that costs something: a wait that the relay asked
/// for adds nothing to its load.
#[derive(Debug)]
pub struct Budget {
    origin: Instant,
    window: Mutex<Window>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { origin: Instant::now(), window: Mutex::default() }
    }
}

impl Budget {
    /// A new request begins.
    pub(super) fn earn(&self) {
        self.with(Window::earn);
    }

    /// Whether a request may be tried again; if so, it counts.
    pub(super) fn spend(&self) -> bool {
        self.with(Window::spend)
    }

    fn with<R>(&self, act: impl FnOnce(&mut Window, u64) -> R) -> R {
        let second = self.origin.elapsed().as_secs();
        act(&mut self.window.lock().unwrap_or_else(PoisonError::into_inner), second)
    }
}

/// What happened in each second of the window.
#[derive(Debug, Default)]
struct Window {
    seconds: VecDeque<Counts>,
    requests: u64,
    retries: u64,
}

#[derive(Debug)]
struct Counts {
    second: u64,
    requests: u64,
    retries: u64,
}

impl Window {
    fn earn(&mut self, second: u64) {
        self.at(second).requests += 1;
        self.requests += 1;
    }

    fn spend(&mut self, second: u64) -> bool {
        self.at(second);
        let may = self.retries < FLOOR * WINDOW.as_secs() + self.requests / SHARE;
        if may {
            self.at(second).retries += 1;
            self.retries += 1;
        }
        may
    }

    /// The counts of a second, after those that have left the window are forgotten.
    fn at(&mut self, second: u64) -> &mut Counts {
        while self.seconds.front().is_some_and(|counts| counts.second + WINDOW.as_secs() <= second) {
            let old = self.seconds.pop_front().expect("it was looked at");
            self.requests -= old.requests;
            self.retries -= old.retries;
        }
        if self.seconds.back().is_none_or(|counts| counts.second < second) {
            self.seconds.push_back(Counts { second, requests: 0, retries: 0 });
        }
        self.seconds.back_mut().expect("one was put there if there was none")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many retries are granted in a second out of so many asked for.
    fn granted(window: &mut Window, second: u64, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(window.spend(second))).sum()
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_tried_again_beside_a_few() {
        let mut window = Window::default();
        assert_eq!(granted(&mut window, 0, 100), 30);
        (0..1000).for_each(|_| window.earn(1));
        assert_eq!(granted(&mut window, 1, 1000), 200);
        assert_eq!(granted(&mut window, 9, 100), 0);
        // The first thirty have left the window, the thousand requests have not.
        assert_eq!(granted(&mut window, 10, 100), 30);
        assert_eq!(granted(&mut window, 11, 100), 0);
        assert_eq!(granted(&mut window, 1000, 100), 30);
    }

    proptest! {
        #[test]
        fn in_no_window_are_more_tried_again_than_its_share_and_floor(
            steps in proptest::collection::vec((0_u64..3, 0_u32..50, 0_u32..50), 1..60),
        ) {
            let (mut window, mut second, mut all) = (Window::default(), 0, Vec::new());
            for (pause, requests, asked) in steps {
                second += pause;
                (0..requests).for_each(|_| window.earn(second));
                all.push((second, requests, granted(&mut window, second, asked)));
            }
            for (last, ..) in &all {
                let within = all.iter().filter(|(at, ..)| at <= last && at + 10 > *last);
                let (requests, retries) = within.fold((0, 0), |sum, (_, requests, retries)| (sum.0 + requests, sum.1 + retries));
                // Requests that came before the retries may have left the window meanwhile: at most one window of them.
                let before: u32 = all.iter().filter(|(at, ..)| at <= last && at + 20 > *last).map(|(_, requests, _)| requests).sum();
                prop_assert!(retries <= 30 + before.max(requests) / 5);
            }
        }
    }
}
