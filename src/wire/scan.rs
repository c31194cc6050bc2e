//! Reads the JSON of answers faster than the library does, which takes over wherever a text is not plain or not sound.
//!
//! Most of an answer's events is names and texts that nobody asks for. They are passed over many bytes at a time, and
//! texts that are asked for are borrowed without a second look at their UTF-8. What is accepted here, the library
//! accepts, too; what is not, may still be good JSON.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// How deep values may lie in one another.
const DEPTH: u32 = 64;

/// How much of a text is looked at eight bytes at a time before it is taken for a long one.
const SHORT: usize = 24;

/// Reads a value; `None` where the library has to look at it.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let mut scan = Scan { text, at: 0, depth: 0 };
    let value = T::deserialize(&mut scan).ok()?;
    scan.blanks();
    (scan.at == text.len()).then_some(value)
}

/// A text and how far it has been read.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// Something is not plain, or not sound.
#[derive(Debug)]
struct Unsure;

impl fmt::Display for Unsure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the library has to look at it")
    }
}

impl std::error::Error for Unsure {}

impl serde::de::Error for Unsure {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A text as it stands between its quotation marks.
struct Quoted<'a> {
    text: &'a str,
    is_escaped: bool,
}

impl<'a> Scan<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    /// The first byte of what comes next.
    fn next(&mut self) -> Result<u8, Unsure> {
        match self.byte() {
            // Answers are written without blanks.
            Some(byte) if byte > b' ' => Ok(byte),
            _ => {
                self.blanks();
                self.byte().ok_or(Unsure)
            }
        }
    }

    fn expect(&mut self, expected: u8) -> Result<(), Unsure> {
        if self.next()? != expected {
            return Err(Unsure);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Unsure> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Unsure);
        }
        self.at += word.len();
        Ok(())
    }

    /// The text that begins here, its quotation mark included.
    fn quoted(&mut self) -> Result<Quoted<'a>, Unsure> {
        self.at += 1;
        let (start, mut is_escaped) = (self.at, false);
        loop {
            if self.plain()? == b'"' {
                break;
            }
            is_escaped = true;
            self.escape()?;
        }
        let text = self.text.get(start..self.at).ok_or(Unsure)?;
        self.at += 1;
        Ok(Quoted { text, is_escaped })
    }

    /// Passes over what stands for itself, and tells what ends it: a quotation mark or a backslash.
    fn plain(&mut self) -> Result<u8, Unsure> {
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let mut begin = 0;
        while begin < SHORT
            && let Some((eight, after)) = rest.split_first_chunk()
        {
            let special = special(u64::from_le_bytes(*eight));
            if special != 0 {
                let at = (special.trailing_zeros() / 8) as usize;
                self.at += begin + at;
                return if eight[at] < b' ' { Err(Unsure) } else { Ok(eight[at]) };
            }
            (begin, rest) = (begin + eight.len(), after);
        }
        let end = memchr::memchr2(b'"', b'\\', rest).ok_or(Unsure)?;
        // Without a way out of the loop, so that it becomes a few instructions for many bytes.
        if rest[..end].iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ' {
            return Err(Unsure);
        }
        self.at += begin + end;
        Ok(rest[end])
    }

    /// Passes over an escape.
    fn escape(&mut self) -> Result<(), Unsure> {
        let bytes = self.text.as_bytes();
        let length = match bytes.get(self.at + 1).ok_or(Unsure)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = bytes.get(self.at + 2..self.at + 6).ok_or(Unsure)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Unsure);
                }
                6
            }
            _ => return Err(Unsure),
        };
        self.at += length;
        Ok(())
    }

    /// The number that begins here, as it is written.
    fn number(&mut self) -> Result<&'a str, Unsure> {
        let rest = self.text.get(self.at..).ok_or(Unsure)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(is_part).count();
        self.at += length;
        Ok(&rest[..length])
    }

    fn visit_number<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Unsure> {
        /// More digits may not fit.
        const MOST: usize = 18;
        let number = self.number()?;
        let is_count = number.len() <= MOST && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_count && (number.len() == 1 || !number.starts_with('0')) {
            return visitor.visit_u64(number.parse().map_err(|_| Unsure)?);
        }
        match serde_json::from_str(number).map_err(|_| Unsure)? {
            Value::Number(number) => number.deserialize_any(visitor).map_err(|_| Unsure),
            _ => Err(Unsure),
        }
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), Unsure> {
        match self.next()? {
            b'"' => self.quoted().map(|_| ()),
            b'{' => self.skip_each(b'}', &mut |scan| {
                scan.key()?;
                scan.skip()
            }),
            b'[' => self.skip_each(b']', &mut Self::skip),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.visit_number(serde::de::IgnoredAny).map(|_| ()),
        }
    }

    /// Reads what stands between brackets, up to the one that closes.
    fn items<T>(
        &mut self,
        close: u8,
        read: impl FnOnce(&mut Items<'_, 'a>) -> Result<T, Unsure>,
    ) -> Result<T, Unsure> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unsure);
        }
        let mut items = Items { scan: self, close, is_first: true };
        let value = read(&mut items)?;
        // A visitor may be content with less than all.
        if items.close != 0 {
            return Err(Unsure);
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Passes over everything between brackets.
    fn skip_each(
        &mut self,
        close: u8,
        one: &mut dyn FnMut(&mut Self) -> Result<(), Unsure>,
    ) -> Result<(), Unsure> {
        self.items(close, |items| {
            while items.has_more()? {
                one(items.scan)?;
            }
            Ok(())
        })
    }

    /// The name of a field, and its colon.
    fn key(&mut self) -> Result<Quoted<'a>, Unsure> {
        if self.next()? != b'"' {
            return Err(Unsure);
        }
        let key = self.quoted()?;
        self.expect(b':')?;
        Ok(key)
    }
}

/// The highest bit of each of eight bytes that is a quotation mark, a backslash or a control character. The lowest such
/// bit is exact; above it a borrow may mark a byte that is none. After "Determine if a word has a byte less than n" of
/// Anderson's Bit Twiddling Hacks.
const fn special(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    const fn below(eight: u64, limit: u8) -> u64 {
        eight.wrapping_sub(ONES * limit as u64) & !eight
    }
    let quote = below(eight ^ (ONES * b'"' as u64), 1);
    let backslash = below(eight ^ (ONES * b'\\' as u64), 1);
    (quote | backslash | below(eight, b' ')) & TOPS
}

impl Quoted<'_> {
    /// The text without its escapes.
    fn unescaped(&self) -> Result<String, Unsure> {
        serde_json::from_str(&format!("\"{}\"", self.text)).map_err(|_| Unsure)
    }
}

impl<'de> Deserializer<'de> for &mut Scan<'de> {
    type Error = Unsure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsure> {
        match self.next()? {
            b'"' => {
                let quoted = self.quoted()?;
                if quoted.is_escaped {
                    return visitor.visit_string(quoted.unescaped()?);
                }
                visitor.visit_borrowed_str(quoted.text)
            }
            b'{' => self.items(b'}', |items| visitor.visit_map(items)),
            b'[' => self.items(b']', |items| visitor.visit_seq(items)),
            b't' => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            b'n' => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => self.visit_number(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsure> {
        if self.next()? == b'n' {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsure> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The items of a list or the fields of an object.
struct Items<'s, 'a> {
    scan: &'s mut Scan<'a>,
    /// The bracket that ends them; zero once it was met.
    close: u8,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Goes to the next one, if there is one.
    fn has_more(&mut self) -> Result<bool, Unsure> {
        let byte = self.scan.next()?;
        if byte == self.close {
            self.scan.at += 1;
            self.close = 0;
            return Ok(false);
        }
        if std::mem::take(&mut self.is_first) {
            return Ok(true);
        }
        if byte != b',' {
            return Err(Unsure);
        }
        self.scan.at += 1;
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = Unsure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unsure> {
        if !self.has_more()? {
            return Ok(None);
        }
        let key = self.scan.key()?;
        if key.is_escaped {
            return seed.deserialize(StringDeserializer::new(key.unescaped()?)).map(Some);
        }
        seed.deserialize(BorrowedStrDeserializer::new(key.text)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unsure> {
        seed.deserialize(&mut *self.scan)
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Unsure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unsure> {
        if !self.has_more()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.scan).map(Some)
    }
}

#[cfg(test)]
mod tests;
