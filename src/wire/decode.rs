//! The way from bytes to events: a stream as it arrives, or a whole reply at once.

use std::mem;

use super::json::mend;
use super::printable::excerpt;
use super::sse::{self, Frame};
use super::{Delta, Dialect, Event, WireError, chat, complete, messages, responses};

/// Turns the bytes of a streamed answer into [`Event`]s, however they are cut into chunks.
#[derive(Debug)]
pub struct StreamDecoder {
    /// Splits the bytes into frames.
    frames: sse::Decoder,
    /// Makes events of the frames.
    answer: Answer,
}

impl StreamDecoder {
    /// A decoder for one answer, with the usual cap on the size of an event.
    pub fn new(dialect: Dialect) -> Self {
        Self::with_limit(dialect, sse::DEFAULT_LIMIT)
    }

    /// A decoder for one answer that refuses an event of more than `limit` bytes.
    pub fn with_limit(dialect: Dialect, limit: usize) -> Self {
        Self { frames: sse::Decoder::new(limit), answer: Answer::new(dialect) }
    }

    /// Reads a chunk and hands out every event that it completes; with [`Dialect::Raw`] the chunk itself.
    ///
    /// The model and the id are handed out once, as is the end of the answer.
    ///
    /// # Errors
    ///
    /// [`WireError::Json`] where an event is no JSON, [`WireError::EventTooLarge`] as soon as one has grown over the
    /// cap. What came before was handed out; the decoder is of no use after it.
    pub fn feed(&mut self, chunk: &[u8], emit: &mut impl FnMut(Event<'_>)) -> Result<(), WireError> {
        let Self { frames, answer } = self;
        if answer.dialect == Dialect::Raw {
            answer.chunk(chunk, emit);
            return Ok(());
        }
        let mut outcome = Ok(());
        let framed = frames.feed(chunk, &mut |frame| {
            if outcome.is_ok() {
                outcome = answer.frame(frame, emit);
            }
        });
        // The event that is no JSON came before the one that is too large.
        outcome.and(framed)
    }

    /// Tells the decoder that the bytes have ended cleanly, which is the end of a [`Dialect::Raw`] answer.
    ///
    /// An event that no blank line ended is taken only where it is whole and ends the answer, well or with an error.
    ///
    /// # Errors
    ///
    /// None so far; the signature leaves room for a dialect whose end can be broken.
    pub fn finish(&mut self, emit: &mut impl FnMut(Event<'_>)) -> Result<(), WireError> {
        let Self { frames, answer } = self;
        if answer.dialect == Dialect::Raw {
            answer.tell(Event::Terminal, emit);
        }
        frames.finish(&mut |frame| answer.last_frame(frame, emit));
        Ok(())
    }

    /// How many events other than signs of life have been handed out; none means that no answer was recognised.
    pub const fn events(&self) -> u64 {
        self.answer.events
    }
}

/// Reads a whole reply and hands out its events, [`Event::Terminal`] last; an error inside a success is an
/// [`Event::Error`] without an end.
///
/// # Errors
///
/// [`WireError::Json`] where the body is no JSON, [`WireError::NotTheDialect`] where it is another kind of JSON.
pub fn decode_whole(
    dialect: Dialect,
    body: &[u8],
    emit: &mut impl FnMut(Event<'_>),
) -> Result<(), WireError> {
    let body =
        if dialect == Dialect::Raw { body } else { body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body) };
    let recognised = mending(body, &mut |body| match dialect {
        Dialect::Messages => messages::whole(body, emit),
        Dialect::Chat => chat::whole(body, emit),
        Dialect::Responses => responses::whole(body, emit),
        Dialect::Complete => complete::whole(body, emit),
        Dialect::Raw => {
            let mut answer = Answer::new(Dialect::Raw);
            answer.chunk(body, emit);
            answer.tell(Event::Terminal, emit);
            Ok(true)
        }
    })?;
    if recognised {
        return Ok(());
    }
    Err(WireError::NotTheDialect { dialect: dialect.name(), excerpt: excerpt(body) })
}

/// Reads JSON, and where it is broken in a way that can be mended, reads it once more; a reader that fails has handed
/// out nothing.
fn mending<T>(bytes: &[u8], read: &mut impl FnMut(&[u8]) -> Result<T, WireError>) -> Result<T, WireError> {
    read(bytes).or_else(|error| match mend(bytes) {
        Some(mended) => read(&mended).map_err(|_| error),
        None => Err(error),
    })
}

/// One answer as it comes to be known.
#[derive(Debug)]
struct Answer {
    /// How the events are to be read.
    dialect: Dialect,
    /// What the Responses dialect must remember between events.
    responses: responses::Reader,
    /// Whether the model has been named.
    model_told: bool,
    /// Whether the id has been told.
    id_told: bool,
    /// Whether the end has been told; some relays add a second one.
    ended: bool,
    /// How many events other than signs of life have been told.
    events: u64,
}

impl Answer {
    /// An answer of which nothing is known.
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            responses: responses::Reader::default(),
            model_told: false,
            id_told: false,
            ended: false,
            events: 0,
        }
    }

    /// Hands out a chunk of an answer without a form.
    fn chunk(&mut self, chunk: &[u8], emit: &mut impl FnMut(Event<'_>)) {
        if !chunk.is_empty() {
            self.tell(Event::Delta(Delta::Bytes(chunk)), emit);
        }
    }

    /// Hands out what a frame says.
    fn frame(&mut self, frame: Frame<'_>, emit: &mut impl FnMut(Event<'_>)) -> Result<(), WireError> {
        match frame {
            Frame::Comment => {
                self.tell(Event::Ping, emit);
                Ok(())
            }
            Frame::Event { name, data } | Frame::Unterminated { name, data } => self.data(name, data, emit),
        }
    }

    /// Hands out what the frame says that the end of the bytes cut off, if it is the answer's last word.
    fn last_frame(&mut self, frame: Frame<'_>, emit: &mut impl FnMut(Event<'_>)) {
        let mut trial = Self::new(self.dialect);
        let mut last_word = false;
        let read = trial.frame(frame, &mut |event| {
            last_word |= matches!(event, Event::Terminal | Event::Error(_));
        });
        if read.is_ok() && last_word {
            // The trial has shown that this frame can be read.
            let _ = self.frame(frame, emit);
        }
    }

    /// Hands out what an event of the stream says.
    fn data(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), WireError> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            // Gateways add this end of the chat dialect to the others, whose own end is the one that counts.
            if self.dialect == Dialect::Chat {
                self.tell(Event::Terminal, emit);
            }
            return Ok(());
        }
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let mut reader = mem::take(&mut self.responses);
        let dialect = self.dialect;
        let tell = &mut |event: Event<'_>| self.tell(event, emit);
        let read = mending(data, &mut |data| match dialect {
            Dialect::Messages => messages::event(name, data, tell),
            Dialect::Chat => chat::event(name, data, tell),
            Dialect::Responses => reader.event(name, data, tell),
            Dialect::Complete => complete::event(name, data, tell),
            Dialect::Raw => Ok(()),
        });
        self.responses = reader;
        read
    }

    /// Hands out an event, unless it repeats what can be said only once.
    fn tell(&mut self, event: Event<'_>, emit: &mut impl FnMut(Event<'_>)) {
        let told = match event {
            Event::Model(_) => mem::replace(&mut self.model_told, true),
            Event::Id(_) => mem::replace(&mut self.id_told, true),
            Event::Terminal => mem::replace(&mut self.ended, true),
            _ => false,
        };
        if !told {
            self.events += u64::from(!matches!(event, Event::Ping));
            emit(event);
        }
    }
}

#[cfg(test)]
mod tests;
