//! The keys that are let in: read from a file, found in the headers in which each vendor's clients send theirs.

use hyper::HeaderMap;

/// Where a request may have its key, and what stands before it there.
const PLACES: [(&str, &str); 4] =
    [("authorization", "Bearer "), ("x-api-key", ""), ("api-key", ""), ("x-goog-api-key", "")];

/// Keys of which each request needs one; none is shown when this is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<String>);

impl Keys {
    /// Reads a key a line, so that an old and a new one are good while clients change over.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let keys: Vec<_> = text.lines().map(str::trim).filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            return Err("it is empty");
        }
        if keys.iter().any(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err("a line holds white space or characters that no key has");
        }
        Ok(Self(keys.into_iter().map(str::to_owned).collect()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a request has one of them, and no second credential that could mean somebody else.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let mut given = PLACES
            .iter()
            .flat_map(|place| headers.get_all(place.0).iter().map(move |value| (value, place.1)));
        let (Some((value, scheme)), None) = (given.next(), given.next()) else { return false };
        let key = value.to_str().ok().and_then(|value| value.strip_prefix(scheme));
        key.is_some_and(|key| self.0.iter().any(|own| own == key))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keys({})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn admits(headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        Keys::read("sk-old\n\n sk-new \n").unwrap().admit(&map)
    }

    #[test]
    fn one_of_the_keys_is_let_in_wherever_a_client_sends_it() {
        for key in ["x-api-key", "api-key", "x-goog-api-key"] {
            assert!(admits(&[(key, "sk-old")]) && admits(&[(key, "sk-new")]), "{key}");
            assert!(!admits(&[(key, "sk-older")]) && !admits(&[(key, "Bearer sk-old")]), "{key}");
        }
        assert!(admits(&[("authorization", "Bearer sk-new")]));
        assert!(!admits(&[("authorization", "sk-new")]) && !admits(&[("authorization", "Basic sk-new")]));
        assert!(!admits(&[]) && !admits(&[("x-api-key", "")]));
    }

    #[test]
    fn two_credentials_are_refused_whatever_they_are() {
        assert!(!admits(&[("authorization", "Bearer sk-new"), ("x-api-key", "sk-new")]));
        assert!(!admits(&[("x-api-key", "sk-new"), ("x-api-key", "sk-new")]));
        assert!(!admits(&[("authorization", "Bearer other"), ("x-api-key", "sk-new")]));
    }

    #[test]
    fn what_holds_no_key_is_refused_and_none_is_ever_shown() {
        assert!(Keys::read(" \n").is_err() && Keys::read("two words").is_err());
        assert_eq!(format!("{:?}", Keys::read("sk-planted").unwrap()), "Keys(1)");
    }
}
