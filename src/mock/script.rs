//! The order of events of one stream: what happens when, faults included, decided before the first byte.

use std::time::Duration;

use crate::mock::pace::Pace;

/// The time between two pings of a stream that gives nothing else.
const PING_INTERVAL: Duration = Duration::from_millis(50);

/// One thing that happens in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// What comes before the first piece.
    Open,
    /// The piece with this number.
    Delta(u64),
    /// An event of broken JSON.
    Garbage,
    /// A sign of life.
    Ping,
    /// An error event.
    Error,
    /// What follows the last piece.
    Close,
    /// The terminal event.
    Terminal,
    /// The connection is dropped.
    Cut,
    /// Nothing ever again.
    Hang,
}

/// Something that happens, and when, counted from the start of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) due: Duration,
    pub(crate) act: Act,
}

/// What goes wrong in the course of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    None,
    /// The connection drops halfway.
    Cut,
    /// The body ends halfway.
    Eof,
    /// The terminal event is missing.
    NoDone,
    /// An error event halfway, then the end.
    Error,
    /// An error event instead of the first piece, then the end.
    ErrorFirst,
    /// Silence from halfway on.
    Stall,
    /// Only pings from halfway on.
    PingStall,
    /// An event of broken JSON halfway.
    Garbage,
}

/// The steps still to come.
#[derive(Debug)]
pub(crate) struct Script {
    /// When the pieces are due.
    pace: Pace,
    /// How many pieces there are.
    tokens: u64,
    /// What goes wrong.
    turn: Turn,
    /// When the stream opens.
    opens: Duration,
    /// The step to come.
    next: Option<Act>,
    /// When the last step was due, which what follows it at once shares.
    last: Duration,
}

impl Script {
    /// The script of an answer of `tokens` pieces that opens after `opens`.
    pub(crate) fn new(pace: Pace, tokens: u64, turn: Turn, opens: Duration) -> Self {
        Self { pace: pace.delayed(opens), tokens, turn, opens, next: Some(Act::Open), last: opens }
    }

    /// What comes after this number of pieces.
    fn after(&self, pieces: u64) -> Option<Act> {
        let is_half = pieces > 0 && pieces == (self.tokens / 2).max(1);
        match self.turn {
            Turn::ErrorFirst if pieces == 0 => Some(Act::Error),
            Turn::Cut if is_half => Some(Act::Cut),
            Turn::Eof if is_half => None,
            Turn::Error if is_half => Some(Act::Error),
            Turn::Stall if is_half => Some(Act::Hang),
            Turn::PingStall if is_half => Some(Act::Ping),
            Turn::Garbage if is_half => Some(Act::Garbage),
            _ => Some(self.piece_or_close(pieces)),
        }
    }

    const fn piece_or_close(&self, pieces: u64) -> Act {
        if pieces < self.tokens { Act::Delta(pieces) } else { Act::Close }
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let act = self.next?;
        let (due, next) = match act {
            Act::Open => (self.opens, self.after(0)),
            Act::Delta(k) => {
                let due = self.pace.due();
                self.pace.advance();
                (due, self.after(k + 1))
            }
            Act::Garbage => (self.last, Some(self.piece_or_close((self.tokens / 2).max(1)))),
            Act::Ping => (self.last + PING_INTERVAL, Some(Act::Ping)),
            Act::Close if self.tokens == 0 => (self.pace.due(), self.closing()),
            Act::Close => (self.last, self.closing()),
            Act::Terminal | Act::Hang => (self.last, None),
            Act::Error | Act::Cut => (self.pace.due(), None),
        };
        self.next = next;
        self.last = due;
        Some(Step { due, act })
    }
}

impl Script {
    /// What comes after the closing events.
    fn closing(&self) -> Option<Act> {
        (self.turn != Turn::NoDone).then_some(Act::Terminal)
    }
}

#[cfg(test)]
mod tests {
    use crate::mock::pace;
    use crate::mock::spec::Spec;

    use super::*;

    fn script(tokens: u64, turn: Turn) -> Vec<(u128, Act)> {
        let spec: Spec = "ttft=80ms,gap=20ms".parse().unwrap();
        let pace = Pace::plan(&spec, pace::random(1, 1));
        let script = Script::new(pace, tokens, turn, Duration::ZERO);
        script.take(8).map(|step| (step.due.as_millis(), step.act)).collect()
    }

    #[test]
    fn a_stream_opens_at_once_and_ends_with_its_last_piece() {
        use Act::{Close, Delta, Open, Terminal};
        let whole = [(0, Open), (80, Delta(0)), (100, Delta(1)), (100, Close), (100, Terminal)];
        assert_eq!(script(2, Turn::None), whole);
        assert_eq!(script(2, Turn::NoDone), whole[..4]);
        assert_eq!(script(0, Turn::None), [(0, Open), (80, Close), (80, Terminal)]);
    }

    #[test]
    fn faults_strike_after_half_of_the_pieces() {
        use Act::{Cut, Delta, Error, Garbage, Hang, Open, Ping};
        let half = [(0, Open), (80, Delta(0)), (100, Delta(1))];
        let with = |last: &[(u128, Act)]| [&half[..], last].concat();
        assert_eq!(script(4, Turn::Cut), with(&[(120, Cut)]));
        assert_eq!(script(4, Turn::Eof), half);
        assert_eq!(script(4, Turn::Error), with(&[(120, Error)]));
        assert_eq!(script(4, Turn::Stall), with(&[(100, Hang)]));
        assert_eq!(script(4, Turn::PingStall)[3..5], [(150, Ping), (200, Ping)]);
        assert_eq!(script(4, Turn::Garbage)[3..5], [(100, Garbage), (120, Delta(2))]);
        assert_eq!(script(4, Turn::ErrorFirst), [(0, Open), (80, Error)]);
        assert_eq!(script(1, Turn::Cut), [(0, Open), (80, Delta(0)), (100, Cut)]);
    }
}
