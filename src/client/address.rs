//! Joins a relay's base address to a dialect's path.

use crate::net::Url;
use crate::wire::Dialect;

/// The address that requests of a dialect go to.
///
/// The base may or may not end in `/v1`, may carry a path prefix and a query, and may already be the whole address.
/// [`Dialect::Raw`] takes it as it is.
pub fn join(base: &Url, dialect: Dialect) -> Url {
    let Some(path) = dialect.path() else {
        return base.clone();
    };
    let resource = path.strip_prefix("/v1").unwrap_or(path);
    let prefix = base.path().trim_end_matches('/');
    let joined = if prefix.ends_with(resource) {
        prefix.to_owned()
    } else if prefix.ends_with("/v1") {
        format!("{prefix}{resource}")
    } else {
        format!("{prefix}{path}")
    };
    at(base, &joined)
}

/// The address of the list of models of a relay whose base address is given as for [`join`].
pub(super) fn models(base: &Url, dialect: Dialect) -> Url {
    let prefix = base.path().trim_end_matches('/');
    let resource = dialect.path().map(|path| path.strip_prefix("/v1").unwrap_or(path));
    // A whole address shows where the resources of this relay lie, with or without a version.
    let root = resource.and_then(|resource| prefix.strip_suffix(resource));
    match root {
        Some(root) => at(base, &format!("{root}/models")),
        None if prefix.ends_with("/v1") => at(base, &format!("{prefix}/models")),
        None => at(base, &format!("{prefix}/v1/models")),
    }
}

/// The same address with another path.
fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, dialect: Dialect) -> String {
        join(&Url::parse(base).unwrap(), dialect).to_string()
    }

    #[test]
    fn a_base_with_and_without_its_version_gives_the_same_address() {
        for base in
            ["https://r.example", "https://r.example/", "https://r.example/v1", "https://r.example/v1/"]
        {
            assert_eq!(joined(base, Dialect::Messages), "https://r.example/v1/messages");
            assert_eq!(joined(base, Dialect::Chat), "https://r.example/v1/chat/completions");
        }
    }

    #[test]
    fn a_path_prefix_a_query_and_a_whole_address_are_kept() {
        assert_eq!(joined("http://r/api/anthropic", Dialect::Messages), "http://r/api/anthropic/v1/messages");
        assert_eq!(
            joined("http://r/api/v1?tenant=a", Dialect::Responses),
            "http://r/api/v1/responses?tenant=a"
        );
        assert_eq!(
            joined("http://r/openai/chat/completions", Dialect::Chat),
            "http://r/openai/chat/completions"
        );
        assert_eq!(joined("http://r/v1/complete", Dialect::Complete), "http://r/v1/complete");
    }

    #[test]
    fn the_list_of_models_lies_beside_the_answers() {
        let listed = |base: &str, dialect| models(&Url::parse(base).unwrap(), dialect).to_string();
        for base in ["https://r.example", "https://r.example/v1/", "https://r.example/v1/messages"] {
            assert_eq!(listed(base, Dialect::Messages), "https://r.example/v1/models");
        }
        assert_eq!(listed("http://r/api?tenant=a", Dialect::Chat), "http://r/api/v1/models?tenant=a");
        assert_eq!(listed("http://r/openai/chat/completions", Dialect::Chat), "http://r/openai/models");
    }

    #[test]
    fn a_raw_address_is_taken_as_it_is() {
        assert_eq!(joined("http://r/any/thing?x=1", Dialect::Raw), "http://r/any/thing?x=1");
    }
}
