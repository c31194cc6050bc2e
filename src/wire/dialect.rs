//! The names, addresses and headers of the five dialects.

use std::fmt;
use std::str::FromStr;

use super::Dialect;

/// A dialect's name that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no API: choose one of messages, chat, responses, complete and raw")]
pub struct UnknownDialect(String);

impl Dialect {
    /// The event that ends a stream of this dialect, without which an answer is cut short.
    pub const fn terminal_event(self) -> &'static str {
        match self {
            Self::Messages => "message_stop",
            Self::Chat => "[DONE]",
            Self::Responses => "response.completed",
            Self::Complete => "a stop_reason",
            Self::Raw => "the end of the body",
        }
    }

    /// Every dialect, in the order of their introduction to people.
    pub const ALL: [Self; 5] = [Self::Messages, Self::Chat, Self::Responses, Self::Complete, Self::Raw];

    /// The name that people type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Complete => "complete",
            Self::Raw => "raw",
        }
    }

    /// The path below the relay's address, as the vendors document it; [`Dialect::Raw`] has none of its own.
    pub const fn path(self) -> Option<&'static str> {
        match self {
            Self::Messages => Some("/v1/messages"),
            Self::Chat => Some("/v1/chat/completions"),
            Self::Responses => Some("/v1/responses"),
            Self::Complete => Some("/v1/complete"),
            Self::Raw => None,
        }
    }

    /// Whether its prompts are turns of content blocks, so that they can hold more than one text.
    pub const fn has_turns(self) -> bool {
        matches!(self, Self::Messages | Self::Chat | Self::Responses)
    }

    /// The headers that the dialect itself demands, in lower case.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Messages | Self::Complete => &[("anthropic-version", "2023-06-01")],
            Self::Chat | Self::Responses | Self::Raw => &[],
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        let known = Self::ALL.into_iter().find(|dialect| dialect.name() == text);
        known.ok_or_else(|| UnknownDialect(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.name().parse(), Ok(dialect));
            assert_eq!(dialect.to_string(), dialect.name());
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let refusal = "Chat".parse::<Dialect>().unwrap_err().to_string();
        for dialect in Dialect::ALL {
            assert!(refusal.contains(dialect.name()), "{refusal}");
        }
    }

    #[test]
    fn paths_and_headers_are_the_vendors() {
        assert_eq!(Dialect::Messages.path(), Some("/v1/messages"));
        assert_eq!(Dialect::Chat.path(), Some("/v1/chat/completions"));
        assert_eq!(Dialect::Responses.path(), Some("/v1/responses"));
        assert_eq!(Dialect::Complete.path(), Some("/v1/complete"));
        assert_eq!(Dialect::Raw.path(), None);
        for dialect in [Dialect::Messages, Dialect::Complete] {
            assert_eq!(dialect.headers(), [("anthropic-version", "2023-06-01")]);
        }
        for dialect in [Dialect::Chat, Dialect::Responses, Dialect::Raw] {
            assert!(dialect.headers().is_empty());
        }
    }
}
