//! The content codings of request bodies, how hard each works, and which bodies are compressed already.

use std::cell::RefCell;

use flate2::Compress;
use flate2::Compression;
use flate2::FlushCompress;
use flate2::Status;
use zstd::bulk::Compressor;

/// A content coding (RFC 9110, section 8.4.1; RFC 8878).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// From this size on a body is worth more time; smaller ones fit into a few packets as they are.
const LARGE: usize = 16 * 1024;

impl Coding {
    /// The name in `content-encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The hardest that it can work, from 1 on.
    pub const fn hardest(self) -> u32 {
        match self {
            Self::Gzip => 9,
            Self::Zstd => 19,
        }
    }

    /// How hard it works on a body of this size where nothing says so.
    const fn level(self, size: usize) -> u32 {
        match self {
            Self::Gzip | Self::Zstd if size < LARGE => 1,
            Self::Gzip => 6,
            Self::Zstd => 3,
        }
    }

    /// Compresses a body.
    pub(super) fn encode(self, body: &[u8], level: Option<u32>) -> Vec<u8> {
        let level = level.unwrap_or_else(|| self.level(body.len())).clamp(1, self.hardest());
        match self {
            Self::Gzip => gzip(body, level),
            Self::Zstd => zstd(body, i32::try_from(level).unwrap_or(3)),
        }
    }
}

thread_local! {
    /// The state of the last body's gzip and its level: to make one anew costs as much as a small body does.
    static DEFLATE: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
    /// The same of zstd, of small bodies: it grows with what it is used for.
    static ZSTD: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
}

/// A member without name and time (RFC 1952, section 2.3), from an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A body as one gzip member.
fn gzip(body: &[u8], level: u32) -> Vec<u8> {
    let mut packed = Vec::with_capacity(body.len() / 2 + 64);
    packed.extend(GZIP_HEADER);
    DEFLATE.with_borrow_mut(|last| {
        let (_, deflate) = match last {
            Some(kept) if kept.0 == level => kept,
            _ => last.insert((level, Compress::new(Compression::new(level), false))),
        };
        deflate.reset();
        loop {
            let read = usize::try_from(deflate.total_in()).expect("what was read is in memory");
            let status = deflate
                .compress_vec(&body[read..], &mut packed, FlushCompress::Finish)
                .expect("there is no dictionary to be asked for");
            if status == Status::StreamEnd {
                break;
            }
            packed.reserve(body.len() / 8 + 64);
        }
    });
    packed.extend(crc32fast::hash(body).to_le_bytes());
    // The size is stated modulo 2^32.
    packed.extend(u32::try_from(body.len() & 0xffff_ffff).unwrap_or_default().to_le_bytes());
    packed
}

/// A body as one frame of zstd.
fn zstd(body: &[u8], level: i32) -> Vec<u8> {
    let made = || Compressor::new(level).expect("the level is within its bounds");
    let pack = |compressor: &mut Compressor<'_>| {
        compressor.compress(body).expect("the buffer is as large as it can become")
    };
    if body.len() >= LARGE {
        return pack(&mut made());
    }
    ZSTD.with_borrow_mut(|last| {
        let (_, compressor) = match last {
            Some(kept) if kept.0 == level => kept,
            _ => last.insert((level, made())),
        };
        pack(compressor)
    })
}

/// The shortest row of base64 that is taken for media: words are shorter.
const MEDIA_RUN: usize = 1024;

/// Whether more than half of a body is media in base64, which is compressed already: all that can be gained of it are the
/// two bits in eight that base64 leaves unused.
pub(super) fn is_mostly_media(body: &[u8]) -> bool {
    let is_base64 = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=');
    let mut media = 0;
    let mut at = 0;
    while at < body.len() {
        // Looking from the far end of where a row could reach skips text without reading most of it.
        let end = (at + MEDIA_RUN).min(body.len());
        if let Some(other) = body[at..end].iter().rposition(|byte| !is_base64(byte)) {
            at += other + 1;
        } else {
            let length = body[at..].iter().position(|byte| !is_base64(byte)).unwrap_or(body.len() - at);
            if length >= MEDIA_RUN {
                media += length;
            }
            at += length + 1;
        }
    }
    media > body.len() / 2
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_level_gives_back_what_went_in() {
        let body = "The river flows through the valley. ".repeat(700);
        for level in [None, Some(1), Some(9), Some(19), Some(99)] {
            let gzip = Coding::Gzip.encode(body.as_bytes(), level);
            let mut text = String::new();
            flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut text).unwrap();
            assert_eq!(text, body);
            let zstd = Coding::Zstd.encode(body.as_bytes(), level);
            assert_eq!(zstd::bulk::decompress(&zstd, body.len()).unwrap(), body.as_bytes());
        }
    }

    #[test]
    fn a_body_leaves_nothing_behind_for_the_next_one() {
        let noise: Vec<u8> = (0..50_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let bodies = [&b""[..], b"short", &noise, b"short", &noise[..1000]];
        let first: Vec<_> = bodies.iter().map(|body| Coding::Gzip.encode(body, Some(6))).collect();
        for (body, packed) in bodies.iter().zip(&first) {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
            assert_eq!(&text, body);
            let other = std::thread::scope(|scope| {
                scope.spawn(|| Coding::Gzip.encode(body, Some(6))).join().unwrap()
            });
            assert_eq!(packed, &other, "a thread of its own says the same");
            let zstd = Coding::Zstd.encode(body, Some(3));
            assert_eq!(&zstd::bulk::decompress(&zstd, body.len()).unwrap(), body);
            assert_eq!(zstd, zstd::bulk::compress(body, 3).unwrap(), "a state made anew says the same");
        }
    }

    #[test]
    fn media_are_long_rows_of_base64_and_words_are_not() {
        let row = |length: usize| "QUJD".repeat(length / 4);
        assert!(is_mostly_media(format!("{{\"data\":\"{}\"}}", row(4096)).as_bytes()));
        assert!(!is_mostly_media(format!("{{\"data\":\"{}\"}}", row(1020)).as_bytes()));
        let text = "some words, and more of them ".repeat(200);
        assert!(!is_mostly_media(format!("{text}{}", row(4096)).as_bytes()));
        assert!(is_mostly_media(format!("{text}{}", row(8192)).as_bytes()));
        assert!(is_mostly_media(row(1024).as_bytes()) && !is_mostly_media(b""));
    }
}
