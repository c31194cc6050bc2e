//! A stream being played: due steps become bytes, one timer waits for the next; no task and no channel of its own.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::mock::answer::Answer;
use crate::mock::body::Chunks;
use crate::mock::body::Severed;
use crate::mock::dialect;
use crate::mock::dialect::Sse;
use crate::mock::script::Act;
use crate::mock::script::Script;
use crate::mock::script::Step;
use crate::mock::ticket::Ticket;
use crate::wire::Dialect;

/// How much may gather in memory before it is handed over.
const FRAME: usize = 16 * 1024;

/// How frames end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Between events.
    Events,
    /// Inside of characters.
    InsideCharacters,
}

/// A stream on its way.
pub(crate) struct Playback {
    /// In which grammar.
    dialect: Dialect,
    /// What is said.
    answer: Answer,
    /// The steps after `next`.
    script: Script,
    /// The step that is waited for.
    next: Option<Step>,
    /// The moment from which all steps count.
    start: Instant,
    /// The only timer, set again for each step.
    sleep: Pin<Box<Sleep>>,
    /// Events that are written and not yet a chunk.
    events: Sse,
    /// Chunks that are not yet handed over.
    chunks: Chunks,
    /// How frames end.
    writes: Writes,
    /// The request.
    ticket: Ticket,
    /// Whether the last step was played.
    is_done: bool,
}

/// What makes up a stream.
pub(crate) struct Plan {
    pub(crate) dialect: Dialect,
    pub(crate) answer: Answer,
    pub(crate) script: Script,
    pub(crate) events: Sse,
    pub(crate) writes: Writes,
}

/// What is to be done after all due steps are played.
enum Pause {
    /// Wait until the next step is due.
    Until(Instant),
    /// Enough has gathered.
    Full,
    /// Say nothing for ever.
    Hang,
    /// Drop the connection.
    Cut,
    /// Nothing is left.
    End,
}

impl Playback {
    /// A stream whose times count from now.
    pub(crate) fn new(plan: Plan, ticket: Ticket) -> Self {
        let Plan { dialect, answer, mut script, events, writes } = plan;
        let start = Instant::now();
        let next = script.next();
        Self {
            dialect,
            answer,
            script,
            next,
            start,
            sleep: Box::pin(tokio::time::sleep_until(start)),
            events,
            chunks: Chunks::default(),
            writes,
            ticket,
            is_done: false,
        }
    }

    /// Whether all was handed over.
    pub(crate) fn is_over(&self) -> bool {
        self.is_done && self.chunks.is_empty()
    }

    /// The next bytes, once they are due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Severed>>> {
        loop {
            let chunk = match self.writes {
                Writes::Events => self.chunks.pop(),
                Writes::InsideCharacters => ready!(self.chunks.poll_flushed(cx)),
            };
            if let Some(chunk) = chunk {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if self.is_done {
                return Poll::Ready(None);
            }
            let pause = self.play(Instant::now());
            if let Pause::End = pause {
                self.is_done = true;
                self.ticket.finish();
            }
            if self.gather() {
                continue;
            }
            match pause {
                Pause::Full | Pause::End => {}
                Pause::Hang => return Poll::Pending,
                Pause::Until(due) => {
                    if self.sleep.deadline() != due {
                        self.sleep.as_mut().reset(due);
                    }
                    ready!(self.sleep.as_mut().poll(cx));
                }
                Pause::Cut => {
                    ready!(self.chunks.poll_flush(cx));
                    self.ticket.sever();
                    return Poll::Ready(Some(Err(Severed)));
                }
            }
        }
    }

    /// Plays all steps that are due.
    fn play(&mut self, now: Instant) -> Pause {
        while let Some(step) = self.next {
            let due = self.ticket.thaw(self.start + step.due);
            if due > now {
                return Pause::Until(due);
            }
            if self.events.len() >= FRAME {
                return Pause::Full;
            }
            match step.act {
                Act::Hang => return Pause::Hang,
                Act::Cut => return Pause::Cut,
                act => self.perform(act, now, due),
            }
            self.next = self.script.next();
        }
        Pause::End
    }

    /// Writes one step.
    fn perform(&mut self, act: Act, now: Instant, due: Instant) {
        let Self { dialect, answer, events, .. } = self;
        match act {
            Act::Open => dialect::open(*dialect, answer, events),
            Act::Delta(k) => {
                dialect::delta(*dialect, answer, k, events);
                self.ticket.note_delta(now, due);
            }
            Act::Garbage => dialect::garbage(*dialect, events),
            Act::Ping => dialect::ping(*dialect, events),
            Act::Error => dialect::error(*dialect, answer, events),
            Act::Close => dialect::close(*dialect, answer, events),
            Act::Terminal => dialect::terminal(*dialect, answer, events),
            Act::Cut | Act::Hang => {}
        }
    }

    /// Makes chunks of what is written; says whether there was anything.
    fn gather(&mut self) -> bool {
        if self.events.len() == 0 {
            return false;
        }
        let bytes = self.events.take();
        match self.writes {
            Writes::Events => self.chunks.push(bytes),
            Writes::InsideCharacters => self.chunks.push_split(bytes),
        }
        true
    }
}
