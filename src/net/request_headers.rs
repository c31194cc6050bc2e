//! The headers of a request: what it shares with others, written for the wire once, and what is its own.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use super::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a request, of which those of many requests are the same.
#[derive(Debug, Clone, Default)]
pub struct RequestHeaders {
    shared: Arc<SharedHeaders>,
    /// Its own, under names of which it shares none.
    own: Vec<(HeaderName, HeaderValue)>,
}

/// Headers that many requests share.
#[derive(Default)]
pub struct SharedHeaders {
    map: HeaderMap,
    /// The same as HTTP/1.1 sends them.
    lines: Vec<u8>,
}

impl fmt::Debug for SharedHeaders {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The lines have secrets in them; the map knows which.
        self.map.fmt(out)
    }
}

impl From<HeaderMap> for SharedHeaders {
    fn from(map: HeaderMap) -> Self {
        let mut lines = Vec::new();
        for (name, value) in &map {
            write_line(&mut lines, name, value);
        }
        Self { map, lines }
    }
}

impl SharedHeaders {
    /// All of them as a map.
    pub fn map(&self) -> &HeaderMap {
        &self.map
    }
}

impl From<HeaderMap> for RequestHeaders {
    fn from(map: HeaderMap) -> Self {
        Self::sharing(Arc::new(map.into()))
    }
}

impl RequestHeaders {
    /// Headers of which none is the request's own.
    pub fn sharing(shared: Arc<SharedHeaders>) -> Self {
        // Two ids and a credential.
        Self { shared, own: Vec::with_capacity(3) }
    }

    /// The first value under a name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let own = self.own.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value).or_else(|| self.shared.map.get(name))
    }

    /// Whether there is a header of this name.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Sets a header in place of all others of its name.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        if self.shared.map.contains_key(&name) {
            let mut map = self.shared.map.clone();
            map.remove(&name);
            self.shared = Arc::new(map.into());
        }
        match self.own.iter_mut().find(|(own, _)| *own == name) {
            Some((_, old)) => *old = value,
            None => self.own.push((name, value)),
        }
    }

    /// All of them, those that are shared first.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.shared.map.iter().chain(self.own.iter().map(|(name, value)| (name, value)))
    }

    /// All of them as a map.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = self.shared.map.clone();
        for (name, value) in &self.own {
            map.insert(name.clone(), value.clone());
        }
        map
    }

    /// Appends all of them as HTTP/1.1 sends them.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.shared.lines);
        for (name, value) in &self.own {
            write_line(out, name, value);
        }
    }
}

impl Index<&'static str> for RequestHeaders {
    type Output = HeaderValue;

    fn index(&self, name: &'static str) -> &HeaderValue {
        self.get(&HeaderName::from_static(name)).expect("the request has this header")
    }
}

/// Appends a line of a head.
pub(super) fn write_line(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: HeaderName = HeaderName::from_static("content-type");
    const COOKIE: HeaderName = HeaderName::from_static("cookie");

    fn lines(headers: &RequestHeaders) -> String {
        let mut out = Vec::new();
        headers.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_shared_and_what_is_its_own_reads_as_one() {
        let mut map = HeaderMap::new();
        map.append(TYPE, HeaderValue::from_static("text/plain"));
        map.append(COOKIE, HeaderValue::from_static("a"));
        map.append(COOKIE, HeaderValue::from_static("b"));
        let shared = Arc::new(SharedHeaders::from(map));
        let mut one = RequestHeaders::sharing(Arc::clone(&shared));
        one.insert(HeaderName::from_static("x-id"), HeaderValue::from_static("1"));
        one.insert(HeaderName::from_static("x-id"), HeaderValue::from_static("2"));
        assert_eq!(lines(&one), "content-type: text/plain\r\ncookie: a\r\ncookie: b\r\nx-id: 2\r\n");
        assert_eq!((one["x-id"].as_bytes(), one["content-type"].as_bytes()), (&b"2"[..], &b"text/plain"[..]));
        assert!(!one.contains(&HeaderName::from_static("x-none")));
        let map = one.to_map();
        assert!(one.iter().eq(map.iter()));
        let mut secret = HeaderValue::from_static("planted");
        secret.set_sensitive(true);
        let shown = format!("{:?}", RequestHeaders::from(HeaderMap::from_iter([(COOKIE, secret)])));
        assert!(!shown.contains("planted") && !shown.contains("112"), "{shown}");
        // What replaces something that is shared is seen by this one only.
        one.insert(COOKIE, HeaderValue::from_static("c"));
        assert_eq!(lines(&one), "content-type: text/plain\r\nx-id: 2\r\ncookie: c\r\n");
        assert_eq!(
            lines(&RequestHeaders::sharing(shared)),
            "content-type: text/plain\r\ncookie: a\r\ncookie: b\r\n"
        );
    }
}
