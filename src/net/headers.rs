//! The headers of a reply, which are taken apart no further than somebody asks: of most, two or three are read.

use std::ops::Range;

use bytes::Bytes;

use super::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a reply.
#[derive(Debug, Clone)]
pub struct Headers(Form);

#[derive(Debug, Clone)]
enum Form {
    /// Taken apart.
    Map(HeaderMap),
    /// As they came: a head, and where its fields are.
    Wire(Bytes, Vec<Field>),
}

/// Where a field is in a head.
#[derive(Debug, Clone)]
pub(super) struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Field {
    /// Of a name and a value that lie in a head.
    pub(super) fn of(head: &[u8], name: &str, value: &[u8]) -> Self {
        let range = |part: &[u8]| {
            let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
            start..start + part.len()
        };
        Self { name: range(name.as_bytes()), value: range(value) }
    }

    fn name<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        head.get(self.name.clone()).unwrap_or_default()
    }

    fn value<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        head.get(self.value.clone()).unwrap_or_default()
    }
}

impl Headers {
    /// The headers of an HTTP/1.1 reply.
    pub(super) fn of_head(head: Bytes, fields: Vec<Field>) -> Self {
        Self(Form::Wire(head, fields))
    }

    /// The first value under a name, which is written in lower case, if it is printable ASCII.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Form::Map(map) => map.get(name)?.to_str().ok(),
            Form::Wire(head, fields) => {
                let is_it = |field: &&Field| {
                    field.name.len() == name.len() && field.name(head).eq_ignore_ascii_case(name.as_bytes())
                };
                let value = fields.iter().find(is_it)?.value(head);
                std::str::from_utf8(value).ok().filter(|text| is_printable(text))
            }
        }
    }

    /// All of them, taken apart.
    pub fn to_map(&self) -> HeaderMap {
        let (head, fields) = match &self.0 {
            Form::Map(map) => return map.clone(),
            Form::Wire(head, fields) => (head, fields),
        };
        let mut map = HeaderMap::with_capacity(fields.len());
        for field in fields {
            // Both were found sound when the head was read.
            if let Ok(name) = HeaderName::from_bytes(field.name(head))
                && let Ok(value) = HeaderValue::from_maybe_shared(head.slice_ref(field.value(head)))
            {
                map.append(name, value);
            }
        }
        map
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self(Form::Map(map))
    }
}

/// What [`HeaderValue::to_str`] takes for a text.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_the_same_whether_they_were_taken_apart_or_not() {
        let head = "Retry-After: 3\r\nx-a: one\r\nX-A: two\r\nx-empty: \r\nx-raw: \u{e9}\r\nx-a-b: c";
        let fields = head.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            Field::of(head.as_bytes(), name, value.as_bytes())
        });
        let wire = Headers::of_head(Bytes::from_static(head.as_bytes()), fields.collect());
        let map = Headers::from(wire.to_map());
        for name in ["retry-after", "x-a", "x-a-b", "x-empty", "x-raw", "x", "x-b", "", "x-a: one"] {
            assert_eq!(wire.text(name), map_text(&map, name), "{name}");
        }
        assert_eq!(
            (wire.text("retry-after"), wire.text("x-a"), wire.text("x-raw")),
            (Some("3"), Some("one"), None)
        );
        assert!(map.to_map().get_all("x-a").iter().eq(["one", "two"]));
        assert_eq!(map.to_map().len(), 6);
    }

    /// What cannot be a name stands for nothing.
    fn map_text<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
        HeaderName::from_bytes(name.as_bytes()).ok().and_then(|name| headers.text(name.as_str()))
    }
}
