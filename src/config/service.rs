//! `[profile.NAME.service-token]`: a token that the client signs itself, by which key and in whose name.

use std::path::PathBuf;
use std::time::Duration;

use crate::net::{ServiceClaims, ServiceError, ServiceToken, Signature};
use crate::units::Span;

use super::Error;
use super::document::{Entry, Section};
use super::private::read_private;
use super::profile::Folders;

/// How long each token is good where nothing else is said.
const LIFETIME: Duration = Duration::from_secs(600);

/// What the table says; its key is read when it is to sign.
#[derive(Debug, Clone)]
pub(super) struct Service {
    claims: ServiceClaims,
    key_file: PathBuf,
}

impl Service {
    /// Reads the table.
    pub(super) fn read(entry: &Entry<'_>, folders: Folders<'_>) -> Result<Self, Error> {
        let section = entry.section()?;
        section.only(&["algorithm", "key-file", "key-id", "issuer", "subject", "audience", "lifetime"])?;
        let text = |key| section.entry(key).map(|entry| entry.text().map(str::to_owned)).transpose();
        let Some(key_file) = section.entry("key-file") else {
            return Err(section.refuse("has no key-file").hint("it names the file of the key that signs"));
        };
        let Some(issuer) = text("issuer")?.filter(|issuer| !issuer.is_empty()) else {
            let hint = "it is the name under which the relay knows the key";
            return Err(section.refuse("has no issuer").hint(hint));
        };
        Ok(Self {
            key_file: folders.resolve(&key_file)?,
            claims: ServiceClaims {
                signature: read_signature(&section)?,
                key_id: text("key-id")?,
                issuer,
                subject: text("subject")?,
                audience: text("audience")?,
                lifetime: read_lifetime(&section)?,
            },
        })
    }

    /// What signs its tokens, once it has signed one; the key is read for this.
    pub(super) fn signer(&self, source: &str) -> Result<ServiceToken, Error> {
        let key = read_private(&self.key_file, source)?;
        ServiceToken::new(self.claims.clone(), &key).map_err(|error| {
            let hint = match error {
                ServiceError::Short(_) => "openssl rand -hex 32 makes one that is long enough",
                ServiceError::Key { .. } => {
                    "openssl pkcs8 -topk8 -nocrypt -in KEY writes a private key in PKCS #8 PEM form"
                }
            };
            Error::new(format!("{source}: {error}")).hint(hint)
        })
    }

    /// Where it comes from, as the profile says it.
    pub(super) fn setting(&self) -> String {
        format!("service-token key-file {}", self.key_file.display())
    }
}

fn read_signature(section: &Section<'_>) -> Result<Signature, Error> {
    let names = || format!("write one of {}", Signature::NAMES.join(", "));
    let Some(entry) = section.entry("algorithm") else {
        return Err(section.refuse("has no algorithm").hint(names()));
    };
    let text = entry.text()?;
    Signature::named(text)
        .ok_or_else(|| entry.refuse(format_args!("'{text}' is no algorithm of it")).hint(names()))
}

fn read_lifetime(section: &Section<'_>) -> Result<Duration, Error> {
    let Some(entry) = section.entry("lifetime") else { return Ok(LIFETIME) };
    let Span(lifetime) = entry.time()?;
    if (Duration::from_secs(10)..=ServiceToken::LONGEST).contains(&lifetime) {
        return Ok(lifetime);
    }
    Err(entry.refuse("such a token lives for 10 s to an hour").hint("write a time in between, as in \"10m\""))
}
