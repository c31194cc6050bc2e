//! What probes in a row brought: whether they reach an endpoint, and whether nothing answers them any more.

use std::time::Duration;

use super::rules::{PROBE_RUN, PROBE_TIMEOUT, SILENCE, SILENCE_NEWS, SILENCE_PROBES};

/// Probes in a row that failed, and that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    failed: u32,
    passed: u32,
    /// Since when as many as count have failed, and not passed since.
    down_since: Option<Duration>,
}

impl Run {
    /// Counts one more.
    pub(super) fn count(&mut self, now: Duration, passed: bool) {
        if passed {
            (self.passed, self.failed) = (self.passed.saturating_add(1), 0);
        } else {
            (self.failed, self.passed) = (self.failed.saturating_add(1), 0);
        }
        if self.failed >= PROBE_RUN {
            self.down_since.get_or_insert(now);
        } else if self.passed >= PROBE_RUN {
            self.down_since = None;
        }
    }

    /// Whether they say that the endpoint is down.
    pub(super) fn is_down(&self) -> bool {
        self.down_since.is_some()
    }

    /// Whether they say that it is up, and not for want of another word.
    pub(super) fn is_up(&self) -> bool {
        self.passed >= PROBE_RUN
    }

    /// Whether the next probes may change what is thought.
    pub(super) fn is_changing(&self) -> bool {
        if self.is_down() { self.passed > 0 } else { self.failed > 0 }
    }

    /// Takes back what failed at that time or later.
    pub(super) fn forget_since(&mut self, then: Duration) {
        if self.down_since.is_none_or(|since| since >= then) {
            (self.failed, self.down_since) = (0, None);
        }
    }
}

/// When probes began that nothing answered, of those in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Unanswered {
    first: Duration,
    /// The last ones, in a ring.
    begins: [Duration; SILENCE_PROBES],
    count: usize,
    /// When one was answered last.
    answered: Option<Duration>,
}

impl Unanswered {
    pub(super) fn add(&mut self, began: Duration) {
        if self.count == 0 {
            self.first = began;
        }
        self.begins[self.count % SILENCE_PROBES] = began;
        self.count += 1;
    }

    /// One was answered, be it with a refusal.
    pub(super) fn end(&mut self, now: Duration) {
        (self.count, self.answered) = (0, Some(now));
    }

    /// Takes them back.
    pub(super) fn forget(&mut self) {
        self.count = 0;
    }

    /// When the last one began, if they confirm a silence that began with the last byte: as many as it takes left after
    /// the silence had become one, and those that left while bytes still came were answered. Where only the way of the
    /// probes is broken they are not.
    pub(super) fn confirms(&self, last_byte: Duration) -> Option<Duration> {
        let oldest = self.begins.iter().min()?;
        let confirms = self.answered.is_some_and(|at| at + SILENCE_NEWS >= last_byte)
            && self.count >= SILENCE_PROBES
            // One that was on its way when the silence began is lost with it.
            && self.first + PROBE_TIMEOUT >= last_byte
            && *oldest >= last_byte + SILENCE;
        confirms.then(|| self.begins.iter().max().copied())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_in_a_row_change_what_is_thought() {
        let mut run = Run::default();
        for (passed, down) in [(false, false), (false, false), (true, false), (false, false), (false, false)]
        {
            run.count(SECOND, passed);
            assert_eq!(run.is_down(), down);
        }
        run.count(SECOND, false);
        assert!(run.is_down() && !run.is_changing());
        (0..2).for_each(|_| run.count(SECOND, true));
        assert!(run.is_down() && run.is_changing() && !run.is_up());
        run.count(SECOND, true);
        assert!(!run.is_down() && run.is_up());
    }

    #[test]
    fn only_what_failed_since_is_taken_back() {
        let mut run = Run::default();
        (1..=5).for_each(|second| run.count(second * SECOND, false));
        run.forget_since(4 * SECOND);
        assert!(run.is_down(), "it was down before");
        run.forget_since(2 * SECOND);
        assert!(!run.is_down());
    }

    #[test]
    fn silence_is_confirmed_by_two_probes_that_left_after_it_had_begun_and_by_no_older_ones() {
        let mut probes = Unanswered::default();
        probes.add(13 * SECOND);
        probes.add(14 * SECOND);
        assert_eq!(probes.confirms(10 * SECOND), None, "none was ever answered");
        probes.end(10 * SECOND);
        probes.add(11 * SECOND);
        probes.add(13 * SECOND);
        assert_eq!(probes.confirms(10 * SECOND), None, "one left too early");
        probes.add(14 * SECOND);
        assert_eq!(probes.confirms(10 * SECOND), Some(14 * SECOND));
        assert_eq!(probes.confirms(12 * SECOND), None, "a byte came since");
        assert_eq!(probes.confirms(20 * SECOND), None, "they are older than the silence");
        probes.end(26 * SECOND);
        (30..60).for_each(|second| probes.add(second * SECOND));
        assert_eq!(probes.confirms(40 * SECOND), None, "they failed while bytes came");
        probes.end(60 * SECOND);
        probes.add(103 * SECOND);
        probes.add(104 * SECOND);
        assert_eq!(probes.confirms(100 * SECOND), None, "that they were answered is old");
    }
}
