//! Compressed request bodies: which codings are undone, and how far a body may grow.

use std::fmt;
use std::io;
use std::io::Read;
use std::str::FromStr;

use bytes::Bytes;

use crate::mock::failure::Failure;
use crate::mock::faults::Kind;

/// The largest body that a compressed one may become: what Anthropic's API takes of a request.
const LARGEST: usize = 32 * 1024 * 1024;

/// A content coding of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

/// The codings of request bodies that the relay undoes; none unless they are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    gzip: bool,
    zstd: bool,
}

/// A coding that the relay does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no coding of the relay: write gzip, zstd or gzip,zstd")]
pub struct UnknownCoding(String);

impl FromStr for AcceptEncoding {
    type Err = UnknownCoding;

    fn from_str(text: &str) -> Result<Self, UnknownCoding> {
        let mut accepted = Self::default();
        for name in text.split(',').map(str::trim) {
            match name {
                "gzip" => accepted.gzip = true,
                "zstd" => accepted.zstd = true,
                _ => return Err(UnknownCoding(name.to_owned())),
            }
        }
        Ok(accepted)
    }
}

impl fmt::Display for AcceptEncoding {
    /// As the header of a 415 has it (RFC 9110, section 12.5.3).
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("gzip, ", self.gzip), ("zstd, ", self.zstd)];
        named.iter().filter(|(_, is_accepted)| *is_accepted).try_for_each(|(name, _)| out.write_str(name))?;
        out.write_str("identity")
    }
}

impl AcceptEncoding {
    /// Undoes the coding of a body, if it has one that is accepted.
    pub(crate) fn decode(self, coding: Option<&str>, body: Bytes) -> Result<Bytes, Failure> {
        let Some(name) = coding.filter(|coding| !coding.eq_ignore_ascii_case("identity")) else {
            return Ok(body);
        };
        let known = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        };
        let accepts = |coding: &Coding| match coding {
            Coding::Gzip => self.gzip,
            Coding::Zstd => self.zstd,
        };
        match known.filter(accepts) {
            None => Err(Failure::coding(name, self)),
            Some(Coding::Gzip) => bounded(flate2::read::MultiGzDecoder::new(&body[..])),
            Some(Coding::Zstd) => bounded(zstd::stream::read::Decoder::new(&body[..]).map_err(broken)?),
        }
    }
}

/// Reads to the end of what a body becomes, as far as it may grow.
fn bounded(decoder: impl Read) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    decoder.take(LARGEST as u64 + 1).read_to_end(&mut body).map_err(broken)?;
    if body.len() > LARGEST {
        return Err(Failure::of(Kind::TooLarge, "").expect("the fault is a refusal"));
    }
    Ok(body.into())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn broken(error: io::Error) -> Failure {
    Failure::invalid(format!("The request body cannot be decompressed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(body: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap().into()
    }

    fn status(codings: &str, coding: &str, body: Bytes) -> u16 {
        let accepted: AcceptEncoding = codings.parse().unwrap();
        accepted.decode(Some(coding), body).map_or_else(|failure| failure.status, |_| 200)
    }

    #[test]
    fn only_what_is_accepted_is_undone() {
        let both: AcceptEncoding = "gzip, zstd".parse().unwrap();
        assert_eq!(both.decode(Some("GZIP"), gzip(b"Hi")).unwrap(), "Hi");
        let zstd = zstd::bulk::compress(b"Hi", 3).unwrap();
        assert_eq!(both.decode(Some("zstd"), zstd.clone().into()).unwrap(), "Hi");
        assert_eq!(both.decode(None, "Hi".into()).unwrap(), "Hi");
        assert_eq!(both.decode(Some("identity"), "Hi".into()).unwrap(), "Hi");
        assert_eq!(status("gzip", "zstd", zstd.into()), 415);
        assert_eq!(status("gzip,zstd", "br", "Hi".into()), 415);
        assert_eq!(AcceptEncoding::default().decode(Some("gzip"), gzip(b"Hi")).unwrap_err().status, 415);
        assert_eq!(
            (both.to_string().as_str(), AcceptEncoding::default().to_string().as_str()),
            ("gzip, zstd, identity", "identity")
        );
    }

    #[test]
    fn a_body_that_is_not_what_it_claims_is_a_bad_request() {
        assert_eq!(status("gzip", "gzip", "{}".into()), 400);
        assert_eq!(status("zstd", "zstd", "{}".into()), 400);
        let whole = gzip(&[b'a'; 10_000]);
        assert_eq!(status("gzip", "gzip", whole.slice(..whole.len() - 9)), 400);
    }

    #[test]
    fn a_bomb_is_too_large_however_small_it_came() {
        let fits = vec![b' '; LARGEST];
        let bomb = vec![b' '; LARGEST + 1];
        assert!(gzip(&bomb).len() < 40_000);
        assert_eq!(status("gzip", "gzip", gzip(&fits)), 200);
        assert_eq!(status("gzip", "gzip", gzip(&bomb)), 413);
        assert_eq!(status("zstd", "zstd", zstd::bulk::compress(&bomb, 1).unwrap().into()), 413);
    }

    #[test]
    fn a_slip_in_a_name_is_refused() {
        assert!("gzip,bzip2".parse::<AcceptEncoding>().unwrap_err().to_string().contains("bzip2"));
        assert!("".parse::<AcceptEncoding>().is_err());
    }
}
