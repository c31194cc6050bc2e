//! A TOML text read entry by entry, so that whatever is wrong in it is refused with its file, line and key.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::units::{Money, Span, nearest};

use super::Error;

/// A file and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl<'a> Document<'a> {
    /// Takes the text apart; the message of a syntax error never quotes the text, which may hold a secret.
    pub(super) fn parse(self) -> Result<Spanned<DeTable<'a>>, Error> {
        DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let refusal = Error::new(format!("{}: {}", self.place(&span), error.message()));
            if self.text.lines().any(|line| line.replace(' ', "").starts_with("profile=")) {
                return refusal
                    .hint("the profile to use where none is asked for is named by default-profile");
            }
            refusal
        })
    }

    /// `FILE:LINE` of a stretch of the text.
    fn place(self, span: &Range<usize>) -> String {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        format!("{}:{}", self.path.display(), memchr::memchr_iter(b'\n', before).count() + 1)
    }
}

/// A table of the document.
#[derive(Debug)]
pub(super) struct Section<'a> {
    document: Document<'a>,
    /// Its dotted name; empty for the document itself.
    name: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The document's own table.
    pub(super) fn root(document: Document<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { document, name: String::new(), span: table.span(), table: table.get_ref() }
    }

    /// Refuses a key that is none of these, and names the nearest one.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        let Some(key) = self.table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) else {
            return Ok(());
        };
        let place = self.document.place(&key.span());
        let message = format!("{place}: unknown key '{}'", self.dotted(key.get_ref()));
        Err(Error::new(message).hint(match nearest(key.get_ref(), known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        }))
    }

    /// The entry under a key.
    pub(super) fn entry(&self, key: &str) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.key == key)
    }

    /// Every entry, in the order of their keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        self.table.iter().map(|(key, value)| Entry {
            document: self.document,
            key: key.get_ref(),
            name: self.dotted(key.get_ref()),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// An error about the section as a whole.
    pub(super) fn refuse(&self, problem: &str) -> Error {
        Error::new(format!("{}: {} {problem}", self.document.place(&self.span), self.name))
    }

    /// A key's name from the root, quoted where TOML would want quotes.
    fn dotted(&self, key: &str) -> String {
        let bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let key = if bare { key.to_owned() } else { format!("\"{}\"", key.escape_debug()) };
        if self.name.is_empty() { key } else { format!("{}.{key}", self.name) }
    }
}

/// One key with its value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    document: Document<'a>,
    pub(super) key: &'a str,
    /// The dotted name.
    name: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// `FILE:LINE: NAME`, as messages begin.
    pub(super) fn place(&self) -> String {
        format!("{}: {}", self.document.place(&self.span), self.name)
    }

    /// An error about the value.
    pub(super) fn refuse(&self, problem: impl std::fmt::Display) -> Error {
        Error::new(format!("{}: {problem}", self.place()))
    }

    fn wrong_type(&self, wanted: &str) -> Error {
        let kind = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format_args!("expected {wanted}, found {kind}"))
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Result<&'a str, Error> {
        match self.value {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text),
            DeValue::String(_) => Err(self.refuse("the text is empty")),
            _ => Err(self.wrong_type("a text in quotes")),
        }
    }

    /// A length of time.
    pub(super) fn time(&self) -> Result<Span, Error> {
        match self.value {
            DeValue::String(text) => text.parse().map_err(|error| self.refuse(error)),
            _ => Err(self.wrong_type("a time in quotes, such as \"30s\"")),
        }
    }

    /// A text that reads as something else.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self) -> Result<T, Error> {
        self.text()?.parse().map_err(|error| self.refuse(error))
    }

    /// `true` or `false`.
    pub(super) fn switch(&self) -> Result<bool, Error> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&self, bounds: RangeInclusive<T>) -> Result<T, Error>
    where
        T: TryFrom<u64> + PartialOrd + std::fmt::Display,
    {
        let DeValue::Integer(number) = self.value else {
            return Err(self.wrong_type("a whole number"));
        };
        let read = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let fitting = read.and_then(|number| T::try_from(number).ok());
        fitting.filter(|number| bounds.contains(number)).ok_or_else(|| {
            self.refuse(format_args!("{number} is not a number from {} to {}", bounds.start(), bounds.end()))
        })
    }

    /// A moment with its offset from UTC.
    pub(super) fn moment(&self) -> Result<Timestamp, Error> {
        let wanted = "a moment without quotes, such as 2027-01-31T00:00:00Z";
        let DeValue::Datetime(moment) = self.value else { return Err(self.wrong_type(wanted)) };
        moment.to_string().parse().map_err(|_| self.refuse(format_args!("'{moment}' is not {wanted}")))
    }

    /// Texts, at least one.
    pub(super) fn texts(&self) -> Result<Vec<&'a str>, Error> {
        let wanted = "a list of texts, such as [\"relay.example\"]";
        let DeValue::Array(items) = self.value else { return Err(self.wrong_type(wanted)) };
        let text = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.as_ref()),
            _ => None,
        };
        let texts: Option<Vec<&str>> = items.iter().map(text).collect();
        texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| self.refuse(format_args!("this is not {wanted}")))
    }

    /// An amount of money, read from its digits so that nothing is rounded.
    pub(super) fn money(&self) -> Result<Money, Error> {
        let digits = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(self.wrong_type("a number, in USD per million tokens")),
        };
        digits.parse().map_err(|error| self.refuse(error))
    }

    /// A table of further keys.
    pub(super) fn section(&self) -> Result<Section<'a>, Error> {
        match self.value {
            DeValue::Table(table) => Ok(self.table(table, self.span.clone())),
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// A list of tables, as `[[name]]` makes it.
    pub(super) fn sections(&self) -> Result<Vec<Section<'a>>, Error> {
        let wanted = format!("tables, each begun by [[{}]]", self.name);
        let DeValue::Array(items) = self.value else { return Err(self.wrong_type(&wanted)) };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::Table(table) => Ok(self.table(table, item.span())),
                _ => Err(self.wrong_type(&wanted)),
            })
            .collect()
    }

    fn table(&self, table: &'a DeTable<'a>, span: Range<usize>) -> Section<'a> {
        Section { document: self.document, name: self.name.clone(), span, table }
    }
}
