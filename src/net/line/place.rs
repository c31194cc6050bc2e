//! An address in the forms that requests to it need.

use std::sync::Arc;

use hyper::Uri;
use tower_http::BoxError;
use url::Position;

use super::super::Url;

/// An address in the forms that requests to it need.
pub(super) struct Place {
    pub(super) url: Arc<Url>,
    /// The whole of it, for HTTP/2 and for connecting.
    pub(super) whole: Uri,
    /// What follows the method in HTTP/1.1: the rest of the request's line.
    pub(super) target: String,
    /// The line that names its host there.
    pub(super) host: String,
}

impl Place {
    pub(super) fn of(url: &Arc<Url>) -> Result<Self, BoxError> {
        Ok(Self {
            whole: Uri::try_from(url.as_str())?,
            target: format!(" {} HTTP/1.1\r\n", &url[Position::BeforePath..Position::AfterQuery]),
            host: format!("host: {}\r\n", &url[Position::BeforeHost..Position::AfterPort]),
            url: Arc::clone(url),
        })
    }
}
