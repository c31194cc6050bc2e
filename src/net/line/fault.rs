//! What can go wrong on a connection that speaks HTTP/1.1.

use std::io;

/// Why a connection brought no reply, or why a reply broke off.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Fault {
    /// What came as a reply's head is none.
    #[error("{0}")]
    NotHttp(String),
    /// It was closed before a reply's head was whole.
    #[error("the other side closed it {0}")]
    Closed(&'static str),
    /// The body broke a rule of its framing, or ended too soon.
    #[error("{0}")]
    Framing(&'static str),
    /// The system's words.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Fault {
    /// A head that is no head of HTTP/1.
    pub(super) fn not_http(why: &dyn ToString) -> Self {
        Self::NotHttp(why.to_string())
    }
}
