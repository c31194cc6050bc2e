//! What becomes of a question's body before it leaves: padded, torn, compressed, or a small one that unpacks to a large one.

use std::io::Write as _;

use flate2::{Compress, Crc, FlushCompress};

use crate::net::{HeaderName, HeaderValue, Request};

/// What becomes of a body before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// Nothing.
    Plain,
    /// Only its beginning is sent.
    Torn,
    /// White space, which costs no tokens, brings it to so many bytes.
    Padded(usize),
    /// It is compressed with gzip.
    Gzip,
    /// It is compressed with Zstandard.
    Zstd,
    /// White space brings it to so many bytes, and gzip to a thousandth of them.
    Bomb(usize),
}

impl Dress {
    /// Does so to the body of a request, and names its coding.
    pub(super) fn put_on(self, request: &mut Request) {
        let plain = &request.body;
        let (body, coding) = match self {
            Dress::Plain => return,
            Dress::Torn => (plain.slice(..plain.len() / 2), None),
            Dress::Padded(size) => {
                let mut padded = plain.to_vec();
                let at = usize::from(!padded.is_empty());
                padded.splice(at..at, std::iter::repeat_n(b' ', size.saturating_sub(plain.len())));
                (padded.into(), None)
            }
            Dress::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                let packed = encoder.write_all(plain).and_then(|()| encoder.finish());
                (packed.expect("memory can be written").into(), Some("gzip"))
            }
            Dress::Bomb(size) => (bomb(plain, size).into(), Some("gzip")),
            Dress::Zstd => {
                let packed = zstd::encode_all(&plain[..], 3).expect("memory can be written");
                (packed.into(), Some("zstd"))
            }
        };
        request.body = body;
        if let Some(coding) = coding {
            request
                .headers
                .insert(HeaderName::from_static("content-encoding"), HeaderValue::from_static(coding));
        }
    }
}

/// A body in gzip that unpacks to so many bytes: one compressed piece of white space, again and again.
fn bomb(plain: &[u8], size: usize) -> Vec<u8> {
    static PIECE: [u8; 65_536] = [b' '; 65_536];
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (first, rest) = plain.split_at(1.min(plain.len()));
    let mut compress = Compress::new(flate2::Compression::best(), false);
    let mut packed = |bytes: &[u8], flush| {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        compress.compress_vec(bytes, &mut out, flush).expect("there is room");
        out
    };
    // After a full flush, what follows depends on nothing before it.
    let [begun, piece] = [first, &PIECE[..]].map(|bytes| packed(bytes, FlushCompress::Full));
    let ended = packed(rest, FlushCompress::Finish);
    let of = |bytes: &[u8]| {
        let mut sum = Crc::new();
        sum.update(bytes);
        sum
    };
    let (mut sum, of_piece, pieces) = (of(first), of(&PIECE), size / PIECE.len());
    let mut body = [&HEADER[..], &begun].concat();
    for _ in 0..pieces {
        body.extend_from_slice(&piece);
        sum.combine(&of_piece);
    }
    sum.combine(&of(rest));
    body.extend_from_slice(&ended);
    body.extend_from_slice(&sum.sum().to_le_bytes());
    body.extend_from_slice(&sum.amount().to_le_bytes());
    body
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_bomb_is_a_small_body_in_gzip_that_says_the_same() {
        let packed = bomb(b"{\"a\":1}", 8 << 20);
        assert!(packed.len() < 16 * 1024, "{}", packed.len());
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut plain).unwrap();
        assert_eq!(plain.len(), (8 << 20) + 7);
        let read: serde_json::Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(read, serde_json::json!({"a": 1}));
    }
}
