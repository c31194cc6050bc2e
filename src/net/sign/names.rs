//! The names that a signature tells: which key made it, and where it is valid.

use std::fmt;
use std::str::FromStr;

/// What the relay finds a signing key by; it stands in headers, and in those of Kong and AWS between other things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// The names of one key or of two, the one in force first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNames(Vec<KeyName>);

/// A region or a service of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeName(String);

/// A text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It is no [`KeyName`].
    #[error(
        "write the name of the key in ASCII without white space, quotes, commas, slashes and backslashes"
    )]
    Key,
    /// They are no [`KeyNames`].
    #[error("write one name, or two with a comma between them: the new key's and the old one's")]
    Keys,
    /// It is no [`ScopeName`].
    #[error("write letters, digits and dashes, as in eu-west-1 or bedrock")]
    Scope,
}

impl KeyName {
    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"\\,/".contains(&byte);
        if !text.is_empty() && text.bytes().all(fits) { Ok(Self(text.to_owned())) } else { Err(BadName::Key) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl KeyNames {
    /// One or two, the one in force first.
    pub fn as_slice(&self) -> &[KeyName] {
        &self.0
    }
}

impl FromStr for KeyNames {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let names = text.split(',').map(|name| name.trim().parse()).collect::<Result<Vec<KeyName>, _>>()?;
        match names.as_slice() {
            [_] => Ok(Self(names)),
            [new, old] if new != old => Ok(Self(names)),
            _ => Err(BadName::Keys),
        }
    }
}

impl fmt::Display for KeyNames {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(KeyName::as_str).collect();
        out.write_str(&names.join(","))
    }
}

impl ScopeName {
    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !text.is_empty() && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName::Scope)
        }
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_end_its_place_in_a_header_is_refused() {
        for bad in ["", "a b", "a\"b", "a,b", "a/b", "a\\b", "é", "a\r\nx: y"] {
            assert_eq!(bad.parse::<KeyName>(), Err(BadName::Key), "{bad}");
            assert_eq!(bad.parse::<ScopeName>(), Err(BadName::Scope), "{bad}");
        }
        assert_eq!("team.blue_1".parse::<KeyName>().unwrap().as_str(), "team.blue_1");
        let two: KeyNames = "new, old".parse().unwrap();
        assert_eq!((two.to_string().as_str(), two.as_slice().len()), ("new,old", 2));
        for bad in ["", "a,", "a,a", "a,b,c"] {
            assert!(bad.parse::<KeyNames>().is_err(), "{bad}");
        }
        assert_eq!("us-gov-1".parse::<ScopeName>().unwrap().to_string(), "us-gov-1");
    }
}
