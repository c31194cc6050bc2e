//! Thresholds held against the levels of a run: which hold, which failed, and which the run cannot decide.

use super::criterion::Criterion;
use super::criterion::Finding;
use super::summary::Summary;
use super::verdict::Verdict;

/// What became of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// What it forbids was not seen.
    Holds,
    /// What it forbids was seen.
    Failed,
    /// Nothing was seen that decides it, or the client was the bottleneck and the figures are not the relay's.
    Undecided,
}

/// A threshold at one level.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The level.
    pub level: &'a Summary,
    /// Whether what the threshold forbids was seen.
    pub finding: Finding,
    /// What follows from that.
    pub standing: Standing,
}

/// A threshold over all levels that it is about.
#[derive(Debug, Clone)]
pub struct Ruling<'a> {
    /// What is forbidden.
    pub criterion: &'a Criterion,
    /// One entry a level.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Ruling<'a> {
    /// Holds a threshold against the levels of a run.
    pub fn of(criterion: &'a Criterion, levels: &'a [Summary]) -> Self {
        let row = |level: &'a Summary| {
            let finding = criterion.judge(level);
            let standing = match finding.is_true {
                _ if level.verdict == Verdict::ClientBound => Standing::Undecided,
                Some(true) => Standing::Failed,
                Some(false) => Standing::Holds,
                None => Standing::Undecided,
            };
            Row { level, finding, standing }
        };
        Self { criterion, rows: levels.iter().filter(|level| criterion.concerns(level)).map(row).collect() }
    }

    /// The worst standing of any level; undecided where the run did not come to any.
    pub fn standing(&self) -> Standing {
        self.rows.iter().map(|row| row.standing).max().unwrap_or(Standing::Undecided)
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::empty;
    use super::*;

    fn levels() -> Vec<Summary> {
        let level = |concurrency, errors| Summary { concurrency, requests: 100, errors, ..empty() };
        vec![level(50, 0), level(100, 3)]
    }

    fn standing(text: &str, levels: &[Summary]) -> Standing {
        Ruling::of(&Criterion::threshold(text).unwrap(), levels).standing()
    }

    #[test]
    fn a_threshold_fails_by_its_worst_level_or_by_the_one_that_it_names() {
        assert_eq!(standing("error_rate > 1%", &levels()), Standing::Failed);
        assert_eq!(standing("error_rate > 1% @c=50", &levels()), Standing::Holds);
        assert_eq!(standing("error_rate > 3%", &levels()), Standing::Holds);
    }

    #[test]
    fn what_was_not_measured_or_not_to_be_trusted_decides_nothing() {
        assert_eq!(standing("error_rate > 1% @c=200", &levels()), Standing::Undecided);
        assert_eq!(standing("latency.avg > 1s", &levels()), Standing::Undecided);
        let mut busy = levels();
        busy[0].verdict = Verdict::ClientBound;
        assert_eq!(standing("error_rate > 1%", &busy), Standing::Undecided);
        assert_eq!(standing("error_rate > 1% @c=100", &busy), Standing::Failed);
    }
}
