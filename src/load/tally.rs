//! How many requests ended in each class, and how the first failure of a class looked.

use std::ops::Index;
use std::time::Duration;

use crate::outcome::Class;

/// How many requests ended in each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts([u64; Class::ALL.len()]);

impl ClassCounts {
    /// Counts one more request of a class.
    pub fn count(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Classes that occurred and how often, in the order of reports.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        Class::ALL.into_iter().map(|class| (class, self[class])).filter(|(_, count)| *count > 0)
    }

    /// Requests in a successful class.
    pub fn ok(&self) -> u64 {
        self.iter().filter(|(class, _)| class.is_ok()).map(|(_, count)| count).sum()
    }

    /// Requests in a failed class; cancelled ones are neither.
    pub fn failures(&self) -> u64 {
        self.iter().filter(|(class, _)| class.is_failure()).map(|(_, count)| count).sum()
    }
}

impl Index<Class> for ClassCounts {
    type Output = u64;

    fn index(&self, class: Class) -> &u64 {
        &self.0[class as usize]
    }
}

/// The first request of a level that failed in its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: Class,
    /// What that request said.
    pub message: String,
    /// When it ended, counted from the start of the level, warm-up included.
    pub after: Duration,
    /// How long the relay asked to wait, where it did.
    pub retry_after: Option<Duration>,
}
