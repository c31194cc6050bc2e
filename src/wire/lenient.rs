//! Fields as relays really send them: a value of another type than the vendor's counts as absent and fails nothing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, borrowed where the JSON holds no escapes.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, where it is not empty.
    pub(super) fn filled(self) -> Option<Cow<'a, str>> {
        self.0.filter(|text| !text.is_empty())
    }

    /// The text, empty where it is absent.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A count of things; some relays send counts as text or with a decimal point.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count(pub(super) Option<u64>);

/// Whether a field holds anything: not null, not `false`, not an empty text, object or list.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Present(pub(super) bool);

/// An object.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// A list of objects; items of another type are left out.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Option<Vec<T>>);

impl<T> List<T> {
    /// The items, none where the list is absent.
    pub(super) fn items(self) -> Vec<T> {
        self.0.unwrap_or_default()
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What a field makes of each JSON type; whatever it does not define counts as absent.
pub(super) trait Lenient<'de>: Default {
    /// The field holds a text.
    fn text(_text: Cow<'de, str>) -> Self {
        Self::default()
    }

    /// The field holds a number.
    fn number(_number: f64) -> Self {
        Self::default()
    }

    /// The field holds `true` or `false`.
    fn boolean(_value: bool) -> Self {
        Self::default()
    }

    /// The field holds an object.
    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// The field holds a list.
    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }
}

impl<'de> Lenient<'de> for Count {
    fn text(text: Cow<'de, str>) -> Self {
        Self(text.trim().parse().ok())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the check before it"
    )]
    fn number(number: f64) -> Self {
        // Above 2^53 a double no longer counts in ones; no token count comes near.
        Self((0.0..=9_007_199_254_740_992.0).contains(&number).then_some(number as u64))
    }
}

impl<'de> Lenient<'de> for Present {
    fn text(text: Cow<'de, str>) -> Self {
        Self(!text.is_empty())
    }

    fn number(_number: f64) -> Self {
        Self(true)
    }

    fn boolean(value: bool) -> Self {
        Self(value)
    }

    fn object<A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut filled = false;
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Self(filled))
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut filled = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Self(filled))
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for Object<T> {
    fn object<A: MapAccess<'de>>(entries: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(|object| Self(Some(object)))
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for List<T> {
    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut out = Vec::new();
        while let Some(Object(item)) = items.next_element()? {
            out.extend(item);
        }
        Ok(Self(Some(out)))
    }
}

/// Reads a field by what it makes of each JSON type.
pub(super) fn read<'de, D: Deserializer<'de>, T: Lenient<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Any(PhantomData))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read::<D, Text<'de>>(deserializer)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

/// Takes any JSON value and lets the field decide.
struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        Ok(T::boolean(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of tokens stay far below 2^53")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        Ok(T::number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of tokens stay far below 2^53")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        Ok(T::number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        Ok(T::number(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::object(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        let Text(text) = serde_json::from_str(r#""plain""#).unwrap();
        assert!(matches!(text, Some(Cow::Borrowed("plain"))));
        let Text(text) = serde_json::from_str(r#""esc\naped""#).unwrap();
        assert!(matches!(text, Some(Cow::Owned(text)) if text == "esc\naped"));
    }

    #[test]
    fn another_type_counts_as_absent() {
        for json in ["null", "true", "7", "-7", "1.5", "{\"a\":[1]}", "[{\"a\":1}]"] {
            assert!(serde_json::from_str::<Text<'_>>(json).unwrap().0.is_none(), "{json}");
        }
        for json in ["null", "-1", "1e300", "\"x\"", "{}", "[5]", "false"] {
            assert_eq!(serde_json::from_str::<Count>(json).unwrap().0, None, "{json}");
        }
        assert!(serde_json::from_str::<List<IgnoredAny>>("{\"a\":1}").unwrap().0.is_none());
        assert!(serde_json::from_str::<Object<IgnoredAny>>("[1,2]").unwrap().0.is_none());
    }

    #[test]
    fn counts_come_as_numbers_and_as_text() {
        for json in ["12", "12.0", "\"12\""] {
            assert_eq!(serde_json::from_str::<Count>(json).unwrap().0, Some(12), "{json}");
        }
    }

    #[test]
    fn a_field_is_present_when_it_says_something() {
        for json in ["null", "false", "\"\"", "{}", "[]"] {
            assert!(!serde_json::from_str::<Present>(json).unwrap().0, "{json}");
        }
        for json in ["true", "0", "\"x\"", "{\"a\":1}", "[1]"] {
            assert!(serde_json::from_str::<Present>(json).unwrap().0, "{json}");
        }
    }

    #[test]
    fn broken_json_still_fails() {
        assert!(serde_json::from_str::<Object<IgnoredAny>>("{\"a\":").is_err());
    }
}
