//! The credential policy: exactly one credential, never for an origin that it does not belong to, in force when it leaves.
//!
//! A [`Credential`] is a header that stays the same, a [`ServiceToken`] that this client signs, or a token that an [`Authority`] grants and a [`Keeper`] keeps fresh:
//! one renewal at a time in this process and, by a locked file, among all processes that share it.

mod authority;
mod credential;
mod device;
mod discovery;
mod error;
mod grant;
mod keeper;
mod renewal;
mod secrecy;
mod service;
mod store;
mod token;

pub use self::authority::{Authority, ClientSecret, GrantKind};
pub use self::credential::{Credential, Origin};
pub use self::device::{Invitation, log_in};
pub use self::discovery::is_private;
pub use self::error::AuthError;
pub use self::keeper::{Keeper, Standing};
pub use self::secrecy::{exposed_mode, is_secret_header, shown_url};
pub use self::service::{ServiceClaims, ServiceError, ServiceToken, Signature};
pub use self::store::Store;
