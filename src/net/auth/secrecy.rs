//! What must not be shown: headers and parts of addresses that are secrets by their names, and files that others can read.

use std::fs::File;
use std::io;

use crate::units::MASK;

use crate::net::{HeaderName, Url};

/// Whether a header's value is to be hidden wherever a request is shown.
pub fn is_secret_header(name: &HeaderName) -> bool {
    // The one header with such a word that is public by purpose.
    name != "idempotency-key" && names_a_secret(name.as_str())
}

/// Whether a name, in lower case, speaks of a secret.
fn names_a_secret(name: &str) -> bool {
    const MARKS: [&str; 8] =
        ["auth", "key", "token", "secret", "cookie", "credential", "password", "signature"];
    MARKS.iter().any(|mark| name.contains(mark))
}

/// An address as it may be shown and saved: values of its query that are secrets by their names are masked.
pub fn shown_url(url: &Url) -> String {
    let secret = |name: &str| names_a_secret(&name.to_ascii_lowercase());
    if !url.query_pairs().any(|(name, _)| secret(&name)) {
        return url.to_string();
    }
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = url.query().unwrap_or_default().split('&').map(mask).collect();
    let mut shown = url.clone();
    shown.set_query(Some(&query.join("&")));
    shown.to_string()
}

/// The mode of a file that other users of the machine may read or change; none where only its owner may, and none of what is
/// no regular file, such as a pipe, which keeps nothing.
///
/// # Errors
///
/// That the file system does not tell.
pub fn exposed_mode(file: &File) -> io::Result<Option<u32>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata()?;
        let mode = metadata.permissions().mode() & 0o777;
        Ok((metadata.is_file() && mode & 0o077 != 0).then_some(mode))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_address_keeps_everything_but_the_secrets_of_its_query() {
        let shown = |url: &str| shown_url(&Url::parse(url).unwrap());
        assert_eq!(shown("http://r/v1?tenant=a&b"), "http://r/v1?tenant=a&b");
        assert_eq!(shown("http://r/v1?a=1&Api_Key=planted&z=%20"), "http://r/v1?a=1&Api_Key=***&z=%20");
    }

    #[test]
    fn headers_that_carry_secrets_are_known_by_their_names() {
        for name in ["authorization", "x-api-key", "api-key", "x-litellm-api-key", "cookie", "x-goog-api-key"]
        {
            assert!(is_secret_header(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["content-type", "anthropic-version", "x-request-id", "idempotency-key"] {
            assert!(!is_secret_header(&HeaderName::from_static(name)), "{name}");
        }
    }
}
