//! An incremental decoder of server-sent events (WHATWG HTML, section 9.2.6) that borrows wherever it can.

use std::mem;

use memchr::memchr2;

use super::WireError;

/// The usual cap on the bytes of one event; vendors' own libraries are tested with events of megabytes.
pub const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

/// The UTF-8 byte order mark, which may open a stream once.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// One thing that a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A comment line: a sign of life without content.
    Comment,
    /// An event that its blank line ended.
    Event {
        /// The value of the last `event:` line, where it is not empty.
        name: Option<&'a [u8]>,
        /// The values of the `data:` lines, joined by line feeds; possibly empty.
        data: &'a [u8],
    },
    /// What stood in an event when the bytes ended; the standard says to drop it.
    Unterminated {
        /// As in [`Frame::Event`].
        name: Option<&'a [u8]>,
        /// As in [`Frame::Event`], possibly cut anywhere.
        data: &'a [u8],
    },
}

/// Splits a stream of bytes into [`Frame`]s, however the bytes are cut into chunks.
#[derive(Debug)]
pub struct Decoder {
    /// The cap on the bytes of one event, field names included.
    limit: usize,
    /// How much of the byte order mark has matched; `None` once the start of the stream has passed.
    mark: Option<usize>,
    /// Whether the last byte was a carriage return, so that a line feed belongs to the same line end.
    after_return: bool,
    /// The beginning of a line that the chunks so far did not end.
    line: Vec<u8>,
    /// The event's name, where it outlived its chunk.
    name: Vec<u8>,
    /// The event's data, where it outlived its chunk or has several lines.
    data: Vec<u8>,
    /// Whether `data` holds at least one line, empty ones included.
    has_data: bool,
    /// The bytes of the event's whole lines so far, comments apart.
    size: usize,
}

impl Decoder {
    /// A decoder that refuses an event of more than `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: Some(0),
            after_return: false,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            size: 0,
        }
    }

    /// Reads a chunk and hands out every frame that it completes.
    ///
    /// # Errors
    ///
    /// [`WireError::EventTooLarge`] as soon as an event has grown over the cap; the decoder is of no use after it.
    pub fn feed(&mut self, chunk: &[u8], emit: &mut impl FnMut(Frame<'_>)) -> Result<(), WireError> {
        let mut rest = self.after_mark(chunk);
        if rest.is_empty() {
            return Ok(());
        }
        if mem::take(&mut self.after_return) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        let mut held = Held::default();
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, tail) = self.cut(rest, end);
            rest = tail;
            if self.line.is_empty() {
                self.check_limit(line.len())?;
                self.read_line(line, &mut held, emit);
            } else {
                self.read_carried_line(line, emit)?;
            }
        }
        self.keep(&held);
        self.check_limit(self.line.len() + rest.len())?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// Tells the decoder that the bytes have ended; an event under way is handed out as [`Frame::Unterminated`].
    pub fn finish(&mut self, emit: &mut impl FnMut(Frame<'_>)) {
        let line = mem::take(&mut self.line);
        let mut held = Held::default();
        if !line.is_empty() {
            self.read_line(&line, &mut held, emit);
        }
        self.keep(&held);
        if self.has_data {
            emit(Frame::Unterminated { name: present(&self.name), data: &self.data });
        }
        self.forget();
    }

    /// The chunk without the part of it that belongs to the byte order mark.
    fn after_mark<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let Some(matched) = self.mark else { return chunk };
        let missing = &MARK[matched..];
        let same = chunk.iter().zip(missing).take_while(|(one, other)| one == other).count();
        if same == missing.len() {
            self.mark = None;
            &chunk[same..]
        } else if same == chunk.len() {
            self.mark = Some(matched + same);
            &[]
        } else {
            self.mark = None;
            self.line.extend_from_slice(&MARK[..matched]);
            chunk
        }
    }

    /// The line that ends at `end`, and what follows its line end.
    fn cut<'c>(&mut self, bytes: &'c [u8], end: usize) -> (&'c [u8], &'c [u8]) {
        let mut next = end + 1;
        if bytes[end] == b'\r' {
            match bytes.get(next) {
                Some(b'\n') => next += 1,
                Some(_) => {}
                None => self.after_return = true,
            }
        }
        (&bytes[..end], &bytes[next..])
    }

    /// Refuses an event to which `more` bytes would be too many.
    fn check_limit(&self, more: usize) -> Result<(), WireError> {
        if self.size + more > self.limit {
            return Err(WireError::EventTooLarge { limit: self.limit });
        }
        Ok(())
    }

    /// Reads the line that an earlier chunk began and `tail` ends.
    fn read_carried_line(&mut self, tail: &[u8], emit: &mut impl FnMut(Frame<'_>)) -> Result<(), WireError> {
        self.check_limit(self.line.len() + tail.len())?;
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(tail);
        let mut held = Held::default();
        self.read_line(&line, &mut held, emit);
        self.keep(&held);
        line.clear();
        self.line = line;
        Ok(())
    }

    /// Reads one whole line; what it adds to the event stays borrowed in `held` while that is possible.
    fn read_line<'c>(&mut self, line: &'c [u8], held: &mut Held<'c>, emit: &mut impl FnMut(Frame<'_>)) {
        if line.is_empty() {
            return self.dispatch(held, emit);
        }
        if line[0] == b':' {
            return emit(Frame::Comment);
        }
        self.size += line.len();
        if let Some(value) = field(line, b"data") {
            self.add_data(value, held);
        } else if let Some(value) = field(line, b"event") {
            self.name.clear();
            held.name = present(value);
        }
    }

    /// Adds one data line to the event.
    fn add_data<'c>(&mut self, value: &'c [u8], held: &mut Held<'c>) {
        if let Some(first) = held.data.take() {
            self.data.extend_from_slice(first);
            self.has_data = true;
        }
        if self.has_data {
            self.data.push(b'\n');
            self.data.extend_from_slice(value);
        } else {
            held.data = Some(value);
        }
    }

    /// Ends the event at a blank line; one without data is dropped.
    fn dispatch(&mut self, held: &mut Held<'_>, emit: &mut impl FnMut(Frame<'_>)) {
        let held = mem::take(held);
        let name = held.name.or(present(&self.name));
        if let Some(data) = held.data.or(self.has_data.then_some(&self.data)) {
            emit(Frame::Event { name, data });
        }
        self.forget();
    }

    /// Copies what is borrowed from a chunk that is about to go away.
    fn keep(&mut self, held: &Held<'_>) {
        if let Some(name) = held.name {
            self.name.extend_from_slice(name);
        }
        if let Some(data) = held.data {
            self.data.extend_from_slice(data);
            self.has_data = true;
        }
    }

    /// Makes room for the next event; the buffers keep their memory.
    fn forget(&mut self) {
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.size = 0;
    }
}

/// The parts of an event that still lie in the chunk being read.
#[derive(Default)]
struct Held<'c> {
    /// The name, newer than the decoder's own.
    name: Option<&'c [u8]>,
    /// The only data line so far.
    data: Option<&'c [u8]>,
}

/// The value of the line where it is the named field: what follows the colon and at most one space.
fn field<'c>(line: &'c [u8], name: &[u8]) -> Option<&'c [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

/// The name, unless it is empty, which the standard reads as no name.
fn present(name: &[u8]) -> Option<&[u8]> {
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
