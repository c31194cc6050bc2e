//! The lines of the input, one after the other, wherever they come from and however they are packed.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::Error;

/// How long a line may be; a longer one is no row but a file of another kind.
const LIMIT: u64 = 256 * 1024 * 1024;

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// What a path of the command line names; `-` is standard input.
    pub fn named(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_path_buf()) }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => out.write_str("standard input"),
            Self::File(path) => write!(out, "{}", path.display()),
        }
    }
}

/// A line of an input, without its end; never empty.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The input it stands in.
    pub(super) input: &'a Input,
    /// Its number there, counted from 1.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

impl Line<'_> {
    /// Where it stands, in words.
    pub(super) fn place(&self) -> String {
        format!("{} line {}", self.input, self.number)
    }
}

/// Reads the inputs one after the other, gzip and Zstandard unpacked; empty lines are passed over.
pub(super) struct Lines {
    /// Those not opened yet.
    left: VecDeque<Input>,
    /// The one being read.
    open: Option<Open>,
    /// The line handed out last.
    line: Vec<u8>,
}

struct Open {
    input: Input,
    reader: Box<dyn BufRead + Send>,
    /// Lines read.
    number: u64,
}

impl Lines {
    /// Reads these inputs; none is opened before its first line is asked for.
    pub(super) fn of(inputs: &[Input]) -> Self {
        Self { left: inputs.iter().cloned().collect(), open: None, line: Vec::new() }
    }

    /// The next line that holds anything.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        while self.read()? {
            if !self.line.is_empty() {
                let open = self.open.as_ref().expect("a line has just been read from it");
                return Ok(Some(Line { input: &open.input, number: open.number, bytes: &self.line }));
            }
        }
        Ok(None)
    }

    /// Reads one more line, of the next input where this one is at its end.
    fn read(&mut self) -> Result<bool, Error> {
        loop {
            if self.open.is_none() {
                let Some(input) = self.left.pop_front() else { return Ok(false) };
                let reader =
                    open(&input).map_err(|source| Error::Input { place: input.to_string(), source })?;
                self.open = Some(Open { input, reader, number: 0 });
            }
            let Some(open) = &mut self.open else { continue };
            self.line.clear();
            let place = |number| format!("{} line {number}", open.input);
            let read = open.reader.by_ref().take(LIMIT).read_until(b'\n', &mut self.line);
            let read = read.map_err(|source| Error::Input { place: place(open.number + 1), source })?;
            if read as u64 == LIMIT && !self.line.ends_with(b"\n") {
                let source = io::Error::new(io::ErrorKind::InvalidData, "the line is longer than 256 MiB");
                return Err(Error::Input { place: place(open.number + 1), source });
            }
            if read == 0 {
                self.open = None;
                continue;
            }
            open.number += 1;
            let mark = open.number == 1 && self.line.starts_with(b"\xEF\xBB\xBF");
            self.line.drain(..if mark { 3 } else { 0 });
            let blanks = self.line.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.line.truncate(self.line.len() - blanks);
            return Ok(true);
        }
    }
}

/// Opens an input; what it is packed with is told by its first bytes, not by its name.
fn open(input: &Input) -> io::Result<Box<dyn BufRead + Send>> {
    let mut bytes: Box<dyn Read + Send> = match input {
        Input::Stdin => Box::new(io::stdin()),
        Input::File(path) => Box::new(File::open(path)?),
    };
    let mut head = Vec::new();
    bytes.by_ref().take(4).read_to_end(&mut head)?;
    let packed = BufReader::with_capacity(1 << 18, Cursor::new(head.clone()).chain(bytes));
    Ok(match head[..] {
        [0x1F, 0x8B, ..] => Box::new(BufReader::new(MultiGzDecoder::new(packed))),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(BufReader::new(zstd::Decoder::with_buffer(packed)?)),
        _ => Box::new(packed),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn lines(inputs: &[(&str, &[u8])]) -> Result<Vec<(u64, String)>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let paths = inputs.iter().map(|(name, bytes)| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            Input::File(path)
        });
        let mut lines = Lines::of(&paths.collect::<Vec<_>>());
        let mut read = Vec::new();
        while let Some(line) = lines.next()? {
            read.push((line.number, String::from_utf8(line.bytes.to_vec()).unwrap()));
        }
        Ok(read)
    }

    #[test]
    fn lines_are_numbered_in_their_own_file_and_empty_ones_are_passed_over() {
        let read = lines(&[("a", b"\xEF\xBB\xBFone\r\n\n  \ntwo"), ("b", b"three\n")]).unwrap();
        let expected = [(1, "one"), (4, "two"), (1, "three")].map(|(at, text)| (at, text.to_owned()));
        assert_eq!(read, expected);
        assert_eq!(lines(&[("a", b"")]).unwrap(), []);
    }

    #[test]
    fn packed_files_are_told_by_their_bytes_and_read_to_the_end_of_their_last_part() {
        let pack = |text: &[u8]| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text).unwrap();
            packed.finish().unwrap()
        };
        let gz = [pack(b"one\n"), pack(b"two\n")].concat();
        let zst = zstd::encode_all(&b"three\nfour"[..], 1).unwrap();
        let texts: Vec<_> =
            lines(&[("a.jsonl", &gz), ("b", &zst)]).unwrap().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["one", "two", "three", "four"]);
        let cut = &gz[..gz.len() / 2 + 4];
        let error = lines(&[("cut.gz", cut)]).unwrap_err().to_string();
        assert!(error.contains("cut.gz line 2"), "{error}");
    }
}
