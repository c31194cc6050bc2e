//! Takes secrets that a relay echoes out of everything that is said about its failures.

use crate::net::{HeaderValue, RequestHeaders};
use crate::units::MASK;
use crate::wire::{ApiError, Event};

use super::exchange::{ApiErrorText, Exchange, Trouble};

/// The shortest beginning of a secret that is taken for one.
const FRAGMENT: usize = 6;

/// The secrets of one request.
#[derive(Debug, Default)]
pub struct Mask(Vec<HeaderValue>);

impl Mask {
    /// The values of all sensitive headers, a credential's scheme left off.
    pub fn of(headers: &RequestHeaders) -> Self {
        let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
        Self(sensitive.map(|(_, value)| value.clone()).collect())
    }

    /// What must not be shown.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        // A value of a few characters stands in many texts by chance, and is no secret worth the name.
        self.0.iter().filter_map(|value| value.to_str().ok()).map(bare).filter(|secret| secret.len() >= 4)
    }

    /// Takes them out of a text.
    pub fn apply(&self, text: &mut String) {
        for secret in self.secrets() {
            if text.contains(secret) {
                *text = text.replace(secret, MASK);
            }
            // A text that was cut short may end in the beginning of a secret.
            let end = text.trim_end_matches('…').len();
            let cut = (FRAGMENT..secret.len()).rev().filter(|at| secret.is_char_boundary(*at));
            if let Some(at) = cut.into_iter().find(|at| text[..end].ends_with(&secret[..*at])) {
                text.replace_range(end - at..end, MASK);
            }
        }
    }

    fn apply_to_error(&self, error: &mut ApiError) {
        self.apply(&mut error.message);
        for part in [&mut error.kind, &mut error.code, &mut error.request_id].into_iter().flatten() {
            self.apply(part);
        }
    }

    /// An event as it may be shown.
    pub(super) fn event<'a>(&self, event: Event<'a>) -> Event<'a> {
        match event {
            Event::Error(mut error) => {
                self.apply_to_error(&mut error);
                Event::Error(error)
            }
            other => other,
        }
    }
}

/// A credential without its scheme.
fn bare(value: &str) -> &str {
    value.split_once(' ').map_or(value, |(_, secret)| secret).trim()
}

impl Exchange {
    /// Masks the request's secrets wherever the relay's words went.
    pub(super) fn mask(&mut self, secrets: &Mask) {
        match &mut self.trouble {
            Some(
                Trouble::Status(ApiErrorText { error, .. }) | Trouble::Reported(ApiErrorText { error, .. }),
            ) => {
                secrets.apply_to_error(error);
            }
            Some(Trouble::Redirect(text) | Trouble::Html(text) | Trouble::Text(text)) => secrets.apply(text),
            Some(Trouble::Wire(error)) => {
                use crate::wire::WireError::{Json, NotTheDialect};
                if let Json { excerpt, .. } | NotTheDialect { excerpt, .. } = error {
                    secrets.apply(excerpt);
                }
            }
            _ => {}
        }
        if let Some(id) = &mut self.ids.relay {
            secrets.apply(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_with_and_without_its_scheme() {
        let mut headers = crate::net::HeaderMap::new();
        let mut value: crate::net::HeaderValue = "Bearer sk-planted".parse().unwrap();
        value.set_sensitive(true);
        headers.insert("authorization", value);
        headers.insert("x-tenant", "blue".parse().unwrap());
        let mask = Mask::of(&headers.into());
        let mut error = ApiError { message: "bad key sk-planted for blue".to_owned(), ..ApiError::default() };
        error.code = Some("Bearer sk-planted".to_owned());
        mask.apply_to_error(&mut error);
        assert_eq!(error.message, "bad key *** for blue");
        assert_eq!(error.code.as_deref(), Some("Bearer ***"));
        let mut cut = "no such key: sk-plan…".to_owned();
        mask.apply(&mut cut);
        assert_eq!(cut, "no such key: ***…");
    }
}
