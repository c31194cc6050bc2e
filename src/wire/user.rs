//! The user that a request's body names.

use serde::Deserialize;

/// The fields of a body that name its user.
#[derive(Debug, Deserialize)]
struct Owned {
    user: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    user_id: Option<String>,
}

/// The user that a body names: `metadata.user_id` in `messages`, `user` in `chat` and `responses`.
pub fn user_of(body: &[u8]) -> Option<String> {
    let Owned { user, metadata } = serde_json::from_slice(body).ok()?;
    user.or_else(|| metadata.and_then(|metadata| metadata.user_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vendor_has_its_own_field() {
        assert_eq!(user_of(br#"{"metadata":{"user_id":"u"},"model":"m"}"#).as_deref(), Some("u"));
        assert_eq!(user_of(br#"{"user":"u"}"#).as_deref(), Some("u"));
        assert_eq!((user_of(b"{}"), user_of(br#"{"user":7}"#), user_of(b"no JSON")), (None, None, None));
    }
}
