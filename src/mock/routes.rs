//! Which path leads where.

use hyper::Method;

use crate::wire::Dialect;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// An answer in this dialect.
    Answer(Dialect),
    /// The number of tokens of a prompt.
    CountTokens,
    /// The list of models.
    Models,
    /// A sign of life.
    Health,
    /// The relay's counters.
    Stats,
    /// The path exists for another method.
    WrongMethod,
    /// A path that is not known; if posted with a prompt, still an answer in the bare form.
    Unknown,
}

/// The paths of the dialects, to be found at the end of any longer path.
const ENDS: [(&str, Route); 5] = [
    ("/messages/count_tokens", Route::CountTokens),
    ("/messages", Route::Answer(Dialect::Messages)),
    ("/chat/completions", Route::Answer(Dialect::Chat)),
    ("/responses", Route::Answer(Dialect::Responses)),
    ("/complete", Route::Answer(Dialect::Complete)),
];

/// The paths of what is got, found in the same way.
const GOT: [(&str, Route); 4] = [
    ("/models", Route::Models),
    ("/health", Route::Health),
    ("/healthz", Route::Health),
    ("/__mock/stats", Route::Stats),
];

/// Finds the way.
pub(crate) fn find(method: &Method, path: &str) -> Route {
    let path = path.trim_end_matches('/');
    let posted = if path.ends_with("/raw") || path.contains("/raw/") {
        Some(Route::Answer(Dialect::Raw))
    } else {
        ENDS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, route)| *route)
    };
    let got = GOT.iter().find_map(|(end, route)| path.ends_with(end).then_some(*route));
    match *method {
        Method::POST => posted.or(got.map(|_| Route::WrongMethod)).unwrap_or(Route::Unknown),
        Method::GET | Method::HEAD => got.or(posted.map(|_| Route::WrongMethod)).unwrap_or(Route::Unknown),
        _ if posted.is_some() || got.is_some() => Route::WrongMethod,
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_found_with_and_without_version_and_prefix() {
        let post = |path| find(&Method::POST, path);
        for (path, dialect) in [
            ("/v1/messages", Dialect::Messages),
            ("/messages", Dialect::Messages),
            ("/api/claude/v1/messages/", Dialect::Messages),
            ("/openai/v1/chat/completions", Dialect::Chat),
            ("/responses", Dialect::Responses),
            ("/v1/complete", Dialect::Complete),
            ("/raw", Dialect::Raw),
            ("/raw/mock-cut", Dialect::Raw),
        ] {
            assert_eq!(post(path), Route::Answer(dialect), "{path}");
        }
        assert_eq!(post("/v1/messages/count_tokens"), Route::CountTokens);
        assert_eq!(post("/v1/embeddings"), Route::Unknown);
        assert_eq!(post("/health"), Route::WrongMethod);
    }

    #[test]
    fn what_is_got_is_found_too() {
        let get = |path| find(&Method::GET, path);
        assert_eq!(get("/v1/models"), Route::Models);
        assert_eq!(get("/health"), Route::Health);
        assert_eq!(get("/healthz"), Route::Health);
        assert_eq!(get("/__mock/stats"), Route::Stats);
        assert_eq!(get("/v1/messages"), Route::WrongMethod);
        assert_eq!(get("/"), Route::Unknown);
    }
}
