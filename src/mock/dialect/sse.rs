//! The framing of server-sent events, in the styles that relays are seen to use.

use std::fmt;
use std::fmt::Write as _;

use bytes::Bytes;
use bytes::BytesMut;

/// How events are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether `event:` lines are written.
    pub(crate) names: Names,
    /// What ends a line.
    pub(crate) newline: &'static str,
    /// What stands as a comment after every event.
    pub(crate) comment: Option<&'static str>,
}

/// Whether `event:` lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Where the dialect has them.
    Written,
    /// Never.
    LeftOut,
}

impl Default for Style {
    fn default() -> Self {
        Self { names: Names::Written, newline: "\n", comment: None }
    }
}

/// Events on their way into a stream.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    /// What is written and not yet sent.
    out: BytesMut,
    /// How events are framed.
    style: Style,
    /// The number of the next event, for the dialect that numbers them.
    sequence: u64,
}

impl Sse {
    /// Events in this style.
    pub(crate) fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// An event with a name.
    pub(crate) fn event(&mut self, name: &str, data: fmt::Arguments<'_>) {
        if self.style.names == Names::Written {
            let newline = self.style.newline;
            self.write(format_args!("event: {name}{newline}"));
        }
        self.data(data);
    }

    /// An event without a name.
    pub(crate) fn data(&mut self, data: fmt::Arguments<'_>) {
        let newline = self.style.newline;
        self.write(format_args!("data: {data}{newline}{newline}"));
        if let Some(comment) = self.style.comment {
            self.comment(comment);
        }
    }

    /// A comment, which carries nothing.
    pub(crate) fn comment(&mut self, text: &str) {
        let newline = self.style.newline;
        self.write(format_args!(": {text}{newline}{newline}"));
    }

    /// Bytes without any framing.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The number of this event.
    pub(crate) const fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    /// How much waits to be sent.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes what waits to be sent.
    pub(crate) fn take(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a buffer in memory takes all text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style) -> Bytes {
        let mut out = Sse::new(style);
        out.event("ping", format_args!("{{}}"));
        out.take()
    }

    #[test]
    fn events_are_framed_in_each_style() {
        let plain = Style::default();
        assert_eq!(written(plain), "event: ping\ndata: {}\n\n");
        assert_eq!(written(Style { names: Names::LeftOut, ..plain }), "data: {}\n\n");
        assert_eq!(written(Style { newline: "\r\n", ..plain }), "event: ping\r\ndata: {}\r\n\r\n");
        assert_eq!(written(Style { comment: Some("hm"), ..plain }), "event: ping\ndata: {}\n\n: hm\n\n");
    }
}
