//! A key that signs, and the name that the relay finds it by.

use crate::units::Secret;

use super::KeyName;

/// A key with its name.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// What the relay finds the key by.
    pub id: KeyName,
    /// What only the two of them know.
    pub secret: Secret,
}

impl SigningKey {
    #[cfg(test)]
    pub(super) fn of(id: &str, secret: &str) -> Self {
        Self { id: id.parse().unwrap(), secret: Secret::new(secret) }
    }
}
