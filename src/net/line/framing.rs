//! Where the body of an HTTP/1.1 reply ends (RFC 9112, section 6): takes it apart as it comes, and copies nothing.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::fault::Fault;

/// How long the line before a chunk may be; what follows the size there is read by nobody.
const LONGEST_LINE: usize = 16 * 1024;
/// How many bytes of trailers are read over.
const MOST_TRAILERS: usize = 64 * 1024;
/// A size of more hexadecimal digits than these is none.
const MOST_DIGITS: usize = 16;

/// What tells the end of a body, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// All that comes until the connection is closed.
    UntilClose,
    /// The line with the size of the next chunk.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk's bytes.
    ChunkEnd,
    /// Trailers, or the empty line that ends them; so many bytes of them have been read.
    Trailers(usize),
    /// It has ended.
    Ended,
}

/// What could be taken out of what has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes of the body.
    Data(Bytes),
    /// Nothing before more has come.
    More,
    /// Its end.
    End,
}

impl Framing {
    /// Takes the next bytes of the body out of what has come.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Step, Fault> {
        loop {
            if let Self::Length(0) = self {
                *self = Self::Ended;
            }
            if let Self::Ended = self {
                return Ok(Step::End);
            }
            if input.is_empty() {
                return Ok(Step::More);
            }
            *self = match self {
                Self::Length(rest) => return Ok(Step::Data(split(input, rest))),
                Self::Chunk(rest) => {
                    let data = split(input, rest);
                    if *rest == 0 {
                        *self = Self::ChunkEnd;
                    }
                    return Ok(Step::Data(data));
                }
                Self::UntilClose | Self::Ended => return Ok(Step::Data(input.split().freeze())),
                Self::ChunkSize => match size(input)? {
                    None => return Ok(Step::More),
                    Some(0) => Self::Trailers(0),
                    Some(size) => Self::Chunk(size),
                },
                Self::ChunkEnd => match **input {
                    [b'\r', b'\n', ..] => {
                        input.advance(2);
                        Self::ChunkSize
                    }
                    [b'\r'] => return Ok(Step::More),
                    _ => return Err(Fault::Framing("a chunk is longer than its size")),
                },
                Self::Trailers(read) => match trailer(input, *read)? {
                    None => return Ok(Step::More),
                    Some(0) => Self::Ended,
                    Some(length) => Self::Trailers(*read + length),
                },
            };
        }
    }

    /// The connection was closed: the end of a body that has no other.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        match self {
            Self::Ended | Self::UntilClose | Self::Length(0) => {
                *self = Self::Ended;
                Ok(())
            }
            Self::Length(_) => Err(Fault::Framing("it ended before its content-length")),
            Self::Chunk(_) => Err(Fault::Framing("it ended within a chunk")),
            Self::ChunkSize | Self::ChunkEnd | Self::Trailers(_) => {
                Err(Fault::Framing("it ended before its last chunk"))
            }
        }
    }
}

/// What is read over between chunks has no end.
const TOO_LONG: Fault = Fault::Framing("there is too much beside its chunks");
/// What stands where a chunk's size should.
const NO_SIZE: Fault = Fault::Framing("a chunk has no size");

/// The size that the next chunk says it has, once that line is whole; whatever stands there and is no size is refused at once.
fn size(input: &mut BytesMut) -> Result<Option<u64>, Fault> {
    let (mut size, mut digits) = (0, 0);
    let mut rest = input.iter();
    let after = loop {
        let Some(byte) = rest.next() else { break None };
        let Some(digit) = char::from(*byte).to_digit(16) else { break Some(*byte) };
        digits += 1;
        if digits > MOST_DIGITS {
            return Err(NO_SIZE);
        }
        size = size << 4 | u64::from(digit);
    };
    match after {
        Some(_) if digits == 0 => return Err(NO_SIZE),
        // A size may be followed by blanks, and by extensions, which mean something to nobody.
        None | Some(b'\r' | b';' | b' ' | b'\t') => {}
        Some(_) => return Err(NO_SIZE),
    }
    let Some(end) = memchr(b'\n', &input[digits..]).map(|at| digits + at) else {
        return if input.len() > LONGEST_LINE { Err(TOO_LONG) } else { Ok(None) };
    };
    if input[end - 1] != b'\r' {
        return Err(NO_SIZE);
    }
    input.advance(end + 1);
    Ok(Some(size))
}

/// Reads over one line of the trailers once it is whole; its length, or zero for the empty line that ends them.
fn trailer(input: &mut BytesMut, before: usize) -> Result<Option<usize>, Fault> {
    let end = memchr(b'\n', input);
    if before + end.unwrap_or(input.len()) > MOST_TRAILERS {
        return Err(TOO_LONG);
    }
    let Some(end) = end else { return Ok(None) };
    let is_empty = matches!(input[..end], [] | [b'\r']);
    input.advance(end + 1);
    Ok(Some(if is_empty { 0 } else { end + 1 }))
}

/// As much of the rest as has come.
fn split(input: &mut BytesMut, rest: &mut u64) -> Bytes {
    let most = usize::try_from(*rest).unwrap_or(usize::MAX).min(input.len());
    *rest -= most as u64;
    input.split_to(most).freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a body says, read in pieces of this size, and what was left over; what is wrong with it otherwise.
    fn read(mut framing: Framing, wire: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>), String> {
        let (mut input, mut pieces, mut body) = (BytesMut::new(), wire.chunks(piece.max(1)), Vec::new());
        loop {
            match framing.take(&mut input).map_err(|fault| fault.to_string())? {
                Step::Data(data) => body.extend_from_slice(&data),
                Step::More => match pieces.next() {
                    Some(piece) => input.extend_from_slice(piece),
                    None => framing.close().map_err(|fault| fault.to_string())?,
                },
                Step::End => {
                    pieces.for_each(|piece| input.extend_from_slice(piece));
                    return Ok((body, input.to_vec()));
                }
            }
        }
    }

    const CHUNKS: Framing = Framing::ChunkSize;

    #[test]
    fn a_body_ends_where_its_framing_says_and_takes_nothing_of_what_follows() {
        for piece in [1, 2, 3, 7, 100] {
            let ok = |body: &str, left: &str| Ok((body.into(), left.into()));
            assert_eq!(read(Framing::Length(2), b"okHTTP", piece), ok("ok", "HTTP"));
            assert_eq!(read(Framing::Length(0), b"HTTP", piece), ok("", "HTTP"));
            assert_eq!(read(Framing::UntilClose, b"all of it", piece), ok("all of it", ""));
            let wire = b"2\r\nok\r\n00A ; name=value\r\n0123456789\r\n0\r\n\r\nHTTP";
            assert_eq!(read(CHUNKS, wire, piece), ok("ok0123456789", "HTTP"));
            let wire = b"1\r\nx\r\n0\r\nx-checksum: 7\r\nx-other: 8\r\n\r\nHTTP";
            assert_eq!(read(CHUNKS, wire, piece), ok("x", "HTTP"));
        }
    }

    #[test]
    fn a_body_that_breaks_its_framing_is_refused_and_says_how() {
        for (framing, wire, why) in [
            (Framing::Length(3), "ok", "it ended before its content-length"),
            (CHUNKS, "", "it ended before its last chunk"),
            (CHUNKS, "2\r\no", "it ended within a chunk"),
            (CHUNKS, "2\r\nok", "it ended before its last chunk"),
            (CHUNKS, "2\r\nok\r\n0\r\n", "it ended before its last chunk"),
            (CHUNKS, "2\r\nokay\r\n", "a chunk is longer than its size"),
            (CHUNKS, "data: x\n\n", "a chunk has no size"),
            (CHUNKS, "zz\r\n", "a chunk has no size"),
            (CHUNKS, "\r\n", "a chunk has no size"),
            (CHUNKS, "2\nok", "a chunk has no size"),
            (CHUNKS, "2;a\nok", "a chunk has no size"),
            (CHUNKS, "-2\r\n", "a chunk has no size"),
            (CHUNKS, "00000000000000001\r\nx", "a chunk has no size"),
        ] {
            for piece in [1, 100] {
                assert_eq!(read(framing, wire.as_bytes(), piece).unwrap_err(), why, "{wire:?}");
            }
        }
    }

    #[test]
    fn what_stands_beside_chunks_has_a_bound() {
        let long = [b"1;".as_slice(), &[b'x'; LONGEST_LINE]].concat();
        assert_eq!(read(CHUNKS, &long, 999).unwrap_err(), TOO_LONG.to_string());
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(MOST_TRAILERS / 6 + 1)].concat();
        assert_eq!(read(CHUNKS, &trailers, 999).unwrap_err(), TOO_LONG.to_string());
        let trailer = [b"0\r\na: ".as_slice(), &vec![b'x'; MOST_TRAILERS]].concat();
        assert_eq!(read(CHUNKS, &trailer, 999).unwrap_err(), TOO_LONG.to_string());
    }

    proptest! {
        #[test]
        fn what_is_read_does_not_depend_on_where_it_was_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            piece in 1..50_usize,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\nrest");
            prop_assert_eq!(read(CHUNKS, &wire, piece), Ok((chunks.concat(), b"rest".to_vec())));
        }

        #[test]
        fn no_bytes_break_it_and_their_cut_changes_nothing(
            wire in prop::collection::vec(prop_oneof![
                3 => prop::sample::select(b"\r\n0123f;: ".to_vec()), 1 => any::<u8>()
            ], 0..60),
            piece in 1..20_usize,
        ) {
            let whole = read(CHUNKS, &wire, wire.len());
            prop_assert_eq!(read(CHUNKS, &wire, piece), whole);
        }
    }
}
